"""Every name that is not there is told with those that it may stand for."""

from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.build.btf_dump import _find
from skelgen.build.config import parse
from skelgen.compiler.targets import find_target
from skelgen.errors import ConfigError, SkelgenError
from skelgen.runtime.errors import BpfError
from skelgen.runtime.kernel import features

CompileBpf = Callable[[str], Path]

pytestmark = pytest.mark.any_kernel


@pytest.mark.parametrize(
    ("ask", "near"),
    [
        (lambda: find_target("x86-64"), "did you mean 'x86_64'?"),
        (lambda: features.map_type("ringbuff"), "did you mean 'ringbuf'?"),
        (lambda: features.program_type("traceing"), "did you mean 'tracing'?"),
        (lambda: features.attach_type("tcx_ingres"), "did you mean 'tcx_ingress'"),
        (
            lambda: features.helper("ringbuf_outptu", "xdp"),
            "did you mean 'bpf_ringbuf_output'?",
        ),
        (
            lambda: parse(
                {"skeletons": [{"source": "x.bpf.c", "module": "x", "nme": "y"}]},
                Path(),
            ),
            "did you mean 'name'",
        ),
    ],
)
def test_a_misspelt_name_of_the_project_gets_a_hint(
    ask: Callable[[], object], near: str
) -> None:
    with pytest.raises((ValueError, ConfigError)) as caught:
        ask()
    assert near in str(caught.value)


@pytest.mark.parametrize("kind", ["programs", "maps", "sections"])
def test_a_misspelt_part_of_an_object_gets_a_hint(
    compile_bpf: CompileBpf, kind: str
) -> None:
    with skelgen.open_object(compile_bpf("bootstrap")) as obj:
        parts = getattr(obj, kind)
        name = next(iter(parts))
        with pytest.raises(KeyError) as caught:
            parts[f"{name}x"]
        assert f"; did you mean '{name}'" in str(caught.value)


def test_a_misspelt_program_of_an_exclusive_map_gets_a_hint(
    compile_bpf: CompileBpf,
) -> None:
    with skelgen.open_object(compile_bpf("maps_exclusive")) as obj:
        name = next(iter(obj.programs))
        next(iter(obj.maps.values())).exclusive_program = f"{name}x"
        with pytest.raises(BpfError, match=f"did you mean '{name}'"):
            obj.load()


def test_misspelt_records_and_types_get_a_hint(compile_bpf: CompileBpf) -> None:
    path = compile_bpf("ringbuf")
    for options, near in (
        ({"records": [("rbb", "struct event")]}, "did you mean 'rb'?"),
        ({"types": ["struct evnt"]}, "did you mean 'event'?"),
    ):
        with pytest.raises(SkelgenError) as caught:
            skelgen.generate(path, **options)
        assert near in str(caught.value)


def test_a_misspelt_root_of_a_dump_gets_a_hint(compile_bpf: CompileBpf) -> None:
    with skelgen.open_object(compile_bpf("maps_plain")) as obj:
        assert obj.spec.btf is not None
        btf = Btf(obj.spec.view(obj.spec.btf))
    name = max(btf.names(Kind.STRUCT), key=len)
    with pytest.raises(SkelgenError) as caught:
        _find(btf, f"struct {name}x")
    assert str(caught.value) == f"no type 'struct {name}x'; did you mean '{name}'?"
