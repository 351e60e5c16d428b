"""What holds for every generated module, of every fixture and example.

Typed (mypy ``--strict``, pyright strict), unchanged by black, the same bytes
everywhere, and importable without anything that pip installs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import black
import pytest
from black.mode import TargetVersion
from black.report import NothingChanged

import skelgen
from skelgen.errors import SkelgenError
from tests.harness import sources
from tests.harness.sources import ROOT

# Imports every module in a process that has the standard library and skelgen alone.
IMPORT_ALL = """
import importlib.util, pathlib, sys

REFUSED = {"elftools", "jinja2", "click", "black", "setuptools", "ziglang"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"refused: {name}", name=name)

sys.meta_path.insert(0, Refuse())
sys.path[:0] = [sys.argv[1], sys.argv[2]]
for path in sorted(pathlib.Path(sys.argv[2]).glob("*_skel.py")):
    module = importlib.import_module(path.stem)
    classes = [getattr(module, name) for name in module.__all__]
    assert classes, path
    skeleton = [one for one in classes if hasattr(one, "spec")]
    assert len(skeleton) == 1, path
    assert skeleton[0].spec().source == path.name.replace("_skel.py", ".bpf.o")
print(len([name for name in sys.modules if name.endswith("_skel")]))
"""

# Generates every object that is named and prints a digest of each module.
GENERATE_ALL = """
import hashlib, json, sys
import skelgen
from tests.harness import sources

found = {}
for path in sys.argv[1:]:
    name = path.rpartition("/")[2].partition(".")[0]
    records = tuple(sources.records_of(name).items())
    text = skelgen.generate(path, records=records)
    found[name] = hashlib.sha256(text.encode()).hexdigest()
print(json.dumps(found))
"""


def generate(source: sources.Source) -> str:
    records = tuple(sources.records_of(source.name).items())
    return skelgen.generate(sources.compiled(source), records=records)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the module of every fixture and example."""
    folder = tmp_path_factory.mktemp("modules")
    every = sources.sources() | sources.example_sources()
    for source in every.values():
        (folder / f"{source.name}_skel.py").write_text(generate(source), "utf-8")
    return folder


def count() -> int:
    return len(sources.sources()) + len(sources.example_sources())


def run(*words: str | Path, cwd: Path, **environ: str) -> str:
    """Run a command, and return what it prints; what goes wrong is in the message."""
    environment = {**os.environ, "MYPYPATH": str(ROOT), **environ}
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words[0]}:\n{done.stdout[-8000:]}\n{done.stderr}"
    return done.stdout


def test_every_module_passes_mypy_strict(modules: Path) -> None:
    cache = ROOT / ".mypy_cache" / "modules"
    mypy = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache)
    printed = run(*mypy, ".", cwd=modules)
    assert f"no issues found in {count()} source files" in printed


def test_every_module_passes_pyright_strict(modules: Path) -> None:
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT)],
        "include": ["."],
    }
    (modules / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    pyright = (sys.executable, "-m", "pyright", "--pythonpath", sys.executable)
    printed = run(*pyright, "--outputjson", cwd=modules)
    summary = json.loads(printed)["summary"]
    assert summary["filesAnalyzed"] == count()
    assert (summary["errorCount"], summary["warningCount"]) == (0, 0)


def test_every_module_imports_without_third_parties(modules: Path) -> None:
    # -I: neither the environment's nor the folder's modules come in the way.
    python = (sys.executable, "-I", "-c", IMPORT_ALL)
    printed = run(*python, ROOT, modules, cwd=modules)
    assert int(printed) == count()


def test_black_leaves_it_alone(bpf_source: sources.Source) -> None:
    text = generate(bpf_source)
    mode = black.Mode(target_versions={TargetVersion.PY311})
    try:
        black.format_file_contents(text, fast=False, mode=mode)
    except NothingChanged:
        return
    pytest.fail("black would change it")


def test_modules_are_the_same_bytes_in_other_folders_and_processes(
    tmp_path: Path,
) -> None:
    every = sources.sources() | sources.example_sources()
    digests = []
    for number, seed in enumerate(("0", "1", "4242")):
        folder = tmp_path / f"folder {number}"
        folder.mkdir()
        for source in every.values():
            path = sources.compiled(source)
            (folder / path.name).write_bytes(path.read_bytes())
        python = (sys.executable, "-c", GENERATE_ALL)
        objects = sorted(folder.glob("*.o"))
        environ = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        digests.append(json.loads(run(*python, *objects, cwd=folder, **environ)))
    assert len(digests[0]) == count()
    assert digests[0] == digests[1] == digests[2]


def test_a_module_holds_no_path_of_this_machine(bpf_source: sources.Source) -> None:
    text = generate(bpf_source)
    assert str(sources.compiled(bpf_source).parent) not in text
    assert str(ROOT) not in text


def test_bad_objects_are_refused_with_their_reason(bad_source: sources.Source) -> None:
    path = sources.compiled(bad_source)
    with pytest.raises(SkelgenError) as caught:
        skelgen.generate(path)
    assert bad_source.error is not None
    assert bad_source.error in str(caught.value)
    assert "\n" not in str(caught.value)
