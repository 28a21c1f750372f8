#!/usr/bin/env bash
# Prints cases for `ringcast-calib ring --cases`: rings.sh LIST [LIST ...]
#   overlap  four GPUs: 405B as one GPU of TP8 sees it, CP4, T new of 128,000 tokens, with SMs left to NCCL or not
#   table4   four GPUs: the rows of Table 4 of arXiv 2411.01783v3, as one ring group of the paper's runs them
#   four     four GPUs: 70B and 405B layers over CP4, CP2 x TP2 and TP4, prefill with and without cache, decode
#   two      two GPUs: the same over CP2 and TP2
#   one      one GPU: layers and decode steps alone
#   socket   four GPUs: a few of the above, for a transport on which each takes long
# Each list is ordered by groups of GPUs, since a run makes its communicators anew where they change.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

# row LIST MODEL SCHEDULE CP TP T P BATCH LAYERS LAUNCH SMS CTAS
row() {
    local list=$1 model=$2 schedule=$3 cp=$4 tp=$5 t=$6 p=$7 batch=$8 layers=$9
    shift 9
    local launch=$1 sms=$2 ctas=$3 heads kv width ffn
    case $model in
    405b8) heads=16 kv=1 width=16384 ffn=6656 ;; # one GPU of TP8
    405b) heads=$((128 / tp)) kv=$((8 / tp)) width=16384 ffn=$((53248 / tp)) ;;
    70b) heads=$((64 / tp)) kv=$((8 / tp)) width=8192 ffn=$((28672 / tp)) ;;
    8b) heads=$((32 / tp)) kv=$((8 / tp)) width=4096 ffn=$((14336 / tp)) ;;
    esac
    printf '%s-%s-%s-%sx%s-t%s-p%s-b%s-l%s-%s-s%s-c%s,' "$list" "$model" "$schedule" "$cp" "$tp" "$t" "$p" "$batch" \
        "$layers" "$launch" "$sms" "$ctas"
    printf '%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n' "$schedule" "$cp" "$tp" "$t" "$p" "$batch" $heads $kv $width \
        $ffn "$layers" "$launch" "$sms" "$ctas"
}

overlap() {
    local t s ways=("0 0" "124 0" "124 8" "128 4" "0 4") way
    for way in "${ways[@]}"; do
        for t in 3200 12800 6400 38400; do
            for s in pass-kv pass-q; do row n4o 405b8 $s 4 1 $t $((128000 - t)) 1 1 graph ${way% *} ${way#* }; done
        done
    done
}

table4() {
    local t s
    for t in 3200 6400 12800 1280 4160 25600 128000 38400 64000 51200 76800 89600 102400 115200; do
        for s in pass-kv pass-q; do row n4t 405b8 $s 4 1 $t $((128000 - t)) 1 1 graph 124 0; done
    done
}

four() {
    local s launch
    for s in pass-kv pass-q all-gather-kv; do
        row n4 70b $s 4 1 8192 0 1 2 graph 124 0
        row n4 70b $s 4 1 32768 0 1 1 graph 124 0
        row n4 70b $s 4 1 2048 30720 1 2 graph 124 0
        row n4 70b $s 4 1 4096 61440 1 1 eager 0 0
        row n4 405b8 $s 4 1 16384 0 1 4 graph 124 0
        row n4 405b8 $s 4 1 2048 126976 1 4 eager 124 0
    done
    for launch in graph eager; do
        row n4 405b8 decode-pass-q 4 1 1 65536 4 2 $launch 0 0
        row n4 70b decode-pass-q 4 1 1 32768 8 2 $launch 0 0
        row n4 405b8 decode-pass-q 4 1 1 16384 32 4 $launch 0 0
    done
    for s in pass-kv pass-q all-gather-kv; do
        row n4 70b $s 2 2 8192 0 1 4 graph 124 0
        row n4 70b $s 2 2 32768 0 1 2 graph 124 0
        row n4 70b $s 2 2 4096 61440 1 2 graph 124 0
        row n4 405b $s 2 2 8192 57344 1 1 graph 124 0
    done
    row n4 70b decode-pass-q 2 2 1 32768 8 4 graph 0 0
    row n4 405b decode-pass-q 2 2 1 65536 4 1 eager 0 0
    for launch in graph eager; do
        row n4 70b tp 1 4 4096 0 1 4 $launch 0 0
        row n4 70b tp 1 4 32768 0 1 2 $launch 0 0
        row n4 405b tp 1 4 8192 32768 1 1 $launch 0 0
        row n4 70b decode-tp 1 4 1 32768 8 4 $launch 0 0
        row n4 405b decode-tp 1 4 1 65536 4 2 $launch 0 0
    done
}

two() {
    local s launch
    for s in pass-kv pass-q all-gather-kv; do
        row n2 405b8 $s 2 1 3200 60800 1 1 graph 124 0
        row n2 405b8 $s 2 1 6400 57600 1 1 graph 124 0
        row n2 405b8 $s 2 1 12800 51200 1 1 graph 124 0
        row n2 405b8 $s 2 1 12800 51200 1 2 eager 124 0
        row n2 405b8 $s 2 1 32768 0 1 1 graph 124 0
        row n2 70b $s 2 1 8192 0 1 2 graph 124 0
        row n2 70b $s 2 1 2048 30720 1 4 graph 124 0
        row n2 70b $s 2 1 4096 28672 1 2 eager 0 0
    done
    for launch in graph eager; do
        row n2 405b8 decode-pass-q 2 1 1 65536 4 2 $launch 0 0
        row n2 70b decode-pass-q 2 1 1 16384 16 4 $launch 0 0
        row n2 70b tp 1 2 4096 0 1 2 $launch 0 0
        row n2 70b tp 1 2 16384 0 1 1 $launch 0 0
        row n2 70b tp 1 2 2048 30720 1 4 $launch 0 0
        row n2 70b decode-tp 1 2 1 32768 8 4 $launch 0 0
        row n2 8b decode-tp 1 2 1 8192 64 8 $launch 0 0
    done
}

one() {
    local launch t
    for launch in graph eager; do
        for t in 512 1024 2048 4096 8192 16384; do
            row n1 8b tp 1 1 $t 0 1 4 $launch 0 0
            row n1 405b8 tp 1 1 $t 0 1 1 $launch 0 0
            row n1 405b8 tp 1 1 $t 65536 1 1 $launch 0 0
        done
        row n1 70b tp 1 1 2048 0 1 2 $launch 0 0
        row n1 70b tp 1 1 8192 0 1 1 $launch 0 0
        row n1 70b tp 1 1 1024 31744 1 2 $launch 0 0
        for t in 4096 32768; do
            row n1 8b decode-tp 1 1 1 $t 16 8 $launch 0 0
            row n1 405b8 decode-tp 1 1 1 $t 8 4 $launch 0 0
            row n1 70b decode-tp 1 1 1 $t 4 2 $launch 0 0
        done
    done
}

socket() {
    local t s
    for s in pass-kv pass-q; do
        for t in 3200 12800 6400; do row n4s 405b8 $s 4 1 $t $((128000 - t)) 1 1 graph 0 0; done
        row n4s 405b8 $s 4 1 16384 0 1 1 graph 0 0
        row n4s 70b $s 4 1 8192 0 1 1 graph 0 0
        row n4s 70b $s 2 2 8192 0 1 1 graph 0 0
    done
    row n4s 70b decode-pass-q 4 1 1 32768 8 2 graph 0 0
    row n4s 70b tp 1 4 4096 0 1 1 graph 0 0
    row n4s 70b decode-tp 1 4 1 32768 8 2 graph 0 0
}

[ $# -gt 0 ] || { grep '^#   ' "$0"; exit 2; }
echo 'case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms,ctas'
for list in "$@"; do
    case $list in
    overlap | table4 | four | two | one | socket) "$list" ;;
    *) echo "rings.sh: no list is called '$list'" >&2; exit 2 ;;
    esac
done
