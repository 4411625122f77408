# The commands of castiron's developers. `make demo` and `make test` are for everybody; see README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check format docs bench bench-quick profile profile-memory soak fuzz simulate lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run  ## install into .venv and run `castiron demo`
	$(BIN)/castiron demo

test: $(VENV)/dev  ## install into .venv and run the tests
	$(BIN)/python -m pytest --numprocesses auto

check: $(VENV)/dev  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/dev  ## rewrite the files as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/dev  ## build the site into build/site, strictly, without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

bench: $(VENV)/dev  ## measure, half an hour; prints the table of targets and writes bench/results/
	$(BIN)/python -m bench targets

bench-quick: $(VENV)/dev  ## the same, a tenth of the size, once: five minutes
	$(BIN)/python -m bench targets --quick

WORK ?= checks
profile: $(VENV)/dev  ## where the time goes while a conductor does WORK (checks, api, power, commits)
	$(BIN)/python -m bench.profiles cpu $(WORK)

profile-memory: $(VENV)/dev  ## where the memory goes, likewise
	$(BIN)/python -m bench.profiles memory $(WORK)

soak: $(VENV)/dev  ## ten minutes of faults on 2,000 nodes; fails if anything grew
	$(BIN)/python -m bench.soak

MESSAGES ?= 10000000
SEED ?= 1
fuzz: $(VENV)/dev  ## send MESSAGES random and mutated messages to a conductor; stops at the first fault
	$(BIN)/python -m tests.fuzz --messages $(MESSAGES) --seed $(SEED)

simulate: $(VENV)/run  ## simulate weeks with new seeds until one fails or Ctrl-C
	while $(BIN)/castiron simulate; do :; done; exit 1

lock: $(VENV)/dev  ## choose the versions that make installs anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements/dev.in -o requirements/dev.txt

clean:  ## remove what make has made
	rm -rf $(VENV) build dist *.egg-info bench/results

# Says what is missing before pip says something else.
$(VENV)/made:
	@case "$$(uname -s)" in Linux) ;; *) \
	  echo "castiron runs on Linux: it needs epoll and eventfd. This is $$(uname -s)." >&2; exit 1;; esac
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "castiron needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run: $(VENV)/made requirements/run.txt pyproject.toml setup.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
