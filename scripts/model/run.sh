#!/usr/bin/env bash
# Checks the model of the live cutover (docs/cutover/README.md). Spin is a Debian package and is installed when it is missing.
#   scripts/model/run.sh [-full] [-trace NAME] [-write]
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v spin >/dev/null; then
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends spin >/dev/null
fi
exec go run ./scripts/model "$@"
