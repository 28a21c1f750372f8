#!/usr/bin/env bash
# What others measured in serving, beside forecasts: docs/validation.md shows what the script prints, TTFT of Hy3 is within 10 % in the mean
# and orders the deployments as they were, and the host's work a launch gives the row that it is fitted on. usage: test_published_serving.sh BUILD
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "$*" >&2; exit 1; }
compare=scenarios/validation/published/compare.sh
$compare "$ringcast" >"$work/hy3"
$compare -o "$ringcast" >"$work/others"
awk '/^mean error of TTFT/ { mean = $5 } /^order/ { right = $(NF - 3); of = $(NF - 1) } $NF == "fitted" { fitted = $(NF - 1) }
    END { if (mean == "" || mean > 10 || right != of || of < 5 || fitted * fitted > 0.01) exit 1 }' "$work/hy3" ||
    fail "Hy3: $(tail -2 "$work/hy3")"
! grep -q nan "$work/others" || fail "a row has no figure: $(grep nan "$work/others")"
awk '/^\$ / { on = index($0, "published/compare.sh") > 0; next } /^```/ { on = 0 } on { print }' docs/validation.md >"$work/shown"
[ "$(grep -c . "$work/shown")" -ge 30 ] || fail "docs/validation.md does not show the tables"
cat "$work/hy3" "$work/others" >"$work/all"
! grep -vxFf "$work/all" "$work/shown" || fail "these lines of docs/validation.md are not what $compare prints"
sed -n 's/mean error of/Hy3: mean error of/p' "$work/hy3"
