#!/usr/bin/env bash
# What a file from somebody else can do (docs/security.md): names in it are no paths of outputs, its SQL reads one table, its
# text moves no cursor, what it names may be endless, and a database's journal deletes nothing.
#
# usage: test_security.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
ringcast=$build/ringcast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C TMPDIR=$work/tmp
mkdir "$TMPDIR"
cd "$root"
failed=0
wrong() {
    echo "WRONG: $*"
    failed=1
}
# A sanitizer's program does not start within any address space.
most=3000000
(ulimit -v $most && "$ringcast" --help >/dev/null 2>&1) || most=unlimited
limited() { (ulimit -v $most; exec timeout 30 "$ringcast" "$@"); }

# ---- names that look like paths: every file appears in the folder of the command line, and nowhere else ------------
evil='../../../outside/x'
mkdir -p "$work/a/b/c/d" "$work/a/outside" "$work/outside"
out=$work/a/b/c/d
cat >"$work/sweep.yaml" <<YAML
scenario: "$evil"
model: llama-3.1-8b
machine: h200-sxm
parallel: {tp: 1, cp: 1, variant: pass-kv}
phase: prefill
tokens: {new: [1K, 2K], cached: 0}
plot: {x: new, y: time_s}
YAML
cat >"$work/serve.yaml" <<YAML
serve: "$evil"
model: llama-3.1-8b
machine: h100-sxm
pools: [{name: "$evil", tp: 8}]
costs: {prefill: 5ms, decode: 10ms}
synthetic: {requests: 10, rate: 1}
YAML
cat >"$work/plan.yaml" <<YAML
plan: "$evil"
model: llama-3.1-8b
offers: [{machine: h100-sxm, price: 2, gpus: 8}]
slo: [{ttft: 5s}]
synthetic: {requests: 20, rate: 2}
space: {tp: [8], cp: [1], replicas: [1], pools: [mixed]}
search: {simulations: 1, seeds: 1}
YAML
before=$(cd "$work" && find . -type f | sort)
"$ringcast" sweep "$work/sweep.yaml" --out "$out/s.db" --plot "$out" --quiet >/dev/null || wrong "the sweep"
"$ringcast" serve "$work/serve.yaml" --out "$out/serve" --requests "$out/r.csv" --quiet >/dev/null || wrong "the served run"
"$ringcast" plan "$work/plan.yaml" --plot "$out/p" --out "$out/plan.yaml" --quiet >/dev/null || wrong "the plan"
new=$(cd "$work" && find . -type f | sort | comm -13 <(printf '%s\n' "$before") -)
[ "$(grep -c . <<<"$new")" -gt 8 ] || wrong "only $(grep -c . <<<"$new") files were written"
outside=$(grep -v '^\./a/b/c/d/' <<<"$new" || true)
[ -z "$outside" ] || wrong "written outside: $outside"

# ---- SQL of a sweep's picture ---------------------------------------------------------------------------------------------
if command -v gnuplot >/dev/null; then
    try_sql() { # EXPRESSION WORDS
        rm -rf "$work/sql" && mkdir "$work/sql"
        awk -v y="$1" '/^plot:/ { print "plot: {x: new, y: \"" y "\"}"; next } 1' "$work/sweep.yaml" >"$work/sql.yaml"
        limited sweep "$work/sql.yaml" --out "$work/sql/s.db" --plot "$work/sql" --quiet >"$work/said" 2>&1 && wrong "$1 was done"
        grep -q "$2" "$work/said" || wrong "$1: $(cat "$work/said")"
        [ "$(ls "$work/sql")" = s.db ] || wrong "$1 left $(ls "$work/sql" | tr '\n' ' ')"
    }
    try_sql "(SELECT count(*) FROM sqlite_master)" 'not authorized'
    try_sql "load_extension('x')" 'not authorized'
    try_sql "(SELECT 1 FROM pragma_database_list)" 'not authorized'
    try_sql "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM c)" 'not authorized'
    try_sql "zeroblob(1000000000)" 'too big'
    try_sql "1 FROM point); ATTACH '$work/sql/evil.db' AS e; --" 'syntax error'
fi

# ---- text for the terminal -----------------------------------------------------------------------------------------------
printf 'a\033]0;title\007b,\033[2Jc\xc2\x9bd\xff\n1,2\n' >"$work/escape.csv"
"$ringcast" trace "$work/escape.csv" >"$work/said" 2>&1 && wrong "a trace of escapes was read"
grep -q 'found the columns a?' "$work/said" || wrong "said $(cat -v "$work/said")"
[ "$(tr -d '\n\t' <"$work/said" | LC_ALL=C tr -cd '\000-\037\177\233\377' | wc -c)" = 0 ] || wrong "control characters: $(cat -v "$work/said")"
printf 'scenario: x\nmodel: "a\\e[31mb"\n' >"$work/escape.yaml"
"$ringcast" forward "$work/escape.yaml" >"$work/said" 2>&1 && wrong "a scenario of escapes was read"
[ "$(tr -cd '\033' <"$work/said" | wc -c)" = 0 ] || wrong "an escape: $(cat -v "$work/said")"

# ---- endless files ---------------------------------------------------------------------------------------------------------
if [ $most != unlimited ]; then
    endless() {
        local status=0
        limited "$@" >"$work/said" 2>&1 </dev/null || status=$?
        [ $status = 2 ] || wrong "exit $status: $*: $(tail -n 1 "$work/said" | cut -c1-200)"
    }
    endless forward /dev/zero
    endless forward scenarios/paper/cp4-128k.yaml --set model=/dev/zero
    endless forward scenarios/paper/cp4-128k.yaml --set machine=/dev/zero
    endless forward scenarios/paper/cp4-128k.yaml --store /dev/zero
    endless trace /dev/zero
    endless serve scenarios/serve/azure-code.yaml --set arrivals.trace=/dev/zero
    endless calibration import /dev/zero --machine lab --out "$work/i.db"
    endless calibration build /dev/zero --out "$work/b.db"
fi

# ---- the journal of a store --------------------------------------------------------------------------------------------------
"$ringcast" calibration build results/calibration/h200-sxm/all.csv --out "$work/whole.db" >/dev/null
rows=$(sqlite3 "$work/whole.db" 'SELECT count(*) FROM cost')
cp "$work/whole.db" "$work/live.db"
sqlite3 "$work/live.db" >/dev/null <<SQL
PRAGMA journal_mode=DELETE;
PRAGMA cache_size=1;
PRAGMA cache_spill=1;
BEGIN IMMEDIATE;
UPDATE cost SET p90_s = p90_s * 2;
.shell cp '$work/live.db' '$work/torn.db'; cp '$work/live.db-journal' '$work/torn.db-journal'
ROLLBACK;
SQL
if [ -s "$work/torn.db-journal" ]; then
    cp "$work/torn.db" "$work/crafted.db"
    cp "$work/torn.db-journal" "$work/crafted.db-journal"
    # its own journal mends it
    "$ringcast" calibration list --store "$work/torn.db" >"$work/said" 2>&1 || wrong "a torn store: $(cat "$work/said")"
    [ "$(sqlite3 "$work/torn.db" 'SELECT count(*), sum(p90_s) FROM cost')" = "$(sqlite3 "$work/whole.db" 'SELECT count(*), sum(p90_s) FROM cost')" ] ||
        wrong "a torn store was not mended ($rows rows)"
    # one that names another file is refused
    echo precious >"$work/precious"
    name=$work/precious
    {
        printf '\0\100\0\001%s' "$name"
        printf '\0\0\0\%03o' ${#name}
        printf '\0\0\0\0\331\325\005\371\040\241\143\327'
    } >>"$work/crafted.db-journal"
    status=0
    "$ringcast" calibration list --store "$work/crafted.db" >"$work/said" 2>&1 || status=$?
    [ $status = 2 ] && grep -q 'names another file' "$work/said" || wrong "a crafted journal: exit $status, $(cat "$work/said")"
    [ -s "$work/precious" ] || wrong "the file that a journal names is gone"
else
    wrong "no torn store could be made"
fi
exit $failed
