#!/usr/bin/env bash
# How well rings overlap, from the rows of `ringcast-calib ring` alone: overlap.sh [-w] FILE.csv ...
# The bound of a pass is what it would take if each message were hidden behind its ring step's attention as far as it
# can be: the other ops, then for each step the longer of attention alone and message alone, then merge and return; on
# the rank for which the sum is largest. `ratio` is the whole pass over the bound of the case's own parts. Parts are means
# of three passes, and the chip's clock differs from one pass to the next, so a ratio moves by some per cent, and one
# far under 1 tells of slow parts. `steady` holds the pass against a bound whose compute is the median over the cases of
# the file that differ only in how attention and messages share the chip; parts alone have the whole chip in all of them.
# A row a case: SMs left to attention (0: all), NCCL's CTAs (0: its choice), times in ms. With -w a row for each T and
# schedule instead: the whole pass in ms for each way (SMs/CTAs) in which they share the chip, and the fastest.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

if [ "${1-}" = -w ]; then
    shift
    "$0" "$@" | awk '
        NR == 1 { next }
        { row = sprintf("  %-9s %6d %-8s", $1, $2, $3); way = $4 "/" $5; ms[row, way] = $6 }
        !(row in rows) { rows[row]; order[++n] = row }
        !(way in ways) { ways[way]; list[++m] = way }
        END {
            printf "# %-9s %6s %-8s", "transport", "T", "schedule"
            for (k = 1; k <= m; k++) printf " %8s", list[k]
            print "  fastest"
            for (i = 1; i <= n; i++) {
                best = ""
                printf "%s", order[i]
                for (k = 1; k <= m; k++) {
                    x = ms[order[i], list[k]]
                    printf " %8s", x == "" ? "-" : x
                    if (x != "" && (best == "" || x + 0 < ms[order[i], best] + 0)) best = list[k]
                }
                print "  " best
            }
        }'
    exit
fi
[ $# -gt 0 ] || { sed -n '/^# How/s/.*: //p' "$0" >&2; exit 2; }
printf '# %-9s %6s %-8s %5s %5s %9s %9s %6s %6s\n' transport T schedule sms ctas whole bound ratio steady
for csv in "$@"; do
    awk -F, '
        function fail(text) { print text > "/dev/stderr"; failed = 1; exit 3 }
        # Time of a part of case i on a rank: its own, or the median over the cases like it.
        function own(i, rank, what) { return (i, rank, what) in time ? time[i, rank, what] : 0 }
        function median(i, rank, what,    k, m, n, x, v) {
            for (k = 1; k <= cases; k++) {
                if (like[k] != like[i]) continue
                x = own(k, rank, what)
                for (m = n++; m > 0 && v[m - 1] > x; m--) v[m] = v[m - 1]
                v[m] = x
            }
            return (v[int((n - 1) / 2)] + v[int(n / 2)]) / 2
        }
        function compute(i, rank, what, steady) { return steady ? median(i, rank, what) : own(i, rank, what) }
        function bound(i, steady,    r, j, n, sum, a, m, most) {
            for (r = 0; r < ranks[i]; r++) {
                sum = own(i, r, "all-reduce") + own(i, r, "all-to-all")
                for (n = 1; n <= plain; n++) sum += compute(i, r, part[n], steady)
                for (j = 0; j < ranks[i]; j++) {
                    a = compute(i, r, "attention-alone-" j, steady)
                    m = own(i, r, "send-recv-alone-" j)
                    if (!a) fail("case " name[i] ", rank " r ": no attention-alone-" j)
                    sum += a > m ? a : m
                }
                if (sum > most) most = sum
            }
            return most
        }
        BEGIN { plain = split("norm qkv rotary merge out gate-up swiglu down", part, " ") }
        $17 == "part" { if ($14 != "sms" || $16 != "transport" || $20 != "p50_s") fail("other columns"); next }
        /^#/ { next }
        $1 != name[cases] {
            name[++cases] = $1
            ranks[cases] = $3 * $4
            like[cases] = $2 " " $3 " " $4 " " $5 " " $6
            head[cases] = sprintf("  %-9s %6d %-8s %5d %5d", $16, $5, $2, $14, $15)
        }
        $17 == "whole" && $18 == -1 { whole[cases] = $20; next }
        { time[cases, $18, $17] = $20 }
        END {
            if (failed) exit 3
            for (i = 1; i <= cases; i++) {
                b = bound(i, 0)
                printf "%s %9.3f %9.3f %6.3f %6.3f\n", head[i], 1e3 * whole[i], 1e3 * b, whole[i] / b,
                    whole[i] / bound(i, 1)
            }
        }' "$csv"
done
