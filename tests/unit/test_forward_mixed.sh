#!/usr/bin/env bash
# Passes of models with experts, latents, windows, selections and states: the evaluator agrees with the
# engine to the tick, more tokens take longer, and longer contexts do. usage: test_forward_mixed.sh BUILD
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
cat >"$work/s.yaml" <<YAML
scenario: mixed
model: deepseek-v3
machine: h200-sxm
parallel: {tp: 8, cp: 2, variant: pass-kv}
phase: prefill
tokens: {new: 2048, cached: 0}
YAML
# took NAME SETS...: ms of a pass; fails where the engine disagrees
took() {
    "$ringcast" forward "$work/s.yaml" --stats --json --draws 0 --set "model=tests/data/models/$1.json" "${@:2}" \
        >"$work/out" 2>"$work/err" || { echo "$*: $(tail -1 "$work/err")" >&2; return 1; }
    grep -oE '"tt[fi]t_ms": [0-9.]+' "$work/out" | grep -oE '[0-9.]+$'
}
# rising WHAT NUMBERS...: each is larger than the one before
rising() {
    awk -v n="$#" 'BEGIN { for (i = 2; i < ARGC; i++) { if (ARGV[i] + 0 <= last) exit 1; last = ARGV[i] + 0 } }' \
        "$@" || { echo "not rising: $*" >&2; failed=1; }
}
for model in deepseek-v3 qwen3-235b-a22b gpt-oss-120b qwen3.5-397b-a17b glm-5.2-nvfp4 deepseek-v4-flash; do
    for variant in pass-kv pass-q; do
        times=()
        for cached in 0 8192 65536; do
            times+=("$(took "$model" --set "parallel.variant=$variant" --set "tokens.cached=$cached")") || failed=1
        done
        rising "$model $variant behind a context" "${times[@]}"
    done
    rising "$model by new tokens" "$(took "$model" --set tokens.new=1024)" "${times[0]}" \
        "$(took "$model" --set parallel.variant=pass-q --set tokens.new=16384)"
    steps=()
    for cached in 1024 16384 65536; do
        steps+=("$(took "$model" --set phase=decode --set tokens.new=1 --set batch=4 --set parallel.cp=1 \
            --set parallel.variant=tp --set "tokens.cached=$cached")") || failed=1
    done
    rising "$model decode" "${steps[@]}"
done
rising "experts that are chosen unevenly" "$(took deepseek-v3 --set parallel.ep=16)" \
    "$(took deepseek-v3 --set parallel.ep=16 --set parallel.expert_skew=1)"
exit $failed
