#!/usr/bin/env bash
# An answer that cannot be written is no answer: on a full device and on a closed stream every command ends with 3 and one line
# that says so, and a file that it was to leave is not there.
#
# usage: test_standard_output.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
die() { echo "$*"; exit 1; }

# lost ARGUMENTS...: what is said of a full device, then of a closed stream
lost() {
    local status=0
    "$ringcast" "$@" >/dev/full 2>"$work/full" || status=$?
    [ $status = 3 ] || die "$*, full: exit status $status"
    # why an earlier buffer was lost is not known when the last one is written
    grep -qxE "ringcast: cannot write the standard output: (No space left on device|Input/output error)" "$work/full" ||
        die "$*, full: $(cat "$work/full")"
    status=0
    "$ringcast" "$@" >&- 2>"$work/closed" || status=$?
    [ $status = 3 ] || die "$*, closed: exit status $status"
    grep -qxE "ringcast: cannot write the standard output: (Bad file descriptor|Input/output error)" "$work/closed" ||
        die "$*, closed: $(cat "$work/closed")"
    [ "$(cat "$work/full" "$work/closed" | wc -l)" = 2 ] || die "$*: more than a line"
}
lost --version
lost --help
lost machines
lost models --json
lost keys forward
lost forward scenarios/paper/cp2-8k.yaml --quiet
lost forward scenarios/paper/cp2-8k.yaml --json --trace "$work/timeline.json"
[ ! -e "$work/timeline.json" ] || die "a timeline of a run whose answer was lost"
"$ringcast" forward scenarios/paper/cp2-8k.yaml --quiet --trace "$work/timeline.json" >/dev/null
[ -s "$work/timeline.json" ] || die "no timeline of a run whose answer was written"
