#!/usr/bin/env bash
# What a small file may make the program allocate: files of a few hundred bytes that ask for as much as a number can say.
# Each is refused (2), or done, within 1.5 GB of address space and 20 s; none ends by running out of memory (3), by a
# signal, or by its time.
#
# usage: limits.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
ringcast=$build/ringcast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
cd "$root"
if ! (ulimit -v 1500000 && "$ringcast" --help >/dev/null 2>&1); then
    echo "SKIPPED: $ringcast does not start within 1.5 GB of address space (a sanitizer's shadow)"
    exit 77
fi
wrong=0 count=0
# ask NAME EXPECTED COMMAND...: EXPECTED 2, 0, 1 or a list of them
ask() {
    local name=$1 expected=$2 status=0
    shift 2
    (ulimit -v 1500000 && exec timeout 20 "$ringcast" "$@") >"$work/out" 2>"$work/err" </dev/null || status=$?
    count=$((count + 1))
    if [[ " $expected " != *" $status "* ]]; then
        echo "WRONG $name: exit $status, expected $expected: $(tail -n 1 "$work/err" | cut -c1-250)"
        wrong=$((wrong + 1))
    fi
}
forward=(forward scenarios/paper/cp4-128k.yaml)
ask "a pass of 10^12 tokens" 2 "${forward[@]}" --set tokens.new=1000000000000
ask "10^9 sequences" 2 "${forward[@]}" --set tokens.sequences=1000000000
ask "10^9 ranks" 2 "${forward[@]}" --set parallel.cp=1000000000
ask "4096 ranks unfolded" "0 2" "${forward[@]}" --set parallel.cp=4096 --unfold
ask "10^9 draws" 2 "${forward[@]}" --draws 1000000000
ask "4 GPUs of 10^9 TP" 2 "${forward[@]}" --set parallel.tp=1000000000

serve() { # REST-OF-THE-FILE
    printf 'serve: limits\nmodel: llama-3.1-8b\nmachine: h100-sxm\n%s\n' "$1" >"$work/serve.yaml"
}
linear='costs: {prefill: 5ms, decode: 10ms}'
some='synthetic: {requests: 10, rate: 1}'
serve "pools: [{name: a, tp: 8, replicas: 1000000000}]
$linear
$some"
ask "10^9 replicas" 2 serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
$linear
synthetic: {requests: 1000000000000, rate: 1}"
ask "10^12 requests" 2 serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
kv: {tokens: 1000000000000000}
$linear
$some"
ask "a cache of 10^15 tokens" "0 2" serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
kv: {tokens: 1000000000, block: 1, host_memory: 1000TB}
$linear
$some"
ask "a cache of 10^9 blocks and as many in host memory" "0 2" serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
scheduler: {max_batch: 1000000000}
$linear
$some"
ask "a batch of 10^9" 2 serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
$linear
synthetic: {requests: 10, rate: 1, shared_prefix: 1000000000000, groups: 1000000000}"
ask "prefixes of 10^12 tokens in 10^9 groups" 2 serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
$linear
synthetic: {requests: 10, rate: 1, input: {kind: constant, mean: 1000000000000}}"
ask "prompts of 10^12 tokens" 2 serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
$linear
synthetic: {requests: 10, rate: 1, output: {kind: constant, mean: 1000000000000}}"
ask "replies of 10^12 tokens" 2 serve "$work/serve.yaml"
serve "pools: [{name: a, tp: 8}]
$linear
synthetic: {requests: 1000, rate: 1, turns: {kind: constant, mean: 1000000000}}"
ask "sessions of 10^9 turns" 2 serve "$work/serve.yaml"
ask "10^9 replications" 2 serve scenarios/serve/azure-code.yaml --replications 1000000000
ask "10^6 rates" 2 serve scenarios/serve/azure-code.yaml --rates 1..2 --points 1000000
ask "10^9 threads" "0 2" serve scenarios/serve/azure-code.yaml --set arrivals.requests=20 --quiet --threads 1000000000

# Traces: a line that never ends, many columns, a few rows with as many tokens as can be said, far times.
head -c 40000000 /dev/zero | tr '\0' 'x' | xz -0 -c >"$work/line.xz"
ask "one line of 40 MB in a file of $(stat -c %s "$work/line.xz") bytes" 2 trace "$work/line.xz"
head -c 40000000 /dev/zero | gzip -1 -c >"$work/zero.gz"
ask "40 MB of zeros in a .gz" 2 trace "$work/zero.gz"
{ printf 'arrived_at,num_prefill_tokens,num_decode_tokens'; for ((i = 0; i < 20000; i++)); do printf ',c%d' $i; done; printf '\n1,1,1\n'; } >"$work/wide.csv"
ask "20,000 columns" "0 2" trace "$work/wide.csv"
printf 'arrived_at,num_prefill_tokens,num_decode_tokens\n1,4294967295,4294967295\n' >"$work/most.csv"
ask "a request of 2^32 tokens" 2 trace "$work/most.csv"
printf 'arrived_at,num_prefill_tokens,num_decode_tokens\n0,10,10\n1e15,10,10\n' >"$work/far.csv"
ask "an arrival in 30 million years" 2 trace "$work/far.csv"
printf '{"timestamp": 0, "input_length": 99999999, "output_length": 9, "hash_ids": [1]}\n' >"$work/hash.jsonl"
ask "a prompt of 10^8 tokens with one block named" "0 2" trace "$work/hash.jsonl"

# YAML and JSON: deep, many aliases, one long text.
{ for ((i = 0; i < 50000; i++)); do printf '['; done; } >"$work/deep.yaml"
ask "50,000 brackets" 2 forward "$work/deep.yaml"
{ printf 'a: &a [x, x, x, x, x, x, x, x, x, x]\n'; for l in b c d e f g h i; do printf '%s: &%s [*%s, *%s, *%s, *%s, *%s, *%s, *%s, *%s, *%s, *%s]\n' $l $l ${p:-a}{,,,,,,,,,}; p=$l; done; } >"$work/laughs.yaml"
ask "10^9 by aliases" 2 forward "$work/laughs.yaml"
{ printf 'scenario: "'; head -c 4000000 /dev/zero | tr '\0' 'x'; printf '"\n'; } >"$work/long.yaml"
ask "a name of 4 MB" 2 forward "$work/long.yaml"

# Models: sizes as large as a number.
python_free_model() {
    sed -e "s/\"$1\": *[0-9]*/\"$1\": $2/" models/llama-3.1-8b.json >"$work/model.json"
    grep -q "\"$1\": $2" "$work/model.json" || { echo "models/llama-3.1-8b.json has no $1"; exit 1; }
}
for key in num_hidden_layers hidden_size num_attention_heads num_key_value_heads intermediate_size vocab_size; do
    python_free_model $key 1000000000000000
    ask "$key of 10^15" 2 model "$work/model.json"
    python_free_model $key 2147483647
    ask "$key of 2^31" "0 2" forward scenarios/paper/cp4-128k.yaml --set "model=$work/model.json"
done

# Grids: points of a sweep, cells of a tune, configurations of a plan.
ask "a sweep of 10^18 points" 2 sweep scenarios/paper/cp4-128k.yaml --out "$work/s.db" --set 'tokens.new={from: 1, to: 1000000, points: 1000000}' --set 'tokens.cached={from: 1, to: 1000000, points: 1000000}'
ask "a tune of 10^12 cells" 2 tune scenarios/tune/gtt.yaml --set new.points=1000000 --set total.points=1000000
ask "a bootstrap of 10^9" 2 tune scenarios/tune/gtt.yaml --set bootstrap=1000000000
printf 'plan: p\nmodel: llama-3.1-8b\noffers: [{machine: h100-sxm, price: 2, gpus: 1000000000}]\nslo: [{ttft: 5s}]\nsynthetic: {requests: 10, rate: 2}\nspace: {tp: [8], cp: [1], replicas: {from: 1, to: 1000000000}, pools: [mixed]}\nsearch: {simulations: 2, seeds: 1}\n' >"$work/plan.yaml"
ask "a plan of 10^9 replicas" "0 1 2" plan "$work/plan.yaml" --quiet
ask "a plan of 10^12 requests" 2 plan scenarios/plan/mooncake-10k.yaml --set "arrivals.requests=1000000000000" --quiet
# Calibration rows: a store of one row, sizes as large as can be.
printf 'machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,date,driver,cuda,nccl,kernel,commit,source\nlab,a GPU,burst,gemm,,bf16,9223372036854775807,9223372036854775807,9223372036854775807,0,1e-6,1e-6,1e-6,5,,,,d,r,c,n,k,x,measured\n' >"$work/rows.csv"
ask "a row of 2^63" "0 2" calibration build "$work/rows.csv" --out "$work/rows.db"
echo "$count files and settings, $wrong wrong"
[ $wrong = 0 ]
