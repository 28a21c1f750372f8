/* Which page of GPU memory holds which block of which request.
 *
 * The scheduler's cache (sim/kv) counts blocks; here each gets a place. A block with an identity has
 * one place for all requests, which is what makes a prefix that was found in the cache really be
 * read again; any other block belongs to its request. A place is taken when a pass first needs it.
 * Blocks that the cache has evicted are noticed when places run out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVE_PAGES_H
#define RC_CALIB_SERVE_SERVE_PAGES_H
#include <stddef.h>
#include <stdint.h>
#include "sim/kv/kv.h"

typedef struct rc_own_blocks { /* of one request */
    uint32_t *at;
    uint32_t count, room;
} rc_own_blocks;

typedef struct rc_serve_pages {
    const rc_trace *trace; /* borrowed */
    uint32_t block, names; /* tokens of a block; identities */
    uint32_t *named;       /* [names] place, or UINT32_MAX */
    uint32_t *free_places, free_count;
    rc_own_blocks *own; /* [requests] */
} rc_serve_pages;

/* `block` tokens of a block, `capacity` places. */
rc_status rc_serve_pages_open(rc_serve_pages *p, const rc_trace *t, uint32_t block,
                              uint32_t capacity, rc_error *err);
void rc_serve_pages_close(rc_serve_pages *p); /* safe on a zeroed one */
/* The places of a request's first `tokens` tokens, out[0 .. ceil(tokens / block)). */
rc_status rc_serve_pages_list(rc_serve_pages *p, const rc_kv *kv, uint64_t request, int64_t tokens,
                              uint32_t *out, rc_error *err);
/* The request has given back its KV. */
void rc_serve_pages_release(rc_serve_pages *p, uint64_t request);
/* A number that stands for token `at` of a request: the same for all that share its block. */
uint64_t rc_serve_token(const rc_serve_pages *p, uint64_t request, int64_t at);

#endif
