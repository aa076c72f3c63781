# Each target does all that it needs, the installation of what is missing included (packaging/setup.sh).

CARGO ?= cargo

.PHONY: help setup tools build demo test pictures kill-points check bench chaos

help: ## what can be made
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## installs what is missing; does nothing where it is there
	@packaging/setup.sh

tools: ## likewise, and what only tests run
	@packaging/setup.sh tools

build: setup ## the programs retcon and retcond, in target/debug
	$(CARGO) build --locked --bins

demo: build ## the whole thing in a minute, in a temporary directory
	@$(CARGO) run --locked --quiet --bin retcon -- demo

# Many tests wait for what takes its time, a lease or an outage: two more run than there are processors. Asked for together, the
# packages are built with the same libraries, here and for the checks.
test: tools ## every test
	$(CARGO) test --locked --workspace -- --test-threads $$(( $$(nproc) + 2 ))

pictures: tools ## every page with nothing, something and much on it, light and dark, on a desk and on a phone: target/screenshots
	RETCON_PICTURES=1 $(CARGO) test --locked --test it -- pages::every::

kill-points: setup ## kill -9 at every named point, every time that it is passed, in a table
	@RETCON_KILL_TIMES=1000 $(CARGO) test --locked --test it -- --nocapture kill_points:: > target/kill-points.txt 2>&1; \
	status=$$?; grep -aE '^[a-z]+:[0-9]+ |panicked|^test result' target/kill-points.txt; exit $$status

check: setup ## formatting, lints, layers, lengths of files
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --locked --workspace --test it -- layers:: file_lengths::

bench: setup ## what things cost, each beside its floor
	$(CARGO) bench --locked --bench merge --bench entities --bench scrape --bench ingest \
		--bench invoke --bench sync --bench latency --bench scale

# No package has examples: asked for them, cargo builds with the libraries that tests have, and those need not be built twice.
CHAOS_BUILD = $(CARGO) build --locked -p retcon -p retcon-chaos --features retcon/chaos \
	--bin retcond-chaos --bin chaos --bin sim --examples
CHAOS_SECONDS ?= 60

chaos: setup ## breaks a running retcon for CHAOS_SECONDS (SEED=N repeats a run, PLANT=NAME plants a mistake, PLANT=all each)
	@$(CHAOS_BUILD)
	@"$${CARGO_TARGET_DIR:-target}/debug/chaos" --seconds $(CHAOS_SECONDS) $(if $(SEED),--seed $(SEED)) \
		$(if $(PLANT),$(if $(filter all,$(PLANT)),--planted,--plant $(PLANT)))
