"""What is made of the verifier's log."""

import errno
import struct

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.runtime import verifier
from skelgen.runtime.errors import SourceLine, VerifierError
from skelgen.runtime.verifier import Marker

LOG = """\
func#0 @0
0: R1=ctx() R10=fp0
; return value[1]; @ x.bpf.c:20
8: (79) r6 = *(u64 *)(r0 +8)          ; R0=map_value(ks=4,vs=8)
from 3 to 9: R0=0
9: (95) exit
invalid access to map value, value_size=8 off=8 size=8
R0 min value is outside of the allowed memory range
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0
verification time 12 usec

"""


def test_useful_lines() -> None:
    lines = verifier.useful_lines(LOG)
    assert lines[-1] == "R0 min value is outside of the allowed memory range"
    assert lines[0] == "; return value[1]; @ x.bpf.c:20"
    assert verifier.useful_lines("") == []
    assert verifier.useful_lines("processed 0 insns\n") == []


def test_failing_insn() -> None:
    assert verifier.failing_insn(LOG) == 9
    assert verifier.failing_insn("no instruction\n0: R1=ctx()\n") is None


def with_lines() -> tuple[Btf, bytes]:
    builder = BtfBuilder()
    file = builder.add_string("src/x.bpf.c")
    texts = [builder.add_string(text) for text in ("  int x;", "\treturn *x;")]
    info = b"".join(
        struct.pack("=4I", insn, file, text, line << 10 | 7)
        for insn, text, line in ((0, texts[0], 3), (5, texts[1], 4))
    )
    return Btf(builder.bytes()), info


@pytest.mark.parametrize(
    ("insn", "line"),
    [
        (0, SourceLine("src/x.bpf.c", 3, "int x;")),
        (4, SourceLine("src/x.bpf.c", 3, "int x;")),
        (5, SourceLine("src/x.bpf.c", 4, "return *x;")),
        (99, SourceLine("src/x.bpf.c", 4, "return *x;")),
    ],
)
def test_source_line(insn: int, line: SourceLine) -> None:
    btf, info = with_lines()
    assert verifier.source_line(info, btf, insn) == line


def test_no_source_line() -> None:
    btf, info = with_lines()
    assert verifier.source_line(b"", btf, 0) is None
    assert verifier.source_line(info[16:], btf, 2) is None
    broken = struct.pack("=4I", 0, 1 << 20, 0, 0)
    assert verifier.source_line(broken, btf, 0) is None


def marked(
    number: int, *, before: str = "12: (85) call unknown#{}", after: int = 0
) -> str:
    lines = ["0: (b7) r0 = 0", before.format(number), f"invalid func unknown#{number}"]
    lines += ["more"] * after + ["processed 3 insns"]
    return "\n".join(lines) + "\n"


def test_markers() -> None:
    assert verifier.find_marker(marked(195896080)) == Marker(12, 195896080)
    assert verifier.find_marker(marked(2001000003)) == Marker(12, 2001000003)
    assert verifier.find_marker(marked(5, before="something")) == Marker(-1, 5)
    assert verifier.find_marker(marked(195896080, after=9)) is None
    assert verifier.find_marker(LOG) is None
    assert verifier.find_marker("invalid func unknown#7") == Marker(-1, 7)
    assert verifier.find_marker("") is None


def test_what_a_marker_stands_for() -> None:
    assert verifier.is_poison(195896080)
    assert not verifier.is_poison(2001000000)
    assert verifier.missing_map(2001000003) == 3
    assert verifier.missing_map(2002000003) is None
    assert verifier.missing_extern(2002000003) == 3
    assert verifier.missing_extern(195896080) is None


def test_the_error() -> None:
    source = SourceLine("x.bpf.c", 20, "return value[1];")
    error = verifier.verifier_error(errno.EACCES, "read", LOG, source, "for a reason")
    assert isinstance(error, VerifierError)
    assert error.program == "read"
    assert error.log == LOG
    assert error.source is source
    assert error.errno == errno.EACCES
    assert str(error).splitlines()[:4] == [
        "program 'read': refused by the verifier: permission denied (EACCES)",
        "  at x.bpf.c:20: return value[1];",
        "  for a reason",
        "  ; return value[1]; @ x.bpf.c:20",
    ]
    assert str(error).endswith("R0 min value is outside of the allowed memory range")
