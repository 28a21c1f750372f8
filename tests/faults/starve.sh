#!/usr/bin/env bash
# Every command with one of its allocations failing, those of libraries included: it ends with 3 and one line that says
# there was no memory, or as if nothing had been (some caller had another way); it never crashes or hangs, leaves no
# partial file and no temporary, and never says anything else than without.
#
# usage: starve.sh BUILD-FOLDER [TRIES] [COMMAND...]   (TRIES evenly spread over the allocations of each, default 12)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
tries=${2:-12}
only=("${@:3}")
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
preload=$build/tests/libfault_preload.so
ringcast=$build/ringcast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
cd "$root"
if [ ! -e "$preload" ] || [ "$(LD_PRELOAD=$preload RC_STARVE_COUNT=$work/n "$ringcast" --help >/dev/null 2>&1; cat "$work/n" 2>/dev/null || echo 0)" = 0 ]; then
    echo "SKIPPED: allocations of $ringcast cannot be counted (sanitizers bring their own, another libc)"
    exit 77
fi
cat >"$work/plan.yaml" <<'YAML'
plan: starved
model: llama-3.1-8b
offers: [{machine: h100-sxm, price: 2, gpus: 8}]
slo: [{ttft: 5s}]
synthetic: {requests: 40, rate: 2}
space: {tp: [8], cp: [1], replicas: [1], pools: [mixed]}
search: {simulations: 2, seeds: 1}
YAML
commands=(forward choose trace list export import serve plan sweep tune model)
args_of() { # COMMAND: fills `args`
    case $1 in
    forward) args=(forward scenarios/paper/cp4-128k.yaml) ;;
    choose) args=(choose --T 4K --P 100K --cp 4 --model llama-3.1-405b --machine gtt) ;;
    trace) args=(trace scenarios/traces/mooncake_conversation.jsonl.xz --json) ;;
    list) args=(calibration list --machine h200x2) ;;
    export) args=(calibration export --machine h200x2 --out "$o/rows.csv") ;;
    import) args=(calibration import tests/fuzz/corpus/nccltests/all_reduce.txt --machine lab --out "$o/rows.db") ;;
    serve) args=(serve scenarios/serve/azure-code.yaml --set arrivals.requests=60 --quiet --requests "$o/rows.db" --threads 1) ;;
    plan) args=(plan "$work/plan.yaml" --quiet --out "$o/plan.yaml" --threads 1) ;;
    sweep) args=(sweep scenarios/paper/cp4-128k.yaml --out "$o/sweep.db" --set 'tokens.new=[1K, 2K]' --quiet --threads 1) ;;
    tune) args=(tune scenarios/tune/gtt.yaml --set new.points=4 --set total.points=4 --set 'cp=[1, 2, 4]' --set bootstrap=0 --set knots=3 --set requests.limit=2 --set sensitivity.models=[] --threads 1) ;;
    model) args=(model llama-3.1-70b --json) ;;
    esac
}
fresh() {
    rm -rf "$work/o"
    mkdir "$work/o"
    o=$work/o
    args_of "$command"
}
files() { (cd "$work/o" && find . -type f | sort); }
wrong=0
say() {
    echo "WRONG $command, allocation $n of $count: $*" >&2
    wrong=$((wrong + 1))
    bad=$((bad + 1))
}
# Times of the day and of the run are not compared.
text_of() { grep -vE 'wall|events/s|^simulated in|seconds' "$1" || true; }

echo "| command | allocations | tried | no memory | as if nothing had been |"
echo "|---|---|---|---|---|"
for command in "${commands[@]}"; do
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $command "* ]]; then continue; fi
    bad=0 none=0 same=0 tried=0 n=-1
    fresh
    LD_PRELOAD=$preload RC_STARVE_COUNT=$work/n "$ringcast" "${args[@]}" >"$work/right" 2>"$work/err" || { cat "$work/err"; echo "$command does not run"; exit 1; }
    count=$(cat "$work/n")
    whole=$(files)
    for ((i = 0; i < tries && i < count; i++)); do
        n=$((i * count / tries))
        [ "$tries" -lt "$count" ] || n=$i
        fresh
        status=0
        LD_PRELOAD=$preload RC_STARVE=$n timeout 60 "$ringcast" "${args[@]}" >"$work/out" 2>"$work/err" || status=$?
        tried=$((tried + 1))
        case $status in
        0)
            same=$((same + 1))
            cmp -s <(text_of "$work/right") <(text_of "$work/out") || say "another answer"
            [ "$(files)" = "$whole" ] || say "wrote $(files | tr '\n' ' ')"
            ;;
        3)
            none=$((none + 1))
            grep -qiE 'memory|no simulation|cannot (start|write|read)|thread' "$work/err" || say "says '$(head -c 200 "$work/err")'"
            [ -z "$(files | grep -v 'sweep.db' || true)" ] || say "left $(files | tr '\n' ' ')"
            ;;
        *) say "exit $status: $(head -c 300 "$work/err")" ;;
        esac
        [ -z "$(find "$work/o" -name '.ringcast-tmp.*')" ] || say "left a temporary"
    done
    echo "| $command | $count | $tried | $none | $same |"
done
echo
echo "$wrong wrong"
[ $wrong = 0 ]
