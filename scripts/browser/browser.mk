# Live updates in a real browser. `include scripts/browser/browser.mk` in the Makefile.

.PHONY: test-browser live-bench

test-browser: setup build
	scripts/browser/setup.sh
	go run ./scripts/stack -- sh -c 'cd worker && exec $(NODE) --test "test-browser/*.test.mjs"'

# Subscribers of one user, and the time from an acknowledged write to its delivery.
live-bench: setup build
	go run ./scripts/stack -- sh -c 'cd worker && exec $(NODE) test-browser/subscribers.mjs'
