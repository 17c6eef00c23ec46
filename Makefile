# `make demo` and `make test` set everything up by themselves: Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Aer and NumPy would otherwise fight over the cores with pytest's own processes.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint types unit soak benchmark lock clean

demo: $(STAMP)
	$(BIN)/python -W ignore -m examples.classification
	$(BIN)/qprune verify out/demo

test: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

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

# Measures, makes tables and plots, and puts the tables into README.md. Hours with --full, minutes without.
benchmark: $(STAMP)
	$(BIN)/python -m benchmarks scaling
	$(BIN)/python -m benchmarks accuracy
	$(BIN)/python -m benchmarks training
	$(BIN)/python -m benchmarks tables
	$(BIN)/python -m benchmarks plots
	$(BIN)/python -W ignore -m benchmarks readme

# "compat": else a script in the folder above this one imports the folder, if it is called qprune, as the package.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "qprune needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -c constraints.txt -e '.[test]'
	touch $@

# Writes constraints.txt anew from what pip resolves today.
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e '.[test]'
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt
	touch $(STAMP)

clean:
	rm -rf $(VENV) out build dist *.egg-info
