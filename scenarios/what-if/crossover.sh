#!/usr/bin/env bash
# Where a ring over TCP (gti) is as fast as one over RDMA (gtt), with messages as they are, in fp8 and
# in int4: TTFT by new tokens behind none and behind 128K cached ones, and from how many new tokens on
# the two differ by less than 1 %. Usage: crossover.sh RINGCAST [CP]
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=${1:?usage: crossover.sh RINGCAST [CP]}
cp=${2:-4}
base=$(dirname "$0")/llama-405b.yaml

ttft() { # machine, type of messages, new, cached, variant
    "$ringcast" forward "$base" --set "machine=$1" --set "dtypes.ring_messages=$2" \
        --set "tokens.new=$3" --set "tokens.cached=$4" --set "parallel.cp=$cp" \
        --set "parallel.variant=$5" --json 2> /dev/null |
        sed -n 's/^ *"ttft_ms": *\([0-9.e+]*\),*$/\1/p' | sed -n 1p
}

near() { # type, new, cached, variant: whether TCP comes within 1 % of RDMA; not where it does not fit
    awk -v tcp="$(ttft gti "$1" "$2" "$3" "$4")" -v rdma="$(ttft gtt bf16 "$2" "$3" "$4")" \
        'BEGIN { exit !(tcp > 0 && rdma > 0 && tcp <= 1.01 * rdma) }'
}

crossover() { # type, cached, variant
    local lo=256 hi=128000 mid first=no last=no
    if near "$1" $lo "$2" "$3"; then first=yes; fi
    if near "$1" $hi "$2" "$3"; then last=yes; fi
    case $first-$last in
        yes-yes) echo "any number of new tokens" && return ;;
        no-no) echo "none of up to $hi new tokens" && return ;;
    esac
    while ((hi - lo > lo / 64)); do
        mid=$(((lo + hi) / 2))
        if near "$1" $mid "$2" "$3"; then
            if [ $last = yes ]; then hi=$mid; else lo=$mid; fi
        else
            if [ $last = yes ]; then lo=$mid; else hi=$mid; fi
        fi
    done
    if [ $last = yes ]; then echo "$hi new tokens on"; else echo "256 to $lo new tokens"; fi
}

for variant in pass-kv pass-q; do
    for cached in 0 128000; do
        printf '# %s, CP%s: new tokens behind %s cached ones; TTFT in ms\n' "$variant" "$cp" "$cached"
        printf '# %-8s %12s %12s %12s %12s\n' new RDMA TCP "TCP, fp8" "TCP, int4"
        for new in 1000 4000 16000 64000 128000; do
            printf '  %-8s %12.1f %12.1f %12.1f %12.1f\n' "$new" "$(ttft gtt bf16 $new $cached $variant)" \
                "$(ttft gti bf16 $new $cached $variant)" "$(ttft gti fp8 $new $cached $variant)" \
                "$(ttft gti int4 $new $cached $variant)"
        done
        for type in bf16 fp8 int4; do
            printf 'TCP with messages in %s within 1 %% of RDMA: %s\n' "$type" \
                "$(crossover $type $cached $variant)"
        done
    done
done
