#!/usr/bin/env bash
# Scenarios of the paper over the embedded costs, end to end: `ringcast forward --stats` simulates each folded
# and with all GPUs and layers as events, and fails when the two differ by one picosecond.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
run=0
for name in cp4-128k cp4-128k-pass-q cp4-partial-3200 cp2-8k tp8-32k tp64-128k cp8-128k \
    tp8-128k-decode cp2-128k-decode cp4-32k-decode-batch4 gti-cp4-128k; do
    out=$("$build/ringcast" forward "scenarios/paper/$name.yaml" --draws 8 --stats)
    grep -q 'the same to the picosecond' <<<"$out" || { echo "$name: short and full simulation differ"; exit 1; }
    again=$("$build/ringcast" forward "scenarios/paper/$name.yaml" --draws 8 --json | md5sum)
    [ "$again" = "$("$build/ringcast" forward "scenarios/paper/$name.yaml" --draws 8 --json | md5sum)" ] ||
        { echo "$name: two runs differ"; exit 1; }
    run=$((run + 1))
done
json=$("$build/ringcast" forward scenarios/paper/cp4-128k.yaml --draws 8 --json)
for key in ttft_ms p5 p95 breakdown exposed_comm_ms mfu memory_bytes cost_sources alternatives; do
    grep -q "\"$key\":" <<<"$json" || { echo "forward --json lacks $key"; exit 1; }
done
grep -q '"ttit_ms":' <<<"$("$build/ringcast" forward scenarios/paper/cp2-128k-decode.yaml --draws 0 --json)" ||
    { echo "a decode's --json lacks ttit_ms"; exit 1; }
echo "$run scenarios: short and full simulation agree, the same bytes twice"
