#!/usr/bin/env bash
# usage: scripts/coverage.sh [-D<CMake variable>=<value> ...]
#
# Installs what is missing, builds with GCC's coverage counters, runs all tests,
# and prints which lines ran, by file; build/coverage/index.html shows them in the
# source. Exits with 1 where less was reached than docs/testing.md promises.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh
help_if_asked "$@"
for option in "$@"; do
  [[ $option == -D?* ]] || refuse "unknown option '$option' (see --help)"
done
require_writable build/coverage

scripts/deps.sh --tests --emulation --coverage
find build/coverage -name '*.gcda' -delete 2>/dev/null || true
# Tests have to run; whether they pass is for the other presets to say. Here some are slower than their
# time limit, and a program that runs as somebody who may not write its counters complains on stderr,
# where a test expects one line.
rm -f build/coverage/Testing/junit.xml
scripts/test.sh coverage "$@" || [[ -f build/coverage/Testing/junit.xml ]]

report() { gcovr --root . --object-directory build/coverage --exclude-throw-branches "$@"; }
report --filter '(framework|kernels/cpu|layers|distributed|examples/hyena)/' \
  --html-details build/coverage/index.html --txt build/coverage/report.txt
cat build/coverage/report.txt

# require <percent> <what> <filter>...
status=0
require() {
  local least=$1 what=$2 filter filters=()
  shift 2
  for filter in "$@"; do filters+=(--filter "$filter"); done
  if report "${filters[@]}" --fail-under-line "$least" >build/coverage/part.txt 2>&1; then
    echo "$what: $(awk '/^TOTAL/ {print $4}' build/coverage/part.txt) of lines, at least $least %"
  else
    echo "$what: $(awk '/^TOTAL/ {print $4}' build/coverage/part.txt) of lines, less than $least %"
    status=1
  fi
}
require 100 "readers, configuration, checkpoints" \
  'framework/(base/(cli|config|config_value|json)|io/(safetensors|safetensors_header|checkpoint_manifest|checkpoint))\.cpp' \
  'examples/hyena/data/fasta\.cpp'
require 100 "process groups" 'distributed/(process_group|collectives|context_parallel|gradient_sync|backends/(threads|host_backend))\.cpp'
require 90 framework 'framework/'
require 90 kernels/cpu 'kernels/cpu/'
require 90 layers 'layers/'
exit "$status"
