#!/usr/bin/env bash
# How a case shares the chip moves its forecast as it moved the run. One layer of 405B over host memory, pass-KV, four
# H200: attention that gives way to messages took 1.22 times as long as attention that keeps 8 SMs free for them, and
# over NVLink with NCCL's own CTAs as long to 1 %. Forecasts must say 1.12 to 1.32, and at most 4 % apart.
#
# usage: test_validate_share.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$build/ringcast" calibration merge results/calibration/h200-sxm/*.csv results/calibration/nodes/h200x4/run-4.csv \
    --out "$work/rows.csv" >"$work/said"
"$build/ringcast" calibration build "$work/rows.csv" --out "$work/rows.db" >>"$work/said"
mkdir "$work/runs"
for transport in shm nvlink; do
    grep -E '^case,|^n4o-405b8-pass-kv-4x1-t3200-[^,]*-s(0|124)-c0,' "results/rings/h200x4/overlap-$transport.csv" \
        >"$work/runs/$transport.csv"
done
bash scenarios/validation/rings.sh overlap >"$work/cases.csv"
"$build/ringcast" validate --results "$work/runs" --store "$work/rows.db" --seen "$work/cases.csv" --max-median 100 \
    --max-p95 100 >"$work/out" || [ $? = 1 ]

# forecast WAY TRANSPORT: in ms; the column after the measured time
forecast() {
    awk -v way="-$1-c0" -v transport="$2" '/^# case/ { for (i = 2; i <= NF; i++) at[$i] = i - 1 }
        index($1, way) && $at["transport"] == transport { print $at["predicted"] }' "$work/out"
}
for transport in shm nvlink; do
    gives=$(forecast s0 $transport) keeps=$(forecast s124 $transport)
    echo "$transport: giving way $gives ms, SMs kept free $keeps ms"
    case $transport in shm) low=1.12 high=1.32 ;; *) low=0.96 high=1.04 ;; esac
    awk -v a="$gives" -v b="$keeps" -v low=$low -v high=$high 'BEGIN { exit !(a > 0 && b > 0 && a / b >= low && a / b <= high) }' ||
        { echo "their ratio should be $low to $high" && exit 1; }
done
