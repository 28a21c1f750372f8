#!/bin/sh
# Turn what others measured (raw/*.csv) into rows of the calibration schema (calib/schema.h).
#   sh results/published/convert.sh [OUTPUT FOLDER]      default: the folder of this script
# Deterministic: the same raw files give the same bytes. What each column means there: README.md.
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
header="machine,gpu,state,op,variant,dtype,a,b,c,d,p10_s,p50_s,p90_s,samples,sm_mhz,power_w,temp_c,date,driver,cuda,nccl,kernel,commit,source"

# row(machine, gpu, op, variant, dtype, bytes, ranks, nodes, p10, p50, p90, nccl, source), times in us
common='
function row(m, g, op, v, t, a, b, c, lo, mid, hi, nccl, src) {
    printf "%s,%s,burst,%s,%s,%s,%.0f,%d,%d,0,%.6e,%.6e,%.6e,0,,,,unknown,unknown,unknown,%s,nccl,unknown,%s\n",
        m, g, op, v, t, a, b, c, lo * 1e-6, mid * 1e-6, hi * 1e-6, nccl, src
}
'

{
    echo "# published by microsoft/vidur (MIT), DGX-H100; written by results/published/convert.sh"
    echo "$header"
    awk -F, "$common"'
    NR == 1 { next }
    {
        nodes = $2 / $3
        row("dgx-h100", "H100 SXM5 80GB", $1, nodes > 1 ? "rdma" : "nvlink", "bytes", $4, $2, nodes,
            $6, $5, $7, "unknown", "\"published: microsoft/vidur, DGX-H100\"")
    }' "$here/raw/h100_dgx_vidur.csv"
} > "$out/dgx-h100.csv"

for part in h100 h200; do
    case $part in
    h100) gpu="H100 SXM5 80GB" ;;
    h200) gpu="H200 SXM5 141GB" ;;
    esac
    {
        echo "# published by ai-dynamo/aiconfigurator (Apache-2.0); written by results/published/convert.sh"
        echo "$header"
        awk -F, -v machine="$part-sxm" -v gpu="$gpu" "$common"'
        NR == 1 { next }
        {
            size = $2 == "half" ? 2 : 1
            op = $1 == "alltoall" ? "all_to_all" : $1
            us = $5 * 1000
            row(machine, gpu, op, op == "all_reduce" && $3 == 8 ? "nvls" : "nvlink",
                $2 == "half" ? "fp16" : $2, $4 * size, $3, 1, us, us, us, "2.29.2",
                "\"published: ai-dynamo/aiconfigurator, NCCL 2.29.2\"")
        }' "$here/raw/${part}_sxm_nccl_2.29.csv"
        [ "$part" = h200 ] || awk -F, "$common"'
        NR == 1 { next }
        {
            row("h100-sxm", "H100 SXM5 80GB", "all_reduce", "custom", "bf16", $2 * 2, $1, 1, $3, $3, $3, "unknown",
                "\"published: sgl-project/sglang, pull request 2904\"")
        }' "$here/raw/custom_all_reduce_h100.csv"
    } > "$out/$part-sxm.csv"
done

{
    echo "# two H200 of one host; written by results/published/convert.sh"
    echo "$header"
    awk -F, "$common"'
    NR == 1 { next }
    {
        row("h200x2", "H200 SXM5 141GB", "send_recv", $1, "bytes", $2, 2, 1, $3, $3, $3, "2.28",
            "\"published: Ringcast design notes (2 x H200, NCCL 2.28)\"")
    }' "$here/raw/h200x2_nccl_2.28.csv"
} > "$out/h200x2.csv"
