# Everything sets up .venv by itself; it needs python3 >= 3.11 and make.
PYTHON ?= python3
CORES ?= 1,2,4,8
OUT ?= bench-out
VENV := .venv
BIN := $(VENV)/bin
# Tests of one group in one process; in the order that tests/conftest.py gives them.
JOBS ?= auto
SPREAD := -n $(JOBS) --dist loadgroup --no-loadscope-reorder
STAMP := $(VENV)/.installed

.PHONY: install bench peers test soak check lint api clean help

help:
	@echo "make bench CORES=1,2,4,8   one process, and over workers, on this machine"
	@echo "                           (PROTOCOLS=npy,hickle PRESET=full SRC=photos.tar OUT=dir QUICK=1)"
	@echo "make peers                 brinery and other libraries side by side (ARGS='--corpora small'): an hour"
	@echo "make test                  the test suite (JOBS=3: processes; some tests wait more than they compute)"
	@echo "make soak                  every fault, power cut, mutation and draw of the tests: hours"
	@echo "make check                 lint, types, import contracts, tests"
	@echo "make install               .venv with brinery and its development tools"
	@echo "make api                   docs/api.md, from the docstrings of all public names"
	@echo "make picture               docs/report.png from OUT/result.json; needs Chromium"
	@echo "make clean                 removes .venv, .peers and everything built"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "brinery needs Python 3.11 or later; choose one with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --group dev --editable '.[all]'; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install -qq --disable-pip-version-check 'pip>=25.1' && \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt --group dev --editable '.[all]'; \
	fi
	@mkdir -p .typing && ln -sfn ../src .typing/brinery
	@touch $(STAMP)

bench: $(STAMP)
	@$(BIN)/brinery bench $(SRC) --cores '$(CORES)' --output '$(OUT)' \
		$(if $(PROTOCOLS),--protocols '$(PROTOCOLS)') --preset '$(or $(PRESET),scaling)' $(if $(QUICK),--quick)

peers:
	@$(PYTHON) bench/peers/install.py
	@$(PYTHON) bench/peers/run.py $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m pytest $(SPREAD) $(ARGS)

soak: $(STAMP)
	@BRINERY_SOAK=1 $(BIN)/python -m pytest $(SPREAD) tests/crash tests/hostile \
		tests/benchmark/analysis/test_scaling.py tests/benchmark/analysis/test_planted.py $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test

api: $(STAMP)
	@$(BIN)/python docs/make_api.py

picture: $(STAMP)
	@$(BIN)/python bench/report_picture.py '$(OUT)/result.json' docs/report.png

clean:
	rm -rf $(VENV) .peers .typing build dist src/*.egg-info *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
