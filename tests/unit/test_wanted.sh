#!/usr/bin/env bash
# --wanted, then --points: the file that a forecast writes is one that the calibrator takes, point by point; the same
# scenario gives the same file; rows of all its points leave nothing modelled; an existing file is refused before the
# work. No GPU: tests/support/calib_fake.c.
#
# usage: test_wanted.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
source=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RC_FAKE_NAP_US=0 RC_FAKE_GPUS=4 RC_SHARE_DIR=$source ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
unset OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_STEP_NUM_TASKS

die() {
    printf '%s\n' "$*"
    cat "$work/log" 2>/dev/null
    exit 1
}
data() { grep -v '^#' "$1" | tail -n +2; }

"$build/ringcast" forward scenarios/calibrate/qwen-prefill.yaml --wanted "$work/prefill.csv" >"$work/log"
grep "once the $(data "$work/prefill.csv" | wc -l) rows of" "$work/log" >/dev/null || die "the table counts other rows than the file"
"$build/ringcast" forward scenarios/calibrate/qwen-decode.yaml --wanted "$work/decode.csv" --json >"$work/json"
if grep -i wanted "$work/json" >/dev/null; then die "the table is in the way of the JSON"; fi
"$build/ringcast" forward scenarios/calibrate/qwen-decode.yaml --wanted "$work/again.csv" --quiet >/dev/null
cmp "$work/decode.csv" "$work/again.csv" || die "two files of one scenario"
"$build/ringcast" choose --T 12800 --P 115200 --machine gtt --model llama-3.1-405b --cp 4 --wanted "$work/choose.csv" >"$work/log"

# What is served, and a sweep: one file of their passes.
"$build/ringcast" serve scenarios/serve/coding-mixed.yaml --set arrivals.requests=50 --wanted "$work/serve.csv" >"$work/log"
grep 'once the [1-9][0-9]* rows of' "$work/log" >/dev/null || die "serve wants nothing"
"$build/ringcast" sweep scenarios/sweep/network.yaml --out "$work/s.db" --quiet --wanted "$work/sweep.csv" >"$work/log"
for f in serve sweep; do
    "$build/tests/calib_fake" run --points "$work/$f.csv" --gpus 1 --state burst --out "$work/$f-rows.csv" >"$work/log" ||
        die "the calibrator does not take the file of $f"
done
code=0
"$build/ringcast" serve scenarios/serve/coding-mixed.yaml --rates 1 --wanted "$work/no.csv" >"$work/log" 2>&1 || code=$?
[ "$code" = 2 ] || die "--wanted of a curve: status $code"

# What takes most of the time of a model whose products nobody has measured.
data "$work/prefill.csv" | grep '^gemm,,bf16,8000,14784,8192,0,' >/dev/null || die "the product of the gate and up is not wanted"
data "$work/prefill.csv" | awk -F, '{ t += $13 } END { exit !(t > 50 && t <= 100.5) }' || die "shares of the time"
data "$work/prefill.csv" | awk -F, 'n++ && $15 > last + 1e-9 { exit 1 } { last = $15 }' || die "not sorted by what narrows"

# Every point is one that the calibrator measures: with eight GPUs nothing is skipped but what needs several nodes.
RC_FAKE_GPUS=8 "$build/tests/calib_fake" run --points "$work/prefill.csv" --points "$work/decode.csv" --state sustained \
    --out "$work/rows.csv" >"$work/log" || die "the calibrator does not take the file"
if grep '^# skipped' "$work/log"; then die "a point is skipped"; fi
cut -d, -f1-12 <(data "$work/prefill.csv"; data "$work/decode.csv") | sort -u | wc -l >"$work/points"
RC_FAKE_GPUS=8 "$build/tests/calib_fake" run --points "$work/prefill.csv" --points "$work/decode.csv" --state both \
    --out "$work/both.csv" >"$work/log"
awk -F, '/^#/ { next } n++ { print $4, $5, $6, $7, $8, $9, $10 }' "$work/both.csv" | sort -u | wc -l | cmp - "$work/points" ||
    die "not all points became rows"

code=0
"$build/ringcast" forward scenarios/calibrate/qwen-prefill.yaml --wanted "$work/prefill.csv" >"$work/log" 2>&1 || code=$?
[ "$code" = 2 ] && grep 'exists' "$work/log" >/dev/null || die "an existing file is not refused: $code"
[ "$(wc -l <"$work/log")" = 1 ] || die "it was refused after the work"
