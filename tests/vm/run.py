"""Run the kernel tests on Debian's kernels, in a virtual machine each.

Usage: ``python tests/vm/run.py [6.1 | 6.12 ...] [-- pytest arguments]``

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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "kernels"

# Debian's meta packages: each depends on its newest kernel.
PACKAGES = {"6.1": "linux-image-amd64", "6.12": "linux-image-6.12-amd64"}

# Software emulation runs Python some ten times slower; a hang is longer than this.
BOOT_AND_RUN_SECONDS = 1500


def main(arguments: list[str]) -> int:
    """Run the tests on each kernel and return the number of kernels that failed."""
    kernels, pytest = _split(arguments)
    unknown = [kernel for kernel in kernels if kernel not in PACKAGES]
    if unknown:
        sys.exit(f"no such kernel: {unknown[0]}; known are {', '.join(PACKAGES)}")
    missing = [
        tool for tool in ("qemu-system-x86_64", "depmod", "vng") if not _which(tool)
    ]
    if missing:
        sys.exit(
            f"{missing[0]} is missing: apt-get install qemu-system-x86 kmod and "
            "pip install virtme-ng, or run make test-kernels, which does both"
        )
    failed = 0
    for kernel in kernels:
        started = time.monotonic()
        status = run(kernel, pytest)
        failed += status != 0
        verdict = "passed" if status == 0 else f"FAILED (status {status})"
        print(f"== Linux {kernel}: {verdict} in {time.monotonic() - started:.0f} s")
    return failed


def run(kernel: str, pytest: list[str]) -> int:
    """Boot one kernel, run pytest in it, print what it printed, return its status."""
    image = _image(kernel)
    out = CACHE / f"out-{kernel}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    words += [f"--basetemp={out}/tmp", *pytest]
    script = out / "run.sh"
    script.write_text(
        f"cd {shlex.quote(str(ROOT))}\n"
        "mount -t bpf bpf /sys/fs/bpf 2>/dev/null\n"
        "ip link set lo up\n"
        # where the kernel's configuration is looked for
        f"mount --bind {image.parent} /boot\n"
        f"export SKELGEN_REQUIRE_KERNEL=1 SKELGEN_VM=1 HOME={out} PYTHONDONTWRITEBYTECODE=1\n"
        f"export PATH={shlex.quote(os.environ['PATH'])}:/usr/sbin:/sbin\n"
        f"{shlex.join(words)} > {out}/log 2>&1\n"
        f"echo $? > {out}/status\n"
    )
    command = [str(_which("vng")), "--run", str(image)]
    command += ["--disable-kvm", "--disable-microvm", "--force-9p"]
    command += ["-m", "3G", "--cpus", "2", "--user", "root", f"--rwdir={out}"]
    command += ["--", f"sh {out}/run.sh"]
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
        console = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        console = f"not finished after {BOOT_AND_RUN_SECONDS} s"
    log = out / "log"
    print(log.read_text(errors="replace") if log.exists() else "", end="", flush=True)
    status = out / "status"
    if not status.exists():
        print(f"the virtual machine did not finish:\n{console[-4000:]}")
        return -1
    return int(status.read_text())


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" in arguments:
        at = arguments.index("--")
        kernels, pytest = arguments[:at], arguments[at + 1 :]
    else:
        kernels, pytest = arguments, []
    return kernels or list(PACKAGES), pytest or ["-q", "tests/kernel"]


def _which(tool: str) -> str | None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
    return shutil.which(tool, path=path)


def _image(kernel: str) -> Path:
    """Return the unpacked kernel image, downloading its package the first time."""
    found = sorted((CACHE / kernel).glob("boot/vmlinuz-*"))
    if found:
        return found[0]
    CACHE.mkdir(parents=True, exist_ok=True)
    shown = _output("apt-cache", "show", PACKAGES[kernel])
    match = re.search(r"^Depends: (linux-image-[^ ,]+)", shown, re.MULTILINE)
    if match is None:
        sys.exit(f"apt knows no {PACKAGES[kernel]}: run apt-get update")
    download = CACHE / f"download-{kernel}"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir()
    subprocess.run(["apt-get", "download", match[1]], cwd=download, check=True)
    package = next(download.glob("*.deb"))
    unpacked = CACHE / f"unpacked-{kernel}"
    shutil.rmtree(unpacked, ignore_errors=True)
    subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)
    shutil.rmtree(download)
    unpacked.rename(CACHE / kernel)
    return next((CACHE / kernel).glob("boot/vmlinuz-*"))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
