/* What the engine assumes of its callers, and its parts of one another (tests/support/trips.h). The
 * engine's sources are compiled into this test, for some of it is said between static functions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE 1
#include "tests/support/trips.h"

#include "sim/engine/eventq.c"
#include "sim/engine/flow.c"

#include "sim/engine/execute.c"
#include "sim/engine/outcome.c"
#include "sim/engine/prepare.c"
#include "sim/engine/sim.c"

static rc_sim *s;
static const rc_op_desc work = {.kind = RC_OP_WORK, .duration = 5, .account = 1};

/* A program of two streams, a link and two flows, laid out but not run. */
static int setup(void **state) {
    (void)state;
    const rc_id path[1] = {0};
    s = rc_sim_create();
    (void)rc_sim_stream(s, rc_sim_domain(s));
    (void)rc_sim_stream(s, 0);
    (void)rc_sim_link(s, 1e9);
    rc_op_desc flow = {.kind = RC_OP_FLOW, .stream = 1, .bytes = 1, .path = path, .path_len = 1};
    (void)rc_sim_op(s, &work);
    (void)rc_sim_op(s, &flow);
    return rc_sim_prepare_(s, NULL) != RC_OK;
}

static int teardown(void **state) {
    (void)state;
    rc_sim_destroy(s);
    return 0;
}

static void nothing(void *ctx, uint64_t arg, rc_time now) {
    (void)ctx;
    (void)arg;
    (void)now;
}

static void test_queue(void **state) {
    (void)state;
    rc_eventq *q = rc_eventq_create(4);
    (void)rc_eventq_at(q, 7, nothing, NULL, 0);
    rc_event later_one = rc_eventq_at(q, 9, nothing, NULL, 0);
    assert_true(rc_eventq_step(q));
    trips("at >= q->now", rc_eventq_at(q, 6, nothing, NULL, 0));
    trips("at >= q->now", rc_eventq_move(q, later_one, 6));
    trips("q != NULL && fn != NULL", rc_eventq_at(q, 8, NULL, NULL, 0));
    trips("q != NULL", rc_eventq_run(NULL, 8));
    q->used_chunks = q->chunks; /* as if reserve had counted wrongly */
    trips("c < q->chunks", put_far(q, (rc_eventq_key){1000, 0}));
    rc_eventq_destroy(q);
}

static void test_random_numbers(void **state) {
    (void)state;
    rc_rng rng;
    rc_rng_seed(&rng, 1);
    trips("n >= 1", rc_rng_below(&rng, 0));
    trips("mean >= 0", rc_rng_exponential(&rng, -1.0));
}

static void test_ticks(void **state) {
    (void)state;
    trips("a >= 0 && b >= 0", rc_ticks_add(-1, 1));
    trips("elapsed >= 0", rc_flow_left(1.0, 1.0, -1));
    trips("rate > 0", rc_flow_ps(1.0, 0.0));
}

static void test_building(void **state) {
    (void)state;
    rc_sim *fresh = rc_sim_create();
    trips("times >= 1 && !s->ran", rc_sim_play(fresh, 0, 0));
    trips("d != NULL && !s->ran", rc_sim_op(fresh, NULL));
    trips("s != NULL && !s->ran", rc_sim_domain(NULL));
    rc_sim_destroy(fresh);
    /* what was laid out does not grow */
    trips("!s->ran", rc_sim_stream(s, 0));
    trips("!s->ran", rc_sim_link(s, 1.0));
    trips("!s->ran", rc_sim_interfere(s, 1, 2, 0.5));
    trips("!s->ran", rc_sim_domain_speed(s, 0, 0.5));
    trips("!s->ran", rc_sim_template(s));
    trips("!s->ran", rc_sim_keep_all(s));
    trips("!s->ran", rc_sim_after(s, 1, 0, NULL));
}

static void test_preparing(void **state) {
    (void)state;
    trips("s != NULL", rc_sim_run(NULL, NULL));
    trips("z->ops >= 0 && z->edges >= 0 && z->streamless >= 0 && z->kept >= 0",
          rc_sim_bytes(&(rc_sim_size){.ops = -1}));
}

static void test_running(void **state) {
    (void)state;
    trips("t->batch != RC_NONE", unschedule(s, 0));
    trips("t->state == RC_RUNNING", finish(s, 0, 0));
    trips("ps >= 0", end_in(s, 0, -1.0, 0));
    trips("b->at == now", on_batch(s, 0, 0));
    schedule(s, 0, 4);
    trips("t->batch == RC_NONE", schedule(s, 0, 5));
}

static void test_flows(void **state) {
    (void)state;
    s->tracks[1].at = 1;
    RC_FLOWS(s)[0].bytes = 0;
    trips("f->path_len > 0 && f->bytes > 0", rc_flow_join_(s, 1, 0));
    RC_FLOWS(s)[0].bytes = 1;
    rc_flow_join_(s, 1, 0);
    rc_flow_leave_(s, 1);
    trips("l->active > 0", rc_flow_leave_(s, 1));
}

static void test_results(void **state) {
    (void)state;
    rc_sim *fresh = rc_sim_create();
    trips("s->ran", rc_sim_trace_hash(fresh));
    trips("s->ran", rc_sim_order_hash(fresh));
    rc_sim_destroy(fresh);
    trips("s->ran && op < s->ops.n", rc_sim_number(s, 9, 0));
    trips("repetition < s->n_repetitions", rc_sim_number(s, 0, 1));
    trips("account < RC_ACCOUNTS", rc_sim_critical(s, RC_ACCOUNTS));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_queue),     T(test_random_numbers), T(test_ticks), T(test_building),
        T(test_preparing), T(test_running),        T(test_flows), T(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
