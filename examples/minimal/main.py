"""Load a BPF program that counts system calls of this process, and make some."""

import os
import sys

from minimal_skel import Minimal

from skelgen.runtime import BpfError


def main() -> None:
    """Make five calls and print how many the program in the kernel saw."""
    with Minimal.open() as skel:
        skel.rodata.watched_pid = os.getpid()
        skel.load()
        skel.attach()
        for _ in range(5):
            os.getppid()
        print(f"the kernel saw {skel.bss.calls} calls of getppid()")


if __name__ == "__main__":
    try:
        main()
    except BpfError as error:
        # The notes say what to do: which capability is missing, say.
        sys.exit("\n  ".join((f"minimal: {error}", *getattr(error, "__notes__", ()))))
