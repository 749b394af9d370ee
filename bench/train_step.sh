#!/usr/bin/env bash
# Times a training step here and in PyTorch, alternately, and prints the ratio of the medians.
#
#   bench/train_step.sh BUILD_DIR [d_model n_layers length batch vocabulary steps]
#
# ROUNDS (7) rounds of `steps` steps each; THREADS (2) threads for both. PyTorch is made fair:
# memory is kept between steps instead of being given back to the system, and its BLAS is OpenBLAS
# where Debian's is installed. PYTHON (/usr/bin/python3) must have torch.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${1:?usage: bench/train_step.sh BUILD_DIR [sizes]}
shift
rounds=${ROUNDS:-7}
python=${PYTHON:-/usr/bin/python3}
export OMP_NUM_THREADS=${THREADS:-2}

openblas=$(ls -d /usr/lib/*/openblas-openmp 2>/dev/null | head -n 1 || true)
torch() {
  env MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 \
    LD_LIBRARY_PATH="${openblas}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
    "$python" "$root/bench/train_step_torch.py" "$@"
}

"$python" -c 'import torch; print("PyTorch", torch.__version__)'
echo "BLAS of PyTorch: ${openblas:-the default}; $OMP_NUM_THREADS threads; $(nproc) cores;" \
  "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
for ((round = 1; round <= rounds; ++round)); do
  ours=$("$build/bin/bench_train_step" "$@")
  theirs=$(torch "$@")
  echo "round $round: crocuta $ours; torch $theirs" >&2  # seen as it comes
  echo "$ours $theirs"
done | "$python" -c '
import re, statistics, sys
rows = [[float(t) for t in re.findall(r"([\d.e+]+) ms", line)] for line in sys.stdin]
ours, theirs = (statistics.median(r[i] for r in rows) for i in (0, 1))
pairs = sorted(r[1] / r[0] for r in rows)
print(f"crocuta {ours:.1f} ms, torch {theirs:.1f} ms: {theirs / ours:.2f} times as fast "
      f"(rounds {pairs[0]:.2f} to {pairs[-1]:.2f})")'
