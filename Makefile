# Every target works from a fresh clone with Python 3.11+ and make: it creates .venv and installs only what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := graph,optim,sweep,fast,images,lightning,dev
INSTALLED := $(VENV)/.installed

.PHONY: demo test check stubs format bench peers docs clean

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "infotorch needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/infotorch demo

test: $(INSTALLED)
	$(BIN)/python -m pytest

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/stubs.py --check
	$(BIN)/basedpyright

stubs: $(INSTALLED)
	$(BIN)/python tools/stubs.py

format: stubs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/loop.py
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python benchmarks/accuracy.py

# Beside other packages: they need an old numpy, hence an environment of their own.
peers:
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	.venv-peers/bin/python benchmarks/speed.py
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/speed.py

docs: $(INSTALLED)
	@$(BIN)/python -c 'import pdoc' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) .venv-peers .pytest_cache .ruff_cache docs/api
