#!/usr/bin/env bash
# The examples of --help are real: each command has some, and every line runs, from a folder that holds nothing.
#
# usage: test_examples.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$build/ringcast" "$work/bin/ringcast"
export PATH=$work/bin:$PATH
failed=0 lines=0
mapfile -t commands < <(ringcast help | awk '/^  [a-z]/ { print $1 }')
[ ${#commands[@]} -ge 15 ] || { echo "only ${#commands[@]} commands: the help is not read right"; exit 1; }
for command in "${commands[@]}"; do
    mapfile -t examples < <(ringcast "$command" --help | sed -n '/^examples:$/,$s/^  \(ringcast .*\)/\1/p')
    [ ${#examples[@]} -gt 0 ] || { echo "$command: no examples"; failed=1; }
    mkdir "$work/$command"
    cd "$work/$command" # its examples share a folder: one may read what another wrote
    for example in "${examples[@]}"; do
        lines=$((lines + 1))
        [[ $example == "ringcast $command"* ]] || { echo "$command: its example is '$example'"; failed=1; }
        if ! bash -c "$example" >out 2>err </dev/null; then
            echo "$command: '$example' ends with $?: $(tail -1 err)"
            failed=1
        fi
        [ -s out ] || [[ $example == *" --out "* ]] || { echo "$command: '$example' prints nothing"; failed=1; }
    done
done
echo "$lines examples of ${#commands[@]} commands"
exit $failed
