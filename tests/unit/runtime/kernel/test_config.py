"""Values of ``__kconfig`` variables."""

import gzip
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skelgen.model.spec import ExternKind, ExternSpec, KconfigType
from skelgen.runtime.errors import ExternError
from skelgen.runtime.kernel import config as kconfig
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel import version as version_module
from skelgen.runtime.object.object import Object
from tests.harness.specs import rich_object


def extern(
    kind: KconfigType,
    size: int,
    *,
    name: str = "CONFIG_X",
    signed: bool = False,
    weak: bool = False,
    offset: int = 0,
) -> ExternSpec:
    return ExternSpec(
        name,
        ExternKind.KCONFIG,
        weak=weak,
        kconfig=kind,
        size=size,
        signed=signed,
        offset=offset,
    )


BOOL = extern(KconfigType.BOOL, 1)
TRISTATE = extern(KconfigType.TRISTATE, 4)
CHAR = extern(KconfigType.CHAR, 1)
STRING = extern(KconfigType.STRING, 6)


def integer(size: int, *, signed: bool = False) -> ExternSpec:
    return extern(KconfigType.INT, size, signed=signed)


def number(value: int, size: int) -> bytes:
    return (value & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder)


@pytest.mark.parametrize(
    ("variable", "value", "data"),
    [
        (BOOL, "y", b"\1"),
        (BOOL, "n", b"\0"),
        (TRISTATE, "n", number(0, 4)),
        (TRISTATE, "y", number(1, 4)),
        (TRISTATE, "m", number(2, 4)),
        (CHAR, "m", b"m"),
        (CHAR, "100", b"d"),
        (STRING, '"abc"', b"abc\0\0\0"),
        (STRING, '""', b"\0" * 6),
        (STRING, '"abcdefg"', b"abcde\0"),
        (integer(4), "250", number(250, 4)),
        (integer(4), "0xff", number(255, 4)),
        (integer(4), "010", number(8, 4)),
        (integer(4), "0", number(0, 4)),
        (integer(1), "255", b"\xff"),
        (integer(1, signed=True), "-128", b"\x80"),
        (integer(2, signed=True), "32767", number(32767, 2)),
        (integer(8), "0xffffffffffffffff", b"\xff" * 8),
        (integer(8), "-1", b"\xff" * 8),
        (integer(8, signed=True), "0xffffffffffffffff", b"\xff" * 8),
    ],
)
def test_values_are_encoded_as_their_variables_want(
    variable: ExternSpec, value: str, data: bytes
) -> None:
    assert kconfig.encode(variable, value) == data


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (BOOL, "m", "has to be a tristate or char"),
        (BOOL, "1", "has to be an integer"),
        (integer(4), "y", "has to be a bool, tristate or char"),
        (STRING, "y", "has to be a bool, tristate or char"),
        (integer(4), '"abc"', "has to be a char array"),
        (STRING, '"abc', "does not end with a quote"),
        (STRING, '"', "does not end with a quote"),
        (STRING, "5", "has to be an integer"),
        (TRISTATE, "5", "has to be an integer"),
        (integer(4), "abc", "is no number"),
        (integer(4), "12x", "is no number"),
        (integer(1), "256", "does not fit into 1 bytes"),
        (integer(1, signed=True), "128", "does not fit into 1 bytes"),
        (integer(4), "-1", "does not fit into 4 bytes"),
        (integer(4), "0x100000000", "does not fit into 4 bytes"),
        (integer(8), "0x10000000000000000", "does not fit into 8 bytes"),
        (CHAR, "256", "does not fit into 1 bytes"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    variable: ExternSpec, value: str, message: str
) -> None:
    with pytest.raises(ExternError, match=message) as caught:
        kconfig.encode(variable, value)
    assert caught.value.extern == "CONFIG_X"
    assert str(caught.value).startswith("extern 'CONFIG_X': the kernel's value is ")


# -- where values come from ------------------------------------------------------


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Return the files that the system has in place of its own."""
    files: dict[str, bytes] = {}

    def opened(path: str, mode: str = "r", **_: object) -> object:
        import io

        if path not in files:
            raise FileNotFoundError(2, "no such file", path)
        data = files[path]
        return io.BytesIO(data) if "b" in mode else io.StringIO(data.decode())

    uname = SimpleNamespace(release="6.1.2-x", version="#1 SMP", machine="x86_64")
    for module in (kconfig, version_module):
        monkeypatch.setattr(module, "open", opened, raising=False)
    monkeypatch.setattr(os, "uname", lambda: uname)
    return files


CONFIG = b"#\n# Linux\n#\nCONFIG_A=y\nCONFIG_AB=7\n# CONFIG_C is not set\nCONFIG_A=n\n"


def fill(*externs: ExternSpec, text: str | None = None) -> bytes:
    return bytes(kconfig.fill(externs, text, bytes(16)))


def named(name: str, offset: int = 0, *, weak: bool = False) -> ExternSpec:
    kind = KconfigType.BOOL if name.endswith("A") else KconfigType.INT
    size = 1 if kind is KconfigType.BOOL else 4
    return extern(kind, size, name=name, offset=offset, weak=weak)


@pytest.mark.parametrize("path", ["/boot/config-6.1.2-x", "/proc/config.gz"])
def test_the_systems_configuration_is_read(system: dict[str, bytes], path: str) -> None:
    system[path] = gzip.compress(CONFIG) if path.endswith(".gz") else CONFIG
    data = fill(named("CONFIG_A", 3), named("CONFIG_AB", 8))
    assert data == b"\0\0\0\1" + bytes(4) + number(7, 4) + bytes(4)


def test_the_users_text_goes_first(system: dict[str, bytes]) -> None:
    system["/proc/config.gz"] = CONFIG
    text = "# mine\nCONFIG_AB=9\n\n  CONFIG_AB=10\n"
    data = fill(named("CONFIG_A"), named("CONFIG_AB", 4), text=text)
    assert data[:8] == b"\1\0\0\0" + number(9, 4)


def test_the_system_is_not_asked_for_nothing(system: dict[str, bytes]) -> None:
    assert fill(named("CONFIG_AB"), text="CONFIG_AB=1")[:4] == number(1, 4)
    assert not system


@pytest.mark.parametrize(
    "line",
    [
        "CONFIG_A y",
        "CONFIG_A=",
        "CONFIG_A",
        "CONFG_A=y",
        "CONFIG_A = y",
        "config_a=y",
        "CONFIG_A-B=y",
        "=y",
        "nonsense",
        "; CONFIG_A=y",
        "HZ=100",
        "CONFIG_A\x1b[31m",
    ],
)
def test_a_line_that_is_no_assignment_is_refused(line: str) -> None:
    text = f"# mine\n\n{line}\n"
    for call in (
        lambda: fill(named("CONFIG_A"), text=text),
        lambda: kconfig.check(text, [named("CONFIG_A")]),
    ):
        with pytest.raises(ExternError) as caught:
            call()
        assert str(caught.value) == (
            f"kconfig: line 3, {line!r}, is no assignment CONFIG_NAME=VALUE"
            " (without spaces around =), and no comment (# ...)"
        )


def test_what_the_loader_makes_up_cannot_be_given() -> None:
    text = "LINUX_KERNEL_VERSION=5"
    with pytest.raises(
        ExternError, match="load\\(\\) works out 'LINUX_KERNEL_VERSION'"
    ):
        kconfig.check(text, [extern(KconfigType.INT, 4, name="LINUX_KERNEL_VERSION")])


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^kconfig: a str, not bytes$"):
        kconfig.check(b"CONFIG_A=y", [])  # type: ignore[arg-type]


def test_a_name_that_the_object_does_not_have_is_refused_or_warned_of() -> None:
    externs = [named("CONFIG_NR_CPUS"), named("CONFIG_HZ")]
    kconfig.check("CONFIG_HZ=100\n CONFIG_NR_CPUS=5", externs)
    with pytest.raises(ExternError) as caught:
        kconfig.check("CONFIG_NRCPUS=100", externs)
    assert str(caught.value) == (
        "kconfig: the object has no variable 'CONFIG_NRCPUS'; did you mean"
        " 'CONFIG_NR_CPUS'?"
    )
    assert caught.value.extern == "CONFIG_NRCPUS"
    with pytest.warns(RuntimeWarning, match="no variable 'CONFIG_PREEMPTION', and the"):
        kconfig.check("CONFIG_PREEMPTION=y", externs)
    with pytest.warns(RuntimeWarning, match="no variable 'CONFIG_HZ', and the line"):
        kconfig.check("CONFIG_HZ=100", [])
    # one like it is given, too
    with pytest.warns(RuntimeWarning, match="no variable 'CONFIG_HZ_100'"):
        kconfig.check("CONFIG_HZ=100\nCONFIG_HZ_100=y", externs)


@pytest.mark.parametrize(
    "mark",
    ["# CONFIG_B is not set\n", "# Automatically generated file; DO NOT EDIT.\n"],
)
def test_names_in_a_whole_kernels_configuration_are_not_checked(mark: str) -> None:
    kconfig.check(f"{mark}CONFIG_NRCPUS=y\nCONFIG_D=m\n", [named("CONFIG_NR_CPUS")])


def test_it_is_checked_when_the_object_is_opened() -> None:
    with pytest.raises(ExternError, match="line 1, 'CONFG_X=1', is no assignment"):
        Object(rich_object(), kconfig="CONFG_X=1")
    with pytest.raises(ExternError, match="did you mean 'CONFIG_X'"):
        Object(rich_object(), kconfig="CONFIG_Y=1")


def test_what_is_not_configured_is_an_error_unless_weak(
    system: dict[str, bytes],
) -> None:
    system["/proc/config.gz"] = CONFIG
    assert fill(named("CONFIG_C", weak=True)) == bytes(16)
    with pytest.raises(ExternError) as caught:
        fill(named("CONFIG_C"))
    assert str(caught.value) == (
        "extern 'CONFIG_C': not set in /proc/config.gz; give it with"
        " open(kconfig='CONFIG_C=...') or declare it __weak"
    )


def test_without_a_configuration_the_error_names_the_places(
    system: dict[str, bytes],
) -> None:
    assert not system
    assert fill(named("CONFIG_C", weak=True)) == bytes(16)
    with pytest.raises(ExternError, match=r"'/boot/config-6.1.2-x' and '/proc/config"):
        fill(named("CONFIG_C"))


# -- what the loader makes up ------------------------------------------------------


def virtual(name: str, *, weak: bool = False) -> bytes:
    return fill(extern(KconfigType.INT, 4, name=name, weak=weak))[:4]


@pytest.mark.parametrize(
    ("files", "version", "release", "code"),
    [
        ({}, "#1 SMP", "6.18.44-fc", 0x06122C),
        ({}, "#1 SMP", "6.18", 0x061200),
        ({}, "#1 SMP", "6.18-rc3", 0x061200),
        ({}, "#1 SMP", "4.19.300", 0x0413FF),
        ({}, "#1 SMP Debian 4.19.260-1 (2022)", "4.19.0-22-amd64", 0x0413FF),
        ({}, "#1 SMP Debian 5.10.70-1", "5.10.0-9", 0x050A46),
        (
            {"/proc/version_signature": b"Ubuntu 5.4.0-12.15-generic 5.4.8\n"},
            "#1",
            "5.4.0-12",
            0x050408,
        ),
    ],
)
def test_the_kernel_version_is_worked_out_for_distributions_too(
    system: dict[str, bytes],
    files: dict[str, bytes],
    version: str,
    release: str,
    code: int,
) -> None:
    system.update(files)
    uname: Any = os.uname()
    uname.version, uname.release = version, release
    assert version_module.kernel_version() == code
    assert virtual("LINUX_KERNEL_VERSION") == number(code, 4)


def test_a_version_that_cannot_be_told_is_an_error(system: dict[str, bytes]) -> None:
    del system
    uname: Any = os.uname()
    uname.release = "next"
    with pytest.raises(ExternError, match="cannot tell from 'next'"):
        virtual("LINUX_KERNEL_VERSION")


def test_features_are_1_where_the_kernel_surely_has_them() -> None:
    features.BPF_COOKIE.assume(True)
    features.SYSCALL_WRAPPER.assume(None)
    try:
        assert virtual("LINUX_HAS_BPF_COOKIE") == number(1, 4)
        assert virtual("LINUX_HAS_SYSCALL_WRAPPER") == number(0, 4)
    finally:
        features.BPF_COOKIE.forget()
        features.SYSCALL_WRAPPER.forget()


def test_names_that_nobody_knows_are_refused_but_weak_ones_of_linux() -> None:
    assert virtual("LINUX_SOMETHING", weak=True) == bytes(4)
    with pytest.raises(ExternError, match="'LINUX_SOMETHING': no such variable"):
        virtual("LINUX_SOMETHING")
    with pytest.raises(ExternError, match="'OTHER': no such variable"):
        virtual("OTHER", weak=True)


def test_the_configuration_of_this_system_can_be_read() -> None:
    """Whatever this machine has, it can be read."""
    config, source = kconfig._system_config()
    assert config == b"" or Path(source).exists()
