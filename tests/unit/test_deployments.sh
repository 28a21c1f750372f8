#!/usr/bin/env bash
# Which deployment: docs/models.md has the table that best.sh makes of the forecasts in results/deployments, and deployments.sh makes such forecasts: of
# the same deployments, which run or do not fit as there. usage: test_deployments.sh BUILD
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }
scenarios/deployments/best.sh results/deployments/h200.csv >"$work/table"
[ "$(wc -l <"$work/table")" = 38 ] || fail "best.sh prints $(wc -l <"$work/table") lines"
! grep -vxFf docs/models.md "$work/table" || fail "docs/models.md has not these lines of best.sh"
GPUS=8 PROMPTS=8000 REQUESTS=64 scenarios/deployments/deployments.sh "$ringcast" "$work/kimi.csv" kimi-k2
grep '^kimi-k2,8,8000,64,' "$work/kimi.csv" | cut -d, -f1-7 >"$work/now"
grep '^kimi-k2,8,8000,64,' results/deployments/h200.csv | cut -d, -f1-7 >"$work/then"
[ "$(wc -l <"$work/now")" -ge 10 ] || fail "deployments.sh: $(cat "$work/kimi.csv")"
cmp "$work/now" "$work/then" || fail "other deployments, or other states: $(diff "$work/now" "$work/then")"
grep -q ',does not fit$' "$work/now" && grep -q ',runs$' "$work/now" || fail "nothing runs, or everything fits"
echo "38 lines of the table, $(wc -l <"$work/now") deployments"
