# Everything from a fresh clone: `make demo` and `make test` do their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LEAVES := harmonization/*,catalogs/*,models/*
LEAF_COVERAGE := 90

.DELETE_ON_ERROR:
.PHONY: help setup demo test weights lint types imports pytest docs

help:
	@echo "make setup   .venv with overbank and its tools (again only when pyproject.toml changes)"
	@echo "make demo    simulate a flood of 1024 x 1024 pixels, map it, compare with the truth: demo/report.html"
	@echo "make test    ruff, mypy, import contracts, tests, coverage of the leaves"
	@echo "make docs    the documentation site, its notebooks executed: build/site/index.html"
	@echo "make weights the networks that come with the package, trained anew on simulated floods below weights/ (an hour or two)"

setup: $(STAMP)

# One pip command for everything: so torch is resolved together with all the rest.
$(STAMP): pyproject.toml workflows/viewer/lock.json
	@echo "== set-up: $(VENV) with overbank[dev] (the first time minutes, on a slow line more: 3 GB with torch)"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("overbank needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -e '.[dev]'
	@echo "== set-up: map libraries of \`overbank view\` (npm tarballs, pinned by sha512)"
	@$(BIN)/python -m workflows.viewer.fetch || echo "set-up: \`overbank view\` waits for: $(BIN)/python -m workflows.viewer.fetch"
	@touch $(STAMP)
	@echo "== set-up: done"

demo: $(STAMP)
	@echo "== demo: 1024 x 1024 pixels of 10 m, three sensors, before and during"
	$(BIN)/overbank demo --out demo --size 1024 --seed 1

SIMULATED := train --dataset simulated --root weights/scenes --events 28 --size 512
weights: $(STAMP)
	$(BIN)/overbank $(SIMULATED) --strategy late --epochs 14 --out weights/late
	$(BIN)/overbank $(SIMULATED) --strategy early --epochs 16 --out weights/early
	$(BIN)/overbank $(SIMULATED) --strategy intermediate --join gated --epochs 12 --out weights/intermediate

docs: $(STAMP)
	@echo "== docs: reference from the code, notebooks executed, no link broken: build/site"
	$(BIN)/pip install -q -e '.[docs]'
	JUPYTER_PLATFORM_DIRS=1 NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test: $(STAMP) lint types imports pytest

lint: $(STAMP)
	@echo "== ruff: lint and format"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	@echo "== mypy: strict"
	$(BIN)/mypy

imports: $(STAMP)
	@echo "== import contracts: which room may import which"
	$(BIN)/lint-imports

pytest: $(STAMP)
	@echo "== pytest, with coverage; the leaves need $(LEAF_COVERAGE) %"
	$(BIN)/pytest -m 'not integration' --cov --cov-report=
	$(BIN)/coverage report --skip-covered --include='$(LEAVES)' --fail-under=$(LEAF_COVERAGE)
