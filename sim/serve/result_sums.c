/* Results of several runs, or of parts of one, added up.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/serve/serve.h"

static void merge_hists(rc_serve_result *a, const rc_serve_result *b) {
    rc_hist *into[] = {&a->ttft,    &a->gap,   &a->e2e,         &a->ttit,  &a->queue,
                       &a->service, &a->batch, &a->pass_tokens, &a->input, &a->output};
    const rc_hist *from[] = {&b->ttft,    &b->gap,   &b->e2e,         &b->ttit,  &b->queue,
                             &b->service, &b->batch, &b->pass_tokens, &b->input, &b->output};
    for (size_t i = 0; i < sizeof into / sizeof into[0]; i++)
        rc_hist_merge(into[i], from[i]);
    for (int i = 0; i < a->objective_count; i++) {
        a->objectives[i].asked += b->objectives[i].asked;
        a->objectives[i].kept += b->objectives[i].kept;
        rc_hist_merge(&a->objectives[i].served, &b->objectives[i].served);
    }
}

static void merge_pool(rc_pool_result *p, const rc_pool_result *q) {
    double decoding[] = {(double)(p->decode_passes + p->mixed_passes),
                         (double)(q->decode_passes + q->mixed_passes)};
    if (decoding[0] + decoding[1] > 0.0)
        p->batch_mean = (p->batch_mean * decoding[0] + q->batch_mean * decoding[1]) /
                        (decoding[0] + decoding[1]);
    p->prefill_passes += q->prefill_passes;
    p->decode_passes += q->decode_passes;
    p->mixed_passes += q->mixed_passes;
    p->prefill_tokens += q->prefill_tokens;
    p->decode_tokens += q->decode_tokens;
    p->busy_s += q->busy_s;
    p->up_s += q->up_s;
    p->work_s += q->work_s;
    p->kv_held_s += q->kv_held_s;
    p->kv_room_s += q->kv_room_s;
    p->kv_peak = fmax(p->kv_peak, q->kv_peak);
    p->flops += q->flops;
    p->smaller_cp += q->smaller_cp;
    for (int k = 0; k < RC_BASIS_COUNT; k++)
        p->rests[k] += q->rests[k];
    for (int k = 0; k < RC_SCHEDULES_MAX; k++)
        p->by_schedule[k] += q->by_schedule[k];
}

static void merge_counts(rc_serve_result *a, const rc_serve_result *b) {
    uint64_t *into[] = {&a->requests,          &a->done,           &a->rejected,
                        &a->queue_full,        &a->too_large,      &a->lost,
                        &a->preempted,         &a->retried,        &a->tokens_in,
                        &a->tokens_out,        &a->kv_hit_tokens,  &a->kv_miss_tokens,
                        &a->recomputed_tokens, &a->fetched_tokens, &a->moved_tokens,
                        &a->within_slo,        &a->events,         &a->admitted};
    const uint64_t *from[] = {&b->requests,          &b->done,           &b->rejected,
                              &b->queue_full,        &b->too_large,      &b->lost,
                              &b->preempted,         &b->retried,        &b->tokens_in,
                              &b->tokens_out,        &b->kv_hit_tokens,  &b->kv_miss_tokens,
                              &b->recomputed_tokens, &b->fetched_tokens, &b->moved_tokens,
                              &b->within_slo,        &b->events,         &b->admitted};
    for (size_t i = 0; i < sizeof into / sizeof into[0]; i++)
        *into[i] += *from[i];
    a->gpu_hours += b->gpu_hours;
    a->cost += b->cost;
    a->passes.exact += b->passes.exact;
    a->passes.reused += b->passes.reused;
    a->passes.interpolated += b->passes.interpolated;
    a->passes.simulated += b->passes.simulated;
    a->passes.cells += b->passes.cells;
    a->max_pass_error = fmax(a->max_pass_error, b->max_pass_error);
    for (int i = 0; i < a->pool_count; i++)
        merge_pool(&a->pools[i], &b->pools[i]);
}

void rc_serve_result_add(rc_serve_result *into, const rc_serve_result *from) {
    assert(into->pool_count == from->pool_count);
    merge_hists(into, from);
    merge_counts(into, from);
}

/* ---- shares ----------------------------------------------------------------------------- */

static double share_of(double part, double whole) {
    return whole > 0.0 ? part / whole : NAN;
}

static const rc_pool_result *pool_at(const rc_serve_result *r, int pool) {
    assert(pool >= 0 && pool < r->pool_count);
    return &r->pools[pool];
}

double rc_pool_computes(const rc_serve_result *r, int pool) {
    const rc_pool_result *p = pool_at(r, pool);
    return share_of(p->busy_s, p->up_s);
}

double rc_pool_work(const rc_serve_result *r, int pool) {
    const rc_pool_result *p = pool_at(r, pool);
    return share_of(p->work_s, p->up_s);
}

double rc_pool_kv_mean(const rc_serve_result *r, int pool) {
    const rc_pool_result *p = pool_at(r, pool);
    return share_of(p->kv_held_s, p->kv_room_s);
}

double rc_pool_most_load(const rc_serve_result *r, int pool) {
    const rc_pool_result *p = pool_at(r, pool);
    return (double)p->replicas * p->groups * (double)r->admitted / p->work_s;
}
