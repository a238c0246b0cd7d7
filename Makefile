PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := qm,openmm,pdb,export,cma,tensorboard,distributed,programs,test,lint,docs,release

.PHONY: fit distil test quick test-ani test-lowest lint docs dist clean

# Fit the shipped example; the results are in runs/ch3f.
fit: $(VENV)/.run
	$(BIN)/forgefield fit examples/ch3f/FIT.toml --output runs/ch3f --overwrite

# Label ethanol by GFN2-xTB and distil it into a neural force field, in three minutes; the results are in runs/ethanol.
ETHANOL := examples/distil-ethanol
distil: $(VENV)/.teach
	$(BIN)/forgefield label $(ETHANOL)/LABEL.toml
	$(BIN)/forgefield distil $(ETHANOL)/DISTIL.toml --output runs/ethanol --overwrite

# One worker a core; the tests of a module stay together, since they share compiled functions. The slowest are named.
PYTEST_ARGS ?= -n 2 --dist loadscope --no-loadscope-reorder --durations=10

test: $(VENV)/.develop
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The tests that are not marked slow.
quick: $(VENV)/.develop
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not slow"

lint: $(VENV)/.develop
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright

# The pages, in site/; nothing is fetched, and a link or an anchor that leads nowhere is an error.
docs: $(VENV)/.develop
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# The tests with the lowest versions that pyproject.toml allows, in an environment of their own.
LOWEST := $(VENV)-lowest
test-lowest: $(VENV)/.develop
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable '.[qm,openmm,pdb,export,cma,tensorboard,distributed,test]'
	$(LOWEST)/bin/python -m pytest $(PYTEST_ARGS)

# The tests of teachers with ANI-1x, whose programs an environment of their own adds to those of .venv.
ANI := $(VENV)-ani
PACKAGES := python -c 'import site; print(site.getsitepackages()[0])'
test-ani: $(VENV)/.develop
	$(BIN)/python -m venv --clear $(ANI)
	$(BIN)/$(PACKAGES) > "$$($(ANI)/bin/$(PACKAGES))/develop.pth"
	$(ANI)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ani]'
	$(ANI)/bin/python -m pytest $(PYTEST_ARGS) tests/engines/teachers

# Wheel and sdist, in dist/; the sdist holds every file of the repository and no other.
dist: $(VENV)/.develop
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	tar -tzf dist/forgefield-*.tar.gz | sed -n 's|^[^/]*/||; /[^/]$$/p' | \
	    grep -Ev '^(PKG-INFO|setup.cfg|src/forgefield.egg-info/.*)$$' | sort > dist/held
	git ls-files | sort | diff - dist/held
	rm dist/held

# pip compiles what it copies to Python's bytecode, but not what it leaves in its place: half a second of every command.
COMPILED := $(BIN)/python -m compileall -q src

# What running needs; an installation for development serves as well.
$(VENV)/.run: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@$(COMPILED)
	@touch $@

# What labelling by xTB needs too.
$(VENV)/.teach: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[qm]'
	@$(COMPILED)
	@touch $@ $(VENV)/.run

$(VENV)/.develop: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@$(COMPILED)
	@touch $@ $(VENV)/.run $(VENV)/.teach

clean:
	rm -rf $(VENV) $(ANI) $(LOWEST) runs build dist site
