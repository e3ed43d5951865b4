.DEFAULT_GOAL := help
.PHONY: help setup tools demo test check images bench bench-methods clean

PYTHON ?= python3
BIN := .venv/bin

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## build .venv from the locks (a second when nothing changed; PYTHON=python3.12 picks a Python)
	@$(PYTHON) scripts/setup.py

tools: ## install the programs that tests of images and monitoring call (Debian, as root)
	@$(PYTHON) scripts/tools.py

demo: setup ## train the bundled student from its teacher, end to end, and show what it gained
	$(BIN)/rkd demo

test: setup ## run all tests; those that start no engine run beside each other, on up to four cores
	@failed=0; \
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
		--ignore tests/deploy/images tests/unit tests/deploy || failed=1; \
	$(BIN)/python -m pytest --ignore tests/unit --ignore-glob "tests/deploy/test_*.py" || failed=1; \
	exit $$failed

check: setup ## lint, formatting, strict types, import rule, dead code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

images: ## build the container images, with docker, podman or buildah (docs/images.md has the variables)
	@$(PYTHON) scripts/images.py --engine "$(ENGINE)" --base "$(BASE)" --tag "$(TAG)" \
		--prefix "$(PREFIX)" --pip-conf "$(PIP_CONF)" --ca "$(CA)" --wheels "$(WHEELS)" $(IMAGES)

bench: setup ## measure speed and what training gains (see benchmarks/)
	$(BIN)/python -m benchmarks

bench-methods: setup ## compare all methods over tasks and seeds; hours, and goes on where it was cut
	$(BIN)/python -m benchmarks.methods

clean: ## remove .venv, build outputs and caches; records in .rkd stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find rkd_online tests scripts benchmarks -name __pycache__ -prune -exec rm -rf {} +
