# `make demo` and `make test` set everything up by themselves: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# "compat": else a script in the folder above this one imports the folder, if it is called qprune, as the package.
INSTALL := -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat
# Aer and NumPy would otherwise fight over the cores with pytest's own processes.
export OMP_NUM_THREADS ?= 1
# Set, every process that a test starts would compile all of qprune anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types unit soak test-oldest test-plugin benchmark docs lock clean

demo: $(STAMP)
	$(BIN)/python -W ignore -m examples.classification
	$(BIN)/qprune verify out/demo

# On the versions of constraints.txt.
test: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/pytest

# Random situations against a simulator of its own; stopped, it goes on where it was. make soak CASES=1000 FIRST=7
CASES ?= 100000
FIRST ?= 0
JOBS ?= 2
soak: $(STAMP)
	$(BIN)/python -m tests.soak --cases $(CASES) --first-seed $(FIRST) --jobs $(JOBS) --out out/soak
	QPRUNE_SOAK=2000 $(BIN)/pytest -o faulthandler_timeout=0  # one test alone takes hours

# On the oldest versions that pyproject.toml allows, in an environment of their own.
test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/pytest

# PennyLane's bridge to Qiskit, which keeps to older releases of it, in an environment of its own.
test-plugin: .venv-plugin/.installed
	.venv-plugin/bin/python -c 'import pennylane_qiskit'
	.venv-plugin/bin/pytest tests/pennylane/test_plugin.py

# Measures, makes tables and plots, and puts the tables into README.md. Hours with --full, minutes without.
benchmark: $(STAMP)
	$(BIN)/python -m benchmarks scaling
	$(BIN)/python -m benchmarks accuracy
	$(BIN)/python -m benchmarks training
	$(BIN)/python -m benchmarks tables
	$(BIN)/python -m benchmarks plots
	$(BIN)/python -W ignore -m benchmarks readme

$(STAMP): pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "qprune needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) -c constraints.txt -e '.[test]'
	touch $@

.venv-oldest/.installed: pyproject.toml setup.py tools/oldest.py
	$(PYTHON) -m venv --clear .venv-oldest
	$(PYTHON) tools/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python $(INSTALL) -c .venv-oldest/constraints.txt -e '.[test]'
	touch $@

.venv-plugin/.installed: pyproject.toml setup.py
	$(PYTHON) -m venv --clear .venv-plugin
	.venv-plugin/bin/python $(INSTALL) -e '.[plugin]' pytest pytest-xdist hypothesis
	touch $@

# The documentation as a site in out/site; nothing is fetched while it is built, nor by who reads it.
docs: .venv-docs/.installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet
	@echo 'out/site/index.html; with its search: python3 -m http.server -d out/site'

.venv-docs/.installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check $$(.venv-docs/bin/python tools/extra.py docs)
	touch $@

# Writes constraints.txt anew from what pip resolves today.
lock:
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python $(INSTALL) -e '.[test]'
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt
	touch $(STAMP)

clean:
	rm -rf .venv .venv-oldest .venv-plugin .venv-docs out build dist *.egg-info
