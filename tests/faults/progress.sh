#!/usr/bin/env bash
# Progress on a terminal, of every command that shows it: how many are done grows and never exceeds how many there are, of
# which there are as many as there were to do, and the line is wiped before the answer. Time flies (tests/faults/preload.c), so that
# quick runs show it; in a pipe there is none.
#
# usage: progress.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
preload=$build/tests/libfault_preload.so
[ -e "$preload" ] || { echo "SKIPPED: no $preload"; exit 77; }
command -v script >/dev/null || { echo "SKIPPED: no script (Debian: bsdutils)"; exit 77; }
die() { echo "$*"; exit 1; }

# shown LABEL TOTAL ARGUMENTS...: TOTAL is a number, or - where the command decides it as it goes on
shown() {
    local label=$1 total=$2
    shift 2
    printf 'LD_PRELOAD=%q RC_CLOCK_STEPS=1 exec %q' "$preload" "$build/ringcast" >"$work/run"
    printf ' %q' "$@" >>"$work/run"
    TERM=xterm script -qec "bash $work/run" /dev/null </dev/null >"$work/terminal" 2>&1 || die "$*: $(cat "$work/terminal")"
    grep -aoE "$label: [0-9]+ of [0-9]+" "$work/terminal" | awk '{ print $(NF - 2), $NF }' >"$work/steps" || true
    [ -s "$work/steps" ] || die "$1 shows no progress"
    awk -v total="$total" '$1 > $2 || $1 < last { exit 1 } total != "-" && $2 != total { exit 1 } { last = $1 }' "$work/steps" ||
        die "$1: $(tr '\n' ';' <"$work/steps")"
    # behind the last sign that wipes the line stands the answer, or nothing
    awk -v RS='\r\033\\[K' -v label="$label: " '{ last = $0 } END { exit index(last, label) == 1 }' "$work/terminal" ||
        die "$1 leaves its progress behind"
    "$build/ringcast" "$@" >"$work/out" 2>"$work/pipe" || die "$*: $(cat "$work/pipe")"
    ! grep -aq "$label: [0-9]" "$work/pipe" || die "$1 shows progress in a pipe"
}
"$build/ringcast" init sweep --out "$work/sweep.yaml" >/dev/null
"$build/ringcast" init plan --out "$work/plan.yaml" >/dev/null
points=$("$build/ringcast" sweep "$work/sweep.yaml" --out "$work/a.db" --json 2>/dev/null | awk '$1 == "\"points\":" { print $2 + 0 }')
shown serve 200 serve scenarios/serve/azure-code.yaml --set arrivals.requests=200
shown my-sweep "$points" sweep "$work/sweep.yaml" --out "$work/b.db" --threads 1 --overwrite
shown my-plan - plan "$work/plan.yaml" --simulations 8
echo "three commands show progress on a terminal, and wipe it"
