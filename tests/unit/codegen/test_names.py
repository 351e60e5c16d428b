"""What C names become in Python; docs/names.md says it to users."""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.codegen.module import Compiled
from skelgen.codegen.names import camel, fit, section_identifier
from skelgen.codegen.render import render
from skelgen.codegen.requests import Requests
from skelgen.codegen.spelling import Scope, Spelling, attribute
from skelgen.errors import ConfigError, NamingError
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec, ObjectSpec
from tests.harness.generating import (
    HEADER,
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
        ("_1st", "C1st"),
        ("__", "C"),
        ("Pair<u32, u64>", "PairU32U64"),
        ("(u32, &str)", "U32Str"),
        ("app::Event", "AppEvent"),
        ("日本", "C"),
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
def test_sections_are_called_by_their_full_name(
    section: str, wanted: str | None
) -> None:
    assert section_identifier(section) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("count", "count"),
        ("_hidden", "_hidden"),
        ("__pid", "c__pid"),
        ("__0", "c__0"),
        ("__dunder__", "c__dunder__"),
        ("___x", "c___x"),
        ("", "c_"),
        ("field one", "field_one"),
        ("a-b", "a_b"),
        ("1st", "c_1st"),
        ("0", "c_0"),
        ("a.b", "a_b"),
        ("naïve", "na_ve"),
        ("x\n", "x"),
        ("x\0", "x"),
        ('a"""\nimport os\n', "a_import_os"),
        ("x = 1; y", "x_1_y"),
        ("ａ", "c_"),  # noqa: RUF001 (NFKC makes an "a" of it)
        ("{impl#0}::run", "impl_0_run"),
        ("Pair<__u32>", "Pair___u32"),
        ("<<>>", "c_"),
    ],
)
def test_names_of_attributes_are_made_identifiers(name: str, wanted: str) -> None:
    assert fit(name) == wanted
    assert wanted.isidentifier()


def test_names_are_cut_at_240_characters() -> None:
    assert fit("x" * 240) == "x" * 240
    assert fit("x" * 100_000) == "x" * 240


def spelled(scope: Scope, *names: str) -> list[str]:
    wanted = [attribute(name, "map") for name in names]
    return [name for name, _ in scope.add_all(wanted)]


def in_scope(*names: str) -> list[str]:
    return spelled(Scope(Spelling(), "maps"), *names)


class TestScope:
    def test_names_that_python_takes_stay(self) -> None:
        names = ["counts", "_hidden", "match", "type", "case", "x_"]
        assert in_scope(*names) == names

    @pytest.mark.parametrize("name", ["class", "None", "async", "lambda", "is"])
    def test_keywords_get_an_underscore(self, name: str) -> None:
        assert in_scope(name) == [f"{name}_"]

    def test_reserved_names_get_an_underscore_too(self) -> None:
        scope = Scope(Spelling(), "bss", {"rt"}, sunder=True)
        assert spelled(scope, "rt", "_x_") == ["rt_", "_x__"]
        assert in_scope("_x_") == ["_x_"]

    def test_who_needs_no_change_keeps_the_name(self) -> None:
        assert in_scope("def", "def_") == ["def_2", "def_"]
        assert in_scope("def_", "def") == ["def_", "def_2"]
        assert in_scope("field one", "field_one") == ["field_one_2", "field_one"]
        assert in_scope("__x", "c__x") == ["c__x_2", "c__x"]

    def test_the_next_are_numbered(self) -> None:
        assert in_scope("a b", "a-b", "a.b", "a_b_2") == [
            "a_b",
            "a_b_3",
            "a_b_4",
            "a_b_2",
        ]
        assert in_scope("m", "m") == ["m", "m_2"]

    def test_changes_that_nobody_would_expect_are_told(self) -> None:
        spelling = Spelling()
        scope = Scope(spelling, "maps")
        spelled(scope, "plain", "class", "__x", "def", "def_", "a b")
        assert not spelling.notes
        scope.tell()
        assert list(spelling.notes.values()) == [
            "map 'def' is 'maps.def_2', for 'def_' is map 'def_'",
            "map 'a b' is 'maps.a_b'",
        ]

    def test_many_of_one_name_take_linear_time(self) -> None:
        names = in_scope(*["m"] * 20_000)
        assert names[-1] == "m_20000"
        assert len(set(names)) == 20_000


class TestRename:
    def scope(self, **renames: str) -> tuple[Spelling, Scope]:
        spelling = Spelling(
            {f"maps.{old}": new for old, new in renames.items()}.items()
        )
        return spelling, Scope(spelling, "maps", {"rt"})

    def test_a_rename_changes_one_name_and_no_other(self) -> None:
        spelling, scope = self.scope(def_="define", plain="simple")
        assert spelled(scope, "def", "def_", "plain") == ["def_2", "define", "simple"]
        scope.tell()
        spelling.check()
        assert list(spelling.notes.values()) == [
            "map 'def' is 'maps.def_2', for 'def_' is map 'def_'"
        ]

    def test_names_may_change_places(self) -> None:
        _, scope = self.scope(a="b", b="a")
        assert spelled(scope, "a", "b") == ["b", "a"]

    @pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
    def test_what_another_has_is_refused(self, names: tuple[str, str]) -> None:
        _, scope = self.scope(a="b")
        with pytest.raises(NamingError, match=r"^rename 'maps\.a': 'b' is map 'b'$"):
            spelled(scope, *names)

    def test_one_name_for_two_is_refused(self) -> None:
        _, scope = self.scope(a="c", b="c")
        with pytest.raises(NamingError, match=r"^rename 'maps\.b': 'c' is map 'a'$"):
            spelled(scope, "a", "b")

    @pytest.mark.parametrize("name", ["rt", "class"])
    def test_what_python_or_the_class_needs_is_refused(self, name: str) -> None:
        _, scope = self.scope(a=name)
        with pytest.raises(NamingError, match="a name that Python or the class needs"):
            spelled(scope, "a")

    def test_a_rename_of_what_is_not_there_offers_a_near_name(self) -> None:
        spelling, scope = self.scope(classs_="klass")
        spelled(scope, "class")
        scope.tell()
        with pytest.raises(ConfigError) as caught:
            spelling.check()
        assert str(caught.value) == (
            "rename 'maps.classs_': the module has no such name; did you mean"
            " 'maps.class_'?"
        )


# -- whole modules -------------------------------------------------------------


def told(spec: ObjectSpec, types: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what a build says of the names."""
    btf = None if spec.btf is None else Btf(spec.view(spec.btf))
    return render([Compiled(spec, btf)], Requests(types), HEADER).notes


def test_a_type_gives_way_to_the_skeleton() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    for name in ("event", "event_maps", "event_progs", "event_bss", "rt", "final"):
        btf.add_struct(name, 4, [("a", int_id, 0)])
    types = ("event", "event_maps", "event_progs", "event_bss", "rt", "final")
    maps = (MapSpec("m", MapType.ARRAY, 4, 4, 1),)
    spec = blueprint(btf, name="event", maps=maps)
    module = loaded(generated(spec, types=types))
    assert {
        cls: getattr(module, cls).__mro__[1].__name__ for cls in module.__all__
    } == {
        "Event": "Skeleton",
        "EventMaps": "Namespace",
        "Event_": "Struct",
        "EventMaps_": "Struct",
        "EventProgs": "Struct",  # there are no programs
        "EventBss": "Struct",
        "Rt": "Struct",
        "Final_": "Struct",
    }
    notes = told(spec, types=types)
    assert "struct 'event' is 'Event_', for 'Event' is the skeleton" in notes
    assert len(notes) == 3
    # a name that --name gives changes nothing but what it clashes with
    text = generated(blueprint(btf, name="other"), types=("event",))
    assert "class Event(rt.Struct, size=4)" in text
    assert "class Other(rt.Skeleton)" in text


def test_two_types_of_one_class_name_are_numbered() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    first = btf.add_struct("foo_bar", 4, [("a", int_id, 0)])
    second = btf.add_enum("fooBar", [("A", 1)])
    third = btf.add_struct("FooBar", 4, [("c", int_id, 0)])
    data = with_globals(btf, ("x", second, 4), ("y", first, 4), ("z", third, 4))
    text = generated(blueprint(btf, data=(data,)))
    assert 'class FooBar(rt.Struct, size=4):\n    """``struct FooBar``' in text
    assert 'class FooBar_2(rt.Struct, size=4):\n    """``struct foo_bar``' in text
    assert 'class FooBar_3(enum.IntEnum):\n    """``enum fooBar``' in text


def test_names_of_types_do_not_depend_on_options() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    btf.add_struct("FooBar", 4, [("a", int_id, 0)])
    used = btf.add_struct("foo_bar", 4, [("b", int_id, 0)])
    rb = MapSpec("rb", MapType.RINGBUF, max_entries=4096)
    spec = blueprint(btf, data=(with_globals(btf, ("x", used, 4)),), maps=(rb,))
    for options in ({"types": ("FooBar",)}, {"records": (("rb", "FooBar"),)}):
        text = generated(spec, **options)  # type: ignore[arg-type] # one of each
        assert 'class FooBar(rt.Struct, size=4):\n    """``struct foo_bar``' in text
        assert 'class FooBar_2(rt.Struct, size=4):\n    """``struct FooBar``' in text


def test_a_name_of_its_own_goes_before_one_of_its_use() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    inner = btf.add_struct("", 4, [("a", int_id, 0)])
    outer = btf.add_struct("outer", 4, [("in", inner, 0)])
    other = btf.add_struct("outer_in", 4, [("z", int_id, 0)])
    data = with_globals(btf, ("o", outer, 4), ("i", other, 4))
    spec = blueprint(btf, data=(data,))
    module = loaded(generated(spec))
    assert module.OuterIn(z=1)
    assert module.OuterIn_2(a=1)
    (note,) = told(spec)
    assert note == (
        "the struct of struct 'outer', member 'in' is 'OuterIn_2', for 'OuterIn' is"
        " struct 'outer_in'"
    )


def test_one_type_twice_is_one_class() -> None:
    """BTF that was never deduplicated has the same struct once a compile unit."""
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    inner = [btf.add_struct("inner", 4, [("a", int_id, 0)]) for _ in range(2)]
    first = btf.add_struct("event", 4, [("a", inner[0], 0)])
    second = btf.add_struct("event", 4, [("a", inner[1], 0)])
    maps = (
        MapSpec("m", MapType.HASH, 4, 4, 1, key_type_id=first, value_type_id=second),
    )
    text = generated(blueprint(btf, maps=maps))
    assert text.count("class Event(") == text.count("class Inner(") == 1
    assert "key=rt.struct(Event), value=rt.struct(Event)" in text
    other = btf.add_struct("event", 4, [("b", int_id, 0)])
    maps = (
        MapSpec("m", MapType.HASH, 4, 4, 1, key_type_id=first, value_type_id=other),
    )
    spec = blueprint(btf, maps=maps)
    assert "key=rt.struct(Event), value=rt.struct(Event_2)" in generated(spec)
    assert told(spec) == (
        "struct 'event' is 'Event_2', for 'Event' is another struct 'event'",
    )
    text = generated(spec, renames=(("Event_2", "Other"), ("Event_2.b", "c")))
    assert "class Other(rt.Struct, size=4):" in text
    assert "    c: int = rt.member(" in text


def test_sections_that_meet_are_numbered() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    one = with_globals(btf, ("a", int_id, 4), section=".data.foo.bar")
    other = with_globals(btf, ("b", int_id, 4), section=".data.foo_bar")
    third = with_globals(btf, ("c", int_id, 4), section=".data.fooBar")
    module = loaded(generated(blueprint(btf, data=(one, other, third))))
    with module.Demo.open() as skel:
        skel.data_foo_bar.a, skel.data_foo_bar_2.b, skel.data_fooBar.c = 1, 2, 3
        names = [".data.foo.bar", ".data.foo_bar", ".data.fooBar"]
        values = [skel.object.section(name).read(0, 1)[0] for name in names]
        assert values == [1, 2, 3]
    assert (
        len(
            {"DemoDataFooBar", "DemoDataFooBar2", "DemoDataFooBar_2"}
            & set(module.__all__)
        )
        == 3
    )


def test_renames_reach_every_kind_of_name() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    level = btf.add_enum("level", [("LOW", 0), ("HIGH", 1)])
    event = btf.add_struct("event", 8, [("pid", int_id, 0), ("level", level, 32)])
    data = with_globals(btf, ("last", event, 8), section=".data.x")
    spec = blueprint(
        btf,
        data=(data,),
        maps=(MapSpec("m", MapType.ARRAY, 4, 4, 1),),
        programs=(program("prog"),),
    )
    renames = {
        "Event": "Record",
        "Event.pid": "process",
        "Level": "Severity",
        "Level.LOW": "CALM",
        "data_x": "extra",
        "data_x.last": "latest",
        "DemoDataX": "Extra",
        "maps.m": "counts",
        "progs.prog": "run",
    }
    text = generated(spec, renames=tuple(renames.items()))
    module = loaded(text)
    assert module.Severity.CALM == 0
    with module.Demo.open() as skel:
        skel.extra.latest = module.Record(process=4)
        assert skel.extra.latest.process == 4
        assert (skel.maps.counts.name, skel.progs.run.name) == ("m", "prog")
        assert skel.links.run is None
    for old, new in renames.items():
        with pytest.raises(ConfigError, match=f"^rename '{old}x': the module has no"):
            generated(spec, renames=((f"{old}x", new),))
    for fixed in ("Demo", "DemoMaps", "DemoLinks"):
        with pytest.raises(
            ConfigError, match="--name names the skeleton, and its parts"
        ):
            generated(spec, renames=((fixed, "X"),))
    with pytest.raises(NamingError, match=r"^rename 'Event': 'Demo' is the skeleton$"):
        generated(spec, renames=(("Event", "Demo"),))


@pytest.mark.parametrize("hidden", ["int", "bytes", "super", "staticmethod", "self"])
def test_no_class_is_renamed_to_what_the_module_itself_uses(hidden: str) -> None:
    btf = BtfBuilder()
    event = btf.add_struct("event", 4, [("pid", btf.add_int("int", 4), 0)])
    spec = blueprint(btf, data=(with_globals(btf, ("last", event, 4)),))
    for path in ("Event", "DemoData"):
        with pytest.raises(NamingError, match=f"'{hidden}' is a name that Python"):
            generated(spec, renames=((path, hidden),))
    module = loaded(generated(spec, renames=(("Event.pid", hidden),)))
    assert getattr(module.Event(**{hidden: 4}), hidden) == 4


def test_a_map_may_be_named_as_a_section_or_method() -> None:
    maps = tuple(MapSpec(name, MapType.ARRAY, 4, 4, 1) for name in ("bss", "open"))
    module = loaded(generated(blueprint(maps=maps)))
    with module.Demo.open() as skel:
        assert skel.maps.bss.name == "bss"
        assert skel.maps.open.name == "open"


def test_a_program_named_as_the_runtime_hides_nothing() -> None:
    """``rt: rt.Link | None`` would not be a type."""
    text = generated(blueprint(programs=(program("rt"), program("other"))))
    assert "        self.rt: rt.Link | None = None\n" in text
    with loaded(text).Demo.open() as skel:
        assert skel.links.rt is None
        assert skel.progs.rt.name == "rt"


def test_names_that_python_would_mangle_get_a_prefix() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    event = btf.add_struct("__event", 4, [("__pid", int_id, 0)])
    spec = blueprint(
        btf,
        maps=(MapSpec("__secret", MapType.ARRAY, 4, 4, 1),),
        programs=(program("__main"),),
        data=(with_globals(btf, ("__last", event, 4), ("__init__", int_id, 4)),),
    )
    assert told(spec) == ()
    module = loaded(generated(spec))
    with module.Demo.open() as skel:
        assert skel.maps.c__secret.name == "__secret"
        assert skel.progs.c__main.name == "__main"
        assert skel.links.c__main is None
        skel.data.c__last = module.Event(c__pid=3)
        skel.data.c__init__ = 4
        assert (skel.data.c__last.c__pid, skel.data.c__init__) == (3, 4)


def test_enumerators_that_python_needs_get_an_underscore() -> None:
    btf = BtfBuilder()
    names = ["None", "name", "value", "mro", "real", "_x_", "__MAX", "PLAIN", "a b"]
    btf.add_enum("odd", [(name, number) for number, name in enumerate(names)])
    module = loaded(generated(blueprint(btf), types=("odd",)))
    assert {member.name: member.value for member in module.Odd} == {
        "None_": 0,
        "name_": 1,
        "value_": 2,
        "mro_": 3,
        "real_": 4,
        "_x__": 5,
        "c__MAX": 6,
        "PLAIN": 7,
        "a_b": 8,
    }


def test_members_named_as_builtins_stay_and_reserved_ones_change() -> None:
    btf = BtfBuilder()
    u64 = btf.add_int("__u64", 8)
    text = btf.add_array(btf.add_int("char", 1, signed=True), u64, 8)
    names = ["bytes", "int", "rt", "ctypes", "self", "_fields_", "from_buffer", "class"]
    members = [(name, u64, 64 * index) for index, name in enumerate(names)]
    btf.add_struct("stats", 72, [*members, ("comm", text, 512)])
    source = generated(blueprint(btf), types=("stats",))
    assert "    comm: builtins.bytes = rt.member(" in source
    assert "    bytes: builtins.int = rt.member(" in source
    record = loaded(source).Stats(bytes=1, int=2, self=5, class_=8, comm=b"x")
    assert (record.bytes, record.int, record.self, record.class_) == (1, 2, 5, 8)
    assert (record.rt_, record.ctypes, record._fields__, record.from_buffer_) == (
        0,
        0,
        0,
        0,
    )
    assert record.comm == b"x"


def test_a_member_named_as_a_class_that_the_struct_uses_gets_an_underscore() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    inner = btf.add_struct("inner", 4, [("a", int_id, 0)])
    btf.add_struct("outer", 8, [("Inner", int_id, 0), ("inner", inner, 32)])
    outer = loaded(generated(blueprint(btf), types=("outer",))).Outer
    assert outer(Inner_=3).Inner_ == 3


def test_a_global_named_as_a_class_that_the_section_uses_gets_an_underscore() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    event = btf.add_struct("event", 4, [("a", int_id, 0)])
    data = with_globals(
        btf, ("rt", int_id, 4), ("Event", int_id, 4), ("last", event, 4)
    )
    with loaded(generated(blueprint(btf, data=(data,)))).Demo.open() as skel:
        skel.data.rt_, skel.data.Event_, skel.data.last.a = 1, 2, 3
        assert (skel.data.rt_, skel.data.Event_, skel.data.last.a) == (1, 2, 3)
