/* Finding a book that is compiled in.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/builtin.h"

#include <assert.h>
#include <string.h>

const rc_book *rc_builtin_book(const char *base, const char *state) {
    assert(base != NULL && state != NULL);
    for (size_t i = 0; i < rc_builtin_count; i++) {
        const rc_book *b = &rc_builtin_books[i];
        if (strcmp(b->base, base) == 0 && strcmp(b->state, state) == 0)
            return b;
    }
    return NULL;
}
