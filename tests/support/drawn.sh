#!/usr/bin/env bash
# What a command hands to gnuplot, as text: the style once, of each picture its files and its script, and of each series of its
# data how many rows, the first, the last and the sums of the columns, to three digits. A gnuplot that keeps what it is given
# stands in for the real one.
#
# usage: drawn.sh COMMAND...   (prints after the command has ended; what it says itself is left out)
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
mkdir "$kept/bin"
cat >"$kept/bin/gnuplot" <<KEEP
#!/bin/sh
n=\${1%.gp}
cp "\$n.dat" "\$n.body" "\$n.gp" "$kept/" && : >"\$n.png" && : >"\$n.svg"
KEEP
chmod +x "$kept/bin/gnuplot"
PATH=$kept/bin:$PATH "$@" >"$kept/said" 2>&1 || { cat "$kept/said"; exit 1; }
series() {
    awk '
        function digits(x) { return x ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ ? sprintf("%.3g", x) : x }
        function row(text,  i, n, f, out) { n = split(text, f, " "); for (i = 1; i <= n; i++) out = out " " digits(f[i]); return out }
        function done(  i, out) {
            if (!rows) return
            for (i = 1; i <= columns; i++) out = out " " digits(sum[i])
            printf "%d rows:%s ..%s; sums%s\n", rows, row(first), row(last), out
            rows = columns = 0
            delete sum
        }
        /^$/ { if (++empty == 2) done(); next }
        { empty = 0; if (!rows++) first = $0; last = $0; if (NF > columns) columns = NF
          for (i = 1; i <= NF; i++) sum[i] += $i }
        END { done() }' "$1"
}
style='^set (terminal|output)|^load|^reset|^set output$'
grep -vhE "$style" "$(ls "$kept"/*.gp | sed -n 1p)" | awk '!seen[$0]++'
for script in "$kept"/*.gp; do
    name=$(basename "$script" .gp)
    echo "== $name"
    grep -E '^set (terminal|output .)' "$script"
    cat "$kept/$name.body"
    series "$kept/$name.dat"
done
