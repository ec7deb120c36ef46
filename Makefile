# Everything that a person or CI does here. `make setup` once, then `make test`: minutes. `make proof` is the same at full size: hours.

SHELL := /bin/bash
# Looked up when a recipe runs, after `setup` has brought it.
NODE = $(shell if [ -x worker/node_modules/node/bin/node ]; then echo node_modules/node/bin/node; else echo node; fi)
# How much the tests do (internal/testkit/effort): "whole", or a number that chooses another part of the tests at each commit.
# Empty: the day chooses. A shallow clone counts the same commits for ever, and without git there are none.
DBMIGRATE_EFFORT ?= $(shell if [ "$$(git rev-parse --is-shallow-repository 2>/dev/null)" = false ]; then git rev-list --first-parent --count HEAD 2>/dev/null; fi)
export DBMIGRATE_EFFORT
# What changed in the last three commits and since: its tests wait for no other turn (internal/testkit/effort).
DBMIGRATE_CHANGED ?= $(shell { git diff --name-only --no-renames HEAD~3 || git diff --name-only --no-renames HEAD; \
  git ls-files --others --exclude-standard; } 2>/dev/null)
export DBMIGRATE_CHANGED

# The folders with Go code.
GO_DIRS = cmd deploy internal pkg scripts test

# Empty: the binary goes by what the Go toolchain recorded of the commit.
VERSION ?=

.PHONY: setup build package test proof check-go test-tools test-go check-worker test-worker fmt demo clean

# wrangler and vitest want a newer node than many systems have: package.json brings one. npm's warnings that this one is too old are about nothing.
setup: worker/node_modules/.package-lock.json
	go mod download
	scripts/model/setup.sh
	scripts/python/setup.sh

worker/node_modules/.package-lock.json: worker/package-lock.json
	cd worker && npm ci --loglevel=error
	touch $@

build:
	go build -trimpath -ldflags "-s -w -X main.releaseVersion=$(VERSION)" -o bin/dbmigrate ./cmd/dbmigrate

# The package that applications install, as one file: bin/dbmigrate-worker-VERSION.tgz
package: setup
	cd worker && $(NODE) package/build.mjs ../bin $(VERSION)

# Side by side, the longest first: the local runtimes of the Go tests often wait. Where a part fails the others that have
# begun go on to their end, and make fails.
test: setup
	$(MAKE) --no-print-directory --jobs=3 test-go test-worker check-go check-worker model-quick fuzz-worker-quick

# Everything at full size. docs/notes/proof.md and docs/cutover/README.md say what it last showed: it writes their tables.
# Two parts at a time, the longest first: what waits for a local runtime leaves a processor to the model. Where a part fails
# the others still run, and make fails.
proof: setup
	DBMIGRATE_EFFORT=whole $(MAKE) --no-print-directory --keep-going --jobs=2 \
	  test-go test-worker model soak fuzz fuzz-worker test-browser check-go check-worker

check-go:
	@unformatted=$$(gofmt -l $(GO_DIRS)) || exit 1; \
	  if [ -n "$$unformatted" ]; then echo "gofmt these (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

# Three packages at a time: each may run a local Cloudflare of its own, and often waits for it. The long ones begin
# first. check-go vets everything, and nobody debugs these binaries.
test-go: setup test-tools
	exec bin/gotest -p 3 -vet=off -ldflags='-s -w' -timeout 180m ./cmd/dbmigrate ./test/e2e ./test/faults ./test/backends ./...
	cd deploy/lint && go test ./...

# `go run` would not pass on a signal.
test-tools:
	go build -o bin/ ./scripts/gotest ./scripts/label

check-worker: setup
	cd worker && $(NODE) node_modules/typescript/bin/tsc --noEmit
	cd worker && $(NODE) node_modules/prettier/bin/prettier.cjs --check .

test-worker: setup test-tools
	cd worker && exec ../bin/label worker $(NODE) node_modules/vitest/vitest.mjs run

fmt: setup
	gofmt -w $(GO_DIRS)
	cd worker && $(NODE) node_modules/prettier/bin/prettier.cjs --write .

demo: setup build
	go run ./scripts/stack -- scripts/demo.sh

clean:
	rm -rf bin worker/node_modules worker/.wrangler

include scripts/bench/bench.mk scripts/fuzz/fuzz.mk scripts/model/model.mk scripts/soak/soak.mk scripts/browser/browser.mk scripts/simulate/simulate.mk
