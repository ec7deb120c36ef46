#!/usr/bin/env bash
# Installs what the model needs and is missing: Spin (a Debian package) and a C compiler.
set -euo pipefail

missing=()
command -v spin >/dev/null || missing+=(spin)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
[ ${#missing[@]} -gt 0 ] || exit 0

help="install ${missing[*]} by hand: Debian and Ubuntu have packages, other systems see https://spinroot.com"
command -v apt-get >/dev/null || { echo "model: there is no apt-get here: $help" >&2; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
export DEBIAN_FRONTEND=noninteractive
echo "model: installing ${missing[*]} (apt-get)" >&2
{ as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
  { echo "model: apt-get failed: $help" >&2; exit 1; }
