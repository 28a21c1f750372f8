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
        awk -v OFS=, -v t="$tokens" -v n="$name" -v a="$(field ttft_ms <<< "$prompt")" \
            -v b="$(field ttit_ms <<< "$step")" -v m="$(field memory_bytes.total <<< "$prompt")" \
            'BEGIN { print t, n, a, b, m == "" ? "" : m / 1e9 }'
    done
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

title() {
    case $1 in
        int4-kv) echo "Llama 3.1 405B, CP8 x TP8 over TCP: the KV cache in fewer bytes" ;;
        messages) echo "Llama 3.1 405B, CP8 x TP8 over TCP: messages in fewer bytes" ;;
        tp-transfers) echo "Llama 3.1 405B on 64 GPUs over TCP: all-reduces between nodes in fewer bytes" ;;
    esac
}

draw() { # what-if
    local choices
    mapfile -t choices < <(tail -n +2 "$out/$1.csv" | cut -d, -f2 | awk '!seen[$0]++')
    {
        printf 'set terminal pngcairo size 1500,520 font "sans,11"\nset output "%s/%s.png"\n' "$out" "$1"
        printf 'set datafile separator ","\nset multiplot layout 1,3 title "%s" font "sans,13"\n' "$(title "$1")"
        printf 'set style fill solid 0.85 border -1\nset boxwidth 0.9\nset grid y\nset yrange [0:*]\n'
        printf 'set xtics ("128K tokens" 0, "1M tokens" 1) scale 0\nset xrange [-0.6:1.6]\n'
        printf 'set key outside bottom center horizontal\n'
        local column=3 label
        for label in "TTFT (s)" "TTIT (ms)" "memory of a GPU that prefills (GB)"; do
            printf 'set ylabel "%s"\n' "$label"
            if [ $column = 3 ]; then printf 'set logscale y\nset yrange [*:*]\n'; else printf 'unset logscale y\nset yrange [0:*]\n'; fi
            local i=0 n=${#choices[@]} parts=()
            for ((i = 0; i < n; i++)); do
                parts+=("\"$out/$1.csv\" using ((\$1 > 500000) + ($i - ($n - 1) / 2.0) * 0.8 / $n):(strcol(2) eq \"${choices[i]}\" ? \$$column * $([ $column = 3 ] && echo 0.001 || echo 1) : NaN):(0.8 / $n) with boxes title \"${choices[i]}\"")
            done
            printf 'plot '
            local joined
            joined=$(printf '%s, ' "${parts[@]}")
            printf '%s\n' "${joined%, }"
            column=$((column + 1))
        done
        printf 'unset multiplot\n'
    } | gnuplot
}

all=(int4-kv messages tp-transfers)
[ $# -gt 0 ] || set -- "${all[@]}"
for what in "$@"; do
    {
        echo "tokens,choice,ttft_ms,ttit_ms,memory_GB"
        "$what"
    } > "$out/$what.csv"
    draw "$what"
done
