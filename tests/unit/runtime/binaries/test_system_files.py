"""Libraries of the system and compiled programs are read as readelf reads them."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from skelgen.runtime.binaries.elf import OpenedElf
from skelgen.runtime.binaries.symbols import ElfSymbols

pytestmark = pytest.mark.any_kernel


def libraries() -> list[str]:
    """Return the C and C++ libraries of this machine."""
    folder = f"/usr/lib/{os.uname().machine}-linux-gnu"
    names = ("libc.so.6", "libpthread.so.0", "libm.so.6", "libstdc++.so.6")
    found = [f"{folder}/{name}" for name in names if Path(folder, name).exists()]
    return (
        found
        or [
            line.split()[-1]
            for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
            if "libc.so" in line
        ][:1]
    )


def read_by_readelf(path: str) -> dict[str, int]:
    """Return the file offset of each function, by name and version."""

    def readelf(option: str) -> list[list[str]]:
        command = ["readelf", "--wide", option, path]
        text = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout
        return [line.split() for line in text.splitlines()]

    loads = [
        tuple(int(field, 16) for field in (row[2], row[1], row[4]))
        for row in readelf("--segments")
        if row[:1] == ["LOAD"]
    ]
    found: dict[str, int] = {}
    for row in readelf("--dyn-syms"):
        if len(row) >= 8 and row[3] in {"FUNC", "IFUNC"} and row[6] != "UND":
            value = int(row[1], 16)
            found[row[7]] = next(
                value - address + offset
                for address, offset, size in loads
                if address <= value < address + size
            )
    return found


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf")
@pytest.mark.parametrize("path", libraries())
def test_every_function_of_a_library_is_found_by_every_form_of_its_name(
    path: str,
) -> None:
    wanted = dict(read_by_readelf(path))
    for name, offset in list(wanted.items()):
        if "@@" in name:
            wanted[name.replace("@@", "@")] = offset
            wanted[name.partition("@")[0]] = offset
    assert len(wanted) > 10
    with OpenedElf(path) as file:
        symbols = ElfSymbols(file)
        found = symbols.find_all(wanted)
    assert {n: s.offset for n, s in zip(wanted, found, strict=True)} == wanted


def test_a_function_of_the_systems_c_library_is_found_at_its_code() -> None:
    path = next(
        line.split()[-1]
        for line in Path("/proc/self/maps").read_text("utf-8").splitlines()
        if "libc.so" in line or "libc-" in line
    )
    with OpenedElf(path) as file:
        found = ElfSymbols(file).find("getppid")
    function = ctypes.CDLL(None)["getppid"]
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    # the code in memory is the code at that offset of the file
    code = ctypes.string_at(address, 16)
    assert Path(path).read_bytes()[found.offset : found.offset + 16] == code


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["-no-pie"],
        ["-m32"],
        ["-Wl,--hash-style=sysv"],
        ["-static"],
        ["-s", "-rdynamic"],
    ],
    ids=" ".join,
)
def test_a_function_of_a_compiled_program_is_found_at_its_code(
    tmp_path: Path, flags: list[str]
) -> None:
    source = tmp_path / "x.c"
    source.write_text(
        'int mark(void) { __asm__(".byte 0x90,0x90"); return 0x71727374; }\n'
        "int main(void) { return mark(); }\n"
    )
    program = tmp_path / "x"
    command = ["cc", "-fPIC", *flags, "-o", str(program), str(source)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"this compiler does not take {flags}")
    with OpenedElf(str(program)) as file:
        found = ElfSymbols(file).find("mark")
    code = program.read_bytes()[found.offset : found.offset + found.size]
    assert (0x71727374).to_bytes(4, "little") in code
