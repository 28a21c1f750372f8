#!/usr/bin/env bash
# The documents are true where a machine can tell. In README.md and docs/*.md:
#
# - A line `$ ringcast ...` of a fenced block is a command. It is run, and the lines that follow it, up to the next `$`
#   or the fence, occur in its output. A line `...` stands for lines left out. A comment behind the command says what
#   to expect: `# exit 2`, or `# 40 s` for one that takes too long to be run here.
# - What differs from run to run is not compared: numbers before `ms wall`, `s wall` and `M events/s`; nor are blanks
#   at the end of a line.
# - Files that are linked or named in backquotes (scenarios/, models/, results/, docs/, sim/, calib/, kernels/, tests/)
#   exist, unless the name has a placeholder in capitals, a `*` or an ellipsis.
# - No fenced block shows `ringcast` without the `$`, which would pass unseen.
# With RC_SHORT set every third fenced block is run: its commands may build on one another.
#
# usage: test_docs.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/here"
ln -s "$build/ringcast" "$work/bin/ringcast"
# Commands run where the data folders are seen and nothing of the tree can be written over by a plain name.
for f in scenarios models docs tests; do ln -s "$root/$f" "$work/here/$f"; done
cp -R results "$work/here/results"
export PATH=$work/bin:$PATH LC_ALL=C
failed=0 commands=0 lines=0 slow=0 blocks=0
complain() { echo "$*"; failed=1; }
steady() { sed -E 's/[0-9.]+ (ms wall|s wall|M events\/s)/N \1/g; s/ +$//'; }

# check PLACE COMMAND SHOWN-FILE
check() {
    local place=$1 text=$2 shown=$3 expected=0 status=0 missing
    if [[ $text =~ \#\ +[0-9.]+\ +(s|min)$ ]]; then
        slow=$((slow + 1))
        return
    fi
    if [ -n "${RC_SHORT:-}" ] && [ $((blocks % 3)) -ne 0 ]; then return; fi
    if [[ $text =~ \#\ +exit\ +([0-9]+)$ ]]; then expected=${BASH_REMATCH[1]}; fi
    commands=$((commands + 1))
    (cd "$work/here" && bash -c "${text% #*}") >"$work/said" 2>&1 </dev/null || status=$?
    [ $status -eq "$expected" ] || complain "$place: '$text' ends with $status, not $expected: $(tail -n 3 "$work/said")"
    steady <"$work/said" >"$work/steady"
    grep -vxE ' *(\.\.\.)?' "$shown" | steady >"$work/expected" || true
    lines=$((lines + $(wc -l <"$work/expected")))
    missing=$(grep -vxFf "$work/steady" "$work/expected" || true)
    [ -z "$missing" ] || complain "$place: '$text' does not print:"$'\n'"$missing"
}

blocks_of() { # FILE: checks every command of its fenced blocks
    local line number=0 inside=no place='' text=''
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        if [[ $line == '```'* ]] || { [ $inside = yes ] && [[ $line == '$ '* ]]; }; then
            if [ -n "$text" ]; then check "$place" "$text" "$work/shown"; fi
            text=''
        fi
        if [[ $line == '```'* ]]; then
            if [ $inside = yes ]; then inside=no; else inside=yes blocks=$((blocks + 1)); fi
        elif [ $inside = yes ] && [[ $line == '$ ringcast '* ]]; then
            text=${line#'$ '} place=$1:$number
            : >"$work/shown"
        elif [ $inside = yes ] && [[ $line == 'ringcast '* ]]; then
            complain "$1:$number: a command without '\$ '"
        elif [ -n "$text" ]; then
            printf '%s\n' "$line" >>"$work/shown"
        fi
    done <"$1"
    [ $inside = no ] || complain "$1: a fence is not closed"
}

names_of() { # FILE: linked files, and names in backquotes
    local name
    while IFS= read -r name; do
        [ -e "$(dirname "$1")/$name" ] || complain "$1: links to $name, which is not there"
    done < <(grep -oE '\]\([^)# ]+' "$1" | sed 's/^](//' | grep -v '^https*:' | sort -u || true)
    while IFS= read -r name; do
        [ -e "$name" ] || complain "$1: names $name, which is not there"
    done < <(grep -oE '`(scenarios|models|results|docs|sim|calib|kernels|tests)/[A-Za-z0-9_./-]*`' "$1" | tr -d '`' |
        grep -vE '/[A-Z_]+(\.|/|$)|X' | sort -u || true)
}

for f in README.md docs/*.md; do
    blocks_of "$f"
    names_of "$f"
done
[ $blocks -ge 8 ] && { [ -n "${RC_SHORT:-}" ] || [ $lines -ge 100 ]; } || complain "only $blocks blocks and $lines lines: the documents are not read right"
echo "$commands commands run, $lines lines of their output found, $slow commands too slow to run here"
exit $failed
