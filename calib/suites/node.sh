#!/usr/bin/env bash
# Measures a whole NVLink node of n GPUs (2, 4 or 8) inside ten minutes: every suite of ringcast-calib,
# spread over the GPUs, then NCCL and compute beside transfers over all of them; then rings and tensor
# parallel of every n = CP x TP on Llama 405B and 70B layers. Nothing of it needs PyTorch or a network.
#
# usage: calib/suites/node.sh CALIB OUT [STEP=SECONDS ...] [OPTION=VALUE ...]
#   CALIB  the ringcast-calib program       OUT  folder for CSVs and logs; made when it is not there
#   steps, in this order, and their seconds when none are given; 0 leaves a step out
#     run=270          ringcast-calib run: all suites (suites=NAMES for others)   -> OUT/run.csv
#     ring-nvlink=170  the cases over NVLink                                      -> OUT/ring-nvlink.csv
#     ring-shm=90      over host memory                                           -> OUT/ring-shm.csv
#     ring-socket=40   over the loopback device                                   -> OUT/ring-socket.csv
#   gpus=N             default: as many as nvidia-smi lists
#   suites=NAMES       for the step run; default all
#   have=FILE.csv      points of this file are not measured again
#   copy=DIR           CSVs, their .part files and logs are copied there every ten seconds and at the end
#
# Where OUT holds a step's .part file, that step is resumed; where it holds its CSV, it is left out. A
# step that fails or runs out of time is said, with the name of what it left; the rest goes on, and the
# exit status is 1. Rows carry GPU, driver, CUDA, NCCL, clocks, date and commit.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

die() {
    printf 'node.sh: %s\n' "$*" >&2
    exit 2
}

[ $# -ge 2 ] || die "usage: node.sh CALIB OUT [STEP=SECONDS ...] [OPTION=VALUE ...]"
readonly calib=$1 out=$2
shift 2
declare -A seconds=([run]=270 [ring-nvlink]=170 [ring-shm]=90 [ring-socket]=40)
gpus='' suites=all have='' copy=''
for word in "$@"; do
    value=${word#*=}
    case $word in
    run=* | ring-nvlink=* | ring-shm=* | ring-socket=*)
        [[ $value =~ ^[0-9]+$ ]] || die "$word: expected whole seconds"
        seconds[${word%%=*}]=$value
        ;;
    gpus=*) gpus=$value ;;
    suites=*) suites=$value ;;
    have=*) have=$value ;;
    copy=*) copy=$value ;;
    *) die "'$word' is neither a step nor an option" ;;
    esac
done
gpus=${gpus:-$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true)}
commit=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -x "$calib" ] || die "$calib is not a program"
[ -z "$have" ] || [ -r "$have" ] || die "$have cannot be read"
case $gpus in 2 | 4 | 8) ;; *) die "2, 4 or 8 GPUs, not '$gpus'" ;; esac
mkdir -p "$out"
export NCCL_NVLS_ENABLE=${NCCL_NVLS_ENABLE:-0}

# row MODEL HEADS KV-HEADS WIDTH FFN (of what is split TP ways) SCHEDULE CP TP T P BATCH LAYERS LAUNCH SMS
row() {
    local model=$1 heads=$2 kv=$3 width=$4 ffn=$5 schedule=$6 cp=$7 tp=$8 t=$9
    shift 9
    local p=$1 batch=$2 layers=$3 launch=$4 sms=$5 ctas=0
    if [ "$sms" != 0 ]; then ctas=$((132 - sms)); fi # what attention leaves NCCL takes
    printf 'n%s-%s-%s-cp%s-tp%s-t%s-p%s-b%s-l%s-%s-sms%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n' "$gpus" "$model" \
        "$schedule" "$cp" "$tp" "$t" "$p" "$batch" "$layers" "$launch" "$sms" "$schedule" "$cp" "$tp" "$t" "$p" \
        "$batch" $((heads / tp)) $((kv > tp ? kv / tp : 1)) "$width" $((ffn / tp)) "$layers" "$launch" "$sms" "$ctas"
}

# 405B as one GPU of a TP8 node sees it (16 heads on one KV head), and 70B as the node itself runs it.
tp8() { row 405b8 16 1 16384 6656 "$@"; }
llama70b() { row 70b 64 8 8192 28672 "$@"; }

# By worth, for a budget cuts the tail: T new of 128,000 tokens, with attention on all SMs and on 124.
cases() {
    local tp cp t sms
    echo 'case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms,ctas'
    for t in 12800 3200 38400 6400; do
        for sms in 0 124; do
            tp8 pass-kv "$gpus" 1 $t $((128000 - t)) 1 1 graph $sms
            tp8 pass-q "$gpus" 1 $t $((128000 - t)) 1 1 graph $sms
        done
    done
    tp8 decode-pass-q "$gpus" 1 1 65536 "$gpus" 8 graph 0
    tp8 pass-kv "$gpus" 1 12800 115200 1 1 eager 0
    for ((tp = gpus / 2; tp >= 1; tp /= 2)); do
        cp=$((gpus / tp))
        for t in 8192 65536; do
            llama70b pass-kv $cp "$tp" $t 0 1 4 graph 0
            llama70b pass-q $cp "$tp" $t 0 1 4 graph 0
        done
        llama70b decode-pass-q $cp "$tp" 1 32768 8 4 graph 0
    done
    llama70b tp 1 "$gpus" 8192 0 1 4 graph 0
    llama70b tp 1 "$gpus" 65536 0 1 4 graph 0
    llama70b decode-tp 1 "$gpus" 1 32768 8 4 graph 0
    row 405b 128 8 16384 53248 tp 1 "$gpus" 8192 0 1 2 graph 0
    for t in 131072 16384; do
        tp8 pass-kv "$gpus" 1 $t 0 1 1 graph 0
        tp8 pass-q "$gpus" 1 $t 0 1 1 graph 0
    done
    tp8 pass-kv "$gpus" 1 12800 115200 1 1 graph 116
    tp8 pass-q "$gpus" 1 12800 115200 1 1 graph 116
    tp8 pass-q "$gpus" 1 12800 115200 1 1 eager 0
}

copy_now() {
    local file
    [ -n "$copy" ] || return 0
    mkdir -p "$copy"
    for file in "$out"/*.csv "$out"/*.part "$out"/*.log; do
        if [ -e "$file" ]; then cp -p "$file" "$copy/" 2>/dev/null || true; fi
    done
}
copier=''
finish() {
    if [ -n "$copier" ]; then kill "$copier" 2>/dev/null || true; fi
    copy_now
}
trap finish EXIT
if [ -n "$copy" ]; then
    while sleep 10; do copy_now; done &
    copier=$!
fi

# step LABEL COMMAND...: with its log. The time limit lies beyond the budget that the command keeps.
failed=0
step() {
    local label=$1 limit=${seconds[$1]} status=0 began=$SECONDS part
    shift
    if [ "$limit" = 0 ]; then return 0; fi
    if [ -e "$out/$label.csv" ]; then
        printf '== %s: there already\n' "$label"
        return 0
    fi
    printf '== %s, at most %s s\n' "$label" "$limit"
    timeout -k 10 $((limit + 75)) "$@" --budget "$limit" --commit "$commit" --out "$out/$label.csv" --resume \
        >>"$out/$label.log" 2>&1 || status=$?
    tail -n 4 "$out/$label.log"
    printf '== %s took %s s\n' "$label" $((SECONDS - began))
    copy_now
    if [ $status -eq 0 ]; then return 0; fi
    failed=1
    printf 'node.sh: %s ended with status %s, see %s\n' "$label" $status "$out/$label.log" >&2
    for part in "$out/$label".csv*.part; do
        if [ -e "$part" ]; then printf 'node.sh: its rows so far: %s\n' "$part" >&2; fi
    done
}

cases >"$out/cases.csv"
with_have=()
if [ -n "$have" ]; then with_have=(--have "$have"); fi
step run "$calib" run --suite "$suites" --gpus "$gpus" --quiet "${with_have[@]}"
for transport in nvlink shm socket; do
    step ring-$transport "$calib" ring --cases "$out/cases.csv" --transport $transport
done
exit $failed
