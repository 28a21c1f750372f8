/* Colour for people: on a terminal alone, never where the environment has NO_COLOR (no-color.org)
 * or a TERM that is "dumb". What a file or a pipe gets has no escapes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_BASE_STYLE_H
#define RC_BASE_STYLE_H
#include <stdio.h>

typedef enum rc_style {
    RC_STYLE_ANSWER, /* what was asked for */
    RC_STYLE_ASIDE,  /* names of columns, notes */
    RC_STYLE_FAULT,  /* what went wrong */
    RC_STYLE_END     /* back to plain text */
} rc_style;

/* The escape that begins the style on `f`; "" where there is no colour. */
const char *rc_style_on(FILE *f, rc_style s);

#endif
