#!/usr/bin/env bash
# Words that have a meaning inside the source alone do not stand where a user reads: README.md, the documents for users,
# the help of every command, the keys of every file, and what a few commands print. docs/design.md defines them for those
# who read the source; that one, and the documents of methods and tests beside it, may use them.
# A flag or a key is named as it is spelt: --unfold.
#
# usage: test_words.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
ringcast=$(cd "$1" && pwd)/ringcast
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

# What no user should meet, one extended regular expression a line.
cat >"$work/words" <<'LIST'
\b(un)?fold(s|ed|ing)?\b
\bleap(s|t|ed|ing)?\b
\bsettle[sd]?\b
\brooms\b|\b(cost|engine|forward|serve|serving|schedule|base) room\b
\b(to the|equal) tick|\bone tick\b|\bby one tick\b
\b(cost|built) books?\b
\bhouse word
\brests? on: 
\btransferred [0-9]
\b(launched by the host|never seen for|no fit has seen|first one T|of its family showed)\b
\b[Aa]sked for (is|was|were)\b|[Ww]hat was asked\b
LIST

readonly INSIDE='^docs/(design|extending|method|method-cost|performance|testing)\.md$'
readers() { ls README.md docs/*.md | grep -vE "$INSIDE"; }

failed=0 places=0
# look PLACE < TEXT: every line with such a word is a complaint.
look() {
    local found
    places=$((places + 1))
    found=$(sed -E 's/--unfold//g' | grep -nE -f "$work/words" || true)
    [ -z "$found" ] || { sed "s|^|$1:|" <<<"$found" | cut -c1-200; failed=1; }
}

for file in $(readers); do look "$file" <"$file"; done
"$ringcast" help >"$work/help"
look 'ringcast help' <"$work/help"
for command in $(sed -nE 's/^  ([a-z]+) .*/\1/p' "$work/help"); do
    look "ringcast $command --help" < <("$ringcast" "$command" --help)
done
for kind in machine forward sweep tune serve plan schedules; do look "ringcast keys $kind" < <("$ringcast" keys $kind); done
# What the long commands print is in the documents, which test_docs holds to be what they print.
look 'ringcast forward --stats' < <("$ringcast" forward scenarios/paper/cp4-128k.yaml --draws 0 --stats)
look 'ringcast choose' < <("$ringcast" choose --T 8K --P 120K --machine gtt --model llama-3.1-405b --cp 4)
look 'ringcast serve' < <("$ringcast" serve scenarios/serve/mooncake.yaml --set arrivals.requests=50 --stats --quiet)

[ $places -gt 40 ] || { echo "only $places places were read"; failed=1; }
# The list finds what it is for.
for bad in 'two are folded' 'a leap' 'equal to the tick' 'critical path rests on: transferred 87.7 %' 'Asked for was a mean'; do
    grep -qE -f "$work/words" <<<"$bad" || { echo "the list does not find '$bad'"; failed=1; }
done
[ $failed -eq 0 ] && echo "$places places without a word of the source"
exit $failed
