# `make run` does the default study, `make test` all checks. Both first make .venv from the lock; nothing else is installed.
PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
STAMP := .venv/.installed

.PHONY: help install run test lint types unit slurm chaos docs lock clean

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## .venv with the locked dependencies and the package

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON): no such program; name another: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) .ci/before_install.py
	@# A half-made one is made anew; without this its pip might be another Python's.
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@# Compiled once here: many containers forbid Python to do so at first use, and would at each start.
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -e .
	@touch $@

run: $(STAMP) ## the default study (config.yaml), report included
	$(BIN)/snakemake --cores all --resources gpu=1

test: lint types unit ## lint, types and all tests

lint: $(STAMP) ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

types: $(STAMP) ## mypy
	$(BIN)/mypy

unit: $(STAMP) ## the tests
	$(BIN)/pytest

slurm: $(STAMP) ## a tiny study through a real SLURM and its faults (root; Debian's slurm-wlm and munge)
	$(BIN)/pytest -n 0 -m long tests/slurm --durations=20

chaos: $(STAMP) ## kills a tiny study KILLS times at random moments (100) and compares its files
	$(BIN)/python tests/workflow/chaos.py --kills $(or $(KILLS),100)

docs: $(STAMP) ## the documentation as a site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site is at site/index.html"

lock: $(STAMP) ## a new requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --upgrade --quiet -o requirements.lock

clean: ## removes .venv and caches; results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info site
