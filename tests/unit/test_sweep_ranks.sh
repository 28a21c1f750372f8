#!/usr/bin/env bash
# A sweep under mpirun: the same bytes as one process with 2 and 4 ranks; what fails on one rank is said once, by rank 0.
# What becomes of ranks that are killed is asked by test_sweep_mpi.sh.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
. tests/support/mpirun.sh

"$build/ringcast" sweep "$sweep" --out "$work/one.db" --quiet
for ranks in 2 4; do
    mpirun -n $ranks "$build/ringcast" sweep "$sweep" --out "$work/$ranks.db" --batch 20 --json >"$work/$ranks.json"
    grep -q "\"ranks\": $ranks," "$work/$ranks.json" || die "$ranks ranks: $(cat "$work/$ranks.json")"
    cmp "$work/$ranks.db" "$work/one.db" || die "$ranks ranks: another database"
done
said_once 2 'other ranks have read another scenario' bash "$work/on_rank_1" "set -- \"\$@\" --set tokens.cached=5K" \
    "$build/ringcast" sweep "$sweep" --out "$work/other.db"
echo "2 and 4 ranks write what one process writes"
