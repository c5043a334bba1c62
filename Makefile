# Every target sets up .venv first, where it is not up to date.
PYTHON ?= python3.11
PORT ?= 5000
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK := 1
.DEFAULT_GOAL := help

.PHONY: help demo study diagnose advise up down agent test fast lint docs ui clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {sub(/\$$\(PORT\)/, "$(PORT)", $$2); printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	@touch $@

demo: .venv/ready ## run params.yaml's task and methods, and print what selecting examples saved
	@python -m pipelines.flow

study: .venv/ready ## run params.yaml's grid of methods, fractions and seeds, and print its means and ranks
	@python -m pipelines.study $(STUDY)

diagnose: .venv/ready ## say what is in the data (wrong labels, duplicates, classes, shift), and which method fits
	@python -m pipelines.diagnosis

advise: .venv/ready ## propose a method and its settings from cheap trials, within GOAL, which is --tolerance 0.01 unless you say otherwise
	@python -m pipelines.advise $(or $(GOAL),--tolerance 0.01)

up: .venv/ready ## start Prefect, MLflow and agents of this machine on loopback ports, and print their pages
	@python -m pipelines.services up

down: .venv/ready ## end what `make up` started, and nothing else
	@python -m pipelines.services down

agent: .venv/ready ## run an agent of POOL in this clone; docs/how-to/agents.md says what it needs in its environment
	@python -m pipelines.services.worker $(POOL)

test: .venv/ready ## run the whole test suite
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

fast: .venv/ready ## run the tests that need no real run, with fewer drawn examples (two minutes)
	python -m pytest -n 2 -m "not slow"

lint: .venv/ready ## check style, types and which package imports which
	ruff check .
	ruff format --check .
	mypy
	lint-imports

docs: .venv/ready ## build the documentation as a site in .site/, and refuse a broken link
	python docs/generate.py
	sphinx-build --fail-on-warning --keep-going --quiet --fresh-env --builder html docs .site
	@echo "open .site/index.html"

ui: .venv/ready ## open MLflow on http://127.0.0.1:$(PORT)
	@MLFLOW_TRACKING_URI=sqlite:///mlflow.db python -m pipelines.tracking.experiment_url http://127.0.0.1:$(PORT)
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false MLFLOW_DISABLE_TELEMETRY=true mlflow ui --workers 1 --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port $(PORT)

clean: ## end what `make up` started; remove results, checkpoints and DVC's cache; keep .venv, downloads and MLflow's runs
	@test ! -e .winnow/services.json || python -m pipelines.services down
	rm -rf results .winnow dvc.lock .dvc/cache .dvc/tmp .hypothesis .mypy_cache .ruff_cache .site
