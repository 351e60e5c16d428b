"""What a user reads when something is wrong, word for word.

The missing compiler is in tests/build/test_clang.py.
"""

import textwrap

import pytest

from skelgen import runtime as rt

pytestmark = pytest.mark.any_kernel


def text(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """Return what a traceback ends with: the message and its notes."""
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


@pytest.fixture
def bootstrap(make_skeleton):
    with make_skeleton("bootstrap").Bootstrap.open_and_load() as skel:
        yield skel


def test_a_program_that_the_verifier_rejects_is_told_by_its_line_of_c(make_skeleton):
    skeleton = make_skeleton("prog_rejected").ProgRejected
    with pytest.raises(rt.VerifierError) as caught:
        skeleton.open_and_load()
    said = text(caught)
    assert said.startswith(textwrap.dedent("""\
            program 'outside': refused by the verifier: permission denied (EACCES)
              at ./tests/data/prog_rejected.bpf.c:20, in outside()
                  16      __u64 *value = bpf_map_lookup_elem(&single, &zero);
                  18      if (!value)
                > 20      return value[1];
            """))
    assert "invalid access to map value, value_size=8 off=8 size=8" in said
    assert caught.value.program == "outside"
    assert caught.value.source.line == 20
    # the useful end is shown, the whole is kept
    assert len(said) < len(caught.value.log) + 200
    assert "processed" in caught.value.log


def test_a_pin_path_whose_folder_is_missing_says_which_and_what_to_do(make_skeleton):
    skeleton = make_skeleton("maps_pinned").MapsPinned
    with (
        skeleton.open(pin_root="/sys/fs/bpf/skelgen-nowhere/deep") as skel,
        pytest.raises(FileNotFoundError) as caught,
    ):
        skel.load()
    assert isinstance(caught.value, rt.BpfOSError)
    assert text(caught) == (
        "map 'skelgen_pinned': BPF_OBJ_PIN: cannot be pinned at "
        "'/sys/fs/bpf/skelgen-nowhere/deep/skelgen_pinned': directory "
        "'/sys/fs/bpf/skelgen-nowhere' does not exist; make it with "
        "'mkdir -p /sys/fs/bpf/skelgen-nowhere/deep', or choose another place "
        "(maps pinned by name: open(pin_root=...))"
    )


def test_a_kernel_function_that_is_not_there_is_named_with_a_way_out(make_skeleton):
    skeleton = make_skeleton("externs_missing").ExternsMissing
    with pytest.raises(rt.ExternError) as caught:
        skeleton.open_and_load()
    assert text(caught) == (
        "extern 'skelgen_no_such_kfunc': no kernel function 'skelgen_no_such_kfunc' in "
        "the BTF of this kernel or its modules; declare it __weak to do without"
    )


def test_a_write_to_rodata_after_load_is_refused(bootstrap):
    with pytest.raises(rt.StateError) as caught:
        bootstrap.rodata.min_duration_ns = 1
    assert text(caught) == (
        "global 'min_duration_ns': '.rodata' is read-only after load() or prepare(); "
        "assign before"
    )
    assert bootstrap.rodata.min_duration_ns == 0


def test_use_after_destroy_is_a_closed_error_that_says_so(make_skeleton):
    skel = make_skeleton("bootstrap").Bootstrap.open_and_load()
    skel.destroy()
    skel.destroy()
    for use, message in (
        (lambda: skel.bss.lost, "global 'lost': the object was destroyed"),
        (
            lambda: skel.maps.exec_start[1],
            "map 'exec_start': the object was destroyed",
        ),
        (
            skel.attach,
            "object 'bootstrap': attach() after destroy(); open it again",
        ),
    ):
        with pytest.raises(rt.ClosedError) as caught:
            use()
        assert text(caught) == message


def test_calls_in_the_wrong_order_are_refused_with_the_right_one(make_skeleton):
    with make_skeleton("bootstrap").Bootstrap.open() as skel:
        with pytest.raises(rt.StateError) as caught:
            skel.attach()
        assert text(caught) == "object 'bootstrap': attach() comes after load()"
        skel.load()
        with pytest.raises(rt.StateError) as caught:
            skel.load()
        assert text(caught) == (
            "object 'bootstrap': loaded already; open another to load again"
        )


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("1", TypeError, "got str"),
        (None, TypeError, "got NoneType"),
        (1.0, TypeError, "got float"),
        (1 << 40, OverflowError, "got 1099511627776"),
    ],
)
def test_a_wrong_key_is_refused_with_the_type_and_range_it_needs(
    bootstrap, key, error, message
):
    with pytest.raises(error) as caught:
        bootstrap.maps.exec_start[key] = 1
    assert text(caught) == (
        "map 'exec_start': key must be int in -2147483648..2147483647 (i32), " + message
    )


def test_a_key_that_is_missing_is_a_key_error_that_names_the_map(bootstrap):
    with pytest.raises(KeyError) as caught:
        _ = bootstrap.maps.exec_start[1]
    assert text(caught) == "1\nmap 'exec_start' has no such key"


def test_a_full_hash_map_says_so_and_keeps_its_entries(make_skeleton):
    with make_skeleton("bootstrap").Bootstrap.open() as skel:
        skel.maps.exec_start.max_entries = 4
        skel.load()
        for key in range(4):
            skel.maps.exec_start[key] = key
        with pytest.raises(rt.MapFullError) as caught:
            skel.maps.exec_start[4] = 4
        assert text(caught) == (
            "map 'exec_start' is full: 4 entries; raise max_entries before load()"
        )
        assert dict(skel.maps.exec_start.items()) == {0: 0, 1: 1, 2: 2, 3: 3}
