"""Keep the verifier's logs that a run of ``tests/kernel/test_verifier.py`` left.

Usage: python tools/verifier_logs.py KERNEL BASETEMP

KERNEL is e.g. ``6.12``, BASETEMP what pytest was given with ``--basetemp``; of a run in
a virtual machine it is ``.cache/kernels/out-6.12/tmp``. They go to
``tests/data/rejected/logs``, where the tests without a kernel read them.
"""

import shutil
import sys
from pathlib import Path

LOGS = Path(__file__).resolve().parents[1] / "tests/data/rejected/logs"


def main() -> None:
    """Copy the logs of one kernel over those that are there."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    kernel, base = sys.argv[1], Path(sys.argv[2])
    target = LOGS / kernel
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    found = sorted(
        path for path in base.glob("*/*.log") if not path.parent.is_symlink()
    )
    for path in found:
        shutil.copy(path, target / path.name)
    print(f"{len(found)} logs in {target}")


if __name__ == "__main__":
    main()
