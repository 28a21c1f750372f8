#!/usr/bin/env bash
# How much of a pass rests on rows where weights have a scale for each block: the table of docs/models.md ("With rows of these shapes") is what
# forecasts over that store say, of DeepSeek-V3, Kimi K2 and Qwen3-235B on eight H200. usage: test_block_shares.sh BUILD
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }
points=results/calibration/points/h200-sxm
"$ringcast" calibration merge --out "$work/without.db" results/calibration/h200-sxm/*.csv results/published/h200-kernels.csv \
    results/published/h200-sxm.csv $points/deployments.csv >"$work/said"
"$ringcast" calibration merge --out "$work/h200.db" results/calibration/h200-sxm/*.csv results/published/h200-kernels.csv \
    results/published/h200-sxm.csv $points/deployments.csv $points/deepseek-wanted.csv >"$work/said"

# shares STORE MODEL TYPE SETS...: "rows and-beyond", whole % of the critical path: on rows measured, carried over or published, and with what is
# extrapolated
shares() {
    local store=$1 model=$2 type=$3 set sets=()
    shift 3
    for set; do sets+=(--set "$set"); done
    "$ringcast" forward scenarios/deployments/deployment.yaml --store "$work/$store.db" --json --draws 0 --set "model=$model" --set parallel.ep=8 \
        --set "dtypes.ffn_weights=$type" --set "dtypes.attention_weights=$type" "${sets[@]}" 2>"$work/notes" |
        awk -F'[:,]' '{ gsub(/[ "]/, "", $1); on = on || $1 == "cost_sources"
                if (on && ($1 == "measured" || $1 == "transferred" || $1 == "published")) rows += $2
                if (on && $1 == "extrapolated") beyond = $2
                if (on && /}/) exit }
            END { printf "%.0f %.0f\n", 100 * rows, 100 * (rows + beyond) }' || fail "$model in $type: $(cat "$work/notes")"
}

for of in "deepseek-v3:DeepSeek-V3" "kimi-k2:Kimi K2" "qwen3-235b-a22b:Qwen3-235B"; do
    line="|"
    for set in "phase=prefill tokens.new=8000" "phase=decode tokens.new=1 tokens.cached=8192"; do
        for type in fp8-block fp8; do
            # shellcheck disable=SC2086
            read -r rows beyond <<<"$(shares h200 "${of%%:*}" $type $set)"
            [ "$beyond" -ge 80 ] || fail "${of%%:*} in $type, $set: $beyond % on rows or a little beyond them; the goal is 80"
            [ "$rows" = "$beyond" ] && line+=" $rows |" || line+=" $rows, $beyond |"
        done
    done
    grep -qF "${line#|}" <(grep -F "| ${of#*:}" docs/models.md) || fail "docs/models.md does not say of ${of#*:}: $line"
    echo "${of#*:} $line"
done

# The sentence beside the table: what the one product of deepseek-wanted.csv is worth.
prompt=(fp8-block phase=prefill tokens.new=8000)
read -r before _ <<<"$(shares without deepseek-v3 "${prompt[@]}")"
read -r after _ <<<"$(shares h200 deepseek-v3 "${prompt[@]}")"
grep -qF "takes DeepSeek-V3 from $before to $after %" docs/models.md || fail "docs/models.md does not say: from $before to $after %"
