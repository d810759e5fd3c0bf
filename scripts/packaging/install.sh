#!/usr/bin/env bash
# install.sh install|uninstall: puts what was built into DESTDIR, or takes exactly that away again.
#
# From the environment:
#   DESTDIR  before every path (for packages)                        PREFIX    /usr by default
#   NODE     the node that runs the programs: the SQLite addon was compiled for exactly its binary interface
#
# What was put there is listed in PREFIX/lib/sm/.installed: a checksum and a path each line. A file in /etc that somebody
# has edited stays as it is, and the new one is put beside it as NAME.new. Nothing is started or stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr}
NODE=${NODE:-$(node -p process.execPath)}
LIB=$PREFIX/lib/sm
DOC=$PREFIX/share/doc/sm-pair
LIST=$DESTDIR$LIB/.installed

[[ $PREFIX == /* && $DESTDIR != *$'\n'* ]] || { echo "install.sh: PREFIX must be absolute, not '$PREFIX'" >&2; exit 2; }

sum() { sha256sum <"$1" | cut -d ' ' -f 1; }
# What the list says of a path; nothing where it is not listed.
listed() { [ ! -e "$LIST" ] || awk -v path="$1" '$2 == path { print $1 }' "$LIST"; }
# True for a file in /etc that is not as it was put there.
edited() { [[ $1 == /etc/* && -e $DESTDIR$1 && $(sum "$DESTDIR$1") != "$(listed "$1")" ]]; }

# The whole tree, as it will be.
stage() {
  local stage=$1 program file
  local libdir=$stage$LIB
  mkdir -p "$libdir"/{scripts,demo} "$stage$DOC" "$stage$PREFIX"/{sbin,bin} "$stage"/etc/{sm,init.d,logrotate.d}
  # Anew: in dist there may be what is no longer in src.
  node_modules/.bin/tsc -p tsconfig.build.json --outDir "$libdir/dist" --sourceMap false
  # The lab is for working on sm.
  rm -rf "$libdir/dist/lab"
  cp -R db package.json "$libdir"
  cp scripts/sm-launch "$libdir/scripts"
  cp scripts/demo/sm-stamp lsb/sm-worker "$libdir/demo"
  node --import tsx scripts/packaging/modules.ts "$libdir/node_modules"
  for file in "$libdir"/dist/bin/*.js; do
    # Not whatever node is first in the path of the caller; what its programs give it stays.
    sed -Ei "1s|^#!/usr/bin/env (-S )?node|#!$NODE|" "$file"
    chmod 755 "$file"
  done
  # As package.json names them; some programs have many names.
  sed -n 's|^ *"\([a-z-]*\)": "\(dist/bin/[a-z-]*\.js\)".*|\1 \2|p' package.json | while read -r program file; do
    ln -s "../lib/sm/$file" "$stage$PREFIX/$([ "$program" = sm-sim ] && echo bin || echo sbin)/$program"
  done
  # OCF_ROOT is the same for every program of a machine.
  mkdir -p "$stage/usr/lib/ocf/resource.d"
  cp -R ocf "$stage/usr/lib/ocf/resource.d/sm"

  node --import tsx scripts/packaging/generate.ts "$stage$PREFIX" "$PREFIX" "$libdir/dist/bin"
  mv "$stage$PREFIX/etc/sm.yaml.example" "$stage/etc/sm"
  rmdir "$stage$PREFIX/etc"
  mkdir -p "$stage$PREFIX"/lib/{systemd/system,tmpfiles.d} "$stage"/etc/sm/{keys,secrets}.d
  cp scripts/packaging/tmpfiles.conf "$stage$PREFIX/lib/tmpfiles.d/sm.conf"
  cp scripts/packaging/logrotate "$stage/etc/logrotate.d/sm"
  for program in sm sm-api; do
    sed "s|@PREFIX@|$PREFIX|g" "scripts/packaging/$program.service" >"$stage$PREFIX/lib/systemd/system/$program.service"
    sed "s|@PREFIX@|$PREFIX|g" "scripts/packaging/$program.init" >"$stage/etc/init.d/$program"
  done
  cp -R README.md CHANGELOG.md LICENSE NOTICE docs "$stage$DOC"

  chmod -R u=rwX,go=rX "$stage"
  chmod 755 "$stage"/etc/init.d/{sm,sm-api} "$libdir/scripts/sm-launch" "$libdir"/demo/*
  chmod 700 "$stage"/etc/sm/{keys,secrets}.d
}

# Directories before what is in them; a directory is listed when it is ours alone.
files_of() { (cd "$1" && find . -mindepth 1 ! -type d -printf '/%P\n' | sort); }
directories_of() { (cd "$1" && find . -mindepth 1 -type d -printf '%m /%P\n' | sort -k 2); }

install_all() {
  local stage path mode new
  stage=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$stage'" EXIT
  stage "$stage/new"
  new=$stage/installed
  : >"$new"
  while read -r mode path; do
    [ "$(listed "$path")" != directory ] && [ -e "$DESTDIR$path" ] || echo "directory $path" >>"$new"
    [ -e "$DESTDIR$path" ] || mkdir -p -m "$mode" "$DESTDIR$path"
  done < <(directories_of "$stage/new")
  while read -r path; do
    if edited "$path" && [ "$(sum "$stage/new$path")" != "$(sum "$DESTDIR$path")" ]; then
      echo "$DESTDIR$path was edited and stays; the new one is $path.new" >&2
      echo "$(listed "$path") $path" | sed 's/^ /edited /' >>"$new"
      path_to=$path.new
    else
      path_to=$path
    fi
    # A running program keeps the file that it has open.
    cp -P --preserve=mode --remove-destination "$stage/new$path" "$DESTDIR$path_to"
    if [[ $path == /etc/* ]]; then echo "$(sum "$stage/new$path") $path_to"; else echo "- $path"; fi >>"$new"
  done < <(files_of "$stage/new")
  # What an earlier version had and this one has not.
  if [ -e "$LIST" ]; then
    awk 'NR == FNR { now[$2]; next } !($2 in now) && $1 != "directory" { print $2 }' "$new" "$LIST" |
      while read -r path; do edited "$path" || rm -f "$DESTDIR$path"; done
  fi
  cp "$new" "$LIST"
}

uninstall_all() {
  [ -e "$LIST" ] || { echo "uninstall: $LIST is not there: nothing was installed with this DESTDIR and PREFIX" >&2; exit 1; }
  local kind path
  while read -r kind path; do
    # Configuration and keys are the operator's.
    [[ $path != /etc/sm* ]] || continue
    if [ "$kind" != directory ]; then edited "$path" || rm -f "$DESTDIR$path"; fi
  done <"$LIST"
  local directories
  directories=$(awk '$1 == "directory" { print $2 }' "$LIST" | sort -r)
  rm -f "$LIST"
  for path in $directories; do
    [[ $path == /etc/sm* ]] || rmdir --ignore-fail-on-non-empty "$DESTDIR$path" 2>/dev/null || :
  done
}

case "${1:-}" in
  install) install_all ;;
  uninstall) uninstall_all ;;
  *) echo 'usage: install.sh install|uninstall' >&2; exit 2 ;;
esac
