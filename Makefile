# Everything that a person or CI does here. `make setup` once, then `make test`.

SHELL := /bin/bash
# Looked up when a recipe runs, after `setup` has brought it.
NODE = $(shell if [ -x worker/node_modules/node/bin/node ]; then echo node_modules/node/bin/node; else echo node; fi)
# Empty: the binary goes by what the Go toolchain recorded of the commit.
VERSION ?=

.PHONY: setup build test check-go test-go check-worker test-worker fmt demo clean

# wrangler and vitest want a newer node than many systems have: package.json brings one. npm's warnings that this one is too old are about nothing.
setup: worker/node_modules/.package-lock.json
	go mod download
	scripts/model/setup.sh

worker/node_modules/.package-lock.json: worker/package-lock.json
	cd worker && npm ci --loglevel=error
	touch $@

build:
	go build -trimpath -ldflags "-s -w -X main.releaseVersion=$(VERSION)" -o bin/dbmigrate ./cmd/dbmigrate

test: setup check-go check-worker model-quick test-worker test-go test-browser

check-go:
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt these (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

# Two packages at a time: each may run a local Cloudflare of its own.
test-go: setup
	go test -p 2 -timeout 60m ./...
	cd deploy/lint && go test ./...

check-worker: setup
	cd worker && $(NODE) node_modules/typescript/bin/tsc --noEmit
	cd worker && $(NODE) node_modules/prettier/bin/prettier.cjs --check .

test-worker: setup
	cd worker && $(NODE) node_modules/vitest/vitest.mjs run

fmt: setup
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')
	cd worker && $(NODE) node_modules/prettier/bin/prettier.cjs --write .

demo: setup build
	go run ./scripts/stack -- scripts/demo.sh

clean:
	rm -rf bin worker/node_modules worker/.wrangler

include scripts/bench/bench.mk scripts/fuzz/fuzz.mk scripts/model/model.mk scripts/soak/soak.mk scripts/browser/browser.mk scripts/simulate/simulate.mk
