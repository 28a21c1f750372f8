#!/usr/bin/env bash
# Which GPUs the calibrator's kernels are compiled for: attention, decode over latents and products of experts for 9.0
# (sm_90a) alone; elementwise, merge, rotary, experts, all_reduce and what the benchmark itself launches have code of
# 8.0, 8.9, 9.0 and 10.0 and PTX of 8.0; decode PTX of 8.9, too, for its
# form of e4m3. The test library of the oldest PTX holds nothing else.
#
# usage: test_gpu_code.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
failed=0
fail() {
    echo "test_gpu_code: $*" >&2
    failed=1
}

# images FILE: "elf 90" or "ptx 80" for each image of each module in a program, in order; "module" before each module.
# A module ("fat binary") is a header of 16 bytes, 0xba55ed50 first, its bytes after it in the second half; in it each
# image has a header that says what it is (1 PTX, 2 code), how long header and image are, and for which architecture.
# `cuobjdump --list-elf --list-ptx` tells the same, but is not there wherever a program can be built: where it is,
# check_words holds the two against each other.
images() {
    od -An -v -tx4 -w4 "$1" | awk '
        function number(text,    i, n) {
            n = 0
            for (i = 1; i <= 8; i++)
                n = 16 * n + index("0123456789abcdef", substr(text, i, 1)) - 1
            return n
        }
        { word = $1 }
        state == 0 && word == "ba55ed50" { state = 1; at = 0; next }
        state == 1 { # header of a module
            at++
            if (at == 2) left = number(word) / 4
            if (at == 3) { print "module"; state = left > 0 ? 2 : 0; at = 0 }
            next
        }
        state == 2 { # header of an image
            if (at == 0) kind = number(word) % 65536
            if (at == 1) header = number(word) / 4
            if (at == 2) body = number(word) / 4
            if (at == 7) print (kind == 1 ? "ptx" : kind == 2 ? "elf" : "unknown"), number(word)
            at++; left--
            if (at >= 8 && at == header) { state = 3; at = 0 }
            if (left <= 0) state = 0
            next
        }
        state == 3 {
            at++; left--
            if (left <= 0) state = 0
            else if (at == body) { state = 2; at = 0 }
        }'
}

# modules FILE: how often each set of images occurs, "N elf 80,elf 89,..." a line.
modules() {
    images "$1" | awk '
        /^module/ { if (line) print line; line = ""; next }
        { line = line (line ? "," : "") $0 }
        END { if (line) print line }' | sort | uniq -c | sed 's/^ *//'
}

check_words() {
    command -v cuobjdump > /dev/null || return 0
    local ours theirs
    ours=$(images "$1" | grep -c '^elf' || true)
    theirs=$(cuobjdump --list-elf "$1" | grep -c 'sm_' || true)
    [ "$ours" = "$theirs" ] || fail "$1: $ours images of code here, $theirs by cuobjdump"
}

if [ ! -x "$build/ringcast-calib" ]; then
    echo "SKIPPED: ringcast-calib is not built here (it needs nvcc)"
    exit 77
fi
found=$(modules "$build/ringcast-calib")
echo "$found"
check_words "$build/ringcast-calib"
for want in "3 elf 90" "1 ptx 80,elf 80,ptx 89,elf 89,elf 90,elf 100" "6 ptx 80,elf 80,elf 89,elf 90,elf 100"; do
    grep -qx "$want" <<< "$found" || fail "no \"$want\" among the modules above"
done
oldest=$build/tests/test_gpu_oldest_decode
if [ -x "$oldest" ]; then
    found=$(modules "$oldest")
    echo "of the oldest: $found"
    check_words "$oldest"
    # one kind of module: as many as the test takes of the library
    grep -qxE '[1-9][0-9]* ptx 80' <<< "$found" && [ "$(wc -l <<< "$found")" = 1 ] || fail "the library of the oldest PTX holds something else"
fi
exit $failed
