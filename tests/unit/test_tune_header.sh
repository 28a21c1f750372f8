#!/usr/bin/env bash
# The exported header is the rule: compiled by gcc as C and as C++, it gives on every point of the grid what
# `ringcast tune` wrote beside it, and `ringcast choose` says the same. With clang: test_tune_header_clang.sh.
#
# usage: test_tune_header.sh BUILD-FOLDER [COMPILER...]
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
shift
compilers=("$@")
[ $# -gt 0 ] || compilers=("gcc -std=c99" "gcc -std=c17 -O3" "g++ -std=c++11")
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/ringcast" tune scenarios/tune/gtt.yaml --set new.points=10 --set total.points=12 --set 'batch=[1, 4]' \
    --set 'cp=[1, 2, 4]' --set bootstrap=0 --set draws=4 --set knots=8 --set sensitivity.cp=4 --no-plots --quiet --out "$work/t" \
    --set seed=7 --set requests.limit=10

cat >"$work/check.c" <<'C'
#include <stdio.h>
#include <string.h>
#include "t/ringcast_select.h"

int main(void) {
    double t, p, batch;
    int n, degree, degree2, rows = 0, bad = 0;
    char variant[16];
    while (scanf("%lf %lf %lf %d %15s %d %d", &t, &p, &batch, &n, variant, &degree, &degree2) == 7) {
        int kv = ringcast_select_variant(t, p, batch, n) == RINGCAST_PASS_KV;
        bad += kv != (strcmp(variant, "pass-kv") == 0);
        bad += ringcast_select_degree(0, t, p, batch, 1, n) != degree;
        bad += ringcast_select_degree(1, t, p, batch, 1, n) != degree2;
        rows++;
    }
    printf("%d rows, %d differ\n", rows, bad);
    return rows < 300 || bad > 0;
}
C
# T,P,batch,cp,half,kv,q,gather,tuned,degree,degree_0.5
awk -F, 'NR > 1 { print $1, $2, $3, $4, $9, $10, $11 }' "$work/t/grid.csv" >"$work/points"
grep -q pass-q "$work/points"
for compiler in "${compilers[@]}"; do
    cp "$work/check.c" "$work/check.${compiler%% *}.$([[ $compiler == *++* ]] && echo cpp || echo c)"
    # shellcheck disable=SC2086
    $compiler -Wall -Wextra -Wconversion -Wshadow -Werror -pedantic -I "$work" -o "$work/check" \
        "$work/check.${compiler%% *}".c*
    rm "$work/check.${compiler%% *}".c*
    echo "$compiler: $("$work/check" <"$work/points")"
done

# A sample of the points, asked one by one.
asked=0
while read -r t p batch n variant degree _; do
    answer=$("$build/ringcast" choose --T "$t" --P "$p" --batch "$batch" --cp "$n" --machine gtt \
        --model llama-3.1-405b --rule "$work/t/select.json")
    grep -q "^answer     $variant," <<<"$answer" || { echo "T $t P $p batch $batch CP$n: not $variant"; exit 1; }
    grep -q "^degree     CP$degree of" <<<"$answer" || { echo "T $t P $p batch $batch: not CP$degree"; exit 1; }
    asked=$((asked + 1))
done < <(awk '$4 > 1 && NR % 41 == 0' "$work/points")
[ $asked -ge 5 ] || { echo "only $asked asked"; exit 1; }
echo "$asked answers of ringcast choose are those of the header"
