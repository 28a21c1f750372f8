#!/usr/bin/env bash
# Forecasts beside the rings that were run for real: forecast.sh RINGCAST [MACHINE ...], from the top of the project.
# MACHINE is a folder of results/rings; default: all. Costs are the rows of the same GPU in results/calibration, with
# those of results/calibration/nodes/MACHINE, which were measured on the same host, links above all, in their place where
# both have a point. No run of a ring is among them. Only cases whose median is known to 2 % take part (count.sh).
# Prints the summary of `ringcast validate` for each machine. Before RINGCAST: -v every case, too; -e CASE the parts of the
# cases of that name (* and ? allowed) beside those of their forecasts, -e all by part, over all cases.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

verbose=0 explain=
if [ "${1-}" = -v ]; then verbose=1 && shift; fi
if [ "${1-}" = -e ]; then explain=${2:?} && shift 2; fi
[ $# -gt 0 ] || { sed -n 's/.*: \(forecast.sh .*\), from.*/usage: \1/p' "$0" >&2; exit 2; }
ringcast=$1 && shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lists=$(dirname "$0")/rings.sh count=$(dirname "$0")/count.sh

bash "$lists" one >"$work/cases.csv"
for list in two four socket overlap table4; do bash "$lists" $list | tail -n +2; done >>"$work/cases.csv"
bash "$lists" table4 | tail -n +2 | sed -E 's/-s124-c0,/-s0-c0,/; s/,124,0$/,0,0/' >>"$work/cases.csv" # Table 4 ran so, too
unseen=$(dirname "$0")/unseen-rings-two.csv # drawn when all else here was fixed

# counted FROM.csv TO.csv: the cases that count
counted() {
    bash "$count" "$1" | sed '1,/^# do not count/d' | awk '{ print $2 }' >"$work/left-out"
    awk -F, 'FILENAME == ARGV[1] { out[$1] = 1; next } !($1 in out)' "$work/left-out" "$1" >"$2"
}

forecast() { # MACHINE GPU NODE-RUN
    local machine=$1 gpu=$2 node=$3 file
    mkdir "$work/$machine"
    "$ringcast" calibration merge results/calibration/"$gpu"/*.csv results/calibration/nodes/"$machine/$node.csv" \
        --out "$work/$machine.csv" >/dev/null
    "$ringcast" calibration build "$work/$machine.csv" --out "$work/$machine.db" >/dev/null
    for file in results/rings/"$machine"/*.csv; do counted "$file" "$work/$machine/$(basename "$file")"; done
    if [ "$machine" = h200x4 ]; then # Table 4 of the paper ran on the same machine
        for file in results/paper/real/table4-*.csv; do counted "$file" "$work/$machine/$(basename "$file")"; done
    fi
    echo "# $machine"
    if [ -n "$explain" ]; then
        "$ringcast" validate --results "$work/$machine" --store "$work/$machine.db" --explain "$explain" || [ $? = 2 ]
        return
    fi
    "$ringcast" validate --results "$work/$machine" --store "$work/$machine.db" --seen "$work/cases.csv" \
        --unseen "$unseen" --max-median 100 --max-p95 100 >"$work/$machine.txt" 2>"$work/said" || [ $? = 1 ] || { cat "$work/said" >&2; exit 1; }
    if [ $verbose = 1 ]; then
        cat "$work/$machine.txt"
    else
        sed -n '/^# set/,/^# new tokens/p' "$work/$machine.txt" | grep -vE '^# (-|new)|roofline|alpha_beta'
    fi
}

[ $# -gt 0 ] || set -- h100x1 h200x2 h200x4 h200x2-unseen
for machine; do
    case $machine in
    h100x1) forecast "$machine" h100-sxm run-1 ;;
    h200x2 | h200x2-unseen) forecast "$machine" h200-sxm run-2 ;;
    h200x4) forecast "$machine" h200-sxm run-4 ;;
    *) echo "no machine $machine in results/rings" >&2 && exit 2 ;;
    esac
done
