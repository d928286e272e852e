# Everything a person or the CI does with a checkout. Needs Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
PIP_FLAGS := --disable-pip-version-check --no-input
# One more than the cores of a small machine: many tests wait for a browser, a process or a lease.
WORKERS ?= 3
PYTEST_ARGS ?=
UP_ARGS ?=

# Compiled sources are kept even where the environment says otherwise: tests start hundreds of processes, each a second of compiling.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run dev test check format sim fuzz drill bench docs catalogs lock clean

help: ## Say what can be made
	@echo "Heliograph: make <target>"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.run ## Install, start a demo with a sandbox and print its address
	@$(BIN)/heliograph up $(UP_ARGS)

dev: $(VENV)/.dev ## Install what development and tests need

test: check ## Check style, types and layers, and run all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

check: $(VENV)/.dev ## Check style, types and layers only
	@$(BIN)/python -m tests.chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Put the sources into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sim: $(VENV)/.dev ## Simulate days of faults from many seeds
	$(BIN)/python -m tests.sim.main $(SIM_ARGS)

docs: $(VENV)/.dev ## Write the pages of docs/ that are made from the code
	$(BIN)/python -m tools.generate

catalogs: $(VENV)/.dev ## Put new sentences into the translation catalogs
	$(BIN)/python -m tools.catalogs

fuzz: $(VENV)/.dev ## Send a million nearly right webhook bodies into a real installation (FUZZ_ARGS="--bodies 20000")
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

drill: $(VENV)/.dev ## Replay 6 August 2020 with real processes, on both stores (DRILL_ARGS="A D")
	$(BIN)/python -m tools.drill $(DRILL_ARGS)

bench: $(BENCH_VENV)/.bench ## Measure beside the peers (QUICK=1: a rough picture in two minutes)
	QUICK=$(QUICK) $(BENCH_VENV)/bin/python -m bench.run

lock: $(VENV)/.venv ## Pin all dependencies anew, with hashes
	$(call say,fetching the resolver)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --quiet 'uv>=0.9'
	@for name in build run dev; do $(LOCK) requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done
	@$(LOCK) --no-annotate -c requirements/build.txt -c requirements/run.txt bench/requirements.in --output-file bench/requirements.txt

clean: ## Remove everything that was made here
	rm -rf $(VENV) $(BENCH_VENV) build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One lock for every Python and system we support; it names no index, no folder and no date.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade -c requirements/limits.in \
	--no-header --no-emit-index-url --no-emit-find-links

define say
@printf '\033[1m==> %s\033[0m\n' "$(1)"
endef

# Each stamp is newer than what it was made from, so a second run installs nothing and a changed lock installs again.
$(VENV)/.venv $(BENCH_VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Heliograph needs Python 3.11 or newer; $(PYTHON) is $$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo missing)." >&2; \
		echo "Say which to use: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(call say,creating $(@D) with $$($(PYTHON) --version 2>&1))
	@$(PYTHON) -m venv $(@D) || { rm -rf $(@D); \
		echo "This Python cannot make virtual environments (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@touch $@

$(VENV)/.run: requirements/build.txt requirements/run.txt pyproject.toml | $(VENV)/.venv
	$(call say,installing what Heliograph runs on (a minute or two the first time))
	@$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(BIN)/python -m pip install $(PIP_FLAGS) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(call say,installing what the tests need)
	@$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/dev.txt
	@touch $@

$(BENCH_VENV)/.bench: requirements/build.txt requirements/run.txt bench/requirements.txt pyproject.toml | $(BENCH_VENV)/.venv
	$(call say,installing Heliograph and the peers of the benchmark)
	@$(BENCH_VENV)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r bench/requirements.txt
	@$(BENCH_VENV)/bin/python -m pip install $(PIP_FLAGS) --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(BENCH_VENV)/bin/python -m pip install $(PIP_FLAGS) --quiet --no-deps --no-build-isolation --editable .
	@touch $@
