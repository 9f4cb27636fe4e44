# Two commands do everything from a fresh clone: make demo, make test.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# The stamps carry a hash of what was asked for, so that a re-run reinstalls nothing.
WANTED := $(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)
DEMO_STAMP := .venv/.demo-$(WANTED)
TEST_STAMP := .venv/.test-$(WANTED)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
EDITABLE := --config-settings editable_mode=compat --editable
FAMILIES := wire message bundle upload sealed import
export FLWR_TELEMETRY_ENABLED = 0
export FLWR_DISABLE_UPDATE_CHECK = 1
export FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION = 1
export RAY_USAGE_STATS_ENABLED = 0

.PHONY: demo test lint types contracts tests fuzz system-packages fix clean

demo: $(DEMO_STAMP)
	$(BIN)/fedcart demo

test: system-packages lint types contracts tests

lint: $(TEST_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(TEST_STAMP)
	$(BIN)/mypy

contracts: $(TEST_STAMP)
	$(BIN)/lint-imports

tests: system-packages $(TEST_STAMP)
	scripts/in-memory $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --ignore tests/browser
	scripts/in-memory $(BIN)/pytest tests/browser # apart: Playwright keeps an event loop running in its thread

# Each family of parsers for this many seconds; what was learned is kept for the next time.
FUZZ_SECONDS ?= 30
fuzz: $(TEST_STAMP)
	@for family in $(FAMILIES); do \
		echo "Fuzzing $$family for $(FUZZ_SECONDS) s ..."; \
		$(BIN)/python -m tests.fuzz.run $$family .hypothesis/fuzz/$$family \
			-max_total_time=$(FUZZ_SECONDS) -verbosity=0 || exit 1; \
	done

system-packages:
	@scripts/system-packages

fix: $(TEST_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(DEMO_STAMP): | $(BIN)/python
	@echo "Installing what the demo needs into .venv (a minute or two) ..."
	$(PIP) $(EDITABLE) ".[sim]"
	@rm -f .venv/.demo-* && touch $@

$(TEST_STAMP): | $(BIN)/python
	@echo "Installing what the tests need into .venv (a minute or two) ..."
	$(PIP) torch # by itself: with other packages' wishes pip may take a build with CUDA
	$(PIP) $(EDITABLE) ".[dev]"
	@rm -f .venv/.test-* .venv/.demo-* && touch $@ $(DEMO_STAMP)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
