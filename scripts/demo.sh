#!/usr/bin/env bash
# The whole way of a fleet, on Cloudflare's own local runtime: scan, migrate, verify, write, roll back, migrate again, free the files.
# Run it as `go run ./scripts/stack -- scripts/demo.sh`; the environment names the runtime. Every step checks dbmigrate's exit code.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${DBMIGRATE_WORKER_URL:?run this as: go run ./scripts/stack -- scripts/demo.sh}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_STATE_HOME=$work/state
users=${DEMO_USERS:-36}
export PAGER=cat # nobody is asked to turn pages

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# expect CODE ARGS... runs dbmigrate and demands its exit code.
expect() {
  local want=$1 code=0
  shift
  printf '$ dbmigrate %s\n' "$*"
  "$work/dbmigrate" "$@" || code=$?
  [ "$code" = "$want" ] || fail "dbmigrate $1 exited with $code, want $want"
  printf '(exit %s)\n' "$code"
}

# quietly CODE FILE ARGS... keeps stdout in a file.
quietly() {
  local want=$1 file=$2 code=0
  shift 2
  "$work/dbmigrate" "$@" > "$file" 2> "$file.err" || code=$?
  [ "$code" = "$want" ] || { cat "$file.err" >&2; fail "dbmigrate $1 exited with $code, want $want"; }
}

# query USER MODE SQL asks the application, which asks its router.
query() {
  curl -sS --fail-with-body --retry 5 -X POST "$DBMIGRATE_WORKER_URL/api/users/$1/query" -H "Authorization: Bearer $APP_TOKEN" \
    -H 'Content-Type: application/json' --data-binary "{\"mode\":\"$2\",\"statements\":[{\"sql\":\"$3\"}]}" || fail "the router refused: $3"
}

# write USER TITLE adds a game; has USER TITLE SIDE demands that it is there, and which side says so.
write() {
  query "$1" write "INSERT INTO games (title, played_at, duration, video_key) VALUES ('$2', 1, 2.5, 'v')" > "$work/answer"
  printf 'write %-22s %-12s -> %s\n' "$2" "$1" "$(grep -o '"side":"[a-z]*"' "$work/answer")"
}
has() {
  local answer
  answer=$(query "$1" read "SELECT count(*) FROM games WHERE title = '$2'")
  [[ $answer == *'"rows":[[1]]'* && $answer == *"\"side\":\"$3\""* ]] || fail "$1: '$2' is not there, or not on side $3: $answer"
  printf 'written %-20s %-12s -> found, on side %s\n' "$2" "$1" "$3"
}

# videos prints key, ETag and LastModified of every video.
videos() {
  curl -sS --fail "$CLOUDFLARE_API_BASE_URL/r2/buckets/$DBMIGRATE_BUCKET/objects?per_page=1000" | tr '{' '\n' | grep '/games/' | sort
}

step "Build"
go build -o "$work/dbmigrate" ./cmd/dbmigrate
go build -o "$work/fleet" ./scripts/fleet
"$work/dbmigrate" version

step "A fleet: $users users of 20 KB to 12 MB, their videos, and real files"
# The bucket is new. Without --overwrite, a PUT that was repeated after a lost answer would refuse its own object.
mkdir "$work/corpus"
cp test/corpus/*.{db,sqlite,sqldb,gpkg,gz} "$work/corpus"
gunzip "$work"/corpus/*.gz
fleet=(--users "$users" --videos --overwrite --corpus "$work/corpus")
"$work/fleet" "${fleet[@]}" > "$work/fleet.txt"
videos > "$work/videos.before"
[ -s "$work/videos.before" ] || fail "there are no videos to look after"
printf '%s videos\n' "$(wc -l < "$work/videos.before")"

step "Is everything in reach?"
expect 0 doctor

step "Who should move?"
export XDG_STATE_HOME="$work/state" # the history of a bucket that is gone in a minute
expect 0 scan

step "Some write before they move, to the file"
first=user-00001 second=user-00002
write $first 'before the move'

step "Move everybody (files that a Durable Object cannot hold exactly stay, with the reason)"
expect 1 migrate --all
quietly 0 "$work/again" migrate --all --output json
if grep -q '"outcome":"migrated"' "$work/again"; then fail "the second run did something"; fi
echo 'A second run found nothing to do, and passed over those in quarantine.'

step "Is it all there?"
expect 0 verify --all

step "Write after the move, to the Durable Object"
has $first 'before the move' store
write $first 'after the move'
write $second 'after the move'
expect 0 verify $first $second

step "Back to R2, with everything that was written"
expect 0 rollback --all
has $first 'before the move' file
has $first 'after the move' file
has $second 'after the move' file
write $first 'after the way back'

step "And forth again"
expect 0 migrate --all
has $first 'after the way back' store
expect 0 status $first $second

step "Free the files (30 days are short here: --older-than 0s)"
expect 0 gc
quietly 0 "$work/plan" gc --older-than 0s --output json
plan=$(grep -o '"plan":"[0-9a-f]\{8,\}"' "$work/plan" | cut -d'"' -f4)
expect 2 gc --older-than 0s --confirm 000000000000
expect 0 gc --older-than 0s --confirm "$plan"
has $first 'after the way back' store
expect 0 verify $first $second

step "Was anything else touched?"
videos > "$work/videos.after"
cmp "$work/videos.before" "$work/videos.after" || fail "a video changed"
printf '%s videos: bytes and LastModified as before.\n' "$(wc -l < "$work/videos.after")"
expect 0 scan

step "How long the application's requests took, in milliseconds by side"
curl -sS --fail "$DBMIGRATE_WORKER_URL/api/latency" -H "Authorization: Bearer $APP_TOKEN" || fail "the sample does not say"
printf '\n'

step "Done"
