#!/usr/bin/env bash
# A few of the published throughputs, replayed: each within the limit that the whole table is held to, and the table's own
# claims about itself. usage: test_throughput.sh BUILD
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
root=${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
script=scenarios/validation/throughput.sh
# 405B on H200 and H100, 70B on H100: mostly prompts, as long as each other
bash $script -r held -f ,5000,500, -w 10 "$build"/ringcast >"$work/out"
grep -q '^# 3 rows: median error' "$work/out"
bash $script -r held -f ,32768,2048, -w 8 "$build"/ringcast scenarios/validation/throughput/long.csv >"$work/long"
grep -q '^# 1 rows' "$work/long"
# a limit that nothing meets is exit 1, a table without such rows 2
st=0
bash $script -r held -f 70b,h100-sxm,2,70.55,80,8,5000 -w 0 "$build"/ringcast >"$work/none" || st=$?
[ $st = 1 ]
st=0
bash $script -f nobody "$build"/ringcast >"$work/none" 2>&1 || st=$?
[ $st = 2 ]
# every length of a column once, and 30 of them not looked at
awk -F, '/^#/ || /^model,/ { next } n[$1, $2, $7, $8]++ { exit 1 } { role[$NF]++ }
    END { exit !(role["held"] == 21 && role["seen"] == 9 && role["kept"] == 30) }' scenarios/validation/throughput/trtllm-1.0.csv
