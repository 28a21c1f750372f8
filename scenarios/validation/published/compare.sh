#!/usr/bin/env bash
# Forecasts beside what others measured in serving (results/published/raw/serving_measured.csv): compare.sh RINGCAST, from the top of the
# project. Nothing here is fitted to them but the host's work a launch (scenarios/engines/vllm-eager.yaml), on one row that is marked so.
# Options, before RINGCAST:
#   -e EXPERTS   which rows price the experts of Hy3: tensor-skewed (one scale a tensor, load by a power law; the default), tensor, block-skewed,
#                block (the rows that are compiled in)
#   -o           the other threads: which way an effect goes, and how far
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
LC_ALL=C
export LC_ALL

experts=tensor-skewed others=0
while getopts e:o option; do
    case $option in
    e) experts=$OPTARG ;;
    o) others=1 ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || { echo "usage: compare.sh [-e EXPERTS] [-o] RINGCAST" >&2; exit 2; }
ringcast=$1
here=$(dirname "$0") raw=results/published/raw
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measured ID CONFIG METRIC INPUT CONCURRENCY: the figure of a thread. Columns may be quoted.
measured() {
    awk -v want="$1|$2|$3|$4|$5" '{
            n = 0
            for (row = $0; length(row) > 0; row = substr(row, RLENGTH + 2)) {
                if (!match(row, /^"[^"]*"/)) match(row, /^[^,]*/)
                f[++n] = substr(row, 1, RLENGTH)
                gsub(/"/, "", f[n])
            }
        }
        f[1] "|" f[7] "|" f[9] "|" f[10] "|" f[12] == want { print f[13]; exit }' $raw/serving_measured.csv
}

# A pass in ms. Notes on the model are the reader's, not this table's.
pass() { "$ringcast" forward "$@" --quiet 2>>"$work/notes"; }

# chunks TOKENS CHUNK ARGUMENTS...: a prompt in chunks, each over all before it.
chunks() {
    local tokens=$1 chunk=$2 at sum=0
    shift 2
    for ((at = 0; at < tokens; at += chunk)); do
        sum=$(pass "$@" --set tokens.new=$((tokens - at < chunk ? tokens - at : chunk)) --set tokens.cached=$at | awk -v s="$sum" '{ print s + $1 }')
    done
    echo "$sum"
}

# ---- Hy3 on eight H100 -----------------------------------------------------------------------

# A store of an H100 in which published rows of other kernels, or of another load, stand for the experts in fp8.
store() { # DTYPE LOAD
    local header=head_k,head_v,window,experts,top_k file
    awk -F, -v OFS=, -v type="$1" -v load="$2" '/^#/ { next } /^model/ { print; next }
        $2 == type && $10 == load { $2 = "fp8_block"; $10 = "balanced"; print }' $raw/moe_loads_vllm_h100.csv >"$work/table.csv"
    "$ringcast" calibration import "$work/table.csv" --format kernel-tables --op moe_ffn --machine h100-sxm --gpu "H100 SXM5 80GB" \
        --source "aiconfigurator: vLLM 0.24.0 $1 $2" --out "$work/experts.csv" >/dev/null
    awk -F, -v header=$header '/^#/ || ($4 == "moe_ffn" && $6 == "fp8") { next }
        { print $0 (NF < 29 ? (/^machine/ ? "," header : ",0,0,0,0,0") : "") }' results/published/h100-kernels.csv >"$work/kernels.csv"
    mkdir -p "$work/own" # experts of our own kernels are not what that engine runs
    for file in results/calibration/h100-sxm/*.csv; do
        awk -F, '$4 != "moe_ffn"' "$file" >"$work/own/$(basename "$file")"
        grep -q '^h100' "$work/own/$(basename "$file")" || rm "$work/own/$(basename "$file")"
    done
    "$ringcast" calibration merge results/published/h100-sxm.csv "$work/kernels.csv" "$work"/own/*.csv "$work/experts.csv" \
        --out "$work/all.csv" >/dev/null
    "$ringcast" calibration build "$work/all.csv" --out "$work/h100.db" >/dev/null
}

hy3() {
    local costs=() config cut row tokens
    case $experts in
    tensor-skewed) store fp8 power_law_1.2 ;;
    tensor) store fp8 balanced ;;
    block-skewed) store fp8_block power_law_1.2 ;;
    block) ;;
    *) echo "compare.sh: -e $experts: expected tensor-skewed, tensor, block-skewed or block" >&2; exit 2 ;;
    esac
    [ "$experts" = block ] || costs=(--store "$work/h100.db")
    local base=("$here/hy3.yaml" "${costs[@]}" --set machine.engine.profile=vllm-eager)
    printf '# Hy3 on 8 x H100, vLLM --enforce-eager, EP8, chunks of 8192; experts: %s\n' "$experts"
    printf '# %-9s %-14s %9s %9s %7s  %s\n' deployment what measured forecast error row
    printf '# %-9s %-14s %9s %9s %7s\n' - - ms ms %
    for config in TP8 TP4+PCP2 TP2+PCP4; do
        case $config in
        TP8) cut=() ;;
        TP4+PCP2) cut=(--set parallel.tp=4 --set parallel.cp=2 --set parallel.variant=pcp) ;;
        TP2+PCP4) cut=(--set parallel.tp=2 --set parallel.cp=4 --set parallel.variant=pcp) ;;
        esac
        for tokens in 4096 32768; do
            printf '%s|TTFT %s|%s|%s|predicted\n' "$config" "$tokens" "$(measured hy3 "$config" "ttft median" "$tokens" 1)" \
                "$(chunks "$tokens" 8192 "${base[@]}" "${cut[@]}")"
        done
        row=predicted
        [ "$config" != TP8 ] || row=fitted
        printf '%s|a token|%s|%s|%s\n' "$config" "$(measured hy3 "$config" "tpot mean" sharegpt 1)" \
            "$(pass "${base[@]}" "${cut[@]}" --set phase=decode --set tokens.new=1 --set tokens.cached=300)" $row
    done >"$work/hy3"
    awk -F'|' '{ off = 100 * ($4 / $3 - 1)
                 printf "  %-9s %-14s %9.0f %9.1f %7.1f  %s\n", $1, $2, $3, $4, off, $5
                 if ($2 ~ /^TTFT/) { sum += off < 0 ? -off : off; n++; got[$2, ++k[$2]] = $3; said[$2, k[$2]] = $4; of[$2] = 1 }
                 else if ($5 == "predicted") { step += off < 0 ? -off : off; steps++ } }
        END { printf "mean error of TTFT %.1f %% (%d rows), of the time a token %.1f %% (%d rows)\n", sum / n, n, step / steps, steps
              for (t in of) for (i = 1; i < k[t]; i++) for (j = i + 1; j <= k[t]; j++) {
                  a = got[t, i]; b = got[t, j]; gap = a > b ? a / b - 1 : b / a - 1
                  if (gap > 0.05) { pairs++; right += (a > b) == (said[t, i] > said[t, j]) } }
              printf "order of two deployments whose TTFT differ by over 5 %%: %d of %d right\n", right, pairs }' "$work/hy3"
}

# ---- the others --------------------------------------------------------------------------------

deepseek() {
    local batch first=0 was=0
    printf '\n# DeepSeek-V3.1, TP8+DCP8, a decode step (SGLang 32560; GPUs and context unstated: forecast for 8 x B200, 1,000 tokens)\n'
    printf '# %-9s %9s %9s %7s  %s\n' sequences measured forecast error "over 8 sequences: measured, forecast"
    printf '# %-9s %9s %9s %7s\n' - ms ms %
    for batch in 16 64 128 512; do
        [ "$first" != 0 ] || { first=$(measured dsv31-dcp TP8+DCP8 "decode step median" unstated 8); was=$(pass "$here/deepseek-dcp.yaml" --set batch=8); }
        echo "$batch $(measured dsv31-dcp TP8+DCP8 "decode step median" unstated $batch) $(pass "$here/deepseek-dcp.yaml" --set batch=$batch) $first $was"
    done | awk '{ printf "  %-9d %9.2f %9.2f %7.1f  x%.2f x%.2f\n", $1, $2, $3, 100 * ($3 / $2 - 1), $2 / $4, $3 / $5 }'
}

# Bytes of the KV cache of one token on a GPU, and what is left for it, from the JSON of a pass of one sequence.
room() {
    "$ringcast" forward "$@" --json 2>>"$work/notes" | awk -F'[:,]' '/"memory_bytes"/ { on = 1 } /}/ { on = 0 }
        on { gsub(/[ "]/, "", $1); w[$1] = $2 + 0 }
        END { printf "%.0f %.0f\n", w["kv"], w["capacity"] - w["weights"] - w["activations"] - w["buffers"] - w["runtime"] }'
}

kimi() {
    local config cut kv left tokens b
    printf '\n# Kimi-K2-Thinking on 8 x H200 with and without DCP8 (vLLM recipes: 1,000 requests of 8,000 + 4,000 tokens at 100/s)\n'
    printf '# %-9s %15s %15s %9s %9s  %s\n' deployment "cache, measured" "cache, forecast" "tok/s" "tok/s" "sequences of 10,000 tokens at once, a step in ms"
    printf '# %-9s %15s %15s %9s %9s\n' - tokens tokens measured forecast
    for config in TP8 TP8+DCP8; do
        cut=()
        [ "$config" = TP8 ] || cut=(--set parallel.variant=dcp-ag-rs --set parallel.dcp=8)
        read -r kv left < <(room "$here/kimi-dcp.yaml" "${cut[@]}")
        tokens=$(awk -v kv="$kv" -v left="$left" 'BEGIN { printf "%.0f", left / (kv / 10001) }')
        b=$((tokens / 10000 < 256 ? tokens / 10000 : 256)) # vLLM's largest batch where nothing is said: 256 sequences
        echo "$config $(measured k2t-dcp "$config" "kv capacity" 8000 "rate 100/s, 1000 prompts") $tokens" \
            "$(measured k2t-dcp "$config" "output throughput" 8000 "rate 100/s, 1000 prompts") $b $(pass "$here/kimi-dcp.yaml" "${cut[@]}" --set batch=$b)" \
            "$(chunks 8000 8000 "$here/kimi-dcp.yaml" "${cut[@]}" --set phase=prefill)"
    done | awk '{ rate = 4000 * $5 / (4000 * $6 + $5 * $7) * 1000 # a batch of prompts, then their 4,000 steps
                 printf "  %-9s %15d %15d %9.0f %9.0f  %d, %.1f\n", $1, $2, $3, $4, rate, $5, $6
                 cache[NR] = $2; said[NR] = $3; out[NR] = $4; told[NR] = rate }
        END { printf "  with over without: cache x%.2f, forecast x%.2f; tok/s x%.2f, forecast x%.2f\n", cache[2] / cache[1], said[2] / said[1], out[2] / out[1], told[2] / told[1] }'
}

qwen() {
    local config cut
    printf '\n# Qwen3-235B, one prompt of 262,144 tokens on eight devices (tpu-inference 3277, 3260: TPU v7x; forecast for 8 x H200, TP4 on 4)\n'
    printf '# %-16s %9s %9s  %s\n' deployment measured forecast "over TP8: measured, forecast"
    printf '# %-16s %9s %9s\n' - s s
    for config in TP8 TP4 PCP2+TP4 "PCP2+TP4 ring"; do
        case $config in
        TP8) cut=() ;;
        TP4) cut=(--set parallel.tp=4) ;;
        PCP2+TP4) cut=(--set parallel.tp=4 --set parallel.cp=2 --set parallel.variant=gather-kv) ;;
        *) cut=(--set parallel.tp=4 --set parallel.cp=2 --set parallel.variant=pass-kv) ;;
        esac
        echo "${config/ /_} $(measured tpu-qwen235 "$config" "ttft mean" 262144 "max-num-seqs 1") $(chunks 262144 16384 "$here/qwen-cp.yaml" "${cut[@]}")"
    done | awk '{ if (NR == 1) { a = $2; b = $3 } sub(/_/, " ", $1)
                 printf "  %-16s %9.1f %9.2f  x%.2f x%.2f\n", $1, $2, $3 / 1000, $2 / a, $3 / b }' 
}

if [ $others = 1 ]; then deepseek; kimi; qwen; else hy3; fi
