# Of rows that the calibrator wrote, by state, op, variant (without its number) and type: how many, the sums of the sizes, and
# a number that every size and the order go into.
# SPDX-License-Identifier: GPL-3.0-or-later
/^#/ { next }
!head++ {
    for (i = 1; i <= NF; i++) at[$i] = i
    next
}
{
    v = number = $at["variant"]
    sub(/[0-9]+$/, "", v)
    gsub(/[^0-9]/, "", number)
    k = sprintf("%-10s %-14s %-20s %-5s", $at["state"], $at["op"], v == "" ? "-" : v, $at["dtype"] == "" ? "-" : $at["dtype"])
    n[k]++
    for (i = 1; i <= 4; i++) sum[k, i] += $at[substr("abcd", i, 1)]
    row = $at["a"] % 7919 + 3 * ($at["b"] % 7907) + 5 * $at["c"] + 7 * $at["d"] + 11 * $at["head_k"] + 13 * $at["head_v"]
    row += 17 * $at["experts"] + 19 * $at["top_k"] + 23 * number
    order[k] = (31 * order[k] + row) % 1000003
}
END {
    for (k in n)
        printf "%s %5d %14.0f %14.0f %10.0f %8.0f %8d\n", k, n[k], sum[k, 1], sum[k, 2], sum[k, 3], sum[k, 4], order[k] | "sort"
}
