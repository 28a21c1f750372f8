#!/usr/bin/env bash
# What the commands say of a model: a checkpoint's types in times, memory and words, a sequence beyond
# the context, names that are not there. usage: test_model_notes.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
data=$PWD/tests/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "FAILED: $*" >&2
    failed=1
}

# field FILE EXPRESSION: of a JSON document, by SQLite's paths ('$.memory_bytes.weights')
field() { sqlite3 :memory: "select json_extract(readfile('$1'), '$2')"; }
# near A B RATIO: A is within RATIO of B
near() { awk -v a="$1" -v b="$2" -v r="$3" 'BEGIN { d = a / b - 1; exit !(d <= r && d >= -r) }'; }
# says FILE WORDS
says() { grep -qF -- "$2" "$1" || fail "no '$2' in: $(cat "$1")"; }
silent() { if grep -qF -- "$2" "$1"; then fail "'$2' in: $(cat "$1")"; fi; }

cat >"$work/s.yaml" <<YAML
scenario: s
model: llama-3.1-70b
machine: h100-sxm
parallel: {tp: 8, cp: 1, variant: tp}
phase: decode
tokens: {cached: 32K}
YAML
forward() { # NAME SETS...
    local name=$1
    shift
    "$ringcast" forward "$work/s.yaml" --json --draws 0 "$@" >"$work/$name.json" 2>"$work/$name.err" ||
        fail "forward $name: $(cat "$work/$name.err")"
}

# ---- types of a checkpoint -----------------------------------------------------------------------
forward bf16
for name in awq gptq fp8 modelopt_kv8; do
    forward "$name" --set "model=$data/configs/quant_$name.json"
    says "$work/$name.err" "note: the checkpoint of quant_$name is quantised by"
    says "$work/$name.json" "is quantised by"
done
silent "$work/bf16.err" note
[ "$(field "$work/bf16.json" '$.notes')" = "[]" ] || fail "notes of bf16: $(cat "$work/bf16.json")"

# eight GPUs hold an eighth each: bf16 141.1 GB, int4 39.8 GB, fp8 72.7 GB (norms are on every GPU)
for row in "bf16 141.11e9" "awq 39.77e9" "gptq 39.77e9" "fp8 72.67e9" "modelopt_kv8 72.66e9"; do
    read -r name bytes <<<"$row"
    eighth=$(awk -v b="$bytes" 'BEGIN { print b / 8 }')
    near "$(field "$work/$name.json" '$.memory_bytes.weights')" "$eighth" 0.002 ||
        fail "weights of $name"
done
half=$(awk -v k="$(field "$work/bf16.json" '$.memory_bytes.kv')" 'BEGIN { print k / 2 }')
near "$(field "$work/modelopt_kv8.json" '$.memory_bytes.kv')" "$half" 1e-9 || fail "KV of an fp8 cache"

# a decode step reads every weight: fewer bytes, less time; what has no rows is modelled
time_of() { field "$work/$1.json" '$.ttit_ms'; }
below() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }' || fail "$3: $1 is not below $2"; }
below "$(time_of awq)" "$(time_of fp8)" "int4 against fp8"
below "$(time_of fp8)" "$(time_of bf16)" "fp8 against bf16"
below "$(field "$work/awq.json" '$.breakdown."gate-up".critical_ms')" \
    "$(awk -v t="$(field "$work/bf16.json" '$.breakdown."gate-up".critical_ms')" 'BEGIN { print 0.4 * t }')" \
    "gate and up in int4"
says "$work/awq.err" "weights in int4 have not been measured"
below 0.2 "$(field "$work/awq.json" '$.cost_sources.modelled')" "share modelled of int4"

# ---- a scenario's types hold, and it is said ----------------------------------------------------
forward over --set "model=$data/configs/quant_awq.json" --set dtypes.attention_weights=bf16 \
    --set dtypes.ffn_weights=bf16
says "$work/over.err" "weights of the FFN: the answer is for bf16, as asked, though the checkpoint says int4"
[ "$(time_of over)" = "$(time_of bf16)" ] || fail "bf16 as asked: $(time_of over), $(time_of bf16)"

# modelopt's file beside config.json, under either name
mkdir "$work/own"
cp "$data/models/llama-3.1-70b-fp8.json" "$work/own/config.json"
forward plain --set "model=$work/own/config.json"
silent "$work/plain.err" quantised
cp "$data/models/llama-3.1-70b-fp8.hf_quant_config.json" "$work/own/hf_quant_config.json"
forward beside --set "model=$work/own/config.json"
says "$work/beside.err" "is quantised by modelopt: weights of attention fp8, of the FFN fp8, LM head bf16, KV cache fp8"
[ "$(time_of beside)" = "$(time_of modelopt_kv8)" ] || fail "the file beside: $(time_of beside)"

# choose: the checkpoint's types, unless asked otherwise
"$ringcast" choose --T 8K --machine h100-sxm --model "$data/configs/quant_awq.json" --cp 2 \
    >"$work/c.txt" 2>"$work/c.err" || fail "choose: $(cat "$work/c.err")"
says "$work/c.txt" "FFN weights int4"
"$ringcast" choose --T 8K --machine h100-sxm --model "$data/configs/quant_awq.json" --cp 2 \
    --ffn-weights bf16 >"$work/c.txt" 2>"$work/c.err"
says "$work/c.err" "weights of the FFN: the answer is for bf16, as asked, though the checkpoint says int4"

# sweep: each model with its own types
cat >"$work/w.yaml" <<YAML
scenario: w
model: [llama-3.1-70b, $data/configs/quant_awq.json, $data/configs/quant_modelopt_kv8.json]
machine: h100-sxm
parallel: {tp: 8, cp: 1, variant: tp}
phase: decode
tokens: {cached: 32K}
YAML
"$ringcast" sweep "$work/w.yaml" --out "$work/w.db" --quiet 2>"$work/w.err" || fail "sweep"
says "$work/w.err" "quantised by awq"
types=$(sqlite3 "$work/w.db" "select ffn_weights || ' ' || kv from point order by point" | tr '\n' ',')
[ "$types" = "bf16 bf16,int4 bf16,fp8 fp8," ] || fail "types of a sweep: $types"
"$ringcast" sweep "$work/w.yaml" --out "$work/v.db" --quiet --set dtypes.ffn_weights=fp8 2>"$work/v.err"
types=$(sqlite3 "$work/v.db" "select ffn_weights || ' ' || kv from point order by point" | tr '\n' ',')
[ "$types" = "fp8 bf16,fp8 bf16,fp8 fp8," ] || fail "stated types of a sweep: $types"

# ---- beyond the context: forward, choose, serve, plan -------------------------------------------
beyond="is beyond the 40960 that qwen3-32b is meant for"
forward long --set model=qwen3-32b --set tokens.cached=100K
says "$work/long.err" "a sequence of 100001 tokens $beyond"
says "$work/long.json" "$beyond"
forward short --set model=qwen3-32b --set tokens.cached=40K
silent "$work/short.err" note
"$ringcast" choose --T 50K --machine h100-sxm --model qwen3-32b --cp 2 --json >"$work/c.json" 2>"$work/c.err"
says "$work/c.err" "a sequence of 50000 tokens $beyond"
says "$work/c.json" "$beyond"
cat >"$work/t.jsonl" <<JSON
{"timestamp": 0, "input_length": 60000, "output_length": 10}
{"timestamp": 1000, "input_length": 1000, "output_length": 10}
JSON
cat >"$work/v.yaml" <<YAML
serve: v
model: qwen3-32b
machine: h100-sxm
pools: [{name: all, tp: 8, cp: 1}]
arrivals: {trace: $work/t.jsonl, time_unit: ms}
YAML
"$ringcast" serve "$work/v.yaml" --quiet --json >"$work/v.json" 2>"$work/v.err" || fail "serve: $(cat "$work/v.err")"
says "$work/v.err" "a sequence of 60009 tokens $beyond"
says "$work/v.json" "$beyond"
cat >"$work/p.yaml" <<YAML
plan: p
model: qwen3-32b
arrivals: {trace: $work/t.jsonl, time_unit: ms}
offers: [{machine: h100-sxm, price: 2, gpus: 8}]
slo: [{ttft: 100s}]
space: {tp: [8]}
YAML
if "$ringcast" plan "$work/p.yaml" --quiet --json >"$work/p.json" 2>"$work/p.err"; then
    says "$work/p.err" "a sequence of 60009 tokens $beyond"
    says "$work/p.json" "$beyond"
else
    fail "plan: $(cat "$work/p.err")"
fi

# ---- names that are not there --------------------------------------------------------------------
told() { # WORDS COMMAND...
    local words=$1
    shift
    if "$ringcast" "$@" >"$work/n.out" 2>"$work/n.err"; then fail "$* went through"; fi
    says "$work/n.err" "$words"
}
told "did you mean 'llama-3.1-8b'?" model meta-llama/Llama-3.1-8B
told "did you mean 'llama-3.1-8b'?" model meta-llama/Meta-Llama-3.1-8B-Instruct
told "did you mean 'qwen3-32b'?" model Qwen3-32B
told "there are deepseek-v3," model qwen3-14b
silent "$work/n.err" "did you mean"
told "did you mean 'h100-sxm' or 'h100-sxm-paged' or 'h100x4'?" forward "$work/s.yaml" --set machine=H100
told "did you mean 'h200-sxm' or 'h200x2' or 'h200x4'?" forward "$work/s.yaml" --set machine=h200
told "there are a100-sxm," forward "$work/s.yaml" --set machine=mi300x
silent "$work/n.err" "did you mean"
exit $failed
