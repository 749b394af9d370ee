#!/usr/bin/env bash
# usage: scripts/fuzz.sh [seconds [target ...]]
#
# Installs what is missing, builds the fuzzers of tests/fuzz with Clang, and lets
# each of them (or those named, such as config) look for trouble for that long,
# 120 seconds unless told, as many at a time as there are cores. They start from
# tests/fuzz/corpus and keep what is new to them in build/fuzz/corpus. Exits with
# 1 if one found something: the input lies in build/fuzz, ready to be added to the
# corpus, and `build/fuzz/tests/fuzz_config <input>` shows the trouble again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh
help_if_asked "$@"
seconds=${1:-120}
targets=("${@:2}")
[[ $seconds =~ ^[1-9][0-9]*$ ]] || refuse "expected a number of seconds, got '$seconds' (see --help)"
for target in "${targets[@]}"; do
  [[ -d tests/fuzz/corpus/$target ]] || refuse "unknown target '$target' (see --help)"
done
if ((${#targets[@]} == 0)); then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi
require_writable build/fuzz

scripts/deps.sh --tests --fuzz
quietly cmake --preset fuzz -DCROCUTA_TESTS=ON
quietly cmake --build build/fuzz --parallel "$(nproc)" --target "${targets[@]/#/fuzz_}"

fuzz() {
  local target=$1 log=build/fuzz/$1.log status=0
  mkdir -p "build/fuzz/corpus/$target"
  "build/fuzz/tests/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=4096 -print_final_stats=1 -artifact_prefix="build/fuzz/$target-" \
    "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1 </dev/null || status=$?
  if ((status)); then
    echo "fuzz_$target: found something"
    tail -n 40 "$log"
    return 1
  fi
  echo "fuzz_$target: $(sed -n 's/stat::number_of_executed_units: *//p' "$log") inputs in $seconds s," \
    "nothing found"
}
export -f fuzz
export seconds
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'fuzz "$0"'
