"""No buffer is smaller than what the kernel copies, for any type of map."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError
from skelgen.runtime.kernel import features
from skelgen.runtime.maps.array import ArrayMap
from skelgen.runtime.maps.families import family
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.hash import HashMap
from skelgen.runtime.maps.percpu_array import PerCpuArrayMap
from skelgen.runtime.maps.percpu_generic import PerCpuGenericMap
from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.syscalls import sizes
from skelgen.runtime.values import codec as c
from tests.harness import map_walk, places
from tests.harness.maps import made

pytestmark = pytest.mark.outer_kernels

ROOT = Path(__file__).parents[2]


def test_every_type_of_map_survives_everything(cgroup: places.Cgroup) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", map_walk.__name__, cgroup.path],
        env={**os.environ, "PYTHONMALLOC": "debug"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    every = {MapType(number).name for number in set(map(int, MapType))} - {"UNSPEC"}
    assert set(told) == every
    refused = {name for name, result in told.items() if "refused" in result}
    for name in refused:
        assert features.map_type(name.lower()).supported is not True, told[name]
    for name in every - refused:
        assert told[name]["unexpected"] == [], name
        assert told[name]["calls"] > 100, name
    # each way of copying came to work, per CPU and not
    for name in ("HASH", "PERCPU_HASH", "PERCPU_ARRAY", "QUEUE", "CGROUP_STORAGE"):
        assert told[name]["worked"] > 20, name
    assert told["PERCPU_CGROUP_STORAGE"]["worked"] > 20


def test_values_of_a_cgroup_for_each_cpu_are_lists(cgroup: places.Cgroup) -> None:
    from contextlib import ExitStack

    cpus = sizes.possible_cpus()
    with made(MapType.PERCPU_CGROUP_STORAGE, 8, 4, 0) as handle, ExitStack() as undo:
        map_walk.attach(undo, handle, str(cgroup.path))
        key = Path(cgroup.path).stat().st_ino
        counts = PerCpuGenericMap(handle, key=c.U64, value=c.U32)
        assert counts.lookup(key) == [0] * cpus
        counts.update(key, list(range(cpus)))
        assert counts.lookup(key) == list(range(cpus))
        assert dict(counts.items()) == {key: list(range(cpus))}
        assert counts.lookup(key + 1) is None
        with pytest.raises(ValueError, match=f"must be a list of {cpus} values"):
            counts.update(key, [1] * (cpus + 1))
        raw = family(handle)
        assert isinstance(raw, PerCpuGenericMap)
        value: Any = raw.lookup(key.to_bytes(8, sys.byteorder))
        assert value == [n.to_bytes(4, sys.byteorder) for n in range(cpus)]
        # what a module of an older skelgen says of it
        old = GenericMap(handle, key=c.U64, value=c.U32)
        for use in (lambda: old.lookup(key), lambda: old.update(key, 1)):
            with pytest.raises(
                BpfError, match="map 'm': is PERCPU_CGROUP_STORAGE, whi"
            ):
                use()


@pytest.mark.parametrize(
    ("there", "taken_for"),
    [
        ((MapType.HASH, 4, 64, 4), (HashMap, "values have 64 bytes, but their type")),
        ((MapType.HASH, 16, 8, 4), (HashMap, "keys have 16 bytes, but their type")),
        ((MapType.PERCPU_HASH, 4, 8, 4), (HashMap, "is PERCPU_HASH, which is nothing")),
        ((MapType.ARRAY, 4, 8, 4), (HashMap, "is ARRAY, which is nothing for HashMap")),
        ((MapType.PERCPU_HASH, 4, 8, 4), (GenericMap, "is PERCPU_HASH")),
        (
            (MapType.ARRAY, 4, 8, 4, 1 << 10),
            (RingBuf, "is ARRAY, which is nothing for"),
        ),
    ],
)
def test_the_live_map_counts_and_not_its_definition(
    there: tuple[int, ...], taken_for: tuple[type, str]
) -> None:
    cls, text = taken_for
    with made(MapType(there[0]), *there[1:]) as live:
        handle = MapHandle(live.spec._replace(type=MapType.HASH, key_size=4))
        handle.adopt(syscalls.dup(live.fd()))
        try:
            if cls is RingBuf:
                rings: RingBuf[bytes] = RingBuf(handle, record=None)
                with pytest.raises(BpfError, match=f"map 'm': {text}"):
                    list(rings.consume())
                return
            wrong = cls(handle, key=c.U32, value=c.U64)
            for use in (
                lambda: wrong.lookup(1),
                lambda: wrong.update({1: 1}) if cls is HashMap else wrong.update(1, 1),
                lambda: list(wrong.items()),
                lambda: wrong.lookup_and_delete(1),
                lambda: wrong.pop(1) if cls is HashMap else wrong.pop(),
            ):
                with pytest.raises(BpfError, match=f"map 'm': {text}"):
                    use()
        finally:
            handle.close()


# -- types that change before load ---------------------------------------------


@pytest.mark.parametrize(
    ("cls", "declared", "other"),
    [
        (ArrayMap, MapType.ARRAY, MapType.PERCPU_ARRAY),
        (ArrayMap, MapType.ARRAY, MapType.HASH),
        (PerCpuArrayMap, MapType.PERCPU_ARRAY, MapType.ARRAY),
        (HashMap, MapType.HASH, MapType.LRU_PERCPU_HASH),
        (HashMap, MapType.HASH, 77),
        (GenericMap, MapType.LPM_TRIE, MapType.PERCPU_HASH),
        (PerCpuGenericMap, MapType.PERCPU_CGROUP_STORAGE, MapType.CGROUP_STORAGE),
    ],
)
def test_a_typed_map_takes_no_type_of_another_shape(
    cls: Any, declared: MapType, other: int
) -> None:
    with made(MapType.HASH, 4, 8, 4) as like:
        handle = MapHandle(like.spec._replace(type=declared))
    options = {} if "Array" in cls.__name__ else {"key": c.U32}
    typed = cls(handle, value=c.U64, **options)
    name = "77" if other == 77 else MapType(other).name
    with pytest.raises(TypeError) as caught:
        typed.type = other
    assert str(caught.value).startswith(
        f"map 'm': cannot become {name}: it is {declared.name} to its {cls.__name__}"
    )
    assert typed.type == declared
    with pytest.raises(TypeError, match="map 'm': type must be int"):
        typed.type = "HASH"


def test_a_typed_map_takes_a_type_of_its_shape() -> None:
    with made(MapType.HASH, 4, 8, 4) as like:
        typed = HashMap(MapHandle(like.spec), key=c.U32, value=c.U64)
    typed.type = MapType.LRU_HASH
    assert typed.type == MapType.LRU_HASH
