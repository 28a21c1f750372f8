#!/usr/bin/env bash
# The program with the schedule head-split, one file and one line (head_split.c): every command takes its name, offers
# it beside the others, and knows its bytes; what is evaluated equals what is simulated to the tick. And with the form of
# layer mixer, likewise (layer_mixer.c), in a model of three such layers before each dense one (mixed.json).
#
# usage: test_extend_program.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$build/tests/ringcast_extended
fail() { echo "$*"; exit 1; }
refused() { # TEXT COMMAND...
    local text=$1 got status=0
    shift
    got=$("$program" "$@" 2>&1) || status=$?
    [ "$status" = 2 ] || fail "$* ends with $status: $got"
    grep -qF "$text" <<<"$got" || fail "$* does not say \"$text\": $got"
}
says() { # PATTERN COMMAND...
    local pattern=$1 got
    shift
    got=$("$program" "$@") || fail "$*: failed"
    grep -qE "$pattern" <<<"$got" || fail "$* does not say \"$pattern\": $got"
}
near() { # NAME GOT EXPECTED, to 1e-6
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a / b - 1 < 1e-6 && 1 - a / b < 1e-6) }' || fail "$1 is $2, expected $3"
}
cp4=(forward scenarios/paper/cp4-128k.yaml --draws 0 --set parallel.variant=head-split)

! grep -rq head-split sim || fail "sim/ knows of a schedule that is not its own"

# Names.
refused ", head-split, helix (did you mean 'head-split'?)" \
    "${cp4[@]}" --set parallel.variant=head-spilt
refused "variant 'head-split' takes no decode steps; a mixed pass takes pass-kv, pass-q, " \
    "${cp4[@]}" --set phase=mixed
refused "variant 'pass-kv' is a prefill schedule; decode takes pass-q, " \
    "${cp4[@]}" --set parallel.variant=pass-kv --set phase=decode --set tokens.new=1 --set tokens.cached=128K
refused "head-split cuts the heads of a GPU, 16 and 1 of KV, over the ranks: cp 3 does not divide them" \
    "${cp4[@]}" --set parallel.cp=3
refused "a slow link is modelled under messages from rank to rank, of which variant 'head-split' has none" \
    "${cp4[@]}" --set what_if.slow_link_rank=1 --set what_if.slow_link=0.5

# Bytes of one GPU: 16 query heads and 1 KV head of 128, 32,000 of 128,000 tokens, bf16. One KV head cannot be cut
# over 4 ranks, so each holds all 128,000 tokens of it: 128000 x 126 layers x 512 B. Buffers: 4 x 32000 x 4096 B of
# queries and outputs, and 5 x 32000 x 512 B of keys and values.
"$program" "${cp4[@]}" --json >"$work/cp4"
number() { # KEY FILE: the first number of this name
    grep -oE "\"$1\": [-0-9.e+]+" "$2" | sed -n 1p | grep -oE '[-0-9.e+]+$'
}
near KV "$(number kv "$work/cp4")" 8257536000
near buffers "$(number buffers "$work/cp4")" 606208000

# Two all-to-alls a layer, of queries and of outputs, 32000 x 4096 B of a GPU. Over four nodes 3/4 of them leave
# through a NIC of 46 GB/s, after one hop of 36.72 us.
all_to_all=$(grep -A 2 '"all-to-all"' "$work/cp4" | grep -oE '"busy_ms": [0-9.]+' | grep -oE '[0-9.]+$')
near "all-to-all, ms," "$all_to_all" "$(awk 'BEGIN { print 126 * 2 * (0.03672 + 0.75 * 32000 * 4096 / 46e6) }')"

# Llama 3.1 8B without TP has 8 KV heads, which four ranks do cut.
"$program" "${cp4[@]}" --set model=llama-3.1-8b --set parallel.tp=1 --json >"$work/8b"
near "KV of 8 heads" "$(number kv "$work/8b")" $((128000 * 32 * 4096 / 4))

# Evaluated, and every GPU and layer simulated: --stats fails when they differ by a tick.
for case in "tokens.new=128K" "tokens.new=100001" "tokens.new=3200 tokens.cached=124800" "host=graph" "tokens.new=8K batch=3" \
    "model=llama-3.1-8b parallel.tp=2 tokens.new=8191" "model=llama-3.1-8b parallel.tp=1 parallel.cp=16 tokens.new=64K" "what_if.slow_rank=2 what_if.slow_speed=0.7" "parallel.cp=1" \
    "phase=decode tokens.new=1 tokens.cached=128K host=graph" "phase=decode tokens.new=1 tokens.cached=8K batch=10 host=eager"; do
    sets=()
    for set in $case; do sets+=(--set "$set"); done
    says "evaluated the same to the picosecond" "${cp4[@]}" "${sets[@]}" --stats
done

# Offered beside the others, and left out where it cannot be.
others=(forward scenarios/paper/cp4-128k.yaml --draws 0)
says "^alternative CP4 x TP8 head-split +[0-9]" "${others[@]}"
says "^alternative CP3 x TP8 head-split +not possible: head-split cuts" "${others[@]}" --set parallel.cp=3
choose=(choose --T 128000 --P 0 --machine gtt --model llama-3.1-405b)
says "^ +4  head-split +[0-9]" "${choose[@]}" --cp 4
says "^ +2  head-split +[0-9]" "${choose[@]}" --cp 4
says "^ +3  head-split .*cp 3 does not divide" "${choose[@]}" --cp 3
says ", head-split, helix" keys forward
says "^  head-split +any +yes +yes +every rank attends" keys schedules

# The time that a sweep gives, by another evaluator, is that of forward.
sed 's/variant: .*}/variant: [head-split]}/' scenarios/paper/cp4-128k.yaml | sed 's/^scenario:/sweep: {}\n&/' >"$work/sweep.yaml"
"$program" sweep "$work/sweep.yaml" --out "$work/sweep.db" --quiet >/dev/null
near "a sweep's time" "$(sqlite3 "$work/sweep.db" "SELECT 1000 * time_s FROM point WHERE variant = 'head-split'")" \
    "$(number ttft_ms "$work/cp4")"

# Serving, and a plan: chunked passes are left out of it, for it takes no decode steps beside prompts.
sed 's/tp: 8}/tp: 8, cp: 2, variant: head-split}/' scenarios/serve/azure-code.yaml >"$work/serve.yaml"
says "CP2.TP8 mixed \(head-split\)" serve "$work/serve.yaml" --set arrivals.requests=20
refused "chunked passes decode beside prompts, which head-split" \
    serve "$work/serve.yaml" --set arrivals.requests=20 --set scheduler.policy=chunked
refused "head-split cuts the heads" serve "$work/serve.yaml" --set pools.0.cp=3 --set arrivals.requests=20
sed 's/tp: 8}/tp: 8, cp: 8, variant: head-split, dynamic_cp: true}/' scenarios/serve/azure-code.yaml >"$work/dynamic.yaml"
says "CP8.TP8 mixed \\(head-split\\)" serve "$work/dynamic.yaml" --set arrivals.requests=20
says "best: .* head-split, prefill first" plan scenarios/plan/coding.yaml --quiet --set 'space.variant=[head-split]' \
    --set 'space.scheduler=[prefill-first, chunked]' --set 'space.cp=[2]' --set 'space.pools=[mixed]' \
    --set 'space.dynamic_cp=[false]' --set search.simulations=2 --set search.seeds=0 --set arrivals.requests=100
echo "one file and one line: head-split"

# A model of two forms.
mixed=tests/extend/mixed.json
grep -q '"form": "mixer"' $mixed
says '^60 layers mixer, FFN 28672: no attention$' model $mixed
says '^KV cache 81920 bytes a token' model $mixed # 20 layers x 8 KV heads x 256 x 2 bytes
for variant in pass-kv pass-q head-split; do
    says 'evaluated the same to the picosecond$' forward scenarios/paper/cp4-128k.yaml --draws 0 --stats \
        --set model=$mixed --set parallel.variant=$variant
done
says '^answer .*fastest' choose --T 3200 --P 124800 --machine gtt --model $mixed --cp 4
says '^requests 200: done 200' serve scenarios/serve/mooncake.yaml --set model=$mixed --set arrivals.requests=200
status=0
got=$("$build/ringcast" model $mixed 2>&1) || status=$?
[ "$status" = 2 ] || fail "the program without the mixer ends with $status: $got"
grep -qF "layers of the form 'mixer', which is not modelled" <<<"$got" || fail "the program without the mixer says: $got"
