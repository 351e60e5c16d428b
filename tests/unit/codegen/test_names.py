"""What C names become in Python, and which are refused."""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.codegen.names import Scope, camel, checked, section_identifier
from skelgen.errors import NamingError
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec
from tests.harness.generating import (
    blueprint,
    generated,
    loaded,
    program,
    with_globals,
)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("event", "Event"),
        ("event_kind", "EventKind"),
        ("bpf_spin_lock", "BpfSpinLock"),
        ("__sk_buff", "SkBuff"),
        ("task_struct___old", "TaskStructOld"),
        ("myType", "MyType"),
        ("EventKind", "EventKind"),
        ("EVENT_KIND", "EventKind"),
        ("TCP", "TCP"),
        ("pair_t", "PairT"),
        ("u8", "U8"),
        ("_1st", "_1st"),
        ("__", "_"),
        ("none", "None_"),
        ("true", "True_"),
        ("a_1_b", "A1B"),
    ],
)
def test_classes_are_camel_case(name: str, wanted: str) -> None:
    assert camel(name) == wanted
    assert camel(name).isidentifier()


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        (".data", "data"),
        (".rodata", "rodata"),
        (".bss", "bss"),
        (".kconfig", "kconfig"),
        (".data.foo", "data_foo"),
        (".data.foo.bar", "data_foo_bar"),
        (".rodata.str1.1", "rodata_str1_1"),
        (".data.read-mostly", "data_read_mostly"),
        (".addr_space.1", "arena"),
        (".text", None),
        ("data", None),
    ],
)
def test_sections_by_their_full_name(section: str, wanted: str | None) -> None:
    assert section_identifier(section) == wanted


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a-b",
        "1st",
        "a.b",
        "naïve",
        "x\n",
        "x\0",
        'a"""\nimport os\n',
        "x = 1; y",
        "ａ",  # noqa: RUF001 (NFKC makes an "a" of it)
    ],
)
def test_only_ascii_identifiers_pass(name: str) -> None:
    with pytest.raises(NamingError, match=r"^map .*: not a C identifier$"):
        checked(name, "map")


def test_names_end_somewhere() -> None:
    assert checked("x" * 240, "map") == "x" * 240
    with pytest.raises(NamingError, match="241 characters are too long"):
        checked("x" * 241, "map")


class TestScope:
    def test_names_stay(self) -> None:
        scope = Scope("maps")
        names = ["counts", "_hidden", "match", "type", "case", "x_"]
        assert [scope.add(name, "map") for name in names] == names

    @pytest.mark.parametrize("name", ["class", "None", "async", "lambda", "is"])
    def test_keywords_get_an_underscore(self, name: str) -> None:
        assert Scope("maps").add(name, "map") == f"{name}_"

    def test_reserved_names_too(self) -> None:
        scope = Scope("section", {"rt"}, sunder=True)
        assert scope.add("rt", "global") == "rt_"
        assert scope.add("_x_", "global") == "_x__"
        assert Scope("programs").add("_x_", "program") == "_x_"

    def test_double_underscores_get_nothing(self) -> None:
        scope = Scope("section")
        assert scope.add("__init__", "global") is None
        assert scope.add("__pad", "global") is None

    def test_a_clash_names_both(self) -> None:
        scope = Scope("programs")
        scope.add("class", "program")
        with pytest.raises(NamingError) as caught:
            scope.add("class_", "program")
        assert str(caught.value) == (
            "program 'class_': 'class_' in programs is taken by program 'class'"
        )

    def test_the_same_twice(self) -> None:
        scope = Scope("maps")
        scope.add("m", "map")
        with pytest.raises(NamingError, match="map 'm': 'm' in maps is taken twice"):
            scope.add("m", "map")


# -- whole modules -------------------------------------------------------------


def test_a_type_and_the_skeleton() -> None:
    btf = BtfBuilder()
    btf.add_struct("event", 4, [("a", btf.add_int("int", 4), 0)])
    with pytest.raises(NamingError) as caught:
        generated(blueprint(btf, name="event"), types=("event",))
    assert str(caught.value) == (
        "struct 'event': 'Event' in the module is taken by the skeleton, which --name"
        " can rename"
    )
    assert "class Other(rt.Skeleton)" in generated(
        blueprint(btf, name="other"), types=("event",)
    )


def test_two_types_of_one_class() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    btf.add_struct("foo_bar", 4, [("a", int_id, 0)])
    btf.add_enum("fooBar", [("A", 1)])
    with pytest.raises(NamingError) as caught:
        generated(blueprint(btf), types=("foo_bar", "fooBar"))
    assert str(caught.value) == (
        "enum 'fooBar': class 'FooBar' is taken by struct 'foo_bar'"
    )


def test_one_type_twice() -> None:
    """BTF that was never deduplicated has the same struct once a compile unit."""
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    first = btf.add_struct("event", 4, [("a", int_id, 0)])
    second = btf.add_struct("event", 4, [("a", int_id, 0)])
    maps = (
        MapSpec("m", MapType.HASH, 4, 4, 1, key_type_id=first, value_type_id=second),
    )
    text = generated(blueprint(btf, maps=maps))
    assert text.count("class Event(") == 1
    other = btf.add_struct("event", 4, [("b", int_id, 0)])
    maps = (
        MapSpec("m", MapType.HASH, 4, 4, 1, key_type_id=first, value_type_id=other),
    )
    with pytest.raises(NamingError, match="taken by struct 'event' of another layout"):
        generated(blueprint(btf, maps=maps))


def test_sections_that_meet() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    one = with_globals(btf, ("a", int_id, 4), section=".data.foo.bar")
    other = with_globals(btf, ("b", int_id, 4), section=".data.foo_bar")
    with pytest.raises(NamingError) as caught:
        generated(blueprint(btf, data=(one, other)))
    assert str(caught.value) == (
        "section '.data.foo_bar': 'data_foo_bar' in the skeleton is taken by section"
        " '.data.foo.bar'"
    )


def test_a_map_may_be_named_as_a_section_or_method() -> None:
    maps = tuple(MapSpec(name, MapType.ARRAY, 4, 4, 1) for name in ("bss", "open"))
    module = loaded(generated(blueprint(maps=maps)))
    with module.Demo.open() as skel:
        assert skel.maps.bss.name == "bss"
        assert skel.maps.open.name == "open"


def test_a_program_named_as_the_runtime() -> None:
    """``rt: rt.Link | None`` would not be a type."""
    text = generated(blueprint(programs=(program("rt"), program("other"))))
    assert "        self.rt: rt.Link | None = None\n" in text
    with loaded(text).Demo.open() as skel:
        assert skel.links.rt is None
        assert skel.progs.rt.name == "rt"


def test_nothing_with_double_underscores() -> None:
    maps = (MapSpec("__secret", MapType.ARRAY, 4, 4, 1),)
    module = loaded(generated(blueprint(maps=maps, programs=(program("__main"),))))
    assert module.__all__ == ("Demo",)
    with module.Demo.open() as skel:
        assert not hasattr(skel, "maps")
        assert not hasattr(skel, "progs")
        assert list(skel.object.maps) == ["__secret"]
        assert list(skel.object.programs) == ["__main"]


def test_enumerators() -> None:
    btf = BtfBuilder()
    names = ["None", "name", "value", "mro", "real", "_x_", "__MAX", "PLAIN"]
    btf.add_enum("odd", [(name, number) for number, name in enumerate(names)])
    module = loaded(generated(blueprint(btf), types=("odd",)))
    assert {member.name: member.value for member in module.Odd} == {
        "None_": 0,
        "name_": 1,
        "value_": 2,
        "mro_": 3,
        "real_": 4,
        "_x__": 5,
        "PLAIN": 7,
    }


def test_members_that_python_or_the_class_needs() -> None:
    btf = BtfBuilder()
    u64 = btf.add_int("__u64", 8)
    text = btf.add_array(btf.add_int("char", 1, signed=True), u64, 8)
    names = ["bytes", "int", "rt", "ctypes", "self", "_fields_", "from_buffer", "class"]
    members = [(name, u64, 64 * index) for index, name in enumerate(names)]
    btf.add_struct("stats", 72, [*members, ("comm", text, 512)])
    source = generated(blueprint(btf), types=("stats",))
    assert "    comm: builtins.bytes\n" in source
    assert "    bytes: builtins.int\n" in source
    record = loaded(source).Stats(bytes=1, int=2, self=5, class_=8, comm=b"x")
    assert (record.bytes, record.int, record.self, record.class_) == (1, 2, 5, 8)
    assert (record.rt, record.ctypes_, record._fields__, record.from_buffer_) == (
        0,
        0,
        0,
        0,
    )
    assert record.comm == b"x"


def test_a_member_named_as_a_class_that_the_struct_uses() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    inner = btf.add_struct("inner", 4, [("a", int_id, 0)])
    btf.add_struct("outer", 8, [("Inner", int_id, 0), ("inner", inner, 32)])
    outer = loaded(generated(blueprint(btf), types=("outer",))).Outer
    assert outer(Inner_=3).Inner_ == 3


def test_a_global_named_as_a_class_that_the_section_uses() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    event = btf.add_struct("event", 4, [("a", int_id, 0)])
    data = with_globals(
        btf, ("rt", int_id, 4), ("Event", int_id, 4), ("last", event, 4)
    )
    with loaded(generated(blueprint(btf, data=(data,)))).Demo.open() as skel:
        skel.data.rt_, skel.data.Event_, skel.data.last.a = 1, 2, 3
        assert (skel.data.rt_, skel.data.Event_, skel.data.last.a) == (1, 2, 3)
