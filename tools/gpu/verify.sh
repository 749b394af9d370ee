#!/usr/bin/env bash
# Proves on a real GPU what tests elsewhere can only emulate, and measures it. What the steps run is
# in steps.sh, how they are run and reported in record.sh, what they are built with in toolkit.sh.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

usage() {
  cat <<'TEXT'
usage: tools/gpu/verify.sh [option ...]

Builds for the GPU of this machine, and tests, checks and measures on it, in three parts of at most
nine minutes each on 16 cores; each builds what it needs. All commands have time limits, what fails
does not stop the rest, and whatever happens (a deadline, a signal) the tables come to OUT/report.md
and everything, logs included, to one file, OUT.tar.gz. The exit status is 1 if anything failed or
was not reached.

  --part works    does it work: the kernels' tests and some of what is built on them, 20 training
                  steps, the limits of the GPU, the convolution's benchmark, memcheck
  --part speed    how fast: element-wise kernels, the convolution and training steps beside PyTorch,
                  a sweep of the FFT's pieces, a profile; training on CPU and GPU, twice, in ranks
  --part all      all tests, and racecheck, synccheck and initcheck on kernels with barriers
  (no --part)     everything, and at greater length: more than an hour

  --deadline SEC  the end, counted from the start; with a part 540, else none
  --steps LIST    only these of its steps, with commas between: build,test,sanitize,train,bench;
                  they go on from what is there. `report` alone writes the report again
  --out DIR       where logs and the report go (runs/gpu, or runs/gpu-PART)
  --build DIR     the build folder (build/gpu)
  --packages DIR  libraries that are not installed here, see below
  --commit ID     what the report is to name as the commit, where there is no .git folder
  --emulated      everything on the emulated GPU, to try this script; its figures mean nothing
  --help

It needs nvcc, CMake 3.25, Ninja, a C++20 compiler and Python 3; spdlog,
nlohmann-json, CLI11 and Catch2 either installed or from --packages. Left out where missing, and
reported as such: MPI (tests of several ranks), NCCL, compute-sanitizer, ncu, PyTorch and
causal-conv1d (comparisons). PYTHON names the Python that has PyTorch (python3).

Without a network on the GPU machine: on another one, run `tools/gpu/packages.sh DIR`, copy DIR
over, and give it as --packages DIR. Nothing is installed: it is unpacked into the build folder.
TEXT
}
refuse() {
  echo "verify.sh: $1 (see --help)" >&2
  exit 2
}

part='' deadline='' steps='' out='' build=build/gpu packages='' commit='' backend=ON
while (($#)); do
  case $1 in
    --part | --deadline | --steps | --out | --build | --packages | --commit)
      [[ ${2-} ]] || refuse "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    --emulated) backend=emulated ;;
    --help | -h) usage && exit 0 ;;
    *) refuse "unknown option '$1'" ;;
  esac
  shift
done
case $part in
  works) order="build test bench sanitize" ;;
  speed) order="build bench train" ;;
  all) order="build test sanitize" ;;
  '') order="build test sanitize train bench" ;;
  *) refuse "unknown part '$part'" ;;
esac
steps=${steps:-${order// /,}}
for step in ${steps//,/ }; do
  [[ " $order report " == *" $step "* ]] || refuse "${part:+part $part has }no step '$step'"
done
[[ ${deadline:-1} =~ ^[1-9][0-9]{0,5}$ ]] || refuse "expected a number of seconds, got '$deadline'"
deadline=${deadline:-${part:+540}}
deadline=${deadline:-0}
if [[ $backend == ON && ! -e /dev/nvidiactl ]] &&
  ! timeout 20 nvidia-smi --list-gpus 2>/dev/null | grep -q '^GPU'; then
  echo "verify.sh: no NVIDIA GPU on this machine; --emulated tries the script without one" >&2
  exit 1
fi

out=${out:-runs/gpu${part:+-$part}}
mkdir -p "$out" "$build"
out=$(cd "$out" && pwd)
build=$(cd "$build" && pwd)
python=${PYTHON:-python3}
jobs=$(nproc)
commit=${commit:-$(git rev-parse --short HEAD 2>/dev/null || echo unknown)}
cuda=${CUDA_HOME:-/usr/local/cuda}
require_gpu=1
[[ $backend == emulated ]] && require_gpu=0
export backend build jobs out python require_gpu
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

here=tools/gpu
source $here/record.sh
source $here/toolkit.sh
source $here/steps.sh

started=$(now) watch=''
rm -f "$out/commands.log"
trap finish EXIT
trap 'stop INT' INT
trap 'stop TERM' TERM
trap 'stop HUP' HUP
trap : PIPE  # a terminal that has gone away stops nothing

if [[ $packages ]]; then use_packages; fi
if [[ -d $cuda/bin ]]; then PATH=$PATH:$cuda/bin; fi
gpu='emulated, none'
if [[ $backend == ON ]]; then
  gpu=$(ask_gpu name,driver_version || echo "unknown, unknown")
  # Clocks and temperatures; besides, the driver stays awake between one program and the next.
  nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,temperature.gpu,power.draw,memory.used \
    --format=csv --loop=2 >"$out/gpu.csv" 2>&1 </dev/null &
  watch=$!
fi
for step in $order; do
  if wants "$step"; then begin "$step" && "${step}_step"; fi
done
