#!/usr/bin/env bash
# Slow ranks and slow links of a served cluster: one that nobody can feel changes nothing, but for the count of events, where every pass is
# simulated; a slower one never makes the mean TTFT or TTIT shorter, and a much slower one makes it longer; what is over
# when the first request comes, and what begins behind the last, changes nothing; a lost replica comes back.
#
# usage: test_serve_faults.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$ringcast" init serve --out "$work/s.yaml" >/dev/null
die() { echo "$*"; exit 1; }
# serve NAME SETS...: NAME.json, of every pass simulated
serve() {
    local name=$1
    shift
    local sets=() one
    for one in "$@"; do sets+=(--set "$one"); done
    "$ringcast" serve "$work/s.yaml" --exact --quiet --json --set synthetic.requests=30 "${sets[@]}" 2>"$work/err" |
        grep -vE 'wall_s|"events"' >"$work/$name.json" || die "$*: $(cat "$work/err")"
}
mean() { awk -v key="\"$1\":" '$1 == key { on = 1 } on && $1 == "\"mean\":" { print $2 + 0; exit }' "$work/$2.json"; }
same() { diff "$work/$1.json" "$work/$2.json" || die "$2 is not $1"; }
longer() { # METRIC A B: B's is longer
    awk -v a="$(mean "$1" "$2")" -v b="$(mean "$1" "$3")" 'BEGIN { exit !(b > a * 1.001) }' || die "$1 of $3 is not longer than of $2"
}
no_shorter() {
    awk -v a="$(mean "$1" "$2")" -v b="$(mean "$1" "$3")" 'BEGIN { exit !(b >= a) }' || die "$1 of $3 is shorter than of $2"
}

for cp in 1 2; do
    layout=("pools.0.cp=$cp" "pools.0.tp=$((8 / cp))")
    serve healthy$cp "${layout[@]}"
    serve early$cp "${layout[@]}" 'faults=[{kind: slow-rank, at: 0s, back: 1us, speed: 0.1}]'
    serve late$cp "${layout[@]}" 'faults=[{kind: slow-rank, at: 1000000s, speed: 0.1}]'
    same healthy$cp early$cp
    same healthy$cp late$cp
    last=healthy$cp
    for speed in 0.9 0.5 0.2; do
        serve rank$cp-$speed "${layout[@]}" "faults=[{kind: slow-rank, at: 0s, rank: $((cp - 1)), speed: $speed}]"
        longer ttft_ms $last rank$cp-$speed
        longer ttit_ms $last rank$cp-$speed
        last=rank$cp-$speed
    done
done
serve no_ring pools.0.cp=1 pools.0.tp=8 'faults=[{kind: slow-link, at: 0s, rank: 0, speed: 0.1}]'
same healthy1 no_ring # a ring of one rank has no link
last=healthy2
for speed in 0.9 0.1 0.01; do
    serve link-$speed pools.0.cp=2 pools.0.tp=4 "faults=[{kind: slow-link, at: 0s, rank: 1, speed: $speed}]"
    no_shorter ttft_ms $last link-$speed
    last=link-$speed
done
longer ttft_ms healthy2 link-0.01
serve one_slow pools.0.cp=1 pools.0.tp=8 'faults=[{kind: slow-rank, at: 0s, replica: 0, speed: 0.2}, {kind: slow-rank, at: 0s, replica: 1, speed: 0.2}]'
longer ttft_ms rank1-0.2 one_slow # both replicas are slow, not one of them
serve lost pools.0.cp=1 pools.0.tp=8 'faults=[{kind: node-lost, at: 2s, back: 20s, replica: 0}]'
longer ttft_ms healthy1 lost
serve gone pools.0.cp=1 pools.0.tp=8 'faults=[{kind: node-lost, at: 2s, replica: 0}]'
no_shorter ttft_ms lost gone
grep -q '"done": 30,' "$work/gone.json" || die "a lost replica takes requests with it"
echo "slow ranks, slow links and a lost replica do what they say"
