#!/usr/bin/env bash
# Times a training step here and in PyTorch, alternately, and prints the ratio of the medians.
#
#   bench/train_step.sh BUILD_DIR [--device cuda] [--dtype bfloat16] [--compile]
#                       [d_model n_layers length batch vocabulary steps]
#
# --compile has PyTorch compile its model. In bfloat16 our model's parameters are bfloat16 with
# float32 copies in the optimizer; PyTorch's are float32, under autocast.
#
# ROUNDS (7) rounds of `steps` steps each; THREADS (2) threads for both. PyTorch is made fair: memory
# is kept between steps instead of being given back to the system, and its BLAS is OpenBLAS where
# Debian's is installed. PYTHON (/usr/bin/python3) is to have torch; without, ours is timed alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/common.sh"
help_if_asked "$@"
build=${1:?usage: bench/train_step.sh BUILD_DIR [option ...] [size ...]}
shift
rounds=${ROUNDS:-7}
python=${PYTHON:-/usr/bin/python3}
export OMP_NUM_THREADS=${THREADS:-2}

openblas=$(ls -d /usr/lib/*/openblas-openmp 2>/dev/null | head -n 1 || true)
libraries=${openblas:+$openblas:}${LD_LIBRARY_PATH:-}
torch() {
  env MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 \
    ${libraries:+"LD_LIBRARY_PATH=${libraries%:}"} \
    "$python" "$root/bench/train_step_torch.py" "$@"
}

sizes=()
for argument in "$@"; do
  [[ $argument == --compile ]] || sizes+=("$argument")
done
compare=1
torch --check "$@" || compare=0  # which says what is there, or what is missing
echo "BLAS of PyTorch: ${openblas:-the default}; $OMP_NUM_THREADS threads; $(nproc) cores;" \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
for ((round = 1; round <= rounds; ++round)); do
  ours=$("$build/bin/bench_train_step" "${sizes[@]}")
  theirs=
  if ((compare)); then theirs="torch $(torch "$@")"; fi
  echo "round $round: crocuta $ours; ${theirs:-torch left out}" >&2  # seen as it comes
  echo "$ours $theirs"
done | python3 -c '
import re, statistics, sys
lines = sys.stdin.readlines()
rows = [[float(t) for t in re.findall(r"([\d.e+]+) ms", line)] for line in lines]
if not rows:
    sys.exit(1)
ours, *theirs = (statistics.median(column) for column in zip(*rows))
if theirs:
    pairs = sorted(r[1] / r[0] for r in rows)
    print(f"crocuta {ours:.1f} ms, torch {theirs[0]:.1f} ms: {theirs[0] / ours:.2f} times as fast "
          f"(rounds {pairs[0]:.2f} to {pairs[-1]:.2f})")
else:
    note = " (EMULATED: the time means nothing)" if "EMULATED" in lines[0] else ""
    print(f"crocuta {ours:.1f} ms, with nothing to compare with{note}")'
