"""Run the kernel tests on Debian's kernels, in a virtual machine each, two at once.

Newer kernels have more to test and come first, so that two processors end together.

Usage: ``python -m tests.vm.run [--quick] [6.1 | 7.3 ...] [-- pytest arguments]``

``--quick`` leaves out what is marked ``any_kernel``, and between the oldest kernel and the
newest what is marked ``outer_kernels``.

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
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.harness import oracle, sources
from tests.vm import outcomes
from tests.vm.kernels import CACHE, KERNELS, ROOT, image

QUICK = ("5.10", "6.1", "6.12", "7.3")
"""Kernels of the quick run, which is CI's; without it all of the table are tested."""

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
# No cost for faults of processors that are emulated anyway, and no panic where the host
# was too busy to give the timer its turn while the kernel looked for it.
KERNEL_ARGUMENTS = "mitigations=off nokaslr loglevel=3 no_timer_check"


def main(arguments: list[str]) -> int:
    """Run the tests on each kernel and return the number of kernels that failed."""
    started = time.monotonic()
    kernels, pytest, quick = _split(arguments)
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
    images = {kernel: image(kernel) for kernel in kernels}
    _compile({KERNELS[kernel].cpu for kernel in kernels})
    print(f"== ready after {time.monotonic() - started:.0f} s", flush=True)
    failed = []
    newest_first = sorted(kernels, key=[*KERNELS].index, reverse=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {
            pool.submit(
                run,
                kernel,
                images[kernel],
                _pytest(kernel, pytest or _chosen(kernel, quick=quick)),
            ): kernel
            for kernel in newest_first
        }
        for running in as_completed(runs):
            kernel = runs[running]
            status, log, seconds = running.result()
            if status:
                failed.append(kernel)
            verdict = f"FAILED (status {status})" if status else "passed"
            print(f"{log}\n== Linux {kernel}: {verdict} in {seconds:.0f} s", flush=True)
    found = {kernel: outcomes.read(folder(kernel) / "outcomes") for kernel in kernels}
    print("\n".join(outcomes.table(found)), flush=True)
    needless = [
        f"Linux {kernel} has it, and it was skipped: {line}"
        for kernel, each in found.items()
        for line in outcomes.needless_skips(kernel, each)
    ]
    print("\n".join(needless), end="\n" * bool(needless), flush=True)
    return len(failed) + len(needless)


def _compile(cpus: set[str]) -> None:
    """Make here what the tests would make, which is quicker and can be written."""
    rejected = sources.rejected_sources()
    withheld = map(sources.read_source, (sources.DATA / "withheld").glob("*.bpf.c"))
    every = sources.sources() | sources.example_sources()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        compiling = [
            pool.submit(sources.compiled, source, cpu=cpu)
            for source in (*every.values(), *rejected.values(), *withheld)
            for cpu in sorted(cpus)
        ]
        for done in compiling:
            done.result()
    for name in _skeletons():
        for cpu in sorted(cpus):
            sources.skeleton(name, cpu)
    oracle.build()
    _write_bytecode()


def _write_bytecode() -> None:
    """Compile the modules of Python, which takes each machine a minute in there."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for words in (
        ("compileall", "-q", "skelgen"),
        ("pytest", "-p", "no:cacheprovider", "-qq", "--collect-only", "tests/kernel"),
    ):
        command = [sys.executable, "-m", *words]
        subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True
        )


def _skeletons() -> list[str]:
    """Return the fixtures whose modules the tests name; to miss one costs time alone."""
    texts = [path.read_text("utf-8") for path in (ROOT / "tests/kernel").glob("*.py")]
    found = {
        name for text in texts for name in re.findall(r'skeleton\("([\w/]+)"', text)
    }
    known = {*sources.sources(), *sources.example_sources(), "headers/run"}
    return sorted(found & known)


def _pytest(kernel: str, arguments: list[str]) -> list[str]:
    """Return the command that runs tests in there."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    words += ["-p", "tests.vm.outcomes", f"--basetemp={folder(kernel)}/tmp"]
    return words + arguments


def folder(kernel: str) -> Path:
    """Return the one folder of this machine that a kernel may write to."""
    return CACHE / f"out-{kernel}"


def run(kernel: str, boot: Path, words: list[str]) -> tuple[int, str, float]:
    """Boot a kernel, run a command in it, return status, what it printed, and seconds."""
    started = time.monotonic()
    out = folder(kernel)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
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
        f"export {sources.TOOLS}='{' '.join(sources.tools())}'\n"
        f"export {outcomes.VARIABLE}={out}/outcomes\n"
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
        text = f"{text}\nthe virtual machine did not finish:\n{console[-4000:]}"
        return -1, text, time.monotonic() - started
    return int(status.read_text()), text, time.monotonic() - started


def _split(arguments: list[str]) -> tuple[list[str], list[str], bool]:
    """Return kernels, arguments for pytest, and whether it is the quick run."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    kernels, pytest = arguments[:at], arguments[at + 1 :]
    quick = "--quick" in kernels
    if quick:
        kernels.remove("--quick")
    return kernels or list(QUICK if quick else KERNELS), pytest, quick


def _chosen(kernel: str, *, quick: bool) -> list[str]:
    """Return what to run; to collect all of the tests takes a minute in there."""
    options = ["-q", "--durations=10"]
    if not quick:
        return [*options, "tests/kernel"]
    marks = ["any_kernel"]
    if kernel not in {QUICK[0], QUICK[-1]}:
        marks.append("outer_kernels")
    marked = re.compile(rf"^pytestmark = .*\b(?:{'|'.join(marks)})\b", re.MULTILINE)
    every = (ROOT / "tests" / "kernel").glob("test_*.py")
    names = [
        str(path.relative_to(ROOT))
        for path in sorted(every)
        if not marked.search(path.read_text("utf-8"))
    ]
    return [*options, "-m", f"not ({' or '.join(marks)})", *names]


def _which(tool: str) -> str | None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
    return shutil.which(tool, path=path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
