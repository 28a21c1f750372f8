/* Attention on the base machine, as its book has it: full, causal, and causal behind cached keys.
 * The formulas are at the head of prefix.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_PREFIX_H
#define RC_COST_PREFIX_H
#include "sim/cost/book.h"

/* What is asked: heads, head sizes, window, and a type that has a curve of its own (bf16 or
 * fp8). */
typedef struct rc_heads_of_call {
    rc_dtype dtype;
    rc_axes at; /* query heads, KV heads, head_k, head_v, window; the rest is not looked at */
} rc_heads_of_call;

/* tq queries that all see tk keys; false when there are no rows for such heads. tq, tk > 0. */
bool rc_full_at(const rc_book *b, double tq, double tk, const rc_heads_of_call *h, rc_probe *out);
/* tq queries, causal, behind `prefix` keys that all of them see, by the model alone: without the
 * correction by measured rows. */
bool rc_prefix_model(const rc_book *b, double tq, double prefix, const rc_heads_of_call *h,
                     rc_probe *out);
/* The same, corrected by the measured rows nearest to it. tk >= tq counts all keys. */
bool rc_causal_at(const rc_book *b, double tq, double tk, const rc_heads_of_call *h, rc_probe *out);

#endif
