#!/usr/bin/env bash
# Four processes under mpirun measure `net` together: one writer, every group once, the slowest rank's
# time. Skipped, aloud, where the build or the machine has no MPI.
#
# usage: test_calib_mpi.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
calib=$build/tests/calib_fake
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Built without MPI, several processes are refused, not let loose on one file.
if ! ldd "$calib" | grep libmpi >/dev/null; then # -q would stop ldd half-way
    if OMPI_COMM_WORLD_SIZE=4 "$calib" run --suite net --out x.db 2>err; then echo "not refused"; exit 1; fi
    grep -q 'started as 4 processes, but built without MPI' err
    echo "SKIPPED: built without MPI (Debian: libopenmpi-dev)"
    exit 77
fi
command -v mpirun >/dev/null || { echo "SKIPPED: no mpirun (Debian: openmpi-bin)"; exit 77; }
args=(--oversubscribe -n 4)
[ "$(id -u)" -ne 0 ] || args+=(--allow-run-as-root)
export RC_FAKE_NAP_US=0 ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
RC_FAKE_DEADLINES=1 mpirun "${args[@]}" "$calib" run --suite net,memory --state burst --out net.db >log 2>err || { cat log err; exit 1; }
[ "$(grep -c '^# wrote' log)" = 1 ] || { echo "one process must write"; cat log; exit 1; }
# what needs no other GPU is measured by one process, what does by all
[ "$(grep -c '^# copy burst' log) $(grep -c '^# send_recv burst' log)" = "1 4" ] || { echo "the wrong processes measure"; cat log; exit 1; }
"$build/ringcast" calibration show --store net.db --csv >rows
# send_recv of 256 bytes: on 2 and 4 ranks (3 is neither a power of two nor all), 4 times rank 0's time
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["op"] == "send_recv" && $at["a"] == 256 { n++; ranks = ranks " " $at["b"]
        want = 4 * (1 + 256 + 0.5 * $at["b"] + 0.25 * $at["c"])
        if ($at["p50_us"] < 0.999 * want || $at["p50_us"] > 1.001 * want) { print "time", $at["p50_us"], "not", want; bad = 1 } }
    $at["op"] == "copy" { copies++ }
    END { if (ranks != " 2 4") { print "ranks" ranks; bad = 1 }
          if (copies != 18) { print copies " copies, not 18"; bad = 1 }
          exit bad }' rows
echo "4 processes, one store, $(wc -l <rows) lines"
