#!/usr/bin/env bash
# Draws the cases that the next model is judged by: draw.sh RINGCAST SEED [DIR], from the top of the project, once the model
# is fixed in a commit. Writes DIR/drawn2-{nvlink,shm,socket,one}.csv (DIR: scenarios/validation unless stated), which
# forecast.sh takes for unseen. Sizes are bounded so that all of it runs in some 90 s of four GPUs: a case costs about 0.7 s of
# the GPUs that it has, and lists of two GPUs can run on two pairs at a time, the list of one GPU on four. Names begin with
# `f`, for those of the lists drawn before begin with `d`.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

[ $# -ge 2 ] || { sed -n 's/.*: \(draw.sh .*\), from.*/usage: \1/p' "$0" >&2; exit 2; }
ringcast=$1 seed=$2 dir=${3-$(dirname "$0")}

# list NAME CASES TRANSPORT RANKS ...
list() {
    local name=$1 cases=$2 transport=$3 ranks=() n
    shift 3
    for n; do ranks+=(--ranks "$n"); done
    "$ringcast" validate --draw "$cases" --seed "$seed" --transport "$transport" "${ranks[@]}" --longest 15ms --prefix f \
        --out "$dir/drawn2-$name.csv"
}
list nvlink 26 nvlink 2 4
list shm 24 shm 2 4
list socket 8 socket 2 4
list one 32 nvlink 1
