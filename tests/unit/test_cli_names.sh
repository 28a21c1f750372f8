#!/usr/bin/env bash
# The worst names, in every name field of every file, through every command that draws or writes. No name runs
# a command (the file $CANARY never appears), and every output says the same name to a reader of its language:
# sqlite3 for databases, JSON and CSV, a C compiler for the header, gnuplot for the pictures (it accepted every
# script), the next ringcast command for YAML. Names with control characters are refused, by the key's name.
# With RC_SHORT set three of the names are tried.
#
# usage: test_cli_names.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
export CANARY=$work/canary LC_ALL=C.UTF-8
cd "$work"
fail() { echo "name $at: $*"; exit 1; }
checks=0 at=none
same() { # WHAT GOT
    [ "$2" = "$name" ] || fail "$1 says '$2', expected '$name'"
    checks=$((checks + 1))
}

# At most 56 bytes: the shortest field takes 63, and some get an end.
names=(
    "'.system('touch \$CANARY').'"
    'x`touch $CANARY`'
    '"; system("touch $CANARY"); "$(touch $CANARY)'
    '|touch $CANARY; touch $CANARY & $(touch $CANARY)'
    "'); DROP TABLE requests; DROP TABLE point; --"
    '*/ #error injected /* */ int main(void) { return 1; } /*'
    '{/*2 a}^b_c@d&e~f{ \U+41 \101 \n'
    '"} 1\n x{le="+Inf"} 2 \'
    '- [a: {b, #c]: & *d !e %f'
    ' null, 12, true: ~ '
    'a,b;"c",=1+1	'
    'é世界🚀 <script>alert(1)</script> &amp;'
    '%s%n%1000000d %%'
)
names[10]=${names[10]%?} # without the tab, a control character
names+=("$(printf 'long%.0s' {1..14})")
[ -z "${RC_SHORT:-}" ] || names=("${names[0]}" "${names[7]}" "${names[13]}")

yaml() { printf "'%s'" "${1//\'/\'\'}"; }
csv() { printf '"%s"' "${1//\"/\"\"}"; }
sql() { sqlite3 "$@" </dev/null; }
json() { sql :memory: "SELECT json_extract(readfile('$1'), '$2')"; }
cell() { # FILE COLUMN: of the first row
    grep -v '^# ' "$1" >cells.csv
    sql :memory: ".mode csv" ".import cells.csv t" ".mode list" "SELECT $2 FROM t LIMIT 1"
}

unescaped() { sed "s/&lt;/</g; s/&gt;/>/g; s/&quot;/\"/g; s/&#39;/'/g; s/&amp;/\&/g"; }

run() { # COMMAND...: must succeed
    "$ringcast" "$@" >out 2>err || { cat err; fail "refused: $*"; }
    [ ! -e "$CANARY" ] || fail "$1 ran a command"
    checks=$((checks + 1))
}

one_name() {
    local file=${name//\//|} # as much of it as a file name can hold
    local model=$work/in/$file.json machine=$work/in/m.yaml
    rm -rf in o
    mkdir in o
    cp "$root/models/llama-3.1-8b.json" "$model"
    sed "s|^machine:.*|machine: NAME|; s|^description:.*|description: NAME|; s|^  name: .*|  name: NAME|; s|base: h100-sxm|base: NAME|; s|collectives: .*|collectives: NAME|" \
        "$root/scenarios/machines/h100-sxm.yaml" >"$machine"
    put "$machine"
    # A store whose rows are this machine's, with the name in every text; a tenth of the products and of attention and none
    # of the published kernels, for a store of an unknown part learns its errors each time that it is opened.
    "$ringcast" calibration export --machine h100-sxm 2>err | awk -v n="$(csv "$name")" -F, -v OFS=, '
        /^#/ { print; next } !h++ { for (i = 1; i <= NF; i++) at[$i] = i; print; next }
        $at["op"] ~ /^(mla|moe|ep|dsa)_/ { next }
        $at["op"] ~ /^(gemm|attention|decode)$/ && ++rows[$at["op"]] % 10 { next }
        { gsub(/\\/, "\\\\", n); $at["machine"] = "NAME"; $at["gpu"] = "NAME"; $at["driver"] = "NAME"; $at["commit"] = "NAME"; print }' >in/rows.csv
    put_csv in/rows.csv
    run calibration build in/rows.csv --out o/store.db
    same store "$(sql o/store.db 'SELECT machine FROM cost LIMIT 1')"
    run calibration export o/store.db --out o/rows.csv
    same export "$(cell o/rows.csv gpu)"
    run calibration list --store o/store.db --csv
    same list "$(cell out machine)"
    # These flags take no commas or quotes.
    local status=0
    "$ringcast" calibration import "$root/tests/fuzz/corpus/nccltests/all_reduce.txt" --machine lab --gpu "$name" \
        --source "$name" --out o/import.csv >out 2>err || status=$?
    case $status in
    0) same import "$(cell o/import.csv gpu)" ;;
    2) grep -q 'without commas, quotes or line ends' err || { cat err; fail "import"; } ;;
    *) fail "import: exit $status" ;;
    esac

    cat >in/forward.yaml <<YAML
scenario: NAME
description: NAME
model: MODEL
machine: MACHINE
parallel: {tp: 8, cp: 2, variant: pass-kv}
phase: prefill
tokens: {new: 4K, cached: 0}
YAML
    put in/forward.yaml
    run forward in/forward.yaml --store o/store.db --json
    same "forward's JSON" "$(json out '$.scenario')"
    [ "$(json out '$.model')" = "$file" ] || fail "forward's model"
    mv out o/forward.json
    run forward in/forward.yaml --store o/store.db --quiet --trace o/trace.json
    same "the timeline" "$(json o/trace.json '$.ringcast.scenario')"
    run report o/forward.json o/trace.json --out o/page.html
    same "the page" "$(sed -n 's|^<h2>forward: \(.*\)</h2>$|\1|p' o/page.html | unescaped)"
    run choose --T 4K --P 8K --cp 4 --model "$model" --machine "$machine" --store o/store.db --json

    sed 's/^parallel:.*/parallel: {tp: 8, cp: [2, 4], variant: [pass-kv, pass-q]}/; s/^tokens:.*/tokens: {new: [2K, 8K], cached: 0}/' in/forward.yaml >in/sweep.yaml
    cat >>in/sweep.yaml <<YAML
plot: {title: NAME, x: new, y: time_s, xlabel: NAME, ylabel: NAME, series: SERIES, panel: "machine || ' ' || cp"}
YAML
    local literal="'${name//\'/\'\'}' || variant"
    awk -v s="$(yaml "$literal" | sed 's/[&\\]/\\\\&/g')" '{ gsub(/SERIES/, s); print }' in/sweep.yaml >in/sweep2.yaml
    put in/sweep2.yaml
    run sweep in/sweep2.yaml --store o/store.db --out o/sweep.db --plot o --quiet
    same sweep "$(sql o/sweep.db "SELECT value FROM sweep WHERE key = 'name'")"

    printf 'arrived_at,num_prefill_tokens,num_decode_tokens\n0,900,20\n1,4000,30\n2,800,5\n' >"in/$file.csv"
    run trace "in/$file.csv" --json
    cat >in/serve.yaml <<YAML
serve: NAME
description: NAME
model: MODEL
machine: MACHINE
pools: [{name: POOL, tp: 8}]
arrivals: {trace: TRACE}
slo: {ttft: 1s}
YAML
    put in/serve.yaml
    run serve in/serve.yaml --store o/store.db --out o/serve --requests o/rows.db --prometheus o/metrics --quiet
    same "serve's JSON" "$(json o/serve/result.json '$.serve')"
    [ "$(sql o/rows.db 'SELECT count(*) FROM requests')" = 3 ] || fail "rows"
    local label=${file//\\/\\\\}
    grep -qF "vllm:num_preemptions_total{model_name=\"${label//\"/\\\"}\"} 0" o/metrics || fail "metrics"
    if grep -vE '^(# (HELP|TYPE) .*|[a-zA-Z_:][a-zA-Z0-9_:]*\{([a-z_]+="([^"\\]|\\["\\n])*",?)+\} [-+0-9.eEinfa]+)$' o/metrics; then fail "metrics"; fi
    run serve in/serve.yaml --store o/store.db --rates 0.5,1 --out o/rates --json --quiet
    same "rates' JSON" "$(json o/rates/rates.json '$.curves[0].serve')"

    cat >in/plan.yaml <<YAML
plan: NAME
description: NAME
model: MODEL
offers: [{machine: MACHINE, price: 2, gpus: 16}]
slo: [{ttft: 5s}]
arrivals: {trace: TRACE}
space: {tp: [8], cp: [1], replicas: {from: 1, to: 2}, pools: [mixed]}
search: {simulations: 4, seeds: 1}
YAML
    put in/plan.yaml
    run plan in/plan.yaml --store o/store.db --plot o/plan --out o/plan.yaml --quiet
    [ "$(find o/plan -name 'plan-*.png' -size +1k | wc -l)" = 1 ] || fail "no picture of a plan"
    run serve o/plan.yaml --store o/store.db --json --quiet
    same "the plan's scenario" "$(json out '$.serve')"
    same "the plan's machine" "$(json out '$.machine')"

    cat >in/tune.yaml <<YAML
tune: NAME
description: NAME
model: MODEL
machine: MACHINE
tp: 8
cp: [1, 2]
new: {from: 64, to: 8K, points: 4}
total: {from: 64, to: 16K, points: 4}
knots: 3
bootstrap: 0
draws: 2
sensitivity: {total: 8K, cp: 2, models: [MODEL]}
YAML
    put in/tune.yaml
    run tune in/tune.yaml --store o/store.db --out o/tune --quiet
    same select.json "$(json o/tune/select.json '$.machine')"
    gcc -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only -x c o/tune/ringcast_select.h 2>err || { cat err; fail "header"; }
    run choose --T 4K --P 8K --cp 2 --model "$model" --machine "$machine" --store o/store.db --ffn-weights bf16 --rule o/tune/select.json --json

    mkdir in/runs
    awk -F, -v OFS=, 'NR == 1 { print; next } { $1 = "NAME"; $15 = $15 == "none" ? $15 : "NAME"; print }' \
        "$root/results/validation/h100-sxm-unseen.csv" | awk -F, 'NR == 1 || ($16 == "whole" && $17 == -1 && !found++)' >in/runs/a.csv
    put_csv in/runs/a.csv
    printf 'case\n%s\n' "$(csv "$name")" >in/cases.csv
    printf 'case\n' >in/none.csv
    run validate --results in/runs --unseen in/cases.csv --seen in/none.csv --json o/validate.json --plot o/validate --max-median 99% --max-p95 99%
    same validate "$(json o/validate.json '$.cases[0].case')"
}

# MODEL, MACHINE, TRACE, POOL and NAME of a file, as YAML.
put() {
    local short=${name:0:20} file=${name//\//|}
    MODEL=$(yaml "$work/in/$file.json") MACHINE=$(yaml "$work/in/m.yaml") TRACE=$(yaml "$work/in/$file.csv") \
        POOL=$(yaml "$short") NAME=$(yaml "$name") perl -pi -e 's/\b(MODEL|MACHINE|TRACE|POOL|NAME)\b/$ENV{$1}/g' "$1"
}
put_csv() { NAME=$(csv "$name") perl -pi -e 's/\bNAME\b/$ENV{NAME}/g' "$1"; }

for ((i = 0; i < ${#names[@]}; i++)); do
    name=${names[$i]} at="$((i + 1)) of ${#names[@]}"
    one_name
done

# Control characters are refused where a name is read, and the message says at which key.
refused() { # KEY COMMAND...
    local status=0 key=$1
    shift
    "$ringcast" "$@" >out 2>err || status=$?
    [ $status -eq 2 ] && grep -q "key '$key': .*control character" err || { cat err; at="$bad" fail "$key: exit $status: $*"; }
    checks=$((checks + 1))
}
for bad in 'a\nb' 'a\x07b' 'a\e[2Jb' 'a\u0085b'; do
    for key in scenario description model machine; do
        [ "$key$bad" != 'descriptiona\nb' ] || continue # of several lines: a description may be
        sed "s|^$key: .*|$key: \"${bad//\\/\\\\}\"|" "$root/scenarios/paper/cp4-128k.yaml" >x.yaml
        refused $key forward x.yaml
    done
    sed "s|^serve: .*|serve: \"${bad//\\/\\\\}\"|" "$root/scenarios/serve/azure-code.yaml" >x.yaml
    refused serve serve x.yaml
    sed "s|name: [a-z]*|name: \"${bad//\\/\\\\}\"|" "$root/scenarios/serve/azure-code.yaml" >x.yaml
    refused name serve x.yaml
    sed "s|^plan: .*|plan: \"${bad//\\/\\\\}\"|" "$root/scenarios/plan/mooncake-10k.yaml" >x.yaml
    refused plan plan x.yaml
    sed "s|^tune: .*|tune: \"${bad//\\/\\\\}\"|" "$root/scenarios/tune/gtt.yaml" >x.yaml
    refused tune tune x.yaml
    sed "s|^  title: .*|  title: \"${bad//\\/\\\\}\"|" "$root/scenarios/sweep/tcp.yaml" >x.yaml
    refused title sweep x.yaml --out x.db
    sed "s|\"model\": .*|\"model\": \"${bad//\\/\\\\}\",|" o/tune/select.json >x.json
    refused model choose --T 4K --P 8K --cp 2 --model llama-3.1-8b --machine h100-sxm --rule x.json
done
echo "${#names[@]} names: $checks runs and readings, nothing executed"
