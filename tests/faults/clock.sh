#!/usr/bin/env bash
# Clocks that step while a command runs, the time of the day ahead and back by hours and the other ahead by minutes: every
# command says the same as without, but for how long it took, ends with 0 and does not wait.
#
# usage: clock.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
preload=$build/tests/libfault_preload.so
ringcast=$build/ringcast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
cd "$root"
if [ ! -e "$preload" ] || [ "$(LD_PRELOAD=$preload RC_STARVE_COUNT=$work/n "$ringcast" --help >/dev/null 2>&1; cat "$work/n" 2>/dev/null || echo 0)" = 0 ]; then
    echo "SKIPPED: nothing can be put before the libraries of $ringcast"
    exit 77
fi
wrong=0
say() {
    echo "WRONG $name, seed $seed: $*" >&2
    wrong=$((wrong + 1))
}
plain() { grep -vE 'wall|events/s|seconds' "$1" || true; }
check() { # NAME FILE-OR-- ARGS...: the file is compared as well
    name=$1 file=$2 seed=0
    shift 2
    rm -rf "$work/o" && mkdir "$work/o"
    (cd "$work/o" && "$ringcast" "${@//ROOT/$root}" >"$work/right" 2>"$work/err") || { cat "$work/err"; echo "$name does not run"; exit 1; }
    [ "$file" = - ] || cp "$work/o/$file" "$work/kept"
    for seed in 1 2 3; do
        rm -rf "$work/o" && mkdir "$work/o"
        local status=0 start=$SECONDS
        (cd "$work/o" && LD_PRELOAD=$preload RC_CLOCK_STEPS=$seed timeout 60 "$ringcast" "${@//ROOT/$root}" >"$work/out" 2>"$work/err") || status=$?
        [ $status = 0 ] || say "exit $status: $(head -c 200 "$work/err")"
        cmp -s <(plain "$work/right") <(plain "$work/out") || say "another answer: $(diff <(plain "$work/right") <(plain "$work/out") | sed -n 1,4p)"
        [ "$file" = - ] || cmp -s "$work/kept" "$work/o/$file" || say "another $file"
        [ $((SECONDS - start)) -lt 30 ] || say "it waited $((SECONDS - start)) s"
    done
    echo "$name: the same under three sequences of steps"
}
check forward - forward ROOT/scenarios/paper/cp4-128k.yaml
check serve rows.csv serve ROOT/scenarios/serve/azure-code.yaml --set arrivals.requests=200 --quiet --requests rows.csv
check sweep sweep.db sweep ROOT/scenarios/paper/cp4-128k.yaml --out sweep.db --set 'tokens.new=[1K, 2K]' --quiet
check tune ringcast_select.h tune ROOT/scenarios/tune/gtt.yaml --set new.points=4 --set total.points=4 --set 'cp=[1, 2, 4]' --set bootstrap=0 --set knots=3 --set requests.limit=2 --no-plots --out .
check choose - choose --T 4K --P 100K --cp 4 --model llama-3.1-405b --machine gtt --json
[ $wrong = 0 ]
