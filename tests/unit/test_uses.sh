#!/usr/bin/env bash
# No function without a caller: what a header of sim/ declares is called by the simulator or the calibrator,
# not by tests alone. A use is a name inside a function, a macro or a table: on an indented line, on one that
# starts with #, or where no parenthesis follows it. Comments do not count. Readers of a text in memory
# (rc_..._parse...) may be there for the fuzz targets alone.
#
# usage: test_uses.sh [BUILD-FOLDER]   (which it does not need)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

# Functions that only tests call, and why they are there all the same.
readonly ALLOWED='
rc_eventq_move         the event queue is a part of its own, held against a plain heap by properties
rc_eventq_pending      the same
rc_eventq_size         the same
rc_eventq_run          the same
rc_group_cp            for schedules to come: that of tests/extend is built with it
rc_forward_ctx_forget  properties compare times of a used context with those of a fresh one
'

# check ROOT: names each function without a caller; fails when there is one.
check() {
    (cd "$1" && find sim calib kernels \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
        sort -z | xargs -0 awk -v allowed="$(awk 'NF { printf "%s ", $1 }' <<<"$ALLOWED")" '
        BEGIN { for (i = split(allowed, list, " "); i > 0; i--) used[list[i]] = 1 }
        FNR == 1 { comment = 0; header = FILENAME ~ /^sim\/.*\.h$/ }
        {
            text = ""
            line = $0
            gsub(/'\''"'\''/, "0", line)
            if (!comment) gsub(/"([^"\\]|\\.)*"/, "0", line)
            while (line != "") { # the line without its comments
                at = index(line, comment ? "*/" : "/*")
                if (!comment) text = text (at ? substr(line, 1, at - 1) : line)
                if (!at) break
                line = substr(line, at + 2); comment = !comment
            }
            sub(/\/\/.*/, "", text)
            inside = text ~ /^[ \t#}]/
            while (match(text, /[A-Za-z_][A-Za-z_0-9]*/)) {
                name = substr(text, RSTART, RLENGTH)
                text = substr(text, RSTART + RLENGTH)
                if (name !~ /^rc_/) continue
                if (inside || text !~ /^ *\(/) used[name] = 1
                else if (header && name !~ /_parse(_|$)/) { place[name] = FILENAME; order[++n] = name }
            }
        }
        END {
            for (i = 1; i <= n; i++)
                if (!(order[i] in used) && !seen[order[i]]++) {
                    print place[order[i]] ": " order[i] " is called by nothing but tests"
                    failed = 1
                }
            exit failed
        }')
}

# The check itself is checked first, on a small tree.
self_test() {
    local root
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    mkdir -p "$root"/{sim/base,calib,kernels}
    printf 'int rc_used(int a,\n            int b); /* not rc_dead(1) */\nint rc_entry(void);\n' >"$root/sim/base/a.h"
    printf 'int rc_used(int a, int b) {\n    return a + b;\n}\nint (*f)(void) = rc_entry;\nint main(void) {\n    return rc_used(1, 2);\n}\n' \
        >"$root/sim/base/a.c"
    check "$root" || { echo "self-test: a right tree is refused"; return 1; }
    printf 'int rc_dead(int a); /* as in\n    rc_dead(1) */\n' >>"$root/sim/base/a.h"
    printf 'int rc_dead(int a) {\n    return a;\n}\n' >>"$root/sim/base/a.c"
    if check "$root" >/dev/null; then echo "self-test: a function without a caller is let through"; return 1; fi
}

self_test
check "${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}"
echo "every function of sim/ has a caller"
