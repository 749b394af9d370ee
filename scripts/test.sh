#!/usr/bin/env bash
# usage: scripts/test.sh [preset] [--only <regex>] [-D<CMake variable>=<value>
#             ...]
#
# Installs what is missing, builds, runs all tests, or those programs whose names
# match the regular expression, and ends with the line `N passed, N failed, N
# skipped`. Presets: cpu (the default), debug, clang, asan, tsan; cuda-emulated
# and cuda-emulated-asan, where all runs on the CUDA backend, emulated on the CPU;
# cuda, which needs a GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh
help_if_asked "$@"
preset=cpu
if (($#)) && [[ $1 != -* ]]; then
  preset=$1
  shift
fi
grep -qsF "\"name\": \"$preset\"" CMakePresets.json CMakeUserPresets.json ||
  refuse "unknown preset '$preset' (see --help)"
only=() options=()
while (($#)); do
  case $1 in
    --only)
      (($# > 1)) || refuse "'--only': expected a regular expression"
      only=(--tests-regex "$2")
      shift
      ;;
    -D?*) options+=("$1") ;;
    *) refuse "unknown option '$1' (see --help)" ;;
  esac
  shift
done
build=build/$preset
jobs=$(nproc)
require_writable "$build"

packages=(--tests)
[[ $preset == *emulated* ]] && packages+=(--emulation)
[[ $preset == clang ]] && packages+=(--clang)
scripts/deps.sh "${packages[@]}"

quietly cmake --preset "$preset" -DCROCUTA_TESTS=ON "${options[@]}"
start=$SECONDS
# Of some tests, only their programs are built, unless one is not that of a target.
targets=()
if ((${#only[@]})); then
  known=$(cmake --build "$build" --target help)
  while read -r name; do
    if ! grep -q "^$name: " <<<"$known"; then
      targets=()
      break
    fi
    targets+=(--target "$name")
  done < <(ctest --test-dir "$build" -N "${only[@]}" | sed -n 's/^ *Test *#[0-9]*: //p')
fi
quietly cmake --build "$build" --parallel "$jobs" "${targets[@]}"
echo "Built $build in $((SECONDS - start)) s; testing"

# The sanitizers of older compilers need fewer random address bits than newer kernels use.
run=()
if [[ $preset == *san && $(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0) -gt 28 ]] &&
  setarch "$(uname -m)" --addr-no-randomize true 2>/dev/null; then
  run=(setarch "$(uname -m)" --addr-no-randomize)
fi
# Processes on a GPU share its time; half as many as there are cores keep it busy.
if [[ $preset == cuda* && $preset != *emulated* ]] && ((jobs > 6)); then jobs=$((jobs / 2)); fi
start=$SECONDS
status=0
"${run[@]}" ctest --test-dir "$build" --parallel "$jobs" "${only[@]}" --no-tests=error \
  --output-on-failure --test-output-size-passed 1000000 --test-output-size-failed 1000000 \
  --output-junit Testing/junit.xml </dev/null || status=$?
echo
echo "Tested $build in $((SECONDS - start)) s"
python3 scripts/summarise_tests.py "$build/Testing/junit.xml" && exit "$status"
