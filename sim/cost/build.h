/* Building a book from rows.
 *
 * Rows become points (points.h), points are settled to one of each size in the clock state asked
 * for (settle.h) and cut into curves. Where time must not fall as work grows (all but products and
 * transfers, whose algorithms switch) points are made monotone by pooling neighbours that disagree
 * (isotonic regression in log time), each by 0.4 % at most: a store returns its own rows, and
 * nothing that the points agree on moves. Attention and decode are priced by fields
 * (field.h), whose constants are fitted here; their curves say what was measured.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_BUILD_H
#define RC_COST_BUILD_H
#include "sim/cost/book.h"
#include "sim/cost/store.h"

typedef struct rc_built_book rc_built_book; /* a book with the memory that it lies in */

/* All curves of a base machine in a clock state, "burst" or "sustained". Nothing of `rows` is
 * kept. */
rc_status rc_book_build(const rc_rows *rows, const char *base, const char *state,
                        rc_built_book **out, rc_error *err);
/* The same answers, built for a few look-ups: what only makes them faster is left out. */
rc_status rc_book_build_once(const rc_rows *rows, const char *base, const char *state,
                             rc_built_book **out, rc_error *err);
/* Attention and decode over plans without waves, whose constants are fitted to the same rows: to show
 * what waves are worth. */
rc_status rc_book_build_smooth(const rc_rows *rows, const char *base, const char *state,
                               rc_built_book **out, rc_error *err);
const rc_book *rc_built_book_of(const rc_built_book *b);
/* What was learnt from the rows (class_errors.h); until then errors are 0. */
void rc_built_book_set_errors(rc_built_book *b, const rc_class_errors *e);
void rc_built_book_free(rc_built_book *b); /* NULL is fine */

#endif
