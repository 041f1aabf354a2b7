# `make demo` and `make test` do all their own set-up: Python 3.11+, make and the package index are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLIENTS := $(patsubst tests/conformance/clients/requirements/%.txt,.venv-clients/%/.installed,$(wildcard tests/conformance/clients/requirements/*.txt))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-clients lint bench lock clean

help:  ## Show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "migrator needs Python 3.11 or newer (make PYTHON=python3.12 ...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m compileall -q migrator
	@touch $@

setup: $(STAMP)  ## Make the virtual environment with the pinned dependencies

demo: $(STAMP)  ## Move a whole org to another, between two simulated orgs
	$(BIN)/migrator demo

test: $(STAMP)  ## Lint, types, architecture and all tests but the long sweeps
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -m "not slow" -n 4 --dist loadgroup

test-all: $(STAMP)  ## Everything, the long sweeps too
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 4 --dist loadgroup

test-clients: $(STAMP) $(CLIENTS) .venv-clients/npm/.installed  ## Other people's Salesforce clients against the simulator; installs them first
	$(BIN)/python -m pytest tests/conformance/clients --timeout 600

.venv-clients/%/.installed: tests/conformance/clients/requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.venv-clients/npm/.installed: tests/conformance/clients/npm/package.json
	@command -v npm > /dev/null || { echo "some of the clients need npm"; exit 1; }
	mkdir -p $(@D) && cp $< $(@D)
	cd $(@D) && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel error
	@touch $@

lint: $(STAMP)  ## Format, lint, types, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/lint-imports

bench: $(STAMP)  ## The benchmarks; each prints what it measured beside a peer or a limit
	$(BIN)/python benchmarks/run.py

lock: $(STAMP)  ## Resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean:  ## Remove what was built
	rm -rf $(VENV) .venv-clients .mypy_cache .ruff_cache .pytest_cache build dist
