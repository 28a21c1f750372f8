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

# TTFT stands as points, for bars have no place on a logarithmic axis.
gnuplot << EOF
set terminal pngcairo size 1600,520 font "sans,12"
set output "$out/cache.png"
set datafile separator ","
set multiplot layout 1,3 title "58 coding sessions of up to 838K tokens, Llama 3.1 405B, two replicas of CP4 x TP8 over TCP: cache policies" font "sans,15" margins 0.06,0.86,0.17,0.87 spacing 0.06,0.1
set linetype 1 lc rgb "#0072B2" pt 7
set linetype 2 lc rgb "#D55E00" pt 7
set border 3 lc rgb "#555555"
set style fill solid 0.9 noborder
set grid y lc rgb "#e0e0e0" lt 1
set ytics nomirror
set xtics ("lru" 0, "session" 1, "off" 2) scale 0
set xlabel "policy of the cache (kv.policy)"
set xrange [-0.6:2.6]
set key at screen 0.872, screen 0.87 left top Left reverse samplen 2
set offsets 0,0,graph 0.08,0
without = "< grep ,0, $out/cache.csv"
with = "< grep ,40, $out/cache.csv"
bars(column) = sprintf("plot without using (\$0 - 0.2):%d:(0.38) with boxes lt 1 title 'no host memory', '' using (\$0 - 0.2):%d:(sprintf('%%.3g', \$%d)) with labels offset 0,0.7 notitle, with using (\$0 + 0.2):%d:(0.38) with boxes lt 2 title '40 GB of it a GPU', '' using (\$0 + 0.2):%d:(sprintf('%%.3g', \$%d)) with labels offset 0,0.7 notitle", column, column, column, column, column, column)
set yrange [0:*]
set ylabel "prompt tokens that are cached, %"
eval bars(3)
set key off
set logscale y
set yrange [10:1000]
set ylabel "TTFT, p95, s"
plot without using (\$0 - 0.2):5 with points lt 1 ps 2.2 notitle, '' using (\$0 - 0.2):5:(sprintf("%.3g", \$5)) with labels offset 0,0.9 notitle, with using (\$0 + 0.2):5 with points lt 2 ps 2.2 notitle, '' using (\$0 + 0.2):5:(sprintf("%.3g", \$5)) with labels offset 0,0.9 notitle
unset logscale y
set yrange [0:*]
set ylabel "TTIT, p50, ms"
eval bars(6)
unset multiplot
EOF
