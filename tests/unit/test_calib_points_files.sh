#!/usr/bin/env bash
# Every list of points that comes with the project is one that the suites measure.
#
# usage: test_calib_points_files.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 files=0
for f in "$root"/scenarios/calibrate/*.csv; do
    files=$((files + 1))
    wanted=$(grep -vc '^#\|^op,' "$f")
    state=burst # part of the time, or beside products, is a load that lasts
    ! grep -q '@hot\|@duty' "$f" || state=sustained
    "$build/tests/calib_fake" run --points "$f" --state $state --out "$work/$files.csv" >"$work/said" 2>&1 ||
        { echo "$f: $(tail -n 1 "$work/said")"; failed=1; continue; }
    # Transfers between GPUs need more than the one that stands in here.
    local_points=$(grep -v '^#\|^op,' "$f" | grep -vcE '^(all_reduce|all_gather|reduce_scatter|all_to_all|send_recv|ring_shift)' || true)
    got=$(grep -vc '^#\|^machine,' "$work/$files.csv")
    [ "$got" -ge 1 ] && [ "$wanted" -ge 1 ] || { echo "$f: $got rows of $wanted points"; failed=1; }
    [ "$got" -ge "$local_points" ] || { echo "$f: $got rows of $local_points points of one GPU"; failed=1; }
done
[ $files -ge 1 ] || { echo "no list of points was found"; failed=1; }
echo "$files lists of points"
exit $failed
