"""What a misspelt name may stand for."""

import subprocess
import sys
import time

import pytest

from skelgen.near_names import did_you_mean, near_names, or_near

pytestmark = pytest.mark.any_kernel


@pytest.mark.parametrize(
    ("name", "names", "near"),
    [
        ("kprobes", ["kprobe", "uprobe", "xdp"], ["kprobe"]),
        ("sched_proces_exec", ["sched_process_exec", "sys_enter"], None),
        ("EVENT", ["event", "other"], ["event"]),
        ("cnt", ["count", "rb"], ["count"]),
        ("sys_open", ["__x64_sys_open", "do_exit"], ["__x64_sys_open"]),
        ("a", ["b", "c"], []),
        ("a", ["A", "ab"], ["A"]),
        ("map_1", ["map_2", "map_10", "pam"], ["map_10", "map_2"]),
        ("same", ["same"], []),
        ("", ["a"], []),
        ("x" * 1000, ["x" * 999], []),
        ("nothing", ["totally", "other"], []),
    ],
)
def test_near_names_are_found_and_far_ones_are_not(
    name: str, names: list[str], near: list[str] | None
) -> None:
    assert near_names(name, names) == (names[:1] if near is None else near)
    assert near_names(name, iter(names * 2)) == near_names(name, names)


def test_the_words_offer_at_most_three_names() -> None:
    assert did_you_mean("maps", ["map"]) == "did you mean 'map'?"
    assert did_you_mean("map_1", ["map_2", "map_3"]) == (
        "did you mean 'map_2' or 'map_3'?"
    )
    assert did_you_mean("map_1", ["map_2", "map_3", "map_4", "map_5"]) == (
        "did you mean 'map_2', 'map_3' or 'map_4'?"
    )
    assert not did_you_mean("map", ["completely", "different"])
    assert or_near("no map 'm'", "m", []) == "no map 'm'"
    assert or_near("no map 'cont'", "cont", ["count"]) == (
        "no map 'cont'; did you mean 'count'?"
    )


def test_letters_of_a_short_name_in_another_order_are_near() -> None:
    assert near_names("xpd", ["tc", "xdp", "tp"]) == ["xdp"]


def test_a_kernel_of_names_takes_no_time() -> None:
    names = [f"function_{index}_of_{index % 97}_{index:x}" for index in range(100_000)]
    start = time.process_time()
    assert near_names("functoin_777_of_1_309", names)[0] == names[777]
    assert time.process_time() - start < 3


def test_without_difflib_there_is_no_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "difflib", None)
    assert near_names("kprobes", ["kprobe"]) == []


def test_difflib_is_not_imported_for_it() -> None:
    code = (
        "import sys, skelgen.near_names as n; assert 'difflib' not in sys.modules;"
        "n.near_names('ab', []); assert 'difflib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
