/* Keys, values, queries and outputs in fewer bytes than attention takes them in: a KV cache in int4,
 * and messages that are packed for the way between CP ranks.
 *
 * What is kept or comes packed is unpacked before attention: a pass over its elements, counted with
 * the launch that needs them (rc_shape.unpack_*). A rank's own new keys and values are there as they
 * were made. Where messages are packed, every rank packs what it sends once, before the ring, and
 * every rank unpacks what it holds in a step; what it hands on stays packed. Partial outputs that go
 * back are packed and unpacked in the same way, their log-sum-exps are not. Decode steps send little
 * and pack nothing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/schedule/builder.h"

bool rc_packs(const rc_builder *b) {
    return b->n > 1 && b->rq->schedule->packs && b->rq->layout.ring_wire != RC_BF16 &&
           rc_prefills(b);
}

bool rc_packs_keys(const rc_builder *b) {
    return rc_packs(b) && rc_layout_packs_keys(&b->rq->layout);
}

bool rc_packs_queries(const rc_builder *b) {
    return rc_packs(b) && rc_layout_packs_queries(&b->rq->layout);
}

/* Bytes of an element on the way. */
static double on_the_way(const rc_builder *b) {
    return rc_packed_element(b->rq->layout.ring_wire);
}

double rc_sent_kv_bytes(const rc_builder *b) {
    return rc_packs_keys(b) ? (double)rc_kv_elements(b) * on_the_way(b) : rc_kv_token_bytes(b);
}

double rc_sent_q_bytes(const rc_builder *b) {
    return rc_packs_queries(b) ? (double)b->hq * b->key_size * on_the_way(b) : rc_q_token_bytes(b);
}

double rc_sent_output_bytes(const rc_builder *b) {
    const double act = rc_dtype_bytes(b->rq->layout.act);
    return (double)b->hq * b->value_size * (rc_packs(b) ? on_the_way(b) : act);
}

int64_t rc_kv_elements(const rc_builder *b) {
    if (b->latent)
        return (int64_t)b->kind->latent.kv_rank + b->kind->latent.rope;
    return (int64_t)b->hkv * (b->key_size + (b->kind->kept_once ? 0 : b->value_size));
}

static void unpack(rc_shape *s, rc_dtype d, int64_t elements) {
    if (d == RC_INT4)
        s->unpack_int4 += elements;
    else
        s->unpack_fp8 += elements;
}

void rc_unpack_kept(const rc_builder *b, rc_shape *s, int64_t keys) {
    if (b->rq->layout.kv == RC_INT4)
        unpack(s, RC_INT4, keys * rc_kv_elements(b));
}

void rc_unpack_received(const rc_builder *b, rc_shape *s, int64_t keys, int64_t queries) {
    const rc_layout *l = &b->rq->layout;
    if (l->kv == RC_INT4)
        rc_unpack_kept(b, s, keys);
    else if (rc_packs_keys(b))
        unpack(s, l->ring_wire, keys * rc_kv_elements(b));
    if (rc_packs_queries(b))
        unpack(s, l->ring_wire, queries * b->hq * b->key_size);
}
