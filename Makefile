# Card Intake: `make run` plays the demo, `make test` proves the house. Both make themselves ready first.
SHELL := /usr/bin/env bash
PYTHON := .venv/bin/python
JOBS ?= 2
ARGS ?=

.PHONY: help run test lint bench bench-reading soak shots ready ready-test clean

help:
	@echo 'make run    the demo: in a window where there is a screen, else headless into out/demo/ (ARGS="--headless")'
	@echo 'make test   lint, types, import contracts, then all tests (ARGS="-k name")'
	@echo 'make lint   ruff, mypy --strict, import contracts'
	@echo 'make bench  measurements into out/bench/'
	@echo 'make bench-reading  reading alone: 500 fresh cards a tier (CARDINTAKE_BENCH_PICTURES), goes on when stopped'
	@echo 'make soak   two hours of recording (CARDINTAKE_SOAK_MINUTES): memory, drops, proof'
	@echo 'make shots  every screen in both themes and languages into out/shots/'

run: ready
	$(PYTHON) -m app demo $(ARGS)

test: ready-test lint
	$(PYTHON) -m pytest -n $(JOBS) --dist loadscope --max-worker-restart 0 $(ARGS)

lint: ready-test
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo --cache-dir .make/imports

bench: ready-test
	$(PYTHON) -m tests.bench $(ARGS)

bench-reading: ready-test
	$(PYTHON) -m tests.bench reading

soak: ready-test
	$(PYTHON) -m tests.bench soak

shots: ready
	QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} $(PYTHON) -m app shots $(ARGS)

ready:
	@installer/setup.sh run

ready-test:
	@installer/setup.sh test

clean:
	rm -rf out .make .pytest_cache .mypy_cache .ruff_cache .hypothesis
