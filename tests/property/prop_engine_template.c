/* A program of templates that are played again and again is the program of their ops written out:
 * the same ticks, the same causes, the same events in the same order.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "sim/engine/engine.h"
#include "tests/support/prop.h"

enum { TEMPLATES = 3, STREAMS = 5, LINKS = 3, MOST = 24, PLAYED = 12, WAITS = 4, ACCOUNTS = 5 };

typedef struct wait {
    int op;       /* in the same repetition; -1: in the one before, */
    int stream;   /* the op of this stream that is */
    int from_end; /* so far from its end, 1 for the last */
} wait;

typedef struct op {
    rc_op_desc d;
    rc_id path[2];
    wait waits[WAITS];
    int n_waits;
} op;

typedef struct list {
    op ops[MOST];
    int n, length[STREAMS]; /* ops of each stream */
} list;

typedef struct program {
    list lists[TEMPLATES];
    int order[PLAYED], played;
    double factor, speed, capacity[LINKS];
    bool instant; /* some ops take no time */
} program;

/* ---- drawing -------------------------------------------------------------------------------- */

static op *add(list *l, rc_op_desc d) {
    op *o = &l->ops[l->n++];
    *o = (op){.d = d};
    if (d.stream != RC_NONE)
        l->length[d.stream]++;
    return o;
}

static void wait_for(op *o, wait w) {
    if (o->n_waits < WAITS)
        o->waits[o->n_waits++] = w;
}

static rc_op_desc draw_desc(prop_case *c, const program *p) {
    bool zero = p->instant && prop_one_in(c, 3);
    return (rc_op_desc){.kind = (rc_op_kind)prop_below(c, 3),
                        .stream = (rc_id)prop_below(c, STREAMS),
                        .klass = (unsigned)prop_below(c, 3),
                        .duration = zero ? 0 : 1 + (rc_time)prop_below(c, 4) * 1000,
                        .account = (uint8_t)prop_below(c, ACCOUNTS),
                        .account_slowed = (uint8_t)prop_below(c, ACCOUNTS)};
}

static void draw_flow(prop_case *c, op *o) {
    o->d.path_len = 1 + (uint32_t)prop_below(c, 2);
    o->path[0] = (rc_id)prop_below(c, LINKS);
    o->path[1] = (rc_id)prop_below(c, LINKS);
    o->d.bytes = (double)prop_range(c, 1, 3000);
    o->d.max_rate = prop_one_in(c, 2) ? 0.7e12 : 0;
}

/* For some of the first `n`. */
static void draw_waits(prop_case *c, op *o, int n) {
    for (int k = 0; k < 2; k++)
        if (prop_one_in(c, 2) && n > 0)
            wait_for(o, (wait){.op = (int)prop_below(c, (uint64_t)n)});
}

/* All at one rendezvous, of two streams or more. */
static void draw_meeting(prop_case *c, const program *p, list *l, rc_id group) {
    int before = l->n;
    uint32_t size = 2 + (uint32_t)prop_below(c, STREAMS - 1);
    for (rc_id stream = 0; stream < size; stream++) {
        rc_op_desc d = draw_desc(c, p);
        d.kind = RC_OP_RENDEZVOUS;
        d.stream = stream;
        d.group = group;
        d.group_size = size;
        draw_waits(c, add(l, d), before);
    }
}

/* An op without a stream between two of stream 0, so that it comes once a repetition. */
static void draw_loose(prop_case *c, const program *p, list *l) {
    rc_op_desc d = draw_desc(c, p);
    d.stream = 0;
    (void)add(l, d);
    d = draw_desc(c, p);
    d.stream = RC_NONE;
    op *o = add(l, d);
    if (d.kind == RC_OP_FLOW)
        draw_flow(c, o);
    wait_for(o, (wait){.op = l->n - 2});
    d = draw_desc(c, p);
    d.kind = RC_OP_FIXED;
    d.stream = 0;
    o = add(l, d);
    wait_for(o, (wait){.op = l->n - 2});
}

static void draw_list(prop_case *c, const program *p, list *l, rc_id group) {
    int n = 1 + (int)prop_below(c, c->size < 14 ? c->size : 14);
    while (l->n < n) {
        if (prop_one_in(c, 8)) {
            draw_meeting(c, p, l, group++);
            continue;
        }
        op *o = add(l, draw_desc(c, p));
        if (o->d.kind == RC_OP_FLOW)
            draw_flow(c, o);
        draw_waits(c, o, l->n - 1);
    }
    if (prop_one_in(c, 2))
        draw_loose(c, p, l);
}

/* Whether the k-th op from the end of `stream` is at one place in all that is played before t. */
static bool stands_everywhere(const program *p, int t, int stream, int k) {
    int length = -1;
    for (int i = 1; i < p->played; i++) {
        if (p->order[i] != t)
            continue;
        int was = p->lists[p->order[i - 1]].length[stream];
        if (was < k || (length >= 0 && was != length))
            return false;
        length = was;
    }
    return length >= 0;
}

static void draw_previous(prop_case *c, program *p, int t) {
    list *l = &p->lists[t];
    for (int i = 0; i < l->n; i++) {
        wait w = {-1, (int)prop_below(c, STREAMS), 1 + (int)prop_below(c, 3)};
        if (l->ops[i].d.stream != RC_NONE && prop_one_in(c, 2) &&
            stands_everywhere(p, t, w.stream, w.from_end))
            wait_for(&l->ops[i], w);
    }
}

static void draw(prop_case *c, program *p) {
    memset(p, 0, sizeof *p);
    p->instant = prop_one_in(c, 2);
    p->factor = prop_one_in(c, 2) ? 1.0 : 0.25 + prop_unit(c);
    p->speed = prop_one_in(c, 2) ? 1.0 : 0.5 + prop_unit(c);
    for (int i = 0; i < LINKS; i++)
        p->capacity[i] = prop_one_in(c, 2) ? 1e12 : 1e12 * (0.1 + prop_unit(c));
    draw_list(c, p, &p->lists[0], 0);
    for (int t = 1; t < TEMPLATES; t++) {
        if (prop_one_in(c, 2)) /* alike but for its times */
            p->lists[t] = p->lists[0];
        else
            draw_list(c, p, &p->lists[t], 100 * (rc_id)t);
        for (int i = 0; i < p->lists[t].n; i++) {
            op *o = &p->lists[t].ops[i];
            o->d.duration += (rc_time)prop_below(c, 3) * 500;
            o->d.group = o->d.group % 100 + 100 * (rc_id)t;
        }
    }
    p->played = 1 + (int)prop_below(c, PLAYED);
    for (int i = 0; i < p->played; i++)
        p->order[i] = i > 0 && !prop_one_in(c, 3) ? p->order[i - 1] : (int)prop_below(c, TEMPLATES);
    for (int t = 0; t < TEMPLATES; t++)
        draw_previous(c, p, t);
}

/* ---- building ------------------------------------------------------------------------------- */

static rc_sim *hardware(const program *p) {
    rc_sim *s = rc_sim_create();
    rc_id a = rc_sim_domain(s), b = rc_sim_domain(s);
    rc_sim_domain_speed(s, b, p->speed);
    for (int i = 0; i < STREAMS; i++)
        (void)rc_sim_stream(s, i < 2 ? a : i < 4 ? b : RC_NONE);
    for (int i = 0; i < LINKS; i++)
        (void)rc_sim_link(s, p->capacity[i]);
    rc_sim_interfere(s, 1, 2, p->factor);
    rc_sim_interfere(s, 2, 1, p->factor);
    return s;
}

static rc_id put(rc_sim *s, const op *o, rc_id group) {
    rc_op_desc d = o->d;
    d.path = o->path;
    d.group = group;
    return rc_sim_op(s, &d);
}

/* The op that `w` means in the list that was played before. */
static int meant(const list *was, const wait *w) {
    int k = w->from_end, i = was->n;
    while (k > 0)
        k -= was->ops[--i].d.stream == (rc_id)w->stream;
    return i;
}

static bool written_out(const program *p, rc_sim *s) {
    bool fine = true;
    for (int r = 0, base = 0, before = 0; r < p->played; r++) {
        const list *l = &p->lists[p->order[r]];
        for (int i = 0; i < l->n; i++)
            fine = fine && put(s, &l->ops[i], l->ops[i].d.group + 1000 * (rc_id)r) != RC_NONE;
        for (int i = 0; i < l->n; i++) {
            for (int k = 0; k < l->ops[i].n_waits; k++) {
                const wait *w = &l->ops[i].waits[k];
                int on = w->op < 0 && r > 0 ? before + meant(&p->lists[p->order[r - 1]], w)
                                            : base + w->op;
                if (w->op >= 0 || r > 0)
                    fine = fine && rc_sim_after(s, (rc_id)(base + i), (rc_id)on, NULL) == RC_OK;
            }
        }
        before = base;
        base += l->n;
    }
    return fine;
}

/* The list to say it by: any in which the op stands so far from the end. */
static int has(const program *p, const wait *w) {
    int t = 0;
    while (p->lists[t].length[w->stream] < w->from_end)
        t++;
    return t;
}

static bool templates(const program *p, rc_sim *s) {
    bool fine = true;
    rc_id first[TEMPLATES];
    for (int t = 0; t < TEMPLATES; t++) {
        if (t > 0)
            fine = fine && rc_sim_template(s) == (rc_id)t;
        first[t] = 0;
        for (int i = 0; i < p->lists[t].n; i++) {
            rc_id id = put(s, &p->lists[t].ops[i], p->lists[t].ops[i].d.group);
            first[t] = i == 0 ? id : first[t];
        }
    }
    for (int t = 0; t < TEMPLATES; t++) {
        for (int i = 0; i < p->lists[t].n; i++) {
            const op *o = &p->lists[t].ops[i];
            for (int k = 0; k < o->n_waits; k++) {
                const wait *w = &o->waits[k];
                rc_id id = first[t] + (rc_id)i;
                if (w->op >= 0) {
                    fine = fine && rc_sim_after(s, id, first[t] + (rc_id)w->op, NULL) == RC_OK;
                    continue;
                }
                int other = has(p, w);
                rc_id before = first[other] + (rc_id)meant(&p->lists[other], w);
                fine = fine && rc_sim_after_previous(s, id, before, NULL) == RC_OK;
            }
        }
    }
    for (int r = 0; r < p->played; r++)
        rc_sim_play(s, (rc_id)p->order[r], 1);
    return fine;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool same_results(prop_case *c, const rc_sim *a, const rc_sim *b) {
    PROP_CHECK(c, rc_sim_op_count(a) == rc_sim_op_count(b), "%zu and %zu ops", rc_sim_op_count(a),
               rc_sim_op_count(b));
    for (rc_id i = 0; i < rc_sim_op_count(a); i++) {
        PROP_CHECK(c, rc_sim_op_start(a, i) == rc_sim_op_start(b, i), "op %u starts apart", i);
        PROP_CHECK(c, rc_sim_op_end(a, i) == rc_sim_op_end(b, i), "op %u ends apart", i);
        PROP_CHECK(c, rc_sim_op_cause(a, i) == rc_sim_op_cause(b, i), "op %u: causes %u and %u", i,
                   rc_sim_op_cause(a, i), rc_sim_op_cause(b, i));
    }
    PROP_CHECK(c, rc_sim_end(a) == rc_sim_end(b), "they end apart");
    PROP_CHECK(c, rc_sim_events(a) == rc_sim_events(b), "not as many events");
    PROP_CHECK(c, rc_sim_trace_hash(a) == rc_sim_trace_hash(b), "another trace");
    PROP_CHECK(c, rc_sim_order_hash(a) == rc_sim_order_hash(b), "another order of events");
    rc_time sum = 0;
    for (unsigned k = 0; k < ACCOUNTS; k++) {
        PROP_CHECK(c, rc_sim_critical(a, k) == rc_sim_critical(b, k), "account %u differs", k);
        sum += rc_sim_critical(a, k);
    }
    PROP_CHECK(c, sum == rc_sim_end(a), "the accounts add up to %lld, the end is %lld",
               (long long)sum, (long long)rc_sim_end(a));
    return true;
}

static bool played_is_written_out(prop_case *c) {
    program p;
    rc_error err = {0};
    draw(c, &p);
    rc_sim *a = hardware(&p), *b = hardware(&p);
    rc_sim_keep_all(a);
    rc_sim_keep_all(b);
    PROP_CHECK(c, written_out(&p, a) && templates(&p, b), "it cannot be built");
    PROP_CHECK(c, rc_sim_run(a, &err) == RC_OK, "written out: %.300s", err.msg);
    PROP_CHECK(c, rc_sim_run(b, &err) == RC_OK, "played: %.300s", err.msg);
    if (!same_results(c, a, b))
        return false;
    rc_sim_destroy(a);
    rc_sim_destroy(b);
    return true;
}

/* Of an op that lasts, what is booked is what the causes give, walked back from the last op. */
static bool accounts_are_the_critical_path(prop_case *c) {
    program p;
    rc_time walked[ACCOUNTS] = {0};
    do
        draw(c, &p);
    while (p.instant);
    rc_sim *s = hardware(&p);
    const op *ops[PLAYED * MOST];
    int n = 0;
    rc_sim_keep_all(s);
    for (int r = 0; r < p.played; r++)
        for (int i = 0; i < p.lists[p.order[r]].n; i++) {
            op *o = &p.lists[p.order[r]].ops[i];
            o->d.account_slowed = o->d.account;
            ops[n++] = o;
        }
    PROP_CHECK(c, templates(&p, s) && rc_sim_run(s, NULL) == RC_OK, "it cannot be run");
    rc_id at = 0;
    while (rc_sim_op_end(s, at) != rc_sim_end(s))
        at++;
    for (; at != RC_NONE; at = rc_sim_op_cause(s, at))
        walked[ops[at]->d.account] += rc_sim_op_end(s, at) - rc_sim_op_start(s, at);
    for (unsigned k = 0; k < ACCOUNTS; k++)
        PROP_CHECK(c, walked[k] == rc_sim_critical(s, k), "account %u: %lld walked, %lld booked", k,
                   (long long)walked[k], (long long)rc_sim_critical(s, k));
    rc_sim_destroy(s);
    return true;
}

/* Of ops that are to be kept the results are those of a run that keeps all, in every repetition; of the others there are none,
 * nor of ops that there are not. What is kept changes nothing of the run. */
static bool some_are_kept(prop_case *c) {
    program p;
    rc_error err = {0};
    draw(c, &p);
    for (int t = 0; t < TEMPLATES; t++)
        for (int i = 0; i < p.lists[t].n; i++)
            p.lists[t].ops[i].d.keep = prop_one_in(c, 2);
    rc_sim *all = hardware(&p), *some = hardware(&p);
    rc_sim_keep_all(all);
    PROP_CHECK(c, templates(&p, all) && templates(&p, some), "it cannot be built");
    PROP_CHECK(c, rc_sim_run(all, &err) == RC_OK && rc_sim_run(some, &err) == RC_OK, "%.300s",
               err.msg);
    rc_id number = 0;
    for (int r = 0; r < p.played; r++)
        for (int i = 0; i < p.lists[p.order[r]].n; i++, number++) {
            const bool keep = p.lists[p.order[r]].ops[i].d.keep;
            PROP_CHECK(c,
                       rc_sim_op_start(some, number) ==
                               (keep ? rc_sim_op_start(all, number) : RC_TIME_NEVER) &&
                           rc_sim_op_end(some, number) ==
                               (keep ? rc_sim_op_end(all, number) : RC_TIME_NEVER) &&
                           rc_sim_op_cause(some, number) ==
                               (keep ? rc_sim_op_cause(all, number) : RC_NONE),
                       "op %u, %s, has other results", number, keep ? "kept" : "not kept");
        }
    PROP_CHECK(c, number == rc_sim_op_count(some), "%u ops of %zu", number, rc_sim_op_count(some));
    for (int i = 0; i < 2; i++)
        PROP_CHECK(c, rc_sim_op_end(i ? all : some, number) == RC_TIME_NEVER,
                   "an op that there is not has an end");
    PROP_CHECK(c, rc_sim_end(all) == rc_sim_end(some), "they end apart");
    PROP_CHECK(c, rc_sim_order_hash(all) == rc_sim_order_hash(some), "another order of events");
    for (unsigned k = 0; k < ACCOUNTS; k++)
        PROP_CHECK(c, rc_sim_critical(all, k) == rc_sim_critical(some, k), "account %u differs", k);
    rc_sim_destroy(all);
    rc_sim_destroy(some);
    return true;
}

static void test_kept(void **state) {
    (void)state;
    assert_true(prop_run("some_are_kept", some_are_kept, 200));
}

static void test_played(void **state) {
    (void)state;
    assert_true(prop_run("played_is_written_out", played_is_written_out, 400));
}

static void test_accounts(void **state) {
    (void)state;
    assert_true(prop_run("accounts_are_the_critical_path", accounts_are_the_critical_path, 200));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_played), cmocka_unit_test(test_kept),
                                       cmocka_unit_test(test_accounts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
