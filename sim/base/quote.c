/* Quoting, one function for each language that is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/quote.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Bytes of the character at `s` in UTF-8 (RFC 3629), 0 when it is none: continuations that lack, forms that are longer
 * than they need be, surrogates, numbers above U+10FFFF. */
static int utf8_bytes(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    const int more = s[0] >= 0xc2 && s[0] <= 0xdf   ? 1
                     : s[0] >= 0xe0 && s[0] <= 0xef ? 2
                     : s[0] >= 0xf0 && s[0] <= 0xf4 ? 3
                                                    : 0;
    for (int i = 1; i <= more; i++)
        if ((s[i] & 0xc0) != 0x80) /* the end of the text, too */
            return 0;
    const bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const bool beyond = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
    return more == 0 || overlong || beyond ? 0 : 1 + more;
}

/* Bytes of the character at `s`, 0 when it is a control character or none. */
static int plain_bytes(const unsigned char *s) {
    const bool control = *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
    return control ? 0 : utf8_bytes(s);
}

bool rc_text_has_control(const char *s) {
    assert(s != NULL);
    for (const unsigned char *at = (const unsigned char *)s; *at;) {
        const int bytes = plain_bytes(at);
        if (bytes == 0)
            return true;
        at += bytes;
    }
    return false;
}

void rc_quote_terminal(char *s) {
    assert(s != NULL);
    while (*s) {
        const int bytes = plain_bytes((const unsigned char *)s);
        if (bytes == 0 && *s != '\n' && *s != '\t')
            *s = '?';
        s += bytes > 0 ? bytes : 1;
    }
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
