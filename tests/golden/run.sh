#!/usr/bin/env bash
# Runs one golden: a folder that pins what a command prints.
#   cmd       a shell line, run from the root of the project, with
#               $RINGCAST  the program
#               $OUT       an empty folder, removed afterwards
#   expected  stdout and stderr together; the two paths above appear as `ringcast` and `$OUT`
#   status    the exit code, 0 when there is no such file
# A difference is shown as a unified diff. RC_GOLDEN_UPDATE=1 rewrites expected and status instead;
# read the diff in git before you believe it.
#
# usage: run.sh GOLDEN-FOLDER BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
if [ $# -ne 2 ] || [ ! -f "$1/cmd" ]; then
    echo "usage: $0 GOLDEN-FOLDER BUILD-FOLDER (the folder holds a file named cmd)" >&2
    exit 2
fi
golden=$(cd "$1" && pwd)
build=$(cd "$2" && pwd)
root=${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
export RINGCAST=$build/ringcast LC_ALL=C TZ=UTC
if [ ! -x "$RINGCAST" ]; then
    echo "golden $(basename "$golden"): $RINGCAST is not built" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OUT=$work/out
mkdir "$OUT"
cd "$root"

status=0
bash "$golden/cmd" >"$work/raw" 2>&1 </dev/null || status=$?
escape() { printf '%s' "$1" | sed 's/[.[\*^$|]/\\&/g'; }
sed -e "s|$(escape "$RINGCAST")|ringcast|g" -e "s|$(escape "$OUT")|\$OUT|g" <"$work/raw" >"$work/actual"

if [ "${RC_GOLDEN_UPDATE:-}" = 1 ]; then
    cp "$work/actual" "$golden/expected"
    if [ "$status" -eq 0 ]; then rm -f "$golden/status"; else echo "$status" >"$golden/status"; fi
    echo "golden $(basename "$golden"): rewritten"
    exit 0
fi
failed=0
expected_status=0
if [ -f "$golden/status" ]; then expected_status=$(cat "$golden/status"); fi
if [ "$status" -ne "$expected_status" ]; then
    echo "golden $(basename "$golden"): exit code $status, expected $expected_status"
    failed=1
fi
if ! diff -u --label expected --label actual "$golden/expected" "$work/actual"; then
    failed=1
fi
exit $failed
