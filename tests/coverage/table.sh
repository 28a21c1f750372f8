#!/usr/bin/env bash
# What of sim/ the tests have run, by folder, and the files that stand lowest; from the counts of a build of the preset
# `coverage`, whose tests have run. Contracts are left out of that build: they have tests of their own
# (tests/unit/test_contracts.sh).
#
# usage: table.sh BUILD-FOLDER [LINES BRANCHES FILE]
#        with the three percentages it is a gate: status 1 when all of sim/ has less of lines or branches, or a file that
#        tests/coverage/low does not name has less than FILE of its lines
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
lines=${2:-0} branches=${3:-0} file=${4:-0}
command -v gcovr >/dev/null || { echo "table.sh: gcovr is missing" >&2; exit 2; }
cd "$root"
# Threads may lose counts of one line among themselves; such a line still counts as run.
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
gcovr --root . --filter 'sim/' --exclude 'sim/cost/embed/' --gcov-ignore-parse-errors --csv --output "$rows" "$build" \
    2>/dev/null
tail -n +2 "$rows" | awk -F, -v gate_lines="$lines" -v gate_branches="$branches" -v gate_file="$file" -v low="$here/low" '
    function percent(part, whole) { return whole > 0 ? 100 * part / whole : 100 }
    BEGIN {
        while ((getline line <low) > 0)
            if (line !~ /^#/ && line != "") { split(line, word, ":"); why[word[1]] = line }
    }
    {
        split($1, part, "/"); f = part[1] "/" part[2]
        l[f] += $2; lc[f] += $3; b[f] += $5; bc[f] += $6
        al += $2; alc += $3; ab += $5; abc += $6
        if ($2 > 0) of[$1] = percent($3, $2)
    }
    END {
        print "# folder        lines  run %  branches  taken %"
        for (f in l) printf "  %-12s %7d %6.1f %9d %8.1f\n", f, l[f], percent(lc[f], l[f]), b[f], percent(bc[f], b[f]) | "sort"
        close("sort")
        printf "  %-12s %7d %6.1f %9d %8.1f\n", "all of sim/", al, percent(alc, al), ab, percent(abc, ab)
        print "# files with less than 80 % of their lines"
        for (f in of) if (of[f] < 80) printf "  %5.1f  %s%s\n", of[f], f, (f in why ? "  (named)" : "") | "sort -n"
        close("sort -n")
        bad = percent(alc, al) < gate_lines || percent(abc, ab) < gate_branches
        for (f in of) if (of[f] < gate_file && !(f in why)) { print "too little of " f; bad = 1 }
        for (f in why) if (!(f in of)) { print "tests/coverage/low names " f ", which is not there"; bad = 1 }
        exit bad
    }'
