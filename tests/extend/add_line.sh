#!/usr/bin/env bash
# A table of the source with one line more, as docs/extending.md says to add it: X(NAME) before the last line of
# the list `#define LIST(X)`. Prints the table; fails where there is no such list.
#
# usage: add_line.sh TABLE LIST NAME
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
awk -v list="#define $2(X)" -v name="$3" '
    index($0, list) == 1 { inside = 1; found++ }
    inside && !/\\$/ { print "    X(" name ") \\"; inside = 0 }
    { print }
    END { exit found != 1 }' "$1"
