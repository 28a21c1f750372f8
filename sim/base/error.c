/* Results and the error context: formatting, exit codes and "did you mean".
 *
 * An error is a value, not an event: it is filled once where the cause is known and read once by
 * main(), so nothing here allocates, prints or keeps state. Text that does not fit is cut, never
 * refused: a shortened message is better than a second error about the first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/error.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "sim/base/quote.h"

#undef rc_fail /* the macros for static analysers */
#undef rc_fail_file
#undef rc_fail_at

static void fill(rc_error *err, rc_status st, const char *file, int line, int col) {
    err->status = st;
    err->line = line;
    err->col = col;
    (void)snprintf(err->file, sizeof err->file, "%s", file ? file : "");
}

rc_status rc_fail(rc_error *err, rc_status st, const char *fmt, ...) {
    assert(st != RC_OK); /* a caller would take the failure for success */
    if (err) {
        fill(err, st, NULL, 0, 0);
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return st;
}

rc_status rc_fail_file(rc_error *err, rc_status st, const char *file, const char *fmt, ...) {
    assert(st != RC_OK);
    if (err) {
        fill(err, st, file, 0, 0);
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return st;
}

rc_status rc_fail_at(rc_error *err, rc_status st, const char *file, int line, int col,
                     const char *fmt, ...) {
    assert(st != RC_OK);
    assert(line >= 0 && col >= 0);
    if (err) {
        fill(err, st, file, line, col);
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return st;
}

const char *rc_error_text(const rc_error *err, char *buf, unsigned long size) {
    assert(buf != NULL || size == 0);
    if (size == 0)
        return buf;
    if (!err) {
        buf[0] = '\0';
        return buf;
    }
    if (err->file[0] == '\0')
        (void)snprintf(buf, size, "%s", err->msg);
    else if (err->line <= 0)
        (void)snprintf(buf, size, "%s: %s", err->file, err->msg);
    else if (err->col <= 0)
        (void)snprintf(buf, size, "%s:%d: %s", err->file, err->line, err->msg);
    else
        (void)snprintf(buf, size, "%s:%d:%d: %s", err->file, err->line, err->col, err->msg);
    rc_quote_terminal(buf); /* a message may hold what a file says */
    return buf;
}

int rc_exit_code(rc_status st) {
    switch (st) {
    case RC_OK:
        return 0;
    case RC_E_CHECK:
        return 1;
    case RC_E_USAGE:
    case RC_E_INPUT:
    case RC_E_IO:
    case RC_E_SCHEMA:
    case RC_E_NOFIT:
    case RC_E_SIZE:
    case RC_E_UNMODELLED:
        return 2;
    case RC_E_NOMEM:
    case RC_E_INTERNAL:
        return 3;
    }
    return 3;
}

/* Names longer than this are not worth a suggestion; the rows of the distance stay on the stack. */
enum { NAME_MAX_LEN = 63 };

static unsigned min3(unsigned a, unsigned b, unsigned c) {
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment: insert, delete, replace and swap of neighbours each cost 1. */
static unsigned distance(const char *a, size_t la, const char *b, size_t lb) {
    unsigned d[3][NAME_MAX_LEN + 1];
    for (size_t j = 0; j <= lb; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *row = d[i % 3];
        const unsigned *up = d[(i + 2) % 3];
        const unsigned *up2 = d[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned cost = a[i - 1] == b[j - 1] ? 0u : 1u;
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                up2[j - 2] + 1 < row[j])
                row[j] = up2[j - 2] + 1;
        }
    }
    return d[la % 3][lb];
}

const char *rc_nearest(const char *word, const char *const *names) {
    if (!word || !names)
        return NULL;
    size_t len = strlen(word);
    if (len == 0 || len > NAME_MAX_LEN)
        return NULL;
    unsigned limit = len / 3 > 2 ? (unsigned)(len / 3) : 2u;
    const char *best = NULL;
    unsigned best_distance = limit + 1;
    for (size_t i = 0; names[i]; i++) {
        size_t n = strlen(names[i]);
        if (n == 0 || n > NAME_MAX_LEN)
            continue;
        unsigned dist = distance(word, len, names[i], n);
        /* Two short names with nothing in common are not near, whatever the limit says. */
        if (dist < best_distance && dist < (len > n ? len : n)) {
            best = names[i];
            best_distance = dist;
        }
    }
    return best;
}
