# make book | test | test-slow | lab | serve | bench | evidence | clean | requirements; README.md and CONTRIBUTING.md say more.
PYTHON ?= python3
SOURCE ?= demo
QUICK ?=
PORT ?= 8000

RUN := .venv/bin/python
OPTIONS := --source $(SOURCE) $(if $(filter-out 0,$(QUICK)),--quick)

.PHONY: book test test-slow lab serve bench evidence clean requirements
.DELETE_ON_ERROR:

book: .venv/installed
	$(RUN) -m mpcf book $(OPTIONS)

test: .venv/installed
	$(RUN) -m pytest -n 2 --dist loadfile

# Tests that take minutes: runs killed at random times, lost servers.
test-slow: .venv/installed
	$(RUN) -m pytest -m slow

lab: .venv/installed
	$(RUN) -m jupyter lab notebooks

serve: .venv/installed
	@$(RUN) -m mpcf serve $(OPTIONS) --port $(PORT)

bench: .venv/installed
	$(RUN) -m benchmarks

# False-alarm rates of the book's tests and coverage of its intervals, by simulation.
evidence: .venv/installed
	$(RUN) -m evidence sizes
	$(RUN) -m evidence clusters
	$(RUN) -m evidence draws

clean:
	rm -rf _build

# Exact versions of all packages, from the direct dependencies in pyproject.toml.
requirements: .venv/installed
	$(RUN) -m pip install --quiet uv
	.venv/bin/uv pip compile pyproject.toml --extra dev --universal --fork-strategy fewest \
	  --python-version 3.11 --custom-compile-command "make requirements" \
	  --output-file requirements.txt
	echo "-e ." >> requirements.txt

# The environment, rebuilt whenever requirements.txt changes.
.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "error: $(PYTHON) is $$($(PYTHON) --version), but the book needs Python 3.11, 3.12" \
	    "or 3.13; name one, such as: make PYTHON=python3.13 book"; exit 1; }
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@
