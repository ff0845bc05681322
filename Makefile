# `make` alone lists what there is. Everything happens inside this checkout, in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DASHBOARD := isems/api/dashboard_build/index.html
FRONTEND := $(filter-out frontend/node_modules/%,$(wildcard frontend/*)) $(shell find frontend/src -type f)
NODE_FITS := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && command -v npm >/dev/null
# The machine's Node where it is new enough, else the one in .venv.
NPM := $(NODE_FITS) || export PATH="$(CURDIR)/$(BIN):$$PATH"; npm --prefix frontend
SOURCES := isems tests $(wildcard app.py benchmarks)
APT_GET = $(if $(filter 0,$(shell id -u)),,sudo )env DEBIAN_FRONTEND=noninteractive apt-get -qq

.DEFAULT_GOAL := help
.PHONY: help setup run test test-services soak bench screenshots check format

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do \
		printf 'make %-14s %s\n' "$$name" "$$does"; done

# Where no Node.js is to be had (32-bit ARM), everything but the dashboard works all the same.
setup: .venv/.ready ## .venv with everything pinned, isems installed in it, the dashboard built
	@$(MAKE) --silent --no-print-directory $(DASHBOARD) || { [ "$(CI)" != true ] && \
		echo "The dashboard is not built; the reason is above. Everything else works without it." >&2; }

.venv/.ready: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is not: install one and say 'make setup PYTHON=python3.11'." >&2; exit 1; }
	@# An interpreter that is gone (a system upgrade) leaves a .venv that must be made anew.
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv || \
		{ echo "No virtual environment could be made: on Debian, 'apt-get install python3-venv' first." >&2; exit 1; }
	@echo "Installing the pinned packages into .venv ..."
	@$(PIP) install -r requirements.txt && $(PIP) install -r requirements-dev.txt && \
		$(PIP) install --no-deps --no-build-isolation -e . || \
		{ echo "Packages could not be installed (pip's reason is above). Is there a network? Then 'make setup' again." >&2; exit 1; }
	@touch $@

frontend/node_modules/.ready: frontend/package.json frontend/package-lock.json requirements-node.txt .venv/.ready
	@$(NODE_FITS) || { echo "Installing Node.js into .venv ..."; $(PIP) install -r requirements-node.txt; } || \
		{ echo "The dashboard needs Node.js 22.12 or newer (or 20.19), and there is none for this machine in Python's packages." >&2; exit 1; }
	@echo "Installing what the dashboard is built with ..."
	@$(NPM) ci --ignore-scripts --silent || \
		{ echo "Its packages could not be installed. Is there a network? Then 'make setup' again." >&2; exit 1; }
	@touch $@

$(DASHBOARD): $(FRONTEND) frontend/node_modules/.ready
	@echo "Building the dashboard ..."
	@$(NPM) run --silent build -- --logLevel warn

run: setup ## the whole service on http://127.0.0.1:5000, with a simulated mesh if none is configured
	@exec $(BIN)/isems serve --demo=auto

ifeq ($(CI),true)
test: test-services
endif
test: setup ## all tests
	@[ ! -e frontend/node_modules/.ready ] || { $(NPM) run --silent test; }
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-services: ## install what the real-service tests need, if missing: postgresql, uwsgi, mosquitto and its clients, nginx, openssl, chromium (Debian, root or sudo)
	@missing=; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	ls /usr/lib/uwsgi/plugins/python3_plugin.so >/dev/null 2>&1 || missing="$$missing uwsgi-core uwsgi-plugin-python3"; \
	command -v mosquitto /usr/sbin/mosquitto >/dev/null || missing="$$missing mosquitto"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v mosquitto_sub >/dev/null || missing="$$missing mosquitto-clients"; \
	[ -z "$$missing" ] || { echo "Installing$$missing ..."; \
		$(APT_GET) update && $(APT_GET) install -y --no-install-recommends $$missing >/dev/null; } || \
		{ echo "Could not install$$missing: do it by hand, with 'apt-get install$$missing' or your system's own packages." >&2; exit 1; }
	@# Only unpacked, into this checkout: its package would start a web server for everybody on port 80.
	@[ -x /usr/sbin/nginx ] || [ -x .services/usr/sbin/nginx ] || { echo "Unpacking nginx ..."; \
		$(APT_GET) update && rm -rf .services && mkdir .services && cd .services && \
		apt-get -qq -o APT::Sandbox::User=root download nginx nginx-common && \
		for package in *.deb; do dpkg-deb -x "$$package" . || exit 1; done; } || \
		{ echo "Could not unpack nginx into .services: install it by hand." >&2; exit 1; }

ifeq ($(CI),true)
soak: test-services
endif
soak: setup ## the long fault and load runs: minutes, and gigabytes of disk (SOAK="-k ..." for some of them)
	@$(BIN)/pytest -s tests/soak $(SOAK)

bench: setup ## the table of budgets: this machine's figures beside its limits (BENCH="--full", "--json", names of rows)
	@$(BIN)/python -m benchmarks $(BENCH)

screenshots: setup ## the pictures in README.md, of a simulated mesh
	@$(BIN)/python -m tests.end_to_end.screenshots

check: setup ## style, types and the direction of imports
	@$(BIN)/ruff check $(SOURCES) || { echo "Some of this mends itself: '$(BIN)/ruff check --fix'." >&2; exit 1; }
	@$(BIN)/ruff format --check $(SOURCES) || { echo "'make format' mends this." >&2; exit 1; }
	@$(BIN)/mypy --strict isems $(wildcard app.py)
	@[ ! -e frontend/node_modules/.ready ] || { $(NPM) run --silent check; }
	@$(BIN)/lint-imports || { echo "The floors are drawn in CONTRIBUTING.md and kept in pyproject.toml." >&2; exit 1; }

format: setup ## put the code into its usual form
	@$(BIN)/ruff check --select I --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)
