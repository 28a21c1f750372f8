#!/usr/bin/env bash
# Completion: the script for bash is exercised, that for fish asked, that for zsh loaded. Each knows every command and
# every flag that --help shows.
#
# usage: test_completion.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$build/ringcast" "$work/bin/ringcast"
export PATH=$work/bin:$PATH
failed=0 skipped=
complain() { echo "$*"; failed=1; }
for shell in bash zsh fish; do ringcast completion $shell >"$work/$shell"; done
! ringcast completion tcsh 2>/dev/null || complain "tcsh is a shell"

# complete WORD...: what bash offers for the last word, sorted, on one line
complete_bash() {
    bash -c 'source "$1"; shift; COMP_WORDS=(ringcast "$@"); COMP_CWORD=$#; _ringcast; printf "%s\n" "${COMPREPLY[@]}"' \
        - "$work/bash" "$@" 2>"$work/err" | sort | paste -sd ' '
    [ ! -s "$work/err" ] || complain "bash says: $(cat "$work/err")"
}
expect() { # EXPECTED WORD...
    local offered
    offered=$(complete_bash "${@:2}")
    [ "$offered" = "$1" ] || complain "ringcast ${*:2}: bash offers '$offered', not '$1'"
}
expect "forward" fo
expect "machines model models" m
expect "--points" serve --po
expect "h200-sxm h200x2 h200x4 h200x4-shm" choose --machine h200
expect "llama-3.1-405b llama-3.1-70b llama-3.1-8b" choose --model llama-3.1
expect "llama-3.1-405b" model llama-3.1-4
expect "parallel.chosen_keys= parallel.cp=" forward x.yaml --set parallel.c
expect "pools.0.replicas=" serve x.yaml --set pools.0.rep
expect "machine.network.nic_rate=" paper --set machine.network.nic_r
expect "merge" calibration me
expect "plan" init pl
expect "machine" keys ma
expect "sglang vllm" forward x.yaml --launch ""
expect "sglang" forward x.yaml --launch = sg
expect "bash" completion b
expect "README.md" trace READ

# every command, and every flag of it
while read -r command; do
    [[ " $(complete_bash "") " == *" $command "* ]] || complain "bash does not know '$command'"
    grep -q "'$command:" "$work/zsh" || complain "zsh does not know '$command'"
    grep -q -- "-a $command " "$work/fish" || complain "fish does not know '$command'"
    offered=" $(complete_bash "$command" --) "
    while read -r flag; do
        [[ $offered == *" $flag "* ]] || complain "bash does not know '$command $flag'"
        grep -q -- "'\*\?${flag}[=[]" "$work/zsh" || complain "zsh does not know '$command $flag'"
        grep -q -- "_from $command' -l ${flag#--} " "$work/fish" || complain "fish does not know '$command $flag'"
    done < <(ringcast "$command" --help | sed -n '/^examples:/,$!s/^  \(--[a-zA-Z0-9-]*\).*/\1/p')
done < <(ringcast help | awk '/^  [a-z]/ { print $1 }')

if command -v zsh >/dev/null; then
    zsh -f -c "autoload -U compinit; compinit -D; source $work/zsh; [[ \$_comps[ringcast] == _ringcast ]]" ||
        complain "zsh does not load its script"
else
    skipped="zsh"
fi
if command -v fish >/dev/null; then
    HOME=$work fish -c "source $work/fish; complete -C 'ringcast forward --unf'" | grep '^--unfold' >/dev/null || complain "fish does not offer --unfold"
    HOME=$work fish -c "source $work/fish; complete -C 'ringcast choose --machine h200x'" | grep '^h200x2' >/dev/null || complain "fish offers no machine"
else
    skipped="$skipped fish"
fi
[ $failed = 0 ] || exit 1
if [ -n "$skipped" ]; then
    echo "SKIPPED: not installed, so its script was only read: $skipped"
    exit 77
fi
