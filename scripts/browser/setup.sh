#!/usr/bin/env bash
# Installs the browser of the live updates' test, where it is missing.
set -euo pipefail

[ -z "${CHROMIUM:-}" ] && [ ! -x /usr/bin/chromium ] || exit 0
help="install Chromium by hand, or say where it is: CHROMIUM=/path/to/chromium"
command -v apt-get >/dev/null || { echo "browser: there is no apt-get here: $help" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
export DEBIAN_FRONTEND=noninteractive
echo "browser: installing chromium (apt-get)" >&2
{ as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null; } ||
  { echo "browser: apt-get failed: $help" >&2; exit 1; }
