#!/usr/bin/env bash
# usage: test_scripts.sh <source folder>
#
# What the scripts say when asked for help, called wrongly, or where they cannot work: at once, without
# installing or building anything, whoever calls them, and in folders of any name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
tree="$folder/a tree of Jürgen's"
mkdir -p "$tree/tests/fuzz/corpus/config"
cp -R "$1/scripts" "$1/CMakePresets.json" "$tree"
cd "$tree"

# An ordinary user, who may not write here.
user=()
if ((EUID == 0)); then user=(setpriv --reuid=65534 --regid=65534 --clear-groups); fi

# expect <status> <lines> <text in them> <text not in them> <command> [argument ...]
expect() {
  local status=0 output
  output=$("${@:5}" 2>&1 </dev/null) || status=$?
  if [[ $status != "$1" || $(wc -l <<<"$output") != $2 || $output != *"$3"* || $output == *"$4"* ]]; then
    echo "${*:5}: expected exit status $1 and $2 line(s) with '$3', without '$4'; got $status and"
    echo "$output"
    exit 1
  fi
}
nowhere="no such text"
# On a machine with a GPU too, train.sh would build for the CPU.
mkdir "$folder/no_gpu"
printf '#!/bin/sh\nexit 1\n' >"$folder/no_gpu/nvidia-smi"
chmod 755 "$folder/no_gpu/nvidia-smi" "$folder/no_gpu"
PATH=$folder/no_gpu:$PATH

for script in coverage deps fuzz mpirun portability test train; do
  help=$("scripts/$script.sh" --help)
  [[ $help == "usage: scripts/$script.sh"* && $help != *"set -"* ]] ||
    { echo "$script.sh --help: $help" && exit 1; }
  if grep -E '^.{81}' <<<"$help"; then echo "$script.sh --help: longer than 80 columns" && exit 1; fi
done
for script in coverage test; do
  expect 2 1 "$script.sh: unknown option '--fast'" "$nowhere" "scripts/$script.sh" --fast
done
expect 2 1 "deps.sh: unknown option '--fast'" "$nowhere" scripts/deps.sh --fast
expect 2 1 "test.sh: unknown preset 'gpu'" "$nowhere" scripts/test.sh gpu
expect 2 1 "test.sh: '--only': expected a regular expression" "$nowhere" scripts/test.sh cpu --only
expect 2 1 "fuzz.sh: expected a number of seconds, got 'x'" "$nowhere" scripts/fuzz.sh x
expect 2 1 "fuzz.sh: unknown target 'x'" "$nowhere" scripts/fuzz.sh 1 x
MPIEXEC=none expect 2 1 "there is no none; scripts/deps.sh --mpi installs" "$nowhere" \
  scripts/mpirun.sh -n 2 true
[[ ! -e build ]]

# A folder that cannot be written, one that somebody else has built, and one that was copied here.
chmod a-w .
expect 2 1 "test.sh: cannot write to ., which belongs to $(id -un)" "$nowhere" \
  "${user[@]}" scripts/test.sh
chmod u+w .
for preset in cpu coverage fuzz; do
  mkdir -p "build/$preset" && touch "build/$preset/CMakeCache.txt"
  chmod a-w "build/$preset/CMakeCache.txt"
  case $preset in
    cpu) scripts="test train" ;;
    *) scripts=$preset ;;
  esac
  for script in $scripts; do
    chmod 777 "build/$preset"
    expect 2 1 "cannot write to build/$preset/CMakeCache.txt" "$nowhere" \
      "${user[@]}" "scripts/$script.sh"
    chmod 555 "build/$preset"
    expect 2 1 "$script.sh: cannot write to build/$preset, which" "$nowhere" \
      "${user[@]}" "scripts/$script.sh"
  done
  chmod 755 "build/$preset"
done
chmod u+w build/cpu/CMakeCache.txt
echo "CMAKE_HOME_DIRECTORY:INTERNAL=/elsewhere" >build/cpu/CMakeCache.txt
expect 2 1 "test.sh: build/cpu was made for /elsewhere, not for $PWD: remove it" "$nowhere" \
  scripts/test.sh

# Packages are missing, and there is no sudo, or one that asks for a password.
mkdir "$folder/bin"
printf '#!/bin/sh\n' >"$folder/bin/dpkg-query"
chmod 755 "$folder/bin/dpkg-query"
bash=$(command -v bash)
expect 1 2 "Please run as root" sudo \
  "${user[@]}" env PATH="$folder/bin" "$bash" scripts/deps.sh --mpi
printf '#!/bin/sh\nexit 1\n' >"$folder/bin/sudo"
chmod 755 "$folder/bin/sudo"
expect 1 2 "Please run
  sudo apt-get update && sudo apt-get install" "as root" \
  "${user[@]}" env PATH="$folder/bin" "$bash" scripts/deps.sh --mpi

# Where the text of a seeded fault no longer stands, it is to be adapted.
for suite in core cuda; do
  python3 "$1/tools/seeded_faults/run.py" "$suite" --list --sanitize >/dev/null
done
