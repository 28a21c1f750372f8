/* Distributions of token counts as BLIS's workload specifications state them. Private to the room.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TRACE_WORKLOAD_LENGTHS_H
#define RC_TRACE_WORKLOAD_LENGTHS_H
#include "sim/base/doc.h"
#include "sim/engine/engine.h"

typedef enum rc_spec_length_type {
    RC_SPEC_GAUSSIAN,         /* mean, std_dev, min, max */
    RC_SPEC_EXPONENTIAL,      /* mean */
    RC_SPEC_PARETO_LOGNORMAL, /* alpha, xm, mu, sigma, mix_weight */
    RC_SPEC_CONSTANT,         /* value */
    RC_SPEC_EMPIRICAL
} rc_spec_length_type;
enum { RC_SPEC_PARAMS = 5 };

typedef struct rc_spec_length {
    rc_spec_length_type type;
    double param[RC_SPEC_PARAMS]; /* in the order above */
    double *value,
        *up_to; /* empirical: tokens, and the probability of these and those before; owned */
    size_t values;
} rc_spec_length;

/* `key` of `map`: {type, params}. Free *out, also on failure. */
rc_status rc_spec_length_read(const rc_node *map, const char *key, rc_spec_length *out,
                              rc_error *err);
/* Tokens, rounded, in [1, most]. */
uint32_t rc_spec_length_draw(const rc_spec_length *l, rc_rng *r, double most);
void rc_spec_length_free(rc_spec_length *l);

#endif
