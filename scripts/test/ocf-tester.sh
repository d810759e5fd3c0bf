#!/bin/sh
# ocf-tester.sh: runs ocf-tester on every OCF agent of this repository, each around a real process.
# Needs the packages resource-agents (ocf-tester) and libxml2-utils (xmllint). Exit 0 = all passed, 77 = not installed.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
for tool in ocf-tester xmllint; do
  PATH=$PATH:/usr/sbin command -v $tool >/dev/null && continue
  echo "ocf-tester.sh: $tool is missing: apt-get install resource-agents libxml2-utils" >&2
  exit 77
done
PATH=$PATH:/usr/sbin
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
result=0

# check AGENT NAME=VALUE...
check() {
  agent=$1
  shift
  for parameter in "$@"; do
    set -- "$@" -o "$parameter"
    shift
  done
  ocf-tester -n "test-$agent" "$@" "$root/ocf/$agent" || result=1
}

stamp=$root/scripts/demo/sm-stamp
check process "command=$stamp" "args=--foreground --seconds 60 --file $work/process.stamps" "pidfile=$work/process.pid"
check process "command=$stamp" "args=--seconds 60 --file $work/daemon.stamps --pid-file $work/daemon.pid" \
  "pidfile=$work/daemon.pid" daemon=1
check promotable "command=$stamp" pidfile="$work/promotable.pid" rolefile="$work/role" \
  "args=--foreground --seconds 60 --file $work/promotable.stamps --role-file %r"
exit $result
