#!/usr/bin/env bash
# ringcast validate, end to end: every committed run is in the JSON, two replays are the same bytes, a limit
# that is not kept is exit status 1, and a machine predicted from its own rows is what it is.
#
# usage: test_validate_replay.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

"$ringcast" validate --max-median 10% --max-p95 20% --json "$work/a.json" >"$work/a.txt" || { tail -3 "$work/a.txt"; fail "validate fell short of 10 % and 20 %"; }
"$ringcast" validate --max-median 10% --max-p95 20% --json "$work/b.json" >"$work/b.txt"
cmp "$work/a.json" "$work/b.json" || fail "two replays differ"
for key in sets seen unseen transports median_abs_error_pct p95_abs_error_pct winners_right winners_total baselines roofline alpha_beta; do
    grep -q "\"$key\":" "$work/a.json" || fail "the JSON has no $key"
done
runs=$(cat results/validation/*.csv | grep -c ',whole,-1,')
[ "$(grep -c '"case":' "$work/a.json")" -eq "$runs" ] || fail "the JSON has not all of the $runs runs"

# A limit that is not kept is exit status 1, with a sentence.
status=0
"$ringcast" validate --max-median 0.01% >/dev/null 2>"$work/err" || status=$?
[ $status -eq 1 ] && grep -q 'median error of the' "$work/err" || fail "limit: status $status"

# --cross: a machine from its own rows is what it is (but for pooling of neighbours that disagree).
"$ringcast" calibration export --machine h200-sxm --out "$work/h200.csv"
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "source") at = i } NR == 1 || $at == "measured"' "$work/h200.csv" >"$work/own.csv"
"$ringcast" calibration build "$work/own.csv" --out "$work/own.db"
"$ringcast" validate --cross h200-sxm h200-sxm --store "$work/own.db" --max-median 0.5% >"$work/cross" || { cat "$work/cross"; fail "a machine from itself"; }
grep -q '^  all ' "$work/cross" || fail "no line for all ops"
echo "replay holds"
