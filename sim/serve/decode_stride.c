/* Strides: passes that are known before they begin. A replica whose batch decodes, and where nobody waits, does the same
 * in each pass until a sequence ends: its contexts grow by one. So the times of the next passes are asked for
 * at once, and one event ends them all. Whoever comes in the meantime cuts the stride short: what has ended by
 * then is applied, the pass under way gets an event of its own, and the rest has never been.
 *
 * Passes are applied one by one as without strides and in the same order within a replica, but a memo of pass
 * times meets the passes of several replicas in another order, and which of them it simulates depends on that.
 * So only replicas in parts have them (cluster_parts.c), whose memos are of a part in any case.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/engine/ticks.h"
#include "sim/serve/cluster.h"

/* Whether nothing but its own passes can change the replica's batch for some passes. */
static bool quiet(const cluster *c, const replica *r, const microbatch *m) {
    const rc_serve *s = c->spec;
    return c->router.in_turn > 0 && groups_of(c, r) == 1 && r->stages == 1 && m->pass.decodes &&
           m->pass.prompt_count == 0 &&
           r->queue.waiting.count + r->queue.active.count + r->queue.in_flight +
                   r->queue.late_count + m->batch.ended_count ==
               0 &&
           s->step_kinds == 0 && s->pattern == RC_PATTERN_FULL && s->kv_policy != RC_KV_NONE &&
           !s->decode_by_position && !c->options->player && !c->options->series &&
           !c->options->exact && !c->options->compare;
}

/* How many passes, with the one that is being formed: until the first sequence ends, and as many as there are
 * KV blocks for in any case. */
static uint32_t passes_ahead(const cluster *c, const microbatch *m) {
    const replica *r = m->home;
    const decode_batch *b = &m->batch;
    if (!quiet(c, r, m))
        return 1;
    uint64_t n = b->ends[0].step - b->step;
    uint64_t blocks = (uint64_t)b->count * (STRIDE_MOST / c->block + 1);
    if (rc_kv_pinned_blocks(r->kv) + blocks > c->pools[r->pool].capacity)
        return 1;
    return n < STRIDE_MOST ? (uint32_t)n : STRIDE_MOST;
}

rc_time stride_plan(cluster *c, microbatch *m, const rc_pass *pass, rc_time end) {
    decode_stride *l = &m->stride;
    replica *home = m->home;
    rc_pass next = *pass;
    recent_power power = home->power;
    l->count = l->done = 0;
    l->at = end;
    l->context = pass->context;
    for (uint32_t n = passes_ahead(c, m); l->count + 1 < n; l->count++) {
        rc_pass_cost *cost = &l->cost[l->count];
        next.context += m->batch.growing;
        next.longest++;
        rc_status st = pool_pass_time(c, home, &next, cost, c->err);
        if (st != RC_OK) {
            cluster_fail(c, st);
            break;
        }
        limiter_pass(c, end, &power, cost);
        l->power[l->count] = power;
        end = rc_ticks_add(end, cost->time);
    }
    return end;
}

/* Passes end and the next ones begin, as long as they end before `until`. */
static void apply(cluster *c, microbatch *m, rc_time until) {
    decode_stride *l = &m->stride;
    const uint32_t from = l->done;
    replica *home = m->home;
    const int64_t growth = m->batch.growing;
    assert(l->done <= l->count);
    while (l->done < l->count && l->at < until) {
        decode_step(c, m, l->at);
        if (m->batch.due[m->batch.step % c->block] != NONE)
            decode_grow(c, m, l->at);
        home->stage.busy[0] += l->at - m->pass.start;
        m->pass.start = l->at;
        home->power = l->power[l->done];
        l->at += l->cost[l->done++].time;
    }
    const uint32_t n = l->done - from;
    if (n == 0)
        return;
    const rc_pass first = {.decodes = m->batch.count, .context = l->context + growth};
    metrics_decodes(c, home, &first, growth, &l->cost[from], n);
    l->context += n * growth;
    c->counts.in_strides += n;
}

void stride_end(cluster *c, microbatch *m) {
    apply(c, m, RC_TIME_NEVER);
}

void stride_cut(cluster *c, microbatch *m, rc_time now, rc_event_fn pass_ends) {
    decode_stride *l = &m->stride;
    if (!m->pass.busy || l->done == l->count)
        return;
    apply(c, m, now);
    if (l->done == l->count)
        return;
    l->count = l->done;
    (void)rc_eventq_cancel(c->q, m->pass.end);
    m->pass.end = cluster_at(c, l->at, pass_ends, (uint64_t)(m - c->mb));
}
