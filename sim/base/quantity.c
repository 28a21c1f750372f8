/* Quantities: one table of units, one grammar, correctly rounded.
 *
 * A library that reads `128k` as 128 or `0x10` as 0 turns a typing slip into a wrong forecast, so
 * every number of a scenario comes through here as text. The unit is folded into the decimal
 * exponent before strtod sees the digits: `3.35TB/s` becomes "3.35e12", which is rounded once,
 * where 3.35 * 1e12 would be rounded twice. Binary prefixes and bits are powers of two, hence
 * exact.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/quantity.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* value = digits * 10^exp10 * 2^exp2 */
typedef struct unit {
    const char *name;
    int exp10, exp2;
} unit;

static const unit count_units[] = {{"", 0, 0},   {"K", 3, 0},   {"k", 3, 0}, {"Ki", 0, 10},
                                   {"M", 6, 0},  {"Mi", 0, 20}, {"G", 9, 0}, {"Gi", 0, 30},
                                   {"T", 12, 0}, {"Ti", 0, 40}, {NULL, 0, 0}};
static const unit bytes_units[] = {{"", 0, 0},     {"B", 0, 0},   {"KB", 3, 0},   {"kB", 3, 0},
                                   {"KiB", 0, 10}, {"MB", 6, 0},  {"MiB", 0, 20}, {"GB", 9, 0},
                                   {"GiB", 0, 30}, {"TB", 12, 0}, {"TiB", 0, 40}, {NULL, 0, 0}};
static const unit bandwidth_units[] = {
    {"", 0, 0},       {"B/s", 0, 0},    {"KB/s", 3, 0},  {"kB/s", 3, 0},   {"KiB/s", 0, 10},
    {"MB/s", 6, 0},   {"MiB/s", 0, 20}, {"GB/s", 9, 0},  {"GiB/s", 0, 30}, {"TB/s", 12, 0},
    {"TiB/s", 0, 40}, {"b/s", 0, -3},   {"Kb/s", 3, -3}, {"kb/s", 3, -3},  {"Mb/s", 6, -3},
    {"Gb/s", 9, -3},  {"Tb/s", 12, -3}, {NULL, 0, 0}};
static const unit flops_units[] = {{"", 0, 0},         {"FLOP/s", 0, 0},   {"GFLOP/s", 9, 0},
                                   {"TFLOP/s", 12, 0}, {"PFLOP/s", 15, 0}, {NULL, 0, 0}};
static const unit time_units[] = {{"", 0, 0},    {"s", 0, 0},    {"ms", -3, 0}, {"us", -6, 0},
                                  {"ns", -9, 0}, {"ps", -12, 0}, {NULL, 0, 0}};
static const unit power_units[] = {{"", 0, 0}, {"W", 0, 0}, {"kW", 3, 0}, {NULL, 0, 0}};
static const unit frequency_units[] = {{"", 0, 0},    {"Hz", 0, 0},  {"kHz", 3, 0},
                                       {"MHz", 6, 0}, {"GHz", 9, 0}, {NULL, 0, 0}};
static const unit ratio_units[] = {{"", 0, 0}, {"%", -2, 0}, {NULL, 0, 0}};

typedef struct dim_row {
    const char *name, *article, *example;
    const unit *units;
} dim_row;

static const dim_row dims[] = {
    [RC_DIM_COUNT] = {"count", "a count", "128K", count_units},
    [RC_DIM_BYTES] = {"size", "a size", "80GB", bytes_units},
    [RC_DIM_BANDWIDTH] = {"bandwidth", "a bandwidth", "2.4TB/s", bandwidth_units},
    [RC_DIM_FLOPS] = {"compute rate", "a compute rate", "800TFLOP/s", flops_units},
    [RC_DIM_TIME] = {"time", "a time", "4.5us", time_units},
    [RC_DIM_POWER] = {"power", "a power", "500W", power_units},
    [RC_DIM_FREQUENCY] = {"frequency", "a frequency", "1.98GHz", frequency_units},
    [RC_DIM_RATIO] = {"ratio", "a ratio", "0.89 or 89%", ratio_units},
};

static const dim_row *row_of(rc_dim d) {
    assert((size_t)d < sizeof dims / sizeof dims[0]);
    return &dims[d];
}

const char *rc_dim_name(rc_dim d) {
    return row_of(d)->name;
}

const char *rc_dim_unit(rc_dim d) {
    static const char *const units[] = {
        [RC_DIM_COUNT] = "1",      [RC_DIM_BYTES] = "B", [RC_DIM_BANDWIDTH] = "B/s",
        [RC_DIM_FLOPS] = "FLOP/s", [RC_DIM_TIME] = "s",  [RC_DIM_POWER] = "W",
        [RC_DIM_FREQUENCY] = "Hz", [RC_DIM_RATIO] = "1"};
    assert((size_t)d < sizeof units / sizeof units[0]);
    return units[d];
}

static rc_status wrong(const char *text, rc_dim dim, rc_error *err) {
    const dim_row *row = row_of(dim);
    if (text[0] == '\0')
        return rc_fail(err, RC_E_INPUT, "found nothing, expected %s such as %s", row->article,
                       row->example);
    return rc_fail(err, RC_E_INPUT, "found '%.80s', expected %s such as %s", text, row->article,
                   row->example);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The text cut in three: "-1.5" (mantissa), e12 (exponent), and the unit. */
typedef struct parts {
    size_t mantissa; /* its length, from the start of the text */
    bool whole;      /* no point and no exponent */
    bool zero;       /* every digit is 0 */
    long exponent;
    const char *unit;
} parts;

enum { MANTISSA_MAX = 64, EXPONENT_MAX = 9999 };

static bool split(const char *text, parts *out) {
    const char *p = text;
    if (*p == '+' || *p == '-')
        p++;
    if (!is_digit(*p))
        return false;
    *out = (parts){.whole = true, .zero = true};
    for (; is_digit(*p); p++)
        out->zero = out->zero && *p == '0';
    if (*p == '.') {
        out->whole = false;
        if (!is_digit(*++p))
            return false;
        for (; is_digit(*p); p++)
            out->zero = out->zero && *p == '0';
    }
    out->mantissa = (size_t)(p - text);
    if (out->mantissa > MANTISSA_MAX)
        return false;
    if (*p == 'e' || *p == 'E') {
        out->whole = false;
        bool negative = *++p == '-';
        if (*p == '+' || *p == '-')
            p++;
        if (!is_digit(*p))
            return false;
        for (; is_digit(*p); p++)
            if (out->exponent <= EXPONENT_MAX)
                out->exponent = out->exponent * 10 + (*p - '0');
        if (negative)
            out->exponent = -out->exponent;
    }
    if (*p == ' ' && p[1] != '\0')
        p++;
    out->unit = p;
    return true;
}

static const unit *find_unit(rc_dim dim, const char *name) {
    for (const unit *u = row_of(dim)->units; u->name; u++)
        if (strcmp(u->name, name) == 0)
            return u;
    return NULL;
}

static rc_status value_of(const char *text, const parts *p, const unit *u, rc_dim dim, double *out,
                          rc_error *err) {
    char buf[MANTISSA_MAX + 32];
    (void)snprintf(buf, sizeof buf, "%.*se%ld", (int)p->mantissa, text, p->exponent + u->exp10);
    char *end = NULL;
    double v = ldexp(strtod(buf, &end), u->exp2);
    if (*end != '\0')
        return wrong(text, dim, err); /* a locale with a decimal comma */
    if (!isfinite(v) || (!p->zero && fabs(v) < DBL_MIN))
        return rc_fail(err, RC_E_INPUT, "found '%.80s', which is too %s for a number", text,
                       isfinite(v) ? "small" : "large");
    *out = v;
    return RC_OK;
}

rc_status rc_quantity_parse(const char *text, rc_dim dim, double *out, rc_error *err) {
    assert(text != NULL && out != NULL);
    parts p;
    if (!split(text, &p))
        return wrong(text, dim, err);
    const unit *u = find_unit(dim, p.unit);
    if (!u)
        return wrong(text, dim, err);
    return value_of(text, &p, u, dim, out, err);
}

rc_status rc_quantity_stated(const char *text, rc_dim dim, double *out, rc_error *err) {
    parts p;
    bool unitless = dim == RC_DIM_COUNT || dim == RC_DIM_RATIO;
    if (!unitless && split(text, &p) && p.unit[0] == '\0' && !p.zero)
        return rc_fail(err, RC_E_INPUT, "found '%.80s' without a unit, expected %s such as %s",
                       text, row_of(dim)->article, row_of(dim)->example);
    return rc_quantity_parse(text, dim, out, err);
}

static rc_status not_whole(const char *text, int64_t lo, int64_t hi, rc_error *err) {
    char found[100];
    if (text[0])
        (void)snprintf(found, sizeof found, "'%.80s'", text);
    else
        (void)snprintf(found, sizeof found, "nothing");
    if (lo == INT64_MIN && hi == INT64_MAX)
        return rc_fail(err, RC_E_INPUT, "found %s, expected a whole number such as 128K", found);
    if (hi == INT64_MAX)
        return rc_fail(err, RC_E_INPUT, "found %s, expected a whole number of at least %lld", found,
                       (long long)lo);
    if (lo == INT64_MIN)
        return rc_fail(err, RC_E_INPUT, "found %s, expected a whole number of at most %lld", found,
                       (long long)hi);
    return rc_fail(err, RC_E_INPUT, "found %s, expected a whole number from %lld to %lld", found,
                   (long long)lo, (long long)hi);
}

/* Digits without point, exponent or unit keep all 64 bits; -1 when they do not fit. */
static int whole_digits(const char *text, int64_t *out) {
    bool negative = *text == '-';
    if (*text == '+' || *text == '-')
        text++;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t v = 0;
    for (; is_digit(*text); text++) {
        unsigned d = (unsigned)(*text - '0');
        if (v > (limit - d) / 10)
            return -1;
        v = v * 10 + d;
    }
    if (negative)
        *out = v == limit ? INT64_MIN : -(int64_t)v;
    else
        *out = (int64_t)v;
    return 0;
}

rc_status rc_quantity_int(const char *text, int64_t lo, int64_t hi, int64_t *out, rc_error *err) {
    assert(text != NULL && out != NULL); /* an empty range is one that another value has narrowed */
    parts p;
    const unit *u = split(text, &p) ? find_unit(RC_DIM_COUNT, p.unit) : NULL;
    int64_t v = 0;
    if (!u)
        return not_whole(text, lo, hi, err);
    if (p.whole && u->name[0] == '\0' && p.unit == text + p.mantissa) {
        if (whole_digits(text, &v) != 0)
            return not_whole(text, lo, hi, err);
    } else {
        double d = 0;
        if (value_of(text, &p, u, RC_DIM_COUNT, &d, NULL) != RC_OK || d != floor(d) ||
            fabs(d) >= 0x1p63)
            return not_whole(text, lo, hi, err);
        v = (int64_t)d;
    }
    if (v < lo || v > hi)
        return not_whole(text, lo, hi, err);
    *out = v;
    return RC_OK;
}

/* Fewest characters first; of equals the largest unit that leaves at least 1: 1.98GHz, not 1980MHz.
 */
const char *rc_quantity_format(double v, rc_dim dim, char *buf, size_t size) {
    enum { DIGITS = 10 };
    assert(buf != NULL && size > 0);
    (void)snprintf(buf, size, "%.*g", DIGITS, v);
    if (!isfinite(v))
        return buf;
    const bool bare_only = dim == RC_DIM_RATIO;
    size_t best = SIZE_MAX;
    double best_scale = 0;
    for (const unit *u = row_of(dim)->units; u->name; u++) {
        const bool bare = u->name[0] == '\0';
        if (u->exp2 < 0 || (bare_only && !bare) || (bare && !bare_only && dim != RC_DIM_COUNT))
            continue; /* rates are shown in bytes, ratios plain, the rest never without a unit */
        char text[64];
        const double scale = ldexp(pow(10.0, u->exp10), u->exp2);
        const double scaled = v / scale;
        size_t length = (size_t)snprintf(text, sizeof text, "%.*g%s", DIGITS, scaled, u->name);
        if (strchr(text, 'e'))
            length += sizeof text; /* only when nothing else is left */
        const bool better = length == best && scale > best_scale && fabs(scaled) >= 1;
        if (length < best || better) {
            best = length;
            best_scale = scale;
            (void)snprintf(buf, size, "%s", text);
        }
    }
    return buf;
}

rc_status rc_quantity_range(double v, const char *text, rc_dim dim, double lo, double hi,
                            rc_error *err) {
    if (v >= lo && v <= hi)
        return RC_OK;
    char a[64], b[64], found[100];
    (void)snprintf(found, sizeof found, "'%.80s'", text);
    const char *what = row_of(dim)->article;
    bool above_zero = lo > 0 && lo <= DBL_MIN;
    (void)rc_quantity_format(above_zero ? 0.0 : lo, dim, a, sizeof a);
    (void)rc_quantity_format(hi, dim, b, sizeof b);
    bool bounded_below = isfinite(lo) && lo > -DBL_MAX;
    bool bounded_above = isfinite(hi) && hi < DBL_MAX;
    if (!bounded_below)
        return rc_fail(err, RC_E_INPUT, "found %s, expected %s of at most %s", found, what, b);
    if (above_zero && !bounded_above)
        return rc_fail(err, RC_E_INPUT, "found %s, expected %s above %s", found, what, a);
    if (above_zero)
        return rc_fail(err, RC_E_INPUT, "found %s, expected %s above %s and at most %s", found,
                       what, a, b);
    if (!bounded_above)
        return rc_fail(err, RC_E_INPUT, "found %s, expected %s of at least %s", found, what, a);
    return rc_fail(err, RC_E_INPUT, "found %s, expected %s from %s to %s", found, what, a, b);
}
