#!/usr/bin/env bash
# A cluster of two nodes is two nodes for every command: four nodes of context parallelism are refused by forward,
# choose, tune and serve, refused point by point by a sweep, and left out by a plan.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }
# A plan names its machines, so this one lies where names are looked up.
cp -rs "$PWD/scenarios" "$work/scenarios"
ln -s "$PWD/models" "$work/models"
export RINGCAST_SHARE=$work
two=two
sed 's/^machine: .*/machine: two/; s/^  hop_latency: .*/&\n  max_nodes: 2/' scenarios/machines/gtt.yaml >"$work/scenarios/machines/two.yaml"
refused() {
    local status=0 text
    text=$("$build/ringcast" "$@" 2>&1) || status=$?
    [ "$status" = 2 ] || fail "$1 ends with $status: $text"
    grep -q "4 nodes.*at most 2" <<<"$text" || fail "$1 does not say how many nodes: $text"
}
refused forward scenarios/paper/cp4-128k.yaml --set "machine=$two"
refused forward scenarios/paper/tp32-128k.yaml --set "machine=$two"
refused choose --T 8K --P 120K --machine "$two" --model llama-3.1-405b --cp 4
refused serve scenarios/serve/coding-mixed.yaml --quiet --set "machine=$two" --set arrivals.requests=20 --set pools.0.replicas=1
refused serve scenarios/serve/coding-mixed.yaml --quiet --set "machine=$two" --set arrivals.requests=20 --set pools.0.cp=2
refused tune scenarios/tune/gtt.yaml --set "machine=$two" --set new.points=4 --set total.points=4 --set 'cp=[1, 4]' \
    --set bootstrap=0 --set draws=4 --set knots=3 --set sensitivity.cp=4 --no-plots --quiet --out "$work/tuned"
"$build/ringcast" forward scenarios/paper/cp2-128k.yaml --draws 0 --quiet --set "machine=$two" >"$work/two"
"$build/ringcast" forward scenarios/paper/cp2-128k.yaml --draws 0 --quiet >"$work/any"
cmp -s "$work/two" "$work/any" || fail "two nodes of two are not the same as two nodes of any number"

"$build/ringcast" sweep scenarios/sweep/tcp.yaml --out "$work/s.db" --quiet --set "machine=[$two]" --set 'tokens.new=[8K]' \
    --set 'tokens.cached=[0]' >/dev/null
answers=$(sqlite3 "$work/s.db" "SELECT cp || ':' || count(time_s) FROM point GROUP BY cp ORDER BY cp")
[ "$(tr '\n' ' ' <<<"$answers")" = "2:2 4:0 8:0 16:0 " ] || fail "a sweep's times by CP degree: $answers"

sed "s|machine: h100-sxm|machine: $two|" scenarios/plan/llama405b-128k.yaml >"$work/plan.yaml"
"$build/ringcast" plan "$work/plan.yaml" --quiet --json --set synthetic.requests=40 --set synthetic.rate=0.005 --set slo.0.ttft=60s \
    --set slo.1.ttit=60s \
    --set 'space.tp=[8]' --set 'space.cp=[1, 2, 4]' --set 'space.variant=[oracle]' --set 'space.pools=[mixed]' \
    --set 'space.scheduler=[prefill-first]' --set 'space.kv=[bf16]' --set 'space.max_batch=[8]' --set 'space.replicas=[1, 2]' \
    --set search.seeds=1 >"$work/plan.json" || fail "no plan on two nodes"
grep -q '"gpus": 16\|"gpus": 8' "$work/plan.json" || fail "no plan of one or two nodes: $(head -c 400 "$work/plan.json")"
! grep -q '"gpus": 32' "$work/plan.json" || fail "a plan of four nodes on a cluster of two"
echo "two nodes: forward, choose, tune, serve, sweep and plan keep to them"
