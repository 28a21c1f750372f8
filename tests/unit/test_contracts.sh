#!/usr/bin/env bash
# The contracts: every `assert` of sim/ has been tripped by a test, and sim/ has at least 8 of them in a
# thousand lines. The tests called test_<room>_contracts break each contract on purpose
# (tests/support/trips.h) and leave the messages of the asserts in trips/ of the build folder; ctest runs
# them before this one. Rooms are listed with their lines, their asserts and how many of these were tripped.
#
# usage: test_contracts.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

readonly LEAST=8 # asserts in a thousand lines, of sim/ as a whole

# sites ROOT: "file first-line last-line expression" for every assert of the sources below ROOT/sim; comments
# and static assertions are not asserts. Expressions are compared without their white space.
sites() {
    (cd "$1" && find sim -name '*.[ch]' -print0 | sort -z | xargs -0 awk '
        FNR == 1 { comment = 0; depth = 0 }
        {
            text = ""
            line = $0
            while (line != "") { # the line without its comments
                if (comment) {
                    at = index(line, "*/")
                    if (!at) break
                    line = substr(line, at + 2); comment = 0
                } else {
                    at = index(line, "/*")
                    if (!at) { text = text line; break }
                    text = text substr(line, 1, at - 1)
                    line = substr(line, at + 2); comment = 1
                }
            }
            while (text != "") {
                if (!depth) {
                    if (!match(text, /(^|[^_A-Za-z0-9])assert\(/)) break
                    text = substr(text, RSTART + RLENGTH)
                    depth = 1; first = FNR; expression = ""
                }
                for (i = 1; i <= length(text) && depth; i++) {
                    c = substr(text, i, 1)
                    depth += (c == "(") - (c == ")")
                    if (depth && c !~ /[ \t]/) expression = expression c
                }
                text = substr(text, i)
                if (depth) break
                print FILENAME, first, FNR, expression
            }
        }')
}

# tripped FOLDER: "file line expression" for each message in the folder.
tripped() {
    [ -d "$1" ] || return 0
    find "$1" -type f -exec cat {} + |
        sed -nE "s|^[^:]*: .*(sim/[a-z_]+/[A-Za-z0-9_/.]+):([0-9]+): .*Assertion \`(.*)' failed\.\$|\1 \2 \3|p" |
        awk '{ place = $1 " " $2; $1 = $2 = ""; gsub(/[ \t]/, ""); print place, $0 }' | sort -u
}

# check ROOT FOLDER: prints the table and the asserts that were not tripped; fails when there is one, or when
# there are too few asserts.
check() {
    {
        (cd "$1" && find sim -name '*.[ch]' -exec wc -l {} +) | awk '$2 != "total" { print "L", $2, $1 }'
        tripped "$2" | sed 's/^/T /'
        sites "$1" | sed 's/^/A /'
    } | awk -v least="$LEAST" '
        $1 == "L" { split($2, dir, "/"); lines[dir[2]] += $3; total += $3; next }
        $1 == "T" { hit[$2, $3, $4] = 1; next }
        {
            split($2, dir, "/"); asserts[dir[2]]++; all++
            for (n = $3; n <= $4; n++)
                if (($2, n, $5) in hit) { caught[dir[2]]++; good++; next }
            missed[++misses] = $2 ":" $3 ": assert(" $5 ") was never tripped"
        }
        END {
            print "# room      lines  asserts  tripped  in 1,000 lines"
            for (room in lines)
                printf "  %-9s %6d  %7d  %7d  %14.1f\n", room, lines[room], asserts[room], caught[room],
                    1000 * asserts[room] / lines[room] | "sort"
            close("sort")
            printf "  %-9s %6d  %7d  %7d  %14.1f\n", "sim", total, all, good, total ? 1000 * all / total : 0
            for (i = 1; i <= misses; i++) print missed[i]
            if (1000 * all < least * total)
                { print "fewer than " least " asserts in a thousand lines"; misses++ }
            exit misses > 0
        }'
}

# The check itself is checked first, on a small tree.
self_test() {
    local root
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    mkdir -p "$root"/{sim/base,trips}
    cat >"$root/sim/base/a.c" <<'C'
/* Here assert(comment) is none. */
_Static_assert(sizeof(int) == 4, "nor is this");
void f(int a, const int *p) { assert(a > 0 && (a < 3)); }
void g(int a, const int *p) {
    assert(p != NULL &&
           *p > a);
}
C
    local f="prog: /x/sim/base/a.c:3: f: Assertion \`a > 0 && (a < 3)' failed."
    local g="prog: ../sim/base/a.c:6: void g(int, const int *): Assertion \`p != NULL && *p > a' failed."
    printf '%s\n' "$f" "$g" >"$root/trips/prog"
    check "$root" "$root/trips" >/dev/null || { echo "self-test: tripped asserts are not seen"; return 1; }
    local wrong
    for wrong in "$f" "$g" "${f/:3:/:7:}" "${f/< 3/< 4}"; do
        printf '%s\n' "$wrong" >"$root/trips/prog"
        if check "$root" "$root/trips" >/dev/null; then echo "self-test: \"$wrong\" is taken for both"; return 1; fi
    done
    printf '%s\n' "$f" "$g" >"$root/trips/prog"
    printf '\n%.0s' {1..300} >>"$root/sim/base/a.c"
    if check "$root" "$root/trips" >/dev/null; then echo "self-test: 2 asserts in 307 lines are enough"; return 1; fi
}

self_test
check "${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}" "${1:?usage: test_contracts.sh BUILD-FOLDER}/trips"
