#!/usr/bin/env bash
# Which deployment serves a model best: deployments.sh RINGCAST OUT.csv [MODEL ...], from the top of the project. For DeepSeek-V3, Kimi K2 and
# Qwen3-235B on 8 and 16 H200, prompts of 8K, 128K and 1M tokens, one request and 64 at once, it forecasts every deployment of the list below and
# writes one line each; `best.sh OUT.csv` makes the table and the picture of docs/models.md.
#
# A deployment is good when all requests have their prompt read and 256 tokens answered soonest. Prompts are read one pass after another, in
# chunks of up to 128K tokens, 32K in a pipeline (short prompts together, up to 32K tokens of a group), then all sequences that the cache holds decode together; what it does not hold
# at once comes in waves. Replicas share the requests. Types are those of the checkpoint, of Qwen3-235B those of the one in
# fp8 with a scale for each block. "measured" counts rows of the part that are carried to the clock of a pass, too.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
LC_ALL=C
export LC_ALL
[ $# -ge 2 ] || { echo "usage: deployments.sh RINGCAST OUT.csv [MODEL ...]" >&2; exit 2; }
ringcast=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- deepseek-v3 kimi-k2 qwen3-235b-a22b
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What is left out of the grid, for a quick look: PROMPTS=8000 REQUESTS=1 GPUS=8 deployments.sh ...
ANSWER=256 CHUNK=128000 TOGETHER=32000

# NAME GPUS-OF-A-REPLICA PREFILL DECODE: what is set for the passes of prompts and for those of decode steps. MLA: models of latents alone; GQA: the
# others.
list() { # MODEL
    cat <<'LIST'
TP8|8|tp=8|tp=8
TP8+EP8|8|tp=8 ep=8|tp=8 ep=8
TP4+PCP2|8|tp=4 cp=2 variant=pcp|tp=4 cp=2 variant=pcp
TP4+PCP2+EP8|8|tp=4 cp=2 variant=pcp ep=8 expert_transfer=all-gather|tp=4 cp=2 variant=pcp ep=8 expert_transfer=all-gather
TP2+PCP4+EP8|8|tp=2 cp=4 variant=pcp ep=8 expert_transfer=all-gather|tp=2 cp=4 variant=pcp ep=8 expert_transfer=all-gather
CP8+EP8 (world tp)|8|tp=8 cp=8 world=tp variant=pcp ep=8|tp=8 cp=8 world=tp variant=pcp ep=8
CP8+EP8, ring|8|tp=1 cp=8 variant=pass-kv ep=8|tp=1 cp=8 variant=pass-q ep=8
DP8+EP8|8|tp=1 dp_attention=8 ep=8|tp=1 dp_attention=8 ep=8
DP8+EP8 (world tp)|8|tp=8 dp_attention=8 world=tp ep=8|tp=8 dp_attention=8 world=tp ep=8
TP16|16|tp=16|tp=16
TP16+EP16|16|tp=16 ep=16|tp=16 ep=16
DP16+EP16|16|tp=1 dp_attention=16 ep=16|tp=1 dp_attention=16 ep=16
TP8+PP2|16|tp=8 pp=2|tp=8 pp=2
TP8+PCP2+EP16|16|tp=8 cp=2 variant=pcp ep=16|tp=8 cp=2 variant=pcp ep=16
TP8+CP2+EP16, ring|16|tp=8 cp=2 variant=pass-kv ep=16|tp=8 cp=2 variant=pass-q ep=16
LIST
    case $1 in
    qwen*)
        echo "TP8+DCP2|8|tp=8 variant=dcp-a2a dcp=2|tp=8 variant=dcp-a2a dcp=2"
        echo "TP8+DCP2+EP8|8|tp=8 ep=8 variant=dcp-a2a dcp=2|tp=8 ep=8 variant=dcp-a2a dcp=2"
        echo "TP16+DCP4|16|tp=16 variant=dcp-a2a dcp=4|tp=16 variant=dcp-a2a dcp=4" ;;
    *)
        echo "TP8+DCP8|8|tp=8 variant=dcp-a2a dcp=8|tp=8 variant=dcp-a2a dcp=8"
        echo "TP8+EP8+DCP8|8|tp=8 ep=8 variant=dcp-a2a dcp=8|tp=8 ep=8 variant=dcp-a2a dcp=8"
        echo "TP16+EP16+DCP16|16|tp=16 ep=16 variant=dcp-a2a dcp=16|tp=16 ep=16 variant=dcp-a2a dcp=16" ;;
    esac
}

# pass MODEL SETS...: "ms measured published other", with shares of the critical path; "no WHY" where it cannot be.
pass() {
    local model=$1 sets=() set
    shift
    for set; do sets+=(--set "$set"); done
    case $model in qwen*) sets+=(--set dtypes.ffn_weights=fp8-block --set dtypes.attention_weights=fp8-block) ;; esac
    if ! "$ringcast" forward "$here/deployment.yaml" --set "model=$model" "${sets[@]}" --json --draws 0 >"$work/pass" 2>"$work/why"; then
        if grep -q 'not fit\|memory' "$work/why"; then echo "no does not fit"; else echo "no $(tail -1 "$work/why")"; fi
        return
    fi
    awk -F'[:,]' '{ gsub(/[ "]/, "", $1); if (!ms && ($1 == "ttft_ms" || $1 == "ttit_ms")) ms = $2 + 0; if ($1 == "cost_sources{" || /cost_sources/) on = 1
            if (on && ($1 == "measured" || $1 == "transferred" || $1 == "published")) v[$1] = $2 + 0; if (/}/) on = 0 }
        END { m = v["measured"] + v["transferred"]; printf "%.4f %.4f %.4f %.4f\n", ms, m, v["published"], 1 - m - v["published"] }' "$work/pass"
}

# sum of passes: FILE has a line "times ms measured published other" each
sum() {
    awk '{ t = $1 * $2; all += t; m += t * $3; p += t * $4; o += t * $5 }
        END { if (all > 0) printf "%.3f %.4f %.4f %.4f\n", all, m / all, p / all, o / all }' "$1"
}

# one MODEL GPUS PROMPT REQUESTS NAME SIZE PREFILL DECODE: a line of the CSV.
one() {
    local model=$1 gpus=$2 prompt=$3 requests=$4 name=$5 size=$6 replicas own batch groups said set prefill=() decode=() waves
    replicas=$((gpus / size)) own=$(((requests + gpus / size - 1) / (gpus / size)))
    for set in $7; do prefill+=("parallel.$set"); done
    for set in $8; do decode+=("parallel.$set"); done
    batch=$((TOGETHER / prompt < own ? TOGETHER / prompt : own))
    [ "$batch" -ge 1 ] || batch=1
    groups=$(tr ' ' '\n' <<<"$7" | sed -n 's/dp_attention=//p') # of sequences, side by side
    batch=$((batch * ${groups:-1} < own ? batch * ${groups:-1} : own))
    set=()
    [ "$prompt" -le "$CHUNK" ] || set=(chunk=$CHUNK)
    case $name in *PP*) set=(chunk=$((prompt < CHUNK / 4 ? prompt : CHUNK / 4))) ;; esac
    said=$(pass "$model" "${prefill[@]}" phase=prefill tokens.new=$prompt tokens.cached=0 batch=$batch "${set[@]}")
    [ "${said%% *}" != no ] || { echo "$model,$gpus,$prompt,$requests,$name,$replicas,${said#no },,,,,,,"; return; }
    echo "$(((own + batch - 1) / batch)) $said" >"$work/prefill"
    for ((batch = own; batch >= 1; batch = batch > 1 ? (batch + 1) / 2 : 0)); do
        said=$(pass "$model" "${decode[@]}" phase=decode tokens.new=1 tokens.cached=$((prompt + ANSWER / 2)) batch=$batch)
        [ "$said" = "no does not fit" ] || break
    done
    [ "${said%% *}" != no ] || { echo "$model,$gpus,$prompt,$requests,$name,$replicas,${said#no },,,,,,,"; return; }
    waves=$(((own + batch - 1) / batch))
    echo "$((waves * ANSWER)) $said" >"$work/decode"
    cat "$work/prefill" "$work/decode" >"$work/both"
    echo "$model,$gpus,$prompt,$requests,$name,$replicas,runs,$(sum "$work/prefill" | cut -d' ' -f1),${said%% *},$batch,$(sum "$work/both" | tr ' ' ,)"
}

{
    echo "# Forecasts by scenarios/deployments/deployments.sh: H200, $ANSWER tokens answered; shares are of the critical path"
    echo "model,gpus,prompt,requests,deployment,replicas,state,prompts_ms,step_ms,batch,all_ms,measured,published,other"
    for model; do
        echo "# context of $model: $("$ringcast" model "$model" 2>/dev/null | sed -n 's/^context \([0-9]*\) tokens/\1/p')"
        for gpus in ${GPUS:-8 16}; do
            for prompt in ${PROMPTS:-8000 128000 1000000}; do
                for requests in ${REQUESTS:-1 64}; do
                    while IFS='|' read -r name size prefill decode; do
                        [ "$size" -le "$gpus" ] || continue
                        one "$model" $gpus $prompt $requests "${name//,/;}" "$size" "$prefill" "$decode"
                    done < <(list "$model")
                done
            done
        done
    done
} >"$out"
