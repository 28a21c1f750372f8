/* Words of a line of text.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import_words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool rc_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

bool rc_digit(char c) {
    return c >= '0' && c <= '9';
}

rc_piece rc_piece_from_word(rc_piece t) {
    while (t.n > 0 && rc_blank(*t.p))
        t.p++, t.n--;
    return t;
}

rc_piece rc_piece_behind(rc_piece t, size_t n) {
    assert(n <= t.n);
    return (rc_piece){t.p + n, t.n - n};
}

size_t rc_piece_word(rc_piece t) {
    size_t n = 0;
    while (n < t.n && !rc_blank(t.p[n]))
        n++;
    return n;
}

int rc_piece_split(rc_piece t, rc_piece *field) {
    int n = 0;
    for (t = rc_piece_from_word(t); t.n > 0 && n < RC_PIECES; t = rc_piece_from_word(t)) {
        field[n++] = (rc_piece){t.p, rc_piece_word(t)};
        t = rc_piece_behind(t, field[n - 1].n);
    }
    return n;
}

bool rc_piece_whole(rc_piece t, double *out) {
    *out = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (!rc_digit(t.p[i]))
            return false;
        *out = *out * 10 + (t.p[i] - '0');
    }
    return t.n > 0 && *out < 1e15;
}

bool rc_piece_number(rc_piece t, double *out) {
    char text[32], *end = NULL;
    if (t.n == 0 || t.n >= sizeof text || !(rc_digit(t.p[0]) || t.p[0] == '.'))
        return false;
    memcpy(text, t.p, t.n);
    text[t.n] = '\0';
    *out = strtod(text, &end);
    return *end == '\0' && *out >= 0 && *out < 1e15;
}

int64_t rc_piece_leading(rc_piece t) {
    int64_t v = 0;
    t = rc_piece_from_word(t);
    for (size_t i = 0; i < t.n && rc_digit(t.p[i]) && v < INT64_C(1) << 40; i++)
        v = v * 10 + (t.p[i] - '0');
    return v;
}

/* What stands behind `word`, or nothing. */
rc_piece rc_piece_after(rc_piece t, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= t.n; i++)
        if (memcmp(t.p + i, word, n) == 0)
            return rc_piece_behind(t, i + n);
    return (rc_piece){t.p + t.n, 0};
}

rc_piece rc_piece_skip(rc_piece t, const char *marks) {
    while (t.n > 0 && *t.p != '\0' && strchr(marks, *t.p))
        t = rc_piece_behind(t, 1);
    return t;
}

bool rc_piece_is(rc_piece t, const char *word) {
    return strlen(word) == t.n && memcmp(t.p, word, t.n) == 0;
}

bool rc_piece_starts(rc_piece t, const char *word) {
    size_t n = strlen(word);
    return n <= t.n && memcmp(t.p, word, n) == 0;
}

bool rc_piece_has(rc_piece t, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= t.n; i++) {
        const char *p = memchr(t.p + i, word[0], t.n - i - n + 1);
        if (!p)
            return false;
        i = (size_t)(p - t.p);
        if (memcmp(p, word, n) == 0)
            return true;
    }
    return false;
}
