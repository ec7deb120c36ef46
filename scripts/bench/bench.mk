# Included by the Makefile. BENCH holds flags of scripts/bench, for example: make bench BENCH="-only pairs -rounds 3"
.PHONY: bench
bench: setup
	go run ./scripts/bench -doc docs/notes/performance.md $(BENCH)
