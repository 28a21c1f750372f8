# For goldens of JSON and CSV: numbers with a point to four digits, the innermost lists and objects on one line each, and
# without the lines that tell how long something ran.
# SPDX-License-Identifier: GPL-3.0-or-later
function put(text) {
    if (held != "") print held
    held = text
}
/wall_s|points_per_s/ { next }
{
    out = ""
    while (match($0, /-?[0-9]+\.[0-9]+(e[-+]?[0-9]+)?/)) {
        out = out substr($0, 1, RSTART - 1) sprintf("%.4g", substr($0, RSTART, RLENGTH))
        $0 = substr($0, RSTART + RLENGTH)
    }
    out = out $0
}
out ~ /[{[]$/ {
    put(out)
    open = 1
    next
}
open {
    sub(/^ +/, " ", out)
    held = held out
    if (out ~ /^ []}],?$/) {
        open = 0
        put("")
    }
    next
}
{ put(out) }
END { put("") }
