#!/usr/bin/env bash
# Kill the calibrator (kill -9) at 50 random moments: what is left always opens as a store, no row
# that was reported saved is missing, none is doubled; and the run that goes on from there ends with
# the rows of one that was never disturbed. No GPU: tests/support/calib_fake.c measures.
#
# usage: test_calib_kill.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
calib=$build/tests/calib_fake ringcast=$build/ringcast
readonly KILLS=50
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# What a row says of itself, one line each, as `saved` lines do.
rows() { # STORE
    "$ringcast" calibration show --store "$1" --csv | awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { v = $at["variant"]; t = $at["dtype"]
          print $at["state"], $at["op"], v == "" ? "-" : v, t == "" ? "-" : t, $at["a"], $at["b"], $at["c"], $at["d"] }' | sort
}

suites=(--suite memory,host,merge,decode,interference)
RC_FAKE_NAP_US=0 "$calib" run "${suites[@]}" --out whole.db >whole.log
rows whole.db >whole.rows
[ "$(wc -l <whole.rows)" -gt 300 ] || { echo "the undisturbed run has only $(wc -l <whole.rows) rows"; exit 1; }
[ -z "$(uniq -d whole.rows)" ] || { echo "the undisturbed run has doubled rows"; exit 1; }

RANDOM=20260101
: >said
killed=0 between=0
while [ $killed -lt $KILLS ]; do
    # A nap of 1 ms a row: kills fall at the run's start, between any two rows, inside a transaction,
    # and (rarely) at its end. Two of three wait for a first row, however slow the disk is.
    RC_FAKE_NAP_US=1000 "$calib" run "${suites[@]}" --out killed.db --resume --verbose >log 2>err &
    pid=$!
    tries=0
    while [ $((killed % 3)) -ne 0 ] && [ $tries -lt 400 ] && ! grep '^saved ' log >/dev/null; do
        sleep 0.01
        tries=$((tries + 1))
    done
    sleep "0.0$((RANDOM % 70 + 10))"
    kill -9 $pid 2>/dev/null || true
    code=0
    wait $pid 2>/dev/null || code=$?
    [ $code -ne 137 ] || killed=$((killed + 1))
    # A last line without its end was not reported.
    grep '^saved .*)$' log | sed 's/^saved //; s/: .*//' >>said || true
    store=killed.db.part
    if [ -e killed.db ]; then store=killed.db; fi
    if [ ! -e $store ]; then
        [ ! -s said ] || { echo "rows were reported saved, and there is no store"; exit 1; }
        continue
    fi
    rows $store >now
    if [ -s now ] && [ $code -eq 137 ]; then between=$((between + 1)); fi
    [ -z "$(uniq -d now)" ] || { echo "doubled after kill $killed:"; uniq -d now | sed -n 1,3p; exit 1; }
    lost=$(sort -u said | comm -23 - now)
    [ -z "$lost" ] || { echo "reported saved and lost at kill $killed:"; echo "$lost" | sed -n 1,3p; exit 1; }
    if [ -e killed.db ]; then rm -f killed.db said; : >said; fi # done between two kills: once more
done
[ $between -ge $((KILLS / 2)) ] || { echo "only $between of $KILLS kills fell on a store with rows"; exit 1; }

RC_FAKE_NAP_US=0 "$calib" run "${suites[@]}" --out killed.db --resume >log
rows killed.db | cmp - whole.rows || { echo "the run that went on differs from the undisturbed one"; exit 1; }
"$ringcast" calibration show --store killed.db --csv >a
"$ringcast" calibration show --store whole.db --csv >b
cmp a b || { echo "times differ"; exit 1; }
[ ! -e killed.db.part ] && [ ! -e killed.db-wal ] || { echo "FILE.part or its log is left behind"; exit 1; }

# Rows of another GPU are not taken up.
cp whole.db other.db.part
if RC_FAKE_GPU="NVIDIA H200" "$calib" run "${suites[@]}" --out other.db --resume >log 2>err; then
    echo "rows of an H100 were taken up on an H200"; exit 1
fi
grep -q 'holds rows of h100-sxm (NVIDIA H100 80GB HBM3); this is h200-sxm' err || { cat err; exit 1; }
echo "$KILLS kills, $between on a store with rows; $(wc -l <whole.rows) rows whole"
