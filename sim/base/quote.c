/* Quoting, one function for each language that is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/quote.h"
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

bool rc_text_has_control(const char *s) {
    assert(s != NULL);
    const unsigned char *at = (const unsigned char *)s;
    json_t *utf8 = json_string(s); /* NULL for other bytes */
    bool bad = utf8 == NULL;
    json_decref(utf8);
    for (; *at && !bad; at++)
        bad = *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
    return bad;
}

void rc_quote_yaml(FILE *f, const char *s) {
    (void)fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            (void)fputc('\\', f);
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            (void)fprintf(f, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            (void)fputc(*s, f);
    }
    (void)fputc('"', f);
}

void rc_quote_prometheus(FILE *f, const char *s) {
    (void)fputc('"', f);
    for (; *s; s++) {
        if (*s == '\n') {
            (void)fputs("\\n", f);
            continue;
        }
        if (*s == '"' || *s == '\\')
            (void)fputc('\\', f);
        (void)fputc(*s, f);
    }
    (void)fputc('"', f);
}

void rc_quote_c_comment(FILE *f, const char *s) {
    for (char before = ' '; *s; s++) {
        char c = *s < 0x20 && *s > 0 ? ' ' : *s;
        /* A backslash at the end of a line would join it to the next one, also as trigraph. */
        if ((before == '*' && c == '/') || (before == '/' && c == '*'))
            (void)fputc(' ', f);
        (void)fputc(c, f);
        before = c;
    }
}
