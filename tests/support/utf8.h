/* UTF-8 as RFC 3629 writes it, for tests of what reads it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_UTF8_H
#define RC_TESTS_UTF8_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The shortest form of a number below 2^21; how many bytes. */
static inline size_t utf8_encoded(uint32_t u, char *out) {
    const size_t more = u < 0x80 ? 0 : u < 0x800 ? 1 : u < 0x10000 ? 2 : 3;
    static const unsigned char head[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--, u >>= 6)
        out[i] = (char)(0x80 | (u & 0x3f));
    out[0] = (char)(head[more] | u);
    return 1 + more;
}

/* Whether the number is a character: neither a surrogate nor above the last one. */
static inline bool utf8_is_character(uint32_t u) {
    return u <= 0x10ffff && !(u >= 0xd800 && u < 0xe000);
}

#endif
