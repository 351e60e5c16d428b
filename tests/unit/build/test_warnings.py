"""Warnings of the build about what no kernel takes."""

import pytest

from skelgen.build.generate import _warnings
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE, BPF_F_NO_PREALLOC
from skelgen.model.spec import MapSpec, ObjectSpec

T = MapType


@pytest.mark.parametrize(
    ("kind", "flag", "name"),
    [
        (T.RHASH, BPF_F_NO_PREALLOC, "BPF_F_NO_PREALLOC"),
        (T.LPM_TRIE, BPF_F_NO_PREALLOC, "BPF_F_NO_PREALLOC"),
        (T.TASK_STORAGE, BPF_F_NO_PREALLOC, "BPF_F_NO_PREALLOC"),
        (T.ARENA, BPF_F_MMAPABLE, "BPF_F_MMAPABLE"),
    ],
)
def test_a_map_without_a_flag_that_it_needs(
    kind: MapType, flag: int, name: str
) -> None:
    def said(flags: int) -> list[str]:
        spec = MapSpec("m", kind, 8, 8, 4, flags)
        return _warnings(ObjectSpec("it", "it.bpf.o", "little", "GPL", maps=(spec,)))

    assert said(0) == [
        f"map 'm': no kernel makes BPF_MAP_TYPE_{kind.name} without map_flags {name}"
    ]
    assert said(flag) == []


def test_maps_that_need_none() -> None:
    maps = (MapSpec("m", T.HASH, 4, 4, 4), MapSpec("new", 250, 4, 4, 4))
    assert _warnings(ObjectSpec("it", "it.bpf.o", "little", "GPL", maps=maps)) == []
