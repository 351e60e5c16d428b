"""Calls of a skeleton in any order, against a model: run by test_sequences in a process.

``python -m tests.kernel.life_machine MODULE CGROUP LOG EXAMPLES``. Each step is written
to the log before it is taken, so that the log ends with what killed the process.
"""

import contextlib
import errno
import gc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from skelgen.runtime.errors import BpfError, ClosedError, StateError
from skelgen.runtime.object.life import State
from tests.harness import leaks
from tests.harness.faults import faults

T = TypeVar("T")

U32 = st.integers(0, 2**32 - 1)
I32 = st.integers(-(2**31), 2**31 - 1)
KEYS = st.integers(0, 5)
MOST_VIEWS = 12


class Life(RuleBasedStateMachine):
    """A skeleton, what it should be like, and views that were taken of it."""

    skeleton: Any
    cgroup: str
    log_fd: int

    def __init__(self) -> None:
        super().__init__()
        self.log("---- a new sequence")
        self.skel: Any = None
        self.state = State.DESTROYED
        self.level = 7
        self.numbers = [0] * 8
        self.states: dict[int, int] = {}
        self.attached = False
        self.views: list[tuple[int, Any]] = []
        """With the number of the life that they are from."""
        self.life = 0
        self.records: list[Iterator[Any]] = []
        self.links: list[Any] = []
        self.clones: list[Any] = []
        self.in_two_steps = False

    @classmethod
    def log(cls, text: str) -> None:
        os.write(cls.log_fd, f"{text}\n".encode())

    def teardown(self) -> None:
        """End the life, with the views still there, then them."""
        if self.skel is not None:
            self.skel.destroy()
        self.use_all_views()
        for link in self.links:
            link.destroy()
        for clone in self.clones:
            clone.close()

    # -- what is expected ------------------------------------------------------

    def attempt(
        self,
        text: str,
        call: Callable[[], T],
        *,
        opened: type[Exception] | None = None,
        prepared: type[Exception] | None = None,
        loaded: type[Exception] | None = None,
    ) -> T | None:
        """Make a call, of which the state tells what it raises (``None``: nothing)."""
        self.log(f"{text}  # {self.state.value}")
        expected = {
            State.OPENED: opened,
            State.PREPARED: prepared,
            State.LOADED: loaded,
            State.DESTROYED: ClosedError,
        }[self.state]
        try:
            result = call()
        except Exception as error:
            if type(error) is not expected or not str(error):
                raise
            return None
        assert expected is None, f"{text}: no {expected}"
        return result

    @property
    def alive(self) -> bool:
        return self.state is not State.DESTROYED

    @property
    def live(self) -> bool:
        """Whether the maps are in the kernel."""
        return self.state in {State.PREPARED, State.LOADED}

    # -- life ------------------------------------------------------------------

    @initialize(prepare=st.booleans(), load=st.sampled_from([True, True, False]))
    def begin(self, prepare: bool, load: bool) -> None:  # noqa: FBT001 (a strategy's)
        self.open()
        if prepare:
            self.prepare()
        if load:
            self.load()

    @precondition(lambda self: not self.alive)
    @rule()
    def open(self) -> None:
        self.log("open")
        self.skel = self.skeleton.open()
        self.skel.rodata.only_pid = os.getpid()
        self.state, self.level, self.numbers = State.OPENED, 7, [0] * 8
        self.states, self.attached, self.in_two_steps = {}, False, False
        self.life += 1

    @rule()
    def prepare(self) -> None:
        self.attempt(
            "prepare", self.skel.prepare, prepared=StateError, loaded=StateError
        )
        if self.state is State.OPENED:
            self.state, self.in_two_steps = State.PREPARED, True

    @precondition(lambda self: self.state is State.OPENED)
    @rule(number=st.integers(0, 20))
    def prepare_and_fail(self, number: int) -> None:
        self.log(f"prepare, call {number} fails")
        try:
            with faults(number, errno.ENOMEM, lasting=True, names=BPF):
                self.skel.prepare()
        except BpfError:
            return
        self.state, self.in_two_steps = State.PREPARED, True

    @rule()
    def load(self) -> None:
        self.attempt("load", self.skel.load, loaded=StateError)
        if self.alive:
            self.state = State.LOADED

    @precondition(lambda self: self.state in {State.OPENED, State.PREPARED})
    @rule(number=st.integers(0, 20))
    def load_and_fail(self, number: int) -> None:
        self.log(f"load, call {number} fails")
        try:
            with faults(number, errno.ENOMEM, lasting=True, names=BPF):
                self.skel.load()
        except BpfError:
            return
        self.state = State.LOADED

    @rule(level=st.sampled_from([0, 1]))
    def clone(self, level: int) -> None:
        program = self.skel.progs.on_egress
        made = self.attempt(
            f"clone(log_level={level})",
            lambda: program.clone(log_level=level),
            opened=StateError,
            loaded=None if self.in_two_steps else StateError,
        )
        if made is not None:
            self.clones.append(made)

    @precondition(lambda self: self.clones)
    @rule(number=st.integers(0, 100), method=st.sampled_from(["info", "close", "run"]))
    def use_a_clone(self, number: int, method: str) -> None:
        clone = self.clones[number % len(self.clones)]
        self.log(f"clone {method}")
        with contextlib.suppress(ClosedError):
            if method == "run":
                assert clone.test_run(bytes(64)).retval == 1
            else:
                getattr(clone, method)()

    @rule()
    def attach(self) -> None:
        self.attempt("attach", self.skel.attach, opened=StateError, prepared=StateError)
        self.attached |= self.state is State.LOADED

    @rule()
    def attach_to_cgroup(self) -> None:
        program = self.skel.progs.on_egress

        def attach() -> None:
            link = program.attach(self.cgroup)
            self.links.append(link)
            if self.skel.links.on_egress is not None:
                self.skel.links.on_egress.destroy()
            self.skel.links.on_egress = link

        self.attempt("attach to cgroup", attach, opened=StateError, prepared=StateError)

    @precondition(lambda self: self.links)
    @rule(number=st.integers(0, 100), method=st.sampled_from(["info", "destroy", "fd"]))
    def use_a_link(self, number: int, method: str) -> None:
        link = self.links[number % len(self.links)]
        self.log(f"link {method}")
        with contextlib.suppress(ClosedError):
            getattr(link, method)()

    @rule()
    def detach(self) -> None:
        self.attempt("detach", self.skel.detach, opened=StateError, prepared=StateError)
        self.attached = False

    @rule()
    def destroy(self) -> None:
        self.log("destroy")
        self.skel.destroy()
        self.state, self.attached = State.DESTROYED, False

    @precondition(lambda self: not self.alive)
    @rule()
    def drop(self) -> None:
        """Drop a skeleton, and go on with its views."""
        self.log("drop the skeleton")
        self.skel = None
        gc.collect()
        self.open()

    # -- globals ---------------------------------------------------------------

    @rule(value=I32)
    def write_a_number(self, value: int) -> None:
        def write() -> None:
            self.skel.data.level = value

        self.attempt(f"data.level = {value}", write)
        if self.alive:
            self.level = value

    @rule(value=st.sampled_from([2**31, -(2**40), "1", None, 1.5]))
    def write_what_does_not_fit(self, value: object) -> None:
        self.log(f"data.level = {value!r}")
        try:
            self.skel.data.level = value
        except (OverflowError, TypeError):
            return
        except ClosedError:
            assert not self.alive
            return
        raise AssertionError("accepted")

    @rule()
    def read_a_number(self) -> None:
        found = self.attempt("data.level", lambda: self.skel.data.level)
        assert found is None or found == self.level

    @rule(index=st.integers(0, 7), value=U32)
    def write_an_element(self, index: int, value: int) -> None:
        def write() -> None:
            self.skel.bss.numbers[index] = value

        self.attempt(f"bss.numbers[{index}] = {value}", write)
        if self.alive:
            self.numbers[index] = value

    @rule(values=st.lists(U32, min_size=8, max_size=8))
    def write_an_array(self, values: list[int]) -> None:
        def write() -> None:
            self.skel.bss.numbers = values

        self.attempt(f"bss.numbers = {values}", write)
        if self.alive:
            self.numbers = values

    @rule()
    def read_an_array(self) -> None:
        found = self.attempt("bss.numbers", lambda: list(self.skel.bss.numbers))
        assert found is None or found == self.numbers

    @rule()
    def write_a_constant(self) -> None:
        def write() -> None:
            self.skel.rodata.only_pid = os.getpid()

        self.attempt(
            "rodata.only_pid = ...", write, prepared=StateError, loaded=StateError
        )

    @rule()
    def write_a_shadow(self) -> None:
        def write() -> None:
            self.skel.struct_ops.life.name = b"bpf_skelgen_lif"

        self.log("struct_ops.life.name = ...")
        try:
            write()
        except StateError:
            assert self.state is not State.OPENED
        else:
            assert self.state is State.OPENED

    # -- views -----------------------------------------------------------------

    @rule(
        which=st.sampled_from(
            ["state", "numbers", "values", "memory", "bytes of a struct", "shadow"]
        )
    )
    def take_a_view(self, which: str) -> None:
        bss = self.skel.bss

        def take() -> Any:
            views: dict[str, Callable[[], Any]] = {
                "state": lambda: bss.state,
                "numbers": lambda: bss.numbers,
                "values": lambda: bss.state.values,
                "memory": lambda: memoryview(bss.numbers).cast("B"),
                "bytes of a struct": lambda: memoryview(bss.state).cast("B"),
                "shadow": lambda: self.skel.struct_ops.life,
            }
            return views[which]()

        # the memory of a shadow is there always
        shadow = which == "shadow"
        view = take() if shadow else self.attempt(f"view of {which}", take)
        if view is not None:
            self.views.append((self.life, view))
            del self.views[:-MOST_VIEWS]

    @rule()
    def use_all_views(self) -> None:
        """Read and write whatever is left, in the kernel or not any more."""
        self.log("use views")
        for life, view in self.views:
            if isinstance(view, memoryview):
                assert len(bytes(view)) in {24, 32}
                view[0:1] = view[0:1]
            elif hasattr(view, "calls"):
                view.calls = 1
                view.values[2] = -1
                assert view.calls == 1
                assert view.values[2] == -1
            elif hasattr(view, "name"):
                assert view.name == b"bpf_skelgen_lif"
                with contextlib.suppress(StateError):
                    view.name = b"bpf_skelgen_lif"
            else:
                assert repr(view)
                view[0] = view[0]
                same = len(view) == 8 and life == self.life and self.alive
                assert not same or list(view) == self.numbers

    @rule(number=st.integers(0, MOST_VIEWS))
    def drop_views(self, number: int) -> None:
        self.log(f"drop {number} views")
        del self.views[:number]
        gc.collect()

    # -- maps ------------------------------------------------------------------

    @rule(key=KEYS, value=U32)
    def put(self, key: int, value: int) -> None:
        def write() -> None:
            self.skel.maps.states[key] = self.skel.bss.state.__class__(calls=value)

        self.attempt(f"maps.states[{key}] = {value}", write, opened=StateError)
        if self.live:
            self.states[key] = value

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        states = self.skel.maps.states
        found = self.attempt(
            f"maps.states.get({key})", lambda: states.get(key), opened=StateError
        )
        if self.live:
            assert (None if found is None else found.calls) == self.states.get(key)

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        states = self.skel.maps.states
        self.attempt(
            f"maps.states.pop({key})", lambda: states.pop(key, None), opened=StateError
        )
        self.states.pop(key, None)

    @rule()
    def items(self) -> None:
        states = self.skel.maps.states
        found = self.attempt(
            "maps.states.items()", lambda: list(states.items()), opened=StateError
        )
        if self.live:
            assert {key: value.calls for key, value in found or ()} == self.states

    @rule(value=st.integers(1, 64))
    def resize(self, value: int) -> None:
        self.log(f"maps.states.max_entries = {value}")
        try:
            self.skel.maps.states.max_entries = max(value, 6)
        except StateError:
            assert self.state is not State.OPENED
        else:
            assert self.state is State.OPENED

    # -- records ---------------------------------------------------------------

    @rule(times=st.integers(1, 200))
    def produce(self, times: int) -> None:
        """Fill the ring buffer, and beyond."""
        self.log(f"{times} calls")
        before = self.skel.bss.calls if self.alive else 0
        for _ in range(times):
            os.getppid()
        if self.alive:
            grown = self.skel.bss.calls - before
            # a call is passed over while a preempted task of the same CPU is in bpf(2)
            assert grown <= times if self.attached else grown == 0

    @rule()
    def take_records(self) -> None:
        rb = self.skel.maps.rb
        found = self.attempt("rb.poll(0)", lambda: rb.poll(0), opened=StateError)
        if found is not None:
            self.records = [*self.records[-3:], found]

    @precondition(lambda self: self.records)
    @rule(number=st.integers(0, 3), most=st.integers(1, 40))
    def read_records(self, number: int, most: int) -> None:
        self.log(f"read {most} records")
        records = self.records[number % len(self.records)]
        with contextlib.suppress(ClosedError):
            for _, record in zip(range(most), records, strict=False):
                assert record.pid == os.getpid()

    # -- always ----------------------------------------------------------------

    @invariant()
    def the_state_is_as_modelled(self) -> None:
        if self.skel is not None:
            assert self.skel.object.state is self.state
            assert repr(self.skel)
            assert repr(self.skel.links)


BPF = ("BTF_LOAD", "MAP_CREATE", "MAP_UPDATE_ELEM", "MAP_FREEZE", "PROG_LOAD", "mmap")


def main(module: str, cgroup: str, log: str, examples: str) -> None:
    """Run the machine over the skeleton in a file."""
    spec = importlib.util.spec_from_file_location("life_skel", module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["life_skel"] = loaded
    spec.loader.exec_module(loaded)
    Life.skeleton = loaded.Life
    Life.cgroup = cgroup
    Life.log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    run_state_machine_as_test(
        Life,
        settings=hypothesis.settings(
            max_examples=int(examples),
            stateful_step_count=40,
            # others each time only where somebody asks for many
            derandomize="SKELGEN_SEQUENCES" not in os.environ,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
    gc.collect()
    left = [name for name in leaks.open_fds() if "bpf" in name]
    assert not left, left


if __name__ == "__main__":
    main(*sys.argv[1:])
