"""Print every program that starts and every process that ends, until Ctrl-C.

Usage: ``python main.py [MIN_DURATION_MS]``; with a duration, only processes that
ran at least that long are printed, when they end.
"""

import sys

from bootstrap_skel import Bootstrap, Event, EventKind

from skelgen.runtime import BpfError

HEADER = f"{'EVENT':5} {'COMM':16} {'PID':>7} {'PPID':>7}  OUTCOME"


def describe(event: Event) -> str:
    """Return an event as one line under ``HEADER``."""
    comm = event.comm.decode(errors="replace")
    if event.kind == EventKind.EVENT_EXEC:
        return f"{'exec':5} {comm:16} {event.pid:7} {event.ppid:7}"
    outcome = f"exit code {event.exit_code}"
    if event.signal:
        outcome = f"killed by signal {event.signal}"
    if event.duration_ns:
        outcome += f" after {event.duration_ns / 1e6:.1f} ms"
    return f"{'exit':5} {comm:16} {event.pid:7} {event.ppid:7}  {outcome}"


def main(min_duration_ms: int) -> None:
    """Trace until interrupted."""
    with Bootstrap.open() as skel:
        skel.rodata.min_duration_ns = min_duration_ms * 1_000_000
        skel.load()
        skel.attach()
        print(HEADER)
        while True:
            for event in skel.maps.rb.poll(timeout=1.0):
                print(describe(event), flush=True)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    except KeyboardInterrupt:
        pass
    except BpfError as error:
        # The notes say what to do: which capability is missing, say.
        sys.exit("\n  ".join((f"bootstrap: {error}", *getattr(error, "__notes__", ()))))
