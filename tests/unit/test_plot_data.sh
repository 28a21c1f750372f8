#!/usr/bin/env bash
# What pictures are drawn from: every series that a script draws is in its data, every series of the data is drawn, and each
# row has the columns that are drawn. A gnuplot that keeps what it is given stands in for the real one.
#
# usage: test_plot_data.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/kept"
cat >"$work/bin/gnuplot" <<KEEP
#!/bin/sh
n=\${1%.gp}
for end in dat body; do cp "\$n.\$end" "$work/kept/\$DRAWN_BY-\$n.\$end" || exit 1; done
: >"\$n.png" && : >"\$n.svg"
KEEP
chmod +x "$work/bin/gnuplot"
export PATH=$work/bin:$PATH
draw() {
    DRAWN_BY=$1 "$build/ringcast" "$@" >"$work/said" 2>&1 || { # two commands have a picture of one name
        echo "$*: $(tail -n 2 "$work/said")"
        exit 1
    }
}
draw paper --draws 0 --out "$work/paper"
draw tune scenarios/tune/gtt.yaml --set new.points=5 --set total.points=6 --set 'cp=[1, 2, 4]' --set bootstrap=2 --set knots=3 \
    --set requests.limit=5 --out "$work/tuned"
draw validate --serving tests/data/serving/made-up --plot "$work/plots"
draw validate --max-median 100 --max-p95 100 --plot "$work/plots" # whatever the errors are
draw serve scenarios/serve/mooncake.yaml --set arrivals.requests=50 --quiet --out "$work/served"
"$build/ringcast" init sweep --out "$work/sweep.yaml" >/dev/null
draw sweep "$work/sweep.yaml" --out "$work/sweep.db" --plot "$work/plots"

failed=0
for script in "$work"/kept/*.body; do
    data=${script%.body}.dat
    # "SERIES COLUMN": the largest column by its number of what is drawn; without an index all is one series
    { grep -oE 'index [0-9]+ using [0-9:$()]+' "$script" || echo 'index 0 using 1'; } | sed -E 's/[:$()]+/ /g' |
        awk '{ m = 0; for (i = 4; i <= NF; i++) if ($i > m) m = $i; print $2, m }' >"$work/drawn"
    awk -v name="$(basename "$data")" '
        FNR == NR { if (!($1 in wants) || $2 > wants[$1]) wants[$1] = $2; next }
        /^$/ { empty++; next }
        { if (empty >= 2) series++; empty = 0; rows[series + 0]++
          if (!/^1( -)+$/ && (series + 0) in wants && NF < wants[series + 0]) bad = bad " row " FNR " has " NF " columns of " wants[series + 0] ";" }
        END { for (s in wants) if (!(s in rows)) bad = bad " no series " s ";"
              for (s in rows) if (!(s in wants)) bad = bad " series " s " is not drawn;"
              if (bad) { print name ":" bad; exit 1 } }' "$work/drawn" "$data" || failed=1
done
[ "$(find "$work/kept" -name '*.dat' | wc -l)" -ge 19 ] || { echo "only $(cd "$work/kept" && echo *.dat)"; failed=1; }
exit $failed
