# Sourced by verify.sh: what each step runs, in which part, and for how many seconds at most. A part
# runs what tells most first, since its deadline may cut it off anywhere.

# --- build ---

kernel_tests=(test_depthwise_conv1d_cuda test_cuda_copy test_cuda_elementwise test_cuda_embedding
              test_cuda_fft_conv test_cuda_gemm test_cuda_optimizer test_cuda_random
              test_cuda_reduce test_cuda_rows)
works_tests=("${kernel_tests[@]}" test_ops_depthwise_conv1d test_ops_fft_conv test_device
             test_device_copy test_allocator test_nccl test_training_devices)
works_targets=(test_tiny "${works_tests[@]}" bench_cuda_limits bench_depthwise_conv1d_cuda
               train_hyena verify_cp)
speed_targets=(bench_elementwise bench_depthwise_conv1d_cuda_peer bench_train_step train_hyena)

build_step() {
  local options wanted=() targets=() known target limit=300
  [[ $part ]] || limit=3600
  choose_options
  record build configure 120 cmake -S . -B "$build" "${options[@]}"
  case $part in
    works) wanted=("${works_targets[@]}") ;;
    speed) wanted=("${speed_targets[@]}") ;;
  esac
  # A target that this configuration lacks would end the build before it begins.
  known=$(timeout 60 cmake --build "$build" --target help 2>/dev/null) || true
  [[ $known ]] || known=$(printf '%s: \n' "${wanted[@]}")
  for target in "${wanted[@]}"; do
    if grep -q "^$target: " <<<"$known"; then
      targets+=("$target")
    else
      note build "$target" "not run" '' "not in this configuration"
    fi
  done
  record build build "$limit" cmake --build "$build" --parallel "$jobs" \
    ${targets[0]:+--target "${targets[@]}"} -- -k 0
}
is_absent() { grep -qs "^$1"$'\tnot run' "$out/build.tsv"; }

# --- test ---

on_gpu() { CROCUTA_TEST_DEVICE=cuda CROCUTA_REQUIRE_GPU=$require_gpu "$@"; }
test_step() {
  local name limit longest
  if [[ $part != works ]]; then
    longest=$((${#part} ? 270 : 3600)) limit=$(seconds_left)
    ((limit <= longest)) || limit=$longest
    record test suite "$limit" test_suite "$limit"
    return
  fi
  on_gpu record test test_tiny 60 "$build/tests/test_tiny"  # first: is there a GPU that computes?
  for name in "${works_tests[@]}"; do
    if is_absent "$name"; then
      note test "$name" "not run" '' "not in this configuration"
    else
      at_most 3  # more would only share the GPU's time, each with a context of its own
      on_gpu launch test "$name" 150 "$build/tests/$name"
    fi
  done
  drain
  record test train_cuda 60 train_run cuda 20 --device cuda
  record test verify_cp 60 "$build/bin/verify_cp" --cp 4 --device cuda
}
# test_suite SECONDS: all tests by ctest, which stops a little earlier and writes what it has.
test_suite() {
  local status=0 seconds=$(($1 > 40 ? $1 - 20 : $1))
  rm -f "$build/Testing/junit.xml"
  CROCUTA_REQUIRE_GPU=$require_gpu ctest --test-dir "$build" --parallel $((jobs > 6 ? jobs / 2 : 3)) \
    --stop-time "$(date -d "+$seconds seconds" +%T)" \
    --output-on-failure --test-output-size-passed 1000000 --test-output-size-failed 1000000 \
    --output-junit Testing/junit.xml || status=$?
  cp "$build/Testing/junit.xml" "$out"
  "$python" scripts/summarise_tests.py "$build/Testing/junit.xml" && return "$status"
}

# --- sanitize ---

memcheck_tests=(test_depthwise_conv1d_cuda test_cuda_elementwise test_cuda_embedding
                test_cuda_fft_conv test_cuda_reduce test_cuda_rows)
barrier_tests=(test_depthwise_conv1d_cuda test_cuda_embedding test_cuda_reduce test_cuda_rows)

sanitize_step() {
  local tool name tests tools=memcheck limit=150
  if [[ $backend == emulated ]]; then
    note sanitize all "not run" '' "the emulated GPU looks after itself"
    return
  elif ! command -v compute-sanitizer >/dev/null; then
    note sanitize all "not run" '' "no compute-sanitizer"
    return
  fi
  rm -f "$out/kernel_filter"
  record sanitize kernel_filter 90 find_kernel_filter
  case $part in
    works) tests=("${memcheck_tests[@]}") ;;
    all) tests=("${barrier_tests[@]}") tools="racecheck synccheck initcheck" ;;
    *)
      tests=("${kernel_tests[@]}") tools="memcheck racecheck synccheck initcheck" limit=600
      for name in "$build"/tests/test_ops_*; do tests+=("$(basename "$name")"); done
      ;;
  esac
  for tool in $tools; do
    for name in "${tests[@]}"; do
      at_most 4
      launch sanitize "${tool}_$name" "$limit" sanitize_one "$tool" "$build/tests/$name"
    done
  done
  drain
}
# The libraries' kernels are theirs to check, and slow. How to leave them out depends on the version:
# by the first spelling with which a fault in a kernel of ours is still noticed.
find_kernel_filter() {
  local faulty=$build/out_of_bounds filter output
  nvcc -arch=native -o "$faulty" tools/gpu/out_of_bounds.cu
  for filter in "--kernel-name kernel_substring=crocuta" "--kernel-regex kns=crocuta" \
    "--filter kns=crocuta" ""; do
    # shellcheck disable=SC2086
    output=$(compute-sanitizer --tool memcheck $filter "$faulty" 2>&1) || true
    echo "$output"
    [[ $output =~ "ERROR SUMMARY: "[1-9] ]] || continue
    echo "$filter" >"$out/kernel_filter"
    echo "a fault is noticed with ${filter:-no filter, since no spelling of one was taken}"
    return
  done
  echo "compute-sanitizer does not notice a kernel that writes past its memory"
  return 1
}
# Small shapes only: the sanitizers cost a hundred times. Without the cache each tensor has bounds
# of its own.
sanitize_one() {
  local tool=$1 program=$2 cases=100
  [[ $tool == memcheck ]] || cases=15  # the others cost several times as much
  # shellcheck disable=SC2046
  CROCUTA_TEST_DEVICE=cuda CROCUTA_CUDA_CACHE=0 CROCUTA_TEST_CASES=$cases \
    compute-sanitizer --tool "$tool" $(cat "$out/kernel_filter" 2>/dev/null || true) \
    --error-exitcode 99 --print-limit 20 "$program" '~*2^31*'
}

# --- train ---

# train_run NAME STEPS OPTION...: some steps of the recall task.
train_run() {
  local name=$1 steps=$2
  shift 2
  rm -rf "$out/train_$name"
  "$build/bin/train_hyena" --config examples/hyena/configs/recall.json --steps "$steps" \
    --set schedule_steps="$steps" --set log_every=1 --set eval_every="$steps" \
    --set save_every="$steps" --out "$out/train_$name" "$@"
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
# 50 steps from the same start; docs/gpu-verification.md says where the bounds come from.
train_step() {
  local dtype dtypes=(float32) limit=60
  [[ $part ]] || dtypes=(float32 float64 bfloat16) limit=600
  for dtype in "${dtypes[@]}"; do
    record train "cpu_$dtype" $limit train_run "cpu_$dtype" 50 --device cpu --dtype "$dtype"
    record train "cuda_$dtype" $limit train_run "cuda_$dtype" 50 --device cuda --dtype "$dtype"
  done
  record train cpu_cuda_float32 20 compare_losses "$out"/train_{cpu,cuda}_float32 1e-4
  record train cuda_float32_again $limit train_run cuda_float32_again 50 --device cuda
  record train same_bits_twice 20 compare_losses "$out"/train_cuda_float32{,_again} 0
  record train cuda_cp4_threads $limit train_run cuda_cp4_threads 50 --device cuda --cp 4
  record train cp1_cp4 20 compare_losses "$out"/train_cuda_{float32,cp4_threads} 1e-4
  [[ $part ]] && return
  record train cpu_cuda_float64 20 compare_losses "$out"/train_{cpu,cuda}_float64 1e-13
  record train cpu_cuda_bfloat16 20 compare_losses "$out"/train_{cpu,cuda}_bfloat16 0.1
  record train float32_bfloat16 20 compare_losses "$out"/train_cuda_{float32,bfloat16} 0.1
  if command -v mpirun >/dev/null; then
    local ranks
    for ranks in 2 4; do  # on one GPU, through pinned host memory
      record train "mpi_$ranks" 600 scripts/mpirun.sh -n "$ranks" \
        "$build/bin/train_hyena" --config examples/hyena/configs/recall.json --steps 20 \
        --set save_every=20 --device cuda:0 --cp "$ranks" --out "$out/train_mpi_$ranks"
    done
  else
    note train mpi "not run" '' "no mpirun"
  fi
}

# --- bench ---

bench_step() {
  local small=(128 2 1024 8 16 20) large=(768 12 8192 8 16 10) two_blocks=(768 2 8192 8 16 5)
  [[ $backend == emulated ]] &&
    small=(16 1 32 2 16 1) large=(16 2 64 1 16 1) two_blocks=(16 2 64 1 16 1)
  case $part in
    works) bench_limits ;;
    speed) bench_speed ;;
    *) bench_limits && bench_speed && bench_compiled ;;
  esac
}
bench_limits() {
  record bench bench_limits 60 "$build/bin/bench_cuda_limits"
  record bench bench_depthwise_conv1d 120 "$build/bin/bench_depthwise_conv1d_cuda"
}
# The layer and the training step stand beside PyTorch's where that is installed.
bench_speed() {
  local mib
  record bench bench_elementwise 60 "$build/bin/bench_elementwise" cuda
  record bench bench_depthwise_conv1d_torch 120 conv_torch --no-compile --case 0 1 2 3 4 5 6
  record bench bench_train_step_small_bfloat16 60 train_step_torch bfloat16 "${small[@]}"
  record bench bench_train_step_bfloat16 120 train_step_torch bfloat16 "${large[@]}"
  for mib in 6 12 24 48 4096; do  # 4096: in one piece
    CROCUTA_FFT_PIECE_MIB=$mib record bench "bench_fft_piece_${mib}_mib" 45 \
      "$build/bin/bench_train_step" --device cuda --dtype bfloat16 "${two_blocks[@]}"
  done
  if command -v ncu >/dev/null; then
    record bench ncu_one_block 60 profile_one_block
  else
    note bench ncu_one_block "not run" '' "no ncu"
  fi
}
bench_compiled() {
  local dtype
  record bench bench_depthwise_conv1d_torch_compiled 1200 conv_torch
  record bench bench_depthwise_conv1d_torch_warm 1200 conv_torch --warm
  record bench bench_train_step_small_float32 600 train_step_torch float32 "${small[@]}"
  record bench bench_train_step_float32 600 train_step_torch float32 "${large[@]}"
  for dtype in float32 bfloat16; do
    record bench "bench_train_step_compiled_$dtype" 600 \
      train_step_torch $dtype --compile "${large[@]}"
  done
}
conv_torch() {
  "$python" bench/depthwise_conv1d_torch_cuda.py \
    "$build/bench/libbench_depthwise_conv1d_cuda_peer.so" "$@"
}
train_step_torch() {
  local dtype=$1 rounds=3
  shift
  [[ $backend == emulated || " $* " == *" --compile "* ]] && rounds=1
  ROUNDS=$rounds THREADS=$jobs PYTHON=$python bench/train_step.sh "$build" --device cuda \
    --dtype "$dtype" "$@"
}
# Time and use of memory of every kernel of one training step of one block, at the GPU's own clocks.
profile_one_block() {
  local metrics=gpu__time_duration.sum,dram__throughput.avg.pct_of_peak_sustained_elapsed
  metrics+=,sm__throughput.avg.pct_of_peak_sustained_elapsed,launch__registers_per_thread
  local status=0
  ncu --clock-control none --csv --page raw --metrics "$metrics" "$build/bin/bench_train_step" \
    --device cuda --dtype bfloat16 768 1 8192 8 16 1 >"$out/ncu_one_block.csv" 2>&1 || status=$?
  if grep ERR_NVGPUCTRPERM "$out/ncu_one_block.csv"; then return 77; fi  # counters are not for us
  tail -n 1 "$out/ncu_one_block.csv"
  return "$status"
}

# What launch runs in a shell of its own.
export -f on_gpu test_suite find_kernel_filter sanitize_one train_run compare_losses conv_torch
export -f train_step_torch profile_one_block
