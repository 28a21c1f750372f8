/* The sequences that decode together. All get one token a pass, so nothing here walks over all
 * of them but preemption, and speculative steps, in which each gets a number of tokens of its own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/schedule/shard.h"
#include "sim/serve/cluster.h"

static bool speculative(const cluster *c) {
    return c->spec->step_kinds > 0;
}

int64_t context_limit(const rc_serve *s) {
    switch (s->pattern) {
    case RC_PATTERN_WINDOW_GLOBAL:
        return s->window + s->global;
    case RC_PATTERN_WINDOW:
    case RC_PATTERN_TOP_K:
        return s->window;
    default:
        return INT64_MAX;
    }
}

int64_t context_seen(const rc_serve *s, int64_t keys) {
    int64_t limit = context_limit(s);
    return keys < limit ? keys : limit;
}

uint32_t job_generated(const cluster *c, uint32_t j) {
    const job *b = &c->jobs[j];
    if (b->state != JOB_RUNNING || speculative(c))
        return c->rows[j].generated;
    return b->decode.base + (uint32_t)(c->mb[b->decode.batch].batch.step - b->decode.joined);
}

/* Keys of the token that the next step makes: all before it, and itself. */
static int64_t keys_now(const cluster *c, uint32_t j) {
    return (int64_t)c->trace->at[j].input + job_generated(c, j);
}

static int64_t ahead_of(const cluster *c, const microbatch *m, uint32_t j) {
    return keys_now(c, j) - (int64_t)m->batch.step;
}

static uint32_t dealt_of(const cluster *c, const microbatch *m) {
    return pool_dealt(c, &c->pools[m->home->pool]);
}

/* Of the sequences dealt to rank g of `ranks`, the one with the most keys; INT64_MIN where there is none. */
static int64_t most_ahead(const cluster *c, const microbatch *m, uint32_t g, uint32_t ranks) {
    int64_t most = INT64_MIN;
    for (uint32_t i = g; i < m->batch.count; i += ranks) {
        const int64_t ahead = ahead_of(c, m, m->batch.running[i]);
        most = ahead > most ? ahead : most;
    }
    return most;
}

/* Over the ranks that have sequences: rounded up, as a pass rounds (sim/schedule/split_kv.c). */
static int64_t mean_most_ahead(const cluster *c, const microbatch *m, uint32_t ranks) {
    const uint32_t used = ranks < m->batch.count ? ranks : m->batch.count;
    int64_t sum = 0;
    for (uint32_t g = 0; g < used; g++)
        sum += most_ahead(c, m, g, ranks) + (int64_t)m->batch.step;
    return rc_ceil_div(sum, used) - (int64_t)m->batch.step;
}

/* What is on rank g where each sequence decodes on the rank that keeps its next token. */
static rc_pass_rank on_rank(const cluster *c, const microbatch *m, uint32_t g, uint32_t ranks) {
    rc_pass_rank x = {.rows = 0};
    for (uint32_t i = 0; i < m->batch.count; i++) {
        const int64_t place = keys_now(c, m->batch.running[i]) - 1;
        const int64_t keys = context_seen(c->spec, place + 1) - 1;
        if (place % ranks != g)
            continue;
        x.rows++;
        x.context += keys;
        x.longest = keys > x.longest ? keys : x.longest;
    }
    return x;
}

static void look_at_ranks(const cluster *c, const microbatch *m, uint32_t ranks, rc_pass *pass) {
    int64_t longest = 0, used = 0;
    for (uint32_t g = 0; g < ranks; g++) {
        const rc_pass_rank x = on_rank(c, m, g, ranks);
        used += x.rows > 0;
        longest += x.longest;
        pass->rows = x.rows > pass->rows ? x.rows : pass->rows;
        if (x.rows > 0 && (pass->heaviest.rows == 0 || x.context > pass->heaviest.context))
            pass->heaviest = x;
    }
    pass->longest = rc_ceil_div(longest, used);
}

/* Steps of several tokens move each by its own number. */
void decode_pass(const cluster *c, microbatch *m, rc_pass *pass) {
    decode_batch *b = &m->batch;
    assert(b->count > 0);
    const uint32_t ranks = dealt_of(c, m);
    pass->decodes = b->count;
    pass->context = b->context;
    if (ranks > 1 && c->spec->decode_by_position) {
        look_at_ranks(c, m, ranks, pass);
        return;
    }
    if (b->ahead == NOT_KNOWN || speculative(c))
        b->ahead = mean_most_ahead(c, m, ranks);
    pass->longest = context_seen(c->spec, b->ahead + (int64_t)b->step) - 1;
}

/* ---- blocks due ----------------------------------------------------------------------- */

static void due_add(cluster *c, microbatch *m, uint32_t j, uint64_t step) {
    job *b = &c->jobs[j];
    assert(b->decode.due == NONE);
    b->decode.due = (uint32_t)(step % c->block);
    b->decode.due_prev = NONE;
    b->decode.due_next = m->batch.due[b->decode.due];
    if (b->decode.due_next != NONE)
        c->jobs[b->decode.due_next].decode.due_prev = j;
    m->batch.due[b->decode.due] = j;
}

static void due_drop(cluster *c, microbatch *m, uint32_t j) {
    job *b = &c->jobs[j];
    if (b->decode.due == NONE)
        return;
    if (b->decode.due_prev == NONE)
        m->batch.due[b->decode.due] = b->decode.due_next;
    else
        c->jobs[b->decode.due_prev].decode.due_next = b->decode.due_next;
    if (b->decode.due_next != NONE)
        c->jobs[b->decode.due_next].decode.due_prev = b->decode.due_prev;
    b->decode.due = b->decode.due_next = b->decode.due_prev = NONE;
}

/* ---- joining and leaving -------------------------------------------------------------- */

void decode_join(cluster *c, microbatch *m, uint32_t j) {
    job *b = &c->jobs[j];
    assert(b->state != JOB_RUNNING);
    assert(c->rows[j].generated < c->trace->at[j].output);
    assert(m->batch.count < (uint64_t)c->spec->max_batch);
    uint32_t left = c->trace->at[j].output - c->rows[j].generated;
    b->state = JOB_RUNNING;
    b->decode.batch = (uint32_t)(m - c->mb);
    b->decode.base = c->rows[j].generated;
    b->decode.joined = m->batch.step;
    b->decode.place = m->batch.count;
    const int64_t ahead = ahead_of(c, m, j);
    const bool dealt = dealt_of(c, m) > 1;
    if (dealt)
        m->batch.ahead = NOT_KNOWN;
    else if (m->batch.count == 0 || (m->batch.ahead != NOT_KNOWN && ahead > m->batch.ahead))
        m->batch.ahead = ahead;
    m->batch.running[m->batch.count++] = j;
    m->batch.fresh[m->batch.fresh_count++] = j;
    metrics_running(c, +1);
    int64_t keys = keys_now(c, j), limit = context_limit(c->spec);
    m->batch.context += context_seen(c->spec, keys) - 1;
    if (speculative(c))
        return;
    heap_push(m->batch.ends, &m->batch.end_count,
              (heap_item){m->batch.step + left, j, (uint32_t)b->number});
    if (keys < limit)
        m->batch.growing++;
    if (keys < limit && limit != INT64_MAX)
        heap_push(m->batch.caps, &m->batch.cap_count,
                  (heap_item){m->batch.step + (uint64_t)(limit - keys), j, (uint32_t)b->number});
    uint64_t room = (c->block - (uint64_t)keys % c->block) % c->block; /* left in the last block */
    due_add(c, m, j, m->batch.step + room + 1);
}

/* Whether the job has had no step yet; it is fresh no more. */
static bool fresh_drop(microbatch *m, uint32_t j) {
    for (uint32_t i = 0; i < m->batch.fresh_count; i++) {
        if (m->batch.fresh[i] == j) {
            m->batch.fresh[i] = m->batch.fresh[--m->batch.fresh_count];
            return true;
        }
    }
    return false;
}

void decode_leave(cluster *c, uint32_t j) {
    job *b = &c->jobs[j];
    microbatch *m = &c->mb[b->decode.batch];
    assert(b->state == JOB_RUNNING);
    int64_t keys = keys_now(c, j), limit = context_limit(c->spec);
    if (ahead_of(c, m, j) == m->batch.ahead || dealt_of(c, m) > 1)
        m->batch.ahead = NOT_KNOWN;
    c->rows[j].generated = job_generated(c, j);
    if (!fresh_drop(m, j) && !speculative(c))
        b->last = m->batch.last_step;
    m->batch.context -= context_seen(c->spec, keys) - 1;
    if (!speculative(c)) {
        if (keys < limit)
            m->batch.growing--;
        heap_drop(m->batch.ends, &m->batch.end_count, j);
        heap_drop(m->batch.caps, &m->batch.cap_count, j);
        due_drop(c, m, j);
    }
    uint32_t moved = m->batch.running[--m->batch.count];
    m->batch.running[b->decode.place] = moved;
    c->jobs[moved].decode.place = b->decode.place;
    b->decode.place = NONE;
    b->state = JOB_AWAY;
    metrics_running(c, -1);
}

/* ---- room for the next step ----------------------------------------------------------- */

static bool later(const cluster *c, uint32_t a, uint32_t b) {
    if (b == NONE || c->rows[a].arrived != c->rows[b].arrived)
        return b == NONE || c->rows[a].arrived > c->rows[b].arrived;
    return c->jobs[a].number > c->jobs[b].number;
}

uint32_t replica_running(const replica *r) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->stages; i++)
        n += r->mb[i].batch.count;
    return n;
}

/* The last to arrive among those that hold KV here and are neither on their way nor in a pass; NONE. */
static uint32_t victim_of(const cluster *c, const replica *r) {
    uint32_t last = NONE;
    for (uint32_t k = 0; k < r->stages; k++) {
        const decode_batch *b = &r->mb[k].batch;
        for (uint32_t i = 0; !r->mb[k].pass.busy && i < b->count; i++)
            if (later(c, b->running[i], last))
                last = b->running[i];
    }
    for (uint32_t j = r->queue.active.head; j != NONE; j = c->jobs[j].link.next)
        if (c->jobs[j].chunk == 0 && later(c, j, last))
            last = j;
    return last;
}

static void preempt(cluster *c, replica *r, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    bool ran = b->state == JOB_RUNNING;
    r->forming.gave_way = true;
    if (ran)
        decode_leave(c, j);
    else
        admit_leave_active(c, j);
    bool swap = ran && c->spec->preempt == RC_PREEMPT_SWAP;
    uint32_t tokens = c->trace->at[j].input + c->rows[j].generated;
    if (!ran)
        metrics_discarded(c, b->filled);
    admit_progress(c, j, c->jobs[j].kv.queued);
    admit_preempted(c, j, swap, swap ? tokens - 1 : tokens, now); /* the last has no KV yet */
    c->rows[j].preempted++;
    metrics_preempted(c);
    if (!swap && pool_of(c, r)->spec->role == RC_POOL_DECODE) {
        router_leave(r);
        route(c, j, now);
    } else {
        enqueue(c, r, j, true);
    }
}

static bool later_in_pass(const cluster *c, const microbatch *m, uint32_t j) {
    bool found = false;
    for (uint32_t i = 0; i < m->pass.prompt_count && !found; i++)
        found = later(c, m->pass.prompts[i].job, j);
    for (uint32_t i = 0; m->pass.busy && i < m->batch.count && !found; i++)
        found = later(c, m->batch.running[i], j);
    return found;
}

/* Some hold KV here that cannot be taken now, and that may be later than this one: they are in the pass
 * that is being formed or in one under way, or their KV is on its way. The pass ends and the KV arrives. */
static bool others_to_come(const cluster *c, const replica *r, uint32_t j) {
    for (uint32_t k = 0; k < r->stages; k++)
        if (later_in_pass(c, &r->mb[k], j))
            return true;
    return r->queue.in_flight > 0;
}

/* Blocks for one job's next step. False: it was preempted itself, or it waits. A prompt waits rather than
 * be preempted for its own sake while a later request may hold KV: it would lose all that is computed
 * of it, time and again, for one that came after it. One of which a pass under way computes a piece cannot
 * give way, and nobody who came before it gives way to it. */
static bool grow_one(cluster *c, microbatch *m, uint32_t j, uint64_t tokens, rc_time now) {
    replica *r = m->home;
    const bool prompt = c->jobs[j].state == JOB_ACTIVE;
    while (!rc_kv_grow(r->kv, c->jobs[j].kv.lease, tokens)) {
        uint32_t victim = victim_of(c, r);
        assert(victim != NONE || c->jobs[j].chunk > 0); /* else the job itself is one */
        if (victim == NONE || later(c, j, victim) ||
            (victim == j && prompt && others_to_come(c, r, j)))
            return false;
        preempt(c, r, victim, now);
        if (victim == j)
            return false;
    }
    return true;
}

bool decode_make_room(cluster *c, microbatch *m, uint32_t j, uint64_t tokens, rc_time now) {
    return grow_one(c, m, j, tokens, now);
}

void decode_grow(cluster *c, microbatch *m, rc_time now) {
    if (speculative(c)) {
        for (uint32_t i = 0; i < m->batch.count; i++) {
            uint32_t j = m->batch.running[i], before = m->batch.count;
            uint64_t most = (uint64_t)c->trace->at[j].input + c->trace->at[j].output;
            uint64_t want = (uint64_t)keys_now(c, j) + (uint64_t)c->spec->step_kinds - 1;
            (void)grow_one(c, m, j, want < most ? want : most, now);
            if (m->batch.count != before)
                i = NONE; /* places have changed: from the start, growing twice does nothing */
        }
        return;
    }
    uint32_t *head = &m->batch.due[m->batch.step % c->block];
    for (uint32_t j = *head; j != NONE;) {
        uint32_t before = m->batch.count;
        (void)grow_one(c, m, j, (uint64_t)keys_now(c, j), now);
        j = m->batch.count == before ? c->jobs[j].decode.due_next : *head;
    }
}

/* ---- a step --------------------------------------------------------------------------- */

/* When the next pass is formed while one runs, nobody knows yet that a sequence ends in it. Of several stages
 * the passes that follow are of other sequences. */
void decode_runs_on(cluster *c, microbatch *m, uint32_t j) {
    const rc_req *rq = &c->trace->at[j];
    if (!c->spec->overlap || m->home->stages > 1)
        return;
    m->batch.ended_count++;
    m->batch.ended_context += context_seen(c->spec, (int64_t)rq->input + rq->output) - 1;
}

static void finish(cluster *c, microbatch *m, uint32_t j, rc_time now) {
    decode_runs_on(c, m, j);
    decode_leave(c, j);
    const uint64_t stored = (uint64_t)c->trace->at[j].input + c->rows[j].generated - 1;
    rc_kv_filled(m->home->kv, c->jobs[j].kv.lease,
                 stored); /* the reply, for the session's next turn */
    job_release(c, j);
    job_end(c, j, RC_DONE, now);
}

static uint32_t draw_tokens(cluster *c) {
    double u = rc_rng_uniform(&c->rng);
    uint32_t k = 0;
    while ((int)k + 1 < c->spec->step_kinds && u >= c->spec->step_tokens[k])
        k++;
    return k + 1;
}

static void step_each(cluster *c, microbatch *m, rc_time now) {
    for (uint32_t i = m->batch.count; i-- > 0;) {
        uint32_t j = m->batch.running[i];
        uint32_t left = c->trace->at[j].output - c->rows[j].generated, k = draw_tokens(c);
        int64_t before = context_seen(c->spec, keys_now(c, j));
        k = k < left ? k : left;
        metrics_gap(c, (now - c->jobs[j].last) / k, k); /* tokens of a step share its time */
        c->jobs[j].last = now;
        metrics_emitted(c, k);
        c->rows[j].generated += k;
        m->batch.context += context_seen(c->spec, keys_now(c, j)) - before;
        if (k == left)
            finish(c, m, j, now);
    }
}

void decode_step(cluster *c, microbatch *m, rc_time now) {
    assert(m->batch.fresh_count <= m->batch.count);
    assert(now >= m->batch.last_step);
    m->batch.step++;
    if (speculative(c)) {
        m->batch.fresh_count = 0; /* each has its own last token */
        step_each(c, m, now);
        m->batch.last_step = now;
        return;
    }
    metrics_emitted(c, m->batch.count);
    metrics_gap(c, now - m->batch.last_step, m->batch.count - m->batch.fresh_count);
    for (uint32_t i = 0; i < m->batch.fresh_count; i++)
        metrics_gap(c, now - c->jobs[m->batch.fresh[i]].last, 1);
    m->batch.fresh_count = 0;
    m->batch.last_step = now;
    m->batch.context += m->batch.growing;
    while (m->batch.cap_count > 0 && m->batch.caps[0].step <= m->batch.step) {
        (void)heap_pop(m->batch.caps, &m->batch.cap_count);
        m->batch.growing--;
    }
    while (m->batch.end_count > 0 && m->batch.ends[0].step <= m->batch.step)
        finish(c, m, m->batch.ends[0].job, now);
}

/* ---- life ----------------------------------------------------------------------------- */

rc_status batch_create(cluster *c, decode_batch *b, size_t most, rc_error *err) {
    assert(c->block >= 1);
    b->running = calloc(most, sizeof *b->running);
    b->fresh = calloc(most, sizeof *b->fresh);
    b->ends = calloc(most, sizeof *b->ends);
    b->caps = calloc(most, sizeof *b->caps);
    b->due = malloc(c->block * sizeof *b->due);
    if (!b->running || !b->fresh || !b->ends || !b->caps || !b->due)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a replica");
    for (uint32_t i = 0; i < c->block; i++)
        b->due[i] = NONE;
    return RC_OK;
}

void batch_destroy(decode_batch *b) {
    free(b->running);
    free(b->fresh);
    free(b->ends);
    free(b->caps);
    free(b->due);
}
