#!/usr/bin/env bash
# A replica is lost while keys and values are on their way to it: the timeline has them end there, as dropped, the request is
# tried again, and all are served; without the fault none is dropped.
#
# usage: test_serve_dropped.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "$*"; exit 1; }
serve() { # FILE SETS...
    local sets=() one
    for one in "${@:2}"; do sets+=(--set "$one"); done
    "$ringcast" serve scenarios/serve/coding-split.yaml --quiet --set arrivals.requests=12 --set machine.peer_rate=0.2GB/s \
        "${sets[@]}" --trace "$work/$1.json" --overwrite >"$work/$1" 2>"$work/err" || die "$(cat "$work/err")"
    # of each transfer as the sender's track has it: start and length in us, whether it was dropped
    grep '"ph":"X".*"name":"KV"' "$work/$1.json" |
        sed -E 's/.*"ts":([0-9.]+),"dur":([0-9.]+).*"args":(.*)/\1 \2 \3/' |
        awk '{ print $1, $2, /"dropped":1/ ? 1 : 0 }' | sort -u >"$work/$1.moves"
}
serve healthy
awk '$3 { exit 1 }' "$work/healthy.moves" || die "a transfer is dropped without a fault"
read -r from took _ < <(sort -k2 -n "$work/healthy.moves" | tail -n 1)
at=$(awk -v from="$from" -v took="$took" 'BEGIN { printf "%.0f", from + took / 2 }')
serve faulty "faults=[{kind: node-lost, pool: decode, at: ${at}us, back: $((at + 1000000))us}]"
[ "$(awk '$3' "$work/faulty.moves" | wc -l)" -ge 1 ] || die "no transfer is dropped: $(cat "$work/faulty.moves")"
awk -v at="$at" '$3 && ($1 + $2 < at - 1 || $1 + $2 > at + 1) { exit 1 }' "$work/faulty.moves" || die "dropped at another time than $at us"
grep -q 'done 12, rejected 0, lost 0' "$work/faulty" || die "$(grep requests "$work/faulty")"
grep -qE 'tried again [1-9]' "$work/faulty" || die "nothing is tried again: $(grep requests "$work/faulty")"
echo "what is on its way to a lost replica is dropped at $at us and comes again"
