"""A token of a bpffs goes into every call of a load."""

import errno
from pathlib import Path

import pytest

from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import FakeKernel
from tests.harness.one_program import HASH, kfunc_btf, one_program


def test_a_token_goes_into_every_call_of_a_load(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with Object(one_program(maps=(HASH,), btf=kfunc_btf()), token=tmp_path) as obj:
        obj.load()
        assert len(kernel.open) == 2
    (token,) = kernel.named("TOKEN_CREATE")
    assert token.attr.bpffs_fd > 2
    assert kernel.named("MAP_CREATE")[0].attr.map_flags == 1 << 16
    assert kernel.named("PROG_LOAD")[0].attr.prog_flags == 1 << 16
    with (
        Object(one_program(), token=tmp_path / "none") as obj,
        pytest.raises(FileNotFoundError),
    ):
        obj.load()


def test_a_token_of_a_user_namespace_is_used_where_there_is_one(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for where bpffs is, and it is no error that there is none."""
    module = "skelgen.runtime.load.token."
    monkeypatch.delenv("LIBBPF_BPF_TOKEN_PATH", raising=False)

    def loads_with_token(token: str | None = None) -> bool:
        del kernel.calls[:]
        with Object(one_program(maps=(HASH,)), token=token) as obj:
            obj.load()
        return kernel.named("MAP_CREATE")[0].attr.map_flags == 1 << 16

    assert not loads_with_token()
    assert not kernel.named("TOKEN_CREATE")
    monkeypatch.setattr(f"{module}_INITIAL_USER_NAMESPACE", 0)
    monkeypatch.setattr(f"{module}_BPFFS", str(tmp_path))
    assert loads_with_token()
    assert not loads_with_token("")
    assert not kernel.named("TOKEN_CREATE")
    kernel.then("TOKEN_CREATE", -errno.ENOENT)
    assert not loads_with_token()
    assert kernel.named("TOKEN_CREATE")
    monkeypatch.setattr(f"{module}_BPFFS", str(tmp_path / "none"))
    assert not loads_with_token()
    assert not kernel.open
