#!/usr/bin/env bash
# Published throughput beside its forecast: throughput.sh RINGCAST [TABLE.csv ...], from the top of the project. TABLE: of
# scenarios/validation/throughput, default trtllm-1.0.csv; its head says whose numbers they are. Each row is a run of
# scenarios/serve/trtllm-throughput.yaml with its model, machine, TP, lengths and requests. max_batch and budget are what
# trtllm-bench takes without being told (tensorrt_llm/bench/build/tuning.py, calc_engine_setting and finetune_setting), by the
# memory that nvidia-smi reports. No forecast looks at a published number. Options, before RINGCAST:
#   -r ROLES   rows of these roles only (default: held,seen)
#   -f TEXT    rows that hold TEXT only ("405b,h200")
#   -m MEDIAN  exit 1 where the median error of the rows shown is larger, in %
#   -w WORST   the same of the largest error
#   -s SET     one more override of the scenario (key=value); may be given several times
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

roles=held,seen filter='' median=1e9 worst=1e9 sets=()
while getopts r:f:m:w:s: option; do
    case $option in
    r) roles=$OPTARG ;;
    f) filter=$OPTARG ;;
    m) median=$OPTARG ;;
    w) worst=$OPTARG ;;
    s) sets+=(--set "$OPTARG") ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n 's/.*: \(throughput.sh .*\), from.*/usage: \1/p' "$0" >&2; exit 2; }
ringcast=$1 && shift
here=$(dirname "$0")
[ $# -gt 0 ] || set -- "$here"/throughput/trtllm-1.0.csv

# MiB of the part's memory, from its machine file
memory() { sed -n 's/^  memory: \([0-9]*\)MiB.*/\1/p' scenarios/machines/"$1".yaml; }

# max_batch and budget of trtllm-bench: MIB TP WEIGHTS LAYERS KV_HEADS INPUT OUTPUT
tuned() {
    awk -v mib="$1" -v tp="$2" -v weights="$3" -v layers="$4" -v heads="$5" -v isl="$6" -v osl="$7" '
        function up(x, step) { return step * (int(x / step) + (x > step * int(x / step))) }
        function most(a, b) { return a > b ? a : b }
        BEGIN {
            gib = 1024 ^ 3
            cache = (mib / 1024 * tp - weights * 1e9 / gib) * 0.95
            requests = cache / (2 * layers * most(tp, heads) * 128 / gib * (isl + osl))
            batch = requests < 4096 ? requests : 4096
            tokens = batch * (1 + isl / osl); if (tokens > 32768) tokens = 32768
            size = batch < 256 ? most(64, up(batch, 32)) : batch < 1024 ? up(batch, 128) : up(batch, 256)
            budget = tokens < 4096 ? most(2048, up(tokens, 256)) : tokens < 8192 ? up(tokens, 512) : up(tokens, 1024)
            print size, most(budget, isl + size) # without chunked context a prompt must fit
        }'
}

# per row: model machine tp input output requests role published forecast
forecasts() {
    local model machine tp weights layers heads isl osl requests published role batch budget out
    while IFS=, read -r model machine tp weights layers heads isl osl requests published role; do
        case ,$roles, in *,"$role",*) ;; *) continue ;; esac
        read -r batch budget < <(tuned "$(memory "$machine")" "$tp" "$weights" "$layers" "$heads" "$isl" "$osl")
        out=$("$ringcast" serve scenarios/serve/trtllm-throughput.yaml --json --set model="$model" --set machine="$machine" \
            --set pools[0].tp="$tp" --set scheduler.max_batch="$batch" --set scheduler.budget="$budget" \
            --set synthetic.requests="$requests" --set synthetic.input.mean="$isl" --set synthetic.output.mean="$osl" \
            ${sets[@]+"${sets[@]}"})
        printf '%s %s %s %s %s %s %s ' "$model" "$machine" "$tp" "$isl" "$osl" "$role" "$published"
        awk -F'[:,]' '/"makespan_s"/ { s = $2 } /"tokens_out"/ { t = $2 } END { printf "%.1f\n", t / s }' <<<"$out"
    done < <(cat "$@" | grep -v -e '^#' -e '^model,' | grep -F -e "$filter")
}

forecasts "$@" | awk -v median="$median" -v worst="$worst" '
    function abs(x) { return x < 0 ? -x : x }
    BEGIN { print "# model           machine    TP  tokens in   out  role  published  forecast   error %" }
    { e = 100 * ($8 / $7 - 1); err[++n] = abs(e)
      printf "  %-15s %-9s %3d %10d %5d  %s %10s %9.0f  %+8.1f\n", $1, $2, $3, $4, $5, $6, $7, $8, e }
    END {
        if (n == 0) { print "no row" > "/dev/stderr"; exit 2 }
        for (i = 2; i <= n; i++) for (k = i; k > 1 && err[k] < err[k - 1]; k--) { x = err[k]; err[k] = err[k - 1]; err[k - 1] = x }
        m = n % 2 ? err[(n + 1) / 2] : (err[n / 2] + err[n / 2 + 1]) / 2
        printf "# %d rows: median error %.1f %%, largest %.1f %%\n", n, m, err[n]
        exit m > median || err[n] > worst
    }'
