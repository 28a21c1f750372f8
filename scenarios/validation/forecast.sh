#!/usr/bin/env bash
# Forecasts beside the rings that were run for real: forecast.sh RINGCAST [MACHINE ...], from the top of the project.
# MACHINE is a folder of results/rings; default: all. Costs are the rows of the same GPU in results/published and
# results/calibration, then what a full run of the newest kernels on another host has of computing, then the rows of
# results/calibration/nodes/MACHINE, which were measured on the same host, links and clock above all: a later row takes the
# place of an earlier one at the same point. No run of a ring is among them. Only cases whose median is known to 2 % take
# part (count.sh). Prints the summary of `ringcast validate` over all of them. Options, before RINGCAST:
#   -v           every case, too
#   -e CASE      the parts of the cases of that name (* and ? allowed) beside those of their forecasts; all: by part
#   -j FILE      all figures as JSON
#   -l FILE      learn the error of the model from the seen cases (`ringcast validate --learn`) into FILE.csv
#   -m FILE      with the error of the model as in FILE.csv, not as the machine's file has it; none: without
#   -w MECHANISM without a mechanism of the model (`ringcast validate --without`), and without intervals; may be given several
#                times
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

verbose=0 explain='' learn='' options=()
while getopts ve:j:l:m:w: option; do
    case $option in
    v) verbose=1 ;;
    e) explain=$OPTARG ;;
    j) options+=(--json "$OPTARG") ;;
    l) learn=$OPTARG ;;
    m) options+=(--model-errors "$OPTARG") ;;
    w) options+=(--without "$OPTARG") ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n 's/.*: \(forecast.sh .*\), from.*/usage: \1/p' "$0" >&2; exit 2; }
ringcast=$1 && shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lists=$(dirname "$0")/rings.sh count=$(dirname "$0")/count.sh

bash "$lists" one >"$work/cases.csv"
for list in two four socket overlap table4; do bash "$lists" $list | tail -n +2; done >>"$work/cases.csv"
bash "$lists" table4 | tail -n +2 | sed -E 's/-s124-c0,/-s0-c0,/; s/,124,0$/,0,0/' >>"$work/cases.csv" # Table 4 ran so, too
options+=(--seen "$work/cases.csv" --seen "$(dirname "$0")"/unseen-rings-two.csv) # drawn for a model before this one
options+=(--seen "$(dirname "$0")"/contention.csv)
for list in "$(dirname "$0")"/drawn-*.csv; do options+=(--seen "$list"); done # drawn for a model before this one, too
for list in "$(dirname "$0")"/drawn2-*.csv; do [ ! -f "$list" ] || options+=(--unseen "$list"); done # draw.sh, for this one

# counted FROM.csv TO.csv: the cases that count
counted() {
    bash "$count" "$1" | sed '1,/^# do not count/d' | awk '{ print $2 }' >"$work/left-out"
    awk -F, 'FILENAME == ARGV[1] { out[$1] = 1; next } !($1 in out)' "$work/left-out" "$1" >"$2"
}

# newest GPU NODE.csv: rows of computing of another host with the newest kernels; not of its links, nor of the clock of its
# card where the host's own has been measured, nor of messages beside attention, which count as ratios to those alone
newest() {
    local clock=' ' beside=' ' files
    case $1 in
    h200-sxm) files=(results/calibration/nodes/h200x2-full/run-2.csv) ;;
    h100-sxm) files=(results/calibration/nodes/h100x1/run-1.csv results/calibration/nodes/h100x1b/run-1.csv) ;;
    *) return ;;
    esac
    ! grep -q '@fresh' "$2" || clock='@(duty|fresh)'
    ! grep -q ',transfer_beside,' "$2" || beside='_beside$'
    cat "${files[@]}" | awk -F, -v clock="$clock" -v beside="$beside" '$1 == "machine" { if (!header++) print; next }
        /^#/ || $4 ~ /^(send_recv|all_reduce|all_gather|reduce_scatter|all_to_all)$/ || $4 ~ beside || $5 ~ clock { next }
        { print }'
}

# Runs of a host of several GPUs on some of them are in MACHINE-gpuK (MACHINE-gpuKL: on the two K and L): their forecasts take
# the clocks of these cards. Runs in MACHINE are on the first of all.
costs() { # MACHINE: its store, from its GPU's rows and the last run of suites on the host, and its runs that count
    local machine=$1 gpu=${1%%x*}-sxm node file
    local host=results/calibration/nodes/${machine%-gpu*} ids=[0-9] cards=()
    [ "$machine" = "${machine%-gpu*}" ] || ids="[${machine##*-gpu}]"
    # A suite that its budget cut before the shares of the time at work does not tell how clock follows power.
    for file in "$host"/clock-$ids.csv; do ! grep -qs '@duty' "$file" || cards+=(--card "$file"); done
    node=$work/$machine-node.csv # the last run of suites, and what was measured beside it: products, gaps of launches, the clock of each card
    "$ringcast" calibration merge $(ls "$host"/run-*.csv | tail -n 1) $(ls "$host"/{gemm,gap}.csv 2>/dev/null) "${cards[@]}" \
        --out "$node" >/dev/null
    mkdir "$work/$machine"
    newest "$gpu" "$node" >"$work/newest.csv"
    "$ringcast" calibration merge results/published/"$gpu".csv results/calibration/"$gpu"/*.csv "$work/newest.csv" "$node" --out "$work/$machine.csv" >/dev/null
    "$ringcast" calibration build "$work/$machine.csv" --out "$work/$machine.db" >/dev/null
    for file in results/rings/"$machine"/*.csv; do counted "$file" "$work/$machine/$(basename "$file")"; done
    if [ "$machine" = h200x4 ]; then # Table 4 of the paper ran on the same machine
        for file in results/paper/real/table4-*.csv; do counted "$file" "$work/$machine/$(basename "$file")"; done
    fi
    options+=(--results "$work/$machine" --store "$work/$machine.db")
}

[ $# -gt 0 ] || set -- $(cd results/rings && ls -d */ | tr -d /)
for machine; do
    [ -d results/rings/"$machine" ] || { echo "no machine $machine in results/rings" >&2; exit 2; }
    costs "$machine"
done
case " ${options[*]} " in *' --without '*) options+=(--draws 0) ;; esac # intervals are of the whole model
if [ -n "$learn" ]; then
    "$ringcast" validate "${options[@]}" --learn "$learn" --overwrite
    exit
fi
if [ -n "$explain" ]; then
    "$ringcast" validate "${options[@]}" --explain "$explain"
    exit
fi
"$ringcast" validate "${options[@]}" --max-median 100 --max-p95 100 >"$work/said.txt" \
    2>"$work/said" || [ $? = 1 ] || { cat "$work/said" >&2; exit 1; }
if [ $verbose = 1 ]; then cat "$work/said.txt"; else sed -n '/^# roofline times/,$p' "$work/said.txt"; fi
