#!/usr/bin/env bash
# `ringcast paper --real`: ratios and crossings of runs beside the paper's Table 4, held against runs whose answer is known;
# runs that are no rows of the table are refused; the picture is drawn where gnuplot is.
#
# usage: test_paper_real.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }
mkdir "$work/runs"
runs=$work/runs/a.csv
start() { head -1 results/paper/real/table4-shm.csv >"$runs"; }
row() { # SCHEDULE T P SMS SECONDS
    echo "c-$1-$2-$4,$1,4,1,$2,$3,1,16,1,16384,6656,1,graph,$4,0,shm,whole,-1,$5,$5,$5,9,0.003,h200-sxm,NVIDIA H200,,,,,,,,," >>"$runs"
}

# Ratio 0.5 at 3,200 and 2 at 12,800: 1 is a third of the way up, 3200 x 4^(1/3) = 5,080. On all SMs: never.
start
row pass-kv 3200 124800 124 0.004
row pass-q 3200 124800 124 0.002
row pass-kv 12800 115200 124 0.010
row pass-q 12800 115200 124 0.020
row pass-kv 6400 121600 0 0.010
row pass-q 6400 121600 0 0.0125
row pass-q 128000 0 0 0.1
"$ringcast" paper --draws 0 --real "$work/runs" >"$work/said"
want() { grep -qE "$1" "$work/said" || { cat "$work/said"; fail "no line: $1"; }; }
want '^ +3200 +2\.5 +0\.943 +[0-9.]+ +0\.500 +-$'
want '^ +12800 +10\.0 +1\.060 +[0-9.]+ +2\.000 +-$'
want '^ +6400 +5\.0 +0\.997 +[0-9.]+ +- +1\.250$'
want '^ +128000 +100\.0 +1\.078 +[0-9.]+ +- +-$'
want '^  shm@sms124 +5080 +1 '
want '^  shm +- +0 '
want '^  paper +6596 +1 '

# What is no row of the table.
refused() {
    local status=0
    "$ringcast" paper --draws 0 --real "$work/runs" >/dev/null 2>"$work/err" || status=$?
    if [ $status -ne 2 ] || ! grep -q 'is no row of Table 4' "$work/err"; then cat "$work/err"; fail "$1: status $status"; fi
}
start; row pass-kv 3000 125000 124 0.004; refused "another T"
start; row pass-kv 3200 100000 124 0.004; refused "another P"
start; row all-gather-kv 3200 124800 124 0.004; refused "another schedule"
status=0
"$ringcast" paper --real "$work/runs" --json >/dev/null 2>&1 || status=$?
[ $status -eq 2 ] || fail "--real with --json: status $status"

# The real ones, as results/paper/real/README.md shows them, and the picture.
"$ringcast" paper --draws 0 --real results/paper/real --out "$work/picture" >"$work/said"
awk 'index($0, "```") { on = 0 } on { print } /^\$ ringcast paper --real/ { on = 1 }' results/paper/real/README.md >"$work/shown"
[ "$(grep -c . "$work/shown")" -gt 20 ] || fail "the README shows no table"
! grep -vxFf "$work/said" "$work/shown" || fail "these lines of the README are not what is printed"
if command -v gnuplot >/dev/null; then
    if ! [ -s "$work/picture/table4.png" ] || ! [ -s "$work/picture/table4.svg" ]; then fail "no picture"; fi
    status=0
    "$ringcast" paper --real results/paper/real --out "$work/picture" >/dev/null 2>&1 || status=$?
    [ $status -eq 2 ] || [ $status -eq 3 ] || fail "a picture was replaced unasked: status $status"
fi
echo "ratios, crossings, refusals and the README's table hold"
