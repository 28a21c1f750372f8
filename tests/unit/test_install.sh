#!/usr/bin/env bash
# `cmake --install` into a folder that is then moved: the program finds its models, machines and scenarios from wherever it
# stands, manual pages and completion are there, and a stranger's project finds the library by pkg-config and by CMake.
#
# usage: test_install.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "$*"; failed=1; }
unset RINGCAST_SHARE

cmake --install "$build" --prefix "$work/first" >"$work/log" || { tail -5 "$work/log"; exit 1; }
mv "$work/first" "$work/moved"
root=$work/moved
lib=$(dirname "$(find "$root" -name libringcast.a)")
mkdir "$work/elsewhere"
cd "$work/elsewhere"

# ---- the program
rc() { "$root/bin/ringcast" "$@"; }
same() { # ARGUMENTS...: as the program of the build says
    rc "$@" >"$work/own" 2>&1 || complain "ringcast $* ends with $?: $(tail -1 "$work/own")"
    (cd "$source" && "$build/ringcast" "$@") >"$work/built" 2>&1 || true
    cmp "$work/own" "$work/built" || complain "ringcast $*: installed it says something else"
}
same forward scenarios/paper/cp4-128k.yaml --draws 0
same choose --T 8K --machine h100-sxm --model llama-3.1-70b --cp 2
same serve scenarios/serve/mooncake.yaml --set arrivals.requests=50
same models
same machines
same validate --by-part --draws 0
strace=$(command -v strace || true)
if [ -n "$strace" ]; then
    "$strace" -f -e trace=openat "$root/bin/ringcast" forward scenarios/paper/cp4-128k.yaml --quiet 2>&1 >/dev/null |
        grep -F "\"$source/" && complain "the installed program reads the source tree"
fi
rc model no-such-model 2>"$work/err" && complain "a model that is not there is found"
! grep -q "$source" "$work/err" || complain "the installed program looks in the source tree: $(cat "$work/err")"
ln -s "$root/bin/ringcast" "$work/link"
"$work/link" models | cmp - <(rc models) || complain "by a link it does not find its data"
mkdir "$work/own-share"
cp -R "$root/share/ringcast/models" "$work/own-share/"
cp "$root/share/ringcast/models/qwen3-32b.json" "$work/own-share/models/mine.json"
RINGCAST_SHARE=$work/own-share rc models mine --csv | grep '^mine,' >/dev/null || complain "RINGCAST_SHARE is not heard"

# ---- beside the program
for f in share/man/man1/ringcast.1 share/man/man1/ringcast-plan.1 share/man/man5/ringcast-machine.5 \
    share/bash-completion/completions/ringcast share/zsh/vendor-completions/_ringcast \
    share/fish/vendor_completions.d/ringcast.fish share/ringcast/schema/forward-1.json include/ringcast/ringcast.h \
    share/doc/ringcast/copyright share/doc/ringcast/examples/forward.c; do
    [ -s "$root/$f" ] || complain "$f is not installed"
done

# ---- the library, by pkg-config and by CMake
export PKG_CONFIG_PATH=$lib/pkgconfig LD_LIBRARY_PATH=$lib
read -ra shared < <(pkg-config --cflags --libs ringcast)
cc "$source/examples/forward.c" -o by-pkg-config "${shared[@]}" || complain "pkg-config: does not link"
./by-pkg-config llama-3.1-70b h100-sxm 32000 >told || complain "by pkg-config: $?"
[ "$(pkg-config --modversion ringcast)" = "$(rc --version | cut -d' ' -f2)" ] || complain "pkg-config has another version"
mkdir project
cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(stranger LANGUAGES C)
find_package(Ringcast 0.1 REQUIRED)
foreach(kind ringcast ringcast_static)
  add_executable(by_${kind} ${EXAMPLE})
  target_link_libraries(by_${kind} PRIVATE ringcast::${kind})
endforeach()
CMAKE
cmake -S project -B project/build -DCMAKE_PREFIX_PATH="$root" -DEXAMPLE="$source/examples/forward.c" >"$work/log" 2>&1 &&
    cmake --build project/build >>"$work/log" 2>&1 || { tail -20 "$work/log"; complain "a project of CMake does not build"; }
project/build/by_ringcast llama-3.1-70b h100-sxm 32000 | cmp - told || complain "by CMake, shared: another answer"
# Of the static library the data folder is that of the program it became a part of.
RINGCAST_SHARE=$root/share/ringcast project/build/by_ringcast_static llama-3.1-70b h100-sxm 32000 | cmp - told ||
    complain "by CMake, static: another answer"
exit $failed
