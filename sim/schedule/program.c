/* The program under construction: growing arrays, interned shapes, launches added for the host.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/schedule/builder.h"

static bool grow(void **array, size_t *room, size_t count, size_t item) {
    if (count < *room)
        return true;
    size_t want = *room ? *room * 2 : 256;
    void *bigger = realloc(*array, want * item);
    if (!bigger)
        return false;
    *array = bigger;
    *room = want;
    return true;
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdu;
}

/* Products that do not wait for one another: a shape is hashed for every task. */
static uint64_t shape_hash(const rc_program *p, const rc_shape *s) {
    uint64_t bytes_bits;
    memcpy(&bytes_bits, &s->bytes, sizeof bytes_bits);
    const uint64_t what = (uint64_t)s->kind + ((uint64_t)s->part << 8) + ((uint64_t)s->dtype << 16);
    const uint64_t heads = ((uint64_t)s->hq << 48) + ((uint64_t)s->hkv << 32) +
                           ((uint64_t)s->key_size << 16) + (uint64_t)s->value_size;
    const uint64_t ranks = ((uint64_t)s->ranks << 40) + ((uint64_t)s->members << 16) +
                           (uint64_t)s->nodes + ((uint64_t)s->abreast << 8);
    const uint64_t more = (uint64_t)s->d + ((uint64_t)s->window << 20) +
                          ((uint64_t)s->experts << 44) + ((uint64_t)s->top_k << 56);
    const uint64_t unpack = (uint64_t)s->unpack_fp8 + ((uint64_t)s->unpack_int4 << 24);
    uint64_t h = what * 0x9e3779b97f4a7c15u + (uint64_t)s->a * 0xff51afd7ed558ccdu +
                 (uint64_t)s->b * 0xc4ceb9fe1a85ec53u + (uint64_t)s->c * 0xbf58476d1ce4e5b9u +
                 heads * 0x94d049bb133111ebu + ranks * 0xd6e8feb86659fd93u +
                 more * 0xa0761d6478bd642fu + unpack * 0xe7037ed1a0b428dbu +
                 (bytes_bits ^ (bytes_bits >> 32)) * 0x8ebc6af09c88c6e3u;
    for (uint32_t i = 0; i < s->calls; i++) {
        const rc_call *c = &p->calls[s->first_call + i];
        h = mix(h,
                (uint64_t)c->tq * 0x589965cc75374cc3u + (uint64_t)c->tk * 2u + (uint64_t)c->causal);
    }
    return h ^ (h >> 32);
}

static bool same_op(const char *x, const char *y) {
    return x == y || (x && y && strcmp(x, y) == 0);
}

static bool shape_equal(const rc_program *p, const rc_shape *x, const rc_shape *y) {
    if (x->kind != y->kind || x->part != y->part || x->dtype != y->dtype || x->a != y->a ||
        x->b != y->b || x->c != y->c || x->d != y->d || x->window != y->window ||
        x->experts != y->experts || x->top_k != y->top_k || x->hq != y->hq || x->hkv != y->hkv ||
        x->key_size != y->key_size || x->value_size != y->value_size || x->ranks != y->ranks ||
        x->members != y->members || x->nodes != y->nodes || x->abreast != y->abreast ||
        x->bytes < y->bytes || x->bytes > y->bytes || x->stand_in != y->stand_in ||
        x->unpack_fp8 != y->unpack_fp8 || x->unpack_int4 != y->unpack_int4 ||
        x->calls != y->calls || !same_op(x->op, y->op))
        return false;
    for (uint32_t i = 0; i < x->calls; i++) {
        const rc_call *c = &p->calls[x->first_call + i], *d = &p->calls[y->first_call + i];
        if (c->tq != d->tq || c->tk != d->tk || c->causal != d->causal)
            return false;
    }
    return true;
}

static bool rehash(rc_program *p) {
    size_t want = p->slot_count ? p->slot_count * 2 : 256;
    uint32_t *slots = malloc(want * sizeof *slots);
    if (!slots)
        return false;
    memset(slots, 0xff, want * sizeof *slots);
    for (size_t i = 0; i < p->shape_count; i++) {
        size_t at = shape_hash(p, &p->shapes[i]) & (want - 1);
        while (slots[at] != UINT32_MAX)
            at = (at + 1) & (want - 1);
        slots[at] = (uint32_t)i;
    }
    free(p->slots);
    p->slots = slots;
    p->slot_count = want;
    return true;
}

/* The index of a shape equal to *s, added when new. The calls of *s are the last in p->calls; they
 * are dropped again when an equal shape is there already. */
static uint32_t intern(rc_program *p, const rc_shape *s) {
    if (2 * (p->shape_count + 1) > p->slot_count && !rehash(p)) {
        p->failed = true;
        return 0;
    }
    size_t at = shape_hash(p, s) & (p->slot_count - 1);
    while (p->slots[at] != UINT32_MAX) {
        if (shape_equal(p, &p->shapes[p->slots[at]], s)) {
            p->call_count -= s->calls;
            return p->slots[at];
        }
        at = (at + 1) & (p->slot_count - 1);
    }
    if (!grow((void **)&p->shapes, &p->shape_room, p->shape_count, sizeof *p->shapes)) {
        p->failed = true;
        return 0;
    }
    p->shapes[p->shape_count] = *s;
    p->slots[at] = (uint32_t)p->shape_count;
    return (uint32_t)p->shape_count++;
}

rc_shape rc_shape_of(rc_task_kind kind, rc_part part) {
    rc_shape s = {0};
    s.kind = kind;
    s.part = part;
    s.dtype = RC_BF16;
    return s;
}

/* As intern; most often a part has the size it had on the GPU before. */
static uint32_t shape_index(rc_builder *b, const rc_shape *s) {
    rc_program *p = b->p;
    bool launch = s->kind == RC_T_LAUNCH; /* all alike */
    uint32_t *recent = &b->recent[launch ? RC_P_COUNT : s->part];
    if (launch && *recent < p->shape_count)
        return *recent;
    if (*recent < p->shape_count && shape_equal(p, &p->shapes[*recent], s))
        p->call_count -= s->calls;
    else
        *recent = intern(p, s);
    return *recent;
}

uint32_t rc_shape_number(rc_builder *b, const rc_shape *s) {
    return shape_index(b, s);
}

void rc_note_shape(rc_builder *b, uint32_t shape) {
    assert(b->notes < sizeof b->noted / sizeof b->noted[0]);
    b->noted[b->notes++] = shape;
}

/* The task that stands there already gets a new shape. */
static uint32_t reshape(rc_builder *b, uint32_t gpu, rc_lane lane, uint32_t shape) {
    rc_program *p = b->p;
    if (b->at >= p->task_count || p->tasks[b->at].gpu != gpu || p->tasks[b->at].lane != lane)
        p->failed = true;
    if (p->failed)
        return RC_TASK_NONE;
    p->tasks[b->at].shape = shape;
    return b->at++;
}

/* Without launches op by op, the first task on a stream after its GPU's host has launched another
 * graph waits for that launch; those behind it on the stream wait for it. */
static void follow_graph(rc_builder *b, uint32_t gpu, rc_lane lane, uint32_t id) {
    if (b->rq->eager || lane >= RC_LANE_HOST)
        return;
    uint32_t host = b->last[gpu * RC_LANE_COUNT + RC_LANE_HOST];
    uint32_t before = b->last[gpu * RC_LANE_COUNT + lane];
    if (host != RC_TASK_NONE && (before == RC_TASK_NONE || before < host))
        rc_emit_dep(b, id, host);
}

static uint32_t append(rc_builder *b, uint32_t gpu, rc_lane lane, const rc_shape *s) {
    rc_program *p = b->p;
    uint32_t shape = shape_index(b, s);
    if (b->noting) {
        rc_note_shape(b, shape);
        return RC_TASK_NONE;
    }
    if (b->refill)
        return reshape(b, gpu, lane, shape);
    if (!grow((void **)&p->tasks, &p->task_room, p->task_count, sizeof *p->tasks))
        p->failed = true;
    if (p->failed)
        return RC_TASK_NONE;
    rc_task *t = &p->tasks[p->task_count];
    *t = (rc_task){.shape = shape,
                   .gpu = gpu,
                   .layer = b->layer,
                   .step = b->step,
                   .lane = (uint8_t)lane,
                   .peer = gpu};
    uint32_t id = (uint32_t)p->task_count++;
    b->at = id + 1;
    follow_graph(b, gpu, lane, id);
    if (lane < RC_LANE_COUNT)
        b->last[gpu * RC_LANE_COUNT + lane] = id;
    return id;
}

uint32_t rc_emit(rc_builder *b, uint32_t gpu, rc_lane lane, const rc_shape *s) {
    if (!b->rq->eager || b->noting || lane == RC_LANE_HOST || lane == RC_LANE_NONE)
        return append(b, gpu, lane, s);
    /* The launch goes before the task; its own shape must not disturb the calls of *s, which are
     * the last in p->calls, so the task is interned first and the launch appended to the host lane
     * after it. */
    uint32_t id = append(b, gpu, lane, s);
    if (b->refill && b->rq->as_template) { /* all launches have one shape, which it has already */
        b->at++;
        return id;
    }
    rc_shape launch = rc_shape_of(RC_T_LAUNCH, RC_P_HOST);
    uint32_t host = append(b, gpu, RC_LANE_HOST, &launch);
    rc_emit_dep(b, id, host);
    return id;
}

void rc_emit_launches(rc_builder *b, uint32_t gpu, int count) {
    const rc_shape launch = rc_shape_of(RC_T_LAUNCH, RC_P_HOST);
    for (int i = 0; b->rq->eager && i < count; i++)
        (void)append(b, gpu, RC_LANE_HOST, &launch);
}

uint32_t rc_emit_port(rc_builder *b, uint32_t gpu, rc_lane lane, const rc_shape *s) {
    assert(s->kind == RC_T_PORT);
    return append(b, gpu, lane, s);
}

void rc_emit_dep(rc_builder *b, uint32_t task, uint32_t before) {
    rc_program *p = b->p;
    if (b->refill || task == RC_TASK_NONE || before == RC_TASK_NONE)
        return;
    if (!grow((void **)&p->deps, &p->dep_room, p->dep_count, sizeof *p->deps)) {
        p->failed = true;
        return;
    }
    p->deps[p->dep_count++] = (rc_dep){task, before};
}

uint32_t rc_emit_message(rc_builder *b, uint32_t gpu, uint32_t peer, rc_lane lane, rc_part part,
                         double bytes) {
    rc_shape s = rc_shape_of(RC_T_MESSAGE, part);
    s.bytes = bytes;
    s.nodes = rc_node_of(b, gpu) == rc_node_of(b, peer) ? 1 : 2;
    s.ranks = b->n;
    s.abreast = s.nodes == 1 ? rc_groups_abreast(b, b->n) : 1;
    if (b->rq->schedule->pieces)
        b->rq->schedule->pieces(b, &s);
    uint32_t id = rc_emit(b, gpu, lane, &s);
    if (id != RC_TASK_NONE)
        b->p->tasks[id].peer = peer;
    return id;
}

void rc_add_call(rc_builder *b, rc_shape *s, const rc_call *call) {
    rc_program *p = b->p;
    if (!grow((void **)&p->calls, &p->call_room, p->call_count, sizeof *p->calls)) {
        p->failed = true;
        return;
    }
    p->calls[p->call_count++] = *call;
    s->calls++;
}

void rc_emit_ring_step(rc_builder *b, uint32_t gpu, rc_host_sync when) {
    if (!b->rq->ring_host || b->n == 1 || b->rq->schedule->host != when)
        return;
    rc_shape s = rc_shape_of(RC_T_RING_STEP, RC_P_HOST);
    for (size_t i = 0; i < b->rq->seq_count; i++)
        if (b->rq->seqs[i].p > 0 && (b->rq->phase != RC_MIXED || !rc_decodes(b, i)))
            s.a = 1;
    uint32_t compute = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMPUTE];
    uint32_t comm = b->last[gpu * RC_LANE_COUNT + RC_LANE_COMM];
    uint32_t id = rc_emit(b, gpu, RC_LANE_HOST, &s);
    rc_emit_dep(b, id, compute);
    rc_emit_dep(b, id, comm);
    if (b->rq->eager)
        return;
    rc_shape launch = rc_shape_of(RC_T_LAUNCH, RC_P_HOST); /* of the graph that follows */
    (void)rc_emit(b, gpu, RC_LANE_HOST, &launch);
}

static void free_template(rc_template *t) {
    if (!t)
        return;
    free(t->sections);
    free(t->blocks);
    free(t->ids);
    free(t->cells);
    free(t);
}

void rc_program_free(rc_program *p) {
    if (!p)
        return;
    free(p->tasks);
    free(p->deps);
    free(p->shapes);
    free(p->calls);
    free(p->slots);
    free(p->scratch);
    free_template(p->layers_of);
    memset(p, 0, sizeof *p);
}

/* A score entry is a product over the keys' head size, and one over the values'. */
static double attention_flops(const rc_shape *s, double entries) {
    return 2.0 * (double)(s->key_size + s->value_size) * s->hq * entries;
}

/* Products of ops that are no plain product or attention. */
static void op_counts(const rc_shape *s, double times, rc_counts *n) {
    const double a = (double)s->a, b = (double)s->b, c = (double)s->c, d = (double)s->d;
    if (strcmp(s->op, "mla_bmm") == 0)
        n->gemm_flops += times * 2.0 * a * b * c * d;
    else if (strcmp(s->op, "moe_ffn") == 0)
        n->gemm_flops += times * 6.0 * a * b * c;
    else if (strcmp(s->op, "dsa_index") == 0 || strcmp(s->op, "dsa_index_step") == 0)
        n->attention_flops +=
            times * 2.0 * c * d * s->key_size * (a * (b - a) + a * (a + 1.0) / 2.0);
    else if (strcmp(s->op, "dsa_attention") == 0 || strcmp(s->op, "grouped_sparse") == 0)
        n->attention_flops += times * 2.0 * a * b * c * (s->key_size + s->value_size);
}

void rc_counts_add(const rc_program *p, uint32_t shape, double times, rc_counts *n) {
    const rc_shape *s = &p->shapes[shape];
    int64_t whole = (int64_t)times, entries = 0;
    switch (s->kind) {
    case RC_T_GEMM:
        n->gemm_flops += times * 2.0 * (double)s->a * (double)s->b * (double)s->c;
        break;
    case RC_T_ATTENTION:
    case RC_T_DECODE:
        for (uint32_t c = 0; c < s->calls; c++)
            entries += rc_call_entries_within(&p->calls[s->first_call + c], s->window);
        if (s->kind == RC_T_ATTENTION) /* keys and values made from latents */
            n->gemm_flops += times * 2.0 * (double)s->a * (double)s->b * (double)s->c;
        entries += s->kind == RC_T_DECODE ? s->a * s->b : 0;
        n->attention_launches += (int)whole;
        n->entries += whole * entries;
        n->attention_flops += times * attention_flops(s, (double)entries);
        break;
    case RC_T_OP:
        op_counts(s, times, n);
        break;
    case RC_T_MESSAGE:
        n->messages += (int)whole;
        n->sent_bytes += times * s->bytes;
        break;
    case RC_T_COLLECTIVE:
        n->collectives += (int)whole;
        n->collective_bytes += times * s->bytes * (s->experts > 0 ? (double)(s->a * s->b) : 1.0);
        break;
    default:
        break;
    }
}

rc_counts rc_program_counts(const rc_program *p, uint32_t gpu) {
    rc_counts n = {0};
    assert(!p->layers_of);
    for (size_t i = 0; i < p->task_count; i++)
        if (p->tasks[i].gpu == gpu)
            rc_counts_add(p, p->tasks[i].shape, 1.0, &n);
    return n;
}
