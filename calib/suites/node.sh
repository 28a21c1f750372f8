#!/usr/bin/env bash
# Measures a whole NVLink node of n GPUs (2, 4 or 8) inside ten minutes: NCCL in every group size and
# over every transport, rings and tensor parallel of every n = CP x TP on Llama 405B and 70B layers,
# compute beside transfers. Nothing of it needs PyTorch or a network.
#
# usage: calib/suites/node.sh CALIB OUT [N]
#   CALIB  the ringcast-calib program      OUT  folder for the CSVs; made, must not hold any yet
#   N      GPUs; default: as many as nvidia-smi lists
#
# Writes OUT/net.csv, OUT/ring-TRANSPORT.csv (nvlink, shm, socket), OUT/cases.csv and logs. Rows carry
# GPU, driver, CUDA, NCCL, clocks, date and commit. SECONDS_IN_ALL (600) bounds the run; what does not
# fit is left out, and each log says what.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

die() {
    printf 'node.sh: %s\n' "$*" >&2
    exit 2
}

[ $# -ge 2 ] || die "usage: node.sh CALIB OUT [N]"
readonly calib=$1 out=$2
gpus=${3:-$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true)}
readonly gpus total=${SECONDS_IN_ALL:-600}
commit=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
readonly commit
[ -x "$calib" ] || die "$calib is not a program"
case $gpus in 2 | 4 | 8) ;; *) die "2, 4 or 8 GPUs, not '$gpus'" ;; esac
mkdir -p "$out"
if compgen -G "$out/*.csv" >/dev/null; then die "$out holds CSVs already"; fi
export NCCL_NVLS_ENABLE=${NCCL_NVLS_ENABLE:-0}

# row MODEL HEADS KV-HEADS WIDTH FFN (of what is split TP ways) SCHEDULE CP TP T P BATCH LAYERS LAUNCH
row() {
    local model=$1 heads=$2 kv=$3 width=$4 ffn=$5 schedule=$6 cp=$7 tp=$8 t=$9
    shift 9
    local p=$1 batch=$2 layers=$3 launch=$4
    printf 'n%s-%s-%s-cp%s-tp%s-t%s-p%s-b%s-l%s-%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,0\n' "$gpus" "$model" \
        "$schedule" "$cp" "$tp" "$t" "$p" "$batch" "$layers" "$launch" "$schedule" "$cp" "$tp" "$t" "$p" \
        "$batch" $((heads / tp)) $((kv > tp ? kv / tp : 1)) "$width" $((ffn / tp)) "$layers" "$launch"
}

# 405B as one GPU of a TP8 node sees it, and 70B as the node itself runs it.
cases() {
    local tp cp t
    echo 'case,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms'
    for t in 16384 131072; do
        row 405b8 16 1 16384 6656 pass-kv "$gpus" 1 $t 0 1 1 graph
        row 405b8 16 1 16384 6656 pass-q "$gpus" 1 $t 0 1 1 graph
    done
    for t in 1280 6400; do
        row 405b8 16 1 16384 6656 pass-kv "$gpus" 1 $t $((128000 - t)) 1 1 graph
        row 405b8 16 1 16384 6656 pass-q "$gpus" 1 $t $((128000 - t)) 1 1 graph
    done
    row 405b8 16 1 16384 6656 decode-pass-q "$gpus" 1 1 65536 "$gpus" 8 graph
    for ((tp = 1; tp <= gpus; tp *= 2)); do
        cp=$((gpus / tp))
        for t in 8192 65536; do
            if [ $cp = 1 ]; then
                row 70b 64 8 8192 28672 tp 1 "$tp" $t 0 1 4 graph
            else
                row 70b 64 8 8192 28672 pass-kv $cp "$tp" $t 0 1 4 graph
                row 70b 64 8 8192 28672 pass-q $cp "$tp" $t 0 1 4 graph
            fi
        done
        if [ $cp = 1 ]; then
            row 70b 64 8 8192 28672 decode-tp 1 "$tp" 1 32768 8 4 graph
            row 405b 128 8 16384 53248 tp 1 "$tp" 8192 0 1 2 graph
        else
            row 70b 64 8 8192 28672 decode-pass-q $cp "$tp" 1 32768 8 4 graph
        fi
    done
}

# step LABEL SECONDS COMMAND...: with its log; what fails is said and the rest goes on.
failed=0
step() {
    local label=$1 seconds=$2 status=0
    shift 2
    printf '== %s, at most %s s\n' "$label" "$seconds"
    timeout $((seconds + 30)) "$@" >"$out/$label.log" 2>&1 || status=$?
    tail -n 3 "$out/$label.log"
    if [ $status -ne 0 ]; then
        printf 'node.sh: %s ended with status %s, see %s\n' "$label" $status "$out/$label.log" >&2
        failed=1
    fi
}

cases >"$out/cases.csv"
share() { echo $((total * $1 / 100)); }
step net "$(share 35)" "$calib" run --suite net,interference --gpus "$gpus" --budget "$(share 35)" --quiet \
    --commit "$commit" --out "$out/net.csv"
for transport in nvlink:30 shm:15 socket:10; do
    step "ring-${transport%:*}" "$(share "${transport#*:}")" "$calib" ring --cases "$out/cases.csv" \
        --transport "${transport%:*}" --budget "$(share "${transport#*:}")" --commit "$commit" \
        --out "$out/ring-${transport%:*}.csv"
done
exit $failed
