# The two commands a newcomer needs: make demo, make test.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DATA   := data/movielens-100k
RUN    := runs/movielens

.PHONY: demo test test-spark lint bench clean

demo: $(VENV)/.demo  ## train a mixed model on MovieLens-100K, end to end
	$(BIN)/gdmix datasets get movielens-100k --output $(DATA)
	$(BIN)/gdmix train examples/movielens.yaml --overwrite
	@echo
	@echo "gdmix is in $(BIN): run \`source $(BIN)/activate\` first, then the commands above."

test: $(VENV)/.dev lint  ## lint, then the whole test suite
	$(BIN)/python -m pytest

test-spark: $(VENV)/.dev  ## the engine of clusters against the local one, on Spark; minutes
	$(BIN)/python -m pytest -m cluster tests/spark

lint: $(VENV)/.dev  ## formatting, style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## gdmix beside its peers, to the same optimum
	$(BIN)/python benchmarks/random_effects.py
	$(BIN)/python benchmarks/fixed_effect.py

clean:  ## remove the environment, data and runs
	rm -rf $(VENV) data runs

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gdmix needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[report]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.demo
