#!/usr/bin/env bash
# ringcast-calib on GPUs that do not run everything: what cannot be measured is left out aloud, with the compute
# capability that it needs and the one that is there, and the rest is measured; the exit status tells whether
# anything was. No GPU: tests/support/calib_fake.c.
#
# usage: test_calib_capability.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
calib=$(cd "$1" && pwd)/tests/calib_fake
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export RC_FAKE_NAP_US=0 RC_FAKE_GPUS=1 ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
unset OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_STEP_NUM_TASKS

die() {
    printf '%s\n' "$*"
    cat log err 2>/dev/null
    exit 1
}
# run EXPECTED-STATUS CAPABILITY OUT ARGUMENTS...
run() {
    local want=$1 capability=$2 out=$3 code=0
    shift 3
    RC_FAKE_CAPABILITY=$capability timeout 60 "$calib" run --state burst --out "$out" "$@" >log 2>err || code=$?
    [ "$code" = "$want" ] || die "status $code, not $want: $capability $*"
}
count() { awk -F, -v op="$2" -v dtype="$3" '!/^#/ && $4 == op && (dtype == "" || $6 == dtype)' "$1" | wc -l; }
says() { grep -qxF "$1" log || die "it does not say: $1"; }

export RC_FAKE_GPU="NVIDIA A100-SXM4-80GB"
# Only what it cannot measure: no file, and a status that tells.
run 1 80 none.csv --suite attention
says "# attention: SKIPPED: it needs compute capability 9.0 only, and NVIDIA A100-SXM4-80GB has 8.0"
[ ! -e none.csv ] || die "a file was written"
grep -q 'nothing could be measured' err || die "it does not say that nothing could be measured"

# Everything: the rest is measured. Products and decode of fp8 need 8.9.
run 0 80 a100.csv --suite memory,host,merge,elementwise,decode,attention,gemm,sms
[ "$(count a100.csv attention "")" = 0 ] || die "attention was measured"
[ "$(count a100.csv decode fp8)" = 0 ] && [ "$(count a100.csv decode bf16)" -gt 100 ] || die "decode: not bf16 alone"
[ "$(count a100.csv gemm fp8)" = 0 ] && [ "$(count a100.csv gemm bf16)" -gt 300 ] || die "products: not bf16 alone"
[ "$(count a100.csv quantize_fp8 "")" -gt 0 ] || die "quantisation, which every GPU can do, is missing"
if awk -F, '$4 == "launch" && $5 ~ /attention/' a100.csv | grep . >/dev/null; then die "attention's launches were timed"; fi
grep -qE '^# gemm: [0-9]+ points left out: it needs compute capability 8.0\+, fp8 8.9\+, fp8-block 9.0 only, and NVIDIA A100' log ||
    die "what is left out of gemm is not said"
grep -qE '^# sms: [0-9]+ points left out: it needs compute capability 8.0\+, attention 9.0 only' log ||
    die "what is left out of sms is not said"

# Points that a file asks for are refused by name.
printf 'op,variant,dtype,a,b,c,d\nattention,full,bf16,512,8192,16,1\ngemm,,fp8,64,4096,4096,0\ngemm,,bf16,64,4096,4096,0\n' >points.csv
run 0 80 points.out.csv --points points.csv
[ "$(grep -c ',gemm,' points.out.csv)" = 1 ] || die "not the one product that it can measure"
grep -q '^# skipped: gemm fp8 64 4096 4096 0: needs compute capability 8.9+, and NVIDIA A100' log || die "no reason for fp8"

# Several GPUs: no process is started for a suite that none of them runs.
RC_FAKE_GPUS=4 run 0 80 four.csv --suite memory,merge,attention
[ "$(count four.csv merge "")" -gt 0 ] && [ "$(count four.csv attention "")" = 0 ] || die "four GPUs"
if grep -q 'starts with.*attention' log; then die "a process was started for attention"; fi

# Ada multiplies fp8; Blackwell, too, and neither runs attention. Hopper leaves nothing out.
RC_FAKE_GPU="NVIDIA L40S" run 0 89 l40s.csv --suite decode,attention
[ "$(count l40s.csv decode fp8)" -gt 10 ] && [ "$(count l40s.csv attention "")" = 0 ] || die "L40S"
RC_FAKE_GPU="NVIDIA B300 SXM6 AC" run 0 103 b300.csv --suite gemm,attention
[ "$(count b300.csv gemm fp8)" -gt 100 ] && [ "$(count b300.csv attention "")" = 0 ] || die "B300"
RC_FAKE_GPU="NVIDIA H20" run 0 90 h20.csv --suite decode,attention,sms
if grep -q 'compute capability' log; then die "something was left out on 9.0"; fi

"$calib" list >log
grep -qE '^  attention .* 9\.0 only ' log && grep -qE '^  gemm .* 8\.0\+, fp8 8\.9\+, fp8-block 9\.0 only ' log || die "list does not say what suites need"
for m in a100-sxm l40s b300 h20; do
    grep -lq "^$m," a100.csv l40s.csv b300.csv h20.csv || die "no rows of a machine $m"
done
