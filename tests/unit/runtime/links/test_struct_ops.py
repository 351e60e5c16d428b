"""Variables of struct_ops are attached with a link and without."""

import errno

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.links.struct_ops import StructOpsLink, attach_struct_ops
from tests.harness.fake_kernel import FakeKernel


def test_struct_ops_with_a_link_may_have_their_value_already(
    kernel: FakeKernel,
) -> None:
    kernel.then("MAP_UPDATE_ELEM", -errno.EBUSY)  # its value was set before
    link = attach_struct_ops(9, b"value", link=True, what="struct_ops 'cc'")
    (create,) = kernel.named("LINK_CREATE")
    assert create.values("map_fd", "attach_type") == [9, AttachType.STRUCT_OPS]
    link.destroy()
    assert not kernel.open


def test_struct_ops_without_a_link_are_deleted_once_and_not_pinned(
    kernel: FakeKernel,
) -> None:
    link = attach_struct_ops(9, b"value", link=False, what="struct_ops 'cc'")
    assert isinstance(link, StructOpsLink)
    with pytest.raises(NotSupportedError, match="pin the map"):
        link.pin("/sys/fs/bpf/x")
    link.destroy()
    link.destroy()
    assert len(kernel.named("MAP_DELETE_ELEM")) == 1
    assert not kernel.open
    kernel.then("MAP_UPDATE_ELEM", -errno.EBUSY)
    with pytest.raises(BpfOSError, match="struct_ops 'cc': BPF_MAP_UPDATE_ELEM"):
        attach_struct_ops(9, b"value", link=False, what="struct_ops 'cc'")
