/* A pass of a server as its kernels read it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_plan.h"
#include "calib/serve/serve_stripes.h"

#include <assert.h>
#include <string.h>

typedef struct making {
    const rc_serve_shape *shape;
    int rank, ranks;
    int64_t stride;
    const rc_serve_sequence *s;
    size_t n;
    rc_serve_inputs *in;
    const rc_serve_scratch *scratch;
    rc_serve_seat *seats;
    rc_serve_plan *x;
} making;

size_t rc_serve_inputs_place(const rc_serve_shape *s, int32_t *at, rc_serve_inputs *in) {
    const int64_t rows = rc_serve_most_rows(s), n = s->most_sequences, ranks = s->layer.cp;
    const int64_t stride = rc_serve_stride(s);
    struct {
        int32_t **p;
        int64_t count;
    } const parts[] = {{&in->tokens, rows},
                       {&in->positions, rows},
                       {&in->slots, rows},
                       {&in->last, n},
                       {&in->pieces, 4 * ranks * rc_serve_room(s, n, s->longest)},
                       {&in->first, ranks * n},
                       {&in->decode_pages, ranks * n * stride},
                       {&in->prompt_pages, s->most_prompts * stride},
                       {&in->packed, rc_serve_most_packed(s)}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].p = at ? at + used : NULL;
        used += (size_t)((parts[i].count + 63) / 64 * 64);
    }
    return used * sizeof *at;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int32_t slot_of(const making *m, const rc_serve_sequence *s, int64_t position) {
    const int64_t own = position / m->ranks;
    return s->pages[own / RC_KV_PAGE] * RC_KV_PAGE + (int32_t)(own % RC_KV_PAGE);
}

static void put_token(const making *m, const rc_serve_sequence *s, int64_t position, int64_t row) {
    m->in->tokens[row] = (int32_t)(s->tokens[position - s->p] % RC_SERVE_EMBEDDED);
    m->in->positions[row] = (int32_t)position;
    m->in->slots[row] = slot_of(m, s, position);
}

static void put_empty(const making *m, int64_t row) {
    m->in->tokens[row] = 0;
    m->in->positions[row] = 0;
    m->in->slots[row] = -1;
}

static int64_t pages_of(const making *m, int64_t keys) { /* of `keys` positions */
    return (rc_stripe_most(keys, m->ranks) + RC_KV_PAGE - 1) / RC_KV_PAGE;
}

/* ---- sequences that decode ------------------------------------------------------------------- */

static int owner_of(const making *m, int64_t position) {
    return (int)(position % m->ranks);
}

/* How many each rank has, the most of any, and the longest share of keys. */
static void count_decodes(const making *m) {
    int64_t of[RC_RING_MAX_RANKS] = {0};
    rc_serve_plan *x = m->x;
    for (size_t i = 0; i < m->n; i++) {
        const rc_serve_sequence *s = &m->s[i];
        if (!s->decodes) {
            x->prompts++;
            continue;
        }
        const int64_t keys = rc_stripe_most(s->p + 1, m->ranks);
        const int64_t own = ++of[owner_of(m, s->p)];
        x->decodes++;
        x->dealt = own > x->dealt ? own : x->dealt;
        x->longest = keys > x->longest ? keys : x->longest;
    }
}

/* The smallest graph that every rank's sequences fit, and the power of two that the longest share of
 * keys fits. */
static void choose_graph(const making *m) {
    rc_serve_plan *x = m->x;
    const rc_serve_shape *s = m->shape;
    x->size = -1;
    if (x->prompts > 0)
        return;
    for (int i = s->size_count;
         i-- > 0 && s->sizes[i] >= x->decodes && rc_stripe_most(s->sizes[i], m->ranks) >= x->dealt;)
        x->size = i;
    for (x->bucket = 0; (INT64_C(256) << x->bucket) < x->longest; x->bucket++)
        ;
    assert(x->bucket < RC_SERVE_BUCKETS);
    /* The table of pages bounds it, too. */
    const int64_t most = m->stride * RC_KV_PAGE, rounded = INT64_C(256) << x->bucket;
    x->longest = rounded < most ? rounded : most;
    if (x->size >= 0)
        x->dealt = rc_stripe_most(s->sizes[x->size], m->ranks);
}

/* Rows of rank `group`'s sequences, and where their keys are on this rank. */
static void put_group(const making *m, int group) {
    const rc_serve_plan *x = m->x;
    rc_serve_inputs *in = m->in;
    int32_t *pages = in->decode_pages + group * x->dealt * m->stride;
    int64_t row = 0;
    for (size_t i = 0; i < m->n; i++) {
        const rc_serve_sequence *s = &m->s[i];
        if (!s->decodes || owner_of(m, s->p) != group)
            continue;
        m->scratch->lens[row] = (int32_t)rc_stripe_count(s->p + 1, m->ranks, m->rank);
        memcpy(pages + row * m->stride, s->pages, (size_t)pages_of(m, s->p + 1) * sizeof *s->pages);
        m->seats[i] = (rc_serve_seat){group, row};
        if (group == m->rank)
            put_token(m, s, s->p, row);
        row++;
    }
    for (; row < x->dealt; row++) {
        m->scratch->lens[row] = 0;
        if (group == m->rank)
            put_empty(m, row);
    }
    int32_t *pieces = in->pieces + 4 * group * x->room;
    rc_decode_deal(m->scratch->lens, x->dealt, x->room, (rc_decode_piece *)(void *)pieces,
                   in->first + group * x->dealt, m->scratch->order);
}

static void put_decodes(const making *m) {
    rc_serve_plan *x = m->x;
    x->room = rc_serve_room(m->shape, x->dealt, x->longest);
    for (int g = 0; g < m->ranks && x->dealt > 0; g++)
        put_group(m, g);
    for (int64_t row = 0; row < x->dealt; row++)
        m->in->last[row] = (int32_t)row;
    x->rows = x->dealt;
}

/* ---- prompts --------------------------------------------------------------------------------- */

static void put_prompt(const making *m, size_t i, int k) {
    const rc_serve_sequence *s = &m->s[i];
    rc_serve_plan *x = m->x;
    const int64_t end = s->p + s->t, most = rc_stripe_most(s->t, m->ranks);
    const int64_t keys = rc_stripe_most(end, m->ranks),
                  here = rc_stripe_count(end, m->ranks, m->rank);
    rc_serve_prompt *to = &x->prompt[k];
    *to = (rc_serve_prompt){
        .t = s->t, .p = s->p, .row = x->rows, .listed = x->listed, .packed = x->packed};
    int64_t row = x->rows;
    for (int64_t at = rc_stripe_first(s->p, m->ranks, m->rank); at < end; at += m->ranks)
        put_token(m, s, at, row++);
    const int64_t last = row > x->rows ? row - 1 : x->rows;
    for (; row < x->rows + most; row++)
        put_empty(m, row);
    memcpy(m->in->prompt_pages + x->listed, s->pages, (size_t)pages_of(m, end) * sizeof *s->pages);
    for (int64_t j = 0; j < keys && m->ranks > 1; j++)
        m->in->packed[x->packed + j] = j < here ? slot_of(m, s, j * m->ranks) : 0;
    m->in->last[x->dealt + k] = (int32_t)last;
    m->seats[i] = (rc_serve_seat){owner_of(m, end - 1), x->dealt + k};
    x->rows = row;
    x->listed += pages_of(m, end);
    x->packed += keys;
}

static rc_status check_room(const making *m, rc_error *err) {
    int64_t rows = m->x->dealt, listed = 0;
    if ((int64_t)m->n > m->shape->most_sequences)
        return rc_fail(err, RC_E_INTERNAL, "a pass of %zu sequences, more than were planned", m->n);
    if (m->x->prompts > m->shape->most_prompts)
        return rc_fail(err, RC_E_INPUT, "a pass of more than %lld prompts: scheduler.fuse",
                       (long long)m->shape->most_prompts);
    for (size_t i = 0; i < m->n; i++)
        if (!m->s[i].decodes) {
            rows += rc_stripe_most(m->s[i].t, m->ranks);
            listed += pages_of(m, m->s[i].p + m->s[i].t);
        }
    if (rows > m->shape->most_tokens + m->shape->most_sequences ||
        listed > m->shape->most_prompts * m->stride)
        return rc_fail(err, RC_E_INTERNAL, "a pass of %lld rows, more than were planned",
                       (long long)rows);
    return RC_OK;
}

rc_status rc_serve_plan_make(const rc_serve_shape *shape, int rank, const rc_serve_sequence *s,
                             size_t n, const rc_serve_scratch *scratch, rc_serve_inputs *in,
                             rc_serve_seat *seats, rc_serve_plan *out, rc_error *err) {
    const making m = {shape, rank, shape->layer.cp, rc_serve_stride(shape), s, n, in, scratch,
                      seats, out};
    int k = 0;
    assert(n > 0 && rank >= 0 && rank < shape->layer.cp && shape->layer.cp <= RC_RING_MAX_RANKS);
    *out = (rc_serve_plan){.size = -1};
    count_decodes(&m);
    RC_TRY(check_room(&m, err));
    choose_graph(&m);
    put_decodes(&m);
    for (size_t i = 0; i < n; i++)
        if (!s[i].decodes)
            put_prompt(&m, i, k++);
    out->padded = out->size >= 0 ? out->dealt : rc_serve_product_rows(out->rows);
    return RC_OK;
}

void rc_serve_calls_of(const rc_serve_plan *x, int ranks, int of, int at, bool paged,
                       rc_serve_calls *out) {
    out->n = 0;
    for (int i = 0; i < x->prompts; i++) {
        const rc_serve_prompt *p = &x->prompt[i];
        const rc_stripe_call c = rc_stripe_call_of(p->p, p->t, ranks, of, at);
        if (c.q_len == 0)
            continue;
        out->q_start[out->n] = (int32_t)p->row;
        out->q_len[out->n] = (int32_t)c.q_len;
        out->k_start[out->n] = (int32_t)(paged ? p->listed : p->packed);
        out->k_len[out->n++] = (int32_t)c.k_len;
    }
}
