#!/usr/bin/env bash
# Command lines of engines from forward, choose and serve, and a run as InferenceX has it: what they print, and what they refuse.
# usage: test_launch_cli.sh BUILD
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }
refused() { # WORDS COMMAND...
    local words=$1 rc=0
    shift
    "$ringcast" "$@" >"$work/out" 2>"$work/err" || rc=$?
    [ $rc = 2 ] && grep -qF -- "$words" "$work/err" || fail "$*: exit $rc, $(cat "$work/err")"
}
[ "$("$ringcast" forward scenarios/schedules/prefill.yaml --launch vllm)" = \
    "vllm serve llama-3.1-70b --tensor-parallel-size 2 --prefill-context-parallel-size 4" ] || fail "forward --launch vllm"
refused "world of tp x cp GPUs is vLLM's" forward scenarios/schedules/prefill.yaml --launch sglang
refused "vLLM ships no schedule 'pass-kv' of 4 ranks" forward scenarios/schedules/prefill.yaml --set parallel.variant=pass-kv --launch vllm
[ "$("$ringcast" forward scenarios/schedules/stages.yaml --launch sglang)" = \
    "python3 -m sglang.launch_server --model-path llama-3.1-405b --tp-size 8 --pp-size 2 --chunked-prefill-size 8000 --nnodes 2 --node-rank RANK --dist-init-addr HOST:PORT" ] ||
    fail "forward --launch sglang: $("$ringcast" forward scenarios/schedules/stages.yaml --launch sglang)"
refused "did you mean 'vllm'" forward scenarios/schedules/prefill.yaml --launch vlm

# choose: the fastest that the engine ships, which is no ring
choose=(choose --T 8K --machine h200-sxm --model llama-3.1-70b --tp 2 --cp 4)
"$ringcast" "${choose[@]}" --launch vllm --json >"$work/json" 2>/dev/null
grep -A5 '"launch"' "$work/json" | grep -- '--prefill-context-parallel-size 4' >/dev/null || fail "choose: $(grep -A5 '"launch"' "$work/json")"
"$ringcast" "${choose[@]}" --launch vllm >"$work/out" 2>/dev/null
grep -q '^launch     vllm serve .*(CP4 pcp, ' "$work/out" || fail "choose prints no line"
refused "did you mean 'sglang'" "${choose[@]}" --launch slang

# serve: a line a pool, and none where a rule chooses
serve=scenarios/serve/azure-conv.yaml
"$ringcast" serve $serve --launch sglang >"$work/out"
[ "$(wc -l <"$work/out")" = 2 ] && grep -q -- '--tp-size 8 .*--chunked-prefill-size 2048' "$work/out" || fail "serve: $(cat "$work/out")"
"$ringcast" serve $serve --launch vllm --set 'pools[0].tp=4' --set 'pools[0].pp=2' >"$work/out"
grep -q -- '--tensor-parallel-size 4 --pipeline-parallel-size 2 ' "$work/out" || fail "serve with stages: $(cat "$work/out")"
refused "SGLang gives layers that are left over to the last stages" serve $serve --launch sglang --set 'pools[0].pp=3'
refused "no command line is written for steps with drafts" serve $serve --launch vllm \
    --set 'speculative={drafts: 1, acceptance: 0.5, model: llama-3.1-8b}'
refused "algorithm-5 chooses the schedule" serve scenarios/serve/mooncake.yaml --launch vllm
"$ringcast" serve $serve --set arrivals.requests=200 --quiet --inferencex "$work/x.json" --json >"$work/json" 2>/dev/null
for key in '"hw": "h100-sxm"' '"prefill_tp": 8' '"decode_num_workers": 2' '"num_prefill_gpu": 16' '"is_multinode": true' '"disagg": false'; do
    grep -qF "$key" "$work/x.json" || fail "no $key in $(cat "$work/x.json")"
done
"$ringcast" serve $serve --set arrivals.requests=20 --set 'pools[0].tp=2' --set 'pools[0].pp=4' --quiet --inferencex "$work/stages.json" >/dev/null 2>&1
grep -qF '"decode_pp": 4' "$work/stages.json" && grep -qF '"num_decode_gpu": 16' "$work/stages.json" || fail "$(cat "$work/stages.json")"
# its seconds are the run's milliseconds
awk -F'[:,]' 'FILENAME ~ /json$/ && /"ttft_ms"/ { on = 1 } on && /"p50"/ { ms = $2; on = 0 } /"median_ttft"/ { s = $2 }
    END { if (!(ms > 0) || s * 1000 / ms > 1.0001 || s * 1000 / ms < 0.9999) exit 1 }' "$work/json" "$work/x.json" || fail "median_ttft is not the run's"
refused "exists" serve $serve --set arrivals.requests=200 --quiet --inferencex "$work/x.json"
