"""What a user reads when the verifier rejects a program, word for word.

``tests/data/rejected/expected`` has the texts, of the kernel that ``MADE_ON`` names;
other kernels word their logs otherwise, so there it is the parts that are checked.
``SKELGEN_RENEW=1`` writes the texts anew. Each test leaves its log in its folder, from
where ``tools/verifier_logs.py`` collects them for the tests without a kernel.
"""

import os
from pathlib import Path

import pytest

import skelgen
from skelgen.runtime.errors import BpfError, BpfPermissionError, VerifierError
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.load import program as prog_load
from tests.harness import rejected, sources

KERNEL = rejected.kernel()
RENEW = os.environ.get("SKELGEN_RENEW") == "1"
SLOW = {"loop_too_long"}
"""A million instructions and a log of 98 MB."""
SINCE = {
    **dict.fromkeys(("btf_bounds", "btf_write", "format_variable"), (5, 14)),
    **dict.fromkeys(("struct_negative", "struct_pointer"), (5, 14)),
    "dynptr_left": (5, 19),
    "dynptr_not_made": (5, 19),
    "dynptr_twice": (5, 19),
    "iterator_left": (6, 4),
    "iterator_not_made": (6, 4),
    "iterator_twice": (6, 4),
    "kfunc_argument": (6, 2),
    "kfunc_not_allowed": (6, 2),
    "kfunc_unchecked": (6, 2),
    "kfunc_missing": (6, 2),
    "kptr_stored": (6, 2),
    "preemption_off": (6, 10),
    "rcu_held": (6, 2),
    "unlock_rcu": (6, 2),
}
"""First kernel that has what the program uses."""


SAYS_REGISTERS = kernel_version() >= 5 << 16 | 17 << 8
"""Whether a log of level 1 has the registers that changed (commit 0f55f9ed21f9)."""


def refused(name: str) -> BpfError:
    """Load a fixture and return what it is refused with."""
    with rejected.opened(name) as obj, pytest.raises(BpfError) as caught:
        obj.load()
    return caught.value


@pytest.mark.parametrize("name", [x for x in rejected.names(KERNEL) if x not in SLOW])
def test_the_text_of_each_refusal_is_as_expected(name: str, tmp_path: Path) -> None:
    major, minor = SINCE.get(name, (0, 0))
    if kernel_version() < major << 16 | minor << 8:
        pytest.skip(f"needs Linux {major}.{minor}")
    error = refused(name)
    if isinstance(error, BpfPermissionError) and not isinstance(error, VerifierError):
        pytest.skip(f"this kernel refuses such programs whole: {error}")
    check(name, error, tmp_path)


def check(name: str, error: BpfError, folder: Path) -> None:
    verdict = rejected.verdict(error)
    (folder / f"{name}.log").write_text(rejected.normalised(verdict.log))
    assert verdict.reason, verdict
    assert verdict.messages
    assert "processed" in verdict.log
    shown = str(verdict).splitlines()
    assert len(shown) <= 25 + 8 * (verdict.diagnosis is not None), str(verdict)
    assert ("\nVerification failed: " in verdict.log) == bool(verdict.diagnosis)
    assert max(map(len, shown)) <= 100, str(verdict)
    if KERNEL != rejected.MADE_ON:
        return
    expected = rejected.EXPECTED / f"{name}.txt"
    text = rejected.normalised(rejected.text(error))
    if RENEW:
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text)
    assert text == expected.read_text()


def test_too_many_instructions_leave_a_log_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log outgrows its buffer, and the whole of it is kept."""
    if os.environ.get("SKELGEN_VM") == "1":
        pytest.skip("a million instructions take minutes in software emulation")
    sizes: list[int] = []
    buffer = prog_load.LogBuffer

    def make(size: int) -> prog_load.LogBuffer:
        sizes.append(size)
        return buffer(size)

    monkeypatch.setattr(prog_load, "LogBuffer", make)
    error = refused("loop_too_long")
    verdict = rejected.verdict(error)
    assert verdict.log.startswith(("0: ", "func#0"))
    assert len(verdict.log) > prog_load._FIRST_LOG
    if kernel_version() >= 6 << 16 | 4 << 8:  # the kernel says how much it is
        assert len(sizes) == 2
        assert len(verdict.log.encode()) + 1 == sizes[1]
    check("loop_too_long", error, tmp_path)


def test_statistics_alone_are_not_enough() -> None:
    """Log level 4 says nothing of the reason; the log of level 1 is fetched."""
    with rejected.opened("map_value_unchecked") as obj:
        obj.programs["count"].log_level = 4
        with pytest.raises(VerifierError) as caught:
            obj.load()
    assert "'seen' may be NULL" in str(caught.value)


@pytest.mark.parametrize("level", [1, 2, 6])
def test_any_level_has_the_same_reason(level: int) -> None:
    for name in ("map_value_unchecked", "stack_combined", "reference_unreleased"):
        expected = rejected.verdict(refused(name))
        with rejected.opened(name) as obj:
            for program in obj.programs.values():
                program.log_level = level
            with pytest.raises(VerifierError) as caught:
                obj.load()
        assert caught.value.reason == expected.reason
        assert caught.value.source == expected.source
        if level == 1 or SAYS_REGISTERS:
            assert caught.value.registers == expected.registers


def test_the_attributes_of_an_error_say_where_and_what_and_why() -> None:
    error = refused("subprogram")
    assert isinstance(error, VerifierError)
    assert error.program == "look"
    assert error.function == "size_of"
    assert error.source is not None
    assert error.source[1:] == (16, "return *size + 1;", 9)
    assert error.source.file.endswith("rejected/subprogram.bpf.c")
    assert [line.line for line in error.around] == [12, 14, 16]
    assert error.insn == 13
    assert error.instruction == "r0 = *(u64 *)(r0 +0)"
    assert error.messages == ("R0 invalid mem access 'map_value_or_null'",)
    assert error.hint == "test it first: if (!size) return 0;"
    registers = {register.name: register for register in error.registers}
    assert registers.keys() == ({"R0"} if SAYS_REGISTERS else set())
    if not SAYS_REGISTERS:
        return
    assert registers["R0"].state.startswith("map_value_or_null(")
    assert "map 'sizes'" in registers["R0"].meaning
    assert error.reason is not None
    assert error.reason.endswith("returns NULL when map 'sizes' has no such key")


def test_a_map_that_is_not_made_is_named_as_the_reason() -> None:
    with rejected.opened("map_value_unchecked") as obj:
        obj.maps["packets_seen"].autocreate = False
        with pytest.raises(VerifierError) as caught:
            obj.load()
    assert caught.value.reason == (
        "map 'packets_seen' is used, and was not made: its autocreate is off"
    )


def refusal(name: str) -> BpfError | None:
    """Load a fixture; return what it is refused with."""
    with skelgen.open_object(sources.compiled(sources.find(name))) as obj:
        try:
            obj.load()
        except BpfError as error:
            return error
    return None


def test_a_refusal_without_a_word_is_looked_into() -> None:
    error = refusal("withheld/iter_map_elem")
    if error is None:
        pytest.skip("this kernel takes programs of iter/bpf_map_elem")
    assert isinstance(error, BpfPermissionError)
    notes = "\n".join(error.__notes__)
    assert "a program that does nothing is refused in its place, too" in notes
    assert (
        "on 'bpf_iter_task' one is accepted: this kernel withholds the target" in notes
    )


def test_a_helper_that_this_kernel_withholds_is_named_as_the_reason() -> None:
    error = refusal("withheld/probe_write_user")
    if error is None:
        pytest.skip("this kernel lets programs call bpf_probe_write_user()")
    assert isinstance(error, VerifierError)
    assert error.reason is not None
    assert error.reason.startswith(
        'this kernel does not let programs of SEC("uprobe") call bpf_probe_write_user(),'
        " nor any others: "
    )
    assert (
        error.hint
        == "'skelgen features --helpers kprobe' lists what such programs may call"
    )
