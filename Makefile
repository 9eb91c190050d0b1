# MyGPT. `make` lists what there is. Nothing here needs root or asks a question; all of it may be interrupted and repeated.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

define install
@test -n "$(PYTHON)" || { echo "MyGPT needs Python 3.11 or newer with venv; on Debian: apt install python3-venv" >&2; exit 1; }
@"$(PYTHON)" -m mygpt.install $(VENV)
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: ## set up what is missing, migrate, build, serve, and print the address
	$(install) requirements.txt
	@exec $(PY) -m mygpt serve

.PHONY: dev
dev: ## serve and start again whenever a source changes, with a fresh front end if need be
	$(install) requirements-dev.txt
	@exec $(PY) -m watchfiles --ignore-paths assets/external "$(PY) -m mygpt serve" mygpt assets alembic rxconfig.py

.PHONY: build
build: ## build the front end if its sources changed
	$(install) requirements.txt
	@$(PY) -m mygpt build

.PHONY: local
local: ## install what the embedded model needs (MYGPT_LOCAL_MODEL)
	$(install) requirements.txt requirements-local.txt

.PHONY: test
test: ## run the tests, browser journeys included; ARGS="-k name" passes on to pytest
	$(install) requirements-dev.txt
	@$(PY) -m mygpt build
	@$(PY) -m tests.browser
	@$(PY) -m pytest $(ARGS)

.PHONY: test-long
test-long: ## run the tests with the whole length of what is short in `make test`
	@$(MAKE) test ARGS="--long $(ARGS)"

.PHONY: coverage
coverage: ## run the tests and show which lines they miss; fails below 90 %
	$(install) requirements-dev.txt
	@$(PY) -m mygpt build
	@$(PY) -m tests.browser
	@$(PY) -m pytest --cov=mygpt --cov-report=term-missing:skip-covered --cov-fail-under=90 $(ARGS)

.PHONY: check
check: ## format, lint, types, architecture
	$(install) requirements-dev.txt
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest -q tests/test_architecture.py
	$(PY) -m tests.scripts_check

.PHONY: format
format: ## format Python and JavaScript
	$(install) requirements-dev.txt
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .
	$(PY) -m tests.scripts_check --write

.PHONY: bench
bench: ## measure the speed, beside the raw SDK and a bare page in the same run
	$(install) requirements-dev.txt
	@$(PY) -m mygpt build
	@$(PY) -m tests.browser
	@$(PY) -m tests.bench $(ARGS)

.PHONY: clean
clean: ## remove all that was installed and built; your data stays
	rm -rf $(VENV) $(VENV).lock $(VENV).unfinished build .web .states assets/external
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov test-results .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
