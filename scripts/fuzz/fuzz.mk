# Included by the Makefile. FUZZTIME is how long each target runs, FUZZJOBS how many run at once, FUZZ which ones (a pattern over "package target").
.PHONY: fuzz fuzz-worker

FUZZTIME ?= 60s
FUZZJOBS ?= 2
FUZZ ?= .
FUZZ_SECONDS ?= 60

fuzz:
	FUZZTIME="$(FUZZTIME)" FUZZJOBS="$(FUZZJOBS)" FUZZ="$(FUZZ)" scripts/fuzz/fuzz.sh

# The decoders of the Worker. FUZZ_SEED repeats a run.
fuzz-worker: setup
	cd worker && FUZZ_SECONDS="$(FUZZ_SECONDS)" $(NODE) test/fuzz/run.ts
