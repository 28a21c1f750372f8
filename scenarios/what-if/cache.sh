#!/usr/bin/env bash
# What the policy of the KV cache buys on the TCP cluster: cache.sh RINGCAST OUT writes OUT/cache.csv and OUT/cache.png. The
# coding sessions of scenarios/serve/coding-mixed.yaml on gti, by policy and with host memory or without.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=${1:?usage: cache.sh RINGCAST OUT}
out=${2:?usage: cache.sh RINGCAST OUT}
mkdir -p "$out"
{
    echo "policy,host_memory_GB,hits_pct,ttft_p50_s,ttft_p95_s,ttit_p50_ms"
    for memory in 0 40; do
        for policy in lru session off; do
            "$ringcast" serve "$(dirname "$0")/../serve/coding-mixed.yaml" --set machine=gti --set "kv.policy=$policy" \
                --set "kv.host_memory=${memory}GB" --json | python3 -c '
import json, sys
r = json.load(sys.stdin)
print("%s,%s,%.1f,%.3f,%.3f,%.2f" % (sys.argv[1], sys.argv[2], 100.0 * r["kv_hit_rate"],
      r["ttft_ms"]["p50"] / 1e3, r["ttft_ms"]["p95"] / 1e3, r["ttit_ms"]["p50"]))' "$policy" "$memory"
        done
    done
} > "$out/cache.csv"

gnuplot << EOF
set terminal pngcairo size 1500,520 font "sans,11"
set output "$out/cache.png"
set datafile separator ","
set multiplot layout 1,3 title "58 coding sessions of up to 838K tokens, Llama 3.1 405B, two replicas of CP4 x TP8 over TCP: cache policies" font "sans,13"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.85 border -1
set grid y
set bmargin 5
set key outside bottom center horizontal
set yrange [0:*]
series(column) = sprintf("plot '< grep -E \"policy|,0,\" $out/cache.csv' using %d:xtic(1) title 'no host memory', '< grep -E \"policy|,40,\" $out/cache.csv' using %d title '40 GB of host memory a GPU'", column, column)
set key autotitle columnheader
set ylabel "prompt tokens that are cached (%)"
eval series(3)
set logscale y
set yrange [*:*]
set ylabel "TTFT, p95 (s)"
eval series(5)
unset logscale y
set yrange [0:*]
set ylabel "TTIT, p50 (ms)"
eval series(6)
unset multiplot
EOF
