#!/usr/bin/env bash
# Every command that reads a trace takes the same options and finds the file by the same rule: trace (flags), serve,
# plan and tune (keys). What one refuses the others refuse, with the same words.
#
# usage: test_trace_readers.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
root=${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/scenarios" "$work/here"
cd "$work/here"
fail() { echo "$*"; exit 1; }
refused() { # PATTERN COMMAND...
    local pattern=$1
    shift
    if "$@" >out 2>err; then fail "not refused: $*"; fi
    grep -q -- "$pattern" err || { cat err; fail "refused with other words than \"$pattern\": $*"; }
}

# 60 requests, half a second apart, in seconds: nothing in the file says so.
for i in $(seq 0 59); do
    echo "{\"timestamp\": $((i / 2)).$((i % 2 * 5)), \"input_length\": 4000, \"output_length\": 5}"
done >"$work/scenarios/guide.jsonl"
{ echo "sent,prompt,reply"; for i in $(seq 0 59); do echo "$((i * 500)),4000,5"; done; } >"$work/scenarios/own.csv"
sed 's/"timestamp": [0-9.]*, //' "$work/scenarios/guide.jsonl" >"$work/scenarios/lengths.jsonl"
cat >"$work/scenarios/serve.yaml" <<'END'
serve: s
model: llama-3.1-8b
machine: h100-sxm
pools: [{name: main, tp: 1}]
arrivals: {trace: guide.jsonl}
END
cat >"$work/scenarios/plan.yaml" <<'END'
plan: p
model: llama-3.1-8b
offers: [{machine: h100-sxm, price: 2, gpus: 2}]
slo: [{ttft: 10s}]
arrivals: {trace: guide.jsonl}
space: {tp: [1]}
search: {simulations: 4, seeds: 0}
END
cat >"$work/scenarios/tune.yaml" <<'END'
tune: t
model: llama-3.1-70b
machine: gtt
tp: 8
cp: [1, 2]
new: {from: 256, to: 64K, points: 8}
total: {from: 256, to: 128K, points: 8}
bootstrap: 0
draws: 2
requests: {files: [mooncake_conversation], limit: 50}
END
serve="$work/scenarios/serve.yaml" plan="$work/scenarios/plan.yaml" tune="$work/scenarios/tune.yaml"
guide="$work/scenarios/guide.jsonl"

# The trace lies beside its scenario, not here; the unit has to be said.
ask='are the times seconds or milliseconds'
refused "$ask" "$ringcast" trace "$guide"
refused "$ask" "$ringcast" serve "$serve"
refused "$ask" "$ringcast" plan "$plan"
"$ringcast" trace "$guide" --time-unit s | grep '60 requests over 29.5 s (arrivals in s)' >/dev/null || fail "trace: unit"
"$ringcast" serve "$serve" --set arrivals.time_unit=s --json >serve.json
grep -q '"makespan_s": 2[9]' serve.json || { grep makespan serve.json; fail "serve: unit"; }
"$ringcast" plan "$plan" --set arrivals.format=guidellm >plan.out || { cat plan.out; fail "plan: format"; }
grep -q '^best' plan.out || { cat plan.out; fail "plan: no answer"; }

# A column map, with the unit said or refused.
map=arrival=sent,input=prompt,output=reply
refused "$ask" "$ringcast" trace "$work/scenarios/own.csv" --columns $map
refused "$ask" "$ringcast" serve "$serve" --set "arrivals={trace: own.csv, columns: \"$map\"}"
"$ringcast" trace "$work/scenarios/own.csv" --columns $map --time-unit ms | grep '60 requests over 29.5 s' >/dev/null || fail "trace: columns"
"$ringcast" serve "$serve" --set "arrivals={trace: own.csv, columns: \"$map\", time_unit: ms}" --json | grep '"makespan_s": 29' >/dev/null || fail "serve: columns"
refused 'found the columns sent,prompt,reply' "$ringcast" trace "$work/scenarios/own.csv"
refused 'found the columns sent,prompt,reply' "$ringcast" serve "$serve" --set "arrivals={trace: own.csv}"

# Lengths need a rate.
"$ringcast" trace "$work/scenarios/lengths.jsonl" | grep 'lengths only: no arrival times' >/dev/null || fail "trace: lengths"
refused 'give arrivals.rate' "$ringcast" serve "$serve" --set "arrivals={trace: lengths.jsonl}"
"$ringcast" serve "$serve" --set "arrivals={trace: lengths.jsonl, process: even, rate: 2}" --json | grep '"makespan_s": 29' >/dev/null || fail "serve: lengths"
"$ringcast" serve "$serve" --set "arrivals={trace: lengths.jsonl, rate: 2}" | grep '^requests 60: done 60' >/dev/null || fail "serve: lengths, Poisson"

# tune: a table of T and P, and the trace it was made from, are the same requests.
"$ringcast" tune "$tune" --json >table.json
"$ringcast" tune "$tune" --set 'requests.files=[mooncake_conversation.jsonl.xz]' --json >trace.json
for f in table trace; do sed -n '/"requests": \[/,/^  \]/p' $f.json | grep -v '"file"' >$f.part; done
[ -s table.part ] && cmp table.part trace.part || fail "tune: a trace is not its table"
refused 'found the columns sent,prompt,reply' "$ringcast" tune "$tune" --set 'requests.files=[own.csv]'
"$ringcast" tune "$tune" --set 'requests.files=[own.csv]' --set "requests.columns=$map" >tune.out || fail "tune: columns"
grep -q 'own: 50 requests' tune.out || { grep requests tune.out; fail "tune: columns"; }

# A machine beside the scenario, one in the current folder, one that comes with the program.
sed 's/^machine: .*/machine: mine/' "$root/scenarios/machines/h100-sxm.yaml" >"$work/scenarios/mine.yaml"
"$ringcast" serve "$serve" --set arrivals.time_unit=s --set machine=mine | grep 'on mine' >/dev/null || fail "machine beside the scenario"
mv "$work/scenarios/mine.yaml" .
"$ringcast" serve "$serve" --set arrivals.time_unit=s --set machine=mine | grep 'on mine' >/dev/null || fail "machine in the current folder"
rm mine.yaml
refused "no 'mine.yaml' beside the scenario, in the current folder or in scenarios/machines (there are" "$ringcast" serve "$serve" --set arrivals.time_unit=s --set machine=mine

# A plan's scenario that is written elsewhere still finds its trace.
mkdir away
"$ringcast" plan "$plan" --set arrivals.time_unit=s --out away/best.yaml >/dev/null
(cd / && "$ringcast" serve "$work/here/away/best.yaml" | grep '^requests 60: done 60' >/dev/null) || fail "plan: its scenario does not find the trace"
# Other seeds of a plan draw such a trace anew, and it says so; a closed loop of clients has no other seeds.
"$ringcast" plan "$plan" --set arrivals.time_unit=s --set search.seeds=2 >plan.out || fail "plan: other seeds of a trace"
grep -q 'the trace drawn anew by pieces of time (a block bootstrap) with 2 other seeds' plan.out || fail "plan: other seeds are not told"
"$ringcast" plan "$plan" --set concurrency=4 --set search.seeds=2 >plan.out || fail "plan: clients"
grep -q 'no other seeds were tried' plan.out || fail "plan: clients have no other seeds"

# What serve writes as AIPerf's records is read as the trace that it served.
"$ringcast" serve "$serve" --set arrivals.time_unit=s --requests records.jsonl >/dev/null
"$ringcast" trace records.jsonl >records.out || fail "records are not read back"
"$ringcast" trace "$guide" --time-unit s >guide.out
grep -q '^# aiperf-records: 60 requests over 29.5 s' records.out || fail "records: $(head -n 1 records.out)"
cmp <(tail -n +2 records.out) <(tail -n +2 guide.out) || fail "records are another trace"

# A workload specification of BLIS is served like a trace.
cat >spec.yaml <<'END'
version: "2"
aggregate_rate: 4.0
num_requests: 40
clients:
  - id: chat
    rate_fraction: 1.0
    arrival: {process: poisson}
    input_distribution: {type: exponential, params: {mean: 500}}
    output_distribution: {type: constant, params: {value: 8}}
END
"$ringcast" serve "$serve" --set arrivals.trace=./spec.yaml | grep '^requests 40: done 40' >/dev/null || fail "a specification is not served"
echo "trace, serve, plan and tune read alike"
