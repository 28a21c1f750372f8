#!/usr/bin/env bash
# What tests of sweeps under mpirun share: a sweep, its folder, and how a launcher is used. Read by them, with $build set.
# Skips the test, and says so, without mpirun or when built without MPI.
# SPDX-License-Identifier: GPL-3.0-or-later
: "${build:?the folder of the build}"
command -v mpirun >/dev/null || { echo "SKIPPED: no mpirun (Debian: openmpi-bin)"; exit 77; }
grep -q '^MPI_C_LIB_NAMES:STRING=.' "$build/CMakeCache.txt" ||
    { echo "SKIPPED: built without MPI (Debian: libopenmpi-dev)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Open MPI refuses root and more ranks than cores unless told; MPI libraries leak at exit.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
sweep=$work/mpi.yaml
cat >"$sweep" <<'YAML'
scenario: mpi
model: llama-3.1-8b
machine: h200-sxm
parallel: {tp: 1, cp: [1, 2, 4], variant: [pass-kv, pass-q]}
phase: prefill
tokens: {new: {from: 1K, to: 64K, points: 60}, cached: [0, 1K, 20K]}
YAML
cat >"$work/on_rank_1" <<'SH'
if [ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 1 ]; then eval "$1"; fi
shift
exec "$@"
SH
die() { echo "$*"; exit 1; }

# said_once STATUS PATTERN COMMAND...: under mpirun -n 3, what failed is said by one rank alone
said_once() {
    local expected=$1 pattern=$2 status=0
    shift 2
    mpirun -n 3 "$@" >"$work/said" 2>&1 || status=$?
    [ $status -eq "$expected" ] && [ "$(grep '^ringcast: ' "$work/said" | grep -vc '^ringcast: note: ')" = 1 ] && grep -q "$pattern" "$work/said" ||
        die "exit $status, not $expected: $(cat "$work/said")"
}
