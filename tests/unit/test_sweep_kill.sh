#!/usr/bin/env bash
# A sweep killed (SIGKILL) at fifty random moments and started again each time ends with the bytes of an
# undisturbed one and no file beside it: no row lost, none repeated, none half there. The moments lie within the
# time that the undisturbed sweep took, start-up included. Then what a start does with files that it finds: shards
# and databases in use, of the same sweep, of another one, damaged. It never waits for a lock.
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
run() { exec "$build/ringcast" sweep "$sweep" --out "$1" --threads "${THREADS:-1}" --batch 50 --quiet; }
die() { echo "$*"; exit 1; }
same() { cmp -s "$1" "$work/whole.db" || die "$1 differs from the undisturbed database: $2"; }
alone() { [ "$(ls "$1"*)" = "$1" ] || die "left beside $1: $(ls "$1"*)"; }

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

alone "$work/whole.db"

kills=0 landed=0 finished=0
while [ $kills -lt 50 ]; do
    THREADS=$((kills % 2 + 1)) run "$work/cut.db" &
    pid=$!
    sleep "$(awk -v ms=$((RANDOM % (took < 400 ? took : 400))) 'BEGIN { print ms / 1000 }')"
    if kill -9 $pid 2>/dev/null; then landed=$((landed + 1)); fi
    wait $pid 2>/dev/null || true
    kills=$((kills + 1))
    if [ -e "$work/cut.db" ]; then # once it is complete, start afresh
        same "$work/cut.db" "after $kills kills"
        finished=$((finished + 1))
        rm -f "$work/cut.db"*
    fi
done
(run "$work/cut.db")
same "$work/cut.db" "at the end"
alone "$work/cut.db"
[ $landed -ge 25 ] || die "only $landed of 50 kills met a running sweep"

# hold FILE: another program locks it until `release`.
hold() {
    mkfifo "$work/hold"
    sqlite3 "$1" <"$work/hold" >"$work/held" &
    exec 3>"$work/hold"
    echo "BEGIN EXCLUSIVE; SELECT 'held';" >&3
    while [ ! -s "$work/held" ]; do sleep 0.01; done
}
release() {
    exec 3>&-
    wait
    rm -f "$work/hold" "$work/held"
}
status_of() { # EXPECTED-STATUS PATTERN COMMAND...
    local expected=$1 pattern=$2 status=0 start=$SECONDS
    shift 2
    ("$@") >"$work/said" 2>&1 || status=$?
    [ $status -eq "$expected" ] && grep -q "$pattern" "$work/said" || die "exit $status, not $expected: $(cat "$work/said")"
    [ $((SECONDS - start)) -lt 15 ] || die "waited $((SECONDS - start)) s"
}
loud() { exec "$build/ringcast" sweep "$sweep" --out "$@" --threads 1; }

# A database in use is said to be; a shard in use is left alone, and its points are computed again.
hold "$work/whole.db"
status_of 2 'in use' run "$work/whole.db"
release
rm "$work/cut.db"
cp "$work/whole.db" "$work/cut.db.shard-7"
hold "$work/cut.db.shard-7"
status_of 0 '# 0 were there; .*' loud "$work/cut.db"
grep -q '1 shard is beside it in use by another process' "$work/said" || die "$(cat "$work/said")"
same "$work/cut.db" "beside a shard in use"
[ -e "$work/cut.db.shard-7" ] || die "a shard in use was removed"
release
# Once it is free, the next start removes it, with what merges left, for the database is complete.
echo 'not a database, but long enough to be looked at as if it were one: sixteen bytes and more' >"$work/cut.db.merge-3"
status_of 0 "# $((600 * points)) were there; 0 now" loud "$work/cut.db"
alone "$work/cut.db"

# Rows found twice, in a part of the database itself and in a shard, count once.
cp "$work/whole.db" "$work/cut.db.shard-5"
sqlite3 "$work/cut.db" 'DELETE FROM point WHERE point % 3 = 0'
sqlite3 "$work/cut.db.shard-5" 'DELETE FROM point WHERE point % 3 = 1'
status_of 0 "# $((600 * points)) were there; 0 now" loud "$work/cut.db"
same "$work/cut.db" "made of two parts"
alone "$work/cut.db"

# A shard of another sweep, or one that is damaged, is named and kept; --overwrite removes it.
rm "$work/cut.db"
cp "$work/whole.db" "$work/cut.db.shard-2"
sqlite3 "$work/cut.db.shard-2" "UPDATE sweep SET value = '0123456789abcdef' WHERE key = 'hash'"
status_of 2 'cut.db.shard-2: holds another sweep' loud "$work/cut.db"
[ "$(ls "$work/cut.db"*)" = "$work/cut.db.shard-2" ] || die "left: $(ls "$work/cut.db"*)"
status_of 0 '# 0 were there' loud "$work/cut.db" --overwrite
alone "$work/cut.db"
rm "$work/cut.db"
head -c 3000 "$work/whole.db" >"$work/cut.db.shard-2"
status_of 2 'cut.db.shard-2: not a database, or a damaged one' loud "$work/cut.db"
echo "$landed of 50 kills met a running sweep of $((600 * points)) points, which was complete $finished times; the bytes are equal"
