.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types layers fast browser docs bench cases clean

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PINS   := pyproject.toml constraints.txt
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt
# Two workers of one thread each: on two cores, threads that wait for each other cost more than they bring. Files come in
# the order of tests/conftest.py, the long ones first.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive \
          $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-8s %s\n", $$1, $$2 }'

demo: $(VENV)/.core ## fit handwritten digits in a few minutes and say where the report is
	$(BIN)/headstart demo --out demo-run
	@echo "The report: $(CURDIR)/demo-run/report.html"

test: $(VENV)/.dev format lint types layers browser ## every check and every test, slow and browser ones too
	$(PYTEST)

check: format lint types layers fast ## format, lint, types, layers and the fast tests, in two minutes

format: $(VENV)/.dev
	$(BIN)/ruff format --check --quiet .

lint: $(VENV)/.dev
	$(BIN)/ruff check --quiet .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	@$(BIN)/lint-imports >$(VENV)/layers.txt 2>&1 || { cat $(VENV)/layers.txt; exit 1; }

fast: $(VENV)/.dev
	$(PYTEST) -m "not slow and not browser"

browser:
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi; \
	echo "Installing chromium and chromium-driver for the browser tests"; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ $$sudo apt-get -qq update && $$sudo apt-get -qq install --yes --no-install-recommends \
		chromium chromium-driver; } >/dev/null 2>&1 || \
		echo "That failed. Browser tests need Chromium and its driver (Debian: chromium chromium-driver)."

docs: $(VENV)/.dev ## build the documentation into site/
	$(BIN)/python docs/tables.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.bench ## run the benchmarks
	$(BIN)/python bench/run.py

cases: $(VENV)/.bench ## lay out the real-image cases as folders
	$(BIN)/python bench/cases.py

clean: ## remove everything that was made here
	rm -rf $(VENV) demo-run site dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "headstart needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -f $@; echo "Python could not make a virtual environment (Debian: install python3-venv)."; exit 1; }

$(VENV)/.core: $(PINS) | $(BIN)/python
	@echo "Installing headstart into $(VENV) (a few minutes the first time)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(PINS) | $(BIN)/python
	@echo "Installing headstart and its development tools into $(VENV) (a few minutes the first time)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.core

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) --editable '.[dev,bench]'
	@touch $@
