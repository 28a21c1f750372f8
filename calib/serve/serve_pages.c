/* Places of blocks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_pages.h"
#include "sim/base/mix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NO_PLACE UINT32_MAX

static uint32_t names_of(const rc_trace *t) {
    uint32_t most = 0;
    for (size_t i = 0; i < t->span_count; i++)
        if (t->spans[i].first + t->spans[i].count > most)
            most = t->spans[i].first + t->spans[i].count;
    return most;
}

rc_status rc_serve_pages_open(rc_serve_pages *p, const rc_trace *t, uint32_t block,
                              uint32_t capacity, rc_error *err) {
    assert(block >= 1 && capacity >= 1);
    *p = (rc_serve_pages){.trace = t, .block = block, .names = names_of(t)};
    p->named = malloc((p->names + (size_t)1) * sizeof *p->named);
    p->free_places = malloc(capacity * sizeof *p->free_places);
    p->own = calloc(t->count, sizeof *p->own);
    if (!p->named || !p->free_places || !p->own)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %u blocks", capacity);
    memset(p->named, 0xff, (p->names + (size_t)1) * sizeof *p->named);
    p->free_count = capacity;
    for (uint32_t i = 0; i < capacity; i++)
        p->free_places[i] = capacity - 1 - i;
    return RC_OK;
}

void rc_serve_pages_close(rc_serve_pages *p) {
    for (size_t i = 0; p->own && i < p->trace->count; i++)
        free(p->own[i].at);
    free(p->own);
    free(p->named);
    free(p->free_places);
    memset(p, 0, sizeof *p);
}

/* Places of blocks that the cache no longer has. */
static void sweep(rc_serve_pages *p, const rc_kv *kv) {
    for (uint32_t i = 0; i < p->names; i++)
        if (p->named[i] != NO_PLACE && !rc_kv_has(kv, i)) {
            p->free_places[p->free_count++] = p->named[i];
            p->named[i] = NO_PLACE;
        }
}

static rc_status take(rc_serve_pages *p, const rc_kv *kv, uint32_t *out, rc_error *err) {
    if (p->free_count == 0)
        sweep(p, kv);
    if (p->free_count == 0)
        return rc_fail(err, RC_E_INTERNAL, "the scheduler let in more KV than there are places");
    *out = p->free_places[--p->free_count];
    return RC_OK;
}

/* Block i of those without an identity. */
static rc_status own_place(rc_serve_pages *p, const rc_kv *kv, uint64_t request, uint32_t i,
                           uint32_t *out, rc_error *err) {
    rc_own_blocks *b = &p->own[request];
    while (b->count <= i) {
        if (b->count == b->room) {
            uint32_t room = b->room ? 2 * b->room : 16;
            uint32_t *at = realloc(b->at, room * sizeof *at);
            if (!at)
                return rc_fail(err, RC_E_NOMEM, "out of memory for %u blocks", room);
            b->at = at;
            b->room = room;
        }
        RC_TRY(take(p, kv, &b->at[b->count], err));
        b->count++;
    }
    *out = b->at[i];
    return RC_OK;
}

rc_status rc_serve_pages_list(rc_serve_pages *p, const rc_kv *kv, uint64_t request, int64_t tokens,
                              uint32_t *out, rc_error *err) {
    const rc_req *r = &p->trace->at[request];
    const uint32_t blocks = (uint32_t)((tokens + p->block - 1) / p->block);
    uint32_t n = 0;
    for (uint32_t s = 0; s < r->spans; s++) {
        const rc_span *x = &p->trace->spans[r->span + s];
        for (uint32_t i = 0; i < x->count && n < blocks && n < r->named; i++, n++) {
            if (p->named[x->first + i] == NO_PLACE)
                RC_TRY(take(p, kv, &p->named[x->first + i], err));
            out[n] = p->named[x->first + i];
        }
    }
    for (uint32_t i = 0; n < blocks; i++, n++)
        RC_TRY(own_place(p, kv, request, i, &out[n], err));
    return RC_OK;
}

void rc_serve_pages_release(rc_serve_pages *p, uint64_t request) {
    rc_own_blocks *b = &p->own[request];
    while (b->count > 0)
        p->free_places[p->free_count++] = b->at[--b->count];
}

uint64_t rc_serve_token(const rc_serve_pages *p, uint64_t request, int64_t at) {
    const rc_req *r = &p->trace->at[request];
    uint64_t block = (uint64_t)at / p->block, within = (uint64_t)at % p->block;
    for (uint32_t s = 0; s < r->spans && (uint64_t)at < (uint64_t)r->named * p->block; s++) {
        const rc_span *x = &p->trace->spans[r->span + s];
        if (block < x->count)
            return rc_mix(rc_mix(1, x->first + block), within);
        block -= x->count;
    }
    return rc_mix(rc_mix(2, request), (uint64_t)at);
}
