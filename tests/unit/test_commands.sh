#!/usr/bin/env bash
# What commands answer with the flags that no golden has, and that it agrees with itself: a plan's scenario serves within the
# plan's limits, cases are drawn by their seed, what is wanted can be read by the calibrator, an impossible wish is exit 1.
#
# usage: test_commands.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
ringcast=$build/ringcast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
failed=0
wrong() {
    echo "WRONG: $*"
    failed=1
}
status_of() { # EXPECTED COMMAND...: what it prints is in $work/out
    local expected=$1 status=0
    shift
    "$@" >"$work/out" 2>&1 || status=$?
    [ "$status" = "$expected" ] || wrong "exit $status, expected $expected: $* : $(tail -n 3 "$work/out")"
}
# A value of a JSON file, by SQLite's reader.
json() { sqlite3 :memory: "SELECT json_extract(readfile('$1'), '$2')"; }
is_json() { [ "$(sqlite3 :memory: "SELECT json_valid(readfile('$1'))")" = 1 ] || wrong "$1 is no JSON"; }

# ---- plan ----------------------------------------------------------------------------------------------------
plan() { # LIMIT
    cat <<YAML
plan: small
model: llama-3.1-8b
offers: [{machine: h100-sxm, price: 2, gpus: 16}]
slo: [{ttft: $1}]
synthetic: {requests: 200, rate: 2}
space: {tp: [4, 8], cp: [1], replicas: {from: 1, to: 2}, pools: [mixed]}
search: {simulations: 6, seeds: 1}
YAML
}
plan 5s >"$work/plan.yaml"
"$ringcast" plan "$work/plan.yaml" --json --quiet --out "$work/chosen.yaml" >"$work/plan.json" 2>"$work/err" || wrong "plan: $(cat "$work/err")"
is_json "$work/plan.json"
# The least cluster of the space holds, by far: four GPUs at 2 an hour.
[ "$(json "$work/plan.json" '$.best.gpus')" = 4 ] || wrong "best has $(json "$work/plan.json" '$.best.gpus') GPUs"
[ "$(json "$work/plan.json" '$.best.price_per_hour')" = 8.0 ] || wrong "price $(json "$work/plan.json" '$.best.price_per_hour')"
# What --out wrote is a cluster of that size, and it serves within the limit.
"$ringcast" serve "$work/chosen.yaml" --json --quiet >"$work/served.json" 2>"$work/err" || wrong "the plan's scenario: $(cat "$work/err")"
is_json "$work/served.json"
[ "$(json "$work/served.json" '$.requests')" = 200 ] || wrong "served $(json "$work/served.json" '$.requests') requests"
status_of 0 "$ringcast" serve "$work/chosen.yaml" --quiet
grep -q 'TTFT p95 <= 5 s: met' "$work/out" || wrong "the plan's scenario: $(grep TTFT "$work/out")"
# What is printed of its objective is the value of the JSON, and what that leaves of the limit.
value=$(json "$work/plan.json" '$.best.objectives[0].value_s')
"$ringcast" plan "$work/plan.yaml" --quiet >"$work/out" 2>/dev/null
awk -v v="$value" '/^ +TTFT p95 <= 5 s/ { for (i = 6; i <= NF; i++) { d = $i - v; if (d < 1e-4 && d > -1e-4) shown = 1; d = $i / (100 * (5 / v - 1)) - 1; if (d < 1e-3 && d > -1e-3) left = 1 } }
    END { exit !(shown && left) }' "$work/out" || wrong "the plan prints $(grep -m1 'TTFT p95 <=' "$work/out") for $value"
# What would narrow the forecast is a list of points that the calibrator takes.
status_of 0 "$ringcast" plan "$work/plan.yaml" --quiet --wanted "$work/wanted.csv"
grep -q '^# wanted' "$work/wanted.csv" || wrong "no points are wanted"
status_of 0 "$build/tests/calib_fake" run --points "$work/wanted.csv" --state burst --out "$work/rows.csv"
[ "$(grep -vc '^#' "$work/rows.csv")" -gt 2 ] || wrong "the wanted points make no rows"
# Nothing answers in a microsecond.
plan 1us >"$work/never.yaml"
status_of 1 "$ringcast" plan "$work/never.yaml" --quiet --json
grep -q 'no configuration holds' "$work/out" || wrong "an impossible plan: $(tail -n 1 "$work/out")"
status_of 2 "$ringcast" plan
status_of 2 "$ringcast" plan "$work/plan.yaml" --out "$work/chosen.yaml" --quiet # is there already

# ---- tune ----------------------------------------------------------------------------------------------------
small=(--set new.points=5 --set total.points=6 --set 'cp=[1, 2, 4]' --set bootstrap=0 --set knots=3 --set requests.limit=5)
"$ringcast" tune scenarios/tune/gtt.yaml "${small[@]}" --json --wanted "$work/cells.csv" >"$work/tune.json" 2>"$work/err" ||
    wrong "tune: $(cat "$work/err")"
is_json "$work/tune.json"
[ "$(json "$work/tune.json" '$.machine')" = gtt ] || wrong "tune is of $(json "$work/tune.json" '$.machine')"
grep -q '^# wanted' "$work/cells.csv" || wrong "tune wants no points"
# Every rule that is scored is printed with its score.
"$ringcast" tune scenarios/tune/gtt.yaml "${small[@]}" >"$work/out" 2>/dev/null
sqlite3 -separator ' ' :memory: "SELECT json_extract(value, '\$.name'), printf('%.4f', json_extract(value, '\$.fit_error_mean_pct'))
    FROM json_each(readfile('$work/tune.json'), '\$.rules') WHERE json_extract(value, '\$.split') = 'test'" >"$work/rules"
[ "$(wc -l <"$work/rules")" -ge 10 ] || wrong "$(wc -l <"$work/rules") rules are scored"
while read -r name mean; do
    awk -v n="$name" -v m="$mean" '$1 == n { for (i = 2; i <= NF; i++) if ($i == m) ok = 1; times++ } END { exit !(ok && times >= 2) }' "$work/out" ||
        wrong "rule $name of $mean % is printed as $(grep -m1 "$name" "$work/out")"
done <"$work/rules"
# The same figures, printed and as JSON, on one thread and on two.
"$ringcast" tune scenarios/tune/gtt.yaml "${small[@]}" --json --threads 1 >"$work/one.json" 2>/dev/null
grep -v wall "$work/one.json" | cmp -s - <(grep -v wall "$work/tune.json") || wrong "tune on one thread differs"
status_of 0 "$ringcast" tune scenarios/tune/gtt.yaml "${small[@]}" --quiet
[ "$(grep -vc '^ringcast: note' "$work/out")" = 0 ] || wrong "--quiet prints $(head -n 1 "$work/out")"
status_of 2 "$ringcast" tune scenarios/tune/gtt.yaml "${small[@]}" --wanted "$work/cells.csv" # is there already

# ---- validate --------------------------------------------------------------------------------------------------
draw() { "$ringcast" validate --draw "$1" --seed "$2" --out "$3" "${@:4}"; }
draw 12 7 "$work/a.csv"
draw 12 7 "$work/b.csv"
draw 12 8 "$work/c.csv"
cmp -s "$work/a.csv" "$work/b.csv" || wrong "one seed draws two lists"
cmp -s "$work/a.csv" "$work/c.csv" && wrong "two seeds draw one list"
draw 12 7 "$work/d.csv" --prefix zz --ranks 4 --transport socket --longest 15ms
drawn=$(grep -vc '^#\|^case' "$work/d.csv") # prefills over rings come in pairs, so it may be one more
[ "$drawn" = 12 ] || [ "$drawn" = 13 ] || wrong "$drawn cases of 12"
[ "$(grep -c '^zz' "$work/d.csv")" = "$drawn" ] || wrong "cases without the prefix"
[ "$(grep '^zz' "$work/d.csv" | cut -d, -f1 | sort -u | wc -l)" = "$drawn" ] || wrong "two cases of one name"
awk -F, '/^zz/ && $3 * $4 != 4 { bad = 1 } END { exit bad }' "$work/d.csv" || wrong "cases for other than four GPUs"
for bad in "--draw 0 --out $work/x.csv --seed 1" "--draw 1000 --out $work/x.csv" "--draw 3" "--draw 3 --out $work/x.csv --seed -1" \
    "--draw 3 --out $work/x.csv --longest fast" "--draw 3 --out $work/x.csv --ranks 65" "--cross h200-sxm" "stray" \
    "--learn $work/l.csv --draws 0" "--learn $work/l.csv --without waves" "--without luck" "--max-median -1"; do
    # shellcheck disable=SC2086
    status_of 2 "$ringcast" validate $bad
done
[ ! -e "$work/x.csv" ] && [ ! -e "$work/l.csv" ] || wrong "a refused command wrote a file"
status_of 0 "$ringcast" validate --explain 'n1-405b8-*-p4096-*' --results results/rings/h100x1
grep -q attention "$work/out" || wrong "nothing is explained: $(head -n 2 "$work/out")"
status_of 0 "$ringcast" validate --by-part --results results/rings/h100x1
# A server's run whose factors are known: 1.1 for prompts, 0.95 for decode steps; a file that is cut is refused.
served=tests/data/serving/made-up
status_of 0 "$ringcast" validate --serving "$served"
grep -q '868 of 868 passes are composed alike' "$work/out" || wrong "passes are not alike: $(head -n 2 "$work/out")"
grep -qE 'decode +794 .* 5\.3 +5\.3 +5\.3$' "$work/out" || wrong "decode steps have other errors"
status_of 0 "$ringcast" validate --serving "$served" --explain 'made*'
[ "$(grep -cE '^ +[0-9]+ +[0-9.]+ +(prompt|mixed|decode) ' "$work/out")" = 10 ] || wrong "not the ten worst passes"
mkdir -p "$work/served/made-up"
cp "$served/scenario.yaml" "$work/served/made-up"
head -n 400 "$served/passes.csv" >"$work/served/made-up/passes.csv"
for bad in "$work/served/made-up" "$work/served" "$served --seen scenarios/validation/seen.csv" "$served --explain nobody" \
    "$served --by-part" "$served --explain all --json -" "$served --csv --json -" "$served --serving $served --plot $work/twice"; do
    # shellcheck disable=SC2086
    status_of 2 "$ringcast" validate --serving $bad
done
sed '3s/,488,/,489,/' "$served/passes.csv" >"$work/served/made-up/passes.csv" # a prompt of one token more
status_of 1 "$ringcast" validate --serving "$work/served/made-up"
# ---- calibration -----------------------------------------------------------------------------------------------
# A store says as many rows as it was built of, in list and in show, and a store against itself differs in nothing.
"$ringcast" calibration build results/published/h200x2.csv --out "$work/store.db" >/dev/null
rows=$(grep -vc '^#\|^machine,' results/published/h200x2.csv)
listed=$("$ringcast" calibration list --store "$work/store.db" | awk '!/^#/ { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+$/) { n += $i; break } } END { print n }')
[ "$listed" = "$rows" ] || wrong "$listed rows are listed of $rows"
op=$(grep '^[^#]' results/published/h200x2.csv | awk -F, 'NR > 1 && $4 == "send_recv"' | wc -l)
[ "$("$ringcast" calibration show --op send_recv --store "$work/store.db" | grep -vc '^#')" = "$op" ] || wrong "not all of $op rows are shown"
[ "$("$ringcast" calibration export --store "$work/store.db" | grep -vc '^#\|^machine,')" = "$rows" ] || wrong "not all of $rows rows are exported"
# The calibrator's times add up.
"$build/tests/calib_fake" list >"$work/out" 2>/dev/null
awk '$5 == "s" && $1 != "all" { full += $4; quick += $6; n++ } $1 == "all" { off = $2 - full; if (off < 0) off = -off; if (n < 10 || off > n / 2) bad = 1; seen = 1 }
    END { exit bad || !seen }' "$work/out" || wrong "the suites' times: $(grep '^ *all' "$work/out")"
exit $failed
