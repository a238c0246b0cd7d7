PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := qm,openmm,test,lint

.PHONY: fit test lint clean

# Fit the shipped example; the results are in runs/ch3f.
fit: $(VENV)/.run
	$(BIN)/forgefield fit examples/ch3f/FIT.toml --output runs/ch3f --overwrite

# One worker a core; the tests of a module stay together, since they share compiled functions. The slowest are named.
PYTEST_ARGS ?= -n 2 --dist loadscope --durations=10

test: $(VENV)/.develop
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.develop
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright

# What running needs; an installation for development serves as well.
$(VENV)/.run: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.develop: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) runs build dist
