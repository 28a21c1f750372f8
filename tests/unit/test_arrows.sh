#!/usr/bin/env bash
# The arrows: a file of sim/<room>/ may include only its own room and the rooms that sim/CMakeLists.txt
# names in its DEPS. The linker cannot see a header that crosses an arrow; this test can.
#
# Also checked: rooms are declared before they are named, so that the arrows have no cycle; quoted
# includes start at the root of the project; the simulator includes of kernels/ only the plans that
# kernels launch by (kernels/*_plan.h, plain C), of calib/ only the schema, and both from cost alone. A room without rc_room is allowed for the program itself (cli).
#
# docs/design.md shows the arrows: its picture must be the one that --picture prints, and its list of rooms
# must name every folder of sim/.
#
# usage: test_arrows.sh [BUILD-FOLDER]   (which it does not need)
#        test_arrows.sh --picture        (for docs/design.md)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

# arrows ROOT: "room dep dep ..." a line, in the order of sim/CMakeLists.txt.
arrows() {
    tr '\n' ' ' <"$1/sim/CMakeLists.txt" | grep -oE 'rc_room\([^)]*\)' |
        sed -E 's/rc_room\( *([a-z]+)( +DEPS)?([^)]*)\)/\1 \3/; s/ LIBS .*//'
}

# picture ROOT: the arrows as a Mermaid chart. An arrow that follows from others (a -> c beside a -> b -> c) is
# left out; the program stands on top of the rooms that no other room uses.
picture() {
    arrows "$1" | awk '
        {
            room[++n] = $1
            for (i = 2; i <= NF; i++) { dep[$1, $i] = 1; used[$i] = 1; below[$1, $i] = 1 }
            for (i = 2; i <= NF; i++)
                for (k = 1; k < n; k++)
                    if ((($i, room[k]) in below)) { below[$1, room[k]] = 1; indirect[$1, room[k]] = 1 }
        }
        END {
            print "```mermaid"
            print "flowchart TD"
            for (i = n; i >= 1; i--)
                if (!(room[i] in used)) print "    cli --> " room[i]
            for (i = n; i >= 1; i--)
                for (k = n; k >= 1; k--)
                    if ((room[i], room[k]) in dep && !((room[i], room[k]) in indirect))
                        print "    " room[i] " --> " room[k]
            print "```"
        }'
}

# described ROOT: docs/design.md shows these arrows and lists every room.
described() {
    local root=$1 room failed=0
    if [ "$(sed -n '/^```mermaid$/,/^```$/p' "$root/docs/design.md")" != "$(picture "$root")" ]; then
        echo "docs/design.md: the picture is not that of sim/CMakeLists.txt; tests/unit/test_arrows.sh --picture prints it"
        failed=1
    fi
    for room in $(cd "$root/sim" && printf '%s\n' */); do
        grep -q "^sim/$room " "$root/docs/design.md" || { echo "docs/design.md: no line for sim/$room"; failed=1; }
    done
    return $failed
}

# check ROOT: prints each violation as file:line: text; fails when there is one.
check() {
    local root=$1
    {
        # deps lines: "D room dep dep"; sources follow as "I file:line:include"
        arrows "$root" | sed 's/^/D /'
        (
            cd "$root"
            find sim -name '*.[ch]' -exec grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} +
        ) | sort | sed 's/^/I /'
    } | awk '
        $1 == "D" {
            room = $2; known[room] = 1; rooms++
            for (i = 3; i <= NF; i++) {
                if (!known[$i]) bad("sim/CMakeLists.txt: " room " names " $i ", which is not declared before it")
                may[room, $i] = 1
            }
            next
        }
        {
            line = substr($0, 3)
            split(line, place, ":"); file = place[1]
            split(file, dir, "/"); room = dir[2]
            target = line; sub(/^[^"]*"/, "", target); sub(/".*/, "", target)
            where = file ":" place[2] ": \"" target "\""
            seen++
            if (dir[3] == "") next
            if (!known[room] && room != "cli") {
                bad(where ": sim/" room " is not a room of sim/CMakeLists.txt")
            } else if (target ~ /^sim\//) {
                split(target, to, "/")
                if (to[2] != room && room != "cli" && !((room, to[2]) in may))
                    bad(where ": " room " may not include " to[2])
                if (to[2] != room && !known[to[2]])
                    bad(where ": sim/" to[2] " is not a room of sim/CMakeLists.txt")
            } else if (target == "calib/schema.h") {
                if (room != "cost") bad(where ": only cost may include the schema")
            } else if (target ~ /^kernels\/[a-z]+_plan\.h$/) {
                if (room != "cost") bad(where ": only cost may include the plans of kernels")
            } else {
                bad(where ": a quoted include starts with sim/<room>/")
            }
        }
        function bad(text) { print text; failed++ }
        END {
            if (!rooms) bad("sim/CMakeLists.txt: no rc_room found")
            if (!failed) printf "%d rooms, %d includes, every arrow points down\n", rooms, seen
            exit failed > 0
        }'
}

# The check itself is checked first, on a small tree with one wrong arrow of each kind.
self_test() {
    local root
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    mkdir -p "$root"/sim/{base,engine,cost,cli}
    printf 'rc_room(base LIBS m)\nrc_room(engine DEPS base)\nrc_room(cost\n  DEPS base LIBS x)\n' \
        >"$root/sim/CMakeLists.txt"
    printf '#include "sim/base/b.h"\n#include <stdio.h>\n' >"$root/sim/engine/e.c"
    printf '#include "calib/schema.h"\n' >"$root/sim/cost/c.c"
    printf '#include "sim/cost/c.h"\n' >"$root/sim/cli/main.c"
    check "$root" >/dev/null || { echo "self-test: a right tree is refused"; return 1; }
    local wrong
    for wrong in 'sim/cost/c.h' 'e.h' 'calib/schema.h' 'kernels/kernels.h' 'kernels/decode_plan.h' 'sim/none/n.h'; do
        printf '#  include "%s"\n' "$wrong" >"$root/sim/engine/wrong.h"
        if check "$root" >/dev/null; then echo "self-test: \"$wrong\" is let through"; return 1; fi
    done
    rm "$root/sim/engine/wrong.h"
    printf 'rc_room(base DEPS engine)\nrc_room(engine DEPS base)\n' >"$root/sim/CMakeLists.txt"
    if check "$root" >/dev/null; then echo "self-test: a cycle is let through"; return 1; fi
}

source=${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
if [ "${1:-}" = --picture ]; then
    picture "$source"
    exit 0
fi
self_test
check "$source"
described "$source"
