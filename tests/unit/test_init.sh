#!/usr/bin/env bash
# What `ringcast init` writes: every key of the kind's table stands in the file, the file passes its command as it is, and
# each key that stands as a comment with a default can be set to it without a change to the answer.
#
# usage: test_init.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
rc() { "$build/ringcast" "$@"; }
failed=0
complain() { echo "$*"; failed=1; }

for kind in forward sweep tune serve plan machine; do
    rc init $kind --out $kind.yaml >/dev/null || complain "init $kind"
    for table in $kind $([ $kind != sweep ] || echo forward); do
        while read -r key; do
            grep -qE "^ *(- )?(# )?$key:" $kind.yaml || complain "$kind.yaml says nothing of '$key'"
        done < <(rc keys "$table" --csv | tail -n +2 | cut -d, -f1 | sed 's/.*\.//; s/\[\]//' | sort -u)
    done
done
rc forward forward.yaml --draws 0 >forward.txt || complain "forward"
rc forward forward.yaml --draws 0 --set machine=./machine.yaml >/dev/null || complain "machine"
rc sweep sweep.yaml --out sweep.db --plot plots >/dev/null || complain "sweep"
rc tune tune.yaml --no-plots >/dev/null || complain "tune"
rc serve serve.yaml >serve.txt || complain "serve"
rc plan plan.yaml --simulations 4 --quiet >/dev/null || complain "plan"

# "  # key: value   # meaning": the mark goes where the value is not one that other keys must go with.
sed -E 's/^( *)# ((ulysses|dcp|pp|chunk|ffn_over_cp|expert_skew|expert_transfer|mla|world|dp_attention): [^ ]+ )/\1\2/' forward.yaml >set.yaml
! cmp -s set.yaml forward.yaml || complain "no comment was taken away"
rc forward set.yaml --draws 0 >set.txt || complain "defaults are not taken: $(tail -1 set.txt)"
cmp forward.txt set.txt || complain "defaults that stand in the file change the answer"

rc init plan --model qwen3-32b --machine h200-sxm --name mine >own.yaml
grep -q '^plan: mine ' own.yaml && grep -q '^model: qwen3-32b ' own.yaml && grep -q '  - machine: h200-sxm ' own.yaml ||
    complain "--name, --model and --machine are not taken"
for kind in forward sweep tune serve; do
    rc init $kind --machine h100-sxm >own.yaml
    grep -q '^machine: h100-sxm ' own.yaml || complain "--machine is not taken by $kind: $(grep '^machine' own.yaml)"
done
! rc init plan --out plan.yaml 2>/dev/null || complain "an existing file is replaced"
rc init plann 2>err && complain "'plann' is a kind"
grep -q "did you mean 'plan'" err || complain "'plann' is not explained: $(cat err)"
exit $failed
