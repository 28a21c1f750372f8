/* A book as C source: what rc_embed compiles into the program.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_EMBED_BOOK_TEXT_H
#define RC_COST_EMBED_BOOK_TEXT_H
#include <stdio.h>
#include "sim/cost/book.h"

/* Writes builtin_books.c: the constants that builtin.h declares. */
rc_status rc_book_write_text(FILE *f, const rc_book *const *books, size_t n, rc_error *err);

#endif
