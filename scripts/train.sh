#!/usr/bin/env bash
# usage: scripts/train.sh [argument of train_hyena ...]
#
# Installs what is missing, builds, and trains the Hyena language model. Relative
# paths start where you are. With an NVIDIA GPU and nvcc it builds for both and
# trains on the GPU; otherwise for the CPU alone. Several ranks: --cp 2; or
# scripts/mpirun.sh with the program that this has built.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/common.sh"
preset=cpu
if nvidia-smi --list-gpus 2>/dev/null | grep -q '^GPU' &&
  { command -v nvcc || [[ -x /usr/local/cuda/bin/nvcc ]]; } >/dev/null; then
  preset=cuda
fi
build=$root/build/$preset

if [[ ${1-} == --help || ${1-} == -h ]]; then
  usage
  [[ -x $build/bin/train_hyena ]] && exec "$build/bin/train_hyena" --help
  echo "train_hyena's arguments: scripts/train.sh --help shows them once it is built."
  exit 0
fi
(cd "$root" && require_writable "build/$preset")
"$root/scripts/deps.sh"

# The first time without the tests, which need more packages; later as it was.
options=()
[[ -f $build/build.ninja ]] || options=(-DCROCUTA_TESTS=OFF)
[[ -x $build/bin/train_hyena ]] || echo "train.sh: building, once; this takes one to three minutes"
(cd "$root" && quietly cmake --preset "$preset" "${options[@]}")
quietly cmake --build "$build" --parallel "$(nproc)" --target train_hyena generate_hyena

# Commands that it prints begin with this script's name, as it was typed.
CROCUTA_COMMAND=$0 exec "$build/bin/train_hyena" "$@"
