/* Sequences that decode over the ranks of a ring: which rank has which, and what a pass of unlike ranks is launched as.
 * All numbers are worked out by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/passes.h"
#include "tests/support/serve_rows.h"

static rc_serve serve;
static rc_error err;

#define HEAD "serve: s\nmodel: llama-3.1-8b\nmachine: h200-sxm\n"
#define LOAD "synthetic: {requests: 1, rate: 1}\n"

static void open_serve(const char *text) {
    if (serve_parse(text, &serve, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

/* ---- as it is launched ----------------------------------------------------------------------- */

/* What a pass says, and what is asked of the cost model. */
typedef struct launch_case {
    const char *what;
    int64_t ranks;
    rc_pass pass;
    uint32_t decodes;
    int64_t context, longest;
} launch_case;

static const rc_sequence chunk = {100, 0};

#define DECODES(n, sum, most) .decodes = (n), .context = (sum), .longest = (most)
#define RANK(n, sum, most)                                                                         \
    { .rows = (n), .context = (sum), .longest = (most) }

static void are_launched(const launch_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const launch_case *c = &cases[i];
        const rc_pass got = rc_pass_launched(&serve, &c->pass, c->ranks, 8);
        if (got.decodes != c->decodes || got.context != c->context || got.longest != c->longest ||
            got.prefills != c->pass.prefills)
            fail_msg("%s: %u sequences over %lld keys, the longest %lld; not %u, %lld, %lld",
                     c->what, got.decodes, (long long)got.context, (long long)got.longest,
                     c->decodes, (long long)c->context, (long long)c->longest);
    }
}

static const launch_case even[] = {
    {"a graph of its size", 2, {DECODES(4, 400, 150)}, 4, 400, 150},
    {"the next graph", 2, {DECODES(3, 300, 150)}, 4, 300, 150},
    {"beyond the last graph", 2, {DECODES(9, 900, 150)}, 9, 900, 150},
    {"graphs are for steps alone",
     2,
     {.prefill = &chunk, .prefills = 1, DECODES(3, 300, 150)},
     3,
     300,
     150},
};

/* Of 3 on 2 ranks, all on one: a rank has 3 in a graph of 6 or more. On 4 ranks, 2 on the fullest: 5 to 8. */
static const launch_case unlike[] = {
    {"rows of a rank ask for a larger graph",
     2,
     {DECODES(3, 600, 300), .rows = 3, .heaviest = RANK(3, 600, 300)},
     8,
     600,
     300},
    {"as many rows as the graph of its size has",
     2,
     {DECODES(3, 600, 250), .rows = 2, .heaviest = RANK(2, 400, 250)},
     4,
     600,
     250},
    {"two of four ranks have any: in the mean a rank has 150 keys",
     4,
     {DECODES(3, 600, 250), .rows = 2, .heaviest = RANK(2, 400, 250)},
     8,
     600,
     150},
    {"no graph has 5 rows on 2 ranks: 10 launched one by one",
     2,
     {DECODES(7, 700, 100), .rows = 5, .heaviest = RANK(5, 500, 100)},
     10,
     700,
     100},
    {"beside a prompt: all ranks have as many rows as the fullest",
     2,
     {.prefill = &chunk,
      .prefills = 1,
      DECODES(3, 600, 250),
      .rows = 2,
      .heaviest = RANK(2, 400, 250)},
     4,
     600,
     250},
};

/* Pieces of 256 keys with 8 CTAs each: from 14 on, over 3,328 keys of a rank, fewer than 25 of 132 SMs are idle, and the
 * heaviest rank's keys count in each of the ring's steps. */
static const launch_case heaviest[] = {
    {"3 rows of 9,000 keys on both of 2 ranks, in a graph that has 4 rows",
     2,
     {DECODES(3, 9000, 4000), .rows = 3, .heaviest = RANK(3, 9000, 4000)},
     8,
     18000,
     4000},
    {"3,328 keys on each rank: messages find SMs",
     2,
     {DECODES(3, 8000, 6656), .rows = 2, .heaviest = RANK(1, 6656, 6656)},
     4,
     8000,
     4000},
    {"a key more",
     2,
     {DECODES(3, 8000, 6657), .rows = 2, .heaviest = RANK(1, 6657, 6657)},
     4,
     13314,
     6657},
    {"one sequence on 4 ranks: a rank at a time has it, and the graph of one has a row a rank",
     4,
     {DECODES(1, 50000, 50000), .rows = 1, .heaviest = RANK(1, 50000, 50000)},
     1,
     50000,
     50000},
    {"launched one by one",
     2,
     {DECODES(7, 20000, 3000), .rows = 5, .heaviest = RANK(5, 12000, 4000)},
     10,
     24000,
     4000},
    {"beside a prompt: the mean of the ranks",
     2,
     {.prefill = &chunk,
      .prefills = 1,
      DECODES(3, 60000, 25000),
      .rows = 2,
      .heaviest = RANK(2, 40000, 25000)},
     4,
     60000,
     25000},
};

#define LIST(x) x, sizeof(x) / sizeof(x)[0]

static void test_launched(void **state) {
    (void)state;
    open_serve(HEAD LOAD "pools: [{name: a, tp: 1, cp: 2}]\nscheduler: {graphs: [1, 2, 4, 8]}\n");
    assert_false(serve.decode_by_position);
    are_launched(LIST(even));
    are_launched(LIST(unlike));
    open_serve(HEAD LOAD "engine: ringcast\npools: [{name: a, tp: 1, cp: 2}]\n"
                         "scheduler: {graphs: [1, 2, 4, 8]}\n");
    assert_true(serve.decode_by_position && serve.machine.ring_gives_way);
    are_launched(LIST(even));
    are_launched(LIST(heaviest));
}

/* A graph is not larger than the batch may be. */
static void test_largest(void **state) {
    static const launch_case at_most[] = {
        {"six at most", 2, {DECODES(5, 500, 100)}, 6, 500, 100},
        {"nor for the sake of rows",
         2,
         {DECODES(4, 400, 100), .rows = 4, .heaviest = RANK(4, 400, 100)},
         8,
         400,
         100},
    };
    (void)state;
    open_serve(HEAD LOAD
               "pools: [{name: a, tp: 1, cp: 2}]\nscheduler: {max_batch: 6, graphs: [4, 8]}\n");
    are_launched(LIST(at_most));
}

/* ---- which rank has which -------------------------------------------------------------------- */

enum { STEPS = 3 };

/* Passes with sequences that decode alone, as they came, and what they should take. */
typedef struct played {
    rc_pass_forward *source;
    const rc_pass *expected;
    size_t next;
} played;

static rc_status play(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *e) {
    played *p = ctx;
    rc_pass_cost cost;
    *took = 1000000000; /* a millisecond */
    if (!pass->at[0].decodes)
        return RC_OK;
    assert_true(p->next < STEPS);
    RC_TRY(rc_pass_forward_time(p->source, &p->expected[p->next], &cost, e));
    if (pass->model_gpu != cost.time)
        fail_msg("step %zu: %lld ps, not %lld", p->next, (long long)pass->model_gpu,
                 (long long)cost.time);
    p->next++;
    return RC_OK;
}

/* Four requests that come at once are read together, and with that has each the first token of its reply; three steps follow.
 * The first has places 1000, 2001, 3001 and 16002: on ranks 0, 1, 1 and 2 of four. All move on together. */
#define REQUESTS "0,1000,4\n0,2001,4\n0,3001,4\n0,16002,4\n"

static void steps_are(const char *more, const rc_pass *first) {
    static const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    const rc_schedule *schedule = rc_schedule_decoding(rc_schedule_named("pass-kv"), 4);
    static rc_serve_result result;
    rc_costs *costs = NULL;
    rc_pass steps[STEPS];
    char text[1024];
    (void)snprintf(text, sizeof text, HEAD "pools: [{name: a, tp: 1, cp: 4}]\n%s", more);
    for (int k = 0; k < STEPS; k++) {
        steps[k] = *first;
        steps[k].context += k * (int64_t)first->decodes;
        steps[k].longest += k;
    }
    played p = {.expected = steps};
    const rc_pass_player player = {.ctx = &p, .pass = play, .modelled = true};
    char with_load[2048];
    (void)snprintf(with_load, sizeof with_load, "%s" LOAD, text);
    open_serve(with_load);
    const rc_layout cut = rc_pool_cut(&serve, &serve.pools[0], 4, schedule);
    assert_int_equal(rc_costs_open(NULL, &serve.machine, &costs, &err), RC_OK);
    assert_int_equal(
        rc_pass_forward_create(&serve, costs, &cut, schedule, NULL, &none, &p.source, &err), RC_OK);
    free(serve_rows(text, REQUESTS, (rc_serve_options){.seed = 1, .player = &player}, &result));
    assert_int_equal(p.next, STEPS);
    rc_pass_forward_destroy(p.source);
    rc_costs_close(costs);
}

/* Dealt out evenly: one on each rank, the longest of a rank 22,004 / 4 in the mean. */
static void test_even(void **state) {
    (void)state;
    steps_are("", &(rc_pass){DECODES(4, 22004, 5501)});
}

/* By position: two rows on each rank; the longest are (1000 + 3001 + 16002) / 3 where there are any, and no more than the 5501
 * that a rank has in the mean. */
static void test_by_position(void **state) {
    (void)state;
    steps_are("scheduler: {decode_ranks: position}\n", &(rc_pass){DECODES(8, 22004, 5501)});
}

/* Attention gives way: two rows, of 16,002 keys, in every step of the ring. */
static void test_heaviest(void **state) {
    (void)state;
    steps_are("engine: ringcast\nscheduler: {step: 0, step_sequence: 0}\n",
              &(rc_pass){DECODES(8, 4 * 16002, 16002)});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launched), cmocka_unit_test(test_largest),
        cmocka_unit_test(test_even),     cmocka_unit_test(test_by_position),
        cmocka_unit_test(test_heaviest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
