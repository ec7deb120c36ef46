# The model of the live cutover (docs/cutover/README.md). `include scripts/model/model.mk` in the Makefile.

.PHONY: model model-quick model-full

# The complete searches and all mutations: minutes on two cores, under 8 GB; writes the tables of the page.
model: setup test-tools
	exec bin/label model scripts/model/run.sh -doc docs/cutover/README.md

# One small search and one mutation, others at each commit. Part of `make test`; the whole runs in `make proof`, and when the protocol is changed.
model-quick: setup test-tools
	exec bin/label model scripts/model/run.sh -quick

# The larger searches as well: about half an hour.
model-full:
	scripts/model/run.sh -full -doc docs/cutover/README.md
