#!/usr/bin/env bash
# libringcast from outside: both libraries show the functions of library/symbols.txt and nothing else, and the header
# declares these; it is C99 and C++; the examples in C link against each and say what the program says; the one in Python
# runs.
#
# usage: test_library.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 skipped=
complain() { echo "$*"; failed=1; }
export RINGCAST_SHARE=$PWD LD_LIBRARY_PATH=$build

# ---- symbols
nm -D --defined-only "$build/libringcast.so" | awk '{ print $3 }' | sort >"$work/shared"
nm -g --defined-only "$build/libringcast.a" | awk 'NF == 3 { print $3 }' | sort >"$work/static"
grep -vE '^ \*' include/ringcast/ringcast.h | grep -oE '\bringcast_[a-z_0-9]+\(' | tr -d '(' | sort -u >"$work/declared"
for side in shared static declared; do
    diff -u --label library/symbols.txt --label $side library/symbols.txt "$work/$side" ||
        complain "the functions of $side are not those of library/symbols.txt"
done
if grep -q __asan "$build/libringcast.so"; then complain "this build has sanitizers: the library is tested in a plain one"; fi

# ---- the header
printf '#include <ringcast/ringcast.h>\nint main(void) { return ringcast_version() == 0; }\n' >"$work/own.c"
cc -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$work/own.c" || complain "the header is not C99"
if command -v c++ >/dev/null; then
    cp "$work/own.c" "$work/own.cc"
    c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$work/own.cc" || complain "the header is not C++"
else
    skipped="no C++ compiler"
fi

# ---- examples in C
read -ra needs < <(pkg-config --libs --static yaml-0.1 jansson sqlite3 gsl liblzma zlib)
for name in forward serve; do
    cc -std=c99 -O1 -Wall -Wextra -Werror -Iinclude "examples/$name.c" -o "$work/$name" -L"$build" -lringcast ||
        complain "examples/$name.c does not link with the shared library"
    cc -std=c99 -O1 -Iinclude "examples/$name.c" -o "$work/$name-static" "$build/libringcast.a" "${needs[@]}" -lm -lpthread ||
        complain "examples/$name.c does not link with the static library"
done
cd "$work"
./forward llama-3.1-405b gtt 128000 >forward.txt || complain "examples/forward.c: $?"
./forward-static llama-3.1-405b gtt 128000 | cmp - forward.txt || complain "the static library says something else"
for nodes in 2 4; do
    told=$("$build/ringcast" forward scenarios/paper/cp$nodes-128k.yaml --quiet) # ms
    grep -q "^$nodes nodes: TTFT $(awk -v t="$told" 'BEGIN { printf "%.3f", t / 1000 }') s " forward.txt ||
        complain "examples/forward.c on $nodes nodes, beside $told ms: $(cat forward.txt)"
done
./forward llama-3.1-405b no-such-machine 1000 2>err && complain "a machine that is not there is taken"
grep -q "no-such-machine" err || complain "the error does not name the machine: $(cat err)"
"$build/ringcast" init serve --out my.yaml >/dev/null
./serve my.yaml >serve.txt || complain "examples/serve.c: $?"
grep -qE '^holds up to [0-9.]+ requests/s$' serve.txt || complain "examples/serve.c says: $(tail -1 serve.txt)"
cd - >/dev/null

# ---- the example in Python
if command -v python3 >/dev/null; then
    LIBRINGCAST=$build/libringcast.so python3 examples/choose.py >"$work/choose.txt" || complain "examples/choose.py: $?"
    told=$("$build/ringcast" choose --T 8K --P 120K --machine gtt --model llama-3.1-405b --cp 4 | sed -n 's/^answer *\([a-z-]*\), .*: \([0-9]*\.[0-9]\)[0-9]* ms.*/\1, \2/p')
    grep -q "^8000 new, 120000 cached: $told" "$work/choose.txt" || complain "examples/choose.py, beside '$told': $(tail -1 "$work/choose.txt")"
else
    skipped="${skipped:+$skipped, }no python3"
fi
[ $failed = 0 ] || exit 1
if [ -n "$skipped" ]; then
    echo "SKIPPED: $skipped"
    exit 77
fi
echo "$(wc -l <library/symbols.txt) functions, 2 examples in C, 1 in Python"
