"""What is worked out once in a process, asked by eight threads at once."""

import errno
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from skelgen.model.attach import Manual
from skelgen.model.enums import MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import MapSpec, ObjectSpec, ProgramSpec
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import features, memlock
from skelgen.runtime.kernel.features import answers
from skelgen.runtime.object.object import Object
from skelgen.runtime.process.once import Once, one_each
from skelgen.runtime.syscalls import sizes
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import array
from skelgen.runtime.values.member import member
from skelgen.runtime.values.struct import Struct, struct
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.specs import RETURN_0

THREADS = 8


def spec() -> ObjectSpec:
    """Return an object with a map and a program."""
    image = ImageBuilder()
    kind, insns = ProgType.SOCKET_FILTER, image.add(RETURN_0)
    program = ProgramSpec("main", "some", kind, Manual(), insns=insns)
    maps = (MapSpec("m", MapType.HASH, 4, 4, 1),)
    return ObjectSpec(
        name="one",
        source="one.bpf.o",
        byteorder=sys.byteorder,
        license="GPL",
        maps=maps,
        programs=(program,),
        image=image.bytes(),
    )


@pytest.fixture(autouse=True)
def many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(call: Callable[[], Any]) -> list[Any]:
    """Return what a call gives each of eight threads that begin together."""
    barrier = threading.Barrier(THREADS)
    found: list[Any] = []

    def run() -> None:
        barrier.wait()
        try:
            found.append(call())
        except Exception as error:  # noqa: BLE001 (looked at by the test)
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(found) == THREADS
    return found


def slowly(answer: Any, asked: list[int]) -> Callable[[], Any]:
    def ask() -> Any:
        asked.append(1)
        time.sleep(0.02)
        return answer

    return ask


def test_one_asks_and_the_others_wait() -> None:
    asked: list[int] = []
    once = Once(slowly([], asked))
    first, *others = at_once(once)
    assert all(other is first for other in others)
    assert asked == [1]
    once.forget()
    once()
    assert asked == [1, 1]


def test_a_failure_is_no_answer() -> None:
    answers = iter([ValueError("no"), 5])

    def ask() -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    once = Once(ask)
    with pytest.raises(ValueError, match="no"):
        once()
    assert (once(), once()) == (5, 5)


def test_who_asks_in_the_middle_does_not_wait_for_itself() -> None:
    depth: list[int] = []

    def ask() -> int:
        depth.append(1)
        return again() if len(depth) < 3 else 7

    again = Once(ask)
    assert again() == 7
    assert len(depth) == 3
    answer: list[int] = []
    told = Once(lambda: answer.append(told()) or 7, lambda: 0)
    assert (told(), answer) == (7, [0])


def test_who_holds_it_up_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread in the middle may itself wait for the one that asks."""
    monkeypatch.setattr("skelgen.runtime.process.once._PATIENCE", 0.05)
    stuck, asked = threading.Event(), []

    def ask() -> int:
        asked.append(1)
        if len(asked) == 1:
            stuck.wait(10)
        return 7

    once = Once(ask)
    thread = threading.Thread(target=once)
    thread.start()
    while not asked:
        time.sleep(0.001)
    assert once() == 7
    stuck.set()
    thread.join(10)
    assert once() == 7


def test_the_same_arguments_give_one_object() -> None:
    made = one_each(lambda *_: [])
    for number in range(50):
        first, *others = at_once(lambda number=number: made(number))
        assert all(other is first for other in others)


# -- all of the runtime's ------------------------------------------------------


def new_struct() -> type[Struct]:
    class Fresh(Struct, size=8):
        a: int = member(c.U64, 0)

    return Fresh


def the_codec_of_a_struct() -> Callable[[], Any]:
    cls = new_struct()
    return lambda: struct(cls)


def the_codec_of_an_array() -> Callable[[], Any]:
    element = struct(new_struct())
    return lambda: array(element, 3)


def the_codec_of_a_string() -> Callable[[], Any]:
    size = next(SIZES)
    return lambda: c.CString(size)


def the_number_of_cpus() -> Callable[[], Any]:
    sizes._possible_cpus.forget()
    return sizes.possible_cpus


def a_program_of_an_object() -> Callable[[], Any]:
    made = Object(spec())
    return lambda: made.programs["main"]


def a_map_of_an_object() -> Callable[[], Any]:
    made = Object(spec())
    return lambda: made.maps["m"]


SIZES = iter(range(1000, 100_000))


@pytest.mark.parametrize(
    "make",
    [
        the_codec_of_a_struct,
        the_codec_of_an_array,
        the_codec_of_a_string,
        the_number_of_cpus,
        a_program_of_an_object,
        a_map_of_an_object,
    ],
)
def test_all_get_the_same_object(make: Callable[[], Callable[[], Any]]) -> None:
    for _ in range(20):
        first, *others = at_once(make())
        assert not isinstance(first, Exception)
        assert all(other is first for other in others)


@pytest.mark.parametrize("name", sorted(features.named()))
def test_a_feature_is_tried_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    feature = features.Feature(name, "5.0", lambda _: slowly(False, asked)())
    assert at_once(feature.supported) == [False] * THREADS
    assert asked == [1]
    assert not feature.answer()
    real = features.named()[name]
    assert isinstance(real._once, Once)


def test_a_type_is_tried_once(kernel: FakeKernel) -> None:
    answers.forget()
    tried: list[Call] = []

    def slow(call: Call) -> int:
        tried.append(call)
        time.sleep(0.02)
        return -errno.EINVAL

    kernel.always("PROG_LOAD", slow)
    try:
        found = at_once(lambda: answers.program_type(ProgType.XDP).supported)
        count = len(tried)
        answers.forget()
        answers.program_type(ProgType.XDP)
    finally:
        answers.forget()
    assert len(set(found)) == 1
    assert len(tried) == 2 * count


def test_kernel_btf_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(slowly(object(), read)))
    first, *others = at_once(kernel_btf.vmlinux)
    assert all(other is first for other in others)
    assert read == [1]


def test_btf_of_a_module_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_btf, "_module_btf", {})
    monkeypatch.setattr(kernel_btf, "KernelBtf", lambda *_, **__: object())
    modules = [
        kernel_btf.ModuleBtf(3, "veth", None, None)  # type: ignore[arg-type] # not looked at
        for _ in range(THREADS)
    ]
    for module in modules:
        module._raw = b"there"
    first, *others = at_once(lambda: modules.pop().btf)
    assert not isinstance(first, Exception)
    assert all(other is first for other in others)


def test_eight_threads_load_on_a_kernel_that_counts_memory(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 5.11: all of them load, though one alone lifts the limit."""
    limits = [(65536, 65536)]

    def setrlimit(_: int, new: tuple[int, int]) -> None:
        time.sleep(0.02)
        limits.append(new)

    monkeypatch.setattr(memlock, "_lifted", Once(memlock._lift))
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    features.MEMCG_ACCOUNT.assume(False)
    many = threading.Barrier(THREADS)

    def count(_: Call) -> int | None:
        if len(limits) == 1:
            many.wait(10)  # all are refused before one lifts it
            return -errno.EPERM
        return None

    kernel.always("MAP_CREATE", count)
    loaded: list[Object] = []

    def load() -> bool:
        made = Object(spec())
        loaded.append(made)
        return bool(made.load())

    try:
        results = at_once(load)
    finally:
        features.MEMCG_ACCOUNT.forget()
        for made in loaded:
            made.destroy()
    assert not [each for each in results if isinstance(each, Exception)]
    assert len(limits) == 2


def test_this_list_is_whole() -> None:
    """Every module variable that is filled later is of a kind that is tried here."""
    import importlib
    import pkgutil

    import skelgen.runtime

    found = set()
    for info in pkgutil.walk_packages(skelgen.runtime.__path__, "skelgen.runtime."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, Once):
                found.add(f"{info.name}.{name}")
            if hasattr(value, "cache_info"):
                pytest.fail(f"{info.name}.{name}: threads may get two objects")
    assert found == {
        "skelgen.runtime.kernel.memlock._lifted",
        "skelgen.runtime.kernel.btf._vmlinux",
        "skelgen.runtime.syscalls.sizes._possible_cpus",
    }
