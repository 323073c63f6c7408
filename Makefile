# Everything here needs python3 (3.11 or newer) and make, nothing else. `make help` lists the targets.

SHELL := /bin/sh
BIN := .venv/bin

# The first of these that is new enough, and if possible complete. `make run PYTHON=...` chooses another.
find_python = for modules in sys,ensurepip sys; do \
	for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		"$$python" -E -c "import $$modules; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && break 2; \
		python=; \
	done; done; \
	test -n "$$python" || { echo "relay: Python 3.11 or newer is needed, and $(or $(PYTHON),python3) is not:" \
		"say which one to take by PYTHON=/path/to/python3.11" >&2; exit 1; }
is_port_free = @$(find_python); exec "$$python" -I relaystack/ports.py
install = @$(find_python); exec "$$python" -I relaystack/virtualenv.py .

# Where it is set, as in many images, each process compiles all of Relay anew when it starts, which takes a third
# of a second, and each worker of the tests all of those. Tests start a thousand processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test floors chaos chaos-long chaos-proof soak soak-calm bench lint format types check clean port venv venv-dev

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

run: port venv  ## start everything, until Ctrl-C
	@# -E: PYTHONPATH and the like are meant for others.
	@exec $(BIN)/python -E -m relaystack

test: venv-dev  ## run the tests, against servers of their own (ARGS="-k name" runs some of them)
	@exec $(BIN)/python -m $(if $(ARGS),pytest $(ARGS),tests.side_by_side)

bench: venv-dev  ## measure how fast it is (ARGS="--only b,c" or "--quick"; benchmarks/README.md)
	@exec $(BIN)/python -m benchmarks $(ARGS)

chaos: venv-dev  ## the 32 faults on real processes: what is lost, what is stored twice (some 10 minutes)
	@# Two at a time: the second is to the first what CHAOS_LOAD is, somebody who needs a core.
	@exec $(BIN)/python -m pytest tests/chaos -n 2 $(ARGS)

chaos-long: venv-dev  ## the same with as many kills and minutes as each fault is owed (1 hour)
	@exec $(BIN)/python -m pytest tests/chaos -m "not soak" $(ARGS)

chaos-proof: venv-dev  ## three times alone and three times beside a process that takes a core (100 minutes)
	@for load in 0 1; do for time in 1 2 3; do \
		CHAOS_LOAD=$$load CHAOS_RESULTS=tests/chaos/results $(BIN)/python -m pytest tests/chaos $(ARGS) || exit 1; \
	done; done

soak: venv-dev  ## everything at random for ten minutes (SOAK_MINUTES=60 SOAK_SEED=1 say otherwise)
	@exec $(BIN)/python -m pytest tests/chaos -m soak -k at_random -s $(ARGS)

soak-calm: venv-dev  ## no fault at all for half an hour, but lives of 20 s (SOAK_MINUTES=60 says otherwise)
	@exec $(BIN)/python -m pytest tests/chaos -m soak -k calm -s $(ARGS)

lint: venv-dev  ## style and suspicious code
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

format: venv-dev  ## mend the style
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

types: venv-dev  ## static types
	@# The Django plugin reads the settings. It connects to nothing.
	@DATABASE_URL=postgres://x/x REDIS_URL=redis://x MONGO_URL=mongodb://x RELAY_SECRET_KEY=x \
		$(BIN)/python -m mypy .

check: lint types test chaos  ## all of these

floors: venv-dev  ## draw docs/floors.md from the imports
	@exec $(BIN)/python -m tests.floors

clean:  ## remove what was installed and cached; the data in var/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

port:  # Before minutes are spent on installing.
	$(is_port_free)

venv:
	$(install) requirements.txt

venv-dev:
	$(install) requirements-dev.txt
