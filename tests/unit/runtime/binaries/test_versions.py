"""Versions of symbols stand beside their names."""

import pytest

from skelgen.runtime.binaries.symbols import Symbol
from tests.harness.elf_files import CODE, CODE_OFFSET, IFUNC, LOCAL, UNDEF, Builder, Sym
from tests.harness.versioned_elf import (
    FORMS,
    refused,
    symbols_of,
    versioned,
    with_symtab,
)

pytestmark = pytest.mark.any_kernel


@pytest.mark.parametrize(("is_64", "order"), FORMS)
@pytest.mark.parametrize("hashes", ["gnu", "sysv", "gnu sysv"])
@pytest.mark.parametrize("section_headers", [True, False])
def test_a_version_is_beside_the_name(
    is_64: bool,  # noqa: FBT001 (a parameter of the test)
    order: str,
    hashes: str,
    section_headers: bool,  # noqa: FBT001 (likewise)
) -> None:
    data = versioned(
        is_64=is_64, order=order, hashes=hashes, section_headers=section_headers
    )
    symbols = symbols_of(data)
    first, second = CODE_OFFSET + 0x10, CODE_OFFSET + 0x20
    assert symbols.find("f") == Symbol("f", second, 4, "V2")
    assert symbols.find("f@V2").offset == symbols.find("f@@V2").offset == second
    assert symbols.find("f@V1").offset == symbols.find("f@@V1").offset == first
    assert symbols.find("old") == Symbol("old", CODE_OFFSET + 0x30, 4, "V1")
    assert symbols.find("plain") == Symbol("plain", CODE_OFFSET + 0x60, 4)
    assert [s.offset for s in symbols.find_all(["plain", "f@V1", "f"])] == [
        CODE_OFFSET + 0x60,
        first,
        second,
    ]
    assert [(s.name, s.version) for s in symbols.functions()] == [
        *(("f", "V1"), ("f", "V2"), ("old", "V1"), ("two", "V1"), ("two", "V2")),
        ("plain", ""),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f@V9", "no version 'V9' of function 'f'; there is 'f@@V2' and 'f@V1'"),
        ("f@@V9", "no version 'V9' of function 'f'; there is 'f@@V2' and 'f@V1'"),
        ("f@", "function 'f@': no version behind the @; 'f' alone is the default one"),
        ("f@@", "function 'f@@': no version behind the @; 'f' alone is"),
        ("old@V2", "no version 'V2' of function 'old'; there is 'old@V1'"),
        (
            "plain@V1",
            "no version 'V1' of function 'plain', which has no versions here;",
        ),
        (
            "two",
            "several versions of function 'two', none of them the default;",
        ),
        (
            "getpid",
            "'getpid' is an imported symbol; the function is in libc.so.6: attach there",
        ),
        ("getpid@GLIBC_2.2.5", "'getpid' is an imported symbol; the function is in"),
        ("value", "no function 'value': it is a variable"),
        ("", "no function ''"),
        (
            "planes",
            "no function 'planes' among those it exports; others have no name",
        ),
    ],
)
def test_a_function_that_is_not_there_is_told_with_what_there_is(
    name: str, text: str
) -> None:
    assert refused(versioned(), name).startswith(f"'x': {text}")


def test_the_advice_names_what_can_be_given() -> None:
    data = versioned()
    assert refused(data, "plain@V1").endswith("; give 'plain'")
    assert refused(data, "two").endswith("; give 'two@V1' or 'two@V2'")
    assert refused(data, "planes").endswith("(it is stripped); did you mean 'plain'?")
    assert symbols_of(data).find("two@V1").offset == CODE_OFFSET + 0x40


def test_an_import_without_a_version_may_be_of_any_library() -> None:
    builder = Builder()
    builder.dynamic(
        [Sym("f", 0, section=UNDEF)],
        libraries=["liba.so.1", "libb.so.2"],
        hashes="sysv",
    )
    text = "'x': 'f' is an imported symbol; the function is in liba.so.1 or libb.so.2"
    assert refused(builder.build(), "f").startswith(text)


def test_versions_in_names_are_those_of_symtab() -> None:
    data = with_symtab(
        Sym("f@OLD", CODE), Sym("f@@NEW", CODE + 0x40), Sym("g", CODE + 0x80, IFUNC)
    )
    symbols = symbols_of(data)
    assert symbols.find("f").offset == CODE_OFFSET + 0x40
    assert symbols.find("f@OLD").offset == CODE_OFFSET
    assert symbols.find("f@@NEW").offset == CODE_OFFSET + 0x40
    assert symbols.find("g") == Symbol("g", CODE_OFFSET + 0x80, 4, resolver=True)
    assert refused(data, "f@NONE") == (
        "'x': no version 'NONE' of function 'f'; there is 'f@@NEW' and 'f@OLD'"
    )


def test_what_is_exported_goes_before_what_only_symtab_has() -> None:
    builder = Builder()
    builder.dynamic([Sym("f", CODE + 0x10)])
    builder.symtab([Sym("f", CODE + 0x20, bind=LOCAL), Sym("g", CODE + 0x30)])
    symbols = symbols_of(builder.build())
    assert symbols.find("f").offset == CODE_OFFSET + 0x10
    assert symbols.find("g").offset == CODE_OFFSET + 0x30
