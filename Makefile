# One habit, one command. `make demo` and `make test` do all the set-up themselves.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test fuzz dev lint bench docs generate lock clean engine

help:
	@echo "make demo      set up, then gate three stories (needs Python 3.11+, make, git)"
	@echo "make test      set up, then run the tests"
	@echo "make dev lint fuzz bench docs generate lock engine clean"

# The set-up: a virtual environment with exactly the locked versions (hashes checked), and sbomgate installed from a wheel.
$(VENV)/.python: tools/check_python.sh
	@sh tools/check_python.sh "$(PYTHON)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python requirements/run.txt
	@echo "Installing the locked dependencies (once)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/test.txt
	@touch $@

SOURCES := $(shell git ls-files sbomgate policies schemas trust_root ci-templates engine/dist pyproject.toml README.md LICENSE 2>/dev/null)
$(VENV)/.installed: $(VENV)/.run $(SOURCES)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/build.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall .
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/python demo/run.py

test: $(VENV)/.test $(VENV)/.installed
	@sh tools/run_tests.sh $(BIN)/python

# The same inputs each time: docs/fuzzing.md.
fuzz: $(VENV)/.test $(VENV)/.installed
	@$(BIN)/python fuzz/run.py

$(VENV)/.dev: $(VENV)/.test requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt -r requirements/build.txt
	@touch $@

# For working on sbomgate: what is edited is what runs. `make demo` and `make test` put the wheel back.
dev: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.installed

$(VENV)/.docs: $(VENV)/.dev requirements/docs.txt
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/docs.txt
	@touch $@

# Pages, links between them and the navigation are checked; the site fetches nothing from anywhere.
docs: $(VENV)/.docs
	@$(BIN)/python -m mkdocs --quiet build --strict --site-dir build/site
	@$(BIN)/python tools/check_site.py build/site

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.installed
	@$(BIN)/python benchmarks/run.py $(if $(DATA),--data "$(DATA)")

# Generated means checked: `make generate` writes, the tests compare.
generate: $(VENV)/.test
	@$(BIN)/python tools/generate.py

lock: $(VENV)/.dev
	@sh tools/lock.sh $(BIN)/uv

engine:
	@sh engine/build.sh

clean:
	rm -rf $(VENV) .tools build/site demo/out
