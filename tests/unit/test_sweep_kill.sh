#!/usr/bin/env bash
# A sweep killed (SIGKILL) at fifty random moments and started again each time ends with the database of an
# undisturbed one: no row lost, none repeated, none half there. The moments lie within the time that the
# undisturbed sweep took, start-up included. Also: two sweeps may not write to one database at once.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
RANDOM=20260131
sweep=$work/kill.yaml
cat >"$sweep" <<'YAML'
scenario: kill
model: llama-3.1-8b
machine: h200-sxm
parallel: {tp: 1, cp: [1, 2, 4], variant: [pass-kv, pass-q]}
phase: prefill
tokens: {new: {from: 1K, to: 64K, points: 100}, cached: {from: 0, to: 90K, points: POINTS}}
YAML
run() { exec "$build/ringcast" sweep "$sweep" --out "$1" --threads 1 --batch 50 --quiet; }
dump() { sqlite3 "$1" .dump | md5sum; }

# As many points as take a quarter of a second here, so that kills fall into the work.
points=4
while :; do
    sed -i "s/points: POINTS/points: $points/; s/, to: 90K, points: [0-9]*/, to: 90K, points: $points/" "$sweep"
    rm -f "$work/whole.db"
    start=$(date +%s%N)
    (run "$work/whole.db")
    took=$((($(date +%s%N) - start) / 1000000))
    if [ $took -ge 250 ] || [ $points -ge 256 ]; then break; fi
    points=$((points * 2))
done

kills=0 landed=0
rm -f "$work/cut.db"*
while [ $kills -lt 50 ]; do
    run "$work/cut.db" &
    pid=$!
    sleep "0.$(printf '%03d' $((RANDOM % (took < 200 ? took : 200))))"
    if kill -9 $pid 2>/dev/null; then landed=$((landed + 1)); fi
    wait $pid 2>/dev/null || true
    kills=$((kills + 1))
    # Progress is only made where a kill left time for a commit: start afresh once it is complete.
    if [ "$(sqlite3 "$work/cut.db" 'SELECT count(*) FROM point' 2>/dev/null || echo 0)" -eq $((600 * points)) ]; then
        [ "$(dump "$work/cut.db")" = "$(dump "$work/whole.db")" ] || { echo "after $kills kills: databases differ"; exit 1; }
        rm -f "$work/cut.db"*
    fi
done
(run "$work/cut.db")
[ "$(dump "$work/cut.db")" = "$(dump "$work/whole.db")" ] || { echo "databases differ"; exit 1; }
[ $landed -ge 25 ] || { echo "only $landed of 50 kills met a running sweep"; exit 1; }

# While another program holds the database, a sweep says so and leaves it alone.
mkfifo "$work/hold"
sqlite3 "$work/whole.db" <"$work/hold" >/dev/null &
exec 3>"$work/hold"
echo "BEGIN EXCLUSIVE; SELECT 'held';" >&3
for _ in $(seq 100); do
    if sqlite3 "$work/whole.db" 'SELECT 1 FROM point LIMIT 1' >/dev/null 2>&1; then sleep 0.02; else break; fi
done
status=0
(run "$work/whole.db") 2>"$work/second" || status=$?
exec 3>&-
wait
[ $status -eq 2 ] && grep -q 'in use: another sweep' "$work/second" || { echo "two writers at once: exit $status"; exit 1; }
echo "$landed of 50 kills met a running sweep of $((600 * points)) points; the databases are equal"
