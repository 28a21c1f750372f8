#!/usr/bin/env bash
# What docs/extending.md prints of an addition is what it takes: the lines of its file in tests/extend/, and one line
# in a table.
#
# usage: test_extending.sh [BUILD-FOLDER]   (which it does not need)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
failed=0
complain() { echo "$*"; failed=1; }

# addition FOLDER FILE TABLE LIST NAME
addition() {
    local lines added
    lines=$(wc -l <"tests/extend/$2")
    grep -qE "^ $1/$2 +\| +$lines \++$" docs/extending.md || complain "docs/extending.md: $2 has $lines lines"
    grep -qE "^ $1/$3 +\| +1 \+$" docs/extending.md || complain "docs/extending.md: no line of $3"
    grep -qF " 2 files changed, $((lines + 1)) insertions(+)" docs/extending.md ||
        complain "docs/extending.md: $((lines + 1)) lines in all"
    added=$(bash tests/extend/add_line.sh "$1/$3" "$4" "$5" | diff "$1/$3" - | grep -c '^[<>]' || true)
    [ "$added" = 1 ] || complain "$3 with one line more differs in $added"
}

addition sim/schedule layer_mixer.c layer_forms.c FORMS mixer
addition sim/schedule head_split.c schedules.c SCHEDULES head_split
exit $failed
