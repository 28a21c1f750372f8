#!/usr/bin/env bash
# What an answer rests on stands on every answer, in text and in --json, as shares of one; what a rule priced says
# `modelled`; what is fastest and not the answer says why; a tuned rule is refused where it was not tuned.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }
rc() { "$build/ringcast" "$@"; }
share() { # BASIS < text: the first share of that basis, 0 when there is none
    grep '^costs ' | sed -n 1p | grep -o "$1 [0-9.]* %" | grep -o '[0-9.]\+' || echo 0
}
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }
sums_to_one() { # NAME FILE: every object cost_sources of a JSON adds up to one
    awk -v name="$1" '
        /"cost_sources": \{/ { sum = 0; inside = 1; next }
        inside && /\}/ { inside = 0; seen++; if (sum < 0.999999 || sum > 1.000001) { print name ": shares add up to " sum; exit 1 } }
        inside { gsub(/[,]/, "", $2); sum += $2 }
        END { if (!seen) { print name ": no cost_sources"; exit 1 } }' "$2"
}

# Two prompts in one launch: their attention is priced by a rule. One prompt's was measured.
one=$(rc forward scenarios/paper/tp8-8k.yaml --draws 0)
two=$(rc forward scenarios/paper/tp8-8k.yaml --draws 0 --set batch=2)
attention=$(awk '$1 == "attention" { print $3 }' <<<"$two")
above "$(share modelled <<<"$two")" "$(awk -v a="$attention" 'BEGIN { print 0.9 * a }')" ||
    fail "attention of two sequences is $attention % of the path, modelled $(share modelled <<<"$two") %"
above 1 "$(share modelled <<<"$one")" || fail "one sequence is modelled for $(share modelled <<<"$one") %"
# A number of a file is stated; a fitted one is a model's.
above "$(rc forward scenarios/paper/gti-cp4-128k.yaml --draws 0 --set machine.ring_step=0.5ms | share 'stated in a file')" 2 || fail "a ring_step that was set is not stated"
above 1 "$(rc forward scenarios/paper/cp4-128k.yaml --draws 0 | share 'stated in a file')" || fail "GTT's fitted ring_step is stated"
slow=$(rc forward scenarios/paper/cp4-128k.yaml --draws 0 --set what_if.slow_rank=3 --set what_if.slow_speed=0.5)
above "$(share 'stated in a file' <<<"$slow")" 80 || fail "a rank at half speed is stated for $(share 'stated in a file' <<<"$slow") %"

# forward and choose: the fastest, and why it is not the answer
grep -q 'all-gather-kv.*ring_step.*nobody has measured it' <<<"$(rc forward scenarios/paper/cp4-128k.yaml --draws 0)" || fail "forward: no caution"
! grep -q '^asked for: .*fastest.*all-gather-kv' <<<"$(rc forward scenarios/paper/cp4-128k.yaml --draws 0)" || fail "forward: all-gather wins by host work"
grep -q '^asked for: CP4 x TP8 pass-q; fastest of the alternatives: CP4 x TP8 pass-kv, ' <<<"$(rc forward scenarios/paper/cp4-128k-pass-q.yaml --draws 0)" ||
    fail "forward does not say what is faster"
grep -q '^caution: counts ring_step' <<<"$(rc forward scenarios/paper/cp4-128k.yaml --draws 0 --set parallel.variant=all-gather-kv)" ||
    fail "forward all-gather-kv: no caution"
question=(--T 3200 --P 124800 --machine gtt --model llama-3.1-405b --cp 4)
text=$(rc choose "${question[@]}")
! grep -q '^answer .*fastest .*all-gather-kv' <<<"$text" || fail "choose: all-gather wins by host work: $text"
grep -q 'all-gather-kv.*ring_step not measured for it' <<<"$text" || fail "choose: no caution"
above "$(share modelled <<<"$text")" 1 || fail "choose does not say what its answer rests on"
text=$(rc choose --T 8K --P 120K "${question[@]:4}" --set machine.ring_step=0 --set machine.ring_step_cached=0)
grep -q '^answer .*, the fastest$' <<<"$text" || fail "without ring_step the answer is the fastest: $text"
! grep -q caution <<<"$text" || fail "a caution without ring_step"

# a machine whose file says nothing of its engine: that its ring steps are free is said
without=(--T 3200 --P 12800 --machine h100-sxm --model llama-3.1-70b --cp 4)
grep -q '^# ring steps are taken to cost the host nothing' <<<"$(rc choose "${without[@]}")" || fail "choose takes ring steps as free and says nothing"
! grep -q 'taken to cost' <<<"$(rc choose "${without[@]}" --set machine.engine.profile=paper)" || fail "an assumption beside a profile"
! grep -q 'taken to cost' <<<"$text" || fail "an assumption on gtt"
# every answer's JSON
rc forward scenarios/paper/cp4-128k.yaml --draws 0 --json >"$work/forward.json"
rc choose "${question[@]}" --json >"$work/choose.json"
rc serve scenarios/serve/coding-mixed.yaml --quiet --json --set arrivals.requests=60 >"$work/serve.json"
rc sweep scenarios/sweep/tcp.yaml --out "$work/s.db" --json --set 'tokens.new=[8K]' --set 'tokens.cached=[0]' >"$work/sweep.json" 2>/dev/null
rc tune scenarios/tune/gtt.yaml --set new.points=8 --set total.points=8 --set 'cp=[1, 2, 4]' --set bootstrap=0 --set draws=4 \
    --set knots=4 --set sensitivity.cp=4 --set requests.limit=40 --no-plots --quiet --out "$work/t" >/dev/null
cp "$work/t/summary.json" "$work/tune.json"
rc plan scenarios/plan/llama405b-128k.yaml --quiet --json --set synthetic.requests=20 --set 'space.tp=[8]' --set 'space.cp=[8]' \
    --set 'space.pools=[disaggregated]' --set 'space.kv=[bf16]' --set 'space.max_batch=[8]' --set 'space.scheduler=[prefill-first]' \
    --set 'space.replicas=[1]' --set search.seeds=1 >"$work/plan.json"
for name in forward choose serve sweep tune plan; do sums_to_one "$name" "$work/$name.json" || exit 1; done
bad=$(sqlite3 "$work/s.db" "SELECT count(*) FROM point WHERE abs(measured + transferred + published + extrapolated + modelled + stated - 1) > 1e-9")
[ "$bad" = 0 ] || fail "$bad points of a sweep whose shares do not add up to one"
grep -q '^costs of the busy time: ' <<<"$(rc serve scenarios/serve/coding-mixed.yaml --quiet --set arrivals.requests=60)" || fail "serve says nothing"
# a tuned rule knows its place
covered() {
    rc choose --T 3200 --P 100K --machine gtt --model llama-3.1-405b --cp 4 --rule "$work/t/select.json" "$@"
}
refused() { # WHAT FLAGS...
    local status=0 text what=$1
    shift
    text=$(covered "$@" 2>&1) || status=$?
    [ "$status" = 2 ] || fail "$* with a tuned rule ends with $status"
    grep -q 'llama-3.1-405b.*gtt.*CP1 to CP4' <<<"$text" || [ "$what" = "--set" ] || fail "$*: the file's cover is not told: $text"
    grep -q -- "found $what" <<<"$text" || fail "$*: expected 'found $what': $text"
}
grep -q '^answer .*select.json' <<<"$(covered)" || fail "a tuned rule is refused where it was tuned"
refused 'machine gti' --machine gti
refused 'model llama-3.1-70b' --model llama-3.1-70b
refused CP8 --cp 8
refused TP16 --tp 16
refused 'FFN weights bf16' --ffn-weights bf16
refused 'T = 10' --T 10
refused 'T + P = 2003200' --P 2M
refused 'a batch of 9' --batch 9
refused --set --set machine.peer_rate=20GB/s
printf 'T,P,pass_kv_ms,pass_q_ms\n3200,2M,10,9\n' >"$work/far.csv"
status=0
text=$(rc tune scenarios/tune/gtt.yaml --set new.points=8 --set total.points=8 --set 'cp=[1, 2, 4]' --set bootstrap=0 --set draws=4 --set knots=4 \
    --set sensitivity.cp=4 --set requests.limit=1 --set "measured.file=$work/far.csv" --no-plots --quiet --out "$work/u" 2>&1) || status=$?
[ "$status" = 2 ] || fail "measured rows far outside end with $status"
grep -q 'found T + P = 2003200' <<<"$text" || fail "measured rows far outside: $text"
echo "provenance on forward, choose, serve, sweep, tune, plan; a tuned rule refused outside its cover"
