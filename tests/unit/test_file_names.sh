#!/usr/bin/env bash
# A file's name is enough to open it: no two source files of the simulator, the calibrator and the kernels are
# called alike, in whatever folders they stand.
#
# usage: test_file_names.sh [BUILD-FOLDER]   (which it does not need)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail

# check ROOT: prints each name that stands twice, with its files; fails when there is one.
check() {
    (cd "$1" && find sim calib kernels -type f \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.sh' \)) |
        sort | awk '
        {
            name = $0; sub(/.*\//, "", name)
            files[name] = files[name] " " $0; seen[name]++; all++
        }
        END {
            for (name in seen)
                if (seen[name] > 1) { print name ":" files[name]; failed = 1 }
            if (!all) { print "no source file found"; failed = 1 }
            if (!failed) printf "%d source files, no two of one name\n", all
            exit failed
        }'
}

# The check itself is checked first, on a small tree.
self_test() {
    local root
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$root'" EXIT
    mkdir -p "$root"/{sim/base,sim/cost,calib,kernels}
    touch "$root"/sim/base/file.c "$root"/sim/base/file.h "$root"/calib/file.cu
    check "$root" >/dev/null || { echo "self-test: a right tree is refused"; return 1; }
    touch "$root"/sim/cost/file.c
    if check "$root" >/dev/null; then echo "self-test: two files of one name are let through"; return 1; fi
}

self_test
check "${RC_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}"
