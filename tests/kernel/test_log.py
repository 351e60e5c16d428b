"""What ``load()`` and ``attach()`` log: each step with its name and time."""

import logging
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import skelgen
from skelgen import runtime as rt

pytestmark = pytest.mark.any_kernel

STEP = re.compile(r"(?P<what>.+?): (?P<done>.+), (?P<ms>\d+\.\d{3}) ms").fullmatch
TOTAL = re.compile(
    r"object '(?P<name>.+)': (?P<done>.+), (?P<ms>\d+\.\d{3}) ms in all,"
    r" of which (?P<own>\d+\.\d{3}) ms have no line above"
).fullmatch


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that gives the lines since the last time it was called."""
    caplog.set_level(logging.DEBUG, "skelgen")

    def take() -> list[str]:
        found = [r.getMessage() for r in caplog.records if r.name == "skelgen"]
        caplog.clear()
        return [line for line in found if STEP(line) or TOTAL(line)]

    return take


def names(found: list[str]) -> list[str]:
    """Return what the steps are about, in their order."""
    return [match["what"] for line in found if (match := STEP(line))]


def check_sum(found: list[str], seconds: float) -> None:
    """The times of all lines add up to the whole, which is what the call took."""
    total = TOTAL(found[-1])
    assert total is not None
    parts = sum(float(match["ms"]) for line in found if (match := STEP(line)))
    assert parts + float(total["own"]) == pytest.approx(float(total["ms"]), abs=0.05)
    assert float(total["ms"]) <= seconds * 1e3 + 0.001
    assert float(total["ms"]) > seconds * 1e3 / 3  # the rest is logging itself


def test_the_steps_of_load_and_attach_are_logged_with_their_times(
    make_skeleton: Any, lines: Any
) -> None:
    with make_skeleton("bootstrap").Bootstrap.open() as skel:
        assert lines() == []
        start = time.perf_counter()
        skel.load()
        took = time.perf_counter() - start
        found = lines()
        assert [what for what in names(found) if what != "kernel BTF"] == [
            "loader",
            "program 'handle_exec'",  # CO-RE
            "program 'handle_exit'",
            "BTF of object 'bootstrap'",
            *("map 'exec_start'", "map 'rb'", "map '.rodata'", "map '.bss'"),
            "program 'handle_exec'",
            "program 'handle_exit'",
            "data sections",
        ]
        check_sum(found, took)
        text = "\n".join(found)
        assert f"map 'rb': made, fd {skel.maps.rb.fd()}, " in text
        assert re.search(r"program 'handle_exec': \d+ CO-RE relocations, ", text)
        assert f"loaded, fd {skel.progs.handle_exec.fd()}, " in text
        assert found[-1].startswith("object 'bootstrap': loaded, ")

        start = time.perf_counter()
        skel.attach()
        took = time.perf_counter() - start
        found = lines()
        assert names(found) == ["program 'handle_exec'", "program 'handle_exit'"]
        assert found[-1].startswith("object 'bootstrap': attached, 2 links, ")
        check_sum(found, took)
        skel.detach()
        with skel.progs.handle_exec.attach():
            (line,) = lines()
            assert line.startswith("program 'handle_exec': attached, ")


def test_kernel_btf_and_externs_have_a_line(
    make_skeleton: Any, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.kernel import btf as kernel_btf
    from skelgen.runtime.process.once import Once

    again = Once(kernel_btf._read_vmlinux)  # as in a new process
    monkeypatch.setattr(kernel_btf, "_vmlinux", again)
    with make_skeleton("externs_ksyms").ExternsKsyms.open() as skel:
        skel.load(strict=False)
        found = lines()
        assert "kernel BTF" in names(found)
        assert "externs" in names(found)
        assert re.search(r"kernel BTF: index (read|made)", "\n".join(found))
    with make_skeleton("externs_kconfig").ExternsKconfig.open_and_load():
        assert "kernel configuration" in names(lines())


def test_two_steps_and_struct_ops_have_lines_of_their_own(
    make_skeleton: Any, lines: Any
) -> None:
    with make_skeleton("life").Life.open() as skel:
        skel.prepare()
        found = lines()
        assert "struct_ops" in names(found)
        assert found[-1].startswith("object 'life': prepared, ")
        skel.load()
        found = lines()
        assert not any(what.startswith("map '") for what in names(found))
        assert found[-1].startswith("object 'life': loaded, ")
        skel.progs.on_getppid.clone().close()
        assert "cloned program 'on_getppid'" in lines()[-1]
        skel.attach()
        assert "struct_ops 'life'" in names(lines())


def test_what_fails_is_said(make_skeleton: Any, lines: Any) -> None:
    with make_skeleton("prog_rejected").ProgRejected.open() as skel:
        with pytest.raises(rt.VerifierError):
            skel.load()
        found = lines()
        assert any(
            line.startswith("program 'outside': failed with VerifierError, ")
            for line in found
        )
        assert found[-1].startswith(
            "object 'prog_rejected': failed with VerifierError, "
        )


def test_a_process_that_does_not_log_imports_no_logging(
    make_skeleton: Any, tmp_path: Path
) -> None:
    """It imports no logging, and takes no times."""
    source = Path(make_skeleton("life").__file__)
    script = (
        "import sys, importlib.util as u\n"
        "spec = u.spec_from_file_location('life_skel', sys.argv[1])\n"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "from skelgen.runtime import log\n"
        "with module.Life.open() as skel:\n"
        "    skel.load()\n"
        "    skel.attach()\n"
        "    assert log.step('x') is log.step('y', total=True)\n"
        "assert 'logging' not in sys.modules\n"
    )
    root = str(Path(skelgen.__file__).parents[1])
    words = [sys.executable, "-c", script, str(source)]
    subprocess.run(words, check=True, cwd=tmp_path, env={"PYTHONPATH": root})
