#!/usr/bin/env bash
# The figures of docs/accuracy.md: accuracy.sh RINGCAST prints them, from the top of the project; accuracy.sh RINGCAST
# FILE.md puts them into FILE.md, in place of what stands there between the two lines that name this script.
# A row a class of cases. Baselines and the model without one of its mechanisms: median / 95th percentile of the error's size.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

[ $# -ge 1 ] || { sed -n 's/.*: \(accuracy.sh RINGCAST\) prints.*/usage: \1 [FILE.md]/p' "$0" >&2; exit 2; }
ringcast=$1 page=${2-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
forecast=$(dirname "$0")/forecast.sh
mechanisms=$("$ringcast" validate --help | sed -n 's/.*--without [A-Z]* *\([a-z, ]*\):.*/\1/p' | tr -d ' ' | tr ',' ' ')

bash "$forecast" "$ringcast" >"$work/all"
for m in $mechanisms; do bash "$forecast" -w "$m" "$ringcast" >"$work/without-$m"; done

# classes SET: a Markdown table
classes() {
    local names=("$work/all") m
    for m in $mechanisms; do names+=("$work/without-$m"); done
    awk -v set="$1" -v mechanisms="$mechanisms" '
        FNR == 1 { file++ }
        $1 == set && NF >= 10 {
            key = $2 " " $3
            if ($4 == "simulation" && file == 1) {
                order[++n] = key
                i = 9
                right[key] = $i; if ($(i + 1) == "of") { right[key] = $i " of " $(i + 2); i += 2 }
                i++
                inside[key] = $i; if ($(i + 1) == "of") inside[key] = sprintf("%.0f %%", 100 * $i / $(i + 2))
                sim[key] = $5 " | " $6 " | " $7 " | " $8
            } else if (file == 1) {
                base[key, $4] = $6 " / " $7
            }
            if ($4 == "simulation" && file > 1) less[key, file] = $6 " / " $7
        }
        END {
            if (n == 0) exit
            print "| transport | kind | cases | median | 95th | signed | faster one right | in p5..p95 | roofline | alpha-beta |" heads()
            print "|---|---|---|---|---|---|---|---|---|---|" dashes()
            for (k = 1; k <= n; k++) {
                key = order[k]; split(key, w, " ")
                line = "| " w[1] " | " w[2] " | " sim[key] " | " right[key] " | " inside[key] " | " base[key, "roofline"] " | " base[key, "alpha_beta"] " |"
                for (f = 2; f <= file; f++) line = line " " less[key, f] " |"
                print line
            }
        }
        function heads(  w, c, i, s) { c = split(mechanisms, w, " "); for (i = 1; i <= c; i++) s = s " no " w[i] " |"; return s }
        function dashes(  w, c, i, s) { c = split(mechanisms, w, " "); for (i = 1; i <= c; i++) s = s "---|"; return s }
    ' "${names[@]}"
}

# asked SET: what was asked for of each transport and each kind, and what of it the figures miss
asked() {
    awk -v set="$1" '
        $1 == set && $4 == "simulation" && (($2 == "all") != ($3 == "all")) {
            name = $2 == "all" ? $3 : $2
            limit = name == "socket" ? 5 : 2
            if ($6 > limit) miss(name ": median " $6 ", over " limit)
            if ($7 > 6) miss(name ": 95th percentile " $7 ", over 6")
            if ($8 > 1.5 || $8 < -1.5) miss(name ": signed mean " $8 ", beyond 1.5")
        }
        $1 == set && $2 == "all" && $3 == "all" && $4 == "simulation" {
            i = 9
            if ($(i + 1) == "of") { if ($i < $(i + 2)) miss("faster one right in " $i " of " $(i + 2)); i += 2 }
            i++
            if ($(i + 1) == "of") { share = 100 * $i / $(i + 2)
                if (share < 85 || share > 95) miss(sprintf("in p5..p95 %.0f %%, not 85 to 95", share)) }
        }
        /^# new tokens/ && $(NF - 5) != $(NF - 3) { miss("crossovers within 10 % in " $(NF - 5) " of " $(NF - 3) " (of all sets)") }
        function miss(text) { list = list "\n- " text }
        END {
            print "The goal, for each transport and each kind: median 2 % (socket 5), 95th percentile 6 %, signed mean within 1.5 %;"
            print "the faster schedule and the crossover within 10 % always right; p5..p95 holding 85 to 95 %. " (list == "" ? "All of it is kept." : "Missed:\n" list)
        }' "$work/all"
}

figures() {
    local set
    for set in unseen seen; do
        [ -n "$(classes $set)" ] || continue
        printf '**%s**, errors in %%:\n\n' "${set^}"
        classes $set
        echo
        asked $set
        echo
    done
    sed -n 's/^# \(roofline times .*\)/Of the baselines: \1./p' "$work/all"
    echo
    echo '```'
    sed -n '/^# new tokens/,$p' "$work/all"
    echo '```'
}

if [ -z "$page" ]; then
    figures
    exit
fi
figures >"$work/figures"
awk -v from="$work/figures" '/^<!-- accuracy.sh -->$/ { print; while ((getline line < from) > 0) print line; skip = 1; next }
    /^<!-- end of accuracy.sh -->$/ { skip = 0 } !skip { print }' "$page" >"$work/page"
cp "$work/page" "$page"
