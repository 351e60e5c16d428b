"""Time things, and print a row a thing with its ratio to what a user would pick."""

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Times(NamedTuple):
    """Seconds of several runs of one thing."""

    best: float
    median: float
    worst: float


def summary(seconds: Sequence[float]) -> Times:
    """Return best, median and worst of some runs."""
    return Times(min(seconds), statistics.median(seconds), max(seconds))


def time_call(call: Callable[[], object], *, runs: int) -> Times:
    """Time a call, ``runs`` times after one that does not count."""
    call()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return summary(seconds)


def time_pair(
    ours: Callable[[], object], theirs: Callable[[], object], *, runs: int
) -> tuple[Times, Times]:
    """Time two calls in turn, so that a noisy machine is noisy for both."""
    ours()
    theirs()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for kept, call in zip(seconds, (ours, theirs), strict=True):
            start = time.perf_counter()
            call()
            kept.append(time.perf_counter() - start)
    return summary(seconds[0]), summary(seconds[1])


def command(*words: str) -> Callable[[], object]:
    """Return a call that runs a command and wants it to succeed."""

    def call() -> object:
        return subprocess.run(words, check=True, capture_output=True)

    return call


def title(text: str) -> None:
    """Print the head of a table."""
    print(f"\n{text}")
    print(f"  {'':44} {'skelgen':>12} {'against':>12}  {'ratio':>7}  aim")


def row(what: str, ours: float, theirs: float, unit: str, aim: str = "") -> None:
    """Print one comparison; both figures in ``unit``, the ratio ours to theirs."""
    ratio = f"{ours / theirs:7.2f}" if theirs else " " * 7
    against = f"{theirs:12.3f}" if theirs else " " * 12
    print(f"  {what:44} {ours:12.3f} {against}  {ratio}  {aim} [{unit}]")
