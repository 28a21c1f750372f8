#!/usr/bin/env bash
# The Debian package, from sources to a machine that has nothing: built by CPack without MPI and CUDA, installed by apt in
# a bare Debian root (debootstrap), and run there by root and by another user, who also builds a program with the library.
# Needs root, debootstrap and a Debian mirror; takes some ten minutes. For the long tier, not for every build.
#
# usage: package.sh [WORK-FOLDER]    (kept when it is named; RC_MIRROR: another mirror)
# Exit status: 0 all is well, 1 something is not, 77 it cannot run here.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
mirror=${RC_MIRROR:-http://deb.debian.org/debian}
skip() { echo "SKIPPED: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "a root of its own needs root"
for tool in debootstrap chroot cpack dpkg-shlibdeps; do command -v $tool >/dev/null || skip "no $tool"; done
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    work=$(cd "$1" && pwd)
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
root=$work/root

echo "== package"
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache); fi
cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DRC_CUDA=OFF -DRC_MPI=OFF -DRC_TESTS=OFF \
    -DRC_EMBEDDED="${RC_EMBEDDED:-}" "${launcher[@]}" >"$work/configure.log" 2>&1 || { tail -20 "$work/configure.log"; fail "configuration"; }
cmake --build "$work/build" >"$work/build.log" 2>&1 ||
    { tail -20 "$work/build.log"; fail "build"; }
(cd "$work" && cpack --config "$work/build/CPackConfig.cmake" -G DEB) >"$work/cpack.log" 2>&1 || { tail -20 "$work/cpack.log"; fail "cpack"; }
package=$(ls "$work"/ringcast_*.deb)
dpkg-deb -I "$package" | grep -E '^ (Package|Version|Installed-Size|Depends|Recommends):'
depends=$(dpkg-deb -f "$package" Depends)
for library in libc6 libgsl27 libjansson4 liblzma5 libsqlite3-0 libyaml-0-2 zlib1g; do
    [[ $depends == *"$library"* ]] || fail "the package does not depend on $library: $depends"
done
[[ $depends != *mpi* && $depends != *cuda* ]] || fail "the package depends on MPI or CUDA: $depends"

echo "== bare root"
# Where there is one (a folder that was named before), it is taken.
[ -x "$root/bin/sh" ] || debootstrap --variant=minbase bookworm "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail -5 "$work/debootstrap.log"; skip "debootstrap finds no Debian at $mirror"; }
cp "$package" "$root/tmp/"
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive HOME=/tmp TERM=dumb chroot "$@"; }
inside "$root" apt-get update -qq >"$work/apt.log" 2>&1 || { tail -5 "$work/apt.log"; skip "apt finds no mirror"; }
inside "$root" apt-get install -y -qq --no-install-recommends "/tmp/$(basename "$package")" >>"$work/apt.log" 2>&1 ||
    { tail -5 "$work/apt.log"; fail "apt does not install the package"; }
if inside "$root" sh -c 'command -v gcc cmake python3' >/dev/null; then fail "the root is not bare"; fi

echo "== run there"
program() { inside "$root" sh -c "cd /tmp && $*"; }
user() { inside --userspec=65534:65534 "$root" sh -c "cd /tmp && $*"; }
told=$("$work/build/ringcast" forward "$source/scenarios/paper/cp4-128k.yaml" --quiet)
for who in program user; do
    [ "$($who 'ringcast forward scenarios/paper/cp4-128k.yaml --quiet')" = "$told" ] || fail "$who: another forecast than $told"
    $who 'ringcast models' | grep llama-3.1-405b >/dev/null || fail "$who: no models"
    $who 'ringcast serve scenarios/serve/mooncake.yaml --set arrivals.requests=100' | grep '^goodput' >/dev/null || fail "$who: serve"
    $who 'mkdir -p own-$(id -u) && cd own-$(id -u) && ringcast init plan --out plan.yaml --overwrite && ringcast plan plan.yaml --simulations 2 --quiet' |
        grep -q '^best' || fail "$who: plan"
    $who 'cd own-$(id -u) && ringcast sweep scenarios/sweep/tcp.yaml --out tcp.db --overwrite' | grep '^points' >/dev/null || fail "$who: sweep"
    $who 'cd own-$(id -u) && ringcast paper --quiet --no-plots --out paper --overwrite' | grep ttft_mape_predicted >/dev/null || fail "$who: paper"
done
if user 'ringcast init plan --out /usr/share/ringcast/plan.yaml' 2>/dev/null; then fail "another user writes to /usr"; fi

echo "== library there"
inside "$root" apt-get install -y -qq --no-install-recommends gcc libc6-dev pkgconf libyaml-dev libjansson-dev libsqlite3-dev libgsl-dev \
    liblzma-dev zlib1g-dev >>"$work/apt.log" 2>&1 || { tail -5 "$work/apt.log"; fail "no compiler in the root"; }
user 'cc /usr/share/doc/ringcast/examples/forward.c $(pkg-config --cflags --libs ringcast) -o own-65534/forward &&
    own-65534/forward llama-3.1-405b gtt 128000' | grep '^4 nodes: TTFT 11.025 s' >/dev/null || fail "the library by another user"
user 'cc -static-libgcc /usr/share/doc/ringcast/examples/forward.c -I/usr/include -Wl,-Bstatic -lringcast -Wl,-Bdynamic \
    $(pkg-config --libs --static ringcast | sed s/-lringcast//) -o own-65534/static && own-65534/static llama-3.1-405b gtt 128000' |
    grep -q '^4 nodes: TTFT 11.025 s' || fail "the static library by another user"

echo "== removed"
inside "$root" dpkg -r ringcast >/dev/null 2>&1 || fail "dpkg -r"
if inside "$root" sh -c 'ls /usr/bin/ringcast /usr/share/ringcast' >/dev/null 2>&1; then fail "files are left behind"; fi
echo "package.sh: built, installed, run by root and by another user, removed"
