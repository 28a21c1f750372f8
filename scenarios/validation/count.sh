#!/usr/bin/env bash
# Counts the cases of ring runs whose median is known well enough: count.sh [-l PERCENT] FILE.csv ...
# A case counts when the 95 % interval of its median, as FILE.log beside FILE.csv states it ("median within X %"), is
# at most PERCENT (2 unless stated). Where the log lacks a case's line, the stopping rule of calib/ring/ring_timing.c decides: a
# case of fewer than 400 passes that took less than 0.55 s altogether was ended because its interval was under 1 %, for
# nothing else ends one before 0.6 s. Prints a row a file and a transport, then the cases that do not count.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

limit=2
if [ "${1-}" = -l ]; then limit=${2:?} && shift 2; fi
[ $# -gt 0 ] || { sed -n '/^# Counts/s/.*: //p' "$0" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for csv in "$@"; do
    log=${csv%.csv}.log
    [ -f "$log" ] || log=/dev/null
    # FILE TRANSPORT CASE SECONDS-OF-A-PASS PASSES INTERVAL
    awk -F, -v file="$(basename "$csv" .csv)" '
        FILENAME == ARGV[1] {
            if (match($0, /median within [^ ]+ %/)) {
                split($0, word, " ")
                said[word[1]] = substr($0, RSTART + 14, RLENGTH - 16)
            }
            next
        }
        $17 == "part" && ($18 != "rank" || $20 != "p50_s" || $22 != "samples") { exit 3 }
        $17 == "whole" && $18 == -1 { print file, $16, $1, $20, $22, $1 in said ? said[$1] : "none" }' "$log" "$csv"
done >"$work/cases"

awk -v limit="$limit" '
    function counts() {
        if ($6 == "none") return $5 < 400 && $5 * $4 < 0.55 && limit >= 1
        return $6 ~ /^[0-9]/ && $6 + 0 <= limit
    }
    function line(name, transport, n, yes) { printf "  %-16s %-9s %5d %6d %5d\n", name, transport, n, yes, n - yes }
    BEGIN { printf "# %-16s %-9s %5s %6s %5s\n", "file", "transport", "cases", "count", "not" }
    { key = $1 " " $2; if (!(key in n)) order[++files] = key
      n[key]++; all[$2]++; total++
      if (counts()) { yes[key]++; good[$2]++; sum++ }
      else bad[++no] = sprintf("  %-16s %-60s %s", $1, $3, $6 == "none" ? sprintf("? (%d passes of %.3f ms)", $5, 1e3 * $4) : $6 " %") }
    END { for (i = 1; i <= files; i++) { split(order[i], w, " "); line(w[1], w[2], n[order[i]], yes[order[i]]) }
          split("nvlink shm socket none", t, " ")
          for (i = 1; i <= 4; i++) if (t[i] in all) line("all", t[i], all[t[i]], good[t[i]])
          line("all", "all", total, sum)
          print "# do not count, and the interval of the median"
          for (i = 1; i <= no; i++) print bad[i] }' "$work/cases"
