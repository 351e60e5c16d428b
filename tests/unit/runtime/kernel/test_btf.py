"""BTF of the kernel, its index on disk, and BTF given in its place."""

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path

import pytest

from skelgen import _cache as store
from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.btf.types import Kind
from skelgen.runtime.errors import BpfOSError, KernelBtfError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import btf_cache, btf_file
from skelgen.runtime.kernel.btf import KernelTypes
from skelgen.runtime.kernel.btf_file import BtfSourceError, FileTypes, read_btf
from skelgen.runtime.process.once import Once
from tests.harness.fake_kernel import Call, FakeKernel


def small(*names: str) -> bytes:
    builder = BtfBuilder(sys.byteorder)
    for name in names or ("task", "task___2"):
        builder.add_struct(name, 8, [])
    return builder.bytes()


# -- the cache -------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the index is kept in, which is not there yet."""
    monkeypatch.delenv("SKELGEN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(store, "_SYSTEM", str(tmp_path / "system"))
    return tmp_path / "skelgen"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that gets the data of every index that is built."""
    found: list[bytes] = []
    init = KernelBtf.__init__

    def counted(self: KernelBtf, data: bytes) -> None:
        found.append(data)
        init(self, data)

    monkeypatch.setattr(KernelBtf, "__init__", counted)
    return found


def works(btf: KernelBtf) -> bool:
    return btf.candidates("task", Kind.STRUCT) == [1, 2]


def test_the_second_load_is_from_the_cache(cache: Path, built: list[bytes]) -> None:
    data = small()
    assert works(btf_cache.indexed(data))
    (file,) = cache.iterdir()
    assert file.name.startswith(f"vmlinux-{os.uname().release}-")
    assert file.name.endswith(f"-{len(data)}")
    assert file.stat().st_mode & 0o022 == 0
    assert works(btf_cache.indexed(data))
    assert len(built) == 1


def test_other_btf_does_not_get_the_cached_index(
    cache: Path, built: list[bytes]
) -> None:
    """Of the same kernel release and the same size."""
    btf_cache.indexed(small())
    other = small("what", "what___2")
    assert len(other) == len(small())
    btf = btf_cache.indexed(other)
    assert btf.candidates("what", Kind.STRUCT) == [1, 2]
    assert len(built) == 2
    assert len(list(cache.iterdir())) == 1  # replaced


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "alien"])
def test_a_broken_file_is_made_again(
    cache: Path, built: list[bytes], damage: str
) -> None:
    data = small()
    btf_cache.indexed(data)
    (file,) = cache.iterdir()
    good = file.read_bytes()
    flipped = good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]
    file.write_bytes(
        {"cut": good[:-1], "flipped": flipped, "empty": b"", "alien": b"x" * 100}[
            damage
        ]
    )
    assert works(btf_cache.indexed(data))
    assert len(built) == 2
    assert file.read_bytes() == good


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_folder_that_others_can_write_is_not_trusted(
    cache: Path, built: list[bytes], mode: int
) -> None:
    data = small()
    btf_cache.indexed(data)
    cache.chmod(mode)
    assert works(btf_cache.indexed(data))
    assert len(built) == 2


def test_a_file_that_others_can_write_is_not_trusted(
    cache: Path, built: list[bytes]
) -> None:
    data = small()
    btf_cache.indexed(data)
    (file,) = cache.iterdir()
    file.chmod(0o666)
    assert works(btf_cache.indexed(data))
    assert len(built) == 2
    assert file.stat().st_mode & 0o022 == 0  # a new one


def test_files_of_somebody_else_are_not_trusted(
    cache: Path, built: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = small()
    btf_cache.indexed(data)
    mine = os.geteuid()
    (file,) = cache.iterdir()
    (
        os.chown(file, 12345, -1)
        if mine == 0
        else monkeypatch.setattr(os, "geteuid", lambda: 12345)
    )
    assert works(btf_cache.indexed(data))
    assert len(built) == 2


def test_a_link_is_not_followed(
    cache: Path, built: list[bytes], tmp_path: Path
) -> None:
    data = small()
    btf_cache.indexed(data)
    (file,) = cache.iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert works(btf_cache.indexed(data))
    assert len(built) == 2
    assert not file.is_symlink()


def test_a_cache_that_cannot_be_written_is_done_without(
    cache: Path, built: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "read-only file system")

    monkeypatch.setattr(os, "mkdir", refuse)
    assert works(btf_cache.indexed(small()))
    assert not cache.exists()
    assert len(built) == 1


def test_a_disk_that_is_full_leaves_nothing_in_the_cache(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "rename", refuse)
    assert works(btf_cache.indexed(small()))
    assert list(cache.iterdir()) == []


def test_files_of_long_ago_go(cache: Path) -> None:
    """Those of the cache, when it is written; nothing that somebody else put there."""
    cache.mkdir()
    names = ("btf-1.c", "vmlinux-5.4", ".btf-1.c.77", "notes", "btf-folder")
    for name in names:
        if name == "btf-folder":
            (cache / name).mkdir()
        else:
            (cache / name).write_bytes(b"")
        os.utime(cache / name, (0, 0))
    (cache / "btf-2.c").write_bytes(b"")
    (cache / "btf-link").symlink_to("notes")
    assert store.write(str(cache), "vmlinux-6.18", lambda: b"new")
    left = {path.name for path in cache.iterdir()}
    assert left == {"vmlinux-6.18", "btf-2.c", "notes", "btf-folder", "btf-link"}


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SKELGEN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert store.directories() == ["/x/skelgen", "/var/cache/skelgen"]
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert store.directories() == [
        "/home/me/.cache/skelgen",
        "/var/cache/skelgen",
    ]
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert store.directories() == ["/var/cache/skelgen"]
    monkeypatch.setenv("SKELGEN_CACHE", "/mine")
    assert store.directories() == ["/mine"]
    monkeypatch.setenv("SKELGEN_CACHE", "")
    assert store.directories() == []


def test_another_build_of_the_kernel_has_another_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = btf_cache._file_name(5)
    uname = os.uname()

    class Uname:
        release = uname.release
        machine = uname.machine
        version = "#2 SMP tomorrow"

    monkeypatch.setattr(os, "uname", Uname)
    assert btf_cache._file_name(5) != before


# -- vmlinux -----------------------------------------------------------------------


@pytest.fixture
def nothing_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))


def test_vmlinux_is_read_once(
    cache: Path, nothing_read: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not cache.exists()
    path = tmp_path / "vmlinux"
    path.write_bytes(small())
    monkeypatch.setattr(kernel_btf, "VMLINUX", str(path))
    first = kernel_btf.vmlinux()
    path.unlink()
    assert kernel_btf.vmlinux() is first
    assert works(first)
    assert KernelTypes().candidates("task", Kind.STRUCT) == [(first, 1), (first, 2)]


def test_vmlinux_of_an_older_kernel_is_read_from_its_elf_file(
    cache: Path, nothing_read: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cache
    path = tmp_path / f"vmlinux-{os.uname().release}"
    path.write_bytes(elf(small()))
    monkeypatch.setattr(kernel_btf, "VMLINUX", str(tmp_path / "none"))
    monkeypatch.setattr(
        kernel_btf, "_ELF_PATHS", ("/nowhere/{0}", str(tmp_path / "vmlinux-{0}"))
    )
    assert works(kernel_btf.vmlinux())


def test_without_vmlinux_the_error_names_the_option(
    nothing_read: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_btf, "VMLINUX", str(tmp_path / "none"))
    monkeypatch.setattr(kernel_btf, "_ELF_PATHS", ())
    with pytest.raises(KernelBtfError, match=r"No such file.*CONFIG_DEBUG_INFO_BTF"):
        kernel_btf.vmlinux()


def test_a_broken_vmlinux_is_an_error(
    cache: Path, nothing_read: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cache
    path = tmp_path / "vmlinux"
    path.write_bytes(b"x" * 100)
    monkeypatch.setattr(kernel_btf, "VMLINUX", str(path))
    with pytest.raises(KernelBtfError, match=r"kernel BTF: .*magic"):
        kernel_btf.vmlinux()


# -- modules -----------------------------------------------------------------------


def tell_btf(names: dict[int, str]) -> dict[str, object]:
    """Return answers about the BTF of these ids."""
    fds: dict[int, int] = {}
    order = sorted(names)

    def next_id(call: Call) -> int:
        later = [number for number in order if number > call.attr.start_id]
        if not later:
            return -errno.ENOENT
        call.answer("next_id", later[0])
        return 0

    def fd_by_id(call: Call) -> int | None:
        if names[call.attr.btf_id] == "gone":
            return -errno.ENOENT
        fds[len(fds)] = call.attr.btf_id
        return None

    def info(call: Call) -> int:
        at = call.attr.info
        number = fds[len(fds) - 1]
        address = int.from_bytes(ctypes.string_at(at + 16, 8), sys.byteorder)
        name = names[number]
        data = name.removeprefix("prog ").encode() + b"\0"
        ctypes.memmove(address, data, len(data))
        is_kernel = int(not name.startswith("prog "))
        ctypes.memmove(at + 28, struct.pack("=I", is_kernel), 4)
        return 0

    return {
        "BTF_GET_NEXT_ID": next_id,
        "BTF_GET_FD_BY_ID": fd_by_id,
        "OBJ_GET_INFO_BY_FD": info,
    }


def test_modules_are_listed_when_they_are_needed(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: KernelBtf(small()))
    names = {1: "vmlinux", 2: "nf_tables", 5: "prog x", 6: "gone", 9: "veth"}
    for name, answer in tell_btf(names).items():
        kernel.always(name, answer)  # type: ignore[arg-type]  # answers, mixed
    types = KernelTypes()
    types.close()
    assert not kernel.calls
    assert [(m.id, m.name) for m in types.modules()] == [(2, "nf_tables"), (9, "veth")]
    assert len(kernel.open) == 2
    types.modules()
    assert len(kernel.named("BTF_GET_NEXT_ID")) == 6
    types.close()
    types.close()
    assert not kernel.open


@pytest.mark.parametrize("error", [errno.EPERM, errno.EINVAL])
def test_a_kernel_that_tells_no_modules_has_none(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: KernelBtf(small()))
    kernel.always("BTF_GET_NEXT_ID", -error)
    assert KernelTypes().modules() == []
    assert KernelTypes().candidates("none", Kind.STRUCT) == []


def test_modules_that_cannot_be_listed_are_an_error(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: KernelBtf(small()))
    kernel.always("BTF_GET_NEXT_ID", -errno.EIO)
    with pytest.raises(BpfOSError, match="EIO"):
        KernelTypes().modules()


# -- files -------------------------------------------------------------------------


def elf(
    btf: bytes, *, wide: bool = True, order: str = "<", name: bytes = b".BTF"
) -> bytes:
    """Return an ELF file with a BTF section behind an empty one."""
    names = b"\0.shstrtab\0" + name + b"\0"
    head = 64 if wide else 52
    start = head + len(names)
    table = start + len(btf)
    section = order + ("IIQQQQIIQQ" if wide else "10I")
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2]) + bytes(10)
    size = struct.calcsize(section)
    header = struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        *(1, 247, 1, 0, 0, table, 0, head, 0, 0, size, 3, 1),
    )
    sections = (
        (0, 0, 0, 0, 0, 0),
        (1, 3, 0, 0, head, len(names)),
        (11, 1, 0, 0, start, len(btf)),
    )
    rows = b"".join(struct.pack(section, *row, 0, 0, 1, 0) for row in sections)
    return ident + header + names + btf + rows


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_btf_is_read_from_an_elf_file(
    tmp_path: Path, *, wide: bool, order: str
) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(elf(small(), wide=wide, order=order))
    assert works(read_btf(path))
    assert works(read_btf(path.read_bytes()))
    assert works(read_btf(small()))


def test_candidates_of_a_file_are_its_own() -> None:
    btf = read_btf(small())
    assert FileTypes(btf).candidates("task", Kind.STRUCT) == [(btf, 1), (btf, 2)]
    assert FileTypes(btf).candidates("none", Kind.STRUCT) == []


def test_files_that_are_no_btf_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "some"
    path.write_bytes(b"text")
    with pytest.raises(BtfSourceError, match=f"'{path}': btf: 4 bytes are too few"):
        read_btf(path)
    path.write_bytes(elf(small(), name=b".BTX"))
    with pytest.raises(BtfSourceError, match=r"no section \.BTF"):
        read_btf(path)
    with pytest.raises(FileNotFoundError):
        read_btf(tmp_path / "none")


def test_an_elf_file_cut_anywhere_is_refused() -> None:
    """Error xor result, for every length."""
    whole = elf(small())
    for length in range(4, len(whole)):
        try:
            btf_file.parse_btf(whole[:length], "x")
        except BtfSourceError:
            continue
        pytest.fail(f"{length} bytes of {len(whole)} were taken")


def test_a_flipped_bit_raises_nothing_but_a_source_error() -> None:
    whole = elf(small())
    for at in range(64):
        for bit in range(8):
            broken = bytearray(whole)
            broken[at] ^= 1 << bit
            try:
                btf_file.parse_btf(bytes(broken), "x")
            except BtfSourceError:
                continue
