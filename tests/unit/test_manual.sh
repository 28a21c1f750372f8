#!/usr/bin/env bash
# Manual pages: one a command and one a kind of file, which mandoc and groff read without a warning, and which have every
# flag and every key.
#
# usage: test_manual.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 readers=0
complain() { echo "$*"; failed=1; }
"$build/ringcast" manual "$work/man"
mapfile -t commands < <("$build/ringcast" help | awk '/^  [a-z]/ { print $1 }')
for command in "${commands[@]}"; do
    page=$work/man/ringcast-$command.1
    [ -f "$page" ] || { complain "no page of '$command'"; continue; }
    while read -r flag; do
        grep -qF -- "\\fB${flag//-/\\-}\\fR" "$page" || complain "ringcast-$command.1 has no $flag"
    done < <("$build/ringcast" "$command" --help | sed -n '/^examples:/,$!s/^  \(--[a-zA-Z0-9-]*\).*/\1/p')
    grep -q '^\.SH EXAMPLES' "$page" || complain "ringcast-$command.1 has no examples"
    grep -qF "\\fB$command\\fR" "$work/man/ringcast.1" || complain "ringcast.1 has no '$command'"
done
for kind in machine forward sweep tune serve plan; do
    while read -r key; do
        grep -qF "\\fB${key//-/\\-}\\fR" "$work/man/ringcast-$kind.5" || complain "ringcast-$kind.5 has no '$key'"
    done < <("$build/ringcast" keys $kind --csv | tail -n +2 | cut -d, -f1)
done
grep -q RINGCAST_SHARE "$work/man/ringcast.1" || complain "ringcast.1 has no RINGCAST_SHARE"

if command -v mandoc >/dev/null; then
    readers=$((readers + 1))
    mandoc -Tlint -Wwarning "$work"/man/* >"$work/lint" || true
    [ ! -s "$work/lint" ] || complain "mandoc: $(head -5 "$work/lint")"
fi
if command -v groff >/dev/null; then
    readers=$((readers + 1))
    for page in "$work"/man/*; do groff -man -ww -Tutf8 -z "$page" 2>>"$work/warnings"; done
    [ ! -s "$work/warnings" ] || complain "groff: $(head -5 "$work/warnings")"
fi
[ $failed = 0 ] || exit 1
if [ $readers = 0 ]; then
    echo "SKIPPED: neither mandoc nor groff: nobody has read the pages"
    exit 77
fi
