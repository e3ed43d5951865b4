# Everything a newcomer types: `make demo`, `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

help:  ## Show what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

setup:  ## Build .venv from the lock (some minutes at first, a second when nothing changed)
	@$(PYTHON) scripts/setup.py

demo: setup  ## Control plane, local Ray and one real distillation job, from submit to report
	@$(BIN)/rkd demo

test: setup  ## All tests: unit, integration, end to end
	@$(BIN)/python -m pytest

check: setup  ## Format, lint, types, import rule, dead code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/vulture

bench: setup  ## Measure what the documents claim; writes benchmarks/results/
	@$(BIN)/python -m benchmarks

clean:  ## Remove the environment and all caches; records in .rkd stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help setup demo test check bench clean
