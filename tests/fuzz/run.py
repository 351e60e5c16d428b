"""Generate modules from mutated objects: a module as expected, or one error.

Usage: ``python -m tests.fuzz.run [OBJECTS [FIRST_SEED]]``, 20,000 from seed 0 by
default (``make fuzz``). Each object has 5 s of processor and 500 MB. Prints the seeds that failed
and returns a failure if there are any; ``python -m tests.fuzz.run 1 SEED`` repeats one.
"""

import collections
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import skelgen
from skelgen.errors import SkelgenError
from tests.fuzz import inspect_module
from tests.fuzz.mutate import mutate
from tests.harness import sources

SECONDS = 5
"""Of CPU time, so that what else the machine does is not counted."""
MEGABYTES = 500
_BATCH = 100


class Result(NamedTuple):
    """What became of one object."""

    seed: int
    verdict: str
    """``module``, the name of a SkelgenError, or a sentence about what is wrong."""
    seconds: float
    """Of processor, so that a busy machine does not matter."""

    @property
    def failed(self) -> bool:
        """Whether it is a fault of skelgen."""
        return " " in self.verdict


class Fuzzer:
    """Objects to start from, and what their modules are made of."""

    def __init__(self) -> None:
        every = [*sources.sources().values(), *sources.example_sources().values()]
        self.objects = [sources.compiled(source).read_bytes() for source in every]
        self.objects += [
            path.read_bytes() for path in sorted(sources.DATA.glob("objects/**/*.o"))
        ]
        self.allowed = set()
        for data in self.objects:
            text = skelgen.generate(data)
            self.allowed |= inspect_module.kinds(text)

    def try_one(self, seed: int) -> Result:
        """Generate from one mutated object."""
        data = mutate(seed, self.objects)
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            verdict = self._verdict(data)
        except _TooSlow:
            verdict = f"took over {SECONDS} s"
        except Exception as error:  # noqa: BLE001 - finding these is the purpose
            verdict = f"raised {type(error).__name__}: {error}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return Result(seed, verdict, time.process_time() - start)

    def _verdict(self, data: bytes) -> str:
        try:
            text = skelgen.generate(data)
        except SkelgenError as error:
            if not str(error).isprintable() and "\n" not in str(error):
                return f"said what cannot be printed: {str(error)!r}"
            return type(error).__name__
        wrong = inspect_module.complaints(text, self.allowed)
        return f"wrote {wrong[0]}" if wrong else "module"


class _TooSlow(BaseException):
    """Past every ``except Exception`` on the way."""


def _alarm(*_: object) -> None:
    raise _TooSlow


_fuzzer: Fuzzer | None = None


def _work(seeds: Sequence[int]) -> tuple[list[Result], int]:
    """Try some seeds in a worker; also return its peak of memory in bytes."""
    signal.signal(signal.SIGPROF, _alarm)
    assert _fuzzer is not None
    results = [_fuzzer.try_one(seed) for seed in seeds]
    return results, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(count: int, first: int = 0) -> tuple[list[Result], int]:
    """Try ``count`` seeds on every processor; return results and peak memory."""
    global _fuzzer  # noqa: PLW0603 - workers inherit it through fork
    _fuzzer = Fuzzer()
    batches = [
        range(start, min(start + _BATCH, first + count))
        for start in range(first, first + count, _BATCH)
    ]
    with multiprocessing.get_context("fork").Pool(
        os.cpu_count(), initializer=_limit
    ) as pool:
        done = list(pool.imap_unordered(_work, batches))
    results = sorted(result for batch, _ in done for result in batch)
    return results, max(peak for _, peak in done)


def _limit() -> None:
    """More memory than this is refused, and seen as a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    most = pages * resource.getpagesize() + MEGABYTES * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(arguments: list[str]) -> int:
    """Fuzz, print a summary, and return a failure if an object got the better of us."""
    count = int(arguments[0]) if arguments else 20_000
    first = int(arguments[1]) if len(arguments) > 1 else 0
    start = time.perf_counter()
    results, peak = fuzz(count, first)
    failed = [result for result in results if result.failed]
    for result in failed[:20]:
        print(f"seed {result.seed}: {result.verdict}")
    verdicts = collections.Counter(
        result.verdict for result in results if not result.failed
    )
    print(
        f"{count} objects in {time.perf_counter() - start:.0f} s: "
        + ", ".join(f"{number} {name}" for name, number in verdicts.most_common())
        + f", {len(failed)} failed; slowest {max(result.seconds for result in results):.2f} s,"
        f" peak {peak / 1e6:.0f} MB"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
