#!/usr/bin/env bash
# A schedule's name stands in its own file: no other room of the simulator spells it, and none but those that compare
# what the paper's rules choose between speaks of a schedule by its variable.
#
# usage: test_schedule_names.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$1
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
failed=0
complain() { echo "$*"; failed=1; }

names=$("$build/ringcast" keys schedules | awk '!/^#/ { print $1 }')
[ "$(wc -w <<<"$names")" -ge 4 ] || complain "few schedules: $names"
for name in $names; do
    own=$(grep -rl --include='*.[ch]' "^    \.name = \"$name\",$" sim/schedule) || own=""
    [ "$(wc -w <<<"$own")" = 1 ] || complain "'$name' is the name of a schedule in: $own"
    case $name in tp | ulysses) continue ;; esac # are keys of files, too
    # as a whole string, outside comments: messages may speak of the two that the rules choose between
    others=$(grep -rn --include='*.[ch]' "\"$name\"" sim | grep -vE '^sim/schedule/' |
        sed 's|/\*.*||' | grep -vE '^[^:]*:[0-9]*: *\*' | grep "\"$name\"" || true)
    [ -z "$others" ] || complain "'$name' is spelt elsewhere:"$'\n'"$others"
done

# Variables: the table's list, and for all but the two of the rules nothing else.
variables=$(grep -rhoE 'const rc_schedule rc_schedule_[a-z0-9_]+ =' sim/schedule | awk '{ print $3 }')
[ "$(wc -w <<<"$variables")" = "$(wc -w <<<"$names")" ] || complain "not one variable a name: $variables"
for variable in $variables; do
    where=$(grep -rlw --include='*.[ch]' "$variable" sim | grep -v '^sim/schedule/' || true)
    case $variable in
        rc_schedule_pass_kv | rc_schedule_pass_q)
            where=$(grep -vE '^sim/(choose|report|validate)/' <<<"$where" || true) ;;
    esac
    [ -z "$where" ] || complain "$variable is used in: $where"
done
[ $failed = 0 ] && echo "$(wc -w <<<"$names") schedules, each named in its own file"
exit $failed
