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

/* Prompts, or pieces of them, into parts_of and r->pass.prompts; returns the tokens of the pass. */
static int64_t take_prompts(cluster *c, replica *r, int64_t tokens, rc_time now) {
    const rc_serve *s = c->spec;
    uint32_t j = NONE;
    while (r->pass.prompt_count < (uint32_t)s->fuse && (s->budget == 0 || tokens < s->budget)) {
        r->pass.room = piece_left(c, r, tokens);
        j = admit_prompt(c, r, j, now);
        if (j == NONE)
            break;
        job *b = &c->jobs[j];
        const int64_t room = pool_of(c, r)->largest - tokens; /* in the memory of a pass */
        int64_t t = b->goal - b->filled;
        const bool whole = s->sched != RC_SCHED_CHUNKED;
        if (room <= 0 || (whole && t > room && r->pass.prompt_count > 0))
            break;
        t = t < room ? t : room; /* a prompt with its reply so far may be longer than any */
        bool fits = s->budget == 0 || tokens + t <= s->budget;
        if (s->sched == RC_SCHED_CHUNKED && !fits)
            t = s->budget - tokens;
        else if (!fits && (r->pass.prompt_count > 0 || whole_waits(s, tokens, t)))
            break;
        if (!decode_make_room(c, r, j, (uint64_t)(b->filled + t + (b->filled + t == b->goal)), now))
            break;
        parts_of(c, r)[r->pass.prompt_count] = (rc_sequence){t, b->filled};
        r->pass.prompts[r->pass.prompt_count++] = j;
        b->chunk = (uint32_t)t;
        tokens += t;
        if (c->rows[j].started < 0)
            c->rows[j].started = now;
    }
    return tokens;
}

/* Tokens of the sequences that decode: with speculation all that a step may accept are computed. */
static int64_t step_tokens(const cluster *c, const replica *r) {
    const int64_t each = c->spec->step_kinds > 1 ? c->spec->step_kinds : 1;
    return ((int64_t)r->batch.count + r->batch.ended_count) * each;
}

static void take_decodes(cluster *c, replica *r, rc_time now) {
    if (r->batch.count > 0)
        decode_grow(c, r, now);
    r->pass.decodes = r->batch.count > 0;
}

static bool form(cluster *c, replica *r, rc_time now) {
    r->pass.prompt_count = 0;
    r->pass.decodes = false;
    r->pass.gave_way = false;
    if (c->spec->sched != RC_SCHED_PREFILL_FIRST) {
        take_decodes(c, r, now);
        (void)take_prompts(c, r, step_tokens(c, r), now);
        r->pass.decodes = r->batch.count > 0; /* prompts may have pushed out all that decoded */
    } else {
        (void)take_prompts(c, r, 0, now);
        if (r->pass.prompt_count == 0)
            take_decodes(c, r, now);
    }
    return r->pass.prompt_count > 0 || r->pass.decodes;
}

/* ---- its end -------------------------------------------------------------------------- */

static void hand_over(cluster *c, replica *r, uint32_t j, rc_time now) {
    admit_hand_over(c, j);
    router_leave(r);
    route_decode(c, j, now);
}

static void prompt_done(cluster *c, replica *r, uint32_t j, rc_time now) {
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
        decode_runs_on(c, r, j);
        router_leave(r);
        job_release(c, j);
        job_end(c, j, RC_DONE, now);
    } else if (pool_of(c, r)->spec->role == RC_POOL_PREFILL) {
        hand_over(c, r, j, now);
    } else {
        decode_join(c, r, j);
    }
}

static void group_ends(cluster *c, replica *r, rc_time now) {
    r->batch.ended_count = 0; /* in the pass that has ended they were for the last time */
    r->batch.ended_context = 0;
    if (r->pass.decodes)
        decode_step(c, r, now);
    for (uint32_t i = 0; i < r->pass.prompt_count; i++) {
        uint32_t j = r->pass.prompts[i];
        job *b = &c->jobs[j];
        const uint32_t tokens = b->chunk;
        b->kv.tail = tokens;
        b->kv.tail_took = now - r->pass.start;
        b->filled += tokens;
        b->chunk = 0;
        metrics_computed(c, tokens);
        if (b->filled < b->goal)
            admit_progress(c, j, tokens);
        rc_kv_filled(r->kv, b->kv.lease, b->filled);
        if (b->filled == b->goal)
            prompt_done(c, r, j, now);
    }
    admit_join_late(c, r);
    r->pass.prompt_count = 0;
    r->pass.decodes = false;
}

/* ---- the loop ------------------------------------------------------------------------- */

static const int64_t *all_contexts(cluster *c, const replica *r) {
    int64_t *contexts =
        c->scratch.contexts + (size_t)group_index(c, r) * (size_t)c->spec->max_batch;
    for (uint32_t i = 0; i < r->batch.count; i++) {
        uint32_t j = r->batch.running[i];
        int64_t keys = (int64_t)c->trace->at[j].input + job_generated(c, j);
        contexts[i] = context_seen(c->spec, keys) - 1;
    }
    return contexts;
}

/* What one group does next. False: nothing. */
static bool take_up(cluster *c, replica *r, rc_pass *pass, rc_time now) {
    admit_ready(c, r, now);
    *pass = (rc_pass){.prefills = 0};
    /* A second try: when all that decoded gave way, their prompts may be computed again. */
    if (!form(c, r, now) && (r->queue.waiting.head == NONE || !form(c, r, now)))
        return false;
    *pass = (rc_pass){.prefill = parts_of(c, r), .prefills = r->pass.prompt_count};
    if (r->pass.decodes) {
        pass->decodes = r->batch.count;
        pass->context = r->batch.context;
        pass->longest = decode_longest(c, r);
        if ((c->options->exact || c->options->compare) && r->batch.ended_count == 0)
            pass->contexts = all_contexts(c, r);
    }
    if (r->pass.decodes || c->spec->sched != RC_SCHED_PREFILL_FIRST) {
        pass->decodes += r->batch.ended_count;
        pass->context += r->batch.ended_context;
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
        bool same =
            a->decodes == b->decodes && a->context == b->context && a->longest == b->longest;
        if (k != g && first[k].health.condition == first[g].health.condition && b->prefills == 0 &&
            b->decodes >= a->decodes && b->context >= a->context && b->longest >= a->longest &&
            (!same || k < g))
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

static rc_status time_played(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *cost,
                             rc_time now) {
    *cost = (rc_pass_cost){.time = 0};
    cost->rests[RC_MEASURED] = 1.0F;
    return player_time(c, r, pass, now, &cost->time);
}

static void pass_ends(void *ctx, uint64_t arg, rc_time now);

static void begin(cluster *c, replica *first, const rc_pass *pass, const rc_pass_cost *cost,
                  rc_time now) {
    first->pass.end = cluster_at(c, stride_plan(c, first, pass, now + cost->time), pass_ends,
                                 (uint64_t)(first - c->replicas));
}

void replica_kick(cluster *c, replica *r, rc_time now) {
    replica *first = first_group(c, r);
    const uint32_t groups = groups_of(c, r);
    rc_pass *pass = c->scratch.of_group;
    rc_pass_cost cost;
    bool any = false;
    if (!first->health.up || first->pass.busy || c->status != RC_OK)
        return;
    assert(now >= first->health.up_since);
    for (uint32_t g = 0; g < groups; g++)
        any = take_up(c, &first[g], &pass[g], now) || any;
    if (!any) {
        for (uint32_t g = 0; g < groups; g++)
            spans_counts(c, &first[g], now);
        metrics_state(c, now);
        return;
    }
    rc_status st = c->options->player ? time_played(c, first, pass, &cost, now)
                                      : time_of_all(c, first, pass, &cost);
    if (st != RC_OK) {
        cluster_fail(c, st);
        return;
    }
    for (uint32_t g = 0; g < groups; g++) {
        if (pass[g].prefills + pass[g].decodes > 0) {
            metrics_pass(c, &first[g], &pass[g], &cost);
            spans_pass_begins(c, &first[g], &pass[g], &cost, now);
        }
        spans_counts(c, &first[g], now);
        first[g].pass.busy = true;
        first[g].pass.start = now;
    }
    metrics_state(c, now);
    begin(c, first, pass, &cost, now);
}

/* Most passes are followed by the same batch with one token more each: nobody waits, nobody ends and no
 * block is due. Then there is nothing to form. */
static bool decodes_on(const cluster *c, const replica *r) {
    const decode_batch *b = &r->batch;
    return r->pass.decodes && b->count > 0 && r->pass.prompt_count == 0 && groups_of(c, r) == 1 &&
           r->queue.waiting.count + r->queue.active.count + r->queue.late_count == 0 &&
           c->spec->step_kinds == 0 && c->router.in_turn == 0 && !c->options->exact &&
           !c->options->compare && !c->options->player && !c->options->spans &&
           b->ends[0].step > b->step + 1 && b->due[(b->step + 1) % c->block] == NONE;
}

static void decode_on(cluster *c, replica *r, rc_time now) {
    rc_pass_cost cost;
    r->batch.ended_count = 0;
    r->batch.ended_context = 0;
    decode_step(c, r, now);
    const rc_pass pass = {
        .decodes = r->batch.count, .context = r->batch.context, .longest = decode_longest(c, r)};
    rc_status st = pool_pass_time(c, r, &pass, &cost, c->err);
    if (st != RC_OK) {
        cluster_fail(c, st);
        return;
    }
    metrics_pass(c, r, &pass, &cost);
    metrics_state(c, now);
    r->pass.gave_way = false;
    r->pass.start = now;
    begin(c, r, &pass, &cost, now);
}

static void pass_ends(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    replica *first = &c->replicas[arg];
    const uint32_t groups = groups_of(c, first);
    assert(first->pass.busy);
    stride_end(c, first);
    if (decodes_on(c, first)) {
        first->pass.busy_time += now - first->pass.start;
        decode_on(c, first, now);
        return;
    }
    for (uint32_t g = 0; g < groups; g++) {
        first[g].pass.busy = false;
        first[g].pass.end = 0;
        first[g].pass.busy_time += now - first[g].pass.start;
    }
    for (uint32_t g = 0; g < groups; g++) {
        spans_pass_ends(c, &first[g], now);
        group_ends(c, &first[g], now);
    }
    replica_kick(c, first, now);
}

void replica_disturb(cluster *c, replica *r, rc_time now) {
    stride_cut(c, first_group(c, r), now, pass_ends);
}

void replica_abort(cluster *c, replica *r, rc_time now) {
    if (r->pass.busy) {
        assert(now >= r->pass.start);
        if (r->pass.end != 0)
            (void)rc_eventq_cancel(c->q, r->pass.end);
        r->pass.busy_time += now - r->pass.start;
        spans_pass_ends(c, r, now);
    }
    r->pass.end = 0;
    r->pass.busy = r->pass.decodes = false;
    r->pass.prompt_count = 0;
    r->batch.ended_count = 0;
    r->batch.ended_context = 0;
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status replica_create(cluster *c, replica *r, rc_error *err) {
    const rc_serve *s = c->spec;
    const pool *p = pool_of(c, r);
    size_t most =
        (uint64_t)s->max_batch < c->load.requests ? (size_t)s->max_batch : (size_t)c->load.requests;
    double host = s->host_memory * p->spec->tp * p->spec->cp / (p->token_bytes * c->block);
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
    RC_TRY(batch_create(c, r, most, err));
    r->pass.prompts = calloc((size_t)s->fuse, sizeof *r->pass.prompts);
    if (!r->pass.prompts)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a replica");
    r->health.up = true;
    return RC_OK;
}

void replica_destroy(replica *r) {
    rc_kv_destroy(r->kv);
    admission_destroy(r);
    batch_destroy(r);
    free(r->pass.prompts);
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
