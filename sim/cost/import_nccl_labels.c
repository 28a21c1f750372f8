/* What launchers put in front of a line.
 *
 * A label names the process whose line it is ("[1,0]<stdout>:", "3: ", "node-1: ", "[pod/a/b] "),
 * or is a date or a time, which names nothing. They may stand one behind the other. Of a label that
 * is not understood it is only known how many words stand before the '#' of a line that is: as many
 * stand in front of the lines of sizes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import_nccl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* d a digit, a a letter, ? a digit or a blank. */
static bool fits(rc_piece t, const char *pattern) {
    size_t n = strlen(pattern);
    for (size_t i = 0; i < n; i++) {
        if (i == t.n)
            return false;
        char c = t.p[i], want = pattern[i];
        if (!(want == 'd'   ? rc_digit(c)
              : want == 'a' ? isalpha((unsigned char)c) != 0
              : want == '?' ? rc_digit(c) || c == ' '
                            : c == want))
            return false;
    }
    return true;
}

/* Characters of a date and time at the start of `t`, with a fraction and a zone; 0 when there is
 * none. */
static size_t time_length(rc_piece t) {
    static const char *const patterns[] = {"dddd-dd-dd dd:dd:dd",      "dddd-dd-ddTdd:dd:dd",
                                           "dddd/dd/dd dd:dd:dd",      "dd:dd:dd",
                                           "aaa aaa ?d dd:dd:dd dddd", "aaa ?d dd:dd:dd"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] && n == 0; i++)
        n = fits(t, patterns[i]) ? strlen(patterns[i]) : 0;
    if (n == 0)
        return 0;
    if (n + 1 < t.n && (t.p[n] == '.' || t.p[n] == ',') && rc_digit(t.p[n + 1]))
        for (n++; n < t.n && rc_digit(t.p[n]); n++)
            ;
    if (n < t.n && t.p[n] == 'Z')
        n++;
    else if (fits(rc_piece_behind(t, n), "+dd:dd") || fits(rc_piece_behind(t, n), "-dd:dd"))
        n += 6;
    return n;
}

/* "[...]" or "(...)" without a '#'. */
static size_t bracket_length(rc_piece t) {
    const char *end = memchr(t.p, t.p[0] == '[' ? ']' : ')', t.n < 256 ? t.n : 256);
    return end && !memchr(t.p, '#', (size_t)(end - t.p)) ? (size_t)(end - t.p) + 1 : 0;
}

/* "node-1:" and " 3:" with a blank or '#' behind; "nccl_1  |". */
static size_t name_length(rc_piece t, char *mark) {
    size_t n = 0;
    while (n < t.n && (isalnum((unsigned char)t.p[n]) || strchr("._-", t.p[n])))
        n++;
    *mark = n < t.n ? t.p[n] : '\0';
    if (n == 0 || n > 128)
        return 0;
    if (*mark == ':' && n + 1 < t.n && (rc_blank(t.p[n + 1]) || t.p[n + 1] == '#'))
        return n;
    rc_piece rest = rc_piece_from_word(rc_piece_behind(t, n));
    *mark = rest.n > 0 && rest.p[0] == '|' ? '|' : '\0';
    return *mark == '|' ? n : 0;
}

/* Takes one label off the front of `t`; *label is what names the stream, empty for a time. */
static bool take_label(rc_piece *t, rc_piece *label) {
    static const char *const channels[] = {"<stdout>", "<stderr>", "<stddiag>"};
    rc_piece rest = rc_piece_from_word(*t);
    char mark;
    size_t n;
    *label = (rc_piece){rest.p, 0};
    if (rest.n == 0 || rest.p[0] == '#')
        return false;
    if ((n = time_length(rest)) > 0) {
        *t = rc_piece_skip(rc_piece_behind(rest, n), ":|");
        return true;
    }
    if ((rest.p[0] == '[' || rest.p[0] == '(') && (n = bracket_length(rest)) > 0) {
        rc_piece inner = {rest.p + 1, n - 2};
        if (time_length(inner) != inner.n)
            *label = (rc_piece){rest.p, n};
        rest = rc_piece_behind(rest, n);
        for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
            if (rc_piece_starts(rest, channels[i]))
                rest = rc_piece_behind(rest, strlen(channels[i]));
        *t = rc_piece_skip(rest, ":");
        return true;
    }
    if ((n = name_length(rest, &mark)) == 0)
        return false;
    *label = (rc_piece){rest.p, n};
    rest = rc_piece_from_word(rc_piece_behind(rest, n));
    *t = rc_piece_behind(rest, 1); /* ':' or '|' */
    return true;
}

/* A line of the head of a run, without its '#': what nccl-tests itself prints there. */
bool rc_nccl_head_word(rc_piece t) {
    static const char *const words[] = {"Rank ",      "nThread", "Using devices",   "size",
                                        "nccl-tests", "Avg bus", "Collective test", "(B)"};
    t = rc_piece_from_word(t);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rc_piece_starts(t, words[i]))
            return true;
    return false;
}

/* Labels off; *words is how many words of a label that is not understood are left in front of a
 * '#'. */
rc_piece rc_nccl_payload(rc_piece line, rc_piece *label, int *words) {
    rc_piece t = line, one;
    *label = (rc_piece){line.p, 0};
    *words = 0;
    for (int i = 0; i < 4 && take_label(&t, &one); i++)
        if (one.n > 0)
            *label = label->n == 0 ? one : (rc_piece){label->p, (size_t)(one.p + one.n - label->p)};
    t = rc_piece_from_word(t);
    if (t.n == 0 || t.p[0] == '#')
        return t;
    for (size_t i = 1; i < t.n; i++)
        if (t.p[i] == '#' && rc_nccl_head_word(rc_piece_behind(t, i + 1))) {
            rc_piece field[RC_PIECES];
            *words = rc_piece_split((rc_piece){t.p, i}, field);
            return rc_piece_behind(t, i);
        }
    return t;
}
