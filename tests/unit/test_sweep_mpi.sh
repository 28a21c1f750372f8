#!/usr/bin/env bash
# A sweep under mpirun of which a rank, rank 0 or the whole job is killed in the middle: the job ends with an error, every
# rank that can says so, each leaves a shard of whole rows, and the next start takes all of them over and ends with the
# bytes of one process. What fails on one rank is said once, by rank 0. Undisturbed ranks: test_sweep_ranks.sh.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
. tests/support/mpirun.sh
# Seconds that the ranks of a lost job have for their last words before they are killed.
export OMPI_MCA_odls_base_sigkill_timeout=3

# Long enough (two seconds alone) for a kill to meet it.
points=400
while :; do
    sed "s/points: 60/points: $points/" "$sweep" >"$work/long.yaml"
    rm -f "$work/long.db"
    start=$(date +%s%N)
    "$build/ringcast" sweep "$work/long.yaml" --out "$work/long.db" --threads 1 --quiet
    if [ $((($(date +%s%N) - start) / 1000000)) -ge 2000 ] || [ $points -ge 10000 ]; then break; fi
    points=$((points * 2))
done

rank_of() { tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | sed -nE 's/^(OMPI_COMM_WORLD_RANK|PMI_RANK)=//p'; }
find_ranks() { # sets pid[rank] for the three ranks that write to cut.db
    local p r
    pid=()
    for p in $(pgrep -f -- "sweep $work/long.yaml --out $work/cut.db" || true); do
        r=$(rank_of "$p" || true)
        [ -z "$r" ] || pid[r]=$p
    done
    [ ${#pid[@]} -eq 3 ]
}
gone() { # a process in its last moments may still hold its locks: only a zombie or none has let go
    local state
    state=$(sed -n 's/.*) \([A-Z]\) .*/\1/p' "/proc/$1/stat" 2>/dev/null || true)
    [ -z "$state" ] || [ "$state" = Z ]
}
rows_left() {
    local f total=0
    for f in "$work"/cut.db.shard-*; do
        case $f in *-journal) continue ;; esac
        total=$((total + $(sqlite3 "$f" 'SELECT count(*) FROM point' 2>/dev/null || echo 0)))
    done
    echo $total
}
# Kill while every rank is at work. Fails when the job was over before.
cut() { # VICTIM: a rank, or all
    rm -f "$work/cut.db"*
    mpirun -n 3 "$build/ringcast" sweep "$work/long.yaml" --out "$work/cut.db" --batch 20 --quiet >"$work/said" 2>&1 &
    local job=$! p
    for _ in $(seq 1000); do
        if find_ranks || ! kill -0 $job 2>/dev/null; then break; fi
        sleep 0.01
    done
    for _ in $(seq 1000); do
        if [ "$(cat "$work"/cut.db.shard-? 2>/dev/null | wc -c)" -gt 100000 ] || ! kill -0 $job 2>/dev/null; then break; fi
        sleep 0.01
    done
    if [ "$1" = all ]; then kill -9 $job "${pid[@]}" || true; else kill -9 "${pid[$1]:-$job}" || true; fi
    status=0
    wait $job 2>/dev/null || status=$?
    for p in "${pid[@]}"; do
        for _ in $(seq 1000); do
            if gone "$p"; then break; fi
            sleep 0.01
        done
        gone "$p" || die "rank with process $p outlives its job"
    done
    [ ! -e "$work/cut.db" ]
}
for victim in 2 0 all; do
    for try in 1 2 3 4 5; do
        if cut $victim; then break; fi
        [ $try -lt 5 ] || die "five times the job was over before rank $victim was met"
    done
    [ $status -ne 0 ] || die "the job ends well with rank $victim killed"
    if [ $victim != all ]; then # both others are ended by the launcher, and say so
        [ "$(grep -c 'ended by SIGTERM: rank . of 3: rows computed so far are kept' "$work/said")" = 2 ] ||
            die "rank $victim killed, and the others say: $(cat "$work/said")"
    fi
    rows=$(rows_left)
    [ "$rows" -gt 0 ] && [ "$rows" -lt $((points * 18)) ] || die "rank $victim killed: $rows rows are left"
    mpirun -n 2 "$build/ringcast" sweep "$work/long.yaml" --out "$work/cut.db" --json >"$work/again.json"
    grep -q "\"present\": $rows," "$work/again.json" || die "rank $victim killed, $rows rows left: $(cat "$work/again.json")"
    cmp "$work/cut.db" "$work/long.db" || die "rank $victim killed: a restart does not complete it"
    [ "$(ls "$work/cut.db"*)" = "$work/cut.db" ] || die "left: $(ls "$work/cut.db"*)"
done

sed 's/pass-q/pass-x/' "$sweep" >"$work/wrong.yaml"
said_once 2 'pass-x' "$build/ringcast" sweep "$work/wrong.yaml" --out "$work/wrong.db"
said_once 2 'cannot create' "$build/ringcast" sweep "$sweep" --out "$work/none/x.db"
said_once 2 '(rank 1)' bash "$work/on_rank_1" "trap '' XFSZ; ulimit -f 16" \
    "$build/ringcast" sweep "$work/long.yaml" --out "$work/full.db" --quiet
echo "of a killed job nothing is lost but rows under way"
