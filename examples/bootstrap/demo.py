"""What ``make demo`` runs: trace processes that this program starts itself.

Prints every event of theirs, checks each against what was started, and ends with
status 0 when all are right.
"""

import os
import subprocess
import sys
import time

from bootstrap_skel import Bootstrap, Event, EventKind
from main import HEADER, describe

from skelgen.runtime import BpfError

# Command, the name the kernel gives it, the code it exits with, the signal it dies of.
COMMANDS = [
    (["true"], "true", 0, 0),
    (["false"], "false", 1, 0),
    (["sh", "-c", "kill -KILL $$"], "sh", 0, 9),
    (["sleep", "0.05"], "sleep", 0, 0),
    *((["sh", "-c", f"exit {code}"], "sh", code, 0) for code in range(2, 14)),
]
PATIENCE_SECONDS = 10.0

Facts = tuple[int, int, int, str, int, int]


def start() -> list[Facts]:
    """Run every command, and return the facts that its two events have to say."""
    facts: list[Facts] = []
    parent = os.getpid()
    for command, comm, code, signal in COMMANDS:
        process = subprocess.Popen(command)
        process.wait()
        facts.append((EventKind.EVENT_EXEC, process.pid, parent, comm, 0, 0))
        facts.append((EventKind.EVENT_EXIT, process.pid, parent, comm, code, signal))
    return facts


def facts_of(event: Event) -> Facts:
    """Return the facts that an event says."""
    comm = event.comm.decode(errors="replace")
    return event.kind, event.pid, event.ppid, comm, event.exit_code, event.signal


def main() -> int:
    """Trace, print, check; return the exit status."""
    with Bootstrap.open_and_load() as skel:
        skel.attach()
        expected = start()
        pids = {pid for _, pid, *_ in expected}
        seen: list[Facts] = []
        print(HEADER)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(seen) < len(expected) and time.monotonic() < deadline:
            for event in skel.maps.rb.poll(timeout=0.5):
                if event.pid in pids:
                    print(describe(event))
                    seen.append(facts_of(event))
        lost = skel.bss.lost
    if seen != expected:
        wrong = sorted(set(expected) ^ set(seen))
        print(f"demo: {len(wrong)} facts differ, {lost} events lost: {wrong}")
        return 1
    print(
        f"demo: {len(seen)} events of {len(pids)} processes, each with the right pid, "
        "parent, name and exit code"
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BpfError as error:
        notes = getattr(error, "__notes__", ())
        sys.exit("\n  ".join((f"demo: {error}", *notes, "sudo make demo")))
