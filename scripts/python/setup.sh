#!/usr/bin/env bash
# Installs python3 where it is missing: the tests of clients/python and examples/python need it.
set -euo pipefail

! command -v python3 >/dev/null || exit 0
help="install python3 (3.9 or later) by hand"
command -v apt-get >/dev/null || { echo "python: there is no apt-get here: $help" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
export DEBIAN_FRONTEND=noninteractive
echo "python: installing python3 (apt-get)" >&2
{ as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends python3 >/dev/null; } ||
  { echo "python: apt-get failed: $help" >&2; exit 1; }
