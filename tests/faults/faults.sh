#!/usr/bin/env bash
# Every command that prints or writes, under faults:
#   full      standard output on /dev/full            exit 3 and one line, no file
#   closed    standard output closed                  exit 3 and one line, no file
#   pipe      the reader of standard output is gone   exit 3 and one line, no file
#   disk      outputs on a full file system           exit 2 and one line, no file   (root; a small tmpfs)
#   readonly  outputs into a folder without rights    exit 2 and one line, no file   (another user, or not root)
#   missing   outputs into a folder that is not there exit 2 at once, or the folder is made
#   exists    an output is there already              exit 2 at once, the file is as it was, no other appears
#   INT TERM  killed at random moments of the run     died of that signal (or had ended well), all files or none
#   KILL      the same                                all files or none, and .ringcast-tmp.* that the next run sweeps
# A random moment is drawn from a seeded sequence within the time that an undisturbed run takes. Half of the
# INT and TERM strike the whole process group, as a terminal does, half the process alone.
#
# usage: faults.sh BUILD-FOLDER [KILLS] [COMMAND...]   (KILLS of each signal and command, default 5; the table of
#        docs/robustness.md has 50)
# It exits with 1 when anything went wrong, and with 77 when a part could not be tried; the table says which.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
kills=${2:-5}
only=("${@:3}")
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
chmod 755 "$work"
disk=$work/disk
cleanup() {
    if mountpoint -q "$disk" 2>/dev/null; then umount "$disk"; fi
    rm -rf "$work"
}
trap cleanup EXIT
ringcast=$build/ringcast
strike=$build/tests/strike
export LC_ALL=C
unset GROUP
RANDOM=20261126
cd "$root"
skipped=() wrong=0

# ---- the commands -------------------------------------------------------------------------------------------
# Each is started in the source folder and writes below $o.
cat >"$work/sweep.yaml" <<'YAML'
scenario: faults
model: llama-3.1-8b
machine: h200-sxm
parallel: {tp: 1, cp: [1, 2, 4], variant: [pass-kv, pass-q]}
phase: prefill
tokens: {new: {from: 1K, to: 64K, points: 30}, cached: [0, 1K, 20K]}
plot: {x: new, y: time_s}
YAML
cat >"$work/plan.yaml" <<'YAML'
plan: faults
model: llama-3.1-8b
offers: [{machine: h100-sxm, price: 2, gpus: 16}]
slo: [{ttft: 5s}]
synthetic: {requests: 300, rate: 2}
space: {tp: [4, 8], cp: [1], replicas: {from: 1, to: 2}, pools: [mixed]}
search: {simulations: 8, seeds: 2}
YAML
commands=(forward timeline served report choose trace list models export-out import-db init serve rates plan tune sweep validate draw paper calib)
args_of() { # COMMAND: fills `args`
    case $1 in
    forward) args=("$ringcast" forward scenarios/paper/cp4-128k.yaml) ;;
    timeline) args=("$ringcast" forward scenarios/paper/cp4-128k.yaml --quiet --trace "$o/t.json") ;;
    served) args=("$ringcast" serve scenarios/serve/azure-code.yaml --set arrivals.requests=300 --quiet --trace "$o/t.json.gz") ;;
    report) args=("$ringcast" report results/paper/summary.json --out "$o/page.html") ;;
    choose) args=("$ringcast" choose --T 4K --P 100K --cp 4 --model llama-3.1-405b --machine gtt) ;;
    trace) args=("$ringcast" trace scenarios/traces/mooncake_conversation.jsonl.xz) ;;
    models) args=("$ringcast" models) ;;
    init) args=("$ringcast" init serve --out "$o/my.yaml") ;;
    list) args=("$ringcast" calibration list) ;;
    export-out) args=("$ringcast" calibration export --out "$o/rows.csv") ;;
    import-db) args=("$ringcast" calibration import tests/fuzz/corpus/nccltests/all_reduce.txt --machine lab --out "$o/rows.db") ;;
    serve) args=("$ringcast" serve scenarios/serve/azure-code.yaml --set arrivals.requests=800 --quiet --out "$o/s" --requests "$o/rows.db" --prometheus "$o/metrics") ;;
    rates) args=("$ringcast" serve scenarios/serve/azure-code.yaml --set arrivals.requests=200 --rates 0.5..2 --points 3 --quiet --out "$o/s") ;;
    plan) args=("$ringcast" plan "$work/plan.yaml" --quiet --plot "$o/p" --out "$o/plan.yaml") ;;
    tune) args=("$ringcast" tune scenarios/tune/gtt.yaml --set new.points=6 --set total.points=8 --set 'cp=[1, 2, 4]' --set bootstrap=0 --set draws=2 --set knots=4 --set requests.limit=5 --out "$o/t") ;;
    sweep) args=("$ringcast" sweep "$work/sweep.yaml" --out "$o/sweep.db" --plot "$o/p") ;;
    validate) args=("$ringcast" validate --max-median 50% --max-p95 90% --json "$o/v.json" --plot "$o/p") ;;
    draw) args=("$ringcast" validate --draw 96 --seed 2411 --out "$o/cases.csv") ;;
    paper) args=("$ringcast" paper --draws 0 --out "$o/paper") ;;
    calib) args=("$build/tests/calib_fake" run --suite memory --state burst --out "$o/cal.csv") ;;
    esac
}
prints() { [ "$1" != draw ] && [ "$1" != export-out ]; }                                  # something to standard output
writes() { case $1 in forward | choose | trace | list | models) return 1 ;; esac; }

# ---- what is left ---------------------------------------------------------------------------------------------
files() { (cd "$1" && find . -type f ! -name ballast ! -name '.ringcast-tmp.*' ! -path '*/.ringcast-tmp.*' | sort); }
temps() { find "$1" -name '.ringcast-tmp.*' | wc -l; }
# What a killed sweep or calibration goes on from has names of its own (docs/robustness.md).
# Both are work that is not thrown away: complete, they take their name whatever becomes of the summary.
resumable() { grep -vE '\.(shard|merge)-[0-9]+(-journal)?$|\.part(\.new)?(-journal)?$|^\./(sweep\.db|cal\.csv)$' || true; }

say() {
    echo "WRONG $command $fault: $*" >&2
    wrong=$((wrong + 1))
    bad=$((bad + 1))
}

fresh() {
    rm -rf "$work/o"
    mkdir "$work/o"
    o=$work/o
    args_of "$command"
}

# The one line on standard error, with words.
one_line() {
    [ "$(grep -vE '^ringcast: note: ' "$work/err" | grep -cE '^(ringcast|ringcast-calib): .')" = 1 ] || say "$(wc -l <"$work/err") lines: $(head -c 300 "$work/err")"
}
expect() { # STATUS GOT
    [ "$1" = "$2" ] || say "exit $2, expected $1: $(head -c 200 "$work/err")"
}
nothing_in() { # FOLDER
    [ -z "$(files "$1" | resumable)" ] || say "left $(files "$1" | resumable | tr '\n' ' ')"
    [ "$(temps "$1")" = 0 ] || say "left $(temps "$1") temporaries"
}

# ---- faults ---------------------------------------------------------------------------------------------------
lost_output() { # full, closed, pipe
    local status=0
    fresh
    case $fault in
    full) "${args[@]}" >/dev/full 2>"$work/err" || status=$? ;;
    closed) "${args[@]}" >&- 2>"$work/err" || status=$? ;;
    pipe)
        mkfifo "$work/pipe"
        { exec 3<"$work/pipe"; exec 3<&-; } &
        exec 4>"$work/pipe"
        wait $!
        "${args[@]}" >&4 2>"$work/err" 4>&- || status=$?
        exec 4>&-
        rm "$work/pipe"
        ;;
    esac
    if prints "$command"; then
        expect 3 $status
        one_line
        nothing_in "$o"
    else
        expect 0 $status
    fi
}

unwritable() { # disk, readonly, missing
    local status=0 as=()
    fresh
    case $fault in
    disk) o=$disk ;;
    readonly) as=("${other[@]}") ;;
    missing) o=$work/o/none/none ;;
    esac
    args_of "$command"
    if [ "$fault" = readonly ]; then chmod 555 "$work/o"; fi
    "${as[@]}" "${args[@]}" >"$work/out" 2>"$work/err" || status=$?
    chmod 755 "$work/o"
    if [ "$fault" = missing ] && [ $status = 0 ]; then return; fi # commands make the folder of --out DIR
    expect 2 $status
    one_line
    if [ "$fault" = disk ]; then
        nothing_in "$disk"
        find "$disk" -mindepth 1 ! -name ballast -delete
    else
        nothing_in "$work/o"
    fi
    [ "$fault" = disk ] || [ ! -s "$work/out" ] || say "worked before it looked: $(head -c 100 "$work/out")"
}

existing() { # each of its files in turn
    local f status
    count=0
    fresh
    "${args[@]}" >/dev/null 2>"$work/err" || say "exit $?"
    for f in $(files "$o"); do
        [ "$command" != sweep ] || [ "$f" != ./sweep.db ] || continue # a complete one is taken as it is
        fresh
        mkdir -p "$(dirname "$o/$f")"
        echo mine >"$o/$f"
        status=0
        "${args[@]}" >"$work/out" 2>"$work/err" || status=$?
        expect 2 $status
        one_line
        [ "$(cat "$o/$f")" = mine ] || say "$f was replaced"
        [ "$(files "$o")" = "$f" ] || say "with $f there, left $(files "$o" | tr '\n' ' ')"
        [ ! -s "$work/out" ] || say "worked before it looked for $f"
        count=$((count + 1))
    done
}

# An undisturbed run: how long it takes at the moment, and its files.
measure() {
    local start
    fresh
    start=$(date +%s%N)
    "${args[@]}" >/dev/null 2>"$work/err" || { cat "$work/err"; echo "$command does not run"; exit 1; }
    took=$((($(date +%s%N) - start) / 1000))
    whole=$(files "$o")
}

struck() { # INT, TERM, KILL
    local number moment how got i
    declare -A numbers=([INT]=2 [TERM]=15 [KILL]=9)
    number=${numbers[$fault]}
    measure
    for ((i = 0; i < kills; i++)); do
        fresh
        moment=$(((RANDOM * 32768 + RANDOM) % took))
        if [ $((i % 2)) = 1 ] && [ "$fault" != KILL ]; then export GROUP=1; fi
        how=$("$strike" $moment $number "${args[@]}" 2>"$work/err" >"$work/out" && tail -1 "$work/out")
        unset GROUP
        case $how in
        "signal $number") met=$((met + 1)) ;;
        "exit 0") ;; # it was faster
        *) say "after $moment us: $how: $(head -c 200 "$work/err")" ;;
        esac
        got=$(files "$o" | resumable)
        [ -z "$got" ] || [ "$got" = "$(resumable <<<"$whole")" ] || say "after $moment us: only $(tr '\n' ' ' <<<"$got")"
        if [ "$fault" != KILL ]; then
            [ "$(temps "$o")" = 0 ] || say "after $moment us: left $(find "$o" -name '.ringcast-tmp.*' | sed -n 1,3p)"
            continue
        fi
        # What it left is swept by the next run, which is not hindered by it.
        if [ "$(temps "$o")" -gt 0 ]; then left=$((left + 1)); fi
        if [ "$(files "$o")" != "$whole" ]; then
            again=("${args[@]}")
            if [ "$command" = calib ]; then again+=(--force); fi
            "${again[@]}" >/dev/null 2>"$work/err" || say "the next run: exit $?: $(head -c 200 "$work/err")"
            [ "$(temps "$o")" = 0 ] || say "not swept: $(find "$o" -name '.ringcast-tmp.*' | sed -n 1,3p)"
            [ "$(files "$o")" = "$whole" ] || say "the next run wrote $(files "$o" | tr '\n' ' ')"
        fi
    done
    count=$kills
}

# ---- what can be tried here -----------------------------------------------------------------------------------
other=()
if [ "$(id -u)" = 0 ]; then
    other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    "${other[@]}" test -x "$ringcast" 2>/dev/null && "${other[@]}" test -r "$work/plan.yaml" || other=(none)
fi
mkdir "$disk"
has_disk=no
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs "$disk" 2>/dev/null; then
    has_disk=yes
    # 4 KB are left, less than what any of the commands writes
    dd if=/dev/zero of="$disk/ballast" bs=1k count=60 status=none 2>/dev/null || true
fi

try() { # FAULT FUNCTION
    fault=$1 bad=0 met=0 left=0 count=1
    "$2"
    if [ $bad = 0 ]; then cell=ok; else cell=$bad; fi
    case $fault in
    exists) cell="$cell ($count)" ;;
    INT | TERM) cell="$cell ($met/$count)" ;;
    KILL) cell="$cell ($met/$count, $left left)" ;;
    esac
}

row() {
    local line
    line=$(printf '| %s' "$command")
    measure
    for fault in full closed pipe; do
        try $fault lost_output
        line+=" | $cell"
    done
    for fault in disk readonly missing; do
        cell=-
        if ! writes "$command"; then cell=-
        elif [ $fault = disk ] && [ $has_disk = no ]; then cell=SKIPPED skipped+=("$command disk")
        elif [ $fault = readonly ] && [ "${other[*]:-}" = none ]; then cell=SKIPPED skipped+=("$command readonly")
        else try $fault unwritable; fi
        line+=" | $cell"
    done
    if writes "$command"; then try exists existing; else cell=-; fi
    line+=" | $cell"
    for fault in INT TERM KILL; do
        try $fault struck
        line+=" | $cell"
    done
    echo "$line |"
}

echo "| command | full | closed | pipe | disk | readonly | missing | exists | INT | TERM | KILL |"
echo "|---|---|---|---|---|---|---|---|---|---|---|"
for command in "${commands[@]}"; do
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $command "* ]]; then continue; fi
    row
done
echo
echo "$kills moments of each signal; $wrong wrong; skipped: ${skipped[*]:-none}"
[ $wrong = 0 ] || exit 1
[ ${#skipped[@]} = 0 ] || exit 77
