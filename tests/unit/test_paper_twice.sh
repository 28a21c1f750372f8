#!/usr/bin/env bash
# `ringcast paper` writes the same bytes each time, on any number of threads: tables, summary and pictures. What is
# kept in results/paper is what this program writes (but for pictures, which another gnuplot draws otherwise).
# With RC_SHORT set there are two draws and no pictures, and results/paper is not compared.
#
# usage: test_paper_twice.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
less=()
[ -z "${RC_SHORT:-}" ] || less=(--draws 2 --no-plots)
"$ringcast" paper --out "$work/one" --quiet "${less[@]}" >"$work/one.txt"
"$ringcast" paper --out "$work/two" --quiet --threads 1 "${less[@]}" >"$work/two.txt"
diff -r "$work/one" "$work/two" || { echo "two runs differ"; exit 1; }
diff "$work/one.txt" "$work/two.txt" || { echo "two runs print other summaries"; exit 1; }
if [ -n "${RC_SHORT:-}" ]; then
    echo "$(find "$work/one" -type f | wc -l) files, the same bytes twice; results/paper was not compared"
    exit 0
fi
diff -r --exclude=plots --exclude=README.md --exclude=real results/paper "$work/one" ||
    { echo "results/paper is not what this program writes: run ./dev paper and look at the difference"; exit 1; }
echo "$(find "$work/one" -type f | wc -l) files, the same bytes twice; results/paper is up to date"
