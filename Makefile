# The front door. `make run` shows the platform, `make test` checks it; both need Python 3.11 and make only.

BIN := .venv/bin

SECONDS := 60

# Every process of the tests would compile anew what it loads where nobody writes down what was compiled.
unexport PYTHONDONTWRITEBYTECODE

# Three files at a time on two processors, as tests wait for much of their time: the longest first, those of platforms and
# servers, and in the end many short ones, so that no processor is idle. What takes long by its nature is for `test-long`:
# other versions, faults under load, other people's servers, containers, compilers, kubectl, every page in every theme. Then
# those that fill the machine, two at a time; what measures it, or mounts what others must not hold, runs one by one.
LONG := $(addprefix tests/system/test_, $(addsuffix .py, brokers chaos clock descriptors figures images page_access page_guards)) \
	$(addprefix tests/system/test_, $(addsuffix .py, prometheus rollouts sources store_crash trigger_examples upgrade)) \
	$(addprefix tests/contract/images/test_, running.py cycle.py) $(addprefix tests/contract/languages/test_, builds.py dockerfile.py) \
	tests/contract/source tests/contract/provider/test_docker.py tests/contract/queue/test_three_servers.py \
	$(addprefix tests/contract/storage/test_, three_servers_journal.py one_server_becomes_three.py) tests/hostile/test_fuzz.py \
	tests/unit/server/cluster/test_installing.py tests/unit/tools/test_simulate_scaling.py
FILLING := tests/escape $(addprefix tests/contract/provider/test_, limits.py lookout.py) tests/system/test_neighbours.py
ALONE := $(addprefix tests/system/test_, $(addsuffix .py, disk traffic traffic_slow))
BY_FILE := --dist loadfile --no-loadscope-reorder

.PHONY: run test test-long test-cluster bench-cluster test-escape check fix bench chaos fuzz lock ui shots clean help

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

run: .venv/runtime.stamp ## start the platform in the foreground and deploy the examples
	@$(BIN)/python scripts/run.py

test: check ## everything that is checked within a quarter of an hour; CI goes on with test-long
	@$(BIN)/python scripts/left_out.py
	$(BIN)/pytest --numprocesses 3 $(BY_FILE) $(addprefix --ignore=,$(LONG) $(FILLING) $(ALONE) tests/kubernetes) tests

test-long: .venv/test.stamp ## the tests that take long: faults under load, other versions, containers, the machine's limits
	$(BIN)/pytest --numprocesses 3 $(BY_FILE) $(LONG)
	$(BIN)/pytest --numprocesses 2 $(BY_FILE) $(FILLING)
	$(BIN)/pytest $(ALONE)

test-escape: .venv/test.stamp ## the attacks alone, on each account and tier of the sandbox
	DAYFLY_TEST_ESCAPE=full $(BIN)/pytest tests/escape tests/unit/runtimes/jail

test-cluster: .venv/test.stamp ## the platform on a real cluster; docs/kubernetes.md says what it takes
	DAYFLY_TEST_CLUSTER=required $(BIN)/pytest -v tests/kubernetes

bench-cluster: .venv/test.stamp ## a cold start on a real cluster, beside a plain pod's
	$(BIN)/python -m tests.kubernetes.bench

check: .venv/test.stamp ## format, lint, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports --no-cache

fix: .venv/test.stamp ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench.stamp ## measure the budgets side by side
	$(BIN)/python -m bench

chaos: .venv/test.stamp ## break the platform under load and judge it; CHAOS="--short --seed 7 crash" says how
	$(BIN)/python -m chaos $(CHAOS)

fuzz: .venv/test.stamp ## look for bytes that break the parser border, and for examples of chance that break a law; SECONDS=600 looks longer
	$(BIN)/python -m fuzz $(SECONDS)
	DAYFLY_TEST_SEARCH=1 $(BIN)/pytest --numprocesses 2 --dist worksteal $(shell grep -rl "^from hypothesis" tests --include="test_*.py")

lock: .venv/test.stamp ## write locks/ anew from pyproject.toml
	scripts/lock.sh

ui: .venv/test.stamp ## build the console's page from ui/
	$(BIN)/python scripts/ui_types.py > ui/src/api/schema.ts
	cd ui && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent check && npm run --silent build

shots: .venv/test.stamp ## take the pictures of docs/page.md anew
	DAYFLY_TEST_SHOTS=1 $(BIN)/pytest tests/system/test_page*.py

clean: ## remove what was made here; deployed functions are not touched
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .dayfly dist ui/node_modules
	find src tests examples bench chaos fuzz scripts -name __pycache__ -prune -exec rm -rf {} +

.venv/runtime.stamp: locks/runtime.txt locks/tools.txt pyproject.toml src/dayfly/__init__.py scripts/setup.sh
	@scripts/setup.sh runtime
	@touch $@

.venv/bench.stamp: locks/bench.txt locks/test.txt pyproject.toml src/dayfly/__init__.py scripts/setup.sh
	@scripts/setup.sh bench
	@touch $@

.venv/test.stamp: locks/test.txt locks/charts.txt pyproject.toml src/dayfly/__init__.py scripts/setup.sh
	@scripts/setup.sh test
	@touch $@ .venv/runtime.stamp
