#!/usr/bin/env bash
# A table of the source with one line more, as docs/extending.md says to add it: X(NAME) behind the line that
# begins the list, `#define LIST(X)`. Prints the table; fails where there is no such list.
#
# usage: add_line.sh TABLE LIST NAME
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
awk -v list="#define $2(X)" -v name="$3" '
    { print }
    index($0, list) == 1 { print "    X(" name ") \\"; found++ }
    END { exit found != 1 }' "$1"
