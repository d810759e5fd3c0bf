#!/usr/bin/env bash
# build-deb.sh [DIRECTORY]: builds the Debian package from the sources, and prints its path.
#
# The package is for one architecture and one major version of node, those of this machine: the SQLite addon fits no
# other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
output=$(realpath -m "${1:-build}")

PACKAGE=sm-pair
version=$(node -p "require('./package.json').version")
major=$(node -p 'process.versions.node.split(".")[0]')
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# mktemp's mode would become that of /.
chmod 755 "$work"
tree=$work/tree
DESTDIR=$tree PREFIX=/usr NODE=/usr/bin/node scripts/packaging/install.sh install
rm "$tree/usr/lib/sm/.installed"

# As the policy wants them: compressed manuals, the licence by its Debian name.
find "$tree/usr/share/man" -type f -exec gzip -9n {} +
doc=$tree/usr/share/doc/$PACKAGE
{ cat "$doc/NOTICE"; echo; cat "$doc/LICENSE"; } >"$doc/copyright"
rm "$doc/NOTICE" "$doc/LICENSE"

mkdir -p "$tree/DEBIAN"
cp scripts/packaging/debian/{postinst,prerm,postrm} "$tree/DEBIAN"
chmod 755 "$tree"/DEBIAN/*
(cd "$tree" && find etc -type f -printf '/%p\n' | sort) >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
sed -e "s/@PACKAGE@/$PACKAGE/; s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/" \
  -e "s/@NODE_MIN@/$(node -p "require('./package.json').engines.node.replace(/[^0-9.]/g, '')")/; s/@NODE_NEXT@/$((major + 1))/" \
  -e "s/@SIZE@/$(du -sk --apparent-size "$tree" | cut -f 1)/" \
  scripts/packaging/debian/control >"$tree/DEBIAN/control"

find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$output"
file=$output/${PACKAGE}_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$file" >/dev/null
echo "$file"
