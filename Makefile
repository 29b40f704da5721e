PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN = $(VENV)/bin
BROWSERS = chromium-headless-shell headless_shell chromium chromium-browser google-chrome \
  google-chrome-stable chrome msedge

.PHONY: help install browser demo test test-slow fuzz check docs bench clean

help: ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed browser ## Set up .venv with the pinned packages, and a headless browser

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m pip install --quiet --target $(VENV)-tool virtualenv && \
	  PYTHONPATH=$(VENV)-tool $(PYTHON) -m virtualenv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

browser: ## Get a headless Chromium if the system has no Chrome or Chromium
	@for name in $(BROWSERS); do \
	  if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if [ -n "$$BROWSER_PATH" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium-headless-shell >/dev/null && exit 0; \
	fi; \
	echo 'No Chrome or Chromium found: reports will have no PNG images.'; \
	echo 'Get one (Debian: apt-get install chromium-headless-shell), or set BROWSER_PATH.'

demo: install ## Train a transformer on addition mod 113 until it has grokked
	$(BIN)/mitool train modadd --p 113 --stop-on-grok --resume -o runs/demo

test: install ## Run the tests, in WORKERS processes (2) of one core each
	$(BIN)/python -m pytest -m 'not slow and not timed' -n $(WORKERS) --dist worksteal
	$(BIN)/python -m pytest -m 'timed and not slow'

test-slow: install ## Run the long trainings that the tests leave out
	$(BIN)/python -m pytest -m slow

fuzz: install ## Feed ten thousand damaged files and odd options to the commands, other ones each time
	MITOOL_FUZZ=nightly $(BIN)/python -m pytest tests/fuzz

check: $(VENV)/.installed ## Run the linter, the formatter's check, the type checker and the layer tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.draw_layers --check

docs: $(VENV)/.installed ## Draw the layers into docs/architecture.md, from the imports
	$(BIN)/python -m docs.draw_layers

bench: install ## Time a training step beside TransformerLens and the bare matrix products; and analyses
	$(BIN)/python -m benchmarks.train_step
	$(BIN)/python -m benchmarks.fourier
	$(BIN)/python -m benchmarks.patching
	$(BIN)/python -m benchmarks.circuits
	$(BIN)/python -m benchmarks.planted
	$(BIN)/python -m benchmarks.superposition
	$(BIN)/python -m benchmarks.start_up
	$(BIN)/python -m benchmarks.threads
	$(BIN)/python -m benchmarks.contention

clean: ## Remove what was built, but no run
	rm -rf $(VENV) $(VENV)-tool build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
