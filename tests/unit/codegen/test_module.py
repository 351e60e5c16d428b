"""Whole modules: what they say, that they are black's, that no object gets code in."""

import ast
import subprocess
import sys
from pathlib import Path

import jinja2
import jinja2.bccache
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skelgen import templates
from skelgen.btf.build import BtfBuilder
from skelgen.codegen import render
from skelgen.codegen.render import ABI, Header, blackened
from skelgen.errors import ConfigError, NamingError, SkelgenError
from skelgen.model import attach
from skelgen.model.enums import MapType
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    ExternKind,
    ExternSpec,
    KconfigType,
    MapSpec,
    ObjectSpec,
    Span,
    StructOpsSpec,
)
from tests.harness.generating import (
    HEADER,
    blueprint,
    generated,
    loaded,
    program,
    with_globals,
)
from tests.harness.sources import ROOT

HOSTILE = [
    'x"""\nimport os\nos.system("id")\n"""',
    "x'''\nraise SystemExit\n'''",
    "\\",
    '\\"""',
    "``",
    "{{ 7 * 7 }}{% for x in y %}",
    "\r\nimport os",
    "\u2028import os",
    "\0",
    "# fmt: on\n",
]

# Every kind of node that a module may be made of.
ALLOWED = frozenset(
    [
        "Module",
        "Expr",
        "Constant",
        "Import",
        "ImportFrom",
        "alias",
        "If",
        "Assign",
        "AnnAssign",
        "Name",
        "Load",
        "Store",
        "ClassDef",
        "FunctionDef",
        "arguments",
        "arg",
        "Return",
        "Call",
        "Attribute",
        "keyword",
        "Tuple",
        "List",
        "BinOp",
        "BitOr",
        "Subscript",
        "UnaryOp",
        "USub",
    ]
)
CALLED = frozenset({"rt", "obj", "super"})


def check(text: str) -> None:
    """Assert that a module has nothing in it but what the templates can write."""
    assert text.isascii()
    tree = ast.parse(text)
    found = {type(node).__name__ for node in ast.walk(tree)}
    assert found <= ALLOWED, found - ALLOWED
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            root: ast.expr = node.func
            while isinstance(root, ast.Attribute | ast.Call):
                root = root.value if isinstance(root, ast.Attribute) else root.func
            assert isinstance(root, ast.Name)
            assert root.id in CALLED | classes, ast.unparse(node)
        elif isinstance(node, ast.Import):
            names = {name.name for name in node.names}
            assert names <= {"builtins", "enum", "functools"}
        elif isinstance(node, ast.ImportFrom):
            assert node.module in {"__future__", "typing", "skelgen", "collections.abc"}


# -- hostile text --------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_is_no_name(text: str) -> None:
    spec = blueprint(
        source=text,
        license=text,
        programs=(
            program("p", text, attach.Uprobe(text, text)),
            program("q", text, attach.Tracepoint(text, text))._replace(autoload=False),
        ),
    )
    header = Header("0.0", "x", "skelgen x", ("0",))
    made = generated(spec, header=header)
    check(made)
    assert loaded(made).Demo.spec() == spec


@pytest.mark.parametrize("text", HOSTILE)
def test_names(text: str) -> None:
    """They are made identifiers; only the object's own has to be one."""
    with pytest.raises(NamingError):
        generated(blueprint(name=text))
    spec = blueprint(
        maps=(MapSpec(text, MapType.HASH, 4, 4, 1),), programs=(program(text),)
    )
    made = generated(spec)
    check(made)
    assert loaded(made).Demo.spec() == spec
    if "\0" in text:
        return  # BTF's strings end there
    btf = BtfBuilder()
    enum = btf.add_enum(text, [(text, 1)])
    typedef = btf.add_typedef(text, btf.add_struct("", 4, [(text, enum, 0)]))
    struct = btf.add_struct(text, 4, [(text, typedef, 0)])
    data = with_globals(btf, (text, struct, 4))
    ops = StructOpsSpec(text, ".struct_ops", struct, text, Span(0, 4))
    made = generated(blueprint(btf, data=(data,), struct_ops=(ops,)), types=(text,))
    check(made)
    assert len(loaded(made).__all__) == 9


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text])
def test_types_whose_names_are_only_shown(text: str) -> None:
    """Names of typedefs, tags, pointees and parameters are in docstrings alone."""
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    ptr = btf.add_ptr(btf.add_fwd(text))
    function = btf.add_ptr(btf.add_func_proto(int_id, [(text, int_id)]))
    typedef = btf.add_typedef(text, int_id)
    tagged = btf.add_type_tag(text, int_id)
    data = with_globals(
        btf, ("a", ptr, 8), ("b", function, 8), ("c", typedef, 4), ("d", tagged, 4)
    )
    check(generated(blueprint(btf, data=(data,))))


@pytest.mark.parametrize("text", HOSTILE)
def test_sections(text: str) -> None:
    btf = BtfBuilder()
    data = with_globals(btf, ("a", btf.add_int("int", 4), 4), section=".data.x")
    spec = blueprint(btf, data=(data._replace(section=f".data{text}"),))
    made = generated(spec)
    check(made)
    assert loaded(made).Demo.spec() == spec


# -- any object ----------------------------------------------------------------

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True) | st.builds(
    "a".__mul__, st.integers(1, 120)
)
# a name in an object ends at its first NUL
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=100)


@st.composite
def objects(draw: st.DrawFn) -> tuple[ObjectSpec, tuple[str, ...]]:
    """Return an object with a bit of everything, and types to ask for."""
    btf = BtfBuilder()
    scalars = [
        btf.add_int("int", 4, signed=True),
        btf.add_int("unsigned long long", 8),
        btf.add_int("__int128", 16),
        btf.add_int("_Bool", 1, bool=True),
        btf.add_ptr(0),
    ]
    sizes = [4, 8, 16, 1, 8]
    char = btf.add_int("char", 1, signed=True)
    known = list(zip(scalars, sizes, strict=True))
    types = []
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        members = []
        end = 0
        for member in draw(st.lists(NAMES, max_size=5, unique=True)):
            type_id, size = draw(st.sampled_from(known))
            end += draw(st.integers(0, 3))
            members.append((member, type_id, 8 * end))
            end += size
        known.append((btf.add_struct(name, end, members), end))
        types.append(name)
        length = draw(st.integers(0, 20))
        known.append((btf.add_array(char, scalars[0], length), length))
        known.append((btf.add_array(known[-2][0], scalars[0], 2), 2 * end))
    values = st.tuples(NAMES, st.integers(-(1 << 31), (1 << 31) - 1))
    enum = btf.add_enum(
        draw(NAMES), draw(st.lists(values, max_size=5, unique_by=lambda pair: pair[0]))
    )
    known.append((enum, 4))
    variables = [
        (name, *draw(st.sampled_from(known)))
        for name in draw(st.lists(NAMES, max_size=5, unique=True))
    ]
    prefixes = st.lists(st.sampled_from([".data.", ".rodata."]), unique=True)
    data = tuple(
        with_globals(btf, *variables, section=prefix)._replace(
            section=prefix + draw(TEXT)
        )
        for prefix in draw(prefixes)
    )
    maps = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        (key, key_size), (value, value_size) = (
            draw(st.sampled_from(known)),
            draw(st.sampled_from(known)),
        )
        kind = draw(st.sampled_from([*MapType, 99]))
        maps.append(
            MapSpec(
                name,
                kind,
                key_size,
                value_size,
                draw(st.integers(0, 1 << 32)),
                key_type_id=draw(st.sampled_from([0, key])),
                value_type_id=draw(st.sampled_from([0, value])),
            )
        )
    programs = tuple(
        program(name, draw(TEXT), attach.Kprobe(draw(TEXT)))
        for name in draw(st.lists(NAMES, max_size=4, unique=True))
    )
    spec = blueprint(
        btf,
        name=draw(NAMES),
        source=draw(TEXT),
        license=draw(TEXT),
        maps=tuple(maps),
        data=data,
        programs=programs,
    )
    return spec, tuple(types)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(objects())
def test_any_object(made: tuple[ObjectSpec, tuple[str, ...]]) -> None:
    spec, types = made
    try:
        text = generated(spec, types=types)
    except SkelgenError as error:
        assert "\n" not in str(error)  # noqa: PT017 (a module will do as well)
        return
    check(text)
    assert blackened(text) == text
    module = loaded(text)
    skeletons = [getattr(module, name) for name in module.__all__]
    skeleton = next(cls for cls in skeletons if hasattr(cls, "spec"))
    assert skeleton.spec() == spec
    with skeleton.open() as skel:
        repr(skel)


# -- what a module says --------------------------------------------------------


def test_header() -> None:
    lines = generated(blueprint(), header=HEADER).split("\n")
    assert lines[:5] == [
        "# @generated by skelgen 0.0 from demo.bpf.o. DO NOT EDIT.",
        "# Regenerate with: skelgen demo.bpf.o",
        f"# Input: sha256:{'0' * 64}",
        "# ruff: noqa",
        '"""Typed skeleton of the BPF object ``demo``.',
    ]
    assert f"rt.require_abi({ABI})" in lines


def test_abi_is_the_runtimes() -> None:
    from skelgen import runtime

    assert ABI == runtime.ABI


def test_the_smallest_module() -> None:
    text = generated(blueprint())
    check(text)
    module = loaded(text)
    assert module.__all__ == ("Demo",)
    with module.Demo.open() as skel:
        assert {name for name in dir(skel) if not name.startswith("_")} == {
            "attach",
            "destroy",
            "detach",
            "load",
            "object",
            "open",
            "open_and_load",
            "pin",
            "prepare",
            "spec",
            "unpin",
        }


@pytest.mark.parametrize(
    ("kind", "key", "value", "wanted"),
    [
        (
            MapType.HASH,
            4,
            8,
            "rt.HashMap(obj.map('m'), key=rt.Bytes(4), value=rt.Bytes(8))",
        ),
        (MapType.LRU_HASH, 4, 8, "rt.HashMap("),
        (MapType.PERCPU_HASH, 4, 8, "rt.PerCpuHashMap("),
        (MapType.LRU_PERCPU_HASH, 4, 8, "rt.PerCpuHashMap("),
        (MapType.ARRAY, 4, 8, "rt.ArrayMap(obj.map('m'), value=rt.Bytes(8))"),
        (
            MapType.PERCPU_ARRAY,
            4,
            8,
            "rt.PerCpuArrayMap(obj.map('m'), value=rt.Bytes(8))",
        ),
        (MapType.PROG_ARRAY, 4, 4, "rt.ProgArray(obj.map('m'))"),
        (MapType.RINGBUF, 0, 0, "rt.RingBuf(obj.map('m'), record=None)"),
        (
            MapType.QUEUE,
            0,
            8,
            "rt.GenericMap(obj.map('m'), key=rt.Bytes(0), value=rt.Bytes(8))",
        ),
        (MapType.XSKMAP, 4, 4, "rt.GenericMap(obj.map('m'), key=rt.U32, value=rt.U32)"),
        (MapType.STACK_TRACE, 4, 1016, "key=rt.U32, value=rt.Bytes(1016))"),
        (MapType.ARRAY_OF_MAPS, 4, 4, "key=rt.U32, value=rt.U32)"),
        (99, 4, 4, "rt.GenericMap(obj.map('m'), key=rt.Bytes(4), value=rt.Bytes(4))"),
    ],
)
def test_families_of_maps(kind: int, key: int, value: int, wanted: str) -> None:
    spec = MapSpec("m", kind, key, value, 4096)
    text = generated(blueprint(maps=(spec,)))
    joined = " ".join(text.split()).replace("( ", "(").replace(" )", ")")
    assert f"self.m: Final = {wanted}".replace("'", '"') in joined or (
        wanted.startswith("key") and wanted in joined
    )
    with loaded(text).Demo.open() as skel:
        assert skel.maps.m.name == "m"


def test_records() -> None:
    btf = BtfBuilder()
    btf.add_struct("event", 4, [("a", btf.add_int("int", 4), 0)])
    maps = (
        MapSpec("rb", MapType.RINGBUF, max_entries=4096),
        MapSpec("hash", MapType.HASH, 4, 4, 1),
    )
    spec = blueprint(btf, maps=maps)
    text = generated(spec, records=(("rb", "struct event"),))
    assert 'rt.RingBuf(obj.map("rb"), record=rt.struct(Event))' in text
    assert "``BPF_MAP_TYPE_RINGBUF`` of ``struct event``, 4096 bytes." in text
    assert "for event in skel.maps.rb.poll(timeout=1.0):" in text
    assert "print(event.a)" in text
    for records, message in (
        ((("rc", "event"),), "record 'rc': no such map; there are: hash, rb"),
        (
            (("hash", "event"),),
            "record 'hash': the map is a BPF_MAP_TYPE_HASH, not a ring buffer",
        ),
        ((("rb", "evil"),), "type 'evil': neither BTF nor DWARF defines it"),
        ((("rb", "event"), ("rb", "event")), "record 'rb': given twice"),
    ):
        with pytest.raises(ConfigError) as caught:
            generated(spec, records=records)
        assert str(caught.value) == message


def test_a_struct_before_a_typedef_of_its_name() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    btf.add_typedef("thing", int_id)
    btf.add_struct("thing", 4, [("a", int_id, 0)])
    btf.add_union("thing", 4, [("b", int_id, 0)])
    module = loaded(generated(blueprint(btf), types=("thing",)))
    assert module.Thing(a=1).a == 1
    module = loaded(generated(blueprint(btf), types=("union thing",)))
    assert module.Thing(b=1).b == 1


def test_kconfig() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4, signed=True)
    flag = btf.add_int("_Bool", 1, bool=True)
    externs = (
        ExternSpec(
            "CONFIG_HZ", ExternKind.KCONFIG, False, int_id, KconfigType.INT, 0, 4
        ),
        ExternSpec(
            "CONFIG_BPF", ExternKind.KCONFIG, False, flag, KconfigType.BOOL, 4, 1
        ),
        ExternSpec("some_symbol", ExternKind.KSYM),
    )
    data = (DataSpec(".kconfig", DataKind.KCONFIG, size=5),)
    text = generated(blueprint(btf, data=data, externs=externs))
    assert "CONFIG_HZ = rt.Global(rt.I32, offset=0)" in text
    assert "CONFIG_BPF = rt.Global(rt.BOOL, offset=4)" in text
    assert "``.kconfig``: the kernel's configuration, known after ``load()``." in text
    assert "some_symbol = " not in text


def test_statics_are_left_out() -> None:
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    hidden = btf.add_var("hidden", int_id, linkage=0)
    shown = btf.add_var("shown", int_id)
    section = btf.add_datasec(".data", 8, [(hidden, 0, 4), (shown, 4, 4)])
    data = DataSpec(".data", DataKind.DATA, size=8, mmapable=True, type_id=section)
    text = generated(blueprint(btf, data=(data,)))
    assert "shown = rt.Global(rt.U32, offset=4)" in text
    assert "hidden" not in text.partition("_IMAGE")[0]


def test_a_section_of_statics_has_no_attribute() -> None:
    btf = BtfBuilder()
    var = btf.add_var("hidden", btf.add_int("int", 4), linkage=0)
    section = btf.add_datasec(".bss", 4, [(var, 0, 4)])
    data = DataSpec(".bss", DataKind.BSS, size=4, type_id=section)
    text = generated(blueprint(btf, data=(data,)))
    assert "class DemoBss" not in text
    assert 'rt.DataSpec(".bss", rt.DataKind.BSS, size=4, type_id=3)' in text


def test_long_names_go_through_black() -> None:
    long = "x" * 100
    btf = BtfBuilder()
    int_id = btf.add_int("int", 4)
    btf.add_enum(f"{long}e", [(f"{long}a", 1 << 30)])
    struct = btf.add_struct(f"{long}s", 4, [(f"{long}m", int_id, 0)])
    data = with_globals(btf, (f"{long}g", struct, 4))
    maps = (MapSpec(f"{long}m", MapType.HASH, 4, 4, 1, key_type_id=int_id),)
    spec = blueprint(btf, name=long, data=(data,), maps=maps, programs=(program(long),))
    text = generated(spec, types=(f"{long}e",))
    assert blackened(text) == text
    check(text)
    loaded(text)


def test_black_is_not_even_imported_for_others() -> None:
    code = (
        "import sys; from tests.harness.generating import *;"
        " generated(blueprint()); sys.exit('black' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == 0


@pytest.mark.parametrize("writes", [True, False])
def test_compiled_templates_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    monkeypatch.setattr(templates, "__path__", [str(tmp_path)])
    for path in (ROOT / "templates").glob("*.j2"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    wanted = generated(blueprint())
    for _ in range(2):  # the second time, they are there
        render._environment.cache_clear()
        try:
            assert generated(blueprint()) == wanted
        finally:
            render._environment.cache_clear()
        assert bool(list(tmp_path.glob("__pycache__/*.jinja"))) is writes
    (tmp_path / "skeleton.py.j2").write_text("# other\n", "utf-8")
    assert generated(blueprint()).partition("# other")[2].strip().startswith("# Prog")
    render._environment.cache_clear()


def test_compiled_templates_that_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    cache = render._Compiled(str(tmp_path / "no" / "folder"))
    environment = jinja2.Environment(bytecode_cache=cache, autoescape=True)
    assert environment.from_string("{{ 1 + 1 }}").render() == "2"
    bucket = jinja2.bccache.Bucket(environment, "key", "checksum")
    bucket.code = compile("1", "x", "eval")
    cache.dump_bytecode(bucket)
    assert not list(tmp_path.iterdir())
