"""Schedule all tasks of this machine with a scheduler of our own, for ten seconds.

Or as many as the argument says.
"""

import sys
import time

from sched_weighted_skel import SchedWeighted

from skelgen.runtime import BpfError


def main() -> None:
    """Register it, print what it counts each second, and hand back."""
    seconds = int(sys.argv[1]) if sys.argv[1:] else 10
    with SchedWeighted.open() as skel:
        skel.load()
        skel.attach()
        counts = skel.bss
        print(f"{'SECOND':>6} {'AT ONCE':>10} {'QUEUED':>10}")
        for second in range(1, seconds + 1):
            time.sleep(1)
            if counts.exit_kind:
                break  # a task waited too long, or somebody pressed SysRq-S
            print(f"{second:6} {counts.at_once:10} {counts.queued:10}", flush=True)
        skel.detach()
        print(
            f"the kernel schedules again: {counts.exit_reason.rstrip(bytes(1)).decode()}"
        )


if __name__ == "__main__":
    try:
        main()
    except BpfError as error:
        # The notes say what to do: which capability is missing, say.
        sys.exit(
            "\n  ".join((f"sched_weighted: {error}", *getattr(error, "__notes__", ())))
        )
