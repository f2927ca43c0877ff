# Tandem. `make run` starts the box with its demo office, `make test` runs every test there is.
# Both install what the machine lacks (Debian packages, said aloud, never asked), and both may be repeated.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help run test sdk demo bench fmt lint fuzz packages-run packages-test packages-fuzz

CARGO ?= cargo
# Set to another directory to keep builds apart.
export CARGO_TARGET_DIR ?= $(CURDIR)/target

# A C compiler for SQLite and ring, certificates for https, a voice for <Say>, ears for <Gather>, Opus.
PACKAGES_RUN := ca-certificates espeak-ng gcc libc6-dev libopus-dev pkg-config pocketsphinx pocketsphinx-en-us
# What libFuzzer is built with.
PACKAGES_FUZZ := $(PACKAGES_RUN) g++
# Other people's SIP software, the tools that give each test a network of its own, and a database server.
PACKAGES_TEST := $(PACKAGES_RUN) baresip-core ffmpeg iproute2 linphone-cli postgresql procps sip-tester util-linux
# What the official Twilio libraries run on; whoever has them from elsewhere keeps those.
PACKAGES_SDK = $(if $(shell python3 -m venv --help 2>/dev/null),,python3-venv) \
	$(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)

# Installs those of the named Debian packages that are missing.
define install
missing=
for package in $(1); do
	[ "$$(dpkg-query -W -f='$${db:Status-Status}' "$$package" 2>/dev/null)" = installed ] || missing="$$missing $$package"
done
if [ -n "$$missing" ] && ! command -v apt-get >/dev/null; then
	echo "not a Debian system: please make sure these are there:$$missing"
elif [ -n "$$missing" ]; then
	as_root=; [ "$$(id -u)" = 0 ] || as_root="sudo -n"
	echo "installing$$missing"
	$$as_root apt-get -qq update
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null
fi
endef

help:
	@echo "make run    start the box with its demo office"
	@echo "make test   every check and test"
	@echo "make sdk    the official Twilio libraries, for the tests that hold the box against them"
	@echo "make demo   one real call through the box, shown step by step"
	@echo "make bench  the benches, each against its budget"
	@echo "make fmt    format the source;  make lint  clippy and documentation, warnings are errors"
	@echo "make fuzz   fuzz the parsers for a while (FUZZ_SECONDS=60 each)"

packages-run:
	@$(call install,$(PACKAGES_RUN))

packages-test:
	@$(call install,$(PACKAGES_TEST))

packages-fuzz:
	@$(call install,$(PACKAGES_FUZZ))

# The official Python and Node libraries, of the versions written in tests/sdk, for tests/twiml and tests/interop. Without a
# network the tests that need them say so and are passed over; in CI that is an error.
sdk:
	@$(call install,$(PACKAGES_SDK))
	sdk="$$CARGO_TARGET_DIR/sdk"
	mkdir -p "$$sdk/node"
	if ! cmp -s tests/sdk/requirements.txt "$$sdk/python/requirements.txt"; then
		echo "installing the official Python library into $$sdk/python"
		{ python3 -m venv "$$sdk/python" \
			&& "$$sdk/python/bin/pip" install --quiet --disable-pip-version-check --no-deps -r tests/sdk/requirements.txt \
			&& cp tests/sdk/requirements.txt "$$sdk/python/"; } \
			|| { [ -z "$${CI:-}" ] || exit 1; echo "it cannot be had: its tests are passed over"; rm -rf "$$sdk/python"; }
	fi
	if ! cmp -s tests/sdk/package-lock.json "$$sdk/node/installed"; then
		echo "installing the official Node library into $$sdk/node"
		cp tests/sdk/package.json tests/sdk/package-lock.json "$$sdk/node/"
		{ npm ci --prefix "$$sdk/node" --silent --ignore-scripts --no-audit --no-fund \
			&& cp tests/sdk/package-lock.json "$$sdk/node/installed"; } \
			|| { [ -z "$${CI:-}" ] || exit 1; echo "it cannot be had: its tests are passed over"; rm -rf "$$sdk/node"; }
	fi

run: packages-run
	@$(CARGO) build --locked --release --bin tandem
	tandem="$$CARGO_TARGET_DIR/release/tandem"
	[ -e tandem.toml ] || "$$tandem" init .
	exec "$$tandem" run

# One profile and one set of features throughout, so that nothing is built twice: the tests' build is the binary's.
test: packages-test sdk
	@step() { echo; echo "== $$*"; "$$@"; }
	step $(CARGO) fmt --all --check
	step $(CARGO) build --workspace --all-targets --locked
	step $(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" step $(CARGO) doc --workspace --no-deps --locked
	if command -v cargo-deny >/dev/null; then step $(CARGO) deny --locked check; else echo "== cargo-deny is not installed: licences and advisories are not checked"; fi
	step $(CARGO) test --manifest-path tests/fuzz/Cargo.toml --locked --no-default-features
	step pg_virtualenv bash -c 'export TANDEM_TEST_POSTGRES="postgres://$$PGUSER:$$PGPASSWORD@$$PGHOST:$$(psql -tAc "show port")/$$PGDATABASE"; $(CARGO) test --workspace --lib --locked postgres'
	step $(CARGO) test --workspace --locked

demo: packages-test
	@$(CARGO) test --locked --test demo

bench:
	@$(CARGO) bench --locked --workspace --no-fail-fast

fmt:
	@$(CARGO) fmt --all

lint:
	@$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# Every parser for FUZZ_SECONDS, from its corpus; what breaks one is left in tests/fuzz/artifacts. The flags make
# libFuzzer see which code an input reached, on any toolchain; cargo-fuzz sets the same and adds sanitizers, on nightly.
FUZZ_SECONDS ?= 60
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
fuzz: packages-fuzz
	@cd tests/fuzz
	host="$$(rustc -vV | sed -n 's/^host: //p')"
	export RUSTFLAGS="$(FUZZ_FLAGS)"
	mkdir -p artifacts
	for target in fuzz_targets/*.rs; do
		name="$$(basename "$$target" .rs)"
		found="$$CARGO_TARGET_DIR/fuzz-corpus/$$name"
		mkdir -p "$$found"
		echo "== $$name"
		$(CARGO) run --locked --release --target "$$host" --bin "$$name" -- "$$found" "corpus/$$name" -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=artifacts/ -verbosity=0 -print_final_stats=1
	done
