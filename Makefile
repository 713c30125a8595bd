# `make run` measures and reports, `make test` tests what a change may break, `make test-all` tests
# everything, `make docs` builds the documentation; all set up .venv by themselves, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=
PYTEST := $(BIN)/python -m pytest -p no:benchmark --durations 20
TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-all lint docs pictures ledger clean

run: $(VENV)/run.stamp
	$(BIN)/nnbench run $(ARGS)

test: $(VENV)/test.stamp
ifeq ($(ARGS),)
	$(PYTEST) $(TWO) -m "not long and not alone"
else
	$(BIN)/python -m pytest $(ARGS)
endif

# Tests whose outcome hangs on timings are marked `alone` and run by themselves.
test-all: $(VENV)/test.stamp
	$(PYTEST) $(TWO) -m "not alone"
	$(PYTEST) -m alone

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/docs.stamp
	rm -rf docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html
	$(BIN)/python docs/links.py docs/_build/html
	@echo docs/_build/html/index.html

# What the pages show, measured anew here; each takes minutes.
pictures: $(VENV)/test.stamp
	$(BIN)/python docs/real.py $(ARGS)

ledger: $(VENV)/test.stamp
	$(BIN)/python benchmarks/calibration/simulated.py --ledger
	$(BIN)/python benchmarks/calibration/looks.py --ledger
	$(BIN)/python benchmarks/counts/applications.py --ledger
	$(BIN)/python benchmarks/history/read_large.py --ledger
	$(BIN)/python benchmarks/report/read_large.py --ledger
	$(BIN)/python benchmarks/start.py --ledger

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nnbench needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "No venv in this Python; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/run.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[tensorflow]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(INSTALL) -e '.[tensorflow,jax,torch,cluster,test]'
	@touch $@

$(VENV)/docs.stamp: $(VENV)/run.stamp
	$(INSTALL) -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) docs/_build docs/_made
