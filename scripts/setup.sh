#!/usr/bin/env bash
# Checks what this machine must have, and says in one clear line each what is missing.
#   setup.sh tools    what the build needs; exit 1 when something is missing
#   setup.sh system   what tests and the demo use besides; root on a Debian-like system gets it installed
set -u
export LC_ALL=C

NODE_VERSION_MIN=20.20

missing=0
need() { # command, what for, package
  command -v "$1" >/dev/null 2>&1 && return
  echo "setup: $1 is missing ($2): apt-get install $3" >&2
  missing=1
}

check_tools() {
  if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    echo "setup: node and npm are missing: install Node.js >= $NODE_VERSION_MIN (https://nodejs.org)" >&2
    missing=1
  else
    local version
    version=$(node -p process.versions.node)
    if [ "$(printf '%s\n%s\n' "$NODE_VERSION_MIN" "$version" | sort -V | head -n 1)" != "$NODE_VERSION_MIN" ]; then
      echo "setup: node is $version, but $NODE_VERSION_MIN or later is needed" >&2
      missing=1
    fi
  fi
  need make 'the SQLite addon is compiled here' make
  need python3 "node-gyp, which compiles the SQLite addon, is written in it" python3
  need cc 'C compiler for the SQLite addon' gcc
  need g++ 'C++ compiler for the SQLite addon' g++
  return $missing
}

# command:package, all of them used by tests, the demo or the lab only.
SYSTEM_COMMANDS=(
  sqlite3:sqlite3 ip:iproute2 perl:perl zsh:zsh ps:procps unshare:util-linux modprobe:kmod mke2fs:e2fsprogs
  ocf-tester:resource-agents xmllint:libxml2-utils nginx:nginx-light nft:nftables bindfs:bindfs
  etcd:etcd-server etcdctl:etcd-client ipmi_sim:openipmi ipmitool:ipmitool fence_ipmilan:fence-agents ping:iputils-ping
)

install_system() {
  local entry packages=()
  for entry in "${SYSTEM_COMMANDS[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${entry%%:*}" >/dev/null 2>&1 || packages+=("${entry##*:}")
  done
  [ ${#packages[@]} -eq 0 ] && return 0
  local advice="setup: some tests need what is missing here: apt-get install ${packages[*]}"
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "$advice" >&2
    return 0
  fi
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -qq)
  "${apt[@]}" install -y "${packages[@]}" >/dev/null 2>&1 && return 0
  # A fresh machine has no package lists yet.
  { "${apt[@]}" update && "${apt[@]}" install -y "${packages[@]}"; } >/dev/null 2>&1 || echo "$advice" >&2
}

case "${1:-}" in
  tools) check_tools ;;
  system) install_system ;;
  *) echo 'usage: setup.sh tools|system' >&2; exit 2 ;;
esac
