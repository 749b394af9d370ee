#!/usr/bin/env bash
# Installs what is missing, builds, and trains the Hyena language model; all arguments go to
# train_hyena (try --help). Relative paths start where you are.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/cpu

"$root/scripts/deps.sh"

# The first time without the tests, which need more packages; later as it was.
options=()
[[ -f $build/build.ninja ]] || options=(-DCROCUTA_TESTS=OFF)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! (cd "$root" && cmake --preset cpu "${options[@]}") >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
[[ -x $build/bin/train_hyena ]] || echo "Building (once, two to three minutes) ..."
if ! cmake --build "$build" --target train_hyena generate_hyena >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
rm -f "$log"

exec "$build/bin/train_hyena" "$@"
