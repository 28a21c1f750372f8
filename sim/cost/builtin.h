/* The books that are compiled into the program: one for each base machine and clock state that a
 * machine of scenarios/machines rests on, built from the rows that are compiled in (store.h). The
 * build makes builtin_books.c with embed/embed_main.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_BUILTIN_H
#define RC_COST_BUILTIN_H
#include "sim/cost/book.h"

extern const rc_book rc_builtin_books[];
extern const size_t rc_builtin_count;
/* NULL when there is none of this base and state. */
const rc_book *rc_builtin_book(const char *base, const char *state);

#endif
