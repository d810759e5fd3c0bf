#!/bin/sh
# ocf-tester.sh: runs ocf-tester on every OCF agent of this repository: a line for each, and what it said where one fails.
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

# check AGENT NAME=VALUE...: the first one tells it from other checks of the same agent
check() {
  agent=$1 first=${2##*/}
  shift
  for parameter in "$@"; do
    set -- "$@" -o "$parameter"
    shift
  done
  if said=$(ocf-tester -n "test-$agent" "$@" "$root/ocf/$agent" 2>&1); then
    echo "ocf-tester $agent ($first): passed"
  else
    printf '%s\nocf-tester %s: FAILED\n' "$said" "$agent ($first)"
    result=1
  fi
}

if [ "${1:-}" = inside ]; then
  ip link add left type veth peer name right && ip link set left up && ip link set right up || exit 1
  ip addr add 192.0.2.1/24 dev left && ip addr add 2001:db8::1/64 dev left nodad || exit 1
  check floating-address ip=192.0.2.10
  check floating-address ip=2001:db8::10 nic=left
  # On a mount of its own, so that even a failing agent leaves nothing behind.
  mount -t tmpfs sm-test "$work" || exit 1
  check filesystem device=tmpfs fstype=tmpfs directory="$work/mounted"
  umount --recursive --lazy "$work"
  exit $result
fi

stamp=$root/scripts/demo/sm-stamp
check process "command=$stamp" "args=--foreground --seconds 60 --file $work/process.stamps" "pidfile=$work/process.pid"
check process daemon=1 "command=$stamp" "args=--seconds 60 --file $work/daemon.stamps --pid-file $work/daemon.pid" \
  "pidfile=$work/daemon.pid"
check promotable "command=$stamp" pidfile="$work/promotable.pid" rolefile="$work/role" \
  "args=--foreground --seconds 60 --file $work/promotable.stamps --role-file %r"

# The tools of these two are played by scripts that keep a state.
mkdir "$work/systemd" "$work/podman"
PATH=$root/test/integration/agents/fakes:$PATH
export FAKE_STATE="$work/systemd"
check systemd-unit unit=nginx pidfile="$work/systemd/pid"
export FAKE_STATE="$work/podman"
check container image=nginx:1 name=web pidfile="$work/podman/pid"

# These two change the state of the kernel: in namespaces of their own.
if [ "$(id -u)" -eq 0 ]; then
  unshare --net --mount "$0" inside || result=1
else
  echo 'ocf-tester.sh: left out, for it needs root: filesystem, floating-address' >&2
fi
exit $result
