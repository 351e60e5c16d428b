"""BTF: the type format of BPF objects and of the kernel.

Names are loaded on first use, so that the runtime pays for what it needs alone.
"""

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skelgen.btf.build import BtfBuilder as BtfBuilder
    from skelgen.btf.decl import declaration as declaration
    from skelgen.btf.decl import type_name as type_name
    from skelgen.btf.dump_c import definition as definition
    from skelgen.btf.edit import BtfEditor as BtfEditor
    from skelgen.btf.errors import BtfParseError as BtfParseError
    from skelgen.btf.ext import BtfExt as BtfExt
    from skelgen.btf.index import KernelBtf as KernelBtf
    from skelgen.btf.kinds import Kind as Kind
    from skelgen.btf.layout import SectionVar as SectionVar
    from skelgen.btf.layout import section_vars as section_vars
    from skelgen.btf.names import essential_name as essential_name
    from skelgen.btf.parse import Btf as Btf
    from skelgen.btf.resolve import align_of as align_of
    from skelgen.btf.resolve import size_of as size_of
    from skelgen.btf.resolve import skip_mods_and_typedefs as skip_mods_and_typedefs
    from skelgen.btf.verify import check as check

_HOME = {
    "Btf": "parse",
    "BtfBuilder": "build",
    "BtfEditor": "edit",
    "BtfExt": "ext",
    "BtfParseError": "errors",
    "Kind": "kinds",
    "KernelBtf": "kernel",
    "SectionVar": "layout",
    "align_of": "resolve",
    "check": "verify",
    "declaration": "decl",
    "definition": "dump_c",
    "essential_name": "names",
    "section_vars": "layout",
    "size_of": "resolve",
    "skip_mods_and_typedefs": "resolve",
    "type_name": "decl",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
