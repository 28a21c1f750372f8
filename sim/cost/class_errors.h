/* Learning how far off the answers of a book are where it has no rows.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_CLASS_ERRORS_H
#define RC_COST_CLASS_ERRORS_H
#include "sim/cost/build.h"

/* Leaves rows of the book's base, in the clock state of its curves, out, asks for them, and keeps of each op, type and
 * kind of answer the spread that makes p5..p95 hold nine of ten of them. What no row can tell (one
 * head count only) takes the most that the op's other kinds have, and at least a stated number. Of
 * a kind up to `most` (>= 5) rows, evenly picked, are left out: of fewer rows the spread is nearer to
 * what the worst of them needs. A large calibration takes some 10 s with RC_LEARN_WELL, which the
 * books that are compiled in afford, and 2 s with RC_LEARN_SOON. */
enum { RC_LEARN_WELL = 72, RC_LEARN_SOON = 12 };
rc_status rc_book_learn(rc_built_book *b, const rc_rows *rows, size_t most, rc_error *err);

#endif
