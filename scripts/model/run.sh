#!/usr/bin/env bash
# Checks the model of the live cutover (docs/cutover/README.md). What is missing (Spin, gcc) is installed by setup.sh.
#   scripts/model/run.sh [-full | -quick] [-trace NAME] [-write]
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/model/setup.sh
exec go run ./scripts/model "$@"
