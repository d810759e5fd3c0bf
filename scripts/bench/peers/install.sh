#!/bin/bash
# install.sh: installs the managers that `make bench-peers` runs beside sm, from Debian. Needs root; says what is missing
# without it. They are neither started now nor at the next boot: the measurements run them in machines of their own.
set -u
missing=()
# command:package
for entry in corosync:corosync pacemakerd:pacemaker crm_mon:pacemaker-cli-utils keepalived:keepalived; do
  PATH=$PATH:/usr/sbin:/sbin command -v "${entry%%:*}" >/dev/null 2>&1 || missing+=("${entry##*:}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
advice="bench-peers: not installed here: apt-get install --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "$advice" >&2
  exit 1
fi

# Debian starts what it installs, except where this file forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -o DPkg::Lock::Timeout=300 -qq)
install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
echo "bench-peers: installing ${missing[*]}" >&2
# A fresh machine has no package lists yet.
"${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update && "${install[@]}"; } >/dev/null 2>&1 || {
  echo "$advice" >&2
  exit 1
}
if command -v systemctl >/dev/null 2>&1; then
  for service in corosync pacemaker keepalived; do
    case " ${missing[*]} " in *" $service "*) systemctl disable "$service" >/dev/null 2>&1 ;; esac
  done
fi
exit 0
