#!/usr/bin/env bash
# The tables of keys in docs/ are what `ringcast keys` prints. A table stands between the lines
#     <!-- ringcast keys KIND --markdown -->   and   <!-- end -->
#
# usage: test_keys_docs.sh BUILD-FOLDER           compare
#        test_keys_docs.sh BUILD-FOLDER --write   write the tables anew
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
root=${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

kinds="machine forward tune serve sweep plan schedules"
for kind in $kinds; do
    "$build/ringcast" keys "$kind" --markdown >"$tmp/$kind"
done

# fill FILE: the file with its tables as they should be.
fill() {
    awk -v dir="$tmp" '
        /^<!-- ringcast keys [a-z]+ --markdown -->$/ {
            print
            while ((getline line < (dir "/" $4)) > 0) print line
            skip = 1
            next
        }
        skip && /^<!-- end -->$/ { skip = 0 }
        !skip { print }' "$1"
}

failed=0
for kind in $kinds; do
    count=$(cat "$root"/docs/*.md | grep -c "^<!-- ringcast keys $kind --markdown -->$" || true)
    if [ "$count" != 1 ]; then
        echo "docs/ have the table of '$kind' $count times, expected once"
        failed=1
    fi
done
for file in $(grep -l '^<!-- ringcast keys ' "$root"/docs/*.md); do
    fill "$file" >"$tmp/filled"
    if [ "${2:-}" = --write ]; then
        cp "$tmp/filled" "$file"
    elif ! diff -u "$file" "$tmp/filled"; then
        echo "$file differs: run tests/unit/test_keys_docs.sh BUILD --write"
        failed=1
    fi
done
exit $failed
