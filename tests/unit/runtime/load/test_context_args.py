"""Tagged context arguments on kernels that do not know the tag."""

import os
import struct
import sys
from typing import NamedTuple

import pytest

import skelgen
from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.btf.types import DeclTag, Func, FuncProto, Ptr, Struct
from skelgen.model.enums import ProgType
from skelgen.runtime.kernel import features
from skelgen.runtime.load.context_args import CtxArgs
from tests.harness import sources
from tests.harness.fake_kernel import Call, FakeKernel

T = ProgType


class Made(NamedTuple):
    """BTF with one tagged function."""

    data: bytes
    function: int


def tagged(
    target: str = "void",
    *,
    tag: str = "arg:ctx",
    linkage: int = 1,
    index: int = 0,
    pointer: bool = True,
) -> Made:
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4, signed=True)
    u64 = b.add_int("unsigned long long", 8)
    regs = b.add_struct("pt_regs", 168)
    targets = {
        "void": 0,
        "int": int_id,
        "u64": b.add_typedef("__u64", u64),
        "const void": b.add_const(0),
        "pt_regs": regs,
        "typedef": b.add_typedef("bpf_user_pt_regs_t", regs),
        "__sk_buff": b.add_struct("__sk_buff", 192),
        "user_pt_regs": b.add_struct("user_pt_regs", 8),
    }
    argument = b.add_ptr(targets[target]) if pointer else int_id
    proto = b.add_func_proto(int_id, [("ctx", argument), ("n", int_id)])
    function = b.add_func("look", proto, linkage)
    b.add_decl_tag(tag, function, index)
    return Made(b.bytes(), function)


def applied(made: Made, prog_type: int) -> tuple[Btf, list[tuple[int, int]]]:
    arguments = CtxArgs(memoryview(made.data))
    info = struct.pack("=4I", 0, 1, 9, made.function)
    records = arguments.apply("prog", prog_type, info)
    return Btf(arguments.data), list(struct.iter_unpack("=II", records))


@pytest.mark.parametrize(
    ("target", "kind", "context"),
    [
        ("void", T.SCHED_CLS, "__sk_buff"),
        ("const void", T.XDP, "xdp_md"),
        ("void", T.KPROBE, "bpf_user_pt_regs_t"),
        ("pt_regs", T.KPROBE, "bpf_user_pt_regs_t"),
        ("u64", T.RAW_TRACEPOINT, "bpf_raw_tracepoint_args"),
        ("void", T.PERF_EVENT, "bpf_perf_event_data"),
    ],
)
def test_a_function_gets_the_contexts_type(
    target: str, kind: int, context: str
) -> None:
    made = tagged(target)
    btf, records = applied(made, kind)
    assert records[0] == (0, 1)
    insn, function_id = records[1]
    assert insn == 9
    assert function_id != made.function
    function = btf.type(function_id)
    assert isinstance(function, Func)
    assert (function.name, function.linkage) == ("look", 1)
    proto = btf.type(function.type_id)
    assert isinstance(proto, FuncProto)
    assert [param.name for param in proto.params] == ["ctx", "n"]
    pointer = btf.type(proto.params[0].type_id)
    assert isinstance(pointer, Ptr)
    found = btf.type(pointer.type_id)
    assert isinstance(found, Struct)
    assert found.name == context
    original = btf.type(made.function)
    assert isinstance(original, Func)
    assert original.type_id != function.type_id
    tags = [btf.type(i) for i in btf.ids() if isinstance(btf.type(i), DeclTag)]
    assert {tag.type_id for tag in tags if isinstance(tag, DeclTag)} == {
        made.function,
        function_id,
    }


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (tagged(), T.TRACEPOINT),  # its context has no name
        (tagged("__sk_buff"), T.SCHED_CLS),  # right already
        (tagged("__sk_buff"), T.XDP),  # not what it says
        (tagged("int"), T.SCHED_CLS),
        (tagged("u64"), T.SCHED_CLS),
        (tagged("typedef"), T.KPROBE),
        (tagged("pt_regs"), T.SCHED_CLS),
        (tagged(pointer=False), T.SCHED_CLS),
        (tagged(linkage=0), T.SCHED_CLS),  # static: verified where it is called
        (tagged(tag="arg:nonnull"), T.SCHED_CLS),
        (tagged(index=-1), T.SCHED_CLS),
        (tagged(index=7), T.SCHED_CLS),
    ],
)
def test_other_arguments_and_types_are_left_alone(made: Made, kind: int) -> None:
    btf, records = applied(made, kind)
    assert records == [(0, 1), (9, made.function)]
    assert len(btf) == len(Btf(made.data))


def test_only_registers_of_this_machine_become_the_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tagged("user_pt_regs")
    assert applied(made, T.PERF_EVENT)[1][1][1] == made.function
    names = list(os.uname())
    names[4] = "aarch64"
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(names))
    assert applied(made, T.PERF_EVENT)[1][1][1] != made.function


def test_one_function_is_written_for_each_type_of_program() -> None:
    made = tagged()
    arguments = CtxArgs(memoryview(made.data))
    info = struct.pack("=2I", 0, made.function)
    ids = {
        kind: struct.unpack("=2I", arguments.apply("p", kind, info))[1]
        for kind in (T.SCHED_CLS, T.XDP, T.SOCKET_FILTER)
    }
    assert len(set(ids.values())) == 3
    btf = Btf(arguments.data)
    # __sk_buff is there once
    names = [t.name for t in map(btf.type, btf.ids()) if isinstance(t, Struct)]
    assert names.count("__sk_buff") == 2  # and the fixture's own
    assert names.count("xdp_md") == 1


@pytest.mark.parametrize("known", [True, None, False])
def test_only_a_kernel_that_lacks_the_tag_gets_other_types(
    kernel: FakeKernel, *, known: bool | None
) -> None:
    """Only a kernel that surely lacks the tag gets other types."""
    loaded: list[bytes] = []
    functions: dict[str, set[int]] = {}

    def load_btf(call: Call) -> None:
        loaded.append(call.memory("btf", call.attr.btf_size))

    def load(call: Call) -> None:
        name = call.attr.prog_name
        records = call.memory("func_info", 8 * call.attr.func_info_cnt)
        functions[name] = {i for _, i in struct.iter_unpack("=II", records)}

    kernel.always("BTF_LOAD", load_btf)
    kernel.always("PROG_LOAD", load)
    features.ARG_CTX_TAG.assume(known)
    path = sources.compiled(sources.find("subprogs_ctx_types"))
    with skelgen.open_object(path) as obj:
        obj.load()
        assert obj.spec.btf is not None
        old = Btf(obj.spec.view(obj.spec.btf))
    new = Btf(loaded[0])
    assert (len(new) > len(old)) is (known is False)
    shared = functions["classify"] & functions["receive"]
    assert len(shared) == (0 if known is False else 1)
