#!/usr/bin/env bash
# ringcast-calib run --points: just the points of a file, in both states or one, by all suites, on one GPU and on
# several; what does not fit is skipped aloud; a bad file is refused with its line before anything is measured; a
# run that was cut goes on. No GPU: tests/support/calib_fake.c.
#
# usage: test_calib_points.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
calib=$(cd "$1" && pwd)/tests/calib_fake
corpus=$(cd "$(dirname "$0")/.." && pwd)/fuzz/corpus/points
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
rows() {
    awk -F, '/^#/ { next } !seen++ { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { print $at["state"], $at["op"], $at["variant"], $at["dtype"], $at["a"], $at["b"], $at["c"], $at["d"] }' "$1"
}
run() {
    local want=$1 out=$2 code=0
    shift 2
    timeout 60 "$calib" run --out "$out" "$@" >log 2>err || code=$?
    [ "$code" = "$want" ] || die "status $code, not $want: $*"
}

# One GPU: everything but what needs several, in the states that make a difference.
run 0 one.csv --points "$corpus/wanted.csv"
rows one.csv >one.rows
[ "$(wc -l <one.rows)" = 18 ] || die "not 18 rows"
[ "$(grep -c ' gemm  bf16 8192 2560 8192 0$' one.rows)" = 2 ] || die "the product is not there in both states"
[ "$(grep -c ' graph_launch ' one.rows)" = 1 ] || die "a graph's launch has no clock state"
[ "$(grep -c '^sustained gemm @duty60 ' one.rows)" = 1 ] || die "a duty cycle is measured hot alone"
[ "$(grep -c '^# skipped: gemm fp8 1000000000 ' log)" = 1 ] || die "what does not fit is not said once"
grep '^# net: SKIPPED: it needs two GPUs' log >/dev/null || die "net is left out in silence"
grep '^# options: .*; 14 points of .*wanted.csv; ' one.csv >/dev/null || die "the rows do not say where their points are from"

# One state, some suites, and nothing that is there already.
run 0 hot.csv --points "$corpus/wanted.csv" --state sustained --suite gemm,decode
[ "$(rows hot.csv | cut -d' ' -f1 | sort -u)" = sustained ] || die "bursts in a sustained run"
[ "$(rows hot.csv | wc -l)" = 2 ] || die "not the two suites that were named"
run 0 new.csv --points "$corpus/wanted.csv" --have hot.csv
if rows new.csv | grep -E '^sustained (gemm  |decode)' >/dev/null; then die "measured again"; fi
[ "$(rows new.csv | wc -l)" = 16 ] || die "not all that was new"

# A store, merged from two files of points.
printf 'op,variant,dtype,a,b,c\ngemm,,bf16,77,2560,8192\n' >more.csv
run 0 both.db --points "$corpus/wanted.csv" --points more.csv
[ -s both.db ] || die "no store"

# Four GPUs: transports that were asked for, and no others.
RC_FAKE_GPUS=4 run 0 four.csv --points "$corpus/wanted.csv"
rows four.csv | sort >four.rows
grep '^burst all_reduce nvlink bf16 134217728 4 1 0$' four.rows >/dev/null || die "no all-reduce"
grep '^burst compute_beside attention+send_recv@nvlink bf16 1000000 120 4 8$' four.rows >/dev/null || die "no interference"
grep '^# skipped: all_reduce rdma .*does not send over rdma' log >/dev/null || die "another transport is left out in silence"
if grep '^# shm: starts\|^# socket: starts' log >/dev/null; then die "a transport that nobody asked for"; fi
sort one.rows | comm -23 - four.rows | grep . && die "rows of one GPU are missing on four"

# Refused before anything is measured.
for bad in unknown_op condition; do
    run 2 no.csv --points "$corpus/$bad.csv"
    grep "$bad.csv:[0-9]*:[0-9]*: column" err >/dev/null || die "no line"
done
run 2 no.csv --points absent.csv
printf 'op\n' >none.csv
run 2 no.csv --points none.csv
run 2 no.csv --points more.csv --suite decode
[ ! -e no.csv ] && [ ! -e no.csv.part ] || die "a file without rows"

# A budget cuts the tail and says so; the run goes on where it was cut.
{ echo 'op,variant,dtype,a,b,c'; for m in $(seq 1 400); do echo "gemm,,bf16,$m,2560,8192"; done; } >many.csv
RC_FAKE_NAP_US=10000 run 0 cut.csv --points many.csv --state burst --budget 1
grep 'CUT by the budget' log >/dev/null || die "the cut is not said"
rows cut.csv | grep ' gemm  bf16 1 2560 8192' >/dev/null || die "the first point was cut"
RC_FAKE_NAP_US=3000 "$calib" run --points many.csv --state burst --out kill.csv >log 2>err &
pid=$!
sleep 0.5
kill -9 $pid
wait $pid 2>/dev/null || true
run 0 kill.csv --points many.csv --state burst --resume
grep '^# resumed: ' log >/dev/null || die "nothing was taken up"
[ "$(rows kill.csv | sort -u | wc -l)" = 400 ] && [ "$(rows kill.csv | wc -l)" = 400 ] || die "rows lost or doubled"
