"""The calls of ``ioctl()`` that attach a program to a perf event."""

from skelgen.runtime import syscalls
from tests.harness.fake_kernel import FakeKernel

ENABLE, DISABLE, SET_BPF = (
    syscalls.PERF_EVENT_IOC_ENABLE,
    syscalls.PERF_EVENT_IOC_DISABLE,
    syscalls.PERF_EVENT_IOC_SET_BPF,
)


def ioctls(kernel: FakeKernel) -> list[int]:
    return [call.args[1] for call in kernel.named("ioctl")]
