#!/usr/bin/env bash
# What a command says of every file of a fuzzer's corpus: its exit status, and the words of a refusal or its first lines.
# usage: corpus.sh CORPUS LINES COMMAND... ("FILE" stands for the file)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
folder=tests/fuzz/corpus/$1 lines=$2
shift 2
for file in "$folder"/*; do
    status=0
    "${@//FILE/$file}" >"$OUT/said" 2>"$OUT/words" || status=$?
    echo "== ${file##*/}: $status"
    if [ $status -ge 2 ]; then
        tail -n 1 "$OUT/words"
    else
        awk -f tests/support/rounded.awk "$OUT/said" | sed -n "1,${lines}p"
    fi
done
