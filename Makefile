# Every task, the same by hand and in CI. `make` alone lists them.
#
# Each target does all the set-up it needs: .venv, pinned packages, the compiled core. Variables:
#   PYTHON=...            the interpreter to make .venv with (3.11 or later)
#   CARGO_TARGET_DIR=...  where cargo builds (default: target/), so that checkouts can share it
#   JOBS=2                test processes

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= 2
BIN := .venv/bin
SETUP = tools/setup.py
CRATES := -p veloz-core -p veloz-venues
# Optimised, with debug assertions, and without the slow link of a release (see Cargo.toml).
CARGO_TEST := cargo test --locked --quiet --profile checked
# core/clippy.toml is for the core's library: its tests and the other crates may read files.
# What clippy finds changes with its release: it fails the build under the one the code was last
# read with, and under others it only prints.
LINTED_WITH := 1.95
FATAL := $(if $(findstring rustc $(LINTED_WITH).,$(shell rustc --version 2>/dev/null)),-D warnings)
IMPURE_ALLOWED := -A clippy::disallowed-types -A clippy::disallowed-methods -A clippy::disallowed-macros

.PHONY: help
help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup: ## make .venv with everything that use and tests need
	@python=$$(tools/find_python.sh) && "$$python" $(SETUP) dev

.PHONY: build
build: ## make .venv with what use needs, without tests and checks
	@python=$$(tools/find_python.sh) && "$$python" $(SETUP) base

.PHONY: demo
demo: build ## trade real recorded data, offline, and print the report
	@$(BIN)/veloz demo

.PHONY: test
test: setup ## the whole suite: Rust, then Python
	@$(CARGO_TEST) $(CRATES)
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long"

.PHONY: test-long
test-long: setup ## the heavy figures; LONG=0.1 does a tenth of them
	@VELOZ_LONG=$(or $(LONG),1) $(CARGO_TEST) $(CRATES) -- --ignored
	@VELOZ_LONG=$(or $(LONG),1) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m long --timeout 3600

SECONDS ?= 60
.PHONY: fuzz
fuzz: setup ## damaged input for every parser, SECONDS=60 in all; SEED=n repeats; counts as JSON
	@$(BIN)/python tools/fuzz.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: vectors
vectors: setup ## golden vectors alone, with the count of each kind
	@$(BIN)/python tools/run_vectors.py

.PHONY: bench
bench: build ## generate the inputs and run every benchmark
	@$(BIN)/python benches/run.py

.PHONY: compare
compare: setup ## the SMA cross beside other engines, in an environment of their own
	@test -x build/peers/bin/python || .venv/bin/python -m venv build/peers
	@build/peers/bin/python -m pip install --quiet --require-hashes -r requirements/peers.lock
	@VELOZ_PEERS=$(CURDIR)/build/peers/bin/python $(BIN)/python -m pytest -s tests/comparison

.PHONY: golden
golden: setup ## rewrite the golden files; review the diff
	@VELOZ_REWRITE_GOLDEN=1 $(CARGO_TEST) $(CRATES)
	@VELOZ_REWRITE_GOLDEN=1 $(BIN)/python -m pytest -m "not long"
	@git --no-pager diff --stat

.PHONY: gen
gen: setup ## rewrite generated files (src/veloz/_core.pyi)
	@$(BIN)/python tools/generate_stubs.py

.PHONY: check
check: setup ## format, lint, types, import rules, generated code, documents
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@cargo fmt --all --check
	@cargo clippy --locked --quiet --workspace --all-targets -- $(FATAL) $(IMPURE_ALLOWED)
	@cargo clippy --locked --quiet --package veloz-core --lib -- $(FATAL) -D clippy::disallowed-types \
		-D clippy::disallowed-methods -D clippy::disallowed-macros
	@$(BIN)/python tools/generate_stubs.py --check
	@$(BIN)/python -m pytest -q tests/docs tests/test_house_rules.py

.PHONY: fix
fix: setup ## format and repair what can be repaired by a tool
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@cargo fmt --all

.PHONY: coverage
coverage: setup ## statement coverage of both halves; fails under 90 %
	@$(BIN)/python tools/coverage.py

.PHONY: wheel
wheel: setup ## build the wheel into dist/ and try it in a fresh venv
	@$(BIN)/python tools/try_wheel.py

.PHONY: lock
lock: build ## resolve requirements/*.lock anew (needs uv)
	@$(BIN)/python tools/lock.py

.PHONY: clean
clean: ## remove what the other tasks made, but not runs/ and catalog/
	@rm -rf .venv target dist build .pytest_cache .ruff_cache .hypothesis .coverage*
	@find src -name '_core*.so' -delete
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
