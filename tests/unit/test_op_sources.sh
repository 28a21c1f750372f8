#!/usr/bin/env bash
# Rows of several sources by op, end to end: one machine's products beside another's rest, shown with their shares; the
# same numbers as the source's own for what is named; a source that has no such rows is refused with a near name.
#
# usage: test_op_sources.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
    printf '%s\n' "$*"
    cat "$work"/*.txt 2>/dev/null | sed -n 1,60p
    exit 1
}
# At one clock: where power decides, other products leave another clock to all that runs beside them.
forward() {
    "$build/ringcast" forward scenarios/calibrate/qwen-prefill.yaml --draws 0 --set machine.calibration.state=sustained "$@"
}
part() { awk -v part="$2" '$1 == part { print $4; exit }' "$1"; }

forward >"$work/h100.txt"
if grep '^# costs of' "$work/h100.txt"; then die "one source is shown op by op"; fi
forward --set machine.calibration.costs.gemm=h200-sxm >"$work/mixed.txt"
forward --set machine.calibration.costs.gemm=h100-sxm >"$work/named.txt"
cmp "$work/h100.txt" "$work/named.txt" || die "naming the base changes something"
[ "$(part "$work/mixed.txt" swiglu)" = "$(part "$work/h100.txt" swiglu)" ] || die "elementwise work moved with the products"
[ "$(part "$work/mixed.txt" attention)" = "$(part "$work/h100.txt" attention)" ] || die "attention moved with the products"
[ "$(part "$work/mixed.txt" down)" != "$(part "$work/h100.txt" down)" ] || die "the products did not move"
grep -E '^  gemm +h200-sxm +[0-9.]+ +' "$work/mixed.txt" >/dev/null || die "the source of the products is not shown"
grep -E '^  elementwise +h100-sxm +' "$work/mixed.txt" >/dev/null || die "the source of the rest is not shown"
grep -E '^  collectives +h100-sxm +' "$work/mixed.txt" >/dev/null || die "the source of the links is not shown"
forward --set machine.calibration.costs.gemm=h200-sxm --json >"$work/json.txt"
grep -A3 '"cost_sources_by_op"' "$work/json.txt" | grep '"h200-sxm"' >/dev/null || die "no source by op in the JSON"

code=0
forward --set machine.calibration.costs.decode=h200-smx >"$work/refused.txt" 2>&1 || code=$?
[ "$code" = 2 ] && grep "no rows of decode for 'h200-smx'; it has some of 'h200-sxm'" "$work/refused.txt" >/dev/null ||
    die "a source without rows: status $code"
code=0
forward --set machine.calibration.costs.gem=h200-sxm >"$work/refused.txt" 2>&1 || code=$?
[ "$code" = 2 ] && grep gemm "$work/refused.txt" >/dev/null || die "an unknown op: status $code"
