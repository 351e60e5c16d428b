"""Find a clang with the BPF back end, and run it.

The compiler is ``$SKELGEN_CLANG``, else ``clang`` on PATH, else the clang inside
the ``ziglang`` wheel, which ``pip install 'bpf-skelgen[clang]'`` brings. Where that
wheel is installed, it comes before a clang on PATH that is older than 16. It also
carries clang's own headers and the kernel's UAPI headers, so with it a build reads
nothing of the machine it runs on; ``SKELGEN_CLANG=ziglang`` asks for it.
"""

import functools
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skelgen.compiler.targets import Target, this_machine
from skelgen.errors import CompileError

INCLUDE = Path(__file__).parents[1] / "include"
"""Our BPF-side headers: ``#include <bpf/bpf_helpers.h>`` finds them here."""

VMLINUX = INCLUDE / "vmlinux"
"""Folder of our vmlinux.h: types that most programs do with (CO-RE fits them)."""

LIBC = INCLUDE / "libc"
"""Stand-ins for headers that the C library lacks for BPF; programs include some."""

# Folders of UAPI headers in the ziglang wheel, by the same ``x``.
_ZIG_ARCH_INCLUDE = {
    "x86": "x86-linux-any",
    "arm64": "aarch64-linux-any",
    "arm": "arm-linux-any",
    "riscv": "riscv-linux-any",
    "s390": "s390x-linux-any",
    "powerpc": "powerpc-linux-any",
    "mips": "mips-linux-any",
    "loongarch": "loongarch-linux-any",
}

# Folders of glibc's headers there: <linux/if.h> includes one, programs <errno.h>.
_ZIG_LIBC_INCLUDE = {
    name: folder.replace("-any", "-gnu") for name, folder in _ZIG_ARCH_INCLUDE.items()
}

_MISSING = """no C compiler for BPF was found
  pip install 'bpf-skelgen[clang]'   installs one into this Python environment, or
  apt install clang                  installs one for the machine, or
  SKELGEN_CLANG=/path/to/clang       names one"""


_GOOD = 16
"""The first clang without known crashes, and with errors where 15 and older warn."""

_VERSION = re.compile(r"\bclang version (\d+(?:\.\d+)*)")

# The compiler's own end, and what it prints of its inside then.
_CRASH = re.compile(
    r"PLEASE submit a bug report|^Stack dump:|frontend command failed"
    r"|unable to execute command|^LLVM ERROR:|error in backend",
    re.MULTILINE,
)
_INSIDE = re.compile(
    r"^(PLEASE submit a bug report|Stack dump:).*?(?=^\S*clang\S*: (error|note):|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Compiler:
    """A clang that was found."""

    command: tuple[str, ...]
    """Its first words, e.g. ``("/usr/bin/clang",)``."""
    origin: str
    """Where it was found: ``SKELGEN_CLANG``, ``PATH`` or ``ziglang``."""
    root: Path | None = None
    """Folder of the ziglang package, whose headers it uses."""

    @property
    def version(self) -> tuple[int, ...]:
        """Its version, such as ``(14, 0, 6)``; empty when it does not say one."""
        return _version(self.command)

    def __str__(self) -> str:
        number = ".".join(map(str, self.version))
        named = "ziglang" if self.root is not None else shlex.join(self.command)
        return f"version {number}, {named}" if number else named

    def system_flags(self, arch: str | None) -> tuple[str, ...]:
        """Return the flags that give it its headers for ``__TARGET_ARCH_<arch>``.

        Without one, UAPI headers of x86: code that asks for no architecture reads
        nothing in them that differs.
        """
        if self.root is not None:
            uapi = self.root / "lib" / "libc" / "include"
            folders = [self.root / "lib" / "include"]
            folders += [uapi / _ZIG_ARCH_INCLUDE.get(arch or "x86", "x86-linux-any")]
            folders += [uapi / "any-linux-any"]
            folders += [uapi / _ZIG_LIBC_INCLUDE.get(arch or "x86", "x86-linux-gnu")]
            folders += [uapi / "generic-glibc"]
            flags = ["-nostdinc"]
            for folder in folders:
                flags += ["-idirafter", str(folder)]
            return tuple(flags)
        # not sysconfig, which two threads cannot ask at once for the first time
        multiarch = getattr(sys.implementation, "_multiarch", None)
        folder = Path("/usr/include") / str(multiarch)
        if multiarch and folder.is_dir():
            # Debian keeps <asm/types.h> there, where -target bpf does not look.
            return ("-idirafter", str(folder))
        return ()


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Choices of a user about a compilation."""

    target: Target = field(default_factory=this_machine)
    """The machine that loads it."""
    cpu: str = "v3"
    """BPF instruction set, ``v1`` to ``v4``; :mod:`skelgen.model.instructions` has what
    each may make, and the kernels that know it."""
    includes: tuple[str, ...] = ()
    """Folders for ``-I``, before our own headers."""
    cflags: tuple[str, ...] = ()
    """Flags at the end of the command, where they win."""
    vmlinux: str = "small"
    """Which ``vmlinux.h`` there is for who has none: ``"small"``, :data:`VMLINUX`, or
    ``"kernel"``, all types of the kernel that runs here."""

    def arguments(self) -> tuple[str, ...]:
        """Return them as arguments of the command line, the target aside.

        Absolute folders are left out: they are of one machine, and a module is the
        same on all of them.
        """
        words = [] if self.cpu == "v3" else ["--cpu", self.cpu]
        for folder in self.includes:
            words += [] if folder.startswith("/") else ["-I", folder]
        words += [] if self.vmlinux == "small" else ["--vmlinux", self.vmlinux]
        return (*words, *(f"--cflag={flag}" for flag in self.cflags))


def find_compiler(environ: Mapping[str, str] | None = None) -> Compiler:
    """Return the compiler to use.

    Raises CompileError when there is none, saying how to get one.
    """
    environ = os.environ if environ is None else environ
    named = environ.get("SKELGEN_CLANG")
    if named == "ziglang":
        found = _ziglang()
        if found is None:
            raise CompileError(
                "SKELGEN_CLANG=ziglang, but that is not installed; pip install"
                " 'bpf-skelgen[clang]' does"
            )
        return found
    if named:
        words = shlex.split(named)
        if not words or shutil.which(words[0], path=environ.get("PATH")) is None:
            raise CompileError(f"SKELGEN_CLANG names no program: '{named}'")
        return Compiler(tuple(words), "SKELGEN_CLANG")
    path = shutil.which("clang", path=environ.get("PATH"))
    on_path = None if path is None else Compiler((path,), "PATH")
    installed = _ziglang()
    # What says no version is a wrapper of somebody's, who knows why.
    if on_path is not None and (
        installed is None or not on_path.version or on_path.version >= (_GOOD,)
    ):
        return on_path
    if installed is None:
        raise CompileError(_MISSING)
    return installed


@functools.cache
def _version(command: tuple[str, ...]) -> tuple[int, ...]:
    """Ask a compiler for its version; a process asks each one once."""
    try:
        done = subprocess.run(
            (*command, "--version"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = _VERSION.search(done.stdout)
    return () if found is None else tuple(map(int, found[1].split(".")))


def _ziglang() -> Compiler | None:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    return Compiler((str(root / "zig"), "clang"), "ziglang", root)


def installed_root() -> Path | None:
    """Return the folder of the ziglang package, if ``[clang]`` is installed."""
    found = _ziglang()
    return None if found is None else found.root


def command(
    compiler: Compiler,
    source: Path,
    output: Path,
    *,
    options: CompileOptions,
    depfile: Path | None = None,
    cwd: Path | None = None,
    vmlinux: Path = VMLINUX,
) -> tuple[str, ...]:
    """Return the command that compiles ``source`` to the object ``output``.

    It runs in ``cwd``, and file names in BTF and DWARF are relative to that. The folder
    ``vmlinux`` is where ``vmlinux.h`` is looked for last.
    """
    target = options.target
    words = [*compiler.command]
    words += ["-target", "bpfel" if target.byteorder == "little" else "bpfeb"]
    words += ["-O2", "-g", f"-mcpu={options.cpu}", "-Wall", "-fno-stack-protector"]
    # Before 16 a misspelt helper is a warning, and then a symbol that nobody has.
    words += ["-Werror=implicit-function-declaration"]
    if target.arch is not None:
        words += [f"-D__TARGET_ARCH_{target.arch}"]
    if target.arch == "mips":  # whose <asm/byteorder.h> asks the compiler for it
        words += ["-D__MIPSEL__" if target.byteorder == "little" else "-D__MIPSEB__"]
    # Absolute paths of this machine stay out of BTF and DWARF.
    words += [f"-ffile-prefix-map={INCLUDE}=skelgen/include"]
    words += [f"-ffile-prefix-map={vmlinux}=skelgen/include/vmlinux"]
    here = (cwd or Path()).resolve()
    words += [f"-ffile-prefix-map={here}=.", "-fdebug-compilation-dir=."]
    for folder in options.includes:
        words += ["-I", folder]
    words += ["-isystem", str(INCLUDE), "-isystem", str(LIBC)]
    words += compiler.system_flags(target.arch)
    if depfile is not None:
        words += ["-MD", "-MF", str(depfile), "-MT", "object"]
    words += options.cflags
    words += ["-idirafter", str(vmlinux)]
    words += ["-c", str(source), "-o", str(output)]
    return tuple(words)


def compile_object(
    source: Path,
    output: Path,
    *,
    options: CompileOptions | None = None,
    compiler: Compiler | None = None,
    depfile: Path | None = None,
    cwd: Path | None = None,
) -> str:
    """Compile a BPF C file to an object and return what clang warned of.

    ``depfile`` receives the headers it read, as a make rule. ``output`` is written
    only when clang succeeds. Raises CompileError with clang's own text otherwise.
    """
    compiler = compiler or find_compiler()
    words = command(
        compiler,
        source,
        output,
        options=options or CompileOptions(),
        depfile=depfile,
        cwd=cwd,
    )
    return run(words, source, cwd, compiler=compiler)


def run(
    words: tuple[str, ...],
    source: Path,
    cwd: Path | None = None,
    *,
    compiler: Compiler,
) -> str:
    """Run what :func:`command` gave for ``source``; return what clang warned of.

    Raises CompileError with clang's own text when it fails, and a note with what to
    try when it was clang itself that broke down.
    """
    try:
        # C and its flags are the user's own; no shell takes part.
        done = subprocess.run(
            words,
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise CompileError(
            f"{source}: cannot run {words[0]}: {error.strerror}", command=words
        ) from error
    if done.returncode == 0:
        return done.stderr
    crashed = done.returncode < 0 or _CRASH.search(done.stderr) is not None
    failed = CompileError(
        f"{source}: clang {'crashed' if crashed else 'failed'} ({compiler})"
        f"{_status(done.returncode, done.stderr)}",
        command=words,
        status=done.returncode,
        output=_INSIDE.sub("", done.stderr) if crashed else done.stderr,
    )
    if crashed:
        failed.add_note(_after_crash(compiler, done.returncode))
    raise failed


def _status(status: int, printed: str) -> str:
    """Return how a compiler ended, where it does not say so itself."""
    if status < 0:
        return f": killed by {_signal_name(-status)}"
    return "" if printed.strip() else f": exit status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _after_crash(compiler: Compiler, status: int) -> str:
    """Return what to try where the compiler itself broke down."""
    if status == -signal.SIGKILL:
        return "SIGKILL is what the kernel sends where memory ran out; is there enough?"
    if compiler.root is not None:
        return (
            "that is a fault of this clang, not of the program's C; another one may do:"
            " SKELGEN_CLANG=/path/to/clang names it"
        )
    others = "SKELGEN_CLANG=ziglang uses the one of bpf-skelgen[clang]"
    if _ziglang() is None:
        others = f"pip install 'bpf-skelgen[clang]' brings one, and {others}"
    return (
        f"that is a fault of this clang, not of the program's C; a newer one may do:"
        f" {others}"
    )


def read_depfile(text: str) -> tuple[str, ...]:
    """Return the files that a dependency file (clang's ``-MD``) names."""
    _, _, rule = text.replace("\\\n", " ").partition(":")
    lexer = shlex.shlex(rule, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.quotes = ""
    return tuple(dict.fromkeys(word.replace("$$", "$") for word in lexer))
