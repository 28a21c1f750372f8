/* What the files of libringcast share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RINGCAST_LIBRARY_LIB_INTERNAL_H
#define RINGCAST_LIBRARY_LIB_INTERNAL_H
#include <ringcast/ringcast.h>
#include "sim/forward/forward.h"

struct ringcast_model {
    rc_model own;
};

struct ringcast_machine {
    rc_machine own;
    rc_costs *costs;
};

/* The status of a call that ended so, with its words in *err (which may be NULL). */
ringcast_status lib_end(rc_status st, const rc_error *why, ringcast_error *err);
ringcast_status lib_bad(ringcast_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* `given` bytes of `own`, the least of what caller and library know, over *out, whose size stays. */
ringcast_status lib_give(void *out, size_t given, const void *own, size_t size,
                         ringcast_error *err);
/* The caller's pass with the defaults for what it does not know of. */
ringcast_status lib_pass(const ringcast_pass *given, ringcast_pass *out, ringcast_error *err);
/* How the pass cuts the model. */
rc_status lib_layout(const rc_model *m, const ringcast_pass *p, rc_layout *out, rc_error *err);

#endif
