/* Random programs of ops against a slow simulator written down naively: at every instant look at
 * all ops, start what may start, give every running op its rate from scratch, and go to the next
 * end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/engine/engine.h"
#include "tests/support/prop.h"

#define MOST 130
#define DOMAINS 3
#define STREAMS 7
#define LINKS 4
#define CLASSES 4

typedef struct op {
    rc_op_desc d;
    rc_id path[2];
    rc_id before[3]; /* RC_NONE: none */
    rc_id stream_before;
    /* what the slow simulator finds */
    rc_time ready, start, end, due, last;
    double left, rate;
    rc_id cause;
    bool moving; /* a flow whose latency is over */
} op;

typedef struct program {
    op ops[MOST];
    unsigned n;
    double factor[CLASSES][CLASSES], speed[DOMAINS], capacity[LINKS];
} program;

/* ------------------------------------------------------------------ drawing a program ----- */

static void draw_op(prop_case *c, program *p, bool flows, rc_id *last, unsigned i) {
    op *o = &p->ops[i];
    memset(o, 0, sizeof *o);
    o->d.kind = (rc_op_kind)prop_below(c, flows ? 3 : 2);
    o->d.stream = prop_one_in(c, 8) ? RC_NONE : (rc_id)prop_below(c, STREAMS);
    o->d.klass = (unsigned)prop_below(c, CLASSES);
    o->d.duration =
        prop_one_in(c, 5) ? 0 : (rc_time)prop_below(c, 5) * 1000000 + (rc_time)prop_below(c, 3);
    if (o->d.kind == RC_OP_FLOW) {
        o->d.bytes = prop_one_in(c, 5) ? 0 : (double)prop_below(c, 5000);
        o->d.path_len = (uint32_t)prop_below(c, 3);
        o->path[0] = (rc_id)prop_below(c, LINKS);
        o->path[1] = (rc_id)prop_below(c, LINKS);
        o->d.max_rate = prop_one_in(c, 3) ? 3e8 : 0;
    }
    for (int k = 0; k < 3; k++)
        o->before[k] = i > 0 && prop_one_in(c, 3) ? (rc_id)prop_below(c, i) : RC_NONE;
    o->stream_before = o->d.stream == RC_NONE ? RC_NONE : last[o->d.stream];
    if (o->d.stream != RC_NONE)
        last[o->d.stream] = i;
}

/* A rendezvous of some streams; its ops depend on nothing, so it cannot dead-lock. */
static void draw_rendezvous(prop_case *c, program *p, rc_id *last) {
    uint32_t size = (uint32_t)prop_range(c, 1, STREAMS), first = p->n;
    for (uint32_t t = 0; t < size; t++) {
        op *o = &p->ops[p->n];
        memset(o, 0, sizeof *o);
        o->d = (rc_op_desc){.kind = RC_OP_RENDEZVOUS,
                            .stream = t,
                            .group = 1000 + first,
                            .group_size = size,
                            .klass = (unsigned)prop_below(c, CLASSES),
                            .duration = (rc_time)prop_below(c, 3) * 1000000};
        o->before[0] = o->before[1] = o->before[2] = RC_NONE;
        o->stream_before = last[t];
        last[t] = p->n++;
    }
}

static void draw(prop_case *c, program *p, bool flows) {
    static const double factors[] = {1, 1, 0.5, 0.25, 2}, speeds[] = {1, 1, 0.5};
    rc_id last[STREAMS];
    for (int t = 0; t < STREAMS; t++)
        last[t] = RC_NONE;
    for (int a = 0; a < CLASSES; a++)
        for (int b = 0; b < CLASSES; b++)
            p->factor[a][b] = a == 0 || b == 0 ? 1 : factors[prop_below(c, 5)];
    for (int i = 0; i < DOMAINS; i++)
        p->speed[i] = speeds[prop_below(c, 3)];
    for (int i = 0; i < LINKS; i++)
        p->capacity[i] = 1e9 * (double)prop_range(c, 1, 4);
    p->n = 0;
    while (p->n < c->size) {
        if (prop_one_in(c, 10))
            draw_rendezvous(c, p, last);
        else
            draw_op(c, p, flows, last, p->n++);
    }
}

static rc_sim *build(program *p) {
    rc_sim *s = rc_sim_create();
    rc_sim_keep_all(s);
    for (rc_id i = 0; i < DOMAINS; i++) {
        (void)rc_sim_domain(s);
        rc_sim_domain_speed(s, i, p->speed[i]);
    }
    for (rc_id t = 0; t < STREAMS; t++)
        (void)rc_sim_stream(s, t % DOMAINS);
    for (int i = 0; i < LINKS; i++)
        (void)rc_sim_link(s, p->capacity[i]);
    for (unsigned a = 1; a < CLASSES; a++)
        for (unsigned b = 1; b < CLASSES; b++)
            rc_sim_interfere(s, a, b, p->factor[a][b]);
    for (rc_id i = 0; i < p->n; i++) {
        op *o = &p->ops[i];
        o->d.path = o->path;
        (void)rc_sim_op(s, &o->d);
        for (int k = 0; k < 3; k++)
            if (o->before[k] != RC_NONE)
                (void)rc_sim_after(s, i, o->before[k], NULL);
    }
    return s;
}

/* ------------------------------------------------------------------ the slow simulator ---- */

static bool runs(const op *o) {
    return o->start != RC_TIME_NEVER && o->end == RC_TIME_NEVER;
}

static rc_id domain_of(const op *o) {
    return o->d.stream == RC_NONE ? RC_NONE : o->d.stream % DOMAINS;
}

/* Ready when all before it have ended; the cause is the last of them, the lowest of equals. */
static bool find_ready(program *p, unsigned i, rc_time now) {
    op *o = &p->ops[i];
    rc_id before[4] = {o->before[0], o->before[1], o->before[2], o->stream_before};
    if (o->ready != RC_TIME_NEVER)
        return false;
    rc_id cause = RC_NONE;
    for (int k = 0; k < 4; k++) {
        if (before[k] == RC_NONE)
            continue;
        const op *b = &p->ops[before[k]];
        if (b->end == RC_TIME_NEVER)
            return false;
        if (cause == RC_NONE || b->end > p->ops[cause].end ||
            (b->end == p->ops[cause].end && before[k] < cause))
            cause = before[k];
    }
    o->ready = now;
    o->cause = cause;
    return true;
}

static void start_op(op *o, rc_time now, rc_time duration) {
    o->start = o->last = now;
    o->due = now + duration;
    o->left = (double)o->d.duration;
    o->rate = 0;
    o->moving = false;
}

static void start_group(program *p, rc_id group, rc_time now) {
    rc_time longest = 0;
    uint32_t ready = 0, size = 0;
    rc_id cause = RC_NONE;
    for (unsigned i = 0; i < p->n; i++) {
        const op *o = &p->ops[i];
        if (o->d.kind != RC_OP_RENDEZVOUS || o->d.group != group)
            continue;
        size = o->d.group_size;
        ready += o->ready != RC_TIME_NEVER;
        longest = o->d.duration > longest ? o->d.duration : longest;
        if (o->ready == now && o->cause < cause)
            cause = o->cause;
    }
    if (ready < size)
        return;
    for (unsigned i = 0; i < p->n; i++) {
        op *o = &p->ops[i];
        if (o->d.kind == RC_OP_RENDEZVOUS && o->d.group == group) {
            start_op(o, now, longest);
            o->cause = cause;
        }
    }
}

/* Water-filling from scratch over all flows that move. */
static void share_links(const program *p, double *rates) {
    double used[LINKS] = {0};
    bool frozen[MOST];
    for (unsigned i = 0; i < p->n; i++)
        frozen[i] = !(runs(&p->ops[i]) && p->ops[i].moving);
    for (;;) {
        double level = INFINITY;
        unsigned open[LINKS] = {0}, left = 0;
        for (unsigned i = 0; i < p->n; i++) {
            if (frozen[i])
                continue;
            left++;
            if (p->ops[i].d.max_rate > 0)
                level = fmin(level, p->ops[i].d.max_rate);
            for (uint32_t k = 0; k < p->ops[i].d.path_len; k++)
                open[p->ops[i].path[k]]++;
        }
        if (left == 0)
            return;
        for (int l = 0; l < LINKS; l++)
            if (open[l] > 0)
                level = fmin(level, (p->capacity[l] - used[l]) / open[l]);
        bool full[LINKS];
        for (int l = 0; l < LINKS; l++)
            full[l] = open[l] > 0 && (p->capacity[l] - used[l]) / open[l] <= level * (1 + 1e-9);
        for (unsigned i = 0; i < p->n; i++) {
            const op *o = &p->ops[i];
            bool stop = o->d.max_rate > 0 && o->d.max_rate <= level * (1 + 1e-9);
            for (uint32_t k = 0; k < o->d.path_len; k++)
                stop = stop || full[o->path[k]];
            if (frozen[i] || !stop)
                continue;
            frozen[i] = true;
            rates[i] = level;
            for (uint32_t k = 0; k < o->d.path_len; k++)
                used[o->path[k]] += level;
        }
    }
}

/* `rate` times the factors of what else runs in the op's domain. */
static double disturbed(const program *p, unsigned i, double rate) {
    const op *o = &p->ops[i];
    rc_id d = domain_of(o);
    bool by[CLASSES] = {false};
    for (unsigned j = 0; j < p->n; j++)
        if (j != i && runs(&p->ops[j]) && domain_of(&p->ops[j]) == d && d != RC_NONE)
            by[p->ops[j].d.klass] = true;
    for (unsigned b = 0; b < CLASSES; b++)
        if (by[b])
            rate *= p->factor[o->d.klass][b];
    return rate;
}

static double work_rate(const program *p, unsigned i) {
    rc_id d = domain_of(&p->ops[i]);
    return disturbed(p, i, d == RC_NONE ? 1 : p->speed[d]);
}

/* Of a flow that moves: slowed on links only, and never beyond its share of them. */
static double flow_rate(const program *p, unsigned i, double share) {
    return p->ops[i].d.path_len > 0 ? fmin(disturbed(p, i, share), share) : share;
}

static void set_rates(program *p, rc_time now) {
    double rates[MOST] = {0};
    for (unsigned i = 0; i < p->n; i++) {
        op *o = &p->ops[i];
        bool bytes =
            o->d.kind == RC_OP_FLOW && o->d.bytes > 0 && (o->d.path_len > 0 || o->d.max_rate > 0);
        if (runs(o) && bytes && !o->moving && o->due == now) {
            o->moving = true;
            o->left = o->d.bytes;
            o->last = now;
        }
    }
    share_links(p, rates);
    for (unsigned i = 0; i < p->n; i++) {
        op *o = &p->ops[i];
        if (!runs(o) || !(o->d.kind == RC_OP_WORK || o->moving))
            continue;
        double unit = o->moving ? 1e12 : 1,
               rate = o->moving ? flow_rate(p, i, rates[i]) : work_rate(p, i);
        if (rate == o->rate)
            continue;
        o->left = fmax(o->left - o->rate * (double)(now - o->last) / unit, 0);
        o->last = now;
        o->rate = rate;
        o->due = now + llround(o->left * unit / rate);
    }
}

static bool ends_when_due(const op *o) {
    return o->moving || o->d.kind != RC_OP_FLOW || o->d.bytes == 0 ||
           (o->d.path_len == 0 && o->d.max_rate == 0);
}

static void run_slowly(program *p) {
    for (unsigned i = 0; i < p->n; i++)
        p->ops[i].ready = p->ops[i].start = p->ops[i].end = RC_TIME_NEVER;
    for (rc_time now = 0;;) {
        for (unsigned i = 0; i < p->n; i++) {
            op *o = &p->ops[i];
            if (!find_ready(p, i, now))
                continue;
            if (o->d.kind == RC_OP_RENDEZVOUS)
                start_group(p, o->d.group, now);
            else
                start_op(o, now, o->d.duration);
        }
        set_rates(p, now);
        rc_time next = RC_TIME_NEVER;
        for (unsigned i = 0; i < p->n; i++)
            if (runs(&p->ops[i]) && p->ops[i].due < next)
                next = p->ops[i].due;
        if (next == RC_TIME_NEVER)
            return;
        now = next;
        for (unsigned i = 0; i < p->n; i++)
            if (runs(&p->ops[i]) && p->ops[i].due == now && ends_when_due(&p->ops[i]))
                p->ops[i].end = now;
    }
}

/* ------------------------------------------------------------------ the properties -------- */

static bool agrees(prop_case *c, bool flows, rc_time within) {
    program p;
    rc_error err;
    draw(c, &p, flows);
    run_slowly(&p);
    rc_sim *s = build(&p);
    PROP_CHECK(c, rc_sim_run(s, &err) == RC_OK, "%s", err.msg);
    for (rc_id i = 0; i < p.n; i++) {
        const op *o = &p.ops[i];
        rc_time start = rc_sim_op_start(s, i), end = rc_sim_op_end(s, i);
        PROP_CHECK(c, llabs(start - o->start) <= within && llabs(end - o->end) <= within,
                   "op %u kind %d: start %lld end %lld, expected %lld %lld", i, o->d.kind,
                   (long long)start, (long long)end, (long long)o->start, (long long)o->end);
        rc_id cause = rc_sim_op_cause(s, i);
        PROP_CHECK(c, within > 0 || cause == o->cause, "op %u: cause %u, expected %u", i, cause,
                   o->cause);
        PROP_CHECK(c, (cause == RC_NONE && start == 0) || rc_sim_op_end(s, cause) == start,
                   "op %u: cause %u did not end when it started", i, cause);
    }
    rc_sim_destroy(s);
    return true;
}

static bool work_agrees_to_the_tick(prop_case *c) {
    return agrees(c, false, 0);
}

static bool flows_agree(prop_case *c) {
    return agrees(c, true, 500); /* of millions: rates may differ in the last place */
}

static bool same_program_same_trace(prop_case *c) {
    program p;
    draw(c, &p, true);
    rc_sim *s = build(&p), *t = build(&p);
    PROP_CHECK(c, rc_sim_run(s, NULL) == RC_OK && rc_sim_run(t, NULL) == RC_OK, "a run failed");
    uint64_t hash = rc_sim_trace_hash(s);
    PROP_CHECK(c, rc_sim_trace_hash(t) == hash, "two builds differ");
    PROP_CHECK(c, rc_sim_order_hash(t) == rc_sim_order_hash(s), "two builds differ in order");
    rc_sim_destroy(s);
    rc_sim_destroy(t);
    return true;
}

static void test_work(void **state) {
    (void)state;
    assert_true(prop_run("work_agrees_to_the_tick", work_agrees_to_the_tick, 100));
}

static void test_flows(void **state) {
    (void)state;
    assert_true(prop_run("flows_agree", flows_agree, 100));
}

static void test_determinism(void **state) {
    (void)state;
    assert_true(prop_run("same_program_same_trace", same_program_same_trace, 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_work), cmocka_unit_test(test_flows),
                                       cmocka_unit_test(test_determinism)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
