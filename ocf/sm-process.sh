# Functions of the agents `process` and `promotable`; sourced, never run.
#
# A process is known by the pid file that operators and sm read, and beside it, in PIDFILE.start, the start time of that
# process in clock ticks since boot: a number in a pid file that a reboot or a crash left over may be anybody's.

# shellcheck source=sm-functions.sh
. "$here/sm-functions.sh"

# The start time of process $1 in $start_time; false when it is gone or a zombie.
process_start_time() {
  start_time=
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The command's name stands in parentheses and may hold anything: fields count from the last of them.
  set -f
  # shellcheck disable=SC2086
  set -- ${stat##*)}
  set +f
  case $1 in Z | X) return 1 ;; esac
  start_time=${20}
}

# Sets $pid; false unless exactly the process that we have started is running.
process_is_running() {
  pid= recorded=
  { read -r pid <"$pidfile"; } 2>/dev/null
  case $pid in '' | *[!0-9]* | 0* | 1) return 1 ;; esac
  process_start_time "$pid" || return 1
  { read -r recorded <"$pidfile.start"; } 2>/dev/null || return 0
  [ "$recorded" = "$start_time" ]
}

process_forget() {
  rm -f "$pidfile" "$pidfile.start"
}

process_is_gone() {
  ! process_is_running
}

# True when nothing of the process group $pid can act any more. kill -0 would also find zombies. One grep: a loop of
# `read` over all of /proc takes ten times as long.
group_is_gone() {
  ! grep -qsE "^[0-9]+ \(.*\) [^ZX] [0-9]+ $pid " /proc/[0-9]*/stat
}

# True when the command has taken the place of the launching programs, so that a failing exec is told from a start.
process_is_launched() {
  process_is_running || return 0
  { read -r name <"/proc/$pid/comm"; } 2>/dev/null || return 0
  case $name in setsid | setpriv | "$agent") return 1 ;; esac
}

process_is_daemon() {
  process_is_running && [ "$pid" != "$$" ]
}

# Starts "$@" in the background, in a session of its own, as $OCF_RESKEY_user where given.
process_launch() {
  process_forget
  [ -z "$OCF_RESKEY_user" ] ||
    set -- setpriv --reuid "$OCF_RESKEY_user" --regid "$(id -g "$OCF_RESKEY_user")" --init-groups "$@"
  setsid "$@" </dev/null >>"$logfile" 2>&1 &
  pid=$!
}

# process_start COMMAND ARGUMENT...: returns when it really runs, with the reason on stderr when it does not.
process_start() {
  if process_is_running; then return $OCF_SUCCESS; fi
  action_timeout_ms
  process_launch "$@"
  if is_true "$OCF_RESKEY_daemon"; then
    # It goes to the background by itself and writes the pid file.
    wait_until $((timeout_ms - 500)) process_is_daemon || { process_failed "wrote no pid file $pidfile"; return $?; }
  else
    write_pid "$pid" "$pidfile" || return $OCF_ERR_GENERIC
    wait_until $((timeout_ms / 2)) process_is_launched
  fi
  # What fails at once, fails now and not at the next audit.
  sleep "$settle"
  process_is_running || { process_failed 'ended at once'; return $?; }
  echo "$start_time" >"$pidfile.start"
}

process_failed() {
  say "$command $1: $(tail -n 3 "$logfile" 2>/dev/null | tail -c 400)"
  process_forget
  return $OCF_ERR_GENERIC
}

# SIGTERM, and SIGKILL when a fifth of the time-out is left. Never fails while it can kill: a stop that fails is
# answered by killing everything of the service, or the node.
process_stop() {
  if ! process_is_running; then
    process_forget
    return $OCF_SUCCESS
  fi
  action_timeout_ms
  reserve_ms=$((timeout_ms / 10))
  # The whole group: the process leads one of its own, unless it has made itself a daemon in another.
  kill -s TERM -- "-$pid" 2>/dev/null || kill -s TERM "$pid" 2>/dev/null
  if ! wait_until $((timeout_ms - 2 * reserve_ms)) process_is_gone; then
    say "process $pid did not end on SIGTERM: killing it"
  fi
  kill -s KILL "$pid" 2>/dev/null
  # Children of it that are left.
  kill -s KILL -- "-$pid" 2>/dev/null && wait_until 200 group_is_gone
  if ! wait_until "$reserve_ms" process_is_gone; then
    say "process $pid can not be killed"
    return $OCF_ERR_GENERIC
  fi
  process_forget
}

# OCF_CHECK_LEVEL 10 and above also runs the parameter `check`.
process_monitor() {
  process_is_running || return $OCF_NOT_RUNNING
  ! is_deep 10 || run_check
}

process_validate() {
  [ -n "$OCF_RESKEY_command" ] || { say 'the parameter command is missing'; return $OCF_ERR_CONFIGURED; }
  case $pidfile in /*) ;; *) say "pidfile $pidfile is not an absolute path"; return $OCF_ERR_CONFIGURED ;; esac
  if [ -n "$OCF_RESKEY_user" ] && ! id -u "$OCF_RESKEY_user" >/dev/null 2>&1; then
    say "the user $OCF_RESKEY_user does not exist"
    return $OCF_ERR_INSTALLED
  fi
  if ! command -v "$command" >/dev/null 2>&1; then
    say "$command is not there or not executable"
    return $OCF_ERR_INSTALLED
  fi
  mkdir -p "${pidfile%/*}" "${logfile%/*}" 2>/dev/null
  [ -d "${pidfile%/*}" ] || { say "no directory for $pidfile"; return $OCF_ERR_INSTALLED; }
}

# The parameters, with their defaults.
instance=${OCF_RESOURCE_INSTANCE:-default}
: "${OCF_RESKEY_user=}" "${OCF_RESKEY_daemon=0}" "${OCF_RESKEY_check=}" "${OCF_RESKEY_command=}" "${OCF_RESKEY_args=}"
command=$OCF_RESKEY_command
pidfile=${OCF_RESKEY_pidfile:-/var/run/sm-$agent-$instance.pid}
logfile=${OCF_RESKEY_logfile:-/dev/null}
settle=${OCF_RESKEY_settle:-0.02}

# The parameters that both agents have, for their meta-data.
process_parameters() {
  cat <<'END'
    <parameter name="command" required="1" unique="0">
      <longdesc lang="en">Program to run: a path, or a name that is looked up in PATH.</longdesc>
      <shortdesc lang="en">Program</shortdesc>
      <content type="string"/>
    </parameter>
    <parameter name="args" required="0" unique="0">
      <longdesc lang="en">Its arguments, separated by blanks. No shell interprets them: quotes, $ and * are plain characters.</longdesc>
      <shortdesc lang="en">Arguments</shortdesc>
      <content type="string" default=""/>
    </parameter>
    <parameter name="pidfile" required="0" unique="1">
      <longdesc lang="en">Pid file. The agent writes it, unless daemon is set. Default: /var/run/sm-AGENT-INSTANCE.pid</longdesc>
      <shortdesc lang="en">Pid file</shortdesc>
      <content type="string"/>
    </parameter>
    <parameter name="daemon" required="0" unique="0">
      <longdesc lang="en">The program goes to the background by itself and writes the pid file.</longdesc>
      <shortdesc lang="en">Program is a daemon</shortdesc>
      <content type="boolean" default="0"/>
    </parameter>
    <parameter name="user" required="0" unique="0">
      <longdesc lang="en">User to run as, with all groups of that user. Default: the caller.</longdesc>
      <shortdesc lang="en">User</shortdesc>
      <content type="string" default=""/>
    </parameter>
    <parameter name="logfile" required="0" unique="0">
      <longdesc lang="en">File to which output and errors are appended.</longdesc>
      <shortdesc lang="en">Log file</shortdesc>
      <content type="string" default="/dev/null"/>
    </parameter>
    <parameter name="settle" required="0" unique="0">
      <longdesc lang="en">Seconds that the program must live before its start counts; fractions are possible.</longdesc>
      <shortdesc lang="en">Time to settle</shortdesc>
      <content type="string" default="0.02"/>
    </parameter>
    <parameter name="check" required="0" unique="0">
      <longdesc lang="en">Command that a monitor of depth 10 and more runs; a status other than 0 is a failure. No shell interprets it.</longdesc>
      <shortdesc lang="en">Deep check</shortdesc>
      <content type="string" default=""/>
    </parameter>
END
}
