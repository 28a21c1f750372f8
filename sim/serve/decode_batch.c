/* The sequences of a replica that decode. All get one token a pass, so nothing here walks over them
 * but preemption, and speculative steps, where each gets a number of its own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
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
    return b->base + (uint32_t)(c->replicas[b->home].step - b->joined);
}

/* Keys of the token that the next step makes: all before it, and itself. */
static int64_t keys_now(const cluster *c, uint32_t j) {
    return (int64_t)c->trace->at[j].input + job_generated(c, j);
}

/* ---- blocks due ----------------------------------------------------------------------- */

static void due_add(cluster *c, replica *r, uint32_t j, uint64_t step) {
    job *b = &c->jobs[j];
    b->due = (uint32_t)(step % c->block);
    b->due_prev = NONE;
    b->due_next = r->due[b->due];
    if (b->due_next != NONE)
        c->jobs[b->due_next].due_prev = j;
    r->due[b->due] = j;
}

static void due_drop(cluster *c, replica *r, uint32_t j) {
    job *b = &c->jobs[j];
    if (b->due == NONE)
        return;
    if (b->due_prev == NONE)
        r->due[b->due] = b->due_next;
    else
        c->jobs[b->due_prev].due_next = b->due_next;
    if (b->due_next != NONE)
        c->jobs[b->due_next].due_prev = b->due_prev;
    b->due = b->due_next = b->due_prev = NONE;
}

/* ---- joining and leaving -------------------------------------------------------------- */

void decode_join(cluster *c, replica *r, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    uint32_t left = c->trace->at[j].output - c->rows[j].generated;
    (void)now;
    b->state = JOB_RUNNING;
    b->base = c->rows[j].generated;
    b->joined = r->step;
    b->place = r->running_count;
    r->running[r->running_count++] = j;
    r->fresh[r->fresh_count++] = j;
    c->running++;
    int64_t keys = keys_now(c, j), limit = context_limit(c->spec);
    r->context += context_seen(c->spec, keys) - 1;
    if (speculative(c))
        return;
    heap_push(r->ends, &r->end_count, (heap_item){r->step + left, j});
    if (keys < limit)
        r->growing++;
    if (keys < limit && limit != INT64_MAX)
        heap_push(r->caps, &r->cap_count, (heap_item){r->step + (uint64_t)(limit - keys), j});
    uint64_t room = (c->block - (uint64_t)keys % c->block) % c->block; /* left in the last block */
    due_add(c, r, j, r->step + room + 1);
}

/* Whether it has had no step yet; then it is struck off. */
static bool fresh_drop(replica *r, uint32_t j) {
    for (uint32_t i = 0; i < r->fresh_count; i++) {
        if (r->fresh[i] == j) {
            r->fresh[i] = r->fresh[--r->fresh_count];
            return true;
        }
    }
    return false;
}

void decode_leave(cluster *c, replica *r, uint32_t j) {
    job *b = &c->jobs[j];
    int64_t keys = keys_now(c, j), limit = context_limit(c->spec);
    c->rows[j].generated = job_generated(c, j);
    if (!fresh_drop(r, j) && !speculative(c))
        b->last = r->last_step;
    r->context -= context_seen(c->spec, keys) - 1;
    if (!speculative(c)) {
        if (keys < limit)
            r->growing--;
        heap_drop(r->ends, &r->end_count, j);
        heap_drop(r->caps, &r->cap_count, j);
        due_drop(c, r, j);
    }
    uint32_t moved = r->running[--r->running_count];
    r->running[b->place] = moved;
    c->jobs[moved].place = b->place;
    b->place = NONE;
    b->state = JOB_AWAY;
    c->running--;
}

/* ---- room for the next step ----------------------------------------------------------- */

static bool later(const cluster *c, uint32_t a, uint32_t b) {
    if (b == NONE || c->rows[a].arrived != c->rows[b].arrived)
        return b == NONE || c->rows[a].arrived > c->rows[b].arrived;
    return a > b;
}

/* The last to arrive among those that hold KV here and are not on their way. */
static uint32_t victim_of(const cluster *c, const replica *r) {
    uint32_t last = NONE;
    for (uint32_t i = 0; i < r->running_count; i++)
        if (later(c, r->running[i], last))
            last = r->running[i];
    for (uint32_t j = r->active.head; j != NONE; j = c->jobs[j].next)
        if (later(c, j, last))
            last = j;
    return last;
}

static void preempt(cluster *c, replica *r, uint32_t j, rc_time now) {
    job *b = &c->jobs[j];
    bool ran = b->state == JOB_RUNNING;
    if (ran)
        decode_leave(c, r, j);
    else
        list_remove(c, &r->active, j);
    bool swap = ran && c->spec->preempt == RC_PREEMPT_SWAP;
    uint32_t stored = c->trace->at[j].input + c->rows[j].generated - (ran ? 1 : 0);
    if (!ran)
        c->discarded += b->filled;
    if (swap)
        (void)host_transfer(c, r, stored, now);
    job_release(c, j, now);
    c->rows[j].preempted++;
    c->out->preempted++;
    b->swapped = swap;
    b->filled = 0;
    b->goal = swap ? stored : c->trace->at[j].input + c->rows[j].generated;
    if (!swap && pool_of(c, r)->spec->role == RC_POOL_DECODE) {
        replica_leave(c, r, j);
        route(c, j, now);
    } else {
        enqueue(c, r, j, true);
    }
}

/* Blocks for one job's next step. False: it had to give way itself. */
static bool grow_one(cluster *c, replica *r, uint32_t j, uint64_t tokens, rc_time now) {
    while (!rc_kv_grow(r->kv, c->jobs[j].lease, tokens)) {
        uint32_t victim = victim_of(c, r);
        preempt(c, r, victim, now);
        if (victim == j)
            return false;
    }
    return true;
}

void decode_grow(cluster *c, replica *r, rc_time now) {
    if (speculative(c)) {
        for (uint32_t i = 0; i < r->running_count; i++) {
            uint32_t j = r->running[i], before = r->running_count;
            uint64_t most = (uint64_t)c->trace->at[j].input + c->trace->at[j].output;
            uint64_t want = (uint64_t)keys_now(c, j) + (uint64_t)c->spec->step_kinds - 1;
            (void)grow_one(c, r, j, want < most ? want : most, now);
            if (r->running_count != before)
                i = NONE; /* places have changed: from the start, growing twice does nothing */
        }
        return;
    }
    uint32_t *head = &r->due[r->step % c->block];
    for (uint32_t j = *head; j != NONE;) {
        uint32_t before = r->running_count;
        (void)grow_one(c, r, j, (uint64_t)keys_now(c, j), now);
        j = r->running_count == before ? c->jobs[j].due_next : *head;
    }
}

/* ---- a step --------------------------------------------------------------------------- */

static void finish(cluster *c, replica *r, uint32_t j, rc_time now) {
    uint64_t stored = (uint64_t)c->trace->at[j].input + c->rows[j].generated - 1;
    decode_leave(c, r, j);
    rc_kv_filled(r->kv, c->jobs[j].lease, stored); /* the reply, for the session's next turn */
    job_release(c, j, now);
    job_end(c, j, RC_DONE, now);
}

static uint32_t draw_tokens(cluster *c) {
    double u = rc_rng_uniform(&c->rng);
    uint32_t k = 0;
    while ((int)k + 1 < c->spec->step_kinds && u >= c->spec->step_tokens[k])
        k++;
    return k + 1;
}

static void step_each(cluster *c, replica *r, rc_time now) {
    for (uint32_t i = r->running_count; i-- > 0;) {
        uint32_t j = r->running[i];
        uint32_t left = c->trace->at[j].output - c->rows[j].generated, k = draw_tokens(c);
        int64_t before = context_seen(c->spec, keys_now(c, j));
        k = k < left ? k : left;
        metrics_gap(c, now - c->jobs[j].last, 1);
        c->jobs[j].last = now;
        c->emitted += k;
        c->rows[j].generated += k;
        r->context += context_seen(c->spec, keys_now(c, j)) - before;
        if (k == left)
            finish(c, r, j, now);
    }
}

void decode_step(cluster *c, replica *r, rc_time now) {
    r->step++;
    if (speculative(c)) {
        r->fresh_count = 0; /* each has its own last token */
        step_each(c, r, now);
        r->last_step = now;
        return;
    }
    c->emitted += r->running_count;
    metrics_gap(c, now - r->last_step, r->running_count - r->fresh_count);
    for (uint32_t i = 0; i < r->fresh_count; i++)
        metrics_gap(c, now - c->jobs[r->fresh[i]].last, 1);
    r->fresh_count = 0;
    r->last_step = now;
    r->context += r->growing;
    while (r->cap_count > 0 && r->caps[0].step <= r->step) {
        (void)heap_pop(r->caps, &r->cap_count);
        r->growing--;
    }
    while (r->end_count > 0 && r->ends[0].step <= r->step)
        finish(c, r, r->ends[0].job, now);
}
