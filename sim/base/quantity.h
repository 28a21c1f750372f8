/* Quantities: the one strict parser of numbers with units.
 *
 * Text is [+-]digits[.digits][e[+-]digits] then an optional space and a unit; nothing may follow.
 * SI prefixes are decimal (K=k=1e3, M, G, T, P), IEC prefixes binary (Ki, Mi, Gi, Ti). `128K` is
 * 128,000 and `128Ki` is 131,072. Underscores, thousands separators, hex, inf and nan are refused.
 *   count     (none) K Ki M Mi G Gi T          -> dimensionless
 *   bytes     B KB KiB MB MiB GB GiB TB TiB    -> bytes
 *   bandwidth B/s ... TB/s (and KiB/s ...), b/s Kb/s Mb/s Gb/s Tb/s (bits) -> bytes per second
 *   flops     FLOP/s GFLOP/s TFLOP/s PFLOP/s   -> FLOP per second
 *   time      s ms us ns ps                    -> seconds
 *   power     W kW                             -> watts
 *   frequency Hz kHz MHz GHz                   -> hertz
 *   ratio     (none) or %                      -> 1.0 = 100 %
 * A bare number is in the base unit. rc_quantity_parse takes it for every dimension, for tables
 * whose columns state their unit; rc_quantity_stated asks for the unit, as files and flags written
 * by people must give it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_QUANTITY_H
#define RC_BASE_QUANTITY_H
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef enum rc_dim {
    RC_DIM_COUNT,
    RC_DIM_BYTES,
    RC_DIM_BANDWIDTH,
    RC_DIM_FLOPS,
    RC_DIM_TIME,
    RC_DIM_POWER,
    RC_DIM_FREQUENCY,
    RC_DIM_RATIO
} rc_dim;

const char *rc_dim_name(rc_dim d); /* "bandwidth", "size", "time", ... */
/* The base unit: "B/s", "s", "FLOP/s", "B", "W", "Hz"; "1" for counts and ratios. */
const char *rc_dim_unit(rc_dim d);
/* Parse `text` into *out (base units). On error *err names the text and what was expected; its
 * file/line/col are left for the caller to fill (see rc_doc_quantity). */
rc_status rc_quantity_parse(const char *text, rc_dim dim, double *out, rc_error *err);
/* As above, and the text must name its unit where the dimension has one: `peer_rate=100` could be
 * meant as gigabytes or as gigabits. Zero needs none. */
rc_status rc_quantity_stated(const char *text, rc_dim dim, double *out, rc_error *err);
/* As rc_quantity_parse, and the value must be a whole number in [lo, hi]. */
rc_status rc_quantity_int(const char *text, int64_t lo, int64_t hi, int64_t *out, rc_error *err);
/* Write `v` (base units) with the unit that makes it shortest, to 10 digits: 2.4e12 -> "2.4TB/s".
 * Returns buf. Parsing the text gives v again to 10 digits. */
const char *rc_quantity_format(double v, rc_dim dim, char *buf, size_t size);
/* RC_OK when lo <= v <= hi; else an error that quotes `text` (what was read) and names the bounds
 * that are finite. lo = DBL_MIN means "above zero". */
rc_status rc_quantity_range(double v, const char *text, rc_dim dim, double lo, double hi,
                            rc_error *err);

#endif
