#!/usr/bin/env bash
# results/published/*.csv are what convert.sh makes of raw/, byte for byte, and the embedded store was built
# from them.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=${1:-}
root=${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh "$root/results/published/convert.sh" "$work"
n=0
for f in "$work"/*.csv; do
    cmp "$f" "$root/results/published/$(basename "$f")"
    n=$((n + 1))
done
[ "$n" -eq 4 ]
# the tables of kernels are as the program imports them
if [ -n "$build" ] && [ -x "$build/ringcast" ]; then
    mkdir "$work/kernels"
    sh "$root/results/published/kernels.sh" "$build/ringcast" "$work/kernels" >"$work/log"
    for f in "$work"/kernels/*.csv; do
        cmp "$f" "$root/results/published/$(basename "$f")"
        n=$((n + 1))
    done
    [ "$n" -eq 6 ]
fi
# built again from the same files, in another order, the store is the same
if [ -n "$build" ] && [ -x "$build/embed/rc_embed" ]; then
    "$build/embed/rc_embed" "$work/a.db" "$work/a.c" "$work/dgx-h100.csv" "$work/h200x2.csv" "$work/h100-sxm.csv"
    "$build/embed/rc_embed" "$work/b.db" "$work/b.c" "$work/h100-sxm.csv" "$work/dgx-h100.csv" "$work/h200x2.csv"
    cmp "$work/a.db" "$work/b.db"
    cmp "$work/a.c" "$work/b.c"
    printf 'machine\nx\n' >"$work/bad.csv"
    if "$build/embed/rc_embed" "$work/c.db" "$work/c.c" "$work/bad.csv" 2>"$work/err"; then exit 1; fi
    grep -q "^rc_embed: $work/bad.csv:1:1: missing column 'gpu'" "$work/err"
    [ ! -e "$work/c.db" ]
fi
echo "published rows: $n files as converted"
