# Two commands need nothing set up beforehand: `make demo` and `make test`.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# A Python that starts (a shim may exist and not work), is new enough, and can make environments.
PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 python3 $$HOME/.pyenv/versions/3.1[2-9]*/bin/python3; do \
	$$p -c 'import sys, venv, ensurepip, ssl, sqlite3; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && command -v $$p && break; done)

.PHONY: help setup demo test lint docs fuzz lock clean
help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(VENV)/.ready  ## the virtual environment, from the lock

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.12 or newer found in PATH or ~/.pyenv; install one, or run: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check -qq install --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: setup  ## the whole way on the reference service: traffic, tap, mutants, findings
	@$(BIN)/shadow demo

test: setup  ## Debian packages the tests need (as root), then lint, types, import rules and every test
	@sh .ci/packages
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n auto --dist worksteal

lint: setup  ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: setup  ## write the generated parts of docs/ again
	@$(BIN)/python -m shadow.reference docs

SECONDS ?= 60
fuzz: setup  ## fuzz every reader for SECONDS in all; what fails is kept, and tried again by the tests
	@$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)

lock:  ## write requirements.lock again (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.12 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

clean:  ## remove what was set up and made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
