/* Traces drawn anew from themselves: sessions stay whole, what holds a trace together holds, the seed decides,
 * and in expectation requests, tokens, time and hits are what they were.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "sim/trace/workload.h"
#include "tests/support/prop.h"
#include "tests/support/trace_check.h"

static rc_trace *made(prop_case *c, size_t sessions, bool turns) {
    rc_trace *t = NULL;
    rc_synthetic s = {.requests = sessions,
                      .arrivals = {RC_ARRIVE_GAMMA, 0.5 + prop_unit(c), 2.0},
                      .input = {.kind = RC_LENGTH_EXPONENTIAL, .mean = 900.0},
                      .output = {.kind = RC_LENGTH_EXPONENTIAL, .mean = 90.0},
                      .block = (uint32_t)prop_range(c, 1, 64),
                      .shared_prefix = (uint32_t)prop_range(c, 0, 300),
                      .groups = 3,
                      .turns = {.kind = RC_LENGTH_CONSTANT, .mean = 1.0},
                      .think_s = 5.0,
                      .seed = prop_u64(c)};
    if (turns)
        s.turns = (rc_length){.kind = RC_LENGTH_UNIFORM, .lo = 1, .hi = 6};
    return rc_trace_synthesise(&s, &t, NULL) == RC_OK ? t : NULL;
}

static rc_trace *copy_of(const rc_trace *t) {
    rc_trace *out = malloc(sizeof *out);
    assert_non_null(out);
    *out = *t;
    out->at = malloc((t->count + 1) * sizeof *t->at);
    out->spans = malloc((t->span_count + 1) * sizeof *t->spans);
    assert_non_null(out->at);
    assert_non_null(out->spans);
    memcpy(out->at, t->at, t->count * sizeof *t->at);
    if (t->span_count > 0)
        memcpy(out->spans, t->spans, t->span_count * sizeof *t->spans);
    return out;
}

/* ---- sessions ---- */

typedef struct digest { /* of a session: its turns in their order */
    uint64_t turns, hash;
} digest;

static void read_sessions(const rc_trace *t, digest *out) {
    for (size_t i = 0; i < t->count; i++) {
        const rc_req *q = &t->at[i];
        digest *d = &out[q->session];
        d->hash = (d->hash ^ q->turn) * UINT64_C(0x100000001B3);
        d->hash = (d->hash ^ q->input) * UINT64_C(0x100000001B3);
        d->hash = (d->hash ^ q->output) * UINT64_C(0x100000001B3);
        d->hash = (d->hash ^ (uint64_t)q->think) * UINT64_C(0x100000001B3);
        d->hash = (d->hash ^ q->named) * UINT64_C(0x100000001B3);
        d->turns++;
    }
}

static bool is_one_of(const digest *d, const digest *all, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (all[i].turns == d->turns && all[i].hash == d->hash)
            return true;
    return false;
}

static bool same(const rc_trace *a, const rc_trace *b) {
    if (a->count != b->count || a->blocks != b->blocks || a->span_count != b->span_count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const rc_req *x = &a->at[i], *y = &b->at[i];
        if (x->arrival != y->arrival || x->after != y->after || x->session != y->session ||
            x->input != y->input || x->output != y->output || x->span != y->span ||
            x->spans != y->spans)
            return false;
    }
    return memcmp(a->spans, b->spans, a->span_count * sizeof *a->spans) == 0;
}

/* How many sessions of the new trace were not in the old one. */
static uint32_t strangers(const rc_trace *old, const rc_trace *new) {
    uint32_t n = 0;
    digest *known = calloc((size_t)old->sessions + 1, sizeof *known);
    digest *drawn = calloc((size_t) new->sessions + 1, sizeof *drawn);
    assert_non_null(known);
    assert_non_null(drawn);
    read_sessions(old, known);
    read_sessions(new, drawn);
    for (uint32_t i = 0; i < new->sessions; i++)
        n += !is_one_of(&drawn[i], known, old->sessions);
    free(known);
    free(drawn);
    return n;
}

static bool sessions_are_whole(prop_case *c) {
    rc_trace *t = made(c, 1 + 3 * (size_t)c->size, true);
    assert_non_null(t);
    rc_trace *drawn = copy_of(t), *again = copy_of(t);
    uint64_t seed = prop_u64(c);
    bool good = rc_trace_resample(drawn, seed, NULL) == RC_OK &&
                rc_trace_resample(again, seed, NULL) == RC_OK;
    bool equal = good && same(drawn, again);
    const char *fault = good ? trace_fault(drawn) : NULL;
    uint32_t unknown = good ? strangers(t, drawn) : 0;
    rc_trace_free(t);
    rc_trace_free(drawn);
    rc_trace_free(again);
    PROP_CHECK(c, good, "refused");
    PROP_CHECK(c, equal, "the same seed drew another trace");
    PROP_CHECK(c, fault == NULL, "%s", fault ? fault : "");
    PROP_CHECK(c, unknown == 0, "%u sessions were never there", unknown);
    return true;
}

/* ---- expectations ---- */

enum { SEEDS = 400 };

typedef struct moments {
    double sum, squares;
} moments;

static void add(moments *m, double x) {
    m->sum += x;
    m->squares += x * x;
}

/* The mean over all seeds is `known`, within four standard errors. */
static bool is_mean(prop_case *c, const moments *m, double known, const char *what) {
    double mean = m->sum / SEEDS, var = fmax(m->squares / SEEDS - mean * mean, 0.0);
    double error = sqrt(var / SEEDS);
    PROP_CHECK(c, fabs(mean - known) <= 4.0 * error + 1e-9 * known, "%s: mean %g +- %g, was %g",
               what, mean, error, known);
    return true;
}

/* With a hundred sessions the pieces are of unequal sizes, so counts differ from draw to draw. */
static bool kept_in_expectation(prop_case *c) {
    rc_trace *t = made(c, 100, true);
    moments requests = {0}, input = {0}, time = {0};
    rc_trace_stats known;
    PROP_CHECK(c, t != NULL && rc_trace_statistics(t, NULL, &known, NULL) == RC_OK, "no trace");
    rc_time first = t->at[0].arrival, last = 0, next;
    for (size_t i = 0; i < t->count; i++)
        last = t->at[i].arrival > last ? t->at[i].arrival : last;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        rc_trace *x = copy_of(t);
        rc_trace_stats now;
        PROP_CHECK(c, rc_trace_resample(x, seed, NULL) == RC_OK, "refused");
        PROP_CHECK(c, rc_trace_statistics(x, NULL, &now, NULL) == RC_OK, "statistics");
        add(&requests, (double)now.requests);
        add(&input, (double)now.input);
        next = 0;
        for (size_t i = 0; i < x->count; i++)
            next = x->at[i].arrival > next ? x->at[i].arrival : next;
        add(&time, (double)(next - first) / RC_PS_PER_S);
        PROP_CHECK(c, x->at[0].arrival == first, "begins at another time");
        rc_trace_free(x);
    }
    bool held = is_mean(c, &requests, (double)known.requests, "requests") &&
                is_mean(c, &input, (double)known.input, "tokens in");
    PROP_CHECK(c, fabs(time.sum / SEEDS / ((double)(last - first) / RC_PS_PER_S) - 1.0) < 0.03,
               "from first to last %g s, was %g s", time.sum / SEEDS,
               (double)(last - first) / RC_PS_PER_S);
    rc_trace_free(t);
    return held;
}

/* Requests of no session: as many as there were when they fill the pieces evenly, and within a piece at the
 * distances they had. */
static bool pieces_are_kept(prop_case *c) {
    rc_trace *t = made(c, 10 * RC_TRACE_PIECES, false);
    PROP_CHECK(c, t != NULL && t->sessions == 0, "no trace");
    rc_trace *x = copy_of(t);
    PROP_CHECK(c, rc_trace_resample(x, prop_u64(c), NULL) == RC_OK, "refused");
    PROP_CHECK(c, x->count == t->count, "%zu requests of %zu", x->count, t->count);
    for (size_t p = 0; p < RC_TRACE_PIECES; p++) {
        size_t from = RC_TRACE_PIECES; /* the piece that it was */
        for (size_t k = 0; k < RC_TRACE_PIECES && from == RC_TRACE_PIECES; k++)
            if (t->at[10 * k].input == x->at[10 * p].input &&
                t->at[10 * k + 9].input == x->at[10 * p + 9].input)
                from = k;
        PROP_CHECK(c, from < RC_TRACE_PIECES, "piece %zu was never there", p);
        for (size_t i = 1; i < 10; i++) {
            const rc_req *a = &t->at[10 * from], *b = &x->at[10 * p];
            PROP_CHECK(c,
                       a[i].arrival - a[0].arrival == b[i].arrival - b[0].arrival &&
                           a[i].input == b[i].input,
                       "piece %zu is not as it was", p);
        }
    }
    rc_trace_free(t);
    rc_trace_free(x);
    return true;
}

static void test_sessions(void **state) {
    (void)state;
    assert_true(prop_run("sessions_are_whole", sessions_are_whole, 40));
}

static void test_expectations(void **state) {
    (void)state;
    prop_case c = {.seed = 1, .state = 1, .size = 1};
    for (int i = 0; i < 3; i++)
        if (!kept_in_expectation(&c))
            fail_msg("%s", c.why);
}

static void test_pieces(void **state) {
    (void)state;
    assert_true(prop_run("pieces_are_kept", pieces_are_kept, 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions),
                                       cmocka_unit_test(test_expectations),
                                       cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
