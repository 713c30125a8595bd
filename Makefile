# `make run` measures and reports, `make test` tests; both set up .venv by themselves, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=

.PHONY: run test lint clean

run: $(VENV)/run.stamp
	$(BIN)/nnbench run $(ARGS)

# Tests whose outcome hangs on timings are marked `alone` and run by themselves.
test: $(VENV)/test.stamp
ifeq ($(ARGS),)
	$(BIN)/python -m pytest -m "not alone" -p no:benchmark --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20
	$(BIN)/python -m pytest -m alone -p no:benchmark
else
	$(BIN)/python -m pytest $(ARGS)
endif

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nnbench needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "No venv in this Python; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/run.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[tensorflow]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(INSTALL) -e '.[tensorflow,jax,torch,test]'
	@touch $@

clean:
	rm -rf $(VENV)
