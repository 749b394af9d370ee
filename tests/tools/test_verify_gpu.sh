#!/usr/bin/env bash
# usage: test_verify_gpu.sh <source folder>
#
# tools/gpu/verify.sh without a GPU: all that it runs is replaced by stand-ins, which take as long
# as they are told, by a clock of their own. What it runs, in what order, with which limits; and that
# the report and the archive come whatever happens.
set -euo pipefail
source=$1
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
build=$world/build out=$world/out
mkdir "$world/bin" "$world/mode" "$build"

# --- stand-ins ---

# Every program of ours, and the profiler: named so in $world/mode, one takes seconds, fails, hangs.
cat >"$world/program" <<'SH'
#!/bin/bash
name=${0##*/}
mode=$(cat "$WORLD/mode/$name" 2>/dev/null)
for setting in $mode; do export "${setting?}"; done
echo "${seconds:-1}" >"${TOOK:-/dev/null}"
for ((i = 1; i < $#; ++i)); do
  if [[ ${!i} == --out ]]; then
    next=$((i + 1))
    mkdir -p "${!next}" && echo '{"step": 1, "loss": 1.5}' >"${!next}/metrics.jsonl"
  fi
done
if [[ ${signal-} ]]; then
  until [[ -s $WORLD/pid ]]; do sleep 0.01; done
  kill "-$signal" "$(<"$WORLD/pid")"
  exec sleep 1000
fi
echo "$name ${CROCUTA_FFT_PIECE_MIB-} 1.5 ms, device ${CROCUTA_TEST_DEVICE-}"
exit "${status:-0}"
SH
# timeout: what takes longer than its limit has taken that, and timed out.
cat >"$world/bin/timeout" <<'SH'
#!/bin/bash
[[ $1 == --kill-after=* ]] && shift
limit=$1
shift
export TOOK=$(mktemp -p "$WORLD")
status=0
"$@" || status=$?
took=$(<"$TOOK")
rm "$TOOK"
((${took:-0} <= limit)) || { took=$limit && status=124; }
flock "$WORLD/clock" bash -c 'echo $(($(<"$WORLD/clock") + $1)) >"$WORLD/clock"' - "${took:-0}"
exit "$status"
SH
cat >"$world/bin/date" <<'SH'
#!/bin/bash
if [[ $* == +%s ]]; then exec flock "$WORLD/clock" cat "$WORLD/clock"; fi
exec /bin/date "$@"
SH
cat >"$world/bin/cmake" <<'SH'
#!/bin/bash
tests="test_tiny test_depthwise_conv1d_cuda test_cuda_copy test_cuda_elementwise test_cuda_embedding
  test_cuda_fft_conv test_cuda_gemm test_cuda_optimizer test_cuda_random test_cuda_reduce
  test_cuda_rows test_ops_depthwise_conv1d test_ops_fft_conv test_device test_device_copy
  test_allocator $(cat "$WORLD/mode/nccl" 2>/dev/null) test_training_devices"
programs="bench_cuda_limits bench_depthwise_conv1d_cuda train_hyena verify_cp bench_elementwise
  bench_depthwise_conv1d_cuda_peer bench_train_step"
mode=$(cat "$WORLD/mode/cmake" 2>/dev/null)
for setting in $mode; do export "${setting?}"; done
case $* in
  -S*) exit 0 ;;
  *"--target help") printf '%s: phony\n' $tests $programs && exit 0 ;;
esac
echo "${seconds:-1}" >"$TOOK"
mkdir -p "$2/tests" "$2/bin" "$2/Testing"
for name in $tests; do
  [[ $name == "${broken-}" ]] || ln -sfT "$WORLD/program" "$2/tests/$name"
done
for name in $programs; do ln -sfT "$WORLD/program" "$2/bin/$name"; done
[[ ! ${broken-} ]] || { echo "ninja: build stopped: $broken" && exit 1; }
SH
cat >"$world/bin/ctest" <<'SH'
#!/bin/bash
echo '<testsuite><testcase name="a" status="run"/></testsuite>' >"$2/Testing/junit.xml"
SH
cat >"$world/bin/nvidia-smi" <<'SH'
#!/bin/bash
case $* in
  --list-gpus) echo "GPU 0: Stand-in" ;;
  *name,driver_version*) echo "NVIDIA Stand-in, 600.1" ;;
  *compute_cap*) echo 9.0 ;;
  *--loop*) echo "clocks" && exec sleep 1000 ;;
esac
SH
# Takes the first spelling of the filter, but then checks nothing; takes the second.
cat >"$world/bin/compute-sanitizer" <<'SH'
#!/bin/bash
echo "$*" >>"$WORLD/sanitizer"
if [[ -e $WORLD/mode/blind || $* == *--kernel-name* || $* != *out_of_bounds* ]]; then
  echo "ERROR SUMMARY: 0 errors"
else
  echo "ERROR SUMMARY: 1 error" && exit 1
fi
SH
cat >"$world/bin/python" <<'SH'
#!/bin/bash
if [[ $1 == bench/* ]]; then echo "no torch; $*" && exit 77; fi
if [[ $1 == -c ]]; then exit 1; fi
exec python3 "$@"
SH
printf '#!/bin/bash\necho 16\n' >"$world/bin/nproc"
printf '#!/bin/bash\necho "nvcc, release 13.0, V1"\n' >"$world/bin/nvcc"
printf '#!/bin/bash\necho "c++ 1.0"\n' >"$world/bin/c++"
ln -s "$world/program" "$world/bin/ncu"
printf '#!/bin/bash\nexec "%s" "$@"\n' "$(python3 -c 'import sys; print(sys.executable)')" \
  >"$world/bin/python3"
chmod 755 "$world/program" "$world"/bin/*
# No tool of this machine's but these.
for tool in basename bash cat cp cut dirname env find flock grep gzip head mkdir mktemp mv rm \
  sed sleep tail tar tee tr uname wc xargs ls ln; do
  ln -s "$(command -v $tool)" "$world/bin/$tool"
done

# verify STATUS [OPTION ...]: runs it from the start, and wants this exit status and an archive.
verify() {
  local expected=$1 status=0
  shift
  rm -rf "$out" "$out.tar.gz" "$build" "$world/sanitizer"
  echo 1000 >"$world/clock"
  env WORLD="$world" PATH="$world/bin" PYTHON="$world/bin/python" CUDA_HOME=/nowhere \
    bash "$source/tools/gpu/verify.sh" --build "$build" --out "$out" --commit abc "$@" \
    >"$world/output" 2>&1 </dev/null &
  echo $! >"$world/pid"
  wait $! || status=$?
  rm "$world/pid"
  [[ $status == "$expected" ]] || complain "$*: expected exit status $expected, got $status"
  tar -xzOf "$out.tar.gz" out/report.md | cmp -s - "$out/report.md" || complain "$*: no archive"
}
complain() {
  echo "$1"
  cat "$world/output" "$out/report.md" 2>/dev/null
  exit 1
}
# says FILE TEXT: a line of the file has it. row NAME RESULT [TEXT]: the report has this line.
says() { grep -qF -- "$2" "$out/$1" || complain "$1: no line with '$2'"; }
row() {
  grep -qE "^\| $1 \| $2 \| [0-9]* \| .*${3-}" "$out/report.md" ||
    complain "report.md: no row '$1 | $2 | ${3-}'"
}
# runs TEXT: these commands in this order, with these limits.
runs() {
  sed "s|$build|B|g; s|$out|O|g; s| -S .*| CONFIGURE|" "$out/commands.log" >"$world/ran"
  diff "$world/ran" - >"$world/output" || complain "other commands than expected (>)"
}

# --- what each part runs ---

echo test_nccl >"$world/mode/nccl"
verify 0 --part works
kernels="test_depthwise_conv1d_cuda test_cuda_copy test_cuda_elementwise test_cuda_embedding
  test_cuda_fft_conv test_cuda_gemm test_cuda_optimizer test_cuda_random test_cuda_reduce
  test_cuda_rows"
tests="$kernels test_ops_depthwise_conv1d test_ops_fft_conv test_device test_device_copy
  test_allocator test_nccl test_training_devices"
targets=$(echo test_tiny $tests bench_cuda_limits bench_depthwise_conv1d_cuda train_hyena verify_cp)
[[ $(wc -w <<<"$targets") == 22 ]]
runs <<TEXT
120 s: cmake CONFIGURE
300 s: cmake --build B --parallel 16 --target $targets -- -k 0
60 s: B/tests/test_tiny
$(printf '150 s: B/tests/%s\n' $tests)
60 s: train_run cuda 20 --device cuda
60 s: B/bin/verify_cp --cp 4 --device cuda
60 s: B/bin/bench_cuda_limits
120 s: B/bin/bench_depthwise_conv1d_cuda
90 s: find_kernel_filter
$(printf '150 s: sanitize_one memcheck B/tests/%s\n' test_depthwise_conv1d_cuda \
  test_cuda_elementwise test_cuda_embedding test_cuda_fft_conv test_cuda_reduce test_cuda_rows)
TEXT
says report.md "# NVIDIA Stand-in, $(date --utc +%Y)"
says report.md "commit abc, part works"
says report.md "Driver 600.1; nvcc 13.0; c++ 1.0"
says report.md "deadline: 540. 0 failed or not reached."
row test_nccl passed "device cuda"
[[ $(grep -c -- --kernel-name "$world/sanitizer") == 1 &&
  $(grep -c -- '--tool memcheck --kernel-regex kns=crocuta' "$world/sanitizer") == 7 ]] ||
  complain "the spelling of the filter that works was not found, or not used"
row kernel_filter passed "a fault is noticed with --kernel-regex kns=crocuta"
for file in gpu.csv build.log bench_limits.log commands.log test.tsv train_cuda/metrics.jsonl; do
  tar -tzf "$out.tar.gz" "out/$file" >/dev/null || complain "the archive lacks $file"
done

verify 0 --part speed
speed="bench_elementwise bench_depthwise_conv1d_cuda_peer bench_train_step train_hyena"
runs <<TEXT
120 s: cmake CONFIGURE
300 s: cmake --build B --parallel 16 --target $speed -- -k 0
60 s: B/bin/bench_elementwise cuda
120 s: conv_torch --no-compile --case 0 1 2 3 4 5 6
60 s: train_step_torch bfloat16 128 2 1024 8 16 20
120 s: train_step_torch bfloat16 768 12 8192 8 16 10
$(printf '45 s: B/bin/bench_train_step --device cuda --dtype bfloat16 %s\n' \
  {,,,,}"768 2 8192 8 16 5")
60 s: profile_one_block
60 s: train_run cpu_float32 50 --device cpu --dtype float32
60 s: train_run cuda_float32 50 --device cuda --dtype float32
20 s: compare_losses O/train_cpu_float32 O/train_cuda_float32 1e-4
60 s: train_run cuda_float32_again 50 --device cuda
20 s: compare_losses O/train_cuda_float32 O/train_cuda_float32_again 0
60 s: train_run cuda_cp4_threads 50 --device cuda --cp 4
20 s: compare_losses O/train_cuda_float32 O/train_cuda_cp4_threads 1e-4
TEXT
row bench_depthwise_conv1d_torch skipped "no torch"
row bench_train_step_bfloat16 passed "crocuta 1.5 ms"
row bench_fft_piece_48_mib passed "bench_train_step 48 1.5 ms"
row same_bits_twice passed "largest relative difference 0"

verify 0 --part all
barriers=$(echo B/tests/test_{depthwise_conv1d_cuda,cuda_embedding,cuda_reduce,cuda_rows})
runs <<TEXT
120 s: cmake CONFIGURE
300 s: cmake --build B --parallel 16 -- -k 0
270 s: test_suite 270
90 s: find_kernel_filter
$(printf '150 s: sanitize_one racecheck %s\n' $barriers)
$(printf '150 s: sanitize_one synccheck %s\n' $barriers)
$(printf '150 s: sanitize_one initcheck %s\n' $barriers)
TEXT
row suite passed "1 passed, 0 failed, 0 skipped"

touch "$world/mode/blind"
verify 1 --part all --steps sanitize
row kernel_filter "failed \(1\)" "does not notice"
rm "$world/mode/blind"

# --- what may go wrong ---

# A file that does not compile, a test that fails, one that hangs; no NCCL, no sanitizer.
rm "$world/mode/nccl"
mv "$world/bin/compute-sanitizer" "$world/away"
echo "broken=test_cuda_gemm" >"$world/mode/cmake"
echo "status=3" >"$world/mode/test_cuda_copy"
echo "status=77" >"$world/mode/test_device"
echo "seconds=1000" >"$world/mode/bench_cuda_limits"
verify 1 --part works
row build "failed \(1\)" "build stopped"
row test_cuda_gemm "failed \(not built\)" "there is no"
row test_cuda_copy "failed \(3\)" "test_cuda_copy"
row test_device skipped
row test_nccl "not run" "not in this configuration"
row test_cuda_rows passed
row bench_limits "timed out \(limit of 60 s\)"
row bench_depthwise_conv1d passed
row all "not run" "no compute-sanitizer"
says report.md " 4 failed or not reached."
says report.md "## The end of test_cuda_copy.log"
mv "$world/away" "$world/bin/compute-sanitizer"
rm "$world/mode"/*

# The deadline comes in the middle; then before anything could begin.
echo "seconds=200" >"$world/mode/cmake"
echo "seconds=1000" >"$world/mode/bench_cuda_limits"
verify 1 --part works --deadline 260
row build passed
row bench_limits "timed out \(deadline of [1-4][0-9] s\)"
row bench_depthwise_conv1d "not reached" "the deadline of 260 s"
row memcheck_test_cuda_rows "not reached"
rm "$world/mode"/*
verify 1 --part speed --deadline 5
row configure "not reached"
row cp1_cp4 "not reached"

# A signal ends what runs, and the report says how far it came. By the real timeout.
ln -sf "$(command -v timeout)" "$world/bin/timeout"
for name in TERM HUP; do
  echo "signal=$name" >"$world/mode/bench_cuda_limits"
  verify $((128 + $(kill -l $name))) --part works --steps build,bench
  row bench_limits "stopped \(SIG$name\)"
  row bench_depthwise_conv1d "not reached" "stopped by SIG$name"
  says report.md "Stopped by SIG$name."
done

# What it refuses, and where it cannot work.
refused() {
  local status=0 output
  output=$(PATH="$world/bin" WORLD="$world" bash "$source/tools/gpu/verify.sh" "${@:3}" 2>&1) ||
    status=$?
  [[ $status == "$1" && $output == "verify.sh: $2"* && $output != *$'\n'* ]] ||
    complain "${*:3}: expected exit status $1 and '$2', got $status and '$output'"
}
refused 2 "unknown part 'fast'" --part fast
refused 2 "part works has no step 'train'" --part works --steps build,train
refused 2 "no step 'x'" --steps x
refused 2 "expected a number of seconds, got '9m'" --deadline 9m
refused 2 "--out needs a value" --out
refused 2 "unknown option '--all'" --all
rm "$world/bin/nvidia-smi"
[[ -e /dev/nvidiactl ]] || refused 1 "no NVIDIA GPU on this machine" --part works
