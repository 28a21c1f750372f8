#!/usr/bin/env bash
# Cases are drawn by their seed alone, whatever the machine: the first line of each list in scenarios/validation/drawn*.csv is
# the command that drew it, and that command draws the same cases again.
#
# usage: test_validate_draw.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }

lists=0
for list in scenarios/validation/drawn*.csv; do
    read -r -a words < <(sed -n '1s/^# drawn at random: ringcast //p' "$list")
    [ "${words[0]-}" = validate ] || fail "$list: no command in its first line"
    "$1/ringcast" "${words[@]}" --out "$work/again.csv" --overwrite >/dev/null
    # Behind the first line: where a list left an option to its default, the new one names it.
    diff <(tail -n +2 "$list") <(tail -n +2 "$work/again.csv") >"$work/differ" || fail "$list is not drawn again: $(head -5 "$work/differ")"
    lists=$((lists + 1))
done
[ "$lists" -ge 8 ] || fail "$lists lists, not 8"
