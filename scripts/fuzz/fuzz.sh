#!/usr/bin/env bash
# Runs every Go fuzz target for FUZZTIME, FUZZJOBS of them at once, and prints a table; fails when one fails. `make fuzz` calls it.
# A crash leaves its input in the package's testdata/fuzz, where `go test` runs it from then on. Reads nothing but the repository and Go's caches.
set -euo pipefail
cd "$(dirname "$0")/../.."
export FUZZTIME=${FUZZTIME:-60s}
jobs=${FUZZJOBS:-2} pattern=${FUZZ:-.}

logs=$(mktemp -d)
export logs
trap 'rm -rf "$logs"' EXIT

# targets prints "package target" for each.
targets() {
  git grep -lE '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go' | while read -r file; do
    sed -nE "s|^func (Fuzz[A-Za-z0-9_]*)\(.*|./$(dirname "$file") \1|p" "$file"
  done | sort | grep -E -- "$pattern"
}

# one PACKAGE TARGET runs a target; its row of the table goes to stdout. SQLite's coverage differs from run to run, so that
# minimizing what it found interesting would never end: one second is enough for the other targets.
one() {
  local log="$logs/$2" verdict=ok
  go test -run='^$' -fuzz="^$2\$" -fuzztime="$FUZZTIME" -fuzzminimizetime=1s -parallel=1 -timeout=0 "$1" > "$log" 2>&1 || verdict=FAILED
  local last
  last=$(grep -oE 'execs: [0-9]+.*' "$log" | tail -1 || true)
  printf '| %s | %s | %s | %s |\n' "$1" "$2" "$(sed -nE 's/execs: ([0-9]+).*/\1/p' <<< "$last")" "$verdict"
  if [ $verdict = FAILED ]; then { echo "--- $1 $2"; tail -n 60 "$log"; } >&2; return 1; fi
}
export -f one

printf '| package | target | inputs | result |\n|---|---|---|---|\n'
targets | xargs -P "$jobs" -L 1 bash -c 'one "$@"' one
