# Every target makes what it needs; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo collect benchmark backtest publish all schedule dashboards lab sandbox sql trade check backup restore \
  test audit fuzz soak lint advisories bench scale screenshots clean

BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## List what you can do here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready  ## Make .venv with everything pinned (uv if it is there, else pip)

.venv/ready: requirements.lock pyproject.toml
	@python3.11 -m venv .venv || python3 -m venv .venv || { echo "make: python 3.11 with venv is needed (Debian: apt install python3-venv)."; exit 1; }
	@echo "Installing the pinned packages into .venv ..."
	@if command -v uv >/dev/null; then \
	  uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install -q --python $(BIN)/python --no-deps -e .; \
	else \
	  $(BIN)/python -m pip install -q --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install -q --no-deps -e .; \
	fi
	@$(BIN)/python -m compileall -q lib
	@touch .venv/ready

demo: .venv/ready  ## Three accounts, 90 days, dashboards: no key, no network
	@$(BIN)/navbook demo

collect: .venv/ready  ## Read every wallet and cash flow once
	@$(BIN)/navbook collect

benchmark: .venv/ready  ## Rebuild valuation, benchmark and performance
	@$(BIN)/navbook benchmark

backtest: .venv/ready  ## Would this take profit and stop have beaten half/half: 30 days, 64 settings
	@$(BIN)/navbook backtest

publish: .venv/ready  ## Execute the dashboards
	@$(BIN)/navbook publish

all: .venv/ready  ## collect, benchmark, backtest and publish
	@$(BIN)/navbook all

schedule: .venv/ready  ## The jobs of navbook.toml, each at its due times
	@$(BIN)/navbook schedule

dashboards: .venv/ready  ## Serve the published pages on this machine
	@$(BIN)/navbook dashboards

lab: .venv/ready  ## JupyterLab on the notebooks
	@$(BIN)/navbook lab

sandbox: .venv/ready  ## A local Binance on port 8600, with the demo's accounts
	@$(BIN)/navbook sandbox --scenario demo

sql: .venv/ready  ## Ask the store: make sql Q="from nav_history limit 5"
	@$(BIN)/navbook sql "$(or $(Q),select account_name, id from binance_accounts order by id)"

trade: .venv/ready  ## Trade the positions of navbook.toml on the sandbox or the testnet
	@$(BIN)/navbook trade start

check: .venv/ready  ## What is wrong with the books, and what to do
	@$(BIN)/navbook check

backup: .venv/ready  ## A verified copy of the store, while others may write
	@$(BIN)/navbook backup

restore: .venv/ready  ## Bring a backup to a new folder: make restore FROM=latest TO=folder
	@$(BIN)/navbook restore "$(or $(FROM),latest)" "$(or $(TO),$(error name a new folder: make restore TO=folder))"

test: .venv/ready  ## All tests; offline, about ten minutes
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

audit: .venv/ready  ## The books of 200 random worlds against an independent account in exact decimals
	@NAVBOOK_AUDIT_WORLDS=200 $(BIN)/python -m pytest -q -n 2 tests/test_compute_audit.py

fuzz: .venv/ready  ## Nonsense for every parser, setting, file and command: make fuzz N=2000, ten minutes
	@NAVBOOK_FUZZ=$(or $(N),2000) $(BIN)/python -m pytest -q -n 2 tests/test_fuzz_*.py tests/test_exchange_parse.py

soak: .venv/ready  ## A year in which a fifth of all requests fails, then readers beside writers: some hours
	@$(BIN)/python tests/soak.py --days 365
	@$(BIN)/python tests/soak_readers.py --minutes 10

lint: .venv/ready  ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/mypy

advisories: .venv/ready  ## Known holes in the pinned packages (asks PyPI; installs nothing)
	@$(BIN)/python tests/advisories.py

bench: .venv/ready  ## Speed of what counts, measured here and now
	@$(BIN)/python tests/bench.py && $(BIN)/python tests/bench_sandbox.py && $(BIN)/python tests/bench_runner.py
	@if [ -f tests/bench_backtest.py ]; then $(BIN)/python tests/bench_backtest.py; fi
	@$(BIN)/python tests/bench_pages.py && $(BIN)/python tests/bench_trader.py

scale: .venv/ready  ## A hundred accounts with a year of minutes each, and what users do with them: half an hour
	@$(BIN)/python tests/bench_scale.py

screenshots: .venv/ready  ## The README's pictures, made anew from a demo (needs Chromium)
	@$(BIN)/python tests/screenshots.py

clean:  ## Remove .venv and caches; never facts, never runs
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
