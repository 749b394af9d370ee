#!/usr/bin/env bash
# usage: scripts/portability.sh [--list | row ...]
#
# The README's two commands on bare systems: each row of the table is a clean
# clone of this commit in a new copy of its system, in a folder with blanks and
# umlauts in its name. Prints how many tests passed, failed and were skipped, and
# the seconds that each command took; logs stay in build/portability, as do the
# systems, which are downloaded once. All rows take hours; --list names them.
# Needs root, debootstrap, and ubuntu-keyring for Ubuntu. Settings from the
# environment:
#   DEBIAN_MIRROR, UBUNTU_MIRROR   where packages come from
#   UBUNTU_KEYRING                 whose signatures count without ubuntu-keyring
#   http_proxy, ...                handed on, as is apt's own proxy
#   CMAKE_CXX_COMPILER_LAUNCHER=ccache with CCACHE_DIR=<folder>
#                                  share objects between rows
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/common.sh
help_if_asked "$@"
: "${DEBIAN_MIRROR:=http://deb.debian.org/debian}"
: "${UBUNTU_MIRROR:=http://archive.ubuntu.com/ubuntu}"
: "${UBUNTU_KEYRING:=/usr/share/keyrings/ubuntu-archive-keyring.gpg}"

# Name, system, who (user: root installs the packages, an ordinary user does all else), what is in
# the environment, arguments of scripts/test.sh. Rows without arguments run scripts/train.sh, too.
rows="
debian12              bookworm  user  -
debian12-root         bookworm  root  -
debian12-v2           bookworm  user  -                     cpu -DCROCUTA_MARCH=x86-64-v2
debian12-v3           bookworm  user  -                     cpu -DCROCUTA_MARCH=x86-64-v3
debian12-1-thread     bookworm  user  CROCUTA_NUM_THREADS=1 cpu -DCROCUTA_MARCH=x86-64-v3
debian12-3-threads    bookworm  user  CROCUTA_NUM_THREADS=3 cpu -DCROCUTA_MARCH=x86-64-v3
debian12-without-mpi  bookworm  user  -                     cpu -DCROCUTA_MPI=OFF
debian12-clang        bookworm  user  -                     clang
debian13              trixie    user  -
debian13-root         trixie    root  -
debian13-clang        trixie    user  -                     clang
ubuntu24.04           noble     user  -
ubuntu24.04-root      noble     root  -
ubuntu24.04-clang     noble     user  -                     clang
"
base=$PWD/build/portability
mkdir -p "$base"

row_of() { grep -E "^$1 " <<<"$rows" || refuse "unknown row '$1' (see --list)"; }

# A bare system in $base/<suite>, downloaded unless it is there.
make_system() {
  local suite=$1 root=$base/$1 mirror=$DEBIAN_MIRROR options=() script=()
  [[ -e $root/.complete ]] && return
  if [[ $suite == noble ]]; then
    mirror=$UBUNTU_MIRROR
    options=(--components=main,universe "--keyring=$UBUNTU_KEYRING")
    script=(gutsy)  # that of all releases since; an older debootstrap does not know the name
  fi
  rm -rf "$root"
  debootstrap --variant=minbase "${options[@]}" "$suite" "$root" "$mirror" "${script[@]}" || return
  apt-config dump | grep -E '^Acquire::https?::Proxy' >"$root/etc/apt/apt.conf.d/90proxy"
  chroot "$root" useradd --create-home hyena || return
  touch "$root/.complete"
}

# inside <user> <command>: in this row's copy, with mounts that end with the command.
inside() {
  local root=$base/row user=$1 home=/home/hyena
  [[ $user == user ]] && user=hyena || home=/root
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # Every row's user writes there.
  [[ -z ${CCACHE_DIR-} ]] || install -d -m 777 "$CCACHE_DIR" "$root$CCACHE_DIR"
  unshare --mount --pid --fork --kill-child bash -c '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    mount --rbind /sys "$0/sys"
    [[ -z ${CCACHE_DIR-} ]] || mount --bind "$CCACHE_DIR" "$0$CCACHE_DIR"
    exec chroot --userspec="$1:$1" "$0" env HOME="$2" USER="$1" LC_ALL=C.UTF-8 CCACHE_UMASK=0 bash -c "$3"
  ' "$root" "$user" "$home" "$2" </dev/null
}

run_row() {
  local name=$1 suite=$2 who=$3 environment=$4 arguments=${*:5} folder tree packages=(--tests)
  local start train=- test log=$base/$1.log counts
  [[ $environment == - ]] && environment=""
  make_system "$suite" >>"$base/$suite.log" 2>&1 || refuse "no $suite: see $base/$suite.log"
  [[ $who == root ]] && folder=/root || folder=/home/hyena
  tree="$folder/Jürgens schöne Hyäne"
  rm -rf "$base/row"
  cp -a --reflink=auto "$base/$suite" "$base/row"
  git clone --quiet --no-hardlinks . "$base/row$tree"
  [[ $who == root ]] || inside root "chown -R hyena:hyena '$tree'"
  : >"$log"
  if [[ $who == user ]]; then  # who cannot install packages
    [[ $arguments != clang ]] || packages+=(--clang)
    inside root "cd '$tree' && scripts/deps.sh ${packages[*]}" >>"$log" 2>&1
  fi
  if [[ ${CMAKE_CXX_COMPILER_LAUNCHER-} == ccache ]]; then
    inside root "apt-get update -qq && apt-get install -qqy ccache" >>"$log" 2>&1
  fi
  local run="cd '$tree' && env $environment"
  if [[ -z $arguments ]]; then
    start=$SECONDS
    if inside "$who" "$run scripts/train.sh" >>"$log" 2>&1; then
      train="$((SECONDS - start)) s"
    else
      train=failed
    fi
  fi
  start=$SECONDS
  inside "$who" "$run scripts/test.sh $arguments" >>"$log" 2>&1 || true
  test=$((SECONDS - start))
  counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1) ||
    counts="did not run"
  # More ranks than cores.
  if [[ -z $arguments ]] && ! inside "$who" "$run scripts/mpirun.sh -n \$((\$(nproc) * 2)) \
      build/cpu/bin/train_hyena --steps 20 --out runs/ranks" >>"$log" 2>&1; then
    counts+=", mpirun failed"
  fi
  printf '| %-20s | %-4s | %-8s | %-37s | %5d s |\n' "$name" "$who" "$train" "$counts" "$test"
  [[ $counts == *" 0 failed, "* && $counts != *mpirun* && $train != failed ]]
}

# As a function, which is read whole: rows take so long that this file may change meanwhile.
main() {
  if [[ ${1-} == --list ]]; then
    printf '%s' "${rows#?}"
    exit
  fi
  ((EUID == 0)) || refuse "making systems and entering them needs root"
  command -v debootstrap >/dev/null || refuse "needs debootstrap (apt-get install debootstrap)"
  (($#)) || mapfile -t < <(grep -oE '^[a-z][^ ]*' <<<"$rows")
  (($#)) || set -- "${MAPFILE[@]}"
  local name row failed=0
  for name in "$@"; do row_of "$name" >/dev/null; done

  echo "Commit $(git rev-parse --short HEAD), $(nproc) cores," \
    "$(sed -n '/^model name/{s/.*: //p;q}' /proc/cpuinfo)"
  echo "| row | who | train.sh | tests | test.sh |"
  echo "| --- | --- | --- | --- | --- |"
  for name in "$@"; do
    read -ra row <<<"$(row_of "$name")"
    run_row "${row[@]}" || failed=1
  done
  exit "$failed"
}
main "$@"
