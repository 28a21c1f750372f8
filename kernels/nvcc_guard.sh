#!/bin/sh
# Runs a CUDA compilation and fails it on any C75xx message of ptxas (products serialised, register
# requests ignored): such a kernel still gives right answers, slowly. The object file is removed.
# SPDX-License-Identifier: GPL-3.0-or-later
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
"$@" >"$log" 2>&1
status=$?
if [ $status -ne 0 ]; then
    cat "$log"
    exit $status
fi
# What is worth a line on success: warnings and spills, not the resource report of every kernel.
grep -v -e '^$' -e '^ptxas info' -e ' 0 bytes spill stores, 0 bytes spill loads' "$log"
if grep -q 'C75[0-9][0-9]' "$log"; then
    echo "nvcc_guard: a C75xx message is a build failure" >&2
    while [ $# -gt 1 ]; do
        [ "$1" = -o ] && rm -f "$2"
        shift
    done
    exit 1
fi
exit 0
