#!/usr/bin/env bash
# gather-Q or gather-KV for the cached part of a prompt: gathers.sh RINGCAST, from the top of the project. Times both by the simulator over a grid of
# new and cached tokens and sets what the static estimates pick (the test `gathers` of `ringcast choose`) beside the faster of the two: regret is
# its time over the faster one's, less one.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
LC_ALL=C
export LC_ALL
[ $# -eq 1 ] || { echo "usage: gathers.sh RINGCAST" >&2; exit 2; }
ringcast=$1 work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# pass MODEL TP CP EP VARIANT T P: ms; nothing where it cannot be run
pass() {
    printf 'scenario: gathers\nmodel: %s\nmachine: h200-sxm\nparallel: {tp: %s, cp: %s, ep: %s, variant: %s}\nphase: prefill\ntokens: {new: %s, cached: %s}\ndtypes: {attention_weights: fp8, ffn_weights: fp8}\n' \
        "$@" >"$work/pass.yaml"
    "$ringcast" forward "$work/pass.yaml" --quiet 2>/dev/null || true
}

# grid NAME MODEL TP CP EP RULE QUERY KEY: bytes of a query with its output and of a cached token, on one GPU; RULE latents: QUERY is the heads of
# one GPU, and both follow from the form of attention that takes the least work, as in sim/choose/choose.c
grid() {
    local name=$1 model=$2 tp=$3 cp=$4 ep=$5 rule=$6 query=$7 key=$8 t p
    for t in 128 512 1000 2000 4000 8000 16000; do
        for p in 2000 8000 32000 64000 128000; do
            echo "$t $p $(pass "$model" "$tp" "$cp" "$ep" gather-q $t $p) $(pass "$model" "$tp" "$cp" "$ep" gather-kv $t $p)"
        done
    done | awk -v name="$name" -v rule="$rule" -v query="$query" -v key="$key" -v n_ranks="$cp" '
        function of_query(t, p) { if (rule != "latents") return query; return query * (absorbs(t, p) ? 1088 : 320) * 2 }
        function of_key(t, p) { if (rule != "latents") return key; return 1152 + (absorbs(t, p) ? 0 : 2 * 512 * query * 256 * 450e9 / 989e12) }
        function absorbs(t, p,  pairs) { pairs = (t * p + t * (t + 1) / 2) / n_ranks
            return 1088 * pairs + 512 * 256 * t / n_ranks < 320 * pairs + 512 * 256 * (t + p) }
        NF == 4 {
            n++; best = $3 < $4 ? $3 : $4; picked = $1 * of_query($1, $2) < $2 * of_key($1, $2) ? $3 : $4
            off = 100 * (picked / best - 1); sum += off; if (off > worst) worst = off; right += picked == best
            q += 100 * ($3 / best - 1); kv += 100 * ($4 / best - 1) }
        END { printf "  %-34s %4d %6.1f %8.2f %8.2f %8.2f %8.2f\n", name, n, 100 * right / n, sum / n, worst, q / n, kv / n }'
}
printf '# gather-Q or gather-KV by the static estimates, eight H200 (35 prompts of 128 to 16,000 tokens behind 2,000 to 128,000)\n'
printf '# %-34s %4s %6s %8s %8s %8s %8s\n' "model, TP x CP" runs right mean worst "always Q" "always KV"
printf '# %-34s %4s %6s %8s %8s %8s %8s\n' - - % % % % %
grid "llama-3.1-70b, 2 x 4" llama-3.1-70b 2 4 1 heads $((32 * 256 * 2)) $((4 * 256 * 2))
grid "qwen3-235b-a22b, 4 x 2" qwen3-235b-a22b 4 2 8 heads $((16 * 256 * 2)) $((1 * 256 * 2))
for cut in "4 2" "2 4"; do
    read -r tp cp <<<"$cut"
    grid "deepseek-v3, $tp x $cp, whole model" deepseek-v3 "$tp" "$cp" 8 heads $((128 * 1088 * 2)) 1152
    grid "deepseek-v3, $tp x $cp, one GPU" deepseek-v3 "$tp" "$cp" 8 heads $((128 / tp * 1088 * 2)) 1152
    grid "deepseek-v3, $tp x $cp, by its form" deepseek-v3 "$tp" "$cp" 8 latents $((128 / tp)) 0
done
