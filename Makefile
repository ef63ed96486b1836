# Two commands on a fresh machine: `make demo` trains a real model, `make test` runs every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .bench-venv
INSTALLED := $(VENV)/.installed

.PHONY: demo test install check lint types layers unit format docs bench clean

demo: install
	$(BIN)/python examples/digits/train.py

test: check unit

check: lint types layers

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell src docs examples README.md CONTRIBUTING.md CHANGELOG.md
	$(BIN)/python scripts/code_budget.py

types: install
	$(BIN)/mypy
	$(BIN)/basedpyright --level error

layers: install
	$(BIN)/lint-imports

unit: install
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The site in English with the reference, and in Chinese beside it; any warning is an error.
docs: $(VENV)/.docs-installed
	$(BIN)/sphinx-build -q -E -W --keep-going -b html docs build/site
	$(BIN)/sphinx-build -q -E -W --keep-going -b html -c docs -t chinese docs/zh build/site/zh
	@echo "open build/site/index.html"

$(VENV)/.docs-installed: $(INSTALLED) docs/constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --constraint docs/constraints.txt --editable ".[docs]"
	touch $@

bench: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/compare.py $(BENCH_OPTIONS)

$(BENCH)/.installed: benchmarks/requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --upgrade pip
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt --editable .
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache work_dirs
