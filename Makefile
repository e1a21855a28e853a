# Everything a newcomer needs; the work is done by the scripts in deploy/local.

.DEFAULT_GOAL := help

.PHONY: help run test torture fuzz mutants bench clean-data fmt lint tools

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## Set up MySQL and Redis, start the three services, show their logs; Ctrl-C stops
	@deploy/local/run

test: ## Run every test on private servers (part of them: make test ARGS="-p shared-domain")
	@deploy/local/test $(ARGS)

torture: ## Kill, stop and cut off everything under load, then check what clients were told (SECONDS=60 SEED=7)
	@CIRCLES_TORTURE_SECONDS=$(or $(SECONDS),60) CIRCLES_TORTURE_SEED=$(SEED) \
		deploy/local/test -p system-tests --test system -- torture:: --nocapture --test-threads=1

fuzz: ## Feed all that reads bytes from outside with damaged input (make fuzz CASES=1000000)
	@CASES=$(CASES) deploy/local/fuzz $(ARGS)

mutants: ## Plant faults and tell which no test notices (part of it: make mutants ARGS="--package shared-domain"; hours)
	@deploy/local/mutants $(ARGS)

bench: ## Measure the services and the machine on release builds (25 minutes; BENCH_QUICK=1: 5)
	@deploy/local/bench

clean-data: ## Stop what `make run` left running, and forget its data
	@deploy/local/clean-data

fmt: ## Format the Rust code
	@cargo fmt --all

lint: tools ## Check formatting, Rust, the protos, and the scripts where shellcheck is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd proto && ../target/tools/venv/bin/buf lint
	@deploy/local/check-scripts || [ $$? = 3 ]

tools: ## Fetch grpcurl, buf and Python's gRPC into target/tools
	@deploy/local/tools
