"""Threads load, poll, read maps and destroy, while the main thread forks and is signalled.

``python -m tests.kernel.fork_storm SECONDS``, in a process of its own: it hangs or
crashes where a lock or a mapping is not good after a fork or in a signal handler, and
says then where (``faulthandler``). Prints what it did.
"""

import faulthandler
import itertools
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any

from skelgen import runtime as rt
from skelgen.runtime.errors import BpfError, ClosedError, StateError
from tests.harness import sources
from tests.harness.generating import loaded

THREADS = 3
CHILD_SECONDS = 20
"""After so long a child hangs."""


class Storm:
    """All of it: what lives, and what was done."""

    def __init__(self) -> None:
        self.cls: Any = loaded(sources.skeleton("forked")).Forked
        self.common: Any = self.cls.open_and_load()
        self.living: list[Any] = []
        self.main: Any = None
        self.stop = False
        self.failures: list[str] = []
        self.lives = self.forks = self.signals = self.records = self.destroyed = 0

    def live(self, skel: Any) -> None:
        """Do all that a thread does with a skeleton."""
        skel.load()
        for _ in range(3):
            for _ in range(20):  # a repetition ends with EINTR where a signal comes
                skel.progs.send_number.test_run(data=bytes(64))
            self.records += sum(1 for _ in rt.poll([skel.maps.rb], 0))
            self.records += sum(1 for _ in skel.maps.rb.poll(0.001))
            dict(skel.maps.seen.items())
            assert skel.maps.rb.available >= 0
            assert skel.bss.sent >= 0
        skel.destroy()
        self.lives += 1

    def run_thread(self) -> None:
        """Live again and again, and look at what all threads have in common."""
        while not self.stop:
            skel = self.cls.open()
            self.living.append(skel)
            try:
                self.live(skel)
                self.common.progs.send_number.test_run(data=bytes(64))
                self.records += sum(1 for _ in self.common.maps.rb.consume())
                dict(self.common.maps.seen.items())
            except Exception:  # noqa: BLE001 (told in the end)
                self.failures.append(traceback.format_exc())
                return
            finally:
                self.living.remove(skel)
                skel.destroy()

    def on_signal(self, *_: object) -> None:
        """Do in the middle of whatever the main thread does what has to be possible."""
        self.signals += 1
        skel = self.main
        try:
            for each in (self.common, *([] if skel is None else [skel])):
                assert each.maps.rb.available >= 0
                self.records += len(list(itertools.islice(each.maps.rb.consume(), 3)))
            if skel is not None and self.signals % 3 == 0:
                skel.destroy()
                self.destroyed += 1
        except (ClosedError, StateError):
            pass  # before its load, or after another destroy()
        if not self.stop:
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + self.signals % 7 * 0.0007)

    def fork(self) -> None:
        """Have a child use, destroy and load what it can get hold of."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(CHILD_SECONDS)
                self.be_a_child()
                status = 0
            except BaseException:  # noqa: BLE001 (told at once; nobody catches it)
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status:
            self.failures.append(f"a child ended with status {status:#x}")
        self.forks += 1

    def be_a_child(self) -> None:
        """Use what the parent has, then destroy it here and live anew."""
        common = self.common
        common.progs.send_number.test_run(data=bytes(64))
        assert common.bss.sent > 0
        assert common.maps.rb.available >= 0
        assert len(dict(common.maps.seen.items())) > 0
        list(itertools.islice(common.maps.rb.consume(), 3))
        for skel in (common, *self.living, self.main):
            if skel is not None:
                repr(skel)
                skel.destroy()
                try:
                    list(skel.maps.rb.consume())
                except ClosedError:
                    continue
                raise AssertionError("a ring buffer is read after destroy()")
        self.stop = True
        self.live(self.cls.open())

    def run(self, seconds: float) -> None:
        """Do it for so long and for three forks, and print what was done."""
        self.live(self.cls.open())  # whatever is imported late is there before a fork
        self.common.progs.send_number.test_run(data=bytes(64))
        signal.signal(signal.SIGALRM, self.on_signal)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        threads = [threading.Thread(target=self.run_thread) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while (time.monotonic() < end or self.forks < 3) and not self.failures:
            self.main = self.cls.open()
            with suppress(ClosedError, StateError):  # by the signal handler
                self.live(self.main)
            self.fork()
            self.main.destroy()
            self.main = None
        self.stop = True
        for thread in threads:
            thread.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.common.destroy()


def main(seconds: str) -> None:
    """Run it; exit status 1 for what went wrong."""
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(seconds) + 120, exit=True)
    sys.setswitchinterval(1e-5)
    storm = Storm()
    try:
        storm.run(float(seconds))
    except BpfError:
        storm.failures.append(traceback.format_exc())
        storm.stop = True
    print(  # noqa: T201 (a command)
        f"{storm.forks} forks, {storm.signals} signals, {storm.lives} lives,"
        f" {storm.destroyed} destroyed by a signal handler, {storm.records} records"
        f" in {seconds} s"
    )
    for failure in storm.failures:
        print(failure, file=sys.stderr)  # noqa: T201 (a command)
    sys.exit(bool(storm.failures))


if __name__ == "__main__":
    main(sys.argv[1])
