#!/usr/bin/env bash
# No circle between files: where a file of sim/ calls a function (or reads a table) of another one, that one
# does not, through whatever files, call back. So each can be read and tested after those it stands on.
# The symbols of the rooms' libraries say who calls whom.
#
# usage: test_circles.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

# check: reads `nm -A` of static libraries; names each file of a circle with what it calls of the others;
# fails when there is one.
check() {
    awk '
        NF >= 2 {
            split($1, part, ":")
            room = part[1]; sub(/.*librc_/, "", room); sub(/\.a$/, "", room)
            file = part[2]; sub(/\.o$/, "", file)
            file = room "/" file
            kind = $(NF - 1); symbol = $NF
            if (symbol !~ /^rc_/) next
            if (kind == "U") wants[file, symbol] = 1
            else if (kind ~ /^[TDBRVWC]$/) home[symbol] = file
        }
        END {
            for (pair in wants) {
                split(pair, p, SUBSEP)
                to = home[p[2]]
                if (to == "" || to == p[1]) continue
                if (!((p[1], to) in calls)) next_of[p[1]] = next_of[p[1]] " " to
                calls[p[1], to] = calls[p[1], to] " " p[2]
            }
            for (pair in calls) {
                split(pair, p, SUBSEP)
                if (reaches(p[2], p[1])) {
                    print "sim/" p[1] " calls sim/" p[2] ":" calls[pair] | "sort"
                    circles++
                }
            }
            close("sort")
            if (!circles) print "no circle between the files of sim/"
            exit circles > 0
        }
        # Whether `to` can be reached from `from`.
        function reaches(from, to,    queue, head, tail, seen, n, i, list) {
            queue[tail++] = from; seen[from] = 1
            for (head = 0; head < tail; head++) {
                if (queue[head] == to) return 1
                n = split(next_of[queue[head]], list, " ")
                for (i = 1; i <= n; i++)
                    if (!(list[i] in seen)) { seen[list[i]] = 1; queue[tail++] = list[i] }
            }
            return 0
        }'
}

# The check itself is checked first.
self_test() {
    local line='build/librc_base.a:a.c.o:0000 T rc_a
build/librc_base.a:a.c.o: U rc_b
build/librc_base.a:b.c.o:0000 T rc_b'
    check <<<"$line" >/dev/null || { echo "self-test: a chain is taken for a circle"; return 1; }
    if check <<<"$line"$'\nbuild/librc_base.a:b.c.o: U rc_c\nbuild/librc_x.a:c.c.o:0000 T rc_c\nbuild/librc_x.a:c.c.o: U rc_a' >/dev/null
    then echo "self-test: a circle of three is let through"; return 1; fi
}

self_test
build=${1:?usage: test_circles.sh BUILD-FOLDER}
nm -A "$build"/sim/librc_*.a 2>/dev/null | check
