#!/usr/bin/env bash
# The table and the picture of docs/models.md: best.sh FORECASTS.csv [PICTURE.png], FORECASTS.csv of deployments.sh. Prints for each
# model, number of GPUs, prompt and number of requests the deployment that is through first, and the next one.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
LC_ALL=C
export LC_ALL
[ $# -ge 1 ] || { echo "usage: best.sh FORECASTS.csv [PICTURE.png]" >&2; exit 2; }

awk -F, '
    function size(n) { return n >= 1000000 ? n / 1000000 "M" : n / 1000 "K" }
    function time(ms) { return ms >= 3600000 ? sprintf("%.1f h", ms / 3600000) : ms >= 100000 ? sprintf("%.0f s", ms / 1000) : ms >= 1000 ? sprintf("%.1f s", ms / 1000) : sprintf("%.0f ms", ms) }
    /^# context of / { split($0, w, " "); name = w[4]; sub(/:$/, "", name); context[name] = w[5] }
    /^#/ || $1 == "model" { next }
    { cell = $1 "," $2 "," $3 "," $4
      if (!(cell in seen)) { seen[cell] = 1; order[++n] = cell }
      if ($7 != "runs") { why[cell] = $7; next }
      if (!(cell in best) || $11 < all[cell]) { next_name[cell] = best[cell]; next_all[cell] = all[cell]; best[cell] = $5; all[cell] = $11; row[cell] = $0 }
      else if (!(cell in next_all) || next_all[cell] == "" || $11 < next_all[cell]) { next_name[cell] = $5; next_all[cell] = $11 } }
    END {
        print "| model | H200 | prompt | requests | deployment | prompts | step | through | next | measured | published | modelled |"
        print "|---|---|---|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= n; i++) {
            split(order[i], c, ","); beyond = c[3] + 256 > context[c[1]] ? " (beyond its context of " context[c[1]] ")" : ""
            if (!(order[i] in best)) { printf "| %s | %s | %s%s | %s | %s | | | | | | | |\n", c[1], c[2], size(c[3]), beyond, c[4], why[order[i]]; continue }
            split(row[order[i]], r, ","); gsub(/;/, ",", r[5]); gsub(/;/, ",", next_name[order[i]])
            second = next_all[order[i]] != "" ? sprintf("%s, %+.0f %%", next_name[order[i]], 100 * (next_all[order[i]] / r[11] - 1)) : ""
            printf "| %s | %s | %s%s | %s | %s%s%s | %s | %.1f ms | %s | %s | %.0f %% | %.0f %% | %.0f %% |\n", c[1], c[2], size(c[3]), beyond, c[4],
                (r[6] > 1 ? r[6] " x " : ""), r[5], (c[4] > 1 && r[10] * r[6] < c[4] ? ", " r[10] * r[6] " at once" : ""), time(r[8]), r[9], time(r[11]), second, 100 * r[12], 100 * r[13], 100 * r[14] } }' "$1"

[ $# -ge 2 ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Families of deployments, in time over the best of a cell.
awk -F, -v dir="$work" '
    function family(d) { return d ~ /^DP/ ? "DP attention" : d ~ /DCP/ ? "DCP" : d ~ /ring/ ? "ring" : d ~ /^CP8/ ? "CP (world tp)" : d ~ /PCP/ ? "PCP" : d ~ /PP/ ? "pipeline" : "TP" }
    /^#/ || $1 == "model" || $7 != "runs" { next }
    { k = $1 "," $2; cell = ($3 == 8000 ? 0 : $3 == 128000 ? 2 : 4) + ($4 > 1); f = family($5)
      if (!((k, cell) in best) || $11 < best[k, cell]) best[k, cell] = $11
      if (!((k, cell, f) in t) || $11 < t[k, cell, f]) t[k, cell, f] = $11; seen[k] = 1; fam[f] = 1 }
    END { for (key in t) { split(key, p, SUBSEP); file = dir "/" p[1] "," p[3]; gsub(/ /, "_", file); printf "%d %g\n", p[2], t[key] / best[p[1], p[2]] > file } }' "$1"
for file in "$work"/*; do sort -n "$file" -o "$file"; done
{
    echo "set terminal pngcairo size 1600,900 font 'sans,12'; set output '$2'"
    echo "set multiplot layout 2,3 title 'Forecast time of each family of deployments over that of the best one, on H200' font 'sans,15' margins 0.055,0.86,0.08,0.9 spacing 0.05,0.13"
    i=0
    for colour in 0072B2 D55E00 009E73 E69F00 000000 CC79A7 56B4E9; do echo "set linetype $((i += 1)) lc rgb '#$colour' lw 1.5"; done
    echo "set border 3 lc rgb '#555555'; set logscale y; set yrange [0.9:12]; set xrange [-0.5:5.5]; set grid y lc rgb '#e0e0e0' lt 1"
    echo "set ytics (1, 1.5, 2, 3, 5, 10) nomirror; set xtics ('8K, 1' 0, '8K, 64' 1, '128K, 1' 2, '128K, 64' 3, '1M, 1' 4, '1M, 64' 5) nomirror font ',10'"
    echo "set xlabel 'tokens of a prompt, prompts at once'; set ylabel 'time over the best'; set key at screen 0.872, screen 0.87 left top Left reverse samplen 2"
    for gpus in 8 16; do
        for model in deepseek-v3 kimi-k2 qwen3-235b-a22b; do
            plots='' mark=0
            for family in TP PCP "CP (world tp)" ring DCP "DP attention" pipeline; do
                mark=$((mark + 1)) file="$work/$model,$gpus,${family// /_}"
                style="with linespoints lt $mark dt $((mark % 3 + 1)) pt $((mark + 3)) ps 1.4"
                [ ! -f "$file" ] || plots+="${plots:+, }'$file' using 1:2 $style notitle"
                [ "$gpus,$model" != 8,deepseek-v3 ] || plots+="${plots:+, }NaN $style title '$family'"
            done
            echo "set title '$model, $gpus GPUs'; plot $plots; set key off"
        done
    done
    echo "unset multiplot"
} | gnuplot
