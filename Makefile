# What a newcomer needs: `make run`. Everything it makes stays below .venv*/ and .run/.
.PHONY: help run up test test-fast contract faults people security bench soak lint test-2.11 matrix clean
.DEFAULT_GOAL := help
export PYTHON
# Where it is set, each of the many processes would compile Airflow's thousands of modules for itself.
unexport PYTHONDONTWRITEBYTECODE

INSTALL = python=$$(sh scripts/find-python.sh 11 14) && "$$python" scripts/install.py .venv constraints.txt
# Many tests wait. Those of one module stay in one process, because they share what takes long to start.
PARALLEL = -n logical --dist loadfile --no-loadscope-reorder --durations=20
# Tests of MySQL's drivers run where the headers of its library are, which the drivers are built with.
DEV = dev$(shell { command -v mariadb_config || command -v mysql_config; } >/dev/null 2>&1 && echo ,mysql)

help:  ## show this
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

run:  ## run the example campaign with a real Airflow against the sandbox; nothing is sent to anybody
	@$(INSTALL) sandbox
	@.venv/bin/python scripts/run_demo.py

up:  ## start Airflow's UI and the sandbox, until Ctrl-C
	@$(INSTALL) sandbox
	@.venv/bin/python scripts/up.py

test:  ## run all tests; ARGS="-k name" picks some, ARGS="-n 0" runs one at a time
	@$(INSTALL) $(DEV)
	@.venv/bin/python -m pytest $(PARALLEL) $(ARGS)

test-fast:  ## run the tests without a real Airflow or browser, in less than two minutes
	@$(INSTALL) $(DEV)
	@.venv/bin/python -m pytest $(PARALLEL) -m "not slow" tests/unit tests/contract tests/sandbox tests/security $(ARGS)

contract:  ## hold requests, answers and models against the vendors' specifications; prints counts
	@$(INSTALL) $(DEV)
	@.venv/bin/python -m pytest tests/contract -q $(ARGS)

faults:  ## play faults of networks and services to uploads and sends; prints a table
	@$(INSTALL) $(DEV)
	@.venv/bin/python -m pytest tests/faults -q -m "not slow" $(ARGS)

people:  ## show that nobody wrong is written to and nothing is lost; prints a table
	@$(INSTALL) $(DEV)
	@.venv/bin/python -m pytest tests/airflow/tasks/people -q --complete-tables $(ARGS)

security:  ## try attacks on clients, commands and sandbox, and see each refused; prints a table
	@$(INSTALL) $(DEV)
	@.venv/bin/python -m pytest tests/security tests/airflow/tasks/security -q --complete-tables $(ARGS)

bench:  ## measure speed, memory, waits and rates on a quiet machine; writes benchmarks/results.md
	@$(INSTALL) $(DEV)
	@.venv/bin/python benchmarks/results.py --write $(ARGS)

soak:  ## run the long proofs whole: kills, races, cursors; takes hours
	@$(INSTALL) $(DEV)
	@set -e; for store in file variable task_state; do \
	  .venv/bin/python benchmarks/kills.py --store $$store --n 200; \
	  .venv/bin/python benchmarks/broadcast_kills.py --store $$store --n 50; done
	@set -e; AIRFLOW_HOME="$$PWD/.run/soak"; export AIRFLOW_HOME; for store in file variable; do \
	  .venv/bin/python benchmarks/oauth_race.py --store $$store --n 50; \
	  .venv/bin/python benchmarks/oauth_kill.py --store $$store --n 30; done
	@set -e; for cursor in ignored repeats loses ends works; do \
	  .venv/bin/python benchmarks/export.py --n 200000 --cursor $$cursor --write; done
	@ESP_EXAMPLES=10000 .venv/bin/python -m pytest -q -s tests/unit/test_optout_entries.py
	@ESP_EXAMPLES=5000 .venv/bin/python -m pytest -q tests/unit/test_send_takeovers.py tests/unit/test_send_key_overlaps.py
	@.venv/bin/python benchmarks/triggerer_kill.py --n 200
	@.venv/bin/python benchmarks/sql_memory.py --n 1000000 --limit 1.1 --above 120

lint:  ## check style, types, the direction of imports, and packages for known holes
	@$(INSTALL) $(DEV)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/python scripts/audit.py

test-2.11:  ## run what may differ with Airflow 2.11 (Python 3.11 or 3.12)
	@python=$$(sh scripts/find-python.sh 11 12) && \
	  "$$python" scripts/install.py .venv-2.11 constraints/airflow-2.11.txt $(DEV)
	@.venv-2.11/bin/python -m pytest $(PARALLEL) --airflow-only $(ARGS)

matrix:  ## run the example campaign with other versions; ARGS="--tests 3.1" picks one and runs its tests
	@$(INSTALL) sandbox
	@.venv/bin/python scripts/matrix.py $(ARGS)

clean:  ## remove what these commands made
	rm -rf .venv .venv-* .run .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
