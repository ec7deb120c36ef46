# Included by the Makefile. FUZZTIME is how long each target runs, FUZZJOBS how many run at once, FUZZ which ones (a pattern over "package target").
.PHONY: fuzz fuzz-worker fuzz-worker-quick

FUZZTIME ?= 60s
FUZZJOBS ?= 2
FUZZ ?= .
FUZZ_SECONDS ?= 60

fuzz: test-tools
	FUZZTIME="$(FUZZTIME)" FUZZJOBS="$(FUZZJOBS)" FUZZ="$(FUZZ)" exec bin/label fuzz scripts/fuzz/fuzz.sh

# The decoders of the Worker. FUZZ_SEED repeats a run.
fuzz-worker: setup test-tools
	cd worker && FUZZ_SECONDS="$(FUZZ_SECONDS)" exec ../bin/label fuzz-worker $(NODE) --experimental-transform-types --disable-warning=ExperimentalWarning test/fuzz/run.ts

# A second of it, so that `make test` sees that it still starts.
fuzz-worker-quick:
	$(MAKE) --no-print-directory fuzz-worker FUZZ_SECONDS=1
