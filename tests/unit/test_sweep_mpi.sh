#!/usr/bin/env bash
# A sweep under mpirun: the same database as one process with 2 and 4 ranks; a rank killed in the middle ends the
# job with an error, leaves whole rows, and the next start completes them; a file that is wrong is said once.
# Skips, and says so, without mpirun or when built without MPI.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
command -v mpirun >/dev/null || { echo "skipped: no mpirun"; exit 0; }
grep -q '^MPI_C_LIB_NAMES:STRING=.' "$build/CMakeCache.txt" || { echo "skipped: built without MPI"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Open MPI refuses root and more ranks than cores unless told; MPI libraries leak at exit.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
sweep=$work/mpi.yaml
cat >"$sweep" <<'YAML'
scenario: mpi
model: llama-3.1-8b
machine: h200-sxm
parallel: {tp: 1, cp: [1, 2, 4], variant: [pass-kv, pass-q]}
phase: prefill
tokens: {new: {from: 1K, to: 64K, points: 60}, cached: [0, 1K, 20K]}
YAML
dump() { sqlite3 "$1" .dump | md5sum; }
sweep() { # DB RANKS
    mpirun -n "$2" "$build/ringcast" sweep "$sweep" --out "$1" --batch 20 --json
}

"$build/ringcast" sweep "$sweep" --out "$work/one.db" --quiet
for ranks in 2 4; do
    sweep "$work/$ranks.db" $ranks >"$work/$ranks.json"
    grep -q "\"ranks\": $ranks," "$work/$ranks.json" || { echo "$ranks ranks: $(cat "$work/$ranks.json")"; exit 1; }
    [ "$(dump "$work/$ranks.db")" = "$(dump "$work/one.db")" ] || { echo "$ranks ranks: another database"; exit 1; }
done

# Kill a rank while rows arrive: a worker, then rank 0. The sweep is long enough (half a second alone) to be met.
points=50
while :; do
    points=$((points * 2))
    sed "s/points: 60/points: $points/" "$sweep" >"$work/long.yaml"
    rm -f "$work/long.db"
    start=$(date +%s%N)
    "$build/ringcast" sweep "$work/long.yaml" --out "$work/long.db" --threads 1 --quiet
    if [ $((($(date +%s%N) - start) / 1000000)) -ge 500 ] || [ $points -ge 10000 ]; then break; fi
done
find_rank() { # the process of a rank that writes to cut.db
    local f
    for f in $(grep -lsF -- "$work/cut.db" /proc/[0-9]*/cmdline); do
        f=${f%/cmdline}
        if tr '\0' '\n' <"$f/environ" | grep -xE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1" >/dev/null; then echo "${f#/proc/}"; fi
    done 2>/dev/null
}
cut_at() { sqlite3 "$work/cut.db" 'SELECT count(*) FROM point'; }
for victim in 2 0; do
    rm -f "$work/cut.db"*
    mpirun -n 3 "$build/ringcast" sweep "$work/long.yaml" --out "$work/cut.db" --batch 20 --quiet >/dev/null 2>&1 &
    job=$!
    for _ in $(seq 500); do
        if [ "$(stat -c %s "$work/cut.db" 2>/dev/null || echo 0)" -gt 20000 ]; then break; fi
        sleep 0.01
    done
    kill -9 "$(find_rank $victim)" || { echo "rank $victim was not met"; exit 1; }
    status=0
    wait $job || status=$?
    [ $status -ne 0 ] || { echo "the job ends well with rank $victim killed"; exit 1; }
    for _ in $(seq 100); do # until the last rank of the job is gone
        grep -qsF -- "$work/cut.db" /proc/[0-9]*/cmdline || break
        sleep 0.05
    done
    rows=$(cut_at)
    [ "$rows" -gt 0 ] && [ "$rows" -lt $((points * 18)) ] || { echo "killed too early or late: $rows rows"; exit 1; }
    mpirun -n 2 "$build/ringcast" sweep "$work/long.yaml" --out "$work/cut.db" --quiet
    [ "$(dump "$work/cut.db")" = "$(dump "$work/long.db")" ] || { echo "a restart does not complete it"; exit 1; }
done

sed 's/pass-q/pass-x/' "$sweep" >"$work/wrong.yaml"
status=0
mpirun -n 2 "$build/ringcast" sweep "$work/wrong.yaml" --out "$work/wrong.db" >"$work/said" 2>&1 || status=$?
[ $status -ne 0 ] && [ "$(grep -c 'pass-x' "$work/said")" = 1 ] || { cat "$work/said"; exit 1; }
echo "2 and 4 ranks write what one process writes; a killed rank ends the job, a restart completes it"
