# The project's commands; `make` alone lists them. Needed beforehand: Python 3.11 or newer (with venv and pip), GNU make, git.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
UV_VERSION := 0.13.9

# What may be added from the command line, such as: make test PYTEST_ARGS="-k codec", make lock LOCK_ARGS=--upgrade
PYTEST_ARGS ?=
LOCK_ARGS ?=
FUZZ_ARGS ?=
INTEROP_ARGS ?=
BENCH_ARGS ?=
KILL_ARGS ?=

PYTEST := $(PY) -m pytest --numprocesses=auto --dist=worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# --- Environment ------------------------------------------------------------------------------------------------------
# Two stamps: a changed lock makes the environment anew, so that nothing in it is left over from before; a changed
# pyproject.toml reinstalls the project alone. No step downloads anything that the lock does not name by its hash.

.PHONY: setup
setup: $(VENV)/.installed ## make the environment in .venv (again, if the lock or pyproject.toml changed)

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	$(PIP) install --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.locked: requirements.lock | check-python
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes --no-deps --only-binary=:all: --requirement requirements.lock
	$(PIP) check
	@touch $@

.PHONY: check-python
check-python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no program '$(PYTHON)'. Name a Python 3.11 or newer: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "mls-bridge needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1)." \
			"Name another: make setup PYTHON=/path/to/python3" >&2; exit 1; }

.PHONY: lock
lock: check-python ## renew requirements.lock from pyproject.toml (newer versions: LOCK_ARGS=--upgrade)
	@tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	"$(PYTHON)" -m venv "$$tools" && \
	"$$tools/bin/python" -m pip --disable-pip-version-check --quiet install uv==$(UV_VERSION) && \
	"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --python "$$tools/bin/python" \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--group dev --all-extras $(LOCK_ARGS) --output-file requirements.lock pyproject.toml && \
	"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --python "$$tools/bin/python" \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		$(LOCK_ARGS) --output-file bridge/servers/synapse.lock bridge/servers/synapse.in

.PHONY: proto
proto: setup ## rewrite the code of the gRPC interfaces from their .proto files
	$(PY) -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. bridge/interop/*.proto

# --- Checks -----------------------------------------------------------------------------------------------------------

.PHONY: test
test: lint peers servers ## run every check: lint, then the tests
	$(PYTEST) $(PYTEST_ARGS)

# Kept in the user's cache: a fresh checkout does not build them again. Whatever needs one that cannot be built here is
# skipped, and says why; with CI=true that is a failure.
.PHONY: peers
peers: setup ## build OpenMLS, mls-rs and ts-mls for the tests (needs cargo, a C compiler, perl, and Node.js)
	$(PY) -m tests.interop.building

# Kept in the user's cache too ($MLS_BRIDGE_SERVERS names another place), without root.
.PHONY: servers
servers: setup ## install Synapse, Prosody and ejabberd for the tests and the demo, without root
	$(PY) -m bridge.servers prepare

.PHONY: lint
lint: setup ## check format, style, types and layers
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-cache

.PHONY: format
format: setup ## rewrite the code in the project's format, with the fixes that ruff is sure of
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.PHONY: coverage
coverage: setup ## run the tests and show which lines and branches of mls/ they leave out
	$(PYTEST) --cov --cov-report=term $(PYTEST_ARGS)

# --- Programs ---------------------------------------------------------------------------------------------------------

.PHONY: bench
bench: servers ## measure the engine, and in short what bench-servers does (10 minutes; BENCH_ARGS: the engine's)
	$(PY) -m tests.benchmarks $(BENCH_ARGS)
	$(PY) -m tests.benchmarks.servers --quick

.PHONY: bench-servers
bench-servers: servers ## measure latency, throughput and catch-up on real servers, and write the page (25 minutes)
	$(PY) -m tests.benchmarks.servers --page docs/latency.md $(BENCH_ARGS)

.PHONY: bench-peers
bench-peers: setup ## measure OpenMLS, mls-rs and ts-mls beside the engine (builds them first)
	$(PY) -m tests.benchmarks.peers --json build/benchmarks-peers.json --page docs/benchmarks.md \
		--chart docs/benchmarks.svg $(BENCH_ARGS)

.PHONY: interop
interop: setup ## play every scenario with OpenMLS, mls-rs and ts-mls (builds them first; an hour; INTEROP_ARGS=--quick)
	$(PY) -m tests.interop --experimental --json build/interop.json --page docs/interop.md $(INTEROP_ARGS)

.PHONY: fuzz
fuzz: setup ## feed the engine with hostile bytes
	$(PY) -m tests.fuzz $(FUZZ_ARGS)

.PHONY: demo
demo: servers ## watch three people on Matrix and XMPP talk through a bridge that cannot read them (ONCE=1: then end)
	$(VENV)/bin/mls-bridge demo

.PHONY: simulate
simulate: setup ## whole programs in virtual time (SEEDS=10000 FIRST=0; or SEED=7 TRACE=1)
	@$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED) $(if $(TRACE),--trace),--seeds $(or $(SEEDS),1000) --first $(or $(FIRST),0))

.PHONY: kill
kill: servers ## kill the bridge, then members, 50 times each under traffic: nothing may be lost or doubled (20 minutes)
	$(PY) -m tests.whole.killing $(KILL_ARGS)

.PHONY: clean
clean: ## remove all that these commands have made, .venv with it
	rm -rf $(VENV) build dist .cache .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
