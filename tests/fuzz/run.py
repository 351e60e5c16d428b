"""Generate modules from mutated objects: a module as expected, or one error.

A third of the objects have bytes changed, the others records: of ELF, BTF and BTF.ext,
or of DWARF. A module is imported and its skeleton opened; what opens, inspects and
dumps an object without a module has to come to an end too.

Usage: ``python -m tests.fuzz.run [OBJECTS [FIRST_SEED]]``, 20,000 from seed 0 by
default (``make fuzz``). Each object has 5 s of processor and 500 MB. Prints the seeds that failed
and returns a failure if there are any; ``python -m tests.fuzz.run 1 SEED`` repeats one.
"""

import collections
import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import skelgen
from skelgen.btf.dump_header import header
from skelgen.btf.dump_raw import json_dump
from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from skelgen.build.inspect import as_text
from skelgen.elf.reader import ElfFile
from skelgen.errors import SkelgenError
from skelgen.runtime.skeleton import Skeleton
from tests.fuzz import inspect_module, structured
from tests.fuzz.mutate import mutate
from tests.harness import sources

SECONDS = 5
"""Of CPU time, so that what else the machine does is not counted."""
MEGABYTES = 500
_BATCH = 100
_IN_DWARF = (
    "event",
    "event_kind",
    "kind",
    "sk_action",
    "xdp_action",
    "ethhdr",
    "iphdr",
)
"""Types that some object uses in variables of functions alone, which BTF leaves out."""


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


def objects() -> list[bytes]:
    """Return what compilers made: of every fixture and example, and what is kept."""
    every = [*sources.sources().values(), *sources.example_sources().values()]
    found = [sources.compiled(source).read_bytes() for source in every]
    kept = sorted(sources.DATA.glob("objects/**/*.o"))
    return found + [path.read_bytes() for path in kept]


class Fuzzer:
    """Objects to start from, and what their modules are made of."""

    def __init__(self) -> None:
        self.objects = objects()
        self.described: dict[str, list[bytes]] = {}
        """Objects by the name of a type that only their DWARF has."""
        self.allowed = set()
        for data in self.objects:
            text = _generated(data)
            self.allowed |= inspect_module.kinds(text)
            for name in (name for name in _IN_DWARF if name.encode() in data):
                with contextlib.suppress(SkelgenError):
                    text = _generated(data, name)
                    self.allowed |= inspect_module.kinds(text)
                    self.described.setdefault(name, []).append(data)

    def mutated(self, seed: int) -> tuple[bytes, str | None]:
        """Return an object, and the type to ask its DWARF for."""
        if seed % 3 == 0:
            return mutate(seed, self.objects), None
        if seed % 8 == 1:
            names = sorted(self.described)
            name = names[seed // 8 % len(names)]
            return structured.change_dwarf(seed, self.described[name]), name
        return structured.change(seed, self.objects), None

    def try_one(self, seed: int) -> Result:
        """Say what becomes of the object of a seed."""
        data, name = self.mutated(seed)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        start = time.process_time()
        try:
            verdict = self._verdict(data, name)
        except _TooSlow:
            verdict = f"took over {SECONDS} s"
        except Exception as error:  # noqa: BLE001 - finding these is the purpose
            verdict = f"raised {type(error).__name__}: {error}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return Result(seed, verdict, time.process_time() - start)

    def _verdict(self, data: bytes, name: str | None) -> str:
        for use in (_inspect, _dump, skelgen.open_object):
            with contextlib.suppress(SkelgenError, BtfParseError):
                use(data)
        try:
            text = _generated(data, *filter(None, (name,)))
        except SkelgenError as error:
            if not str(error).replace("\n", "").isprintable():
                return f"said what cannot be printed: {str(error)!r}"
            return type(error).__name__
        wrong = inspect_module.complaints(text, self.allowed)
        if wrong:
            return f"wrote {wrong[0]}"
        module: dict[str, object] = {"__name__": "fuzzed"}
        exec(compile(text, "fuzzed", "exec"), module)  # noqa: S102 - see above
        for made in list(module.values()):
            if isinstance(made, type) and issubclass(made, Skeleton):
                made.open().destroy()
        return "module"


def _generated(data: bytes, *types: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return skelgen.generate(data, types=types)


def _inspect(data: bytes) -> None:
    as_text(skelgen.read_object(data))


def _dump(data: bytes) -> None:
    elf = ElfFile(data)
    section = elf.section(".BTF")
    if section is not None:
        btf = Btf(elf.content(section))
        for write in (json_dump, header):
            with contextlib.suppress(BtfParseError):
                write(btf)


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
