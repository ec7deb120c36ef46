# Included by the Makefile. SOAK takes flags of scripts/soak: make soak SOAK='-limit 10m -network 10m'.

.PHONY: soak

SOAK ?=

soak: setup test-tools
	exec bin/label soak go run ./scripts/soak -doc docs/notes/proof.md $(SOAK)
