# Every door of the project. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
# What is fetched is kept below HOME by all the tools; in the checkout, where there is no HOME that can be written to.
export HOME := $(shell home=$${HOME:-$$(getent passwd "$$(id -u)" | cut -d: -f6)}; \
	test -w "$$home" || { home="$(CURDIR)/.home"; mkdir -p "$$home"; }; echo "$$home")

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The virtual environment, from the lock files; done only where they changed.
.PHONY: venv-stack venv-dev
venv-stack venv-dev: venv-%:
	@tools/venv.sh $*

##@ See it run
.PHONY: demo up down restart stop status logs
demo: venv-stack ## watch orders go through the saga on real servers; KEEP=1 leaves them running, SECURE=1 closes all
	@SECURE=$(SECURE) python -m devstack demo $(if $(KEEP),--keep)

up: venv-stack ## start PostgreSQL, Kafka, the schema registry and the services, or restart what runs older code; SECURE=1 OBSERVE=1
	@SECURE=$(SECURE) OBSERVE=$(OBSERVE) python -m devstack up

down: venv-stack ## stop what `make up` started
	@python -m devstack down

restart: venv-stack ## restart the services, or one: SERVICE=order_svc
	@python -m devstack restart $(SERVICE) $(ARGS)

stop: venv-stack ## stop a part, and see how the others do: SERVICE=delivery_svc
	@python -m devstack stop $(or $(strip $(SERVICE) $(ARGS)),$(error say which part, such as SERVICE=delivery_svc))

status: venv-stack ## say what runs, and where; SERVICE=order_svc says it of one part, with its database and its log
	@python -m devstack status $(SERVICE) $(ARGS)

logs: venv-stack ## show the logs' last lines, for people; SERVICE=order_svc picks one, ARGS=--follow goes on
	@python -m devstack logs $(SERVICE) $(ARGS)

##@ Work on it
.PHONY: test test-closed test-unit test-upgrade mutants chaos bench console-load lint format
test: venv-dev ## every test, on real servers of its own; ARGS="-k watch" goes to pytest
	@python -m pytest $(ARGS)

test-closed: venv-dev ## the tests of whole ways through the system, on a closed stack; ARGS="-k watch"
	@SECURE=1 python -m pytest tests/e2e $(ARGS)

chaos: venv-dev ## faults under load, and a report; DURATION=600 SEED=1 REPLICAS=2 NEMESES=kill,goes-back SECURE=1
	@python -m tests.chaos --duration $(or $(DURATION),120) $(if $(SEED),--seed $(SEED)) \
	  --replicas $(or $(REPLICAS),1) $(if $(NEMESES),--nemeses $(NEMESES)) $(if $(SECURE),--secure)

bench: venv-dev ## measure throughput, latency, costs and growth on a stack of its own; ARGS="--only growth --rounds 3"
	@python -m bench $(ARGS)

console-load: venv-dev ## the console on a million sagas while 500 orders a second arrive, in Chromium too; ARGS="--minutes 1"
	@python -m bench.console_load $(ARGS)

test-unit: venv-dev ## the tests that need no server
	@python -m pytest tests/unit $(ARGS)

mutants: venv-dev ## see that small wrong changes are each caught by the test named for it; LIST=1, ONLY=no-jitter,no-cap
	@python -m tests.mutants $(if $(ONLY),--only $(ONLY)) $(if $(LIST),--list)

test-upgrade: venv-dev ## the release before and this one side by side, and a migration of a million orders; ORDERS=100000
	@ORDERS=$(ORDERS) python -m pytest tests/upgrade -s $(ARGS)

lint: venv-dev ## style, types, contracts, migrations, the chart, alerts, and whether what is generated is up to date
	@failed=; for check in "ruff check" "ruff format --check" "mypy" "python -m tools.import_rules" "python -m tools.services" \
	  "python -m tools.contracts" "python -m tools.migrations" "python -m tools.chart" "python -m devstack.rules"; do \
	  $$check || failed="$$failed, $$check"; \
	done; test -z "$$failed" || { echo "lint: not passed$$failed" >&2; exit 1; }

format: venv-dev ## rewrite the Python and proto files in the project's style
	@ruff check --fix --exit-zero --quiet
	@ruff format
	@buf format --write proto

##@ Kubernetes
.PHONY: images base chart test-cluster
# The images of the release before are built in another folder.
override export IMAGE_BUILDER := $(patsubst ./%,$(CURDIR)/%,$(IMAGE_BUILDER))
images: ## build the images with docker or buildah, and load them into minikube or kind; TAG=1.2.3, or push: REGISTRY=ghcr.io/me
	@tools/images.sh

base: ## pin the images' base by the digest that its registry has for it now
	@tools/base.sh

chart: venv-dev ## package the chart into dist/; push it with REGISTRY=ghcr.io/me, which says its digest; ARGS=--plain-http
	@tools/chart.sh $(ARGS)

test-cluster: venv-dev ## install, use, upgrade, break and remove the chart on a cluster; CONTEXT=kind-kind ARGS="-k kafka"
	@tools/images.sh
	@TAG=$$(tools/images.sh tag)-next tools/images.sh
	@set -e; before=$$(mktemp -d); tag=$$(tools/images.sh tag)-before; \
	  git archive $$(grep -v '^#' tests/upgrade/before.txt) | tar xf - -C $$before; \
	  (cd $$before && TAG=$$tag tools/images.sh); rm -r $$before
	@python -m pytest tests/cluster $(ARGS)

##@ Contracts and packages
.PHONY: gen lock wheel sbom clean
gen: venv-dev ## generate gen/ from proto/ and schemas/, who may read and write which topic, the chart's README and dashboards
	@python -m tools.generate
	@python -m tools.access
	@python -m tools.chart_readme
	@python -m tools.dashboards

wheel: venv-dev ## build the wheels sagakit and ordersaga-client into dist/
	@set -e; for part in gen sagakit; do \
	  said=$$(NO_COLOR=1 python -m build --wheel --no-isolation --outdir dist $$part 2>&1) || { echo "$$said" >&2; exit 1; }; \
	  echo "dist/$${said##* }"; \
	done
	@rm -rf gen/build sagakit/build sagakit.egg-info

sbom: venv-dev ## list what the wheels and each kind of image are run with, for a scanner: dist/order-saga*.cdx.json (CycloneDX)
	@mkdir -p dist
	@for lock in "" -services -console; do \
	  PYTHONWARNINGS=ignore cyclonedx-py requirements requirements$$lock.txt --pyproject pyproject.toml --output-reproducible \
	    --output-file dist/order-saga$$lock.cdx.json || exit 1; \
	done

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock: venv-dev ## compile requirements*.in into requirements*.txt; UPGRADE=1 takes newer versions
	@$(COMPILE) requirements.in -o requirements.txt
	@for image in services console; do \
	  $(COMPILE) requirements-$$image.in -c requirements.txt --excludes requirements-images-excluded.txt -o requirements-$$image.txt; \
	done
	@$(COMPILE) requirements-stack.in -c requirements.txt -o requirements-stack.txt
	@$(COMPILE) requirements-dev.in -c requirements-stack.txt --excludes requirements-dev-excluded.txt -o requirements-dev.txt

clean: ## remove what was made here, but not the running stack's data
	@rm -rf .venv .venv.lock .home .deps .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist gen/build sagakit/build *.egg-info gen/*.egg-info
	@find . -name __pycache__ -type d -not -path './.devstack/*' -prune -exec rm -rf {} +
