#!/usr/bin/env bash
# The pictures of docs/what-ifs.md: pictures.sh RINGCAST OUT [WHAT-IF...] writes OUT/WHAT-IF.csv and
# OUT/WHAT-IF.png, of all what-ifs where none is named. Each is drawn for sequences of 128K and of 1M
# tokens on the TCP cluster: TTFT of the prompt, TTIT behind it, memory of a GPU that prefills it.
# A row of a CSV: tokens, the choice, TTFT (ms), TTIT (ms), memory (GB). A pass that does not fit or is
# not modelled leaves its field empty.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=${1:?usage: pictures.sh RINGCAST OUT [WHAT-IF...]}
out=${2:?usage: pictures.sh RINGCAST OUT [WHAT-IF...]}
shift 2
here=$(dirname "$0")
mkdir -p "$out"

field() { # of the JSON on standard input
    python3 -c '
import json, sys
try:
    at = json.load(sys.stdin)
    for key in sys.argv[1].split("."):
        at = at[key]
    print(at)
except (ValueError, KeyError):
    print("")' "$1"
}

forward() { # scenario, settings of forward ...
    local file=$1
    shift
    "$ringcast" forward "$here/$file" "$@" --json 2> /dev/null || true
}

# One choice: scenario, its name, settings of both passes; settings of the prompt or of the decode step
# alone are named prefill:KEY=VALUE and decode:KEY=VALUE.
choice() {
    local file=$1 name=$2 tokens set
    shift 2
    for tokens in 128000 1000000; do
        local prefill=(--set "tokens.new=$tokens")
        local decode=(--set phase=decode --set tokens.new=1 --set "tokens.cached=$tokens"
            --set parallel.variant=pass-q)
        for set in "$@"; do
            case $set in
                prefill:*) prefill+=(--set "${set#prefill:}") ;;
                decode:*) decode+=(--set "${set#decode:}") ;;
                *)
                    prefill+=(--set "$set")
                    decode+=(--set "$set")
                    ;;
            esac
        done
        local prompt step
        prompt=$(forward "$file" "${prefill[@]}")
        step=$(forward "$file" "${decode[@]}")
        row "$name" "$tokens" "$prompt" "$step"
    done
}

# A turn of 8K new tokens behind 128K or 1M, of which a share is kept; a step behind both.
turn() { # scenario, name, share, how it is kept
    local tokens kept prompt step
    for tokens in 128000 1000000; do
        kept=$(awk -v t="$tokens" -v s="$3" 'BEGIN { printf "%d", t * s + 8000 }')
        prompt=$(forward "$1" --set tokens.new=8000 --set "tokens.cached=$tokens" --set "history.share=$3" \
            --set "history.kept=$4")
        step=$(forward "$1" --set phase=decode --set tokens.new=1 --set "tokens.cached=$kept" \
            --set parallel.variant=pass-q)
        row "$2" "$tokens" "$prompt" "$step"
    done
}

row() { # name, tokens, JSON of the prompt, of the step
    local step
    step=$(field speculative.ttit_ms <<< "$4")
    awk -v OFS=, -v t="$2" -v n="${1//,/ and}" -v a="$(field ttft_ms <<< "$3")" \
        -v b="${step:-$(field ttit_ms <<< "$4")}" -v m="$(field memory_bytes.total <<< "$3")" \
        -v d="$(field speculative.draft_weight_bytes <<< "$4")" \
        'BEGIN { print t, n, a, b, m == "" ? "" : (m + d) / 1e9 }'
}

int4-kv() {
    choice llama-405b.yaml "KV in bf16"
    choice llama-405b.yaml "fp8" dtypes.kv=fp8
    choice llama-405b.yaml "int4" dtypes.kv=int4
}

messages() {
    choice llama-405b.yaml "pass-Q in bf16" prefill:parallel.variant=pass-q
    choice llama-405b.yaml "pass-Q in fp8" prefill:parallel.variant=pass-q dtypes.ring_messages=fp8
    choice llama-405b.yaml "pass-Q in int4" prefill:parallel.variant=pass-q dtypes.ring_messages=int4
    choice llama-405b.yaml "pass-KV in bf16"
    choice llama-405b.yaml "pass-KV in int4" dtypes.ring_messages=int4
}

tp-transfers() {
    local tp=(parallel.tp=64 parallel.cp=1 parallel.variant=tp)
    choice llama-405b.yaml "TP64 in bf16" "${tp[@]}" decode:parallel.variant=tp
    choice llama-405b.yaml "TP64 in fp8" "${tp[@]}" decode:parallel.variant=tp dtypes.tp_transfers=fp8
    choice llama-405b.yaml "TP64 in int4" "${tp[@]}" decode:parallel.variant=tp dtypes.tp_transfers=int4
    choice llama-405b.yaml "CP8 x TP8"
}

windows() {
    choice llama-405b.yaml "all keys"
    choice llama-405b.yaml "last 8K, first 1K" attention.pattern=window-global attention.window=8K attention.global=1K
    choice llama-405b.yaml "last 1K, first 1K" attention.pattern=window-global attention.window=1K attention.global=1K
}

top-k() {
    choice llama-405b.yaml "all keys"
    choice llama-405b.yaml "2K keys, 8 heads of index" attention.pattern=top-k attention.keys=2K attention.index_heads=8
    choice llama-405b.yaml "2K keys, free choice" attention.pattern=top-k attention.keys=2K attention.index_heads=0
}

history() {
    turn llama-405b.yaml "all kept" 1 cached
    turn llama-405b.yaml "half kept" 0.5 cached
    turn llama-405b.yaml "a quarter kept" 0.25 cached
    turn llama-405b.yaml "a quarter computed again" 0.25 new
}

drafts() {
    local k
    choice deepseek-v3.2.yaml "no drafts"
    for k in 1 2 3; do
        choice deepseek-v3.2.yaml "$k drafts" "decode:speculative.drafts=$k" decode:speculative.acceptance=0.85
    done
}

round-robin() {
    choice deepseek-v3.2.yaml "round-robin"
    choice deepseek-v3.2.yaml "zigzag" prefill:parallel.chosen_keys=zigzag
}

title() {
    case $1 in
        int4-kv) echo "Llama 3.1 405B, CP8 x TP8 over TCP: the KV cache in fewer bytes" ;;
        messages) echo "Llama 3.1 405B, CP8 x TP8 over TCP: messages in fewer bytes" ;;
        windows) echo "Llama 3.1 405B, CP8 x TP8 over TCP: a window and the first tokens" ;;
        top-k) echo "Llama 3.1 405B, CP8 x TP8 over TCP: 2K chosen keys, and what the choice costs" ;;
        history) echo "Llama 3.1 405B, CP8 x TP8 over TCP: 8K new tokens behind a history that is kept in part" ;;
        drafts) echo "DeepSeek-V3.2 on 64 GPUs over TCP: drafts by its own layer, acceptance 0.85" ;;
        round-robin) echo "DeepSeek-V3.2 on 64 GPUs over TCP: tokens of prompts in turn, or in two chunks a rank" ;;
        tp-transfers) echo "Llama 3.1 405B on 64 GPUs over TCP: all-reduces between nodes in fewer bytes" ;;
    esac
}

# One panel a column. TTFT of the two lengths differs too much for bars from 0 on: it stands as points on a logarithmic
# axis. Each value is written above its bar or point; a pass that does not fit has none.
draw() { # what-if
    local choices i k n column=3 label factor format marks parts
    mapfile -t choices < <(tail -n +2 "$out/$1.csv" | cut -d, -f2 | awk '!seen[$0]++')
    n=${#choices[@]}
    {
        printf 'set terminal pngcairo size 1700,520 font "sans,12"\nset output "%s/%s.png"\n' "$out" "$1"
        printf 'set datafile separator ","\nset multiplot layout 1,3 title "%s" font "sans,15" margins 0.055,0.81,0.12,0.87 spacing 0.06,0.1\n' "$(title "$1")"
        i=0
        for label in 0072B2 D55E00 009E73 CC79A7 E69F00 56B4E9; do printf 'set linetype %d lc rgb "#%s" pt 7\n' $((i += 1)) "$label"; done
        printf 'set border 3 lc rgb "#555555"\nset style fill solid 0.9 noborder\nset boxwidth 0.9\nset grid y lc rgb "#e0e0e0" lt 1\n'
        printf 'set xtics ("128K tokens" 0, "1M tokens" 1) scale 0\nset ytics nomirror\nset xrange [-0.6:1.6]\n'
        printf 'set key at screen 0.818, screen 0.87 left top Left reverse samplen 2\n'
        for label in "TTFT, s" "TTIT, ms" "memory of a GPU that prefills, GB"; do
            printf 'set ylabel "%s"\n' "$label"
            if [ $column = 3 ]; then printf 'set logscale y\nset yrange [1:1000]\n'; else printf 'unset logscale y\nset yrange [0:*]\nset offsets 0,0,graph 0.08,0\n'; fi
            factor=$([ $column = 3 ] && echo 0.001 || echo 1) format=$([ $column = 5 ] && echo %.0f || echo %.3g) parts=()
            for ((i = 0; i < n; i++)); do
                marks="\"$out/$1.csv\" using ((\$1 > 500000) + ($i - ($n - 1) / 2.0) * 0.8 / $n):(strcol(2) eq \"${choices[i]}\" ? \$$column * $factor : NaN)"
                if [ $column = 3 ]; then
                    parts+=("$marks with points lt $((i + 1)) ps 2.2 notitle")
                    [ $i -gt 0 ] || for ((k = 0; k < n; k++)); do parts+=("NaN with boxes lt $((k + 1)) title \"${choices[k]}\""); done
                else
                    parts+=("$marks:(0.8 / $n) with boxes lt $((i + 1)) notitle")
                fi
                parts+=("$marks:(sprintf(\"$format\", \$$column * $factor)) with labels offset 0,0.8 font \"sans,9\" notitle")
            done
            printf 'plot %s\nset key off\n' "$(printf '%s, ' "${parts[@]}" | sed 's/, $//')"
            column=$((column + 1))
        done
        printf 'unset multiplot\n'
    } | gnuplot
}

all=(int4-kv messages tp-transfers windows top-k history drafts round-robin)
[ $# -gt 0 ] || set -- "${all[@]}"
for what in "$@"; do
    {
        echo "tokens,choice,ttft_ms,ttit_ms,memory_GB"
        "$what"
    } > "$out/$what.csv"
    draw "$what"
done
