/* Passes that somebody else times: what a pass is made of, request by request.
 *
 * The scheduler stays the one of the simulator: who is admitted, which pieces of which prompts a pass
 * computes, who is preempted and what the prefix cache holds are decided here, whether a pass is then
 * timed by the cost model, by real GPUs or by a file of what real GPUs took.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>

#include "sim/serve/cluster.h"

rc_status rc_pass_player_takes(const rc_serve *s, rc_error *err) {
    const rc_pool *p = &s->pools[0];
    if (s->pool_count != 1 || p->replicas != 1 || p->role != RC_POOL_MIXED ||
        rc_pool_groups(p) != 1 || rc_pool_stages(p) != 1)
        return rc_fail(err, RC_E_INPUT,
                       "passes are played for one pool of one replica, without groups and stages: "
                       "pools, replicas, dp and pp must be 1");
    if (s->overlap || s->step_kinds > 0 || s->fault_count > 0 || s->host_memory > 0.0)
        return rc_fail(err, RC_E_INPUT,
                       "passes are played without scheduler.overlap, speculation, faults and KV in "
                       "host memory");
    if (s->pattern != RC_PATTERN_FULL)
        return rc_fail(err, RC_E_INPUT, "passes are played with full attention");
    return RC_OK;
}

rc_status player_check(const cluster *c, rc_error *err) {
    if (!c->options->player)
        return RC_OK;
    return rc_pass_player_takes(c->spec, err);
}

static size_t add_prompts(const cluster *c, const microbatch *m) {
    for (uint32_t i = 0; i < m->pass.prompt_count; i++) {
        const prompt_piece *piece = &m->pass.prompts[i];
        const job *b = &c->jobs[piece->job];
        c->scratch.played[i] =
            (rc_played_sequence){.request = b->number, .t = piece->tokens, .p = b->filled};
    }
    return m->pass.prompt_count;
}

static size_t add_decodes(const cluster *c, const microbatch *m, size_t n) {
    for (uint32_t i = 0; m->pass.decodes && i < m->batch.count; i++) {
        const uint32_t j = m->batch.running[i];
        const int64_t keys = (int64_t)c->trace->at[j].input + job_generated(c, j);
        c->scratch.played[n++] = (rc_played_sequence){
            .request = c->jobs[j].number, .t = 1, .p = keys - 1, .decodes = true};
    }
    return n;
}

/* Without `overlap`, which no player takes, the host's time is a summand. */
static rc_status add_modelled(cluster *c, replica *r, const rc_pass *formed, rc_time now,
                              rc_played_pass *pass) {
    rc_pass_cost cost;
    if (!c->options->player->modelled)
        return RC_OK;
    RC_TRY(pool_pass_time(c, r, formed, &cost, c->err));
    limiter_pass(c, now, &r->power, &cost);
    pass->model_host = pool_host_time(c->spec, formed);
    pass->model_gpu = cost.time - pass->model_host;
    return RC_OK;
}

rc_status player_time(cluster *c, microbatch *m, const rc_pass *formed, rc_time now,
                      rc_time *took) {
    replica *r = m->home;
    const rc_pass_player *x = c->options->player;
    assert(x && c->scratch.played);
    const size_t n = add_decodes(c, m, add_prompts(c, m));
    rc_played_pass pass = {.at = c->scratch.played, .count = n, .start = now, .kv = r->kv};
    assert(n > 0);
    RC_TRY(pool_pass_schedule(c, pool_of(c, r), formed, &pass.schedule, c->err));
    RC_TRY(add_modelled(c, r, formed, now, &pass));
    RC_TRY(x->pass(x->ctx, &pass, took, c->err));
    return *took > 0 ? RC_OK
                     : rc_fail(c->err, RC_E_INTERNAL, "a pass that was played took no time");
}

void player_release(const cluster *c, uint32_t j) {
    const rc_pass_player *x = c->options->player;
    if (x && x->release)
        x->release(x->ctx, c->jobs[j].number);
}
