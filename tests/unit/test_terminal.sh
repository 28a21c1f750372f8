#!/usr/bin/env bash
# On a terminal: the answer stands on the first line and in colour; there is no escape where output is no terminal, where
# NO_COLOR is set or TERM is dumb, and the text is the same. Errors are coloured on their own stream.
#
# usage: test_terminal.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "$*"; failed=1; }
escape=$'\033'
unset NO_COLOR

first() { # PATTERN ARGUMENTS...: of the first line on the standard output
    local line
    "$build/ringcast" "${@:2}" >"$work/out" 2>"$work/err" || complain "${*:2} ends with $?"
    line=$(head -1 "$work/out")
    [[ $line =~ $1 ]] || complain "ringcast ${*:2} begins with '$line'"
    ! grep -q "$escape" "$work/out" "$work/err" || complain "ringcast ${*:2}: escapes in a pipe"
}
first '^TTFT_ms [0-9.]+ ' forward scenarios/paper/cp4-128k.yaml --draws 0
first '^answer     pass-kv, by the simulator: [0-9.]+ ms' choose --T 8K --P 120K --machine gtt --model llama-3.1-405b --cp 4
first '^goodput [0-9.]+ requests/s' serve scenarios/serve/mooncake.yaml --set arrivals.requests=50
first '^best: ' plan --model llama-3.1-8b --trace scenarios/traces/azure_2023_conv.csv.xz --requests 50 --gpus h100-sxm:2 \
    --ttft 2s --ttit 50ms --simulations 2 --quiet

if ! command -v script >/dev/null; then
    echo "SKIPPED: no script(1): colour on a terminal is not seen"
    exit 77
fi
on_terminal() { script -qec "$*" /dev/null </dev/null | tr -d '\r'; }
command="'$build/ringcast' forward scenarios/paper/cp4-128k.yaml --draws 0"
TERM=xterm on_terminal "$command" >"$work/colour"
grep -q "^${escape}\[1mTTFT_ms .*${escape}\[0m" "$work/colour" || complain "no colour on a terminal: $(head -1 "$work/colour")"
bash -c "$command" >"$work/plain"
sed "s/${escape}\[[0-9;]*m//g" "$work/colour" | cmp - "$work/plain" || complain "the text on a terminal is another"
TERM=xterm NO_COLOR=1 on_terminal "$command" | cmp - "$work/plain" || complain "NO_COLOR is not heard"
TERM=dumb on_terminal "$command" | cmp - "$work/plain" || complain "colour on a dumb terminal"
TERM=xterm on_terminal "'$build/ringcast' nonsense" >"$work/fault" || true
grep -q "^${escape}\[1;31mringcast:${escape}\[0m unknown command" "$work/fault" || complain "an error without colour: $(cat "$work/fault")"
exit $failed
