#!/usr/bin/env bash
# Table 8 with batches that the paper does not have: each is simulated as it stands there, or refused. A decode step of
# 16 sequences reads twice the keys of 8; on four ranks of short contexts its attention takes between 1.1 and 2 times as
# long. SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*"; exit 1; }
predicted() { # BATCH: attn_op of CP4 at 32K
    cp -r scenarios/paper/data "$work/$1"
    sed -i "s/^32K,4,/32K,$1,/" "$work/$1"/table8*.csv
    "$build/ringcast" paper --data "$work/$1" --csv --no-plots --draws 0 >"$work/$1.csv" || fail "paper failed at batch $1"
    awk -F, -v id="t8:32K:$1:cp4:attn_op" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == "predicted") at = i }
        $0 ~ id { print $at }' "$work/$1.csv"
}
eight=$(predicted 8)
sixteen=$(predicted 16)
[ -n "$eight" ] && [ -n "$sixteen" ] || fail "no row of CP4 at 32K"
awk -v a="$eight" -v b="$sixteen" 'BEGIN { exit !(b > 1.1 * a && b < 2 * a) }' ||
    fail "attention of batch 8 takes $eight us, of batch 16 $sixteen us"
cp -r scenarios/paper/data "$work/bad"
sed -i 's/^32K,4,/32K,0,/' "$work/bad"/table8*.csv
status=0
text=$("$build/ringcast" paper --data "$work/bad" --csv --no-plots --draws 0 2>&1) || status=$?
[ "$status" = 2 ] || fail "a batch of 0 ends with $status"
grep -q "table8.*column 'batch'" <<<"$text" || fail "a batch of 0 is not named: $text"
echo "Table 8: batch 8 $eight us, batch 16 $sixteen us; 0 refused"
