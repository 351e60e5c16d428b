"""A kernel that is too old for an instruction: which, since when, and how to do without."""

import pytest

from skelgen.model.instructions import all_newer
from skelgen.runtime.verifier.facts import Facts
from skelgen.runtime.verifier.log import read_log
from skelgen.runtime.verifier.reasons import reason
from skelgen.runtime.verifier.report import verifier_error
from tests.harness.programs import insn

ADD = insn(0xDB, 1, 2)  # lock *(u64 *)r1 += r2
FETCH_ADD = insn(0xDB, 1, 2, imm=1)
LOAD_ACQUIRE = insn(0xDB, 1, 2, imm=0x100)
MOVE = insn(0xBF, 1, 2)
MOVE_SIGNED = insn(0xBF, 1, 2, off=16)
LOAD_SIGNED = insn(0x91, 1, 2)
JUMP32 = insn(0x16, 1, off=1)
GOTOL = insn(0x06)
MAY_GOTO = insn(0xE5)

CASES = [
    ("BPF_STX uses reserved fields", FETCH_ADD, "5.12", "-mcpu=v2"),
    ("BPF_ATOMIC uses invalid atomic opcode 100", LOAD_ACQUIRE, "6.15", "-mcpu=v3"),
    ("BPF_MOV uses reserved fields", MOVE_SIGNED, "6.6", "-mcpu=v3"),
    ("BPF_LDX uses reserved fields", LOAD_SIGNED, "6.6", "-mcpu=v3"),
    ("unknown insn class 6", JUMP32, "5.1;", "-mcpu=v2"),
    ("unknown opcode 06", GOTOL, "6.6", "-mcpu=v3"),
    ("unknown opcode e5", MAY_GOTO, "6.9", None),
]


def facts_of(message: str, *insns: bytes) -> Facts:
    newer = all_newer(b"".join(insns), "little")
    return Facts(read_log(f"{message}\n"), newer=tuple(newer))


@pytest.mark.parametrize(
    ("message", "newer", "since", "option"), CASES, ids=[case[0] for case in CASES]
)
def test_the_instruction_is_named(
    message: str, newer: bytes, since: str, option: str | None
) -> None:
    facts = facts_of(message, MOVE, ADD, newer, newer)
    why = reason(facts)
    assert why is not None
    assert why.insn == 2
    assert f"came with Linux {since}" in why.text
    assert (option or "") in why.hint
    assert bool(why.hint) is (option is not None)
    error = verifier_error(22, "p", f"{message}\n", facts)
    assert error.insn == 2
    assert "\n  instruction 2\n" in str(error)


def test_a_call_with_more_than_a_helpers_number_is_one_of_a_kernel_function() -> None:
    """As Linux 5.10 says it, at the call; nothing stands in for it."""
    log = "0: (b7) r0 = 0\n1: (85) call pc+4711\nBPF_CALL uses reserved fields\n"
    facts = Facts(read_log(log), newer=all_newer(MOVE_SIGNED, "little"))
    why = reason(facts)
    assert why is not None
    assert why.insn == 1
    assert why.text.startswith("a call of a kernel function (kfunc), which came with")
    assert "Linux 5.13" in why.text
    assert not why.hint


def test_of_several_the_one_that_the_message_means() -> None:
    why = reason(
        facts_of("BPF_STX uses reserved fields", MAY_GOTO, MOVE_SIGNED, FETCH_ADD)
    )
    assert why is not None
    assert why.insn == 2
    assert "__ATOMIC_RELAXED" in why.hint


def test_without_such_an_instruction_the_kernel_knows_better() -> None:
    why = reason(facts_of("BPF_STX uses reserved fields", MOVE, ADD))
    assert why is not None
    assert why.insn is None
    assert why.text == "an instruction that this kernel does not know"
