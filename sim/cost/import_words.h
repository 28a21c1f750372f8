/* Words of a line of text that is not NUL-terminated.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_IMPORT_WORDS_H
#define RC_COST_IMPORT_WORDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rc_piece { /* of the text that is read; not NUL-terminated */
    const char *p;
    size_t n;
} rc_piece;
bool rc_piece_is(rc_piece t, const char *word);
bool rc_piece_has(rc_piece t, const char *word);
bool rc_piece_starts(rc_piece t, const char *word);

bool rc_blank(char c);
bool rc_digit(char c);
rc_piece rc_piece_behind(rc_piece t, size_t n); /* without its first n characters */
rc_piece rc_piece_from_word(rc_piece t);        /* without blanks in front */
rc_piece rc_piece_after(rc_piece t,
                        const char *word); /* behind `word`; empty when it is not there */
rc_piece rc_piece_skip(rc_piece t, const char *marks); /* without those in front */
size_t rc_piece_word(rc_piece t);                      /* characters up to the first blank */
enum { RC_PIECES = 64 };
int rc_piece_split(rc_piece t, rc_piece *field); /* into words, at most RC_PIECES */
bool rc_piece_whole(rc_piece t, double *out);    /* digits and nothing else, below 1e15 */
bool rc_piece_number(rc_piece t, double *out);   /* >= 0, below 1e15 */
int64_t rc_piece_leading(rc_piece t);            /* of the digits at its start; 0 without */

#endif
