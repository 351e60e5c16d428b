"""BTF type by type, as JSON and as text, against bpftool."""

import json
import re

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.dump_raw import json_dump, raw_dump
from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from tests.harness.btf import (
    as_bpftool,
    bpftool_types,
    btf_of,
    every_kind,
    needs_bpftool,
    without_sign_extension,
)
from tests.harness.sources import Source


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_json_of_every_kind_is_in_the_form_of_bpftool(byteorder: str) -> None:
    btf = Btf(every_kind(byteorder).bytes())
    types = json.loads(json_dump(btf))["types"]
    theirs = [as_bpftool(btf, type_id) for type_id in btf.ids()]
    assert types == without_sign_extension(theirs)


@needs_bpftool
def test_json_of_the_fixtures_is_bpftools(bpf_source: Source) -> None:
    path, btf = btf_of(bpf_source)
    types = json.loads(json_dump(btf))["types"]
    assert types == without_sign_extension(bpftool_types(path))


def test_every_kind_is_written_as_text_with_its_fields() -> None:
    lines = raw_dump(Btf(every_kind().bytes()))
    assert lines.startswith(
        "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n"
        "[2] INT 'char' size=1 bits_offset=0 nr_bits=8 encoding=CHAR\n"
    )
    for line in (
        "[5] PTR '(anon)' type_id=0\n",
        "[6] ARRAY '(anon)' type_id=1 index_type_id=1 nr_elems=7\n",
        (
            "[8] STRUCT 'bits' size=8 vlen=3\n"
            "\t'x' type_id=1 bits_offset=0 bitfield_size=3\n"
            "\t'y' type_id=1 bits_offset=3 bitfield_size=29\n"
            "\t'z' type_id=1 bits_offset=32\n"
        ),
        (
            "[12] ENUM 'e' encoding=UNSIGNED size=4 vlen=2\n"
            "\t'E_A' val=0\n\t'E_B' val=4294967295\n"
        ),
        "[15] FWD 'later' fwd_kind=struct\n",
        (
            "[21] FUNC_PROTO '(anon)' ret_type_id=1 vlen=2\n"
            "\t'first' type_id=5\n\t'(anon)' type_id=0\n"
        ),
        "[25] FUNC 'extern_f' type_id=21 linkage=extern\n",
        (
            "[28] DATASEC '.data.x' size=36 vlen=2\n"
            "\ttype_id=26 offset=0 size=32\n\ttype_id=27 offset=32 size=4\n"
        ),
        "[32] DECL_TAG 'member' type_id=7 component_idx=1\n",
    ):
        assert line in lines


def test_roots_limit_it_to_what_they_refer_to() -> None:
    btf = Btf(every_kind().bytes())
    types = json.loads(json_dump(btf, [21]))["types"]  # int (void *, ...)
    assert [found["id"] for found in types] == [1, 5, 21]
    assert re.findall(r"^\[(\d+)\]", raw_dump(btf, [28]), re.MULTILINE) == [
        *("1", "6", "7", "17", "26", "27", "28")
    ]


def test_split_btf_is_dumped_without_its_base() -> None:
    base = BtfBuilder()
    base.add_int("int", 4)
    base_btf = Btf(base.bytes())
    split = BtfBuilder(base=base_btf)
    split.add_typedef("number", 1)
    btf = Btf(split.bytes(), base=base_btf)
    assert raw_dump(btf) == "[2] TYPEDEF 'number' type_id=1\n"
    assert len(raw_dump(btf, [2]).splitlines()) == 2


def test_names_play_no_tricks() -> None:
    builder = BtfBuilder()
    builder.add_struct("a\x1b[2J\nb", 0)
    btf = Btf(builder.bytes())
    assert raw_dump(btf) == "[1] STRUCT 'a\\x1b[2J\\nb' size=0 vlen=0\n"
    assert json.loads(json_dump(btf))["types"][0]["name"] == "a\x1b[2J\nb"


def test_broken_btf_is_refused() -> None:
    builder = BtfBuilder()
    builder.add_typedef("t", 9)
    with pytest.raises(BtfParseError, match="refers to type 9"):
        json_dump(Btf(builder.bytes()), [1])
