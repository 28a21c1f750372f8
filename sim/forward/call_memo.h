/* A memory of what calls of attention on latents cost by themselves. The shapes of a ring pair queries
 * and keys of few lengths in many ways, so a call is asked for more often than any shape is.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_CALL_MEMO_H
#define RC_FORWARD_CALL_MEMO_H
#include "sim/cost/cost.h"

typedef struct rc_latent_call {
    const char *op; /* a static string */
    rc_dtype dtype;
    int heads, key_size, value_size;
    int64_t queries, keys;
} rc_latent_call;

typedef struct rc_call_memo rc_call_memo;
rc_call_memo *rc_call_memo_create(void); /* NULL when out of memory */
void rc_call_memo_destroy(rc_call_memo *m);
/* The costs have changed. */
void rc_call_memo_forget(rc_call_memo *m);
/* What `c` says of the call; of `m`, which may be NULL, only while `c` is what it was asked with since
 * it last forgot. Errors as of rc_cost_named. */
rc_status rc_call_memo_cost(rc_call_memo *m, const rc_costs *c, const rc_latent_call *call,
                            rc_cost *out, rc_error *err);

#endif
