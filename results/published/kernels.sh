#!/bin/sh
# Import the tables of kernels that others published (raw/*.csv) as rows of the calibration schema.
#   sh results/published/kernels.sh RINGCAST [OUTPUT FOLDER]      default: the folder of this script
# Deterministic. Not every row of a table is taken: those that are left out hold what the others say, and are what
# the look-up between rows is tried on (README.md says which they are, and what was found out about the tables).
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
LC_ALL=C
export LC_ALL
ringcast=$1
here=$(cd "$(dirname "$0")" && pwd)
out=${2:-$here}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
header=machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,date,driver,cuda
header=$header,nccl,kernel,commit,source,head_k,head_v,window,experts,top_k
from=aiconfigurator

# take TABLE CONDITION: the rows of a raw table for which an awk condition over its columns holds.
take() {
    awk -F, -v OFS=, '
    function one(x, list) { return index(" " list " ", " " x " ") > 0 }
    /^#/ { next }
    !head { for (i = 1; i <= NF; i++) at[$i] = i; head = 1; print; next }
    '"$2"'' "$here/raw/$1.csv" > "$work/$1.csv"
}

# rows OP WHAT TABLE CONDITION [FLAGS]: appends to $csv.
rows() {
    op=$1 what=$2 table=$3 condition=$4
    shift 4
    take "$table" "$condition"
    "$ringcast" calibration import "$work/$table.csv" --format kernel-tables --op "$op" --machine "$part-sxm" \
        --gpu "$gpu" --source "$from: $what" --out "$work/rows.csv" --overwrite "$@" > "$work/log"
    sed -n "s,^# $work/,# ,p" "$work/log"
    # sizes that no row of a table has are left out of its rows: here they are 0
    awk -F, -v header="$header" -v begun="$begun" '
        /^#/ { next }
        /^machine,/ { if (!begun) print header; next }
        { print $0 (NF < 29 ? ",0,0,0,0,0" : "") }' "$work/rows.csv" >> "$csv"
    begun=1
}

heads='one($at["num_heads"], "8 16 32 64 128")'
for part in h100 h200; do
    case $part in
    h100) gpu="H100 SXM5 80GB" ;;
    h200) gpu="H200 SXM5 141GB" ;;
    esac
    csv=$out/$part-kernels.csv
    begun=
    echo "# published by ai-dynamo/aiconfigurator (Apache-2.0); written by results/published/kernels.sh" > "$csv"
    batches='one($at["batch"], "1 2 8 32 128")'
    rows mla_prefill "TensorRT-LLM 1.3.0rc20" "mla_context_trtllm_$part" "$heads && $batches"
    rows mla_absorbed "SGLang 0.5.14" "mla_context_sglang_$part" "$heads && $batches"
    rows mla_decode "SGLang 0.5.14" "mla_generation_sglang_$part" \
        "\$at[\"kv_dtype\"] == \"bfloat16\" && $heads && !one(\$at[\"cached\"], \"3 7\")"
    rows mla_decode "TensorRT-LLM 1.3.0rc20" "mla_generation_trtllm_$part" \
        "\$at[\"kv_dtype\"] == \"fp8\" && $heads && !one(\$at[\"cached\"], \"3 7\")"
    rows mla_bmm "SGLang 0.5.14" "mla_absorb_bmm_$part" "$heads"
    rows moe_ffn "vLLM 0.24.0" "moe_grouped_vllm_$part" \
        '$at["load"] == "balanced" && $at["model"] !~ /^(deepseek)/ &&
         $at["inter"] >= 192 * $at["moe_tp"] &&
         one($at["tokens"], "1 4 16 32 64 128 192 256 384 512 768 1024 1536 2048 3072 4096 6144 8192 12288 16384")'
    for op in ep_dispatch ep_combine; do
        sms=${op#ep_}_sms
        rows $op "DeepEP (SGLang 0.5.12)" "deepep_normal_${part}x8" \
            "\$at[\"$sms\"] == 24 && !one(\$at[\"tokens_per_rank\"], \"12 24 48 96 160 65536 131072\")" --ranks 8
        rows $op "DeepEP (SGLang 0.5.12)" "deepep_low_latency_${part}x8" 1 --ranks 8
    done
    if [ $part = h100 ]; then
        few='($at["batch"] == 1 || $at["isl"] == 1) && $at["isl"] != 4 && $at["isl"] != 32 &&
             one($at["cached"], "0 128 512 1024 2048 4096 8192 16384 32768 65536 131072")'
        rows dsa_index "SGLang 0.5.14" dsa_kernel_mqa_logits_h100 "$few"
        rows dsa_topk "SGLang 0.5.14" dsa_kernel_topk_h100 "$few"
        rows dsa_attention "SGLang 0.5.14" dsa_kernel_dsa_attn_h100 '$at["cached"] == 8192'
    fi
done
