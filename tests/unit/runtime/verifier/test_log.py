"""What is read out of the verifier's log, of any kernel and in any state."""

import struct
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.runtime.errors import Diagnosis, SourceLine
from skelgen.runtime.verifier import registers
from skelgen.runtime.verifier.facts import Facts, Names
from skelgen.runtime.verifier.lines import Lines
from skelgen.runtime.verifier.log import Step, read_log
from skelgen.runtime.verifier.report import useful_lines, verifier_error
from tests.harness import rejected

LOG = """\
func#0 @0
0: R1=ctx() R10=fp0
; return value[1]; @ x.bpf.c:20
8: (79) r6 = *(u64 *)(r0 +8)          ; R0=map_value(ks=4,vs=8) R6_w=scalar()
from 3 to 9: R0=0 R6=scalar(umax=4,var_off=(0x0; 0x7)) R10=fp0 fp-8=mmmm????
9: (95) exit
invalid access to map value, value_size=8 off=8 size=8
R0 min value is outside of the allowed memory range
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0
verification time 12 usec

"""
LOGS = sorted(rejected.LOGS.glob("*/*.log"))


def test_steps_registers_and_messages_are_read() -> None:
    log = read_log(LOG)
    assert log.steps == (
        Step(8, "r6 = *(u64 *)(r0 +8)", "R0=map_value(ks=4,vs=8) R6_w=scalar()"),
        Step(9, "exit", ""),
    )
    assert log.before == {
        "R0": "0",
        "R6": "scalar(umax=4,var_off=(0x0; 0x7))",
        "R10": "fp0",
        "fp-8": "mmmm????",
    }
    assert log.messages == (
        "invalid access to map value, value_size=8 off=8 size=8",
        "R0 min value is outside of the allowed memory range",
    )
    assert log.diagnosis is None


@pytest.mark.parametrize("text", ["", "\n\n", "processed 0 insns\n", "func#0 @0\n"])
def test_a_log_that_says_nothing_is_empty(text: str) -> None:
    assert read_log(text) == ((), {}, (), None)


def test_a_state_behind_a_jump_that_is_taken_is_read() -> None:
    log = read_log("10: (15) if r0 == 0x1 goto pc+3 14: R0=1 refs=2\n14: (95) exit\n")
    assert log.steps[0] == Step(10, "if r0 == 0x1 goto pc+3", "R0=1 refs=2")
    assert log.before == {"R0": "1"}


def test_a_kernel_that_does_not_show_what_changed_leaves_it_unknown() -> None:
    """Before Linux 5.17 nothing is known of a register once it is written."""
    log = read_log(
        "0: R1=ctx(id=0,off=0,imm=0) R10=fp0\n"
        "0: (bf) r6 = r1\n"
        "1: (85) call bpf_get_prandom_u32#7\n"
        "2: (79) r0 = *(u64 *)(r6 +0)\n"
    )
    assert log.before == {"R10": "fp0"}


def test_a_test_for_null_of_one_copy_changes_the_other() -> None:
    """The log shows the register of the jump alone; the copy changed with it."""
    log = read_log(
        "4: (85) call bpf_map_lookup_elem#1 ; R0=map_value_or_null(id=3,ks=4,vs=8)\n"
        "5: (bf) r6 = r0 ; R0=map_value_or_null(id=3,ks=4,vs=8)"
        " R6=map_value_or_null(id=3,ks=4,vs=8)\n"
        "6: (15) if r6 == 0x0 goto pc+7 ; R6=map_value(ks=4,vs=8)\n"
        "7: (79) r1 = *(u64 *)(r6 +8)\n"
    )
    assert log.before == {"R6": "map_value(ks=4,vs=8)"}


def test_a_comparison_with_the_end_of_the_packet_reaches_every_copy() -> None:
    log = read_log(
        "2: (61) r1 = *(u32 *)(r1 +0) ; R1=pkt(r=0)\n"
        "3: (bf) r3 = r1 ; R1=pkt(r=0) R3=pkt(r=0)\n"
        "4: (07) r3 += 14 ; R3=pkt(off=14,r=0)\n"
        "5: (2d) if r3 > r2 goto pc+4 ; R2=pkt_end() R3=pkt(off=14,r=14)\n"
        "6: (71) r1 = *(u8 *)(r1 +23)\n"
    )
    assert log.before["R1"] == "pkt(r=14)"


def test_registers_are_those_of_the_frame_at_hand() -> None:
    log = read_log(
        "1: (85) call pc+5\ncaller:\n R6=1 R10=fp0\ncallee:\n"
        " frame1: R1=scalar() R10=fp0\n7: frame1: R1=scalar() R10=fp0\n"
        "7: (b7) r0 = 1 ; frame1: R0=1\n8: (95) exit\nreturning from callee:\n"
        " frame1: R0=1 R1=scalar() R10=fp0\nto caller at 2:\n R0=1 R6=1 R10=fp0\n"
        "2: (0f) r0 += r6\nR0 is wrong\n"
    )
    assert log.before == {"R0": "1", "R6": "1", "R10": "fp0"}


# In the form of Linux 7.3; the words of the diagnosis are our own.
DIAGNOSED = LOG.replace(
    "processed 9",
    textwrap.dedent("""\

    Verification failed: Memory Safety: Something new

    Reason:
      The access reaches beyond the value of the map, in a way that nobody has
      seen before.

    At:
      read @ x.bpf.c:20:9
      Source context:
      >>> 20 |         return value[1];
             |         ^-- error: bytes 8 to 15 of 8
      Instruction context:
           8 | (79) r0 = *(u64 *)(r0 +8)
      >>>  9 | (95) exit

    Causal path:
      no retained diagnostic events on this path

    Suggestion:
      Stay within it.

    processed 9"""),
)


def test_the_diagnosis_of_linux_7_3_is_read() -> None:
    log = read_log(DIAGNOSED)
    assert log[:3] == read_log(LOG)[:3]
    assert log.diagnosis == Diagnosis(
        "Memory Safety",
        "Something new",
        "The access reaches beyond the value of the map, in a way that nobody has seen"
        " before.",
        "Stay within it.",
        "read @ x.bpf.c:20:9",
        9,
    )


def test_a_diagnosis_stands_beside_a_known_complaint() -> None:
    error = verifier_error(13, "read", DIAGNOSED, Facts(read_log(DIAGNOSED)))
    assert error.reason is not None
    assert error.reason.startswith("8 bytes at offset 8 of ")
    assert error.diagnosis == read_log(DIAGNOSED).diagnosis
    lines = str(error).splitlines()
    place = lines.index("  the kernel: Memory Safety: Something new")
    assert lines[place + 1].startswith("      The access reaches beyond the value")
    assert lines[place + 2] == "      suggestion: Stay within it."
    assert lines[place + 3].startswith("  why: 8 bytes at offset 8 of ")


def test_a_diagnosis_of_something_new_is_the_reason() -> None:
    text = DIAGNOSED.replace("invalid access to", "strange access to").replace(
        "R0 min value is outside", "R0 is beside"
    )
    error = verifier_error(13, "read", text, Facts(read_log(text)))
    assert error.reason == (
        "The access reaches beyond the value of the map, in a way that nobody has seen"
        " before."
    )
    assert error.hint == "Stay within it."
    assert "why: " not in str(error)
    assert str(error).endswith("suggestion: Stay within it.")
    cut = text[: text.index("Suggestion")]
    error = verifier_error(13, "read", cut, Facts(read_log(cut)))
    assert error.reason is not None
    assert error.hint is None


def test_useful_lines_end_with_the_complaint() -> None:
    lines = useful_lines(LOG)
    assert lines[-1] == "R0 min value is outside of the allowed memory range"
    assert useful_lines("") == ()
    assert useful_lines("processed 0 insns\n") == ()


# -- words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("ctx()", "the context (struct xdp_md)"),
        ("ctx(id=0,off=0,imm=0)", "the context (struct xdp_md)"),
        ("fp0", "the frame pointer"),
        ("fp-16", "an address on the stack, fp-16"),
        (
            "fp(off=-16,smin=smin32=0,smax=umax=31,var_off=(0x0; 0x1f))",
            "an address on the stack, fp-16, plus a number from 0 to 31",
        ),
        ("5", "the number 5"),
        ("P0", "the number 0"),
        ("inv5", "the number 5"),
        ("invP0", "the number 0"),
        ("-22", "the number -22"),
        ("0xffffffff", "the number 0xffffffff"),
        ("scalar()", "any number"),
        ("inv(id=0)", "any number"),
        ("Pscalar(id=1)", "any number"),
        ("scalar(umax=255,var_off=(0x0; 0xff))", "a number from 0 to 255"),
        ("inv(id=0,umax_value=255,var_off=(0x0; 0xff))", "a number from 0 to 255"),
        ("scalar(smin=umin=4,smax=umax=9)", "a number from 4 to 9"),
        (
            "scalar(smin=0xffffffff80000000,smax=255)",
            "a number from -0x80000000 to 255",
        ),
        ("scalar(smin=0,smax=umax=0xffffffff)", "any 32-bit number"),
        ("scalar(umin=9)", "a number from 9 up"),
        ("scalar(smax=9)", "a number up to 9"),
        ("scalar(smin=-1,smax=-1)", "the number -1"),
        ("map_ptr(map=totals,ks=4,vs=8)", "the map 'totals'"),
        ("map_ptr(id=0,off=0,ks=4,vs=8,imm=0)", "a map"),
        (
            "map_value(map=totals,ks=4,vs=8,imm=4)",
            "a pointer to a value of map 'totals' (8 bytes) at offset 4",
        ),
        (
            "map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0)",
            "NULL, or a pointer to a value of a map (8 bytes)",
        ),
        (
            "map_value(ks=4,vs=8,umax_value=64,var_off=(0x0; 0x7f))",
            "a pointer to a value of a map (8 bytes), plus a number from 0 to 64",
        ),
        (
            "pkt(id=0,off=14,r=34,imm=0)",
            (
                "a pointer into the packet at offset 14; 34 bytes of it are known to be"
                " there"
            ),
        ),
        ("pkt_end(id=0,off=0,imm=0)", "the end of the packet"),
        (
            "trusted_ptr_task_struct(off=8)",
            "a pointer to struct task_struct (trusted) at offset 8",
        ),
        ("rcu_ptr_or_null_cgroup(id=2)", "NULL, or a pointer to struct cgroup (rcu)"),
        ("ptr_or_null_task_struct(id=2)", "NULL, or a pointer to struct task_struct"),
        ("ptr_", "a pointer to a kernel struct"),
        ("mem_or_null(id=1,sz=8)", "NULL, or a pointer to memory (8 bytes)"),
        (
            "ringbuf_mem(ref_obj_id=2,sz=24)",
            "a pointer to a ring buffer record (24 bytes)",
        ),
        ("sock_or_null(id=2)", "NULL, or a pointer to a socket (struct bpf_sock)"),
        ("something_new(x=1)", "something_new(x=1)"),
        ("broken(", "broken("),
        ("", ""),
    ],
)
def test_a_state_is_told_in_words(state: str, words: str) -> None:
    assert registers.describe(state, "xdp_md", str) == words


@given(st.text("RfpPincalmtvue_kdrx0123456789=,()-; ", max_size=80))
def test_any_state_has_words(state: str) -> None:
    assert isinstance(registers.describe(state, "", str), str)


# -- lines ---------------------------------------------------------------------------


def with_lines() -> tuple[Btf, bytes, bytes]:
    b = BtfBuilder()
    int_id = b.add_int("int", 4, signed=True)
    proto = b.add_func_proto(int_id, [("first", int_id), ("", int_id)])
    functions = [b.add_func(name, proto) for name in ("main", "inner")]
    here, header = b.add_string("src/x.bpf.c"), b.add_string("x.h")
    records = [
        (0, here, "int main(int first)", 3, 0),
        (1, here, "\tint x = first;", 5, 6),
        (2, 0, "", 0, 0),  # the compiler's own
        (3, header, "\t\treturn *p;", 40, 10),
        (4, here, "\tif (x)", 6, 6),
        (5, here, "\t\treturn 1;", 7, 3),
        (6, here, "\tint x = first;", 5, 6),
        (7, here, "}", 60, 1),
        (8, here, "int inner(int x)", 1, 0),
    ]
    line_info = b"".join(
        struct.pack("=4I", insn, file, b.add_string(text), line << 10 | column)
        for insn, file, text, line, column in records
    )
    func_info = struct.pack("=4I", 0, functions[0], 8, functions[1])
    return Btf(b.bytes()), line_info, func_info


def test_an_instruction_is_found_in_its_line_of_source() -> None:
    lines = Lines(*with_lines())
    assert lines.at(1) == SourceLine("src/x.bpf.c", 5, "int x = first;", 6)
    assert lines.at(2) == lines.at(1)
    assert lines.at(3) == SourceLine("x.h", 40, "return *p;", 10)
    assert lines.at(99) == SourceLine("src/x.bpf.c", 1, "int inner(int x)", 0)
    assert lines.at(-1) is None


def test_lines_around_are_of_the_same_function_and_file() -> None:
    lines = Lines(*with_lines())
    assert [(x.line, x.text) for x in lines.around(4)] == [
        (3, "int main(int first)"),
        (5, "    int x = first;"),
        (6, "    if (x)"),
        (7, "        return 1;"),
    ]
    assert [x.line for x in lines.around(7)] == [60]
    assert [(x.file, x.text) for x in lines.around(3)] == [("x.h", "return *p;")]
    assert [x.line for x in lines.around(8)] == [1]
    assert lines.around(-1) == ()


def test_functions_and_parameters_are_found_by_instruction() -> None:
    lines = Lines(*with_lines())
    assert [lines.function(insn) for insn in (0, 7, 8, 100, -1)] == [
        "main",
        "main",
        "inner",
        "inner",
        None,
    ]
    assert lines.functions() == [(0, "main"), (8, "inner")]
    assert lines.parameter(2, 1) == "first"
    assert lines.parameter(2, 2) is None
    assert lines.parameter(2, 3) is None
    assert lines.parameter(-1, 1) is None


def test_broken_records_raise_nothing() -> None:
    btf, line_info, func_info = with_lines()
    assert Lines(btf).at(0) is None
    assert Lines(btf).around(0) == ()
    assert Lines(btf).function(0) is None
    assert Lines(btf, line_info[:20]).at(5) is not None
    far = struct.pack("=4I", 0, 1 << 20, 0, 1 << 10)
    assert Lines(btf, far, func_info).at(0) is None
    assert Lines(btf, far, func_info).around(0) == ()
    wrong = struct.pack("=2I", 0, 1 << 20)
    assert Lines(btf, line_info, wrong).function(0) is None
    assert Lines(btf, line_info, wrong).parameter(0, 1) is None
    no_function = struct.pack("=2I", 0, 1)
    assert Lines(btf, line_info, no_function).function(0) is None


# -- anything ------------------------------------------------------------------------

assert LOGS, "no recorded logs"


def explained(text: str) -> str:
    """Return the text of an error, which there is for any log."""
    btf, line_info, func_info = with_lines()
    names = Names({0: "totals"}, {1: "limit"}, ("totals", ".rodata"), ("bpf_x",))
    facts = Facts(read_log(text), lines=Lines(btf, line_info, func_info), names=names)
    error = verifier_error(22, "main", text, facts)
    assert error.log == text
    shown = str(error)
    assert shown.startswith("program 'main': refused by the verifier: ")
    assert len(shown.splitlines()) <= 40
    return shown


@given(st.sampled_from(LOGS), st.integers(0, 20_000), st.integers(0, 20_000))
def test_a_log_cut_at_either_end_gives_a_short_text(path, start: int, end: int) -> None:
    text = path.read_text()
    explained(text[start % (len(text) + 1) :])
    explained(text[: end % (len(text) + 1)])


@given(st.sampled_from(LOGS), st.randoms(use_true_random=False))
def test_a_log_with_lines_lost_doubled_and_mixed_gives_a_short_text(
    path, random
) -> None:
    lines = path.read_text().splitlines(keepends=True)
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(lines))
        what = random.randrange(4)
        if what == 0 and len(lines) > 1:
            del lines[place]
        elif what == 1:
            lines.insert(place, lines[random.randrange(len(lines))])
        elif what == 2:
            cut = random.randrange(len(lines[place]) + 1)
            lines[place] = lines[place][:cut]
        else:
            at = random.randrange(len(lines[place]) + 1)
            odd = random.choice("0123456789RPfp()=,#'\"\0\r\n{}%é-")
            lines[place] = lines[place][:at] + odd + lines[place][at:]
    explained("".join(lines))


@given(st.text(max_size=300))
def test_any_text_gives_a_short_text(text: str) -> None:
    explained(text)


def test_a_log_without_end_gives_a_short_text() -> None:
    """A million lines, and one that is all of it."""
    explained(LOG + "9: (95) exit\n" * 1_000_000)
    explained("R1=scalar(" * 200_000)
    explained("(" * 1_000_000)


def test_it_is_not_imported_before_a_load_has_failed() -> None:
    code = (
        "import sys\n"
        "import skelgen.runtime.load.pipeline, skelgen.runtime.load.programs\n"
        "import skelgen.runtime.object.object, skelgen.runtime.skeleton\n"
        "late = [x for x in sys.modules if 'runtime.verifier' in x or 'explain' in x]\n"
        "assert not late, late\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
