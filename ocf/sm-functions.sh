# Functions of all agents of this directory; sourced, never run. Nothing here needs the resource-agents package.
#
# No parameter is ever evaluated: where one holds several words, it is split at blanks with `set -f`, and that is all.

OCF_SUCCESS=0 OCF_ERR_GENERIC=1 OCF_ERR_ARGS=2 OCF_ERR_UNIMPLEMENTED=3 OCF_ERR_PERM=4
OCF_ERR_INSTALLED=5 OCF_ERR_CONFIGURED=6 OCF_NOT_RUNNING=7 OCF_RUNNING_PROMOTED=8

say() {
  echo "${OCF_RESOURCE_INSTANCE:-$agent}: $*" >&2
}

# say_failure TEXT COMMAND...: runs the command; when it fails, says TEXT and the end of what the command printed.
say_failure() {
  text=$1
  shift
  output=$("$@" 2>&1) && return
  failure=$?
  say "$text: $(printf %s "$output" | tail -n 3 | tail -c 400)"
  return $failure
}

is_true() {
  case $1 in 1 | yes | true | on | y | YES | TRUE | ON | True | Yes) return 0 ;; *) return 1 ;; esac
}

is_number() {
  case $1 in '' | *[!0-9]* | ??????????*) return 1 ;; esac
}

# True when a monitor shall look at least as deep as $1.
is_deep() {
  [ "${OCF_CHECK_LEVEL:-0}" -ge "$1" ] 2>/dev/null
}

# Milliseconds that an action may take. By default 20 s; never less than one.
action_timeout_ms() {
  timeout_ms=${OCF_RESKEY_CRM_meta_timeout:-20000}
  case $timeout_ms in '' | *[!0-9]*) timeout_ms=20000 ;; esac
  [ "$timeout_ms" -ge 1000 ] || timeout_ms=1000
}

# Hundredths of a second since boot, in $now. The 1 in front keeps leading zeros from meaning an octal number.
read_clock() {
  read -r uptime _ </proc/uptime
  now=1${uptime%.*}${uptime#*.}
}

# Waits, $1 ms at most, until the command in $2... succeeds. It looks often at first, for most things are done at once.
wait_until() {
  read_clock
  end=$((now + $1 / 10))
  shift
  pauses='0.001 0.002 0.002 0.005'
  while ! "$@"; do
    read_clock
    [ "$now" -lt "$end" ] || return 1
    sleep "${pauses%% *}"
    case $pauses in *' '*) pauses=${pauses#* } ;; *) pauses=0.01 ;; esac
  done
}

# run_check COMMAND...: runs the parameter `check` behind the words that are given.
run_check() {
  [ -n "$OCF_RESKEY_check" ] || return $OCF_SUCCESS
  set -f
  # shellcheck disable=SC2086
  set -- "$@" $OCF_RESKEY_check
  set +f
  "$@" >/dev/null || { say "the check '$OCF_RESKEY_check' failed with $?"; return $OCF_ERR_GENERIC; }
}

# write_pid PID FILE: renamed into place, so that nobody ever reads half a number.
write_pid() {
  echo "$1" >"$2.new" && mv -f "$2.new" "$2"
}
