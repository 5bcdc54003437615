# Everything is made in .venv; delete it to begin anew.
PYTHON ?= $(shell for v in 3.13 3.12 3.11 3; do python$$v -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo python$$v && break; done)
BIN := .venv/bin

.PHONY: help demo test test-all check lint types contracts unit thorough fuzz fuzz-files stability trainer interpreters demo-in-a-copy docs wheel reference bench clean

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/stamp: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/dev-stamp: .venv/stamp
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: .venv/stamp  ## the whole loop on the embedded server: no key, no network
	@if ! git config user.email > /dev/null; then export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name \
	GIT_CONFIG_VALUE_0="somebody" GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=somebody@localhost; fi; \
	$(BIN)/distilltest distill --promote; code=$$?; case $$code in \
	0|1|10|11) echo "The loop is done; exit code $$code is its verdict (0 promote, 1 block, 10 undecided, 11 incomplete).";; \
	*) exit $$code;; esac

TWO_AT_A_TIME = $(MAKE) --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test:  ## all that needs only the package's own environment: lint, types, tests, demo; each part prints when it has ended
	$(TWO_AT_A_TIME) check demo-in-a-copy

test-all:  ## what needs environments of its own or long: PyTorch, other versions of Python and pytest, the site, the wheel, long tests
	$(TWO_AT_A_TIME) trainer interpreters docs wheel thorough

check: lint types contracts unit  ## what a change needs before it is committed

lint: .venv/dev-stamp  ## ruff (its rules D demand a docstring of everything public), format, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: .venv/dev-stamp  ## mypy, strict
	$(BIN)/mypy

contracts: .venv/dev-stamp  ## imports go down only
	$(BIN)/lint-imports

unit: .venv/dev-stamp  ## unit, property and end-to-end tests
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q -n 2 --dist worksteal --durations=15 --durations-min=1

thorough: .venv/dev-stamp  ## the long form of tests that are short otherwise: every git command, files of 100 MB
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m thorough

fuzz: .venv/dev-stamp  ## the property tests with twenty times as many examples, others each time
	DISTILLTEST_EXAMPLES=20 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m hypothesis

stability: .venv/dev-stamp  ## whether tests fail by chance: in the foreground, in the background and beside busy loops, three times each
	$(BIN)/python scripts/stability

trainer:  ## the trainer's tests, in an environment of their own with PyTorch
	PYTHON=$(PYTHON) scripts/trainer-tests

interpreters: .venv/dev-stamp  ## quick tests on every Python and pytest that is supported and there
	scripts/on-every-interpreter

demo-in-a-copy: .venv/dev-stamp  ## the demo, in a scratch copy of the tracked files
	scripts/demo-in-a-copy

.venv-docs/stamp: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -c "import tomllib; \
	print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'], sep='\n')" > .venv-docs/needs.txt
	.venv-docs/bin/python -m pip install --quiet --requirement .venv-docs/needs.txt
	@touch $@

docs: .venv-docs/stamp  ## the documentation as a site, in site/; a link or an anchor that leads nowhere is an error
	.venv-docs/bin/zensical build --strict --clean

wheel: .venv/dev-stamp  ## build the sdist and the wheel into dist/, and use the wheel in an environment of its own
	PYTHON=$(PYTHON) scripts/wheel-works

reference: .venv/dev-stamp  ## write the generated pages of docs/ anew
	$(BIN)/python -m scripts.reference

bench: .venv/dev-stamp  ## figures as ratios against a bound of the same run
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.session
	$(BIN)/python -m bench.judges
	$(BIN)/python -m bench.idle
	$(BIN)/python -m bench.json_schema
	$(BIN)/python -m bench.decision
	$(BIN)/python -m bench.calibration

fuzz-files: .venv/dev-stamp  ## 2,000 mutated files of each kind that people write, about 15 minutes; CI reads 60 of each
	cd tests && PYTHONPATH=.:.. ../$(BIN)/python -m fuzz.full 2000

clean:  ## remove what was made
	rm -rf .venv .venv-* .distilltest dist site .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
