/* What GPU 0 does in a layer, from what has been evaluated: its work by part and by what that rests
 * on, and the times of its ring.
 *
 * Every task takes as long as it takes, whatever it waited for, but for the messages of an
 * all-to-all: these share links, so they are looked at layer by layer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/forward/replay.h"

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* ---- traces --------------------------------------------------------------------------------- */

bool rc_replay_trace(rc_replay *r) {
    const rc_template *t = r->one.layers_of;
    size_t cells = (size_t)r->gpus * r->gpus;
    if (r->traces)
        return true;
    r->traces = calloc(t->block_count + 1, sizeof *r->traces);
    for (size_t b = 0; r->traces && b < t->block_count; b++) {
        const rc_block *k = &t->blocks[b];
        if (k->kind == RC_BLOCK_EXCHANGE)
            continue;
        size_t arrays = k->kind == RC_BLOCK_GATHER ? 1 : k->decode == RC_SHAPE_NONE ? 3 : 4;
        rc_time *x = malloc(arrays * cells * sizeof *x);
        if (!x) {
            rc_replay_trace_free(r);
            return false;
        }
        r->traces[b].message = x;
        if (arrays == 1)
            continue;
        r->traces[b].host = x + cells;
        r->traces[b].attention = x + 2 * cells;
        r->traces[b].decode = arrays == 4 ? x + 3 * cells : r->traces[b].attention;
    }
    return r->traces != NULL;
}

void rc_replay_trace_free(rc_replay *r) {
    for (size_t b = 0; r->traces && b < r->one.layers_of->block_count; b++)
        free(r->traces[b].message);
    free(r->traces);
    r->traces = NULL;
}

/* ---- work ----------------------------------------------------------------------------------- */

static void add(const rc_replay *r, const rc_what_if *w, uint32_t shape, rc_time times,
                rc_time takes, rc_own_work *out) {
    const rc_shape *s = &r->one.shapes[shape];
    const rc_task own = {.gpu = 0};
    rc_time ticks = times * takes;
    rc_load_add(&out->load, &r->prices[shape].load, times);
    out->part[s->part] += ticks;
    if (rc_task_works(s))
        out->basis[rc_task_basis(w, &own, 1, s, r->prices[shape].basis)] += ticks;
}

static rc_time attention_takes(const rc_ring *k, int step) {
    return rc_ring_costs(k, step, k->slow == 0)[k->cells[(size_t)step * (size_t)k->n]];
}

static rc_time decode_takes(const rc_ring *k) {
    return (k->slow == 0 ? k->slowed : k->cost)[k->block->decode];
}

static void add_ring(const rc_replay *r, const rc_what_if *w, size_t b, rc_time times,
                     rc_own_work *out) {
    const rc_ring *k = &r->rings[b];
    const rc_block *x = k->block;
    rc_time launches = k->eager ? k->n - 1 : 0;
    add(r, w, r->one.layers_of->cells[x->cells], times * (k->n - 1), k->message[0], out);
    if (k->attends)
        launches = !k->eager ? k->n : launches + k->n * (k->decodes ? 2 : 1);
    if (x->launch != RC_SHAPE_NONE)
        add(r, w, x->launch, times * launches, k->launch, out);
    if (k->hosted)
        add(r, w, x->host, times * k->n, k->host, out);
    for (int j = 0; j < k->n && k->attends; j++) {
        uint16_t shape = k->cells[(size_t)j * (size_t)k->n];
        add(r, w, shape, times, attention_takes(k, j), out);
    }
    if (k->decodes)
        add(r, w, x->decode, times * k->n, decode_takes(k), out);
}

/* A collective takes as long as the longest of its tasks. */
static rc_time task_takes(const rc_replay *r, uint32_t task) {
    rc_time longest = r->duration[task];
    if (r->piece_of[task] == UINT32_MAX)
        return longest;
    const rc_piece *x = &r->pieces[r->piece_of[task]];
    for (uint32_t i = 0; i < x->count; i++)
        longest = later(longest, r->duration[r->order[x->task + i]]);
    return longest;
}

void rc_replay_work(const rc_replay *r, const rc_what_if *w, size_t section, rc_time times,
                    rc_own_work *out) {
    const rc_template *t = r->one.layers_of;
    assert(section < t->section_count && times >= 0);
    for (size_t i = r->section_own[section]; i < r->section_own[section + 1]; i++) {
        uint32_t task = r->own[i];
        add(r, w, r->one.tasks[task].shape, times, task_takes(r, task), out);
    }
    for (uint32_t b = t->sections[section].block; b < t->sections[section].block_end; b++)
        if (r->rings[b].n > 0)
            add_ring(r, w, b, times, out);
}

/* GPU 0's messages of one exchange in the order in which they are issued: what each adds to the
 * time in which something was being sent. */
rc_time rc_replay_exchanges(const rc_replay *r, size_t section, rc_time basis[RC_BASIS_COUNT]) {
    const rc_template *t = r->one.layers_of;
    assert(section < t->section_count && basis != NULL);
    rc_time all = 0;
    for (uint32_t b = t->sections[section].block; b < t->sections[section].block_end; b++) {
        const rc_exchange_state *x = &r->exchanged[b];
        if (r->exchange[b].n == 0)
            continue;
        rc_time covered = x->open[0], sent = 0;
        for (int to = 1; to < r->exchange[b].n; to++) {
            int class = x->class_of[0] > x->class_of[to] ? x->class_of[0] : x->class_of[to];
            rc_time start = later(later(x->open[0], x->open[to]), covered);
            rc_time end = x->classes[class].end;
            sent += end > start ? end - start : 0;
            covered = later(covered, end);
        }
        basis[r->prices[t->cells[t->blocks[b].cells]].basis] += sent;
        all += sent;
    }
    return all;
}

/* ---- the times of a ring -------------------------------------------------------------------- */

typedef struct part_times {
    rc_time sum, first, last;
    int64_t count;
} part_times;

static void add_times(part_times *t, rc_time start, rc_time end) {
    if (t->count == 0 || start < t->first)
        t->first = start;
    t->last = t->count == 0 ? end : later(t->last, end);
    t->sum += end - start;
    t->count++;
}

static double mean(const part_times *t) {
    return t->count ? (double)t->sum / (double)t->count / RC_PS_PER_S : 0.0;
}

typedef struct ring_parts {
    part_times attention, later_steps, message, exchange, merge;
} ring_parts;

static void ring_block(const rc_replay *r, uint32_t b, ring_parts *p) {
    const rc_ring *k = &r->rings[b];
    const rc_template *t = r->one.layers_of;
    if (!k->attends)
        return;
    for (int j = 0; j < k->n; j++) {
        rc_time both = attention_takes(k, j) + (k->decodes ? decode_takes(k) : 0);
        p->attention.sum += both;
        p->later_steps.sum += j > 0 ? both : 0;
    }
    p->attention.count += k->n * (k->decodes ? 2 : 1);
    p->later_steps.count += (k->n - 1) * (k->decodes ? 2 : 1);
    p->attention.first = r->first[2 * b];
    p->attention.last = r->value[t->ids[k->block->out + RC_LEFT_ATTENTION * r->gpus]];
    p->message.first = r->first[2 * b + 1];
    p->message.sum += (k->n - 1) * k->message[0];
    p->message.count += k->n - 1;
}

static void own_task(const rc_replay *r, uint32_t task, ring_parts *p) {
    const rc_task *t = &r->one.tasks[task];
    rc_time end = r->value[task], start = end - task_takes(r, task);
    switch (r->one.shapes[t->shape].part) {
    case RC_P_ATTENTION:
        add_times(&p->attention, start, end);
        if (t->step > 0)
            add_times(&p->later_steps, start, end);
        break;
    case RC_P_SENDRECV:
        add_times(&p->message, start, end);
        break;
    case RC_P_ALL2ALL:
        add_times(&p->exchange, start, end);
        break;
    case RC_P_MERGE:
        add_times(&p->merge, start, end);
        break;
    default:
        break;
    }
}

bool rc_replay_ring(const rc_replay *r, size_t section, rc_ring_times *out) {
    const rc_template *t = r->one.layers_of;
    ring_parts p = {.attention.count = 0};
    assert(section < t->section_count);
    for (uint32_t b = t->sections[section].block; b < t->sections[section].block_end; b++) {
        if (r->rings[b].n > 0)
            ring_block(r, b, &p);
        else
            add_times(&p.exchange, r->exchanged[b].open[0], r->exchanged[b].close);
    }
    for (size_t i = r->section_own[section]; i < r->section_own[section + 1]; i++)
        own_task(r, r->own[i], &p);
    if (p.attention.count == 0)
        return false;
    bool sends_first = p.message.count && p.message.first < p.attention.first;
    rc_time first = sends_first ? p.message.first : p.attention.first;
    rc_time last = p.merge.count ? p.merge.last : p.attention.last;
    out->attn_op = p.later_steps.count ? mean(&p.later_steps) : mean(&p.attention);
    out->attn_ring = (double)p.attention.sum / RC_PS_PER_S;
    out->sendrecv = mean(&p.message);
    out->sendrecv_ring = (double)p.message.sum / RC_PS_PER_S;
    out->all2all =
        p.exchange.count ? (double)(p.exchange.last - p.exchange.first) / RC_PS_PER_S : 0.0;
    out->whole = (double)(last - first) / RC_PS_PER_S;
    return true;
}
