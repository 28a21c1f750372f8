#!/usr/bin/env bash
# Serves scenarios of this folder for real, from the top of the project: serve.sh RINGCAST-CALIB OUT NAME ...
# Writes OUT/NAME (scenario.yaml, passes.csv, requests.csv) and OUT/NAME.log for each, and goes on where one fails; the exit
# status says whether all did. Scenarios that name two or four H200 run as well on as many H100: the machine, which says what the forecast
# rests on, is then the one of the card that is there. Links are those that the machine's name says: NVLink, or with -shm the host's
# memory. SERVE_S=SECONDS bounds each (default 300), SERVE_CHECKS=N the sequences computed again (default 16).
# SPDX-License-Identifier: GPL-3.0-or-later
set -uo pipefail
[ $# -ge 3 ] || { sed -n 's/.*: \(serve.sh .*\)/usage: \1/p' "$0" | sed -n 1p >&2; exit 2; }
calib=$1 out=$2 here=$(dirname "$0") failed=0
shift 2
export NCCL_NVLS_ENABLE=0 RINGCAST_SHARE=${RINGCAST_SHARE:-$PWD}
mkdir -p "$out"
card=$(nvidia-smi --query-gpu=name --format=csv,noheader | sed -n 1p)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name; do
    settings=()
    cp "$here/$name.yaml" "$work/$name.yaml" || { failed=1; continue; }
    case $card in *H100*) sed -i 's/^machine: h200x[24]/machine: h100x4/' "$work/$name.yaml" ;; esac
    ! grep -q '^machine: .*-shm$' "$work/$name.yaml" || settings+=(NCCL_P2P_DISABLE=1)
    timeout "${SERVE_S:-300}" env "${settings[@]}" "$calib" serve --scenario "$work/$name.yaml" --out "$out/$name" \
        --checks "${SERVE_CHECKS:-16}" ${SERVE_COMMIT:+--commit "$SERVE_COMMIT"} >"$out/$name.log" 2>&1
    status=$?
    [ $status = 0 ] || failed=1
    echo "$name: exit $status; $(tail -n 1 "$out/$name.log")"
done
exit $failed
