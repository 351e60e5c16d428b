"""A project as a process: ``skelgen build`` against ``make`` with clang and bpftool."""

import os
import shlex
import sys
import tempfile
from pathlib import Path

from table import command, row, time_pair, title

from skelgen.compiler import clang

SKELETONS = 100
SOURCE = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
int count{number};
SEC("tp/sched/sched_process_exec") int handle(void *ctx) {{ return ++count{number}; }}
char LICENSE[] SEC("license") = "GPL";
"""
ENTRY = """
[[tool.skelgen.skeletons]]
source = "p{number}.bpf.c"
module = "p{number}_skel"
"""
MAKEFILE = """\
all: $(patsubst %.bpf.c,%.skel.h,$(wildcard *.bpf.c))
%.bpf.o: %.bpf.c
\t{compile}
%.skel.h: %.bpf.o
\tbpftool gen skeleton $< > $@
"""


def main() -> None:
    """Print the table; both sides run the same compiler with the same flags."""
    with tempfile.TemporaryDirectory() as folder:
        _project(Path(folder))
        ours = [str(Path(sys.executable).with_name("skelgen")), "build", "--quiet"]
        theirs = ["make", "--silent", f"--jobs={os.cpu_count()}"]
        title(f"Building a project of {SKELETONS} skeletons, whole process")
        everything = time_pair(
            command(*ours, "--force", "--project", folder),
            command(*theirs, "--always-make", "--directory", folder),
            runs=1,
        )
        row("from nothing", everything[0].best, everything[1].best, "s")
        nothing = time_pair(
            command(*ours, "--project", folder),
            command(*theirs, "--directory", folder),
            runs=10,
        )
        row("up to date", nothing[0].median, nothing[1].median, "s", "< 1 s")


def _project(folder: Path) -> None:
    for number in range(SKELETONS):
        text = SOURCE.format(number=number)
        (folder / f"p{number}.bpf.c").write_text(text, "utf-8")
    entries = [ENTRY.format(number=number) for number in range(SKELETONS)]
    (folder / "pyproject.toml").write_text("".join(entries), "utf-8")
    compile_ = clang.command(
        clang.find_compiler(),
        Path("SOURCE"),
        Path("OBJECT"),
        options=clang.CompileOptions(),
        cwd=folder,
    )
    words = shlex.join(compile_).replace("SOURCE", "$<").replace("OBJECT", "$@")
    (folder / "Makefile").write_text(MAKEFILE.format(compile=words), "utf-8")
