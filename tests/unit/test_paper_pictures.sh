#!/usr/bin/env bash
# What the pictures of `ringcast paper` show is what its tables say: a gnuplot that keeps what it is given stands in for the
# real one. Every parity point is a row of the CSV files, and every row one point; full prefills in Figure 6a are those of
# Table 7; a script names only the data beside it.
#
# usage: test_paper_pictures.sh BUILD-FOLDER
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
build=$(cd "$1" && pwd)
root=$(cd "${RC_SOURCE_DIR:-$(dirname "$0")/../..}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/kept"
cat >"$work/bin/gnuplot" <<KEEP
#!/bin/sh
cp "\${1%.gp}".* "$work/kept/"
echo png >"\${1%.gp}.png"
echo svg >"\${1%.gp}.svg"
KEEP
chmod +x "$work/bin/gnuplot"
cd "$root"
PATH=$work/bin:$PATH "$build/ringcast" paper --draws 0 --out "$work/paper" >"$work/out" 2>&1 || {
    cat "$work/out"
    exit 1
}
failed=0
wrong() {
    echo "WRONG: $*"
    failed=1
}

for p in fig6a fig6b fig7 fig8 fig9 fig10 mfu ttft-parity; do
    [ -s "$work/paper/plots/$p.png" ] && [ -s "$work/paper/plots/$p.svg" ] || wrong "no picture $p"
    [ -s "$work/kept/$p.body" ] || { wrong "no script of $p"; continue; }
    # every 'NAME.dat' index N that is plotted is there (indices are apart by two empty lines)
    have=$(awk 'BEGIN { n = 0; RS = ""; } 1 { n++ } END { print n }' "$work/kept/$p.dat")
    most=$(grep -o "'$p.dat' index [0-9]*" "$work/kept/$p.body" | awk '{ if ($3 > m) m = $3 } END { print m + 0 }')
    [ "$most" -lt "$have" ] || wrong "$p plots index $most of $have"
    others=$(grep -o "'[^']*\.dat'" "$work/kept/$p.body" | sort -u | grep -cv "'$p.dat'" || true)
    [ "$others" = 0 ] || wrong "$p draws other data"
done

# Rows of TTFT that are scored and nobody's duplicate, in seconds, as the points are.
rows() {
    cat "$work"/paper/table[467].csv "$work/paper/points.csv" | awk -F, '
        $7 == "ttft" && $9 != "" && $16 !~ /duplicate/ && $17 !~ /duplicate/ && $10 != "" {
            s = $8 == "ms" ? 1e-3 : 1
            printf "%.6g %.6g\n", $9 * s, $10 * s
        }' | sort
}
points() { awk 'NF == 5 && $2 != "-" { printf "%.6g %.6g\n", $1, $2 }' "$work/kept/ttft-parity.dat" | sort; }
rows >"$work/rows"
points >"$work/points"
[ "$(wc -l <"$work/points")" -ge 35 ] || wrong "$(wc -l <"$work/points") parity points"
missing=$(comm -13 "$work/rows" "$work/points" | sed -n 1,3p)
[ -z "$missing" ] || wrong "points that are no row: $missing"

# Errors under the points are predicted over printed less one.
awk 'NF == 5 && $2 != "-" { e = 100 * ($2 / $1 - 1); d = e - $3; if (d < 0) d = -d; if (d > 0.01) { print "error", $0; bad = 1 } }
    END { exit bad }' "$work/kept/ttft-parity.dat" || wrong "errors of points"

# Figure 6a at 128,000 tokens: CP1, CP2, CP4 are Table 7's predictions.
for cp in 1 2 4; do
    table=$(awk -F, -v id="t7:cp$cp:ttft" '$15 == id { printf "%.5g", $10 / 1000 }' "$work/paper/table7.csv")
    grep -qE "^128000 0*$table" "$work/kept/fig6a.dat" || awk -v t="$table" '$1 == 128000 && $2 != "-" { d = $2 / t - 1; if (d < 0) d = -d; if (d < 1e-4) ok = 1 } END { exit !ok }' "$work/kept/fig6a.dat" ||
        wrong "Figure 6a has no CP$cp at 128000 of $table s"
done

# MFU stands between nothing and all, and falls with ranks at one length (rows of 128,000 tokens: CP1 first).
awk '$1 == 128000 && $2 != "-" { if ($2 <= 0 || $2 >= 100 || (n++ && $2 > last + 0.5)) bad = 1; last = $2 } END { exit bad || n < 4 }' \
    "$work/kept/mfu.dat" || wrong "MFU at 128000: $(awk '$1 == 128000' "$work/kept/mfu.dat" | tr '\n' ' ')"

# What is printed: every row of the tables as it stands in the CSV files, to the digits shown, ...
awk -v csv="$(cat "$work"/paper/table[45678].csv "$work/paper/points.csv")" '
    BEGIN {
        n = split(csv, line, "\n")
        for (i = 1; i <= n; i++) { m = split(line[i], f, ","); if (f[10] ~ /^[0-9.e+-]+$/) predicted[f[15]] = f[10] }
    }
    $1 in predicted {
        for (k = 5; k <= NF; k++) { d = $k / predicted[$1] - 1; if ($k ~ /^-?[0-9.]+$/ && d < 2e-3 && d > -2e-3) break }
        shown++
        if (k > NF) { print "printed otherwise: " $0 " for " predicted[$1]; bad = 1 }
    }
    END { if (shown < 80) { print shown " rows are printed"; bad = 1 } exit bad }' "$work/out" || wrong "rows"
# ... and the mean error is that of the rows, without the two of the introduction, which it rounds.
mean=$(cat "$work"/paper/table[467].csv "$work/paper/points.csv" | awk -F, '$7 == "ttft" && $14 == "false" && !/duplicate/ && !/_intro/ && $13 != "" {
    e = $13 < 0 ? -$13 : $13; s += e; n++ } END { printf "%.2f %% %d rows", s / n, n }')
said=$(awk '$1 == "ttft_mape_predicted" { printf "%s %s %s %s", $2, $3, $4, $5 }' "$work/out")
[ "$mean" = "$said" ] || wrong "mean error of the rows $mean, said $said"

mean=$(cat "$work"/paper/table[67].csv | awk -F, '$7 == "ttit" && $14 == "false" && !/duplicate/ && $13 != "" {
    e = $13 < 0 ? -$13 : $13; s += e; n++ } END { printf "%.2f %% %d rows", s / n, n }')
said=$(awk '$1 == "ttit_mape_predicted" { printf "%s %s %s %s", $2, $3, $4, $5 }' "$work/out")
[ "$mean" = "$said" ] || wrong "mean error of TTIT $mean, said $said"

# A gnuplot that fails fails the command, and no file of it stays.
printf '#!/bin/sh\necho "line 1: no such colour" >&2\nexit 1\n' >"$work/bin/gnuplot"
status=0
PATH=$work/bin:$PATH "$build/ringcast" paper --draws 0 --out "$work/again" --quiet >"$work/out" 2>&1 || status=$?
[ $status = 3 ] || wrong "a failing gnuplot is exit $status"
grep -q "no such colour" "$work/out" || wrong "its words are lost: $(cat "$work/out")"
[ ! -e "$work/again" ] || [ -z "$(find "$work/again" -type f)" ] || wrong "left $(find "$work/again" -type f | sed -n 1,3p)"
exit $failed
