#!/usr/bin/env bash
# A node of four GPUs measured by processes that the calibrator starts: suites spread over GPUs, then a
# process a transport with a rank a GPU. What must hold: every row once, the most valuable first; one
# failing rank ends the others with a sentence and loses nothing; a rank that hangs is named and ended;
# a missing NCCL is an error; a cut run goes on where it was. No GPU: tests/support/calib_fake.c.
#
# usage: test_calib_node.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
calib=$build/tests/calib_fake
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export RC_FAKE_NAP_US=0 RC_FAKE_GPUS=4 ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
unset OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_STEP_NUM_TASKS

die() {
    printf '%s\n' "$*"
    cat log err 2>/dev/null
    exit 1
}
# What a row says of itself, a line each.
rows() {
    awk -F, '/^#/ { next } !seen++ { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { print $at["state"], $at["op"], $at["variant"], $at["a"], $at["b"], $at["c"], $at["d"], $at["dtype"] }' "$1"
}
# run EXPECTED-STATUS OUT ARGUMENTS...
run() {
    local want=$1 out=$2 code=0
    shift 2
    timeout 60 "$calib" run --state burst --out "$out" "$@" >log 2>err || code=$?
    [ "$code" = "$want" ] || die "status $code, not $want: $*"
}
none_left() {
    for f in "$1".*.csv "$1".*.csv.part; do [ ! -e "$f" ] || die "$f is left behind"; done
}

# Everything, once. Suites of one GPU run on four, the rest with four ranks.
run 0 all.csv --suite memory,host,merge,decode,sms,interference,net
rows all.csv >all.rows
[ -z "$(sort all.rows | uniq -d)" ] || die "doubled rows: $(sort all.rows | uniq -d | sed -n 1,3p)"
none_left all.csv
for g in 0 1 2 3; do grep "^# gpu$g: starts with" log >/dev/null || die "GPU $g has nothing to do"; done
for t in nvlink shm socket; do
    grep " send_recv $t 16777216 4 1 0 bf16$" all.rows >/dev/null || die "no send_recv over $t"
done
# The time is that of the slowest of four ranks, by the fake's arithmetic: 4 x rank 0's.
awk -F, '$4 == "send_recv" && $5 == "nvlink" && $7 == 1048576 && $8 == 4 {
    want = 4e-6 * (1 + 1048576 % 9973 + 0.5 * 4 + 0.25); if ($12 < 0.999 * want || $12 > 1.001 * want) exit 1; n++ }
    END { exit n != 1 }' all.csv || die "not the slowest rank's time"
grep ' compute_beside attention+send_recv@shm 16777216 124 4 8' all.rows >/dev/null || die "no carved-out pair over host memory"
grep ' attention full@sms124 ' all.rows >/dev/null || die "no attention on 124 SMs"
if grep 'send_recv socket@' all.rows >/dev/null; then die "NCCL's CTAs are varied over sockets"; fi
# Worth: the largest group before its half, the main sizes before those in between.
first() { grep -n "$1" all.rows | sed -n 1p | cut -d: -f1; }
[ "$(first 'send_recv nvlink 65536 4')" -lt "$(first 'send_recv nvlink 16777216 2')" ] || die "half a node before the whole"
[ "$(first 'all_to_all nvlink 16777216 2')" -lt "$(first 'send_recv nvlink 256 4')" ] || die "tiny messages first"

# More GPUs than suites, and states in which some suites have no points: nobody is started for nothing.
export RC_FAKE_GPUS=8
run 0 hot.csv --suite all --state sustained
rows hot.csv >hot.rows
grep '^sustained gemm @duty50 ' hot.rows >/dev/null || die "no product at work half of the time"
if grep -E '^burst|^# (nvlink|shm|socket)' hot.rows log >/dev/null; then die "bursts in a sustained run"; fi
run 0 cold.csv --suite memory,clock,merge,decode --quick
if grep 'starts with clock' log >/dev/null; then die "a process without points"; fi
export RC_FAKE_GPUS=4

# One rank fails in the middle: all end, with the sentence; other transports are measured; rows are kept.
RC_FAKE_TROUBLE=fail:all_reduce:1048576:2 run 3 fail.csv --suite net
grep 'all_reduce nvlink bf16 1048576 4 1 0: asked to fail' err >/dev/null || die "the reason is lost"
grep 'the process of rank 2 failed' err >/dev/null || die "the rank is not named"
grep 'kept in fail.csv.part' err >/dev/null || die "FILE.part is not named"
rows fail.csv.part >fail.rows
grep ' send_recv nvlink 16777216 4' fail.rows >/dev/null || die "rows before the failure are lost"
grep ' send_recv shm 16777216 4' fail.rows >/dev/null || die "the other transports were not tried"
none_left fail.csv
# Gone on with, it ends with the rows of an undisturbed run.
run 0 fail.csv --suite net --resume
run 0 net.csv --suite net
rows net.csv | sort >net.rows
rows fail.csv | sort | cmp - net.rows || die "the run that went on differs"

# A rank that hangs is ended by its own clock, and the step is named.
RC_HANG_S=1 RC_FAKE_TROUBLE=hang:all_to_all:16777216:1 run 3 hang.csv --suite net
grep 'hangs: nothing new for 1 s since: all_to_all nvlink' err >/dev/null || die "the step is not named"

# So is one that does not even come to its first point, and one that does not leave its last.
begins=$(awk -F, '/^[^#]/ { for (i = 1; i <= NF; i++) at[$i] = i; getline; while (/^#/) getline; print $at["op"] ":" $at["a"]; exit }' net.csv)
RC_HANG_S=1 RC_FAKE_TROUBLE=stuck:$begins:1 run 3 stuck.csv --suite net
grep 'hangs: nothing new for 1 s since: net opens$' err >/dev/null || die "$begins: the suite that opens is not named: $(cat err)"
RC_HANG_S=1 RC_FAKE_TROUBLE=stays:$begins:1 run 3 stays.csv --suite net
grep 'hangs: nothing new for 1 s since: net closes$' err >/dev/null || die "$begins: the suite that closes is not named: $(cat err)"

# What one rank cannot measure all leave out, and go on.
RC_FAKE_TROUBLE=unable:send_recv:4194304:3 run 0 unable.csv --suite net
grep '# skipped: send_recv nvlink bf16 4194304 4 1 0 0: rank 3 could not\|# skipped: send_recv nvlink bf16 4194304 4 1 0: rank 3 could not' log >/dev/null || die "not said"
rows unable.csv >unable.rows
if grep 'send_recv nvlink 4194304 4 ' unable.rows >/dev/null; then die "measured by three of four"; fi
grep 'send_recv nvlink 67108864 4 ' unable.rows >/dev/null || die "nothing after the skipped point"

# Without NCCL: a sentence, a status, and no file.
RC_FAKE_NO_NCCL=1 run 2 no.csv --suite net
grep 'need NCCL: NCCL is not there' err >/dev/null || die "not said"
[ ! -e no.csv ] && [ ! -e no.csv.part ] || die "a file without rows"
RC_FAKE_NO_NCCL=1 run 0 alone.csv --suite memory,merge

# A budget cuts the tail, and says so.
RC_FAKE_NAP_US=20000 run 0 cut.csv --suite net --budget 6
grep 'CUT by the budget' log >/dev/null || die "the cut is not said"
rows cut.csv >cut.rows
grep 'send_recv nvlink 16777216 4' cut.rows >/dev/null || die "the first point was cut"
if grep 'nvlink 1024 4' cut.rows >/dev/null; then die "the tail was not cut"; fi

# Killed in the middle: what the processes had written is there, and the next run takes it up.
RC_FAKE_NAP_US=3000 "$calib" run --state burst --suite memory,merge,decode,net --out kill.csv >log 2>err &
pid=$!
sleep 1
kill -9 $pid
wait $pid 2>/dev/null || true
for _ in $(seq 100); do # its processes see that it is gone, and end
    pgrep -f -- "--suite memory,merge,decode,net --out kill.csv" >/dev/null || break
    sleep 0.1
done
run 0 kill.csv --suite memory,merge,decode,net --resume
grep '^# resumed: ' log >/dev/null || die "nothing was taken up"
run 0 whole.csv --suite memory,merge,decode,net
rows whole.csv | sort >whole.rows
rows kill.csv | sort | cmp - whole.rows || die "rows of a killed run are lost or doubled"
none_left kill.csv

# --have leaves out what another file holds.
run 0 some.csv --suite merge --gpus 1
run 0 rest.csv --suite merge,decode --gpus 1 --have some.csv
rows rest.csv >rest.rows
if grep ' merge ' rest.rows >/dev/null; then die "measured again"; fi
grep ' decode ' rest.rows >/dev/null || die "nothing new was measured"
# The script for a whole node: steps by budget, results copied as they come, what is there left alone,
# a failed step said with the name of what it left.
node=${RC_SOURCE_DIR:-$build/..}/calib/suites/node.sh
no_rings=(ring-nvlink=0 ring-shm=0 ring-socket=0)
bash "$node" "$calib" out gpus=4 suites=merge,net run=30 "${no_rings[@]}" copy=copied >log 2>err || die "node.sh failed"
cmp out/run.csv copied/run.csv || die "not copied"
[ "$(wc -l <out/cases.csv)" -gt 30 ] || die "no cases for rings"
bash "$node" "$calib" out gpus=4 suites=merge,net run=30 "${no_rings[@]}" >log 2>err || die "node.sh failed"
grep 'run: there already' log >/dev/null || die "measured again"
code=0
RC_FAKE_TROUBLE=fail:send_recv:65536:1 bash "$node" "$calib" bad gpus=2 suites=net run=30 "${no_rings[@]}" >log 2>err || code=$?
[ $code = 1 ] || die "status $code of a failed step"
grep 'its rows so far: bad/run.csv.part' err >/dev/null || die "FILE.part is not named"
echo "node: $(wc -l <all.rows) rows by 4 GPUs and 3 transports; failure, hang, kill and budget as they should be"
