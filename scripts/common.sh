# Sourced by the other scripts.

# Prints the comment at the head of this script, from its second line on.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[-1]}"; }

# Prints the help and ends if it is asked for: help_if_asked "$@".
help_if_asked() {
  case ${1-} in
    --help | -h) usage && exit 0 ;;
  esac
}

# Says in one line what is wrong with how the script was called or with where it is, and ends.
refuse() {
  echo "$(basename "${BASH_SOURCE[-1]}"): $*" >&2
  exit 2
}

# require_writable <folder>: refuses a build folder that CMake could not work in: not writable, made
# by another user, or copied here together with its tree.
require_writable() {
  local build=$1 path=$1 cache=$1/CMakeCache.txt home
  while [[ ! -e $path ]]; do path=$(dirname "$path"); done
  for path in "$path" "$cache" "$build/build.ninja" "$build/bin"; do
    [[ ! -e $path || -w $path ]] && continue
    refuse "cannot write to $path, which belongs to $(stat -c %U "$path"): build as that user," \
      "or in a copy of your own (git clone '$PWD' <folder>)"
  done
  [[ -e $cache ]] || return 0
  home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$cache")
  [[ $home -ef $PWD ]] || refuse "$build was made for $home, not for $PWD: remove it first"
}

# Runs a command; shows what it prints on a terminal, elsewhere only if it fails.
quietly() {
  local log status=0
  if [[ -t 1 ]]; then
    "$@"
    return
  fi
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return "$status"
}
