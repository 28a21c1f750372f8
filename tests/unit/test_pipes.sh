#!/usr/bin/env bash
# No script reads a pipe in part. A reader that stops early (head, grep -q, sed with q) leaves the writer a pipe that
# nobody reads; whether the writer notices before it has ended is chance, and under `pipefail` the whole line fails
# when it does. So `sed -n 1,5p` stands for `head -n 5`, and `grep PATTERN >/dev/null` for `grep -q PATTERN`.
#
# usage: test_pipes.sh [BUILD-FOLDER]   (which it does not need)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

readonly EARLY='(^|[^|])\|[[:space:]]*(head([[:space:]]|$)|grep[[:space:]]+(-[A-Za-z]+[[:space:]]+)*-[A-Za-z]*[qm]|sed[[:space:]]+(-n[[:space:]]+)?['\''"][^|]*[0-9/{;[:space:]]q[};'\''"])'

# check ROOT: prints each line that reads a pipe in part; fails when there is one.
check() {
    local root=$1 scripts
    mapfile -t scripts < <(cd "$root" && find . \( -name build -o -name 'build-*' -o -path './.[!c]*' -o -path './.c[!i]*' \) -prune -o \
        -type f \( -name '*.sh' -o -name dev -o -path './.ci/run' -o -path '*/golden/*/cmd' \) ! -name test_pipes.sh -print | sort)
    [ ${#scripts[@]} -gt 0 ] || { echo "no script found"; return 1; }
    ! (cd "$root" && grep -HnE "$EARLY" "${scripts[@]}" | grep -vE '^[^:]*:[0-9]*:[[:space:]]*#') || return 1
    echo "${#scripts[@]} scripts read their pipes to the end"
}

# The check itself is checked first, on a script of one line.
self_test() {
    local root line
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    while read -r line; do
        echo "$line" >"$root/a.sh"
        check "$root" >/dev/null || { echo "self-test: '$line' is refused"; return 1; }
    done <<'RIGHT'
a | sed -n 1,5p
a || grep -q b file
a | grep -v b >/dev/null
a | sed 's/q/r/'
# a | head -1
RIGHT
    while read -r line; do
        echo "$line" >"$root/a.sh"
        if check "$root" >/dev/null; then echo "self-test: '$line' is let through"; return 1; fi
    done <<'WRONG'
a | head -1
a |head
a | grep -q b
a | grep -v -q b
a | grep -Eqv b
a | grep -m1 b
a | sed '5q'
a | sed -n '/b/{p;q}'
WRONG
}

self_test
check "${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}"
