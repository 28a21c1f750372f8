#!/usr/bin/env bash
# The exported header compiled by clang, as C and as C++. Skipped, and says so, without clang.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
for program in clang clang++; do
    command -v $program >/dev/null || { echo "SKIPPED: no $program (Debian: clang)"; exit 77; }
done
exec bash "$(dirname "$0")/test_tune_header.sh" "$1" "clang -std=c99 -O2" "clang++ -std=c++17"
