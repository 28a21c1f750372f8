/* Numbers of a trace: whole numbers within bounds, decimal times without rounding on the way,
 * dates. What is refused is refused for a reason that is counted: missing, negative, zero, absurd.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/trace/reader.h"

#define PS INT64_C(1000000000000)            /* picoseconds of a second */
#define FARTHEST_S INT64_C(1000000000000000) /* differences of two moments fit into int64_t */

typedef struct decimal { /* sign, whole part, picofractions of one */
    bool negative, fraction;
    int64_t whole, pico;
} decimal;

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static int shown(rc_slice s) {
    return s.n > 40 ? 40 : (int)s.n;
}

/* Digit k of `d` (all digits of the number, without the point). */
typedef struct digits {
    const char *p;
    size_t n, point;
} digits;

static int digit_at(const digits *d, size_t k) {
    if (k >= d->n)
        return 0;
    return (k < d->point ? d->p[k] : d->p[k + 1]) - '0';
}

/* [+-]digits[.digits][e[+-]digits], nothing else. `after`: places of the decimal point. */
static bool scan(rc_slice s, bool *negative, digits *d, int *exponent) {
    size_t i = 0, from;
    *negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        i = 1;
    from = i;
    while (i < s.n && digit(s.p[i]))
        i++;
    *d = (digits){s.p + from, i - from, i - from};
    if (i < s.n && s.p[i] == '.') {
        size_t start = ++i;
        while (i < s.n && digit(s.p[i]))
            i++;
        d->n += i - start;
    }
    if (d->n == 0)
        return false;
    *exponent = 0;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        bool minus = ++i < s.n && s.p[i] == '-';
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
            i++;
        if (i == s.n)
            return false;
        for (; i < s.n && digit(s.p[i]); i++)
            *exponent = *exponent < 10000 ? *exponent * 10 + (s.p[i] - '0') : *exponent;
        *exponent = minus ? -*exponent : *exponent;
    }
    return i == s.n;
}

/* False when it is no number. A whole part beyond int64_t becomes INT64_MAX. */
static bool parse(rc_slice s, decimal *out) {
    digits d;
    int exponent;
    *out = (decimal){0};
    if (!scan(s, &out->negative, &d, &exponent))
        return false;
    int64_t point = (int64_t)d.point + exponent; /* digits before the decimal point */
    size_t k = 0;
    while (k < d.n && digit_at(&d, k) == 0) /* leading zeros */
        k++;
    if (k == d.n)
        return true;
    if (point - (int64_t)k > 19) {
        out->whole = INT64_MAX;
        return true;
    }
    for (; (int64_t)k < point; k++) {
        int next = digit_at(&d, k);
        if (out->whole > (INT64_MAX - 1 - next) / 10) {
            out->whole = INT64_MAX;
            return true;
        }
        out->whole = out->whole * 10 + next;
    }
    for (int place = 0; place < 12; place++) {
        int64_t at = point + place;
        out->pico = out->pico * 10 + (at >= 0 ? digit_at(&d, (size_t)at) : 0);
    }
    for (; k < d.n; k++)
        out->fraction |= digit_at(&d, k) != 0;
    int64_t next = point + 12;
    if (next >= 0 && digit_at(&d, (size_t)next) >= 5)
        out->pico++;
    if (out->pico == PS) {
        out->pico = 0;
        out->whole++;
    }
    return true;
}

/* A number, not below zero. */
static bool number(rc_reader *r, rc_slice s, const char *what, decimal *out) {
    if (s.n == 0)
        return rc_bad(r, RC_FAULT_MISSING, s.p, "%s is missing", what);
    if (!parse(s, out))
        return rc_bad(r, RC_FAULT_SYNTAX, s.p, "%s: found '%.*s', expected a number", what,
                      shown(s), s.p);
    if (out->negative && (out->whole != 0 || out->pico != 0 || out->fraction))
        return rc_bad(r, RC_FAULT_NEGATIVE, s.p, "%s: %.*s is below zero", what, shown(s), s.p);
    return true;
}

static bool short_whole(rc_slice s, int64_t *out) {
    if (s.n == 0 || s.n > 18)
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!digit(s.p[i]))
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return true;
}

bool rc_read_whole(rc_reader *r, rc_slice s, const char *what, int64_t lo, int64_t hi,
                   int64_t *out) {
    assert(lo <= hi);
    if (!short_whole(s, out)) {
        decimal d;
        if (!number(r, s, what, &d))
            return false;
        if (d.fraction)
            return rc_bad(r, RC_FAULT_ABSURD, s.p, "%s: %.*s is not a whole number", what, shown(s),
                          s.p);
        *out = d.whole;
    }
    if (*out < lo && *out == 0)
        return rc_bad(r, RC_FAULT_ZERO, s.p, "%s is 0", what);
    if (*out < lo || *out > hi)
        return rc_bad(r, RC_FAULT_ABSURD, s.p, "%s: %.*s, expected %lld to %lld", what, shown(s),
                      s.p, (long long)lo, (long long)hi);
    return true;
}

bool rc_read_tokens(rc_reader *r, rc_slice s, const char *what, bool zero, int64_t cap,
                    uint32_t *out) {
    int64_t v = 0;
    assert(cap <= UINT32_MAX);
    if (!rc_read_whole(r, s, what, zero ? 0 : 1, cap, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool rc_read_stamp(rc_reader *r, rc_slice s, const char *what, int per_s, rc_stamp *out) {
    decimal d;
    assert(per_s > 0 && PS % per_s == 0);
    if (!number(r, s, what, &d))
        return false;
    if (d.whole == INT64_MAX || d.whole / per_s > FARTHEST_S)
        return rc_bad(r, RC_FAULT_ABSURD, s.p, "%s: %.*s is too far away", what, shown(s), s.p);
    *out = (rc_stamp){d.whole / per_s, d.whole % per_s * (PS / per_s) + d.pico / per_s};
    return true;
}

bool rc_read_output(rc_reader *r, rc_slice s, const char *what, uint32_t *out) {
    if (!rc_read_tokens(r, s, what, true, RC_TRACE_MAX_OUTPUT, out))
        return false;
    if (*out > 0 || r->opt.zero_output == RC_ZERO_DROP)
        return true;
    if (r->opt.zero_output == RC_ZERO_FORMAT)
        return rc_bad(r, RC_FAULT_ZERO, s.p,
                      "%s is 0: say what that means with --zero-output (one: the token that a "
                      "prefill gives; drop)",
                      what);
    *out = 1;
    r->t->raised++;
    return true;
}

/* Units that an epoch of our time shows: from 1973 on in ms, and then in us and ns. */
static int epoch_unit(int64_t whole) {
    return whole >= INT64_C(100000000000000000) ? 1000000000
           : whole >= INT64_C(100000000000000)  ? 1000000
           : whole >= INT64_C(100000000000)     ? 1000
                                                : 0;
}

bool rc_read_arrival(rc_reader *r, rc_slice s, const char *what, rc_stamp *out) {
    decimal d;
    if (!number(r, s, what, &d))
        return false;
    if (!r->unit_told && epoch_unit(d.whole) > 0) {
        r->per_s = epoch_unit(d.whole);
        r->unit_told = true;
    }
    r->fractions = r->fractions || d.fraction;
    return rc_read_stamp(r, s, what, r->per_s, out);
}

bool rc_read_duration(rc_reader *r, rc_slice s, const char *what, int per_s, rc_time *out) {
    rc_stamp t;
    if (!rc_read_stamp(r, s, what, per_s, &t))
        return false;
    return rc_reader_since(r, (rc_stamp){0, 0}, t, s.p, out);
}

/* `n` digits at *p; *p moves behind them. */
static bool take(const char **p, const char *end, int n, int lo, int hi, int *out) {
    if (end - *p < n)
        return false;
    *out = 0;
    for (int i = 0; i < n; i++, ++*p) {
        if (!digit(**p))
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return *out >= lo && *out <= hi;
}

static bool take_char(const char **p, const char *end, char c) {
    if (*p == end || **p != c)
        return false;
    ++*p;
    return true;
}

/* Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap
 * day is the last of its year. */
static int64_t days(int year, int month, int day) {
    int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool take_fraction(const char **p, const char *end, int64_t *pico) {
    *pico = 0;
    if (!take_char(p, end, '.'))
        return true;
    int64_t unit = PS;
    const char *from = *p;
    for (; *p < end && digit(**p); ++*p) {
        unit /= 10;
        *pico += unit * (**p - '0');
    }
    return *p > from;
}

static bool take_zone(const char **p, const char *end, int64_t *seconds) {
    *seconds = 0;
    if (*p == end || take_char(p, end, 'Z'))
        return true;
    bool minus = **p == '-';
    int h, m;
    if (!minus && **p != '+')
        return false;
    ++*p;
    if (!take(p, end, 2, 0, 23, &h) || !take_char(p, end, ':') || !take(p, end, 2, 0, 59, &m))
        return false;
    *seconds = (minus ? -1 : 1) * (INT64_C(3600) * h + INT64_C(60) * m);
    return true;
}

static bool take_date(const char *p, const char *end, rc_stamp *out) {
    static const int length[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y, mo, d, h, mi, s;
    int64_t zone;
    if (!take(&p, end, 4, 1970, 9999, &y) || !take_char(&p, end, '-') ||
        !take(&p, end, 2, 1, 12, &mo) || !take_char(&p, end, '-') ||
        !take(&p, end, 2, 1, length[mo - 1], &d))
        return false;
    if (!take_char(&p, end, ' ') && !take_char(&p, end, 'T'))
        return false;
    if (!take(&p, end, 2, 0, 23, &h) || !take_char(&p, end, ':') || !take(&p, end, 2, 0, 59, &mi) ||
        !take_char(&p, end, ':') || !take(&p, end, 2, 0, 60, &s) ||
        !take_fraction(&p, end, &out->ps) || !take_zone(&p, end, &zone) || p != end)
        return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    out->s = days(y, mo, d) * 86400 + INT64_C(3600) * h + INT64_C(60) * mi + s - zone;
    return mo != 2 || d < 29 || leap;
}

bool rc_is_date(rc_slice s) {
    return s.n > 10 && digit(s.p[0]) && digit(s.p[3]) && s.p[4] == '-' && s.p[7] == '-';
}

bool rc_read_date(rc_reader *r, rc_slice s, rc_stamp *out) {
    if (s.n == 0)
        return rc_bad(r, RC_FAULT_MISSING, s.p, "the time is missing");
    if (take_date(s.p, s.p + s.n, out))
        return true;
    return rc_bad(
        r, s.p[0] == '-' ? RC_FAULT_NEGATIVE : RC_FAULT_SYNTAX, s.p,
        "found '%.*s', expected YYYY-MM-DD HH:MM:SS with a fraction and a zone or without",
        shown(s), s.p);
}
