"""Reading [tool.skelgen]."""

import re

import pytest

from skelgen.build.config import SkeletonConfig, parse, read_pyproject
from skelgen.build.options import Options
from skelgen.compiler.clang import CompileOptions
from skelgen.compiler.targets import find_target
from skelgen.errors import ConfigError
from tests.harness.sources import ROOT

GOOD = """
[project]
name = "mytool"

[tool.skelgen]
includes = ["bpf/include"]
cflags = ["-DA"]

[[tool.skelgen.skeletons]]
source = "bpf/trace.bpf.c"
module = "mytool.trace_skel"
types = ["event"]
records = { rb = "event" }
rename = { "Event.c__pad" = "pad", Stats_2 = "Other" }
cflags = ["-DB"]

[[tool.skelgen.skeletons]]
source = "bpf/net.bpf.o"
module = "mytool.net_skel"
name = "netty"
cpu = "v4"
targets = ["s390x"]
"""


def read(tmp_path, text):
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    return read_pyproject(path)


def test_every_key_is_read(tmp_path):
    config = read(tmp_path, GOOD)
    assert config.root == tmp_path
    assert config.skeletons == (
        SkeletonConfig(
            source="bpf/trace.bpf.c",
            module="mytool.trace_skel",
            options=Options(
                types=("event",),
                records=(("rb", "event"),),
                renames=(("Event.c__pad", "pad"), ("Stats_2", "Other")),
            ),
            compile=CompileOptions(includes=("bpf/include",), cflags=("-DA", "-DB")),
        ),
        SkeletonConfig(
            source="bpf/net.bpf.o",
            module="mytool.net_skel",
            options=Options(name="netty"),
            compile=CompileOptions(
                includes=("bpf/include",), cflags=("-DA",), cpu="v4"
            ),
            targets=(find_target("s390x"),),
        ),
    )
    assert [skeleton.is_c for skeleton in config.skeletons] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'x'\n",
        "[project]\nname = 'x'\ndependencies = ['skelgen']\n",
        "[tool.black]\n",
    ],
)
def test_a_project_without_the_table_is_left_alone(tmp_path, text):
    assert read(tmp_path, text) is None


ONE = "[[tool.skelgen.skeletons]]\nsource = 'a.bpf.c'\nmodule = 'p.a'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool]\nskelgen = 3", "tool.skelgen: must be a table"),
        ("[tool.skelgen]", "tool.skelgen.skeletons: at least one [[tool.skelgen."),
        (
            "[tool.skelgen]\ntypo = 1\n" + ONE,
            "tool.skelgen.typo: unknown key; known are skeletons, includes, cflags",
        ),
        (
            ONE + "sorce = 'x'\n",
            "tool.skelgen.skeletons[0].sorce: unknown key; known are source, module",
        ),
        (
            "[[tool.skelgen.skeletons]]\nmodule = 'p.a'\n",
            "tool.skelgen.skeletons[0]: the key 'source' is missing",
        ),
        (
            "[[tool.skelgen.skeletons]]\nmodule = 'p.a'\nsorce = 'x.bpf.c'\n",
            "tool.skelgen.skeletons[0]: the key 'source' is missing; is 'sorce' meant",
        ),
        (
            ONE + "types = 'event'\n",
            "tool.skelgen.skeletons[0].types: must be a list of strings",
        ),
        (
            ONE + "records = ['rb']\n",
            "tool.skelgen.skeletons[0].records: must be a table of strings",
        ),
        (
            ONE + "name = ''\n",
            "tool.skelgen.skeletons[0].name: must be a non-empty string",
        ),
        (
            "[[tool.skelgen.skeletons]]\nsource = '../a.bpf.c'\nmodule = 'p.a'\n",
            "tool.skelgen.skeletons[0].source: '../a.bpf.c' is outside the project",
        ),
        (
            "[[tool.skelgen.skeletons]]\nsource = '/a.bpf.c'\nmodule = 'p.a'\n",
            "tool.skelgen.skeletons[0].source: '/a.bpf.c' is outside the project",
        ),
        (
            "[[tool.skelgen.skeletons]]\nsource = 'a.py'\nmodule = 'p.a'\n",
            "tool.skelgen.skeletons[0].source: 'a.py' is neither a .c nor a .o file",
        ),
        (
            "[[tool.skelgen.skeletons]]\nsource = 'a.c'\nmodule = 'p/a'\n",
            "tool.skelgen.skeletons[0].module: 'p/a' is not a module name",
        ),
        (
            ONE + "[[tool.skelgen.skeletons]]\nsource = 'b.bpf.c'\nmodule = 'p.a'\n",
            "tool.skelgen.skeletons: 'a.bpf.c' and 'b.bpf.c' would both write the",
        ),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(message)


def test_broken_toml_names_the_file(tmp_path):
    with pytest.raises(
        ConfigError, match=r"pyproject.toml: not valid TOML: Invalid value"
    ):
        read(tmp_path, "[tool.skelgen]\nx =")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.toml: No such file or directory"):
        read_pyproject(tmp_path / "nowhere.toml")


def test_the_manual_has_every_key():
    text = (ROOT / "docs" / "building.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|([ yes]*)\|([ yes]*)\|", text, re.MULTILINE)
    one = {key for key, _, of_one in rows if of_one.strip() == "yes"}
    shared = {key for key, of_all, _ in rows if of_all.strip() == "yes"}
    skeleton = {"source": "x.bpf.c", "module": "x"}
    assert one == known_keys({"skeletons": [{**skeleton, "nothing": 1}]})
    assert shared == known_keys({"nothing": 1, "skeletons": [{}]}) - {"skeletons"}


def known_keys(table):
    with pytest.raises(ConfigError) as caught:
        parse(table, ROOT)
    return {*str(caught.value).partition("known are ")[2].split(", ")}
