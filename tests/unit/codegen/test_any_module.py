"""Whatever an object is called and has, its module is a module, and no code gets in."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.codegen.render import Header, blackened
from skelgen.errors import NamingError, SkelgenError
from skelgen.model import attach
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec, ObjectSpec, Span, StructOpsSpec
from tests.harness.generating import blueprint, generated, loaded, program, with_globals
from tests.harness.module_checks import check

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


@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_is_no_name_comes_back_as_it_was(text: str) -> None:
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
def test_names_are_made_identifiers(text: str) -> None:
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
def test_names_that_are_only_shown_let_no_code_in(text: str) -> None:
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
def test_names_of_sections_let_no_code_in_and_stay(text: str) -> None:
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


# a name in an object ends at its first NUL, and what is not UTF-8 in it is escaped
TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=100
)
# the name of a file may have any bytes
FILES = st.text(st.characters(exclude_characters="\0"), max_size=100)


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
        source=draw(FILES),
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
def test_any_object_gives_a_sound_module_or_one_line_of_error(
    made: tuple[ObjectSpec, tuple[str, ...]],
) -> None:
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
