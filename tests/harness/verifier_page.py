"""``docs/verifier.md``: rejected programs, and what libbpf and skelgen print of them.

Made on one kernel with one compiler, which the page names; on another the words of
the verifier differ.
"""

import re
import subprocess
from pathlib import Path

import pytest

from skelgen.runtime.errors import BpfError
from tests.harness import rejected, sources

PAGE = sources.ROOT / "docs" / "verifier.md"
ORACLE = sources.ROOT / "tests" / "kernel" / "oracle" / "oracle.c"

EXAMPLES = {
    "map_value_unchecked": "A map value that may be NULL",
    "ringbuf_unchecked": "A ring buffer record that may be NULL",
    "map_value_unbounded": "An index without a bound",
    "global_array_unbounded": "A global array and an index without a bound",
    "map_value_bounds": "Behind the end of a map value",
    "packet_too_short": "Behind the checked part of a packet",
    "scalar_dereference": "A kernel address is no pointer",
    "core_field": "A field that this kernel does not have",
    "kfunc_missing": "A kernel function that this kernel does not have",
    "kfunc_argument": "A pointer that the kernel does not vouch for",
    "context_access": "A member of the context that is not for this type",
    "helper_not_allowed": "A helper that is not for this type",
    "helper_gpl": "A helper for GPL programs",
    "helper_argument": "A number instead of a pointer",
    "helper_size_unbounded": "A size without a bound",
    "reference_unreleased": "A reference that is not released",
    "lock_held": "A lock that is not released",
    "iterator_left": "An iterator that is not destroyed",
    "rodata_written": "A constant that is written",
    "return_value": "A return value out of range",
    "loop_infinite": "A loop without end",
    "stack_combined": "Too much stack",
    "global_function_argument": "The argument of a global function",
    "subprogram": "In a function that is called",
    "inlined": "In a function of a header, inlined",
    "no_line_info": "Without line info",
}

_INTRODUCTION = """\
# What the verifier's errors look like

A program that the kernel's verifier refuses raises `VerifierError` from `load()`. Its
text says where (the line of C, from the object's line info; no source file is read),
which instruction and what the verifier knew of its registers, what the verifier said,
why in one sentence, and what to do. Where nobody knows what is behind a complaint, the
end of the log stands instead; "likely why" stands where the reason is read out of the
kernel's source, and no kernel was seen to give it yet. A helper that is not allowed is
asked about: which types of program may call it here. Where the kernel says nothing at
all, `load()` tries the program in part and says what is accepted.
Since Linux 7.3 the kernel has a diagnosis of its own (class, reason, suggestion), which
stands beside that, and for it where nobody knows.

| attribute | what it is |
|---|---|
| `program` | name of the program |
| `source` | `file`, `line`, `column`, `text` of the line at fault |
| `around` | that line and its neighbours in the same function |
| `function` | the C function: the program, or one that it calls |
| `insn`, `instruction` | index and text of the instruction |
| `registers` | those that matter: `name`, `state` (the verifier's), `meaning` |
| `messages` | what the verifier said at the end |
| `reason`, `hint` | why, and what to do; `None` where nobody knows |
| `diagnosis` | the kernel's own: `category`, `title`, `reason`, `suggestion`, `at` |
| `log` | the whole log |
| `errno` | as of every `OSError` |

A CO-RE relocation without an answer raises `CoreRelocationError` with the
`VerifierError` as its `__cause__`.

Below are programs of `tests/data/rejected`, each with what libbpf and what skelgen
print. This page is written by `tools/gen_verifier_page.py`, and a test compares it.

Made on Linux {kernel} with {compiler} and {libbpf}.
"""


def compiler_version() -> str:
    """Return ``clang 22.1.0`` of the compiler of the fixtures."""
    command = [*sources.compiler().command, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"clang version (\S+)", done.stdout)
    assert found is not None, done.stdout
    return f"clang {found[1]}"


def libbpf_version(oracle: Path) -> str:
    """Return ``libbpf 1.1`` that the oracle is linked with."""
    done = subprocess.run(["ldd", oracle], capture_output=True, text=True, check=True)
    found = re.search(r"libbpf\.so\.\S* => (\S+)", done.stdout)
    assert found is not None, done.stdout
    name = Path(found[1]).resolve().name
    return "libbpf " + ".".join(name.split(".so.")[1].split(".")[:2])


def made_with() -> str:
    """Return the line of the page that says on what it was made."""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("Made on Linux "):
            return line
    return ""


def this(oracle: Path) -> str:
    """Return what that line would be here."""
    return (
        f"Made on Linux {rejected.kernel()} with {compiler_version()} and"
        f" {libbpf_version(oracle)}."
    )


def by_libbpf(oracle: Path, name: str) -> str:
    """Return what libbpf prints when it loads a fixture."""
    source = sources.rejected_sources()[name]
    done = subprocess.run(
        [oracle, "-n", name, sources.compiled(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    lines = [x for x in done.stderr.splitlines() if not x.startswith("oracle: ")]
    path = str(sources.compiled(source))
    return rejected.normalised("\n".join(lines).replace(path, f"{name}.bpf.o"))


def by_skelgen(name: str) -> str:
    """Return what a traceback of skelgen ends with."""
    with rejected.opened(name) as obj, pytest.raises(BpfError) as caught:
        obj.load()
    error = caught.value
    text = rejected.text(error)
    kind = type(error)
    return rejected.normalised(f"{kind.__module__}.{kind.__qualname__}: {text}")


def program(name: str) -> str:
    """Return the C of a fixture, without what all of them have."""
    text = sources.rejected_sources()[name].path.read_text("utf-8")
    lines = [
        line
        for line in text.splitlines()
        if not line.startswith(("// ", "#include <linux/bpf.h>", "#include <bpf/"))
        and (name == "helper_gpl" or "LICENSE[]" not in line)
    ]
    shown = "\n".join(lines).strip() + "\n"
    if name == "inlined":
        header = (rejected.REJECTED / "lookup.h").read_text("utf-8")
        shown = f"/* lookup.h */\n{header}\n/* inlined.bpf.c */\n{shown}"
    return shown


def example(oracle: Path, name: str) -> str:
    """Return the part of the page about one fixture."""
    summary = sources.rejected_sources()[name].summary
    return (
        f"\n## {EXAMPLES[name]}\n\n{summary}\n"
        f"\n```c\n{program(name)}```\n"
        f"\nlibbpf:\n\n```text\n{by_libbpf(oracle, name)}```\n"
        f"\nskelgen:\n\n```text\n{by_skelgen(name)}```\n"
    )


def page(oracle: Path) -> str:
    """Return the whole page."""
    introduction = _INTRODUCTION.format(
        kernel=rejected.kernel(),
        compiler=compiler_version(),
        libbpf=libbpf_version(oracle),
    )
    return introduction + "".join(example(oracle, name) for name in EXAMPLES)


def build_oracle(folder: Path) -> Path:
    """Compile the C program that loads with libbpf."""
    program = folder / "oracle"
    subprocess.run(
        ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, ORACLE, "-lbpf"],
        check=True,
    )
    return program
