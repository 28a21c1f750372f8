/* One replica: form a pass from what is there, ask how long it takes, apply it when it ends.
 *
 * Prefill first: as soon as a prompt can be admitted a pass computes prompts only (several whole
 * ones fused while they fit the budget), and the sequences that decode wait for it. Chunked: every
 * pass holds all sequences that decode and, as far as the budget of tokens goes, pieces of prompts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include "sim/serve/cluster.h"

/* ---- forming a pass ------------------------------------------------------------------- */

/* Prompts, or pieces of them, into c->parts and r->chunk; returns the tokens of the pass. */
static int64_t take_prompts(cluster *c, replica *r, int64_t tokens, rc_time now) {
    const rc_serve *s = c->spec;
    uint32_t j = NONE;
    while (r->chunk_count < (uint32_t)s->fuse && (s->budget == 0 || tokens < s->budget)) {
        j = admit_prompt(c, r, j, now);
        if (j == NONE)
            break;
        job *b = &c->jobs[j];
        int64_t t = b->goal - b->filled;
        bool fits = s->budget == 0 || tokens + t <= s->budget;
        if (s->sched == RC_SCHED_CHUNKED && !fits)
            t = s->budget - tokens;
        else if (!fits && r->chunk_count > 0)
            break;
        c->parts[r->chunk_count] = (rc_sequence){t, b->filled};
        r->chunk[r->chunk_count++] = j;
        b->chunk = (uint32_t)t;
        tokens += t;
        if (c->rows[j].started < 0)
            c->rows[j].started = now;
    }
    return tokens;
}

static void take_decodes(cluster *c, replica *r, rc_time now) {
    if (r->running_count > 0)
        decode_grow(c, r, now);
    r->decodes = r->running_count > 0;
}

static bool form(cluster *c, replica *r, rc_time now) {
    r->chunk_count = 0;
    r->decodes = false;
    if (c->spec->sched == RC_SCHED_CHUNKED) {
        take_decodes(c, r, now);
        (void)take_prompts(c, r, r->decodes ? r->running_count : 0, now);
    } else {
        (void)take_prompts(c, r, 0, now);
        if (r->chunk_count == 0)
            take_decodes(c, r, now);
    }
    return r->chunk_count > 0 || r->decodes;
}

/* ---- its end -------------------------------------------------------------------------- */

static void hand_over(cluster *c, replica *r, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    b->source = b->home;
    b->source_lease = b->lease;
    b->lease = RC_KV_NO_LEASE;
    replica_leave(c, r, j);
    route_decode(c, j, now);
}

static void prompt_done(cluster *c, replica *r, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    rc_served *row = &c->rows[j];
    list_remove(c, &r->active, j);
    b->state = JOB_AWAY;
    c->prompts += b->goal;
    r->queued -= b->queued;
    b->queued = 0;
    c->emitted++;
    if (row->generated++ == 0)
        metrics_first(c, j, now);
    else
        metrics_gap(c, now - b->last, 1);
    b->last = now;
    if (row->generated == c->trace->at[j].output) {
        replica_leave(c, r, j);
        job_release(c, j, now);
        job_end(c, j, RC_DONE, now);
    } else if (pool_of(c, r)->spec->role == RC_POOL_PREFILL) {
        hand_over(c, r, j, now);
    } else {
        decode_join(c, r, j, now);
    }
}

static void pass_ends(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    replica *r = &c->replicas[arg];
    r->busy = false;
    r->event = 0;
    r->busy_time += now - r->pass_start;
    if (r->decodes)
        decode_step(c, r, now);
    for (uint32_t i = 0; i < r->chunk_count; i++) {
        uint32_t j = r->chunk[i];
        job *b = &c->jobs[j];
        b->filled += b->chunk;
        c->computed += b->chunk;
        if (b->filled < b->goal) {
            uint32_t done = b->chunk < b->queued ? b->chunk : b->queued;
            b->queued -= done;
            r->queued -= done;
        }
        rc_kv_filled(r->kv, b->lease, b->filled);
        if (b->filled == b->goal)
            prompt_done(c, r, j, now);
    }
    for (uint32_t i = 0; i < r->late_count; i++)
        decode_join(c, r, r->late[i], now);
    r->late_count = r->chunk_count = 0;
    r->decodes = false;
    replica_kick(c, r, now);
}

/* ---- the loop ------------------------------------------------------------------------- */

static const int64_t *all_contexts(cluster *c, const replica *r) {
    for (uint32_t i = 0; i < r->running_count; i++) {
        uint32_t j = r->running[i];
        int64_t keys = (int64_t)c->trace->at[j].input + job_generated(c, j);
        c->contexts[i] = context_seen(c->spec, keys) - 1;
    }
    return c->contexts;
}

void replica_kick(cluster *c, replica *r, rc_time now) {
    if (!r->up || r->busy || c->status != RC_OK)
        return;
    admit_ready(c, r, now);
    /* A second try: when all that decoded gave way, their prompts may be computed again. */
    if (!form(c, r, now) && (r->waiting.head == NONE || !form(c, r, now))) {
        metrics_state(c, now);
        return;
    }
    rc_pass pass = {.prefill = c->parts, .prefills = r->chunk_count};
    if (r->decodes) {
        pass.decodes = r->running_count;
        pass.context = r->context;
        if (c->options->exact || c->options->compare)
            pass.contexts = all_contexts(c, r);
    }
    rc_pass_cost cost = {.time = 1};
    rc_status st = pool_pass_time(c, r, &pass, &cost, c->err);
    if (st != RC_OK) {
        cluster_fail(c, st);
        return;
    }
    metrics_pass(c, r, &pass, &cost);
    metrics_state(c, now);
    r->busy = true;
    r->pass_start = now;
    r->event = cluster_at(c, now + cost.time, pass_ends, (uint64_t)(r - c->replicas));
}

void replica_leave(cluster *c, replica *r, uint32_t j) {
    (void)c;
    (void)j;
    r->load--;
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status replica_create(cluster *c, replica *r, rc_error *err) {
    const rc_serve *s = c->spec;
    const pool *p = pool_of(c, r);
    size_t most = (size_t)s->max_batch < c->trace->count ? (size_t)s->max_batch : c->trace->count;
    double host = s->host_memory * p->spec->tp * p->spec->cp / (p->token_bytes * c->block);
    rc_kv_config k = {.block = c->block,
                      .capacity = p->capacity,
                      .host = host < RC_KV_MOST_BLOCKS ? (uint32_t)host : RC_KV_MOST_BLOCKS,
                      .sessions = c->trace->sessions,
                      .policy = s->kv_policy};
    /* a prefill replica holds leases until its KV has been moved */
    k.requests = p->spec->role == RC_POOL_PREFILL ? (uint32_t)c->trace->count : (uint32_t)most;
    if (k.requests > p->capacity)
        k.requests = p->capacity;
    RC_TRY(rc_kv_create(&k, &r->kv, err));
    r->running = calloc(most, sizeof *r->running);
    r->fresh = calloc(most, sizeof *r->fresh);
    r->late = calloc(most, sizeof *r->late);
    r->ends = calloc(most, sizeof *r->ends);
    r->caps = calloc(most, sizeof *r->caps);
    r->due = malloc(c->block * sizeof *r->due);
    r->chunk = calloc((size_t)s->fuse, sizeof *r->chunk);
    if (!r->running || !r->fresh || !r->late || !r->ends || !r->caps || !r->due || !r->chunk)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a replica");
    for (uint32_t i = 0; i < c->block; i++)
        r->due[i] = NONE;
    r->refused = NONE;
    list_init(&r->waiting);
    list_init(&r->active);
    r->up = true;
    return RC_OK;
}

void replica_destroy(replica *r) {
    rc_kv_destroy(r->kv);
    free(r->running);
    free(r->fresh);
    free(r->late);
    free(r->ends);
    free(r->caps);
    free(r->due);
    free(r->chunk);
}
