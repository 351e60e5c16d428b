"""Run the kernel tests on Debian's kernels, in a virtual machine each, two at once.

Usage: ``python -m tests.vm.run [--quick] [6.1 | 7.3 ...] [-- pytest arguments]``

``--quick`` leaves out what is marked ``any_kernel``.

A kernel comes from Debian as a package, is unpacked under ``.cache/kernels`` and
booted by virtme-ng under QEMU's software emulation (KVM is not needed), with this
machine's own file system inside. So the tests run from this tree, in this virtual
environment, as root. Needs qemu-system-x86, kmod, virtme-ng and an x86-64 host.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.harness import oracle, sources
from tests.vm.kernels import CACHE, KERNELS, ROOT, image

TESTED = ("6.1", "6.12")
"""Kernels on which every test passes; others of the table can be named."""

# Software emulation runs Python some twenty times slower; a hang is longer than this.
BOOT_AND_RUN_SECONDS = 3000

# virtme-ng's own view of the file system goes to the host for every look at a file,
# which is most of what a start of Python does. This one is kept in memory.
CACHED_ROOT = (
    "-fsdev local,id=cached,path=/,security_model=none,readonly=on,multidevs=remap"
    " -device virtio-9p-pci,fsdev=cached,mount_tag=cached"
)
# Two processors that take turns. With a thread each QEMU now and then runs a breakpoint
# that the kernel has long taken out of its code again: every tracepoint and kprobe that
# is switched on or off puts one there, and then the kernel panics.
ACCELERATOR = "-accel tcg,thread=single"
# no cost for faults of processors that are emulated anyway
KERNEL_ARGUMENTS = "mitigations=off nokaslr loglevel=3"


def main(arguments: list[str]) -> int:
    """Run the tests on each kernel and return the number of kernels that failed."""
    kernels, pytest = _split(arguments)
    unknown = [kernel for kernel in kernels if kernel not in KERNELS]
    if unknown:
        sys.exit(f"no such kernel: {unknown[0]}; known are {', '.join(KERNELS)}")
    missing = [
        tool for tool in ("qemu-system-x86_64", "depmod", "vng") if not _which(tool)
    ]
    if missing:
        sys.exit(
            f"{missing[0]} is missing: apt-get install qemu-system-x86 kmod and "
            "pip install virtme-ng, or run make test-kernels, which does both"
        )
    images = [image(kernel) for kernel in kernels]
    _compile({KERNELS[kernel].cpu for kernel in kernels})
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = time.monotonic()
        runs = [
            pool.submit(run, kernel, boot, pytest)
            for kernel, boot in zip(kernels, images, strict=True)
        ]
        for kernel, running in zip(kernels, runs, strict=True):
            status, log = running.result()
            failed += status != 0
            verdict = "passed" if status == 0 else f"FAILED (status {status})"
            seconds = time.monotonic() - started
            print(
                f"{log}\n== Linux {kernel}: {verdict} after {seconds:.0f} s", flush=True
            )
    return failed


def _compile(cpus: set[str]) -> None:
    """Compile here what the tests would compile, which is quicker and can be written."""
    every = sources.sources() | sources.example_sources()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiling = [
            pool.submit(sources.compiled, source, cpu=cpu)
            for source in (*every.values(), *sources.rejected_sources().values())
            for cpu in sorted(cpus)
        ]
        for done in compiling:
            done.result()
    oracle.build()


def run(kernel: str, boot: Path, pytest: list[str]) -> tuple[int, str]:
    """Boot one kernel, run pytest in it, return its status and what it printed."""
    out = CACHE / f"out-{kernel}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    words += [f"--basetemp={out}/tmp", *pytest]
    (out / "enter.sh").write_text(
        # a root of its own, and not chroot, in which there are no user namespaces
        "modprobe 9pnet_virtio; mkdir -p /run/cached\n"
        "mount -t 9p -o version=9p2000.L,trans=virtio,access=any,msize=524288,"
        "cache=loose,ro cached /run/cached\n"
        f"for part in proc sys dev run tmp var {str(out)[1:]}; do\n"
        "  mount --rbind /$part /run/cached/$part\n"
        "done\n"
        # where the kernel's configuration is looked for
        f"mount --bind {boot.parent} /run/cached/boot\n"
        "cd /run/cached\n"
        f"exec unshare -m sh -c 'pivot_root . mnt && exec chroot . sh {out}/run.sh'\n"
    )
    (out / "run.sh").write_text(
        f"cd {shlex.quote(str(ROOT))}\n"
        "umount -l /mnt\n"
        "mount -t bpf bpf /sys/fs/bpf 2>/dev/null\n"
        "ip link set lo up\n"
        # before 5.11 maps count against it, also those of the tests' own making
        "ulimit -l unlimited\n"
        f"export SKELGEN_REQUIRE_KERNEL=1 SKELGEN_VM=1 HOME={out}\n"
        f"export SKELGEN_TEST_CPU={KERNELS[kernel].cpu}\n"
        f"export HYPOTHESIS_STORAGE_DIRECTORY={out}/hypothesis\n"
        f"export PYTHONDONTWRITEBYTECODE=1 MODPROBE_OPTIONS=-d{boot.parents[1]}\n"
        f"export PATH={shlex.quote(os.environ['PATH'])}:/usr/sbin:/sbin\n"
        f"{shlex.join(words)} > {out}/log 2>&1\n"
        f"echo $? > {out}/status\n"
    )
    command = [str(_which("vng")), "--verbose", "--run", str(boot)]
    command += ["--disable-kvm", "--disable-microvm", "--force-9p"]
    command += ["-m", "3G", "--cpus", "2", "--user", "root", f"--rwdir={out}"]
    command += [f"--qemu-opts={CACHED_ROOT} {ACCELERATOR}"]
    command += [f"--append={KERNEL_ARGUMENTS} {KERNELS[kernel].arguments}"]
    command += ["--", f"sh {out}/enter.sh"]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BOOT_AND_RUN_SECONDS,
            env=environment,
            check=False,
        )
        console = f"{done.stdout}{done.stderr}\nvng: status {done.returncode}"
    except subprocess.TimeoutExpired:
        console = f"not finished after {BOOT_AND_RUN_SECONDS} s"
    log = out / "log"
    text = log.read_text(errors="replace") if log.exists() else ""
    status = out / "status"
    if not status.exists():
        return -1, f"{text}\nthe virtual machine did not finish:\n{console[-4000:]}"
    return int(status.read_text()), text


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return kernels, and arguments for pytest."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    kernels, pytest = arguments[:at], arguments[at + 1 :]
    quick = "--quick" in kernels
    if quick:
        kernels.remove("--quick")
    return kernels or list(TESTED), pytest or [
        "-q",
        "--durations=10",
        *(_quick() if quick else ["tests/kernel"]),
    ]


def _quick() -> list[str]:
    """Return what to run of the tests; to collect all of them takes a minute in there."""
    every = (ROOT / "tests" / "kernel").glob("test_*.py")
    marked = re.compile(r"^pytestmark = .*any_kernel", re.MULTILINE)
    chosen = [path for path in every if not marked.search(path.read_text("utf-8"))]
    names = [str(path.relative_to(ROOT)) for path in sorted(chosen)]
    return ["-m", "not any_kernel", *names]


def _which(tool: str) -> str | None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
    return shutil.which(tool, path=path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
