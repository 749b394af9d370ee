# Sourced by verify.sh: runs commands under time limits, notes what came of each, and writes the
# report and the archive, whatever happened.
#
# A command's output goes to OUT/<name>.log and its outcome to a line of OUT/<step>.tsv: name,
# result, seconds, last line of output. What there is no time left for, or what a signal prevents, is
# noted as "not reached". OUT/commands.log has the commands in their order, with their limits.

reserve=10             # seconds before the deadline at which commands end, for the report
declare -A running=()  # process id of a command's timeout -> step, name, start, limit, what limits
signal=''              # the one that stopped this run

now() { date +%s; }
say() { printf '%s\n' "$@" || true; }  # whoever listened may have left
wants() { [[ ,$steps, == *,$1,* ]]; }

# begin STEP: forgets what an earlier run noted of it.
begin() {
  say '' "== $1 (after $(($(now) - started)) s)"
  rm -f "$out/$1.tsv"
}

# note STEP NAME RESULT SECONDS TEXT
note() {
  local text=${5//[$'\t|']/ }
  printf '%s\t%s\t%s\t%s\n' "$2" "$3" "$4" "${text:0:160}" >>"$out/$1.tsv"
  say "$2: $3${4:+, $4 s}; ${text:0:160}"
}

# Seconds that a command may still take; there is no end without a deadline.
seconds_left() { echo $((deadline ? started + deadline - reserve - $(now) : 1000000)); }

# launch STEP NAME LIMIT COMMAND...: starts a command, which may be an exported function, in a
# process group of its own that ends after LIMIT seconds at the latest.
launch() {
  local step=$1 name=$2 limit=$3 why=limit left
  shift 3
  rm -f "$out/$name.log"
  left=$(seconds_left)
  if [[ $signal ]]; then
    note "$step" "$name" "not reached" '' "stopped by SIG$signal"
  elif ((left < 1)); then
    note "$step" "$name" "not reached" '' "the deadline of $deadline s"
  elif [[ $1 == */* && ! -x $1 ]]; then
    note "$step" "$name" "failed (not built)" '' "there is no $1"
  else
    ((left >= limit)) || { limit=$left && why=deadline; }
    printf '%s s: %s\n' "$limit" "$*" >>"$out/commands.log"
    # Commands in the background would ignore SIGINT, which some tests send themselves.
    timeout --kill-after=5 "$limit" env --default-signal=INT,QUIT \
      bash -euo pipefail -c '"$@"' - "$@" >"$out/$name.log" 2>&1 </dev/null &
    running[$!]="$step $name $(now) $limit $why"
  fi
}

# Waits until a command has ended, and notes the outcome of all that have.
reap() {
  local pid status
  wait -n "${!running[@]}" || true  # which a signal cuts short
  for pid in "${!running[@]}"; do
    kill -0 "$pid" 2>/dev/null && continue
    status=0
    wait "$pid" || status=$?
    note_end "$status" ${running[$pid]}
    unset "running[$pid]"
  done
}
note_end() {
  local status=$1 step=$2 name=$3 took=$(($(now) - $4)) limit=$5 why=$6 result
  if ((status == 0)); then
    result=passed
  elif ((status == 77)); then
    result=skipped
  elif [[ $signal ]]; then
    result="stopped (SIG$signal)"
  elif ((status == 124 || (status == 137 && took >= limit))); then
    result="timed out ($why of $limit s)"
  else
    result="failed ($status)"
  fi
  note "$step" "$name" "$result" "$took" "$(tail -n 1 "$out/$name.log")"
}

# at_most N: waits until fewer than N commands run. drain: until none does.
at_most() { while ((${#running[@]} >= $1)); do reap; done; }
drain() { at_most 1; }

# record STEP NAME LIMIT COMMAND...: launches a command and waits for it.
record() { launch "$@" && drain; }

# On a signal what runs is ended and what would follow is not begun; the report comes all the same.
stop() {
  signal=$1
  say "verify.sh: stopped by SIG$signal"
  ((${#running[@]} == 0)) || kill "${!running[@]}" 2>/dev/null || true
}

# What neither passed nor was left out for want of something: lines of the tables.
troubles() {
  grep -hE $'^[^\t]+\t(failed|timed out|stopped|not reached)' "$out"/*.tsv 2>/dev/null
}

# ask_gpu FIELD[,FIELD ...]: of the first GPU.
ask_gpu() {
  timeout 20 nvidia-smi "--query-gpu=$1" --format=csv,noheader 2>/dev/null | sed -n 1p
}

# The tables of everything noted so far, whichever steps ran in this call; the ends of the logs of
# what failed; the figures.
report() {
  local step name log nvcc
  nvcc=$(nvcc --version 2>/dev/null | sed -n 's/.*release \(.*\),.*/\1/p')
  echo "# ${gpu%,*}, $(date --utc +%Y-%m-%d), commit $commit, part ${part:-everything}"
  echo
  echo "Driver ${gpu#*, }; nvcc $nvcc;" "$(c++ --version | head -n 1); $(uname -sr); $jobs cores."
  [[ $backend == emulated ]] && printf '\nThe GPU was emulated: times mean nothing.\n'
  printf '\nTook %d s; deadline: %s.%s %d failed or not reached.\n' $(($(now) - started)) \
    "${deadline/#0/none}" "${signal:+ Stopped by SIG$signal.}" "$(troubles | wc -l)"
  for step in build test bench sanitize train; do
    [[ -s $out/$step.tsv ]] || continue
    printf '\n## %s\n\n| what | result | seconds | last line |\n| --- | --- | --- | --- |\n' "$step"
    sed 's/\t/ | /g; s/^/| /; s/$/ |/' "$out/$step.tsv"
  done
  troubles | cut -f 1 | while read -r name; do
    [[ -s $out/$name.log ]] || continue
    printf '\n## The end of %s.log\n\n```\n%s\n```\n' "$name" "$(tail -n 25 "$out/$name.log")"
  done
  for log in "$out"/bench_*.log; do
    [[ -s $log ]] && printf '\n## %s\n\n```\n%s\n```\n' "$(basename "$log" .log)" "$(<"$log")"
  done
  return 0
}

# One file to bring home: everything but the weights that training saved.
pack() {
  local new=$out.tar.gz.new
  tar -C "$(dirname "$out")" --exclude='*.safetensors' -czf "$new" "$(basename "$out")" &&
    mv "$new" "$out.tar.gz"
}

# The end of verify.sh, however it came about.
finish() {
  local status=$? failed
  trap '' INT TERM HUP PIPE
  set +e
  [[ $watch ]] && kill "$watch" 2>/dev/null
  report >"$out/report.md"
  pack || status=1
  failed=$(troubles | wc -l)
  ((status == 0 && failed > 0)) && status=1
  [[ $signal ]] && status=$((128 + $(kill -l "$signal")))
  say '' "$failed failed or not reached; report in $out/report.md, all of it in $out.tar.gz"
  exit "$status"
}
