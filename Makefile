# `make demo` and `make test` set everything up by themselves on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint bench speed setup browser clean

demo: setup
	$(BIN)/marrow demo

test: setup browser
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check src tests benchmarks scripts examples
	$(BIN)/ruff format --check src tests benchmarks scripts examples
	$(BIN)/pyright

# One seed of every system's claim: minutes. The evidence that is kept: marrow bench all --tier full.
bench: setup
	$(BIN)/marrow bench all --tier quick

speed: setup
	$(BIN)/python benchmarks/speed/capture.py

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"marrow needs Python 3.11, 3.12 or 3.13; this is {v[0]}.{v[1]}. Choose one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint]'
	touch $(STAMP)

# The viewer's tests drive a real browser. Debian's Chromium is taken where there is one and installed where we may.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else \
	    echo "No Chromium found: the browser tests will skip. To run them: sudo apt-get install chromium"; \
	  fi; }

clean:
	rm -rf $(VENV) build dist
