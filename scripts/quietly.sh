# Sourced by the other scripts.

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
