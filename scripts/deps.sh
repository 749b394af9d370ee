#!/usr/bin/env bash
# Installs what is missing to build Crocuta, on Debian 12 and Ubuntu 22.04 or later.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/deps.sh [--mpi] [--tests] [--emulation] [--coverage] [--clang]
                       [--fuzz] [--plots] [--ci]

Installs the packages that are missing, and says nothing when there are none.
Needs root, or sudo that does not ask for a password; otherwise prints the line
to run and exits with 1.

  (no option)  to build and train: compiler, CMake, Ninja, three C++ libraries
  --mpi        also Open MPI, for ranks that mpirun starts
  --tests      also Catch2, Python 3, and Open MPI
  --emulation  also Boost.Context, on which threads of emulated CUDA kernels run
  --coverage   also gcovr, for scripts/coverage.sh
  --clang      also Clang
  --fuzz       also Clang with its runtime libraries, for scripts/fuzz.sh
  --plots      also matplotlib, for tools/plot_metrics.py
  --ci         also clang-format 14, which formats this code, and ccache
TEXT
}

missing=()
# need <package> command <name>: the package is needed unless there is such a command.
# need <package> library <package>...: the package is needed unless it or one of these is installed.
need() {
  local package=$1 kind=$2 candidate
  shift 2
  if [[ $kind == command ]]; then
    command -v "$1" >/dev/null && return
  else
    for candidate in "$package" "$@"; do
      [[ $(dpkg-query -W -f='${db:Status-Status}' "$candidate" 2>/dev/null) == installed ]] && return
    done
  fi
  missing+=("$package")
}

need_mpi() {
  need libopenmpi-dev library libmpich-dev
  need openmpi-bin command mpirun
}

need g++ command c++
need cmake command cmake
need ninja-build command ninja
need nlohmann-json3-dev library
need libspdlog-dev library
need libcli11-dev library
for option in "$@"; do
  case $option in
    --mpi) need_mpi ;;
    --tests)
      need_mpi
      need catch2 library
      need python3 command python3
      ;;
    --emulation) need libboost-context-dev library ;;
    --coverage) need gcovr command gcovr ;;
    --clang) need clang command clang++ ;;
    --fuzz)
      need clang command clang++
      need libclang-rt-dev library
      ;;
    --plots) need python3-matplotlib library ;;
    --ci)
      need clang-format-14 command clang-format-14
      need ccache command ccache
      ;;
    --help | -h) usage && exit 0 ;;
    *) echo "deps.sh: unknown option '$option' (see --help)" >&2 && exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "deps.sh: this is neither Debian nor Ubuntu; docs/dependencies.md lists what to install" >&2
  exit 0
fi

if ((${#missing[@]})); then
  as_root=()
  if ((EUID != 0)); then
    if ! sudo -n true 2>/dev/null; then
      sudo="" as=" as root"  # there may be no sudo to recommend
      if command -v sudo >/dev/null; then sudo="sudo " as=""; fi
      echo "deps.sh: some packages are missing, and installing them needs root. Please run$as" >&2
      echo "  ${sudo}apt-get update &&" \
        "${sudo}apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  echo "deps.sh: installing ${missing[*]}"
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { "${install[@]}" update && "${install[@]}" install -y --no-install-recommends \
      "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "deps.sh: the installation failed" >&2
    exit 1
  fi
fi

version=$(cmake --version | sed -n 's/^cmake version //p')
if [[ $(printf '%s\n' 3.25 "$version" | sort -V | head -n 1) != 3.25 ]]; then
  cat >&2 <<TEXT
deps.sh: CMake 3.25 or later is needed, and $(command -v cmake) is $version. A newer one:
  python3 -m pip install cmake      (in a virtual environment, or with --user), or
  https://apt.kitware.com           (packages for Ubuntu), or
  https://cmake.org/download        (a binary archive; put its bin/ on PATH)
TEXT
  exit 1
fi
