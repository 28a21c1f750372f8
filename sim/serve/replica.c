/* One replica: form a pass from what is there, ask how long it takes, apply it when it ends.
 *
 * Prefill first: as soon as a prompt can be admitted a pass computes prompts only (several whole
 * ones fused while they fit the budget), and the sequences that decode wait for it. Chunked: every
 * pass holds all sequences that decode and, as far as the budget of tokens goes, pieces of prompts.
 *
 * Groups with requests of their own (attention data parallelism) form their passes each for itself, at the
 * same time; the passes begin and end together, and a group without one waits as well.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

/* ---- forming a pass ------------------------------------------------------------------- */

static uint32_t group_index(const cluster *c, const replica *r) {
    return r->index % groups_of(c, r);
}

static rc_sequence *parts_of(const cluster *c, const replica *r) {
    return c->scratch.parts + (size_t)group_index(c, r) * (size_t)c->spec->fuse;
}

/* Tokens that the pass being formed may still take of a prompt. */
static int64_t piece_left(const cluster *c, const replica *r, int64_t tokens) {
    const int64_t memory = c->pools[r->pool].largest - tokens;
    const int64_t budget = c->spec->budget > 0 ? c->spec->budget - tokens : INT64_MAX;
    const int64_t least = memory < budget ? memory : budget;
    return least > 1 ? least : 1;
}

/* A prompt that is to run whole waits for a pass with room for it, unless it is too long for any. */
static bool whole_waits(const rc_serve *s, int64_t tokens, int64_t t) {
    return s->sched == RC_SCHED_INFLIGHT && tokens > 0 && t <= s->budget;
}

static void take_piece(cluster *c, microbatch *m, uint32_t j, int64_t t, rc_time now) {
    job *b = &c->jobs[j];
    parts_of(c, m->home)[m->pass.prompt_count] = (rc_sequence){t, (int64_t)b->filled + b->chunk};
    m->pass.prompts[m->pass.prompt_count++] = (prompt_piece){j, (uint32_t)t};
    b->chunk += (uint32_t)t;
    if (c->rows[j].started < 0)
        c->rows[j].started = now;
}

/* The next prompt of which there is something left to compute behind what earlier passes are at; NONE. */
static uint32_t next_prompt(cluster *c, replica *r, uint32_t j, rc_time now) {
    do
        j = admit_prompt(c, r, j, now);
    while (j != NONE && c->jobs[j].filled + c->jobs[j].chunk == c->jobs[j].goal);
    return j;
}

/* Prompts, or pieces of them, into parts_of and m->pass.prompts; returns the tokens of the pass. */
static int64_t take_prompts(cluster *c, microbatch *m, int64_t tokens, rc_time now) {
    const rc_serve *s = c->spec;
    replica *r = m->home;
    uint32_t j = NONE;
    while (m->pass.prompt_count < (uint32_t)s->fuse && (s->budget == 0 || tokens < s->budget)) {
        r->forming.room = piece_left(c, r, tokens);
        j = next_prompt(c, r, j, now);
        if (j == NONE)
            break;
        const job *b = &c->jobs[j];
        const int64_t room = pool_of(c, r)->largest - tokens; /* in the memory of a pass */
        const int64_t before = (int64_t)b->filled + b->chunk;
        int64_t t = b->goal - before;
        const bool whole = s->sched != RC_SCHED_CHUNKED;
        if (room <= 0 || (whole && t > room && m->pass.prompt_count > 0))
            break;
        t = t < room ? t : room; /* a prompt with its reply so far may be longer than any */
        bool fits = s->budget == 0 || tokens + t <= s->budget;
        if (s->sched == RC_SCHED_CHUNKED && !fits)
            t = s->budget - tokens;
        else if (!fits && (m->pass.prompt_count > 0 || whole_waits(s, tokens, t)))
            break;
        if (!decode_make_room(c, m, j, (uint64_t)(before + t + (before + t == b->goal)), now))
            break;
        take_piece(c, m, j, t, now);
        tokens += t;
    }
    return tokens;
}

/* Tokens of the sequences that decode: with speculation all that a step may accept are computed. */
static int64_t step_tokens(const cluster *c, const microbatch *m) {
    const int64_t each = c->spec->step_kinds > 1 ? c->spec->step_kinds : 1;
    return ((int64_t)m->batch.count + m->batch.ended_count) * each;
}

static void take_decodes(cluster *c, microbatch *m, rc_time now) {
    if (m->batch.count > 0)
        decode_grow(c, m, now);
    m->pass.decodes = m->batch.count > 0;
}

static bool form(cluster *c, microbatch *m, rc_time now) {
    m->pass.prompt_count = 0;
    m->pass.decodes = false;
    m->home->forming.gave_way = false;
    if (c->spec->sched != RC_SCHED_PREFILL_FIRST) {
        take_decodes(c, m, now);
        (void)take_prompts(c, m, step_tokens(c, m), now);
        m->pass.decodes = m->batch.count > 0; /* prompts may have pushed out all that decoded */
    } else {
        (void)take_prompts(c, m, 0, now);
        if (m->pass.prompt_count == 0)
            take_decodes(c, m, now);
    }
    return m->pass.prompt_count > 0 || m->pass.decodes;
}

/* ---- its end -------------------------------------------------------------------------- */

static void hand_over(cluster *c, replica *r, uint32_t j, rc_time now) {
    admit_hand_over(c, j);
    router_leave(r);
    route_decode(c, j, now);
}

static void prompt_done(cluster *c, microbatch *m, uint32_t j, rc_time now) {
    replica *r = m->home;
    job *b = &c->jobs[j];
    rc_served *row = &c->rows[j];
    assert(b->filled == b->goal);
    admit_leave_active(c, j);
    metrics_prompt(c, b->goal);
    admit_progress(c, j, b->kv.queued);
    metrics_emitted(c, 1);
    if (row->generated++ == 0)
        metrics_first(c, j, now);
    else
        metrics_gap(c, now - b->last, 1);
    b->last = now;
    if (row->generated == c->trace->at[j].output) {
        decode_runs_on(c, m, j);
        router_leave(r);
        job_release(c, j);
        job_end(c, j, RC_DONE, now);
    } else if (pool_of(c, r)->spec->role == RC_POOL_PREFILL) {
        hand_over(c, r, j, now);
    } else {
        decode_join(c, m, j);
    }
}

static void piece_ends(cluster *c, microbatch *m, const prompt_piece *piece, rc_time now) {
    job *b = &c->jobs[piece->job];
    b->kv.tail = piece->tokens;
    b->kv.tail_took = now - (m->pass.span ? m->pass.span->start : m->pass.start);
    assert(b->chunk >= piece->tokens);
    b->filled += piece->tokens;
    b->chunk -= piece->tokens;
    metrics_computed(c, piece->tokens);
    if (b->filled < b->goal)
        admit_progress(c, piece->job, piece->tokens);
    rc_kv_filled(m->home->kv, b->kv.lease, b->filled);
    if (b->filled == b->goal)
        prompt_done(c, m, piece->job, now);
}

static void pass_ended(cluster *c, microbatch *m, rc_time now) {
    m->batch.ended_count = 0; /* in the pass that has ended they were for the last time */
    m->batch.ended_context = 0;
    if (m->pass.decodes)
        decode_step(c, m, now);
    for (uint32_t i = 0; i < m->pass.prompt_count; i++)
        piece_ends(c, m, &m->pass.prompts[i], now);
    admit_join_late(c, m);
    m->pass.prompt_count = 0;
    m->pass.decodes = false;
}

/* ---- the loop ------------------------------------------------------------------------- */

static const int64_t *all_contexts(cluster *c, const microbatch *m) {
    int64_t *contexts =
        c->scratch.contexts + (size_t)group_index(c, m->home) * (size_t)c->spec->max_batch;
    for (uint32_t i = 0; i < m->batch.count; i++) {
        uint32_t j = m->batch.running[i];
        int64_t keys = (int64_t)c->trace->at[j].input + job_generated(c, j);
        contexts[i] = context_seen(c->spec, keys) - 1;
    }
    return contexts;
}

static bool replica_busy(const replica *r) {
    bool busy = false;
    for (uint32_t k = 0; k < r->stages && !busy; k++)
        busy = r->mb[k].pass.busy;
    return busy;
}

/* What one group does next. False: nothing. */
static bool take_up(cluster *c, microbatch *m, rc_pass *pass, rc_time now) {
    replica *r = m->home;
    admit_ready(c, r, now);
    *pass = (rc_pass){.prefills = 0};
    /* A second try: when all that decoded gave way, their prompts may be computed again. While a pass is under
     * way its end will come to that. */
    if (!form(c, m, now) && (r->queue.waiting.head == NONE || replica_busy(r) || !form(c, m, now)))
        return false;
    *pass = (rc_pass){.prefill = parts_of(c, r), .prefills = m->pass.prompt_count};
    if (m->pass.decodes) {
        decode_pass(c, m, pass);
        if ((c->options->exact || c->options->compare) && m->batch.ended_count == 0)
            pass->contexts = all_contexts(c, m);
    }
    if (m->pass.decodes || c->spec->sched != RC_SCHED_PREFILL_FIRST) {
        pass->decodes += m->batch.ended_count;
        pass->context += m->batch.ended_context;
    }
    return true;
}

static int64_t tokens_of(const rc_pass *pass) {
    int64_t tokens = pass->decodes;
    for (uint32_t i = 0; i < pass->prefills; i++)
        tokens += pass->prefill[i].t;
    return tokens;
}

/* Another group, as healthy, decodes at least as many sequences over at least as many keys: it takes as
 * long. */
static bool is_outdone(const replica *first, const rc_pass *pass, uint32_t groups, uint32_t g) {
    for (uint32_t k = 0; k < groups && pass[g].prefills == 0; k++) {
        const rc_pass *a = &pass[g], *b = &pass[k];
        bool same = a->decodes == b->decodes && a->context == b->context &&
                    a->longest == b->longest && a->rows == b->rows;
        if (k != g && first[k].health.condition == first[g].health.condition && b->prefills == 0 &&
            b->decodes >= a->decodes && b->context >= a->context && b->longest >= a->longest &&
            b->rows >= a->rows && (!same || k < g))
            return true;
    }
    return false;
}

/* The groups wait for each other in every layer, so that all take as long as the slowest. */
static rc_status time_of_all(cluster *c, replica *first, rc_pass *pass, rc_pass_cost *most) {
    const uint32_t groups = groups_of(c, first);
    int64_t all = 0;
    for (uint32_t g = 0; g < groups; g++)
        all += tokens_of(&pass[g]);
    *most = (rc_pass_cost){.time = 0};
    for (uint32_t g = 0; g < groups; g++) {
        rc_pass_cost cost = {.time = 1};
        if (pass[g].prefills + pass[g].decodes == 0 || is_outdone(first, pass, groups, g))
            continue;
        pass[g].elsewhere = all - tokens_of(&pass[g]);
        RC_TRY(pool_pass_time(c, &first[g], &pass[g], &cost, c->err));
        if (cost.time > most->time)
            *most = cost;
    }
    return RC_OK;
}

static rc_status time_played(cluster *c, microbatch *m, const rc_pass *pass, rc_pass_cost *cost,
                             rc_time now) {
    *cost = (rc_pass_cost){.rests = {[RC_MEASURED] = 1.0F}};
    return player_time(c, m, pass, now, &cost->time);
}

static void pass_ends(void *ctx, uint64_t arg, rc_time now);

static void begin(cluster *c, microbatch *m, const rc_pass *pass, const rc_pass_cost *cost,
                  rc_time now) {
    m->pass.end =
        cluster_at(c, stages_enter(c, m, pass, cost, now), pass_ends, (uint64_t)(m - c->mb));
}

/* The next pass of microbatch `k` of all groups. False: there is nothing to do, or the run has failed. */
static bool start(cluster *c, replica *first, uint32_t k, rc_time now) {
    const uint32_t groups = groups_of(c, first);
    rc_pass *pass = c->scratch.of_group;
    rc_pass_cost cost;
    bool any = false;
    for (uint32_t g = 0; g < groups; g++)
        any = take_up(c, &first[g].mb[k], &pass[g], now) || any;
    if (!any)
        return false;
    rc_status st = c->options->player ? time_played(c, &first->mb[k], pass, &cost, now)
                                      : time_of_all(c, first, pass, &cost);
    if (st != RC_OK) {
        cluster_fail(c, st);
        return false;
    }
    if (!c->options->player)
        limiter_pass(c, now, &first->power, &cost);
    for (uint32_t g = 0; g < groups; g++) {
        microbatch *m = &first[g].mb[k];
        if (pass[g].prefills + pass[g].decodes > 0) {
            metrics_pass(c, &first[g], &pass[g], &cost);
            spans_pass_begins(c, m, &pass[g], &cost, now);
        }
        spans_counts(c, &first[g], now);
        m->pass.busy = true;
        m->pass.start = now;
    }
    metrics_state(c, now);
    begin(c, &first->mb[k], pass, &cost, now);
    return true;
}

static void tell_counts(cluster *c, replica *first, rc_time now) {
    for (uint32_t g = 0; g < groups_of(c, first); g++)
        spans_counts(c, &first[g], now);
    metrics_state(c, now);
}

/* Passes for all microbatches that are not under way, `k` before the others. */
static void go_on(cluster *c, replica *first, uint32_t k, rc_time now) {
    bool told = false; /* by the pass that was begun last, if nothing was tried behind it */
    if (!first->health.up)
        return;
    assert(now >= first->health.up_since);
    for (uint32_t i = 0; i < first->stages && c->status == RC_OK; i++, k++) {
        k = k < first->stages ? k : 0;
        if (!first->mb[k].pass.busy)
            told = start(c, first, k, now);
    }
    if (!told && c->status == RC_OK) /* a request has come, perhaps, while passes are under way */
        tell_counts(c, first, now);
}

void replica_kick(cluster *c, replica *r, rc_time now) {
    go_on(c, first_group(c, r), 0, now);
}

/* Most passes are followed by the same batch with one token more each: nobody waits, nobody ends and no
 * block is due. Then there is nothing to form. */
static bool decodes_on(const cluster *c, const microbatch *m) {
    const decode_batch *b = &m->batch;
    const replica *r = m->home;
    return m->pass.decodes && b->count > 0 && m->pass.prompt_count == 0 && groups_of(c, r) == 1 &&
           r->queue.waiting.count + r->queue.active.count + r->queue.late_count == 0 &&
           c->spec->step_kinds == 0 && c->router.in_turn == 0 && !c->options->exact &&
           !c->options->compare && !c->options->player && !c->options->spans &&
           b->ends[0].step > b->step + 1 && b->due[(b->step + 1) % c->block] == NONE;
}

static void decode_on(cluster *c, microbatch *m, rc_time now) {
    replica *r = m->home;
    rc_pass_cost cost;
    m->batch.ended_count = 0;
    m->batch.ended_context = 0;
    decode_step(c, m, now);
    rc_pass pass = {.prefills = 0};
    decode_pass(c, m, &pass);
    rc_status st = pool_pass_time(c, r, &pass, &cost, c->err);
    if (st != RC_OK) {
        cluster_fail(c, st);
        return;
    }
    limiter_pass(c, now, &r->power, &cost);
    metrics_pass(c, r, &pass, &cost);
    metrics_state(c, now);
    r->forming.gave_way = false;
    m->pass.start = now;
    begin(c, m, &pass, &cost, now);
}

static void pass_ends(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    microbatch *m = &c->mb[arg];
    replica *first = m->home;
    const uint32_t groups = groups_of(c, first), k = (uint32_t)(m - first->mb);
    assert(m->pass.busy);
    stride_end(c, m);
    if (decodes_on(c, m)) {
        stages_left(m, now);
        decode_on(c, m, now);
        return;
    }
    for (uint32_t g = 0; g < groups; g++) {
        first[g].mb[k].pass.busy = false;
        first[g].mb[k].pass.end = 0;
        stages_left(&first[g].mb[k], now);
    }
    for (uint32_t g = 0; g < groups; g++) {
        spans_pass_ends(c, &first[g].mb[k], now);
        pass_ended(c, &first[g].mb[k], now);
    }
    go_on(c, first, k, now);
}

void replica_disturb(cluster *c, replica *r, rc_time now) {
    stride_cut(c, first_group(c, r)->mb, now, pass_ends);
}

static void abort_pass(cluster *c, microbatch *m, rc_time now) {
    if (m->pass.busy) {
        assert(now >= m->pass.start);
        if (m->pass.end != 0)
            (void)rc_eventq_cancel(c->q, m->pass.end);
        stages_left(m, now);
        spans_pass_ends(c, m, now);
    }
    for (uint32_t i = 0; i < m->pass.prompt_count; i++)
        c->jobs[m->pass.prompts[i].job].chunk = 0;
    m->pass.end = 0;
    m->pass.busy = m->pass.decodes = false;
    m->pass.prompt_count = 0;
    m->batch.ended_count = 0;
    m->batch.ended_context = 0;
}

void replica_abort(cluster *c, replica *r, rc_time now) {
    for (uint32_t k = 0; k < r->stages; k++)
        abort_pass(c, &r->mb[k], now);
    stages_reset(r, now);
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status replica_create(cluster *c, replica *r, rc_error *err) {
    const rc_serve *s = c->spec;
    const pool *p = pool_of(c, r);
    size_t most =
        (uint64_t)s->max_batch < c->load.requests ? (size_t)s->max_batch : (size_t)c->load.requests;
    double host = s->host_memory * pool_kv_gpus(c, p) / (p->token_bytes * c->block);
    rc_kv_config k = {.block = c->block,
                      .capacity = p->capacity,
                      .host = host < RC_KV_MOST_BLOCKS ? (uint32_t)host : RC_KV_MOST_BLOCKS,
                      .sessions = c->load.sessions,
                      .policy = s->kv_policy,
                      .whole_hits = s->kv_whole_hits,
                      .held = &c->pools[r->pool].kv.held};
    /* a prefill replica holds leases until its KV has been moved */
    k.requests = p->spec->role == RC_POOL_PREFILL ? (uint32_t)c->load.requests : (uint32_t)most;
    if (k.requests > p->capacity)
        k.requests = p->capacity;
    RC_TRY(rc_kv_create(&k, &r->kv, err));
    RC_TRY(admission_create(r, most, err));
    for (uint32_t i = 0; i < r->stages; i++) {
        microbatch *m = &r->mb[i];
        RC_TRY(batch_create(c, &m->batch, most, err));
        m->pass.prompts = calloc((size_t)s->fuse, sizeof *m->pass.prompts);
        if (!m->pass.prompts)
            return rc_fail(err, RC_E_NOMEM, "out of memory for a replica");
    }
    r->health.up = true;
    return stages_create(r, err);
}

void replica_destroy(replica *r) {
    rc_kv_destroy(r->kv);
    admission_destroy(r);
    for (uint32_t i = 0; i < r->stages; i++) {
        batch_destroy(&r->mb[i].batch);
        free(r->mb[i].pass.prompts);
    }
    stages_destroy(r);
}

rc_status scratch_create(cluster *c, rc_error *err) {
    size_t groups = 1;
    for (int i = 0; i < c->spec->pool_count; i++)
        if ((size_t)rc_pool_groups(&c->spec->pools[i]) > groups)
            groups = (size_t)rc_pool_groups(&c->spec->pools[i]);
    c->scratch.parts = calloc(groups * (size_t)c->spec->fuse, sizeof *c->scratch.parts);
    c->scratch.contexts = calloc(groups * (size_t)c->spec->max_batch, sizeof *c->scratch.contexts);
    c->scratch.of_group = calloc(groups, sizeof *c->scratch.of_group);
    if (c->options->player)
        c->scratch.played =
            calloc((size_t)c->spec->fuse + (size_t)c->spec->max_batch, sizeof *c->scratch.played);
    return c->scratch.parts && c->scratch.contexts && c->scratch.of_group &&
                   (c->scratch.played || !c->options->player)
               ? RC_OK
               : rc_fail(err, RC_E_NOMEM, "out of memory for passes");
}

void scratch_destroy(cluster *c) {
    free(c->scratch.parts);
    free(c->scratch.contexts);
    free(c->scratch.of_group);
    free(c->scratch.played);
}
