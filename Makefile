# Every target works from a fresh clone with Python 3.11+ and make: it creates .venv and installs only what is missing.
PYTHON ?= python3
VENV := .venv
WORKERS ?= 2
BIN := $(VENV)/bin
EXTRAS := report,graph,optim,sweep,log,fast,images,frames,parquet,lightning,torchmetrics,cluster,dev
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-rest test-all package check stubs format bench campaign gpu gpu-tests results peers docs gallery clean

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "infotorch needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/infotorch demo

# A worker a core, a thread a worker.
TEST := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

test: $(INSTALLED)
	$(TEST) -m "not slow"

# What `make test` leaves out.
test-rest: $(INSTALLED)
	$(TEST) -m slow

test-all: test test-rest docs package

# The wheel and the source distribution, tried in an empty environment: make package [PYTHON=python3.13] [TORCH=2.6.0]
package: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build --outdir dist . >/dev/null
	$(BIN)/python tools/package.py dist --python $(PYTHON) $(if $(TORCH),--torch $(TORCH))

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/stubs.py --check
	$(BIN)/python tools/estimator_tables.py --check
	$(BIN)/python tools/objective_tables.py --check
	$(BIN)/basedpyright

stubs: $(INSTALLED)
	$(BIN)/python tools/stubs.py
	$(BIN)/python tools/estimator_tables.py
	$(BIN)/python tools/objective_tables.py

format: stubs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/loop.py
	@$(BIN)/python -c 'import matplotlib' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python benchmarks/accuracy.py

# Kills, damaged files, generated calls and odd models: figures in benchmarks/results/reliability.json and docs/reliability.md.
campaign: $(INSTALLED)
	cd benchmarks && OMP_NUM_THREADS=1 $(CURDIR)/$(BIN)/python -m campaign

# What only a GPU can run, nine minutes a call: repeat it until nothing is left. `--list` shows what is.
gpu: $(INSTALLED)
	$(BIN)/python benchmarks/gpu.py

# Tests and benchmarks that need a GPU, nine minutes a call: repeat it until nothing is left.
gpu-tests: $(INSTALLED)
	$(BIN)/python benchmarks/gpu_tests.py

# The measured parts of the pages, and the README's picture, from the tables' files in results/.
results: $(INSTALLED)
	$(BIN)/python -m infotorch.report.pages RESULTS.md docs/verdicts.md docs/results/*.md
	$(BIN)/python docs/picture.py

# Beside other packages: they need an old numpy, hence an environment of their own.
peers:
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	.venv-peers/bin/python benchmarks/speed.py
	OMP_NUM_THREADS=1 .venv-peers/bin/python benchmarks/speed.py

# The site, in docs/_build/html. A warning, a load from the network or 15 MB is an error.
docs: $(INSTALLED)
	@$(BIN)/python -c 'import furo, latex2mathml, myst_parser' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/build.py

# What the examples print and draw, kept in docs/gallery: the files of Cora and Mutagenicity, Chromium, some minutes.
gallery: $(INSTALLED)
	$(BIN)/python docs/gallery.py

clean:
	rm -rf $(VENV) .venv-peers .pytest_cache .ruff_cache docs/api docs/_build
