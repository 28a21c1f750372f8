#!/usr/bin/env bash
# ringcast calibration import, export, diff, merge and leave-out, end to end: what goes in comes out, machines that are
# not the same are refused by name, and no row is lost or doubled on the way.
#
# usage: test_calibration_tools.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
corpus=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)/tests/fuzz/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "$*"; exit 1; }
refused() { # PATTERN COMMAND...
    local pattern=$1
    shift
    if "$@" >out 2>err; then fail "not refused: $*"; fi
    grep -q -- "$pattern" err || { cat err; fail "refused with other words than \"$pattern\": $*"; }
}
column() { # FILE NAME: the values, one a line
    awk -F, -v name="$2" '/^#/ { next } !head++ { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$1"
}
import() { "$ringcast" calibration import "$@"; }

# nccl-tests: two ranks of one node, microseconds to seconds, the GPU's name from the log.
import "$corpus/nccltests/all_reduce.txt" --machine lab --out nccl.csv >log
grep -q '(nccl-tests): 2 rows' log || { cat log; fail "nccl-tests: rows"; }
[ "$(column nccl.csv a | tr '\n' ' ')" = "1048576 33554432 " ] || fail "nccl-tests: sizes"
[ "$(column nccl.csv p50_s | tr '\n' ' ')" = "4.53e-05 0.0002101 " ] || { column nccl.csv p50_s; fail "nccl-tests: times"; }
[ "$(column nccl.csv gpu | uniq)" = "NVIDIA H100 80GB HBM3" ] || fail "nccl-tests: GPU"
[ "$(column nccl.csv source | uniq)" = "published: nccl-tests" ] || fail "nccl-tests: source"
import "$corpus/nccltests/two_nodes.txt" --machine lab --source "our cluster" --out two.csv >log
[ "$(column two.csv op | uniq) $(column two.csv variant | uniq) $(column two.csv c | uniq)" = "send_recv rdma 2" ] || fail "nccl-tests: nodes"
refused 'say it with --op' "$ringcast" calibration import "$corpus/nccltests/no_test_name.txt" --machine lab --out x.csv
import "$corpus/nccltests/no_test_name.txt" --machine lab --op all_gather --out op.csv >log
[ "$(column op.csv op | uniq)" = all_gather ] || fail "nccl-tests: --op"

# Several runs, each with its own ranks and collective; labels; excerpts; JSON.
import "$corpus/nccltests/two_runs.txt" --machine lab --out runs.csv >log
[ "$(column runs.csv op | tr '\n' ' ')$(column runs.csv b | uniq)" = "all_reduce all_gather 4" ] || fail "nccl-tests: two runs"
import "$corpus/nccltests/labelled.txt" --machine lab --op all_reduce --out labelled.csv >log
[ "$(column labelled.csv b) $(column labelled.csv c) $(column labelled.csv variant)" = "4 2 rdma" ] || fail "nccl-tests: labels"
refused 'say it with --ranks and --nodes' "$ringcast" calibration import "$corpus/nccltests/excerpt.txt" --machine lab --op all_reduce --out x.csv
import "$corpus/nccltests/excerpt.txt" --machine lab --op all_reduce --ranks 72 --nodes 18 --out excerpt.csv >log
[ "$(column excerpt.csv b) $(column excerpt.csv c)" = "72 18" ] || fail "nccl-tests: excerpt"
import "$corpus/nccltests/json.txt" --machine lab --out json.csv >log
[ "$(column json.csv op) $(column json.csv b) $(column json.csv p50_s)" = "all_reduce 2 3e-05" ] || fail "nccl-tests: JSON"
printf PAR1 >table.parquet
refused 'is a Parquet file' "$ringcast" calibration import table.parquet --machine lab --out x.csv
refused "JSON with the keys 'a'" "$ringcast" calibration import <(printf '{"a":1}') --machine lab --out x.csv

# What import says comes next works as it stands.
import "$corpus/nccltests/two_runs.txt" --machine lab --out runs.csv --overwrite >log
sed -n 's/^#\( next:\)\{0,1\} *\(ringcast calibration .*\)/\2/p' log >next
[ "$(wc -l <next)" -eq 2 ] || { cat log; fail "import: next steps"; }
sed "s|^ringcast|$ringcast|" next | bash -e >/dev/null || fail "import: the next steps do not work"
"$ringcast" calibration list --store with-lab.db --csv | grep '^lab,all_gather,' >/dev/null || fail "import: not in the store"

# AIConfigurator: milliseconds, elements to bytes, rows without a counterpart counted.
import "$corpus"/aiconfigurator/{gemm,context,generation,nccl}.csv --machine h200-aic --out aic.csv >log
[ "$(column aic.csv op | sort | uniq -c | tr -s ' \n' ' ')" = " 1 all_gather 1 all_to_all 2 attention 1 decode 2 gemm " ] || { column aic.csv op | sort | uniq -c; fail "aiconfigurator: ops"; }
[ "$(column aic.csv head_k | sort -u | tr '\n' ' ')" = "0 128 64 " ] || { column aic.csv head_k; fail "aiconfigurator: head sizes"; }
"$ringcast" calibration build aic.csv --out aic.db
"$ringcast" calibration show --store aic.db --csv >shown
[ "$(column shown head_k | sort -u | tr '\n' ' ')" = "0 128 64 " ] || { cat shown; fail "show: head sizes that differ are not shown"; }
"$ringcast" calibration show --store aic.db --op gemm --csv | sed -n 1p | grep -v head_k >/dev/null || fail "show: products have no heads"
grep -q 'gemm.csv (aiconfigurator): 2 rows, 1 left out' log || { cat log; fail "aiconfigurator: fp4 must be left out"; }
grep ',all_gather,' aic.csv | grep ',fp16,2048,8,1,0,1.2e-05,' >/dev/null || fail "aiconfigurator: nccl counts elements"
grep ',decode,' aic.csv | grep ',bf16,8,8192,16,1,3.5e-05,' >/dev/null || fail "aiconfigurator: context of a decode"

# Vidur: fp16 products of a layer; nodes from devices_per_node.
import "$corpus"/vidur/{all_reduce,send_recv,mlp,attention}.csv --machine dgx --out vidur.csv >log
grep ',gemm,' vidur.csv | cut -d, -f7-9 | sort | tr '\n' ' ' | grep '4096,10240,8192 4096,57344,8192 4096,8192,28672 4096,8192,8192 ' >/dev/null || { grep gemm vidur.csv; fail "vidur: products"; }
grep ',send_recv,' vidur.csv | grep 'rdma,bytes,2048,2,2,0,1e-05,1.7e-05,2e-05,' >/dev/null || fail "vidur: two nodes"
grep ',attention,causal,fp16,512,1536,8,1,' vidur.csv >/dev/null || fail "vidur: attention"
# Tables of kernels: milliseconds, the op of the caller, conditions, disturbed rows counted.
k=$corpus/kerneltables
import "$k/latent.csv" --op mla_prefill --machine k --out k.csv --overwrite >log
grep ',mla_prefill,,bf16,4096,4096,16,1,0.0002072,0.0002072,0.0002072,.*,192,128,0,0,0$' k.csv >/dev/null || { cat k.csv; fail "kernel tables: latent attention"; }
grep -q 'latent.csv (kernel-tables): 2 rows, 1 left out' log || { cat log; fail "kernel tables: int4 must be left out"; }
import "$k/disturbed.csv" --op mla_absorbed --machine k --out k.csv --overwrite >log
grep -q '2 rows, 1 left out (first: longer than a call with more work: disturbed)' log || { cat log; fail "kernel tables: a disturbed row"; }
import "$k/experts.csv" --op moe_ffn --machine k --out k.csv --overwrite >log
grep ',moe_ffn,,fp8,16,7168,2048,16,0.000264,.*,0,0,0,48,8$' k.csv >/dev/null || { cat k.csv; fail "kernel tables: experts"; }
grep -q ',moe_ffn,@power_law_1.2,fp8,16,7168,2048,16,' k.csv || fail "kernel tables: a load that is not even is a condition"
import "$k/normal.csv" --op ep_combine --ranks 8 --machine k --out k.csv --overwrite >log
grep ',ep_combine,normal,bf16,4096,7168,8,1,0.000960612,.*,0,0,0,256,8$' k.csv >/dev/null || { cat k.csv; fail "kernel tables: transfers"; }
grep -q ',ep_combine,normal@sms4,bf16,4096,' k.csv || fail "kernel tables: fewer SMs are a condition"
refused '--op: is needed to read' "$ringcast" calibration import "$k/latent.csv" --machine k --out x.csv
refused 'did you mean mla_decode' "$ringcast" calibration import "$k/latent.csv" --op mla_decod --machine k --out x.csv
refused '--ranks: is needed' "$ringcast" calibration import "$k/normal.csv" --op ep_combine --machine k --out x.csv
refused "missing_column.csv:1:1: missing column 'cached'" "$ringcast" calibration import "$k/missing_column.csv" --op mla_prefill --machine k --out x.csv
refused "negative.csv:2:15: column 'isl'" "$ringcast" calibration import "$k/negative.csv" --op mla_prefill --machine k --out x.csv
refused 'short.csv:2:' "$ringcast" calibration import "$k/short.csv" --op mla_prefill --machine k --out x.csv
refused 'expected nccl-tests, aiconfigurator, vidur or kernel-tables' "$ringcast" calibration import "$corpus/vidur/mlp.csv" --format vidurr --machine m --out x.csv
refused '--machine: is missing' "$ringcast" calibration import "$corpus/vidur/mlp.csv" --out x.csv
refused 'none of the formats' "$ringcast" calibration import "$corpus/quantity/bits" --machine m --out x.csv

# A store and back: the same rows, to the digit.
"$ringcast" calibration build vidur.csv --out vidur.db
"$ringcast" calibration export vidur.db --out back.csv
"$ringcast" calibration build back.csv --out back.db
"$ringcast" calibration export back.db --out again.csv
cmp back.csv again.csv || fail "export is not what was built"
[ "$(grep -vc '^#' back.csv)" = "$(grep -vc '^#' vidur.csv)" ] || fail "export lost rows"

# diff: the same is the same; a slower copy is slower by that.
"$ringcast" calibration diff vidur.db back.csv --csv >d
awk -F, 'NR > 1 && ($4 || $5 || $6 != 1) { bad = 1; print } END { exit bad }' d || fail "diff of equals"
awk -F, -v OFS=, '/^#/ || !head++ { print; next } { $11 *= 2; $12 *= 2; $13 *= 2; print }' vidur.csv >slow.csv
"$ringcast" calibration diff vidur.csv slow.csv --csv >d
awk -F, 'NR > 1 && $6 != 2 { bad = 1; print } END { exit bad }' d || fail "diff of a copy twice as slow"

# diff of transfers: by bytes and transport, whatever the bytes are of; of two dtypes of a size the first meets the other's.
transfer() { echo "m,NVIDIA H200,burst,all_reduce,$1,$2,$3,4,1,0,$4,$4,$4,9,,,,,,,,nccl,,measured"; }
grep -m 1 '^machine,' vidur.csv >t1.csv
cp t1.csv t2.csv
{ transfer nvlink int8 1024 9e-6; transfer nvlink fp16 1024 1e-6; transfer nvlink fp16 2048 4e-6; transfer shm fp16 1024 8e-6; } >>t1.csv
{ transfer nvlink bf16 1024 2e-6; transfer nvlink bf16 4096 4e-6; transfer shm bytes 1024 4e-6; } >>t2.csv
"$ringcast" calibration diff t1.csv t2.csv --csv | cut -d, -f1-6 >d
printf '%s\n' 'all_reduce nvlink,burst,1,2,1,2' 'all_reduce shm,burst,1,0,0,0.5' >want
tail -n +2 d | diff want - || fail "diff of transfers"

# Different machines: refused with both names, unless told.
refused "machine 'lab' (NVIDIA H100 80GB HBM3) and aic.csv of 'h200-aic'" "$ringcast" calibration merge nccl.csv aic.csv --out m.csv
"$ringcast" calibration merge nccl.csv aic.csv --as mine --out m.csv
[ "$(column m.csv machine | uniq)" = mine ] || fail "merge --as"
"$ringcast" calibration merge nccl.csv aic.csv --apart --out apart.db
[ "$("$ringcast" calibration list --store apart.db --csv | tail -n +2 | cut -d, -f1 | sort -u | tr '\n' ' ')" = "h200-aic lab " ] || fail "merge --apart"
sed 's/^h200-aic,[^,]*,/lab,NVIDIA H200,/; s/published: aiconfigurator/measured/' aic.csv >other.csv
sed 's/published: nccl-tests/measured/' nccl.csv >own.csv
refused "machine 'lab' was measured on NVIDIA H100 80GB HBM3 in own.csv and on NVIDIA H200 in other.csv" "$ringcast" calibration merge own.csv other.csv --out n.csv

# The clock of single cards: numbered in the order in which they are named; rows of anything else are refused.
clock() { echo "lab,NVIDIA H100 80GB HBM3,sustained,gemm,$1,bf16,4096,4096,16384,0,$2,$2,$2,9,1500,700,60,2026-11-26,,,,,,measured"; }
for k in 0 1; do { grep -m 1 '^machine,' vidur.csv; clock @duty100 $((8 + k))e-4; clock @fresh100 8e-4; } >clock-$k.csv; done
"$ringcast" calibration merge own.csv --card clock-0.csv --card clock-1.csv --out host.csv
[ "$(grep -c '@fresh100#[01],' host.csv)" = 2 ] && grep -q '@duty100#1,.*,0\?.0009,' host.csv || fail "merge --card"
refused 'own.csv: a row of' "$ringcast" calibration merge own.csv --card own.csv --out n.csv
refused 'is no row of the clock of a card' "$ringcast" calibration merge own.csv --card host.csv --out n.csv

# Points left out: a table of kinds, or each point; a row's own answer is itself when nothing is left out. A file of the
# op's rows alone gives the same, and takes a moment where all rows take seconds.
"$ringcast" calibration leave-out --machine h100-sxm --op copy --csv >kinds
[ "$(tail -n +2 kinds | cut -d, -f1,2,5,6 | tr '\n' ' ')" = "h100-sxm,copy,beyond,2 h100-sxm,copy,between,16 " ] || fail "leave-out"
"$ringcast" calibration export --machine h100-sxm --out h100.csv
awk -F, 'NR == 1 || $4 == "copy"' h100.csv >copy.csv
"$ringcast" calibration leave-out copy.csv --op copy --csv | diff kinds - || fail "leave-out of a file"
"$ringcast" calibration leave-out copy.csv --op copy --by nothing --each --csv >each
awk -F, 'NR > 1 && ($12 > 1e-9 || $12 < -1e-9) { far = 1 } END { exit far || NR != 19 }' each || fail "leave-out --by nothing"
refused "did you mean 'shape'" "$ringcast" calibration leave-out --by shapes
refused 'expected burst or sustained' "$ringcast" calibration leave-out --state hot
refused 'no measured rows of such an op' "$ringcast" calibration leave-out --op gelu
echo "imports, export, diff, merge and leave-out hold"
