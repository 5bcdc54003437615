# All targets use the environment in .venv; delete it to start over.
PYTHON ?= $(shell for v in 3.13 3.12 3.11 3; do python$$v -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo python$$v && break; done)
BIN := .venv/bin

.PHONY: help demo test test-all check lint types contracts unit thorough fuzz fuzz-files stability trainer interpreters demo-in-a-copy docs wheel reference bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/stamp: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/dev-stamp: .venv/stamp
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: .venv/stamp  ## run the whole loop on the embedded server: no key, no network
	@if ! git config user.email > /dev/null; then export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name \
	GIT_CONFIG_VALUE_0="somebody" GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=somebody@localhost; fi; \
	$(BIN)/distilltest distill --promote; code=$$?; case $$code in \
	0|1|10|11) echo "The loop is done. Its exit code $$code is the verdict (0 promote, 1 block, 10 undecided, 11 incomplete).";; \
	*) exit $$code;; esac

TWO_AT_A_TIME = $(MAKE) --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test:  ## run all checks that need only the package's environment: lint, types, tests, demo; each part prints when it ends
	$(TWO_AT_A_TIME) check demo-in-a-copy

test-all:  ## run the checks that need other environments or take long: trainer, Python and pytest versions, site, wheel, long tests
	$(TWO_AT_A_TIME) trainer interpreters docs wheel thorough

check: lint types contracts unit  ## run the checks that every commit must pass

lint: .venv/dev-stamp  ## check with ruff (its rules D require docstrings), and check format and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/dev-stamp  ## check types with mypy, strict
	$(BIN)/mypy

contracts: .venv/dev-stamp  ## check that imports only go down
	$(BIN)/lint-imports

unit: .venv/dev-stamp  ## run the unit, property and end-to-end tests
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q -n 2 --dist worksteal --durations=15 --durations-min=1

thorough: .venv/dev-stamp  ## run the long form of some tests: every git command, files of 100 MB
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m thorough

fuzz: .venv/dev-stamp  ## run the property tests with twenty times as many examples, different ones each time
	DISTILLTEST_EXAMPLES=20 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m hypothesis

stability: .venv/dev-stamp  ## look for flaky tests: run them in the foreground, in the background and under load, three times each
	$(BIN)/python scripts/stability

trainer:  ## run the trainer's tests in an environment with PyTorch
	PYTHON=$(PYTHON) scripts/trainer-tests

interpreters: .venv/dev-stamp  ## run quick tests on every supported Python that is installed, and with the oldest pytest
	scripts/on-every-interpreter

demo-in-a-copy: .venv/dev-stamp  ## run the demo in a scratch copy of the tracked files
	scripts/demo-in-a-copy

.venv-docs/stamp: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -c "import tomllib; \
	print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'], sep='\n')" > .venv-docs/needs.txt
	.venv-docs/bin/python -m pip install --quiet --requirement .venv-docs/needs.txt
	@touch $@

docs: .venv-docs/stamp  ## build the documentation into site/; a broken link or anchor is an error
	.venv-docs/bin/zensical build --strict --clean

wheel: .venv/dev-stamp  ## build the sdist and the wheel into dist/, and try the wheel in a new environment
	PYTHON=$(PYTHON) scripts/wheel-works

reference: .venv/dev-stamp  ## regenerate the generated pages of docs/
	$(BIN)/python -m scripts.reference

bench: .venv/dev-stamp  ## run the benchmarks, as ratios to a bound measured in the same run
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.session
	$(BIN)/python -m bench.judges
	$(BIN)/python -m bench.idle
	$(BIN)/python -m bench.json_schema
	$(BIN)/python -m bench.decision
	$(BIN)/python -m bench.calibration

fuzz-files: .venv/dev-stamp  ## read 2,000 mutated files of each kind, about 15 minutes; the tests read 60 of each
	cd tests && PYTHONPATH=.:.. ../$(BIN)/python -m fuzz.full 2000

clean:  ## remove everything that make created
	rm -rf .venv .venv-* .distilltest dist site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
