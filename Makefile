# make paper   install into .venv and regenerate the results (PROFILE=quick or paper)
# make test    install if need be and run the tests
# make long    the tests that take long, too
# make faults kill, starve and damage jobs at random, and see that no result is wrong
# make lab     open the notebooks in JupyterLab
# make book    the book of PROFILE, from its executed notebooks, opened in a browser
# make lint    check style
# make demo    a first minute: a forecast beside micromagnetics, and its picture
# make pipeline bring dvc.yaml up to date with the notebooks' imports
# make package build the source archive and the wheel, and check both
# make install install into .venv
# make clean   remove .venv and build/ (results, figures and data stay)
# make help    this list
#
# Variables: PYTHON, the interpreter to make .venv with (3.11 to 3.13); PROFILE, a file of
# profiles/; PAPER_DATA, a local copy of the authors' repository; FSDD_DATA, one of the
# Free Spoken Digit Dataset's; PIP_FLAGS, extra flags of pip.

PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13,$(shell command -v python$(v))) python3)
PROFILE ?= quick
PAPER_DATA ?= $(wildcard ../shared/paper-data)
FSDD_DATA ?= $(wildcard ../shared/fsdd)
BIN := .venv/bin
# A process a core; the tests of a file stay together, since some build on one another.
PARALLEL := -n auto --dist loadfile

.PHONY: help install paper test long faults lab book lint demo pipeline package clean

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) \
	  else "spinode needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.11 ..." % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -U pip
	$(BIN)/python -m pip install --quiet -c constraints.txt --build-constraint constraints.txt \
	  $(PIP_FLAGS) --editable '.[test,lint,archive,package,book,browser,speech,baselines,design]'
	@touch $@

paper: install
	@$(if $(PAPER_DATA),$(BIN)/spinode fetch paper --from $(PAPER_DATA),true)
	@$(if $(FSDD_DATA),$(BIN)/spinode fetch fsdd --from $(FSDD_DATA),true)
	@$(BIN)/spinode check
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro report@$(PROFILE) your_device@$(PROFILE) \
	  design@$(PROFILE)

test: install
	$(BIN)/pytest $(PARALLEL)

long: install
	$(BIN)/pytest $(PARALLEL) -m 'long or not long'

faults: install
	$(BIN)/python tests/faults

# SHOW= builds without opening a browser.
SHOW ?= --open
book: install
	$(BIN)/spinode book --profile $(PROFILE) $(SHOW)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

demo: install
	$(BIN)/spinode demo --out build/demo.png

package: install
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

lab: install
	$(BIN)/spinode lab

pipeline: install
	$(BIN)/python -m spinode.workflow.pipeline

clean:
	rm -rf .venv build
