#!/usr/bin/env bash
# usage: tools/gpu/cuda12.sh
#
# Compiles the host code that calls CUDA, cuBLAS and cuFFT against the headers of CUDA 12.0, the oldest
# that Crocuta promises to build with, which come from PyPI (0.8 GB with their libraries, kept in
# build/cuda12). Exits with 77 and a reason where they cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/common.sh
help_if_asked "$@"
(($# == 0)) || refuse "unknown option '$1' (see --help)"

headers=build/cuda12
if [[ ! -e $headers/.complete ]]; then
  rm -rf "$headers"
  python3 -m pip install --quiet --no-deps --target "$headers" nvidia-cuda-runtime-cu12==12.0.107 \
    nvidia-cuda-nvcc-cu12==12.0.76 nvidia-cublas-cu12==12.0.1.189 nvidia-cufft-cu12==11.0.0.21 || {
    echo "skipped: the headers of CUDA 12.0 could not be installed by pip"
    exit 77
  }
  touch "$headers/.complete"
fi
include=(-I .)
for folder in "$headers"/nvidia/*/include; do include+=(-isystem "$folder"); done
mapfile -t sources < <(git grep -lE '#include ("kernels/cuda/|<cu)' -- 'kernels/cuda/*.cpp' 'framework/*.cpp')
for source in "${sources[@]}"; do
  "${CXX:-g++}" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -DCROCUTA_WITH_CUDA "${include[@]}" "$source"
done
echo "${#sources[@]} files compile with CUDA 12.0: ${sources[*]}"
