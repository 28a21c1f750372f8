/* A server without GPUs: the scheduler's passes over a real trace, planned for every rank, their keys kept as the plans
 * say. Whatever is shared, evicted, preempted and computed again, each sequence must find its own tokens.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calib/serve/serve_prepare.h"
#include "sim/base/find.h"
#include "sim/cost/cost.h"
#include "sim/serve/serve.h"

enum { RANKS = 4 };

typedef struct server {
    rc_serve serve;
    rc_trace *trace;
    rc_serve_shape shape;
    rc_serve_prepared prepared;
    rc_serve_inputs in[RANKS];
    int32_t *memory[RANKS], *pool[RANKS]; /* pool: the token whose key is in a slot */
    int32_t *lens, *order;
    rc_serve_seat *seats;
    int64_t passes, found, evicted, by_q, by_kv, several;
} server;

static int32_t token(const server *s, uint64_t request, int64_t at) {
    return (int32_t)(rc_serve_token(&s->prepared.pages, request, at) % RC_SERVE_EMBEDDED);
}

static int32_t kept(const server *s, size_t i, int64_t at) {
    const int ranks = s->shape.layer.cp;
    const int64_t own = at / ranks;
    const int32_t page = s->prepared.sequences[i].pages[own / RC_KV_PAGE];
    assert_true(page >= 0 && page < s->shape.pages);
    return s->pool[at % ranks][page * RC_KV_PAGE + own % RC_KV_PAGE];
}

static void write_rows(server *s, int rank, const rc_serve_plan *x) {
    for (int64_t row = 0; row < x->rows; row++) {
        const int32_t slot = s->in[rank].slots[row];
        assert_true(slot < s->shape.pages * RC_KV_PAGE);
        if (slot >= 0)
            s->pool[rank][slot] = s->in[rank].tokens[row];
    }
}

static rc_status one_pass(void *ctx, const rc_played_pass *pass, rc_time *took, rc_error *err) {
    server *s = ctx;
    const rc_serve_scratch scratch = {s->lens, s->order};
    static rc_serve_plan x;
    RC_TRY(rc_serve_prepare(&s->prepared, pass, err));
    for (int r = 0; r < s->shape.layer.cp; r++) {
        RC_TRY(rc_serve_plan_make(&s->shape, r, s->prepared.sequences, pass->count, &scratch,
                                  &s->in[r], s->seats, &x, err));
        write_rows(s, r, &x);
    }
    for (size_t i = 0; i < pass->count; i++) {
        const rc_played_sequence *q = &pass->at[i];
        const int64_t end = q->p + q->t, step = end > 4000 ? 37 : 1;
        for (int64_t at = 0; at < end; at += step)
            if (kept(s, i, at) != token(s, q->request, at))
                fail_msg("pass %lld: request %llu does not find token %lld of %lld",
                         (long long)s->passes, (unsigned long long)q->request, (long long)at,
                         (long long)end);
        s->found += q->p;
    }
    assert_non_null(pass->schedule);
    s->several += x.prompts > 1;
    s->by_q += x.prompts > 0 && strcmp(pass->schedule->name, "pass-q") == 0;
    s->by_kv += x.prompts > 0 && strcmp(pass->schedule->name, "pass-kv") == 0;
    s->passes++;
    *took = (rc_time)(RC_PS_PER_S / 50);
    return RC_OK;
}

static void release(void *ctx, uint64_t request) {
    rc_serve_pages_release(&((server *)ctx)->prepared.pages, request);
}

static void open_server(server *s, const char *scenario, const char *const *sets, size_t n) {
    char path[1024];
    rc_error err = {0};
    memset(s, 0, sizeof *s);
    if (rc_share_path("scenarios/serving", scenario, ".yaml", path, sizeof path, &err) != RC_OK ||
        rc_serve_load(path, sets, n, &s->serve, &err) != RC_OK ||
        rc_serve_workload(&s->serve, s->serve.seed, 0.0, &s->trace, &err) != RC_OK ||
        rc_serve_shape_of(&s->serve, s->trace, &s->shape, &err) != RC_OK ||
        rc_serve_prepare_open(&s->prepared, &s->serve, s->trace, &s->shape, &err) != RC_OK)
        fail_msg("%s", err.msg);
    s->shape.sms = 132;
    const size_t most = (size_t)s->shape.most_sequences;
    s->lens = calloc(most, sizeof *s->lens);
    s->order = calloc(most, sizeof *s->order);
    s->seats = calloc(most, sizeof *s->seats);
    assert_true(s->lens && s->order && s->seats);
    for (int r = 0; r < s->shape.layer.cp; r++) {
        s->memory[r] = calloc(1, rc_serve_inputs_place(&s->shape, NULL, &s->in[r]));
        s->pool[r] = malloc((size_t)s->shape.pages * RC_KV_PAGE * sizeof *s->pool[r]);
        assert_true(s->memory[r] && s->pool[r]);
        (void)rc_serve_inputs_place(&s->shape, s->memory[r], &s->in[r]);
        memset(s->pool[r], 0xff, (size_t)s->shape.pages * RC_KV_PAGE * sizeof *s->pool[r]);
    }
}

static void close_server(server *s) {
    for (int r = 0; r < RANKS; r++) {
        free(s->memory[r]);
        free(s->pool[r]);
    }
    free(s->lens);
    free(s->order);
    free(s->seats);
    rc_serve_prepare_close(&s->prepared);
    rc_trace_free(s->trace);
}

static void play(server *s, rc_serve_result *result) {
    const rc_pass_player player = {.ctx = s, .pass = one_pass, .release = release};
    rc_costs *costs = NULL;
    rc_error err = {0};
    rc_machine machine = s->serve.machine;
    memset(machine.costs, 0, sizeof machine.costs); /* nothing is priced */
    assert_int_equal(rc_costs_open(NULL, &machine, &costs, &err), RC_OK);
    const rc_serve_options o = {
        .costs = costs, .seed = s->serve.seed, .quiet = true, .player = &player};
    if (rc_serve_run(&s->serve, s->trace, &o, result, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_costs_close(costs);
}

static void run_with(const char *cut, const char *pages, server *s) {
    static rc_serve_result result;
    const char *const sets[] = {cut, pages, "arrivals.requests=24", "arrivals.rate=2",
                                "scheduler.budget=4096"};
    open_server(s, "mooncake-8b-cp4-shm-rule-drawn", sets, sizeof sets / sizeof sets[0]);
    play(s, &result);
    assert_int_equal(result.done, s->trace->count);
    assert_true(result.kv_hit_tokens > 0);
    assert_true(s->several > 0);
}

/* On four ranks, with the rule; the cache is so small that blocks are evicted and sequences give way. */
static void test_four_ranks(void **state) {
    (void)state;
    server *s = malloc(sizeof *s);
    assert_non_null(s);
    run_with("pools.0.cp=4", "kv.tokens=51200", s);
    assert_int_equal(s->shape.pages, 100);
    assert_true(s->by_q > 0 && s->by_kv > 0);
    close_server(s);
    free(s);
}

static void test_two_ranks_of_two(void **state) {
    (void)state;
    server *s = malloc(sizeof *s);
    assert_non_null(s);
    run_with("pools.0.cp=2", "kv.tokens=65536", s);
    assert_int_equal(s->shape.pages, 256);
    close_server(s);
    free(s);
}

/* Alone there is nothing to choose. */
static void test_one_rank(void **state) {
    (void)state;
    server *s = malloc(sizeof *s);
    const char *const sets[] = {"pools.0.cp=1", "pools.0.variant=tp", "arrivals.requests=24",
                                "kv.tokens=51200"};
    static rc_serve_result result;
    assert_non_null(s);
    open_server(s, "mooncake-8b-cp4-shm-kv-drawn", sets, 4);
    play(s, &result);
    assert_int_equal(result.done, s->trace->count);
    assert_int_equal(s->by_q + s->by_kv, 0);
    close_server(s);
    free(s);
}

/* What a scenario of the 8B model over two ranks of CP and two GPUs of TP each comes to. */
static void test_shape(void **state) {
    (void)state;
    server *s = malloc(sizeof *s);
    const char *const sets[] = {"pools.0.cp=2",          "pools.0.tp=2",
                                "arrivals.requests=24",  "kv.tokens=51300",
                                "scheduler.budget=3000", "scheduler.max_batch=20",
                                "scheduler.fuse=3",      "scheduler.graphs=[4, 16, 32, 64]"};
    rc_serve_shape again;
    assert_non_null(s);
    open_server(s, "mooncake-8b-cp4-shm-kv-drawn", sets, sizeof sets / sizeof sets[0]);
    memset(&again, 0xa5, sizeof again); /* whatever it held */
    assert_int_equal(rc_serve_shape_of(&s->serve, s->trace, &again, NULL), RC_OK);
    const rc_ring_case *c = &again.layer;
    assert_string_equal(c->name, "serve");
    assert_true(c->schedule == RC_RING_TP && c->cp == 2 && c->tp == 2);
    assert_true(c->t == 1 && c->p == 0 && c->batch == 1);
    assert_true(c->hq == 16 && c->hkv == 4 && c->width == 4096 && c->ffn == 7168 &&
                c->layers == 32);
    assert_int_equal(again.vocab, 128256 / 2);
    assert_int_equal(again.most_tokens, 3000);
    assert_int_equal(again.most_sequences, 23);
    assert_int_equal(again.most_prompts, 3);
    assert_int_equal(again.size_count, 3);
    assert_true(again.sizes[0] == 4 && again.sizes[1] == 16 && again.sizes[2] == 20);
    const uint32_t block = s->trace->block;
    assert_int_equal(again.pages, 51300 / block * (block / 256));
    int64_t longest = 0;
    for (size_t i = 0; i < s->trace->count; i++)
        longest = s->trace->at[i].input + s->trace->at[i].output > longest
                      ? s->trace->at[i].input + s->trace->at[i].output
                      : longest;
    assert_int_equal(again.longest, longest + block);
    close_server(s);
    rc_serve_prepare_close(&s->prepared); /* once more: nothing is left */
    free(s);
}

static rc_status refused(const char *set, rc_error *err) {
    char path[1024];
    server *s = calloc(1, sizeof *s);
    const char *const sets[] = {set, "arrivals.requests=4"};
    assert_non_null(s);
    assert_int_equal(rc_share_path("scenarios/serving", "mooncake-8b-cp4-shm-kv-drawn", ".yaml",
                                   path, sizeof path, err),
                     RC_OK);
    if (rc_serve_load(path, sets, 2, &s->serve, err) != RC_OK ||
        rc_serve_workload(&s->serve, s->serve.seed, 0.0, &s->trace, err) != RC_OK)
        fail_msg("%s", err->msg);
    const rc_status st = rc_serve_shape_of(&s->serve, s->trace, &s->shape, err);
    rc_trace_free(s->trace);
    free(s);
    return st;
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const sets[] = {"pools.0.variant=oracle",  "pools.0.dynamic_cp=true",
                                       "pools.0.variant=pcp",     "scheduler.policy=inflight",
                                       "scheduler.graphs=[1, 2]", "pools.0.cp=3",
                                       "model=gpt-oss-120b"};
    static const char *const says[] = {"a schedule or a rule is served",
                                       "a schedule or a rule is served",
                                       "variant 'pcp' is not served",
                                       "policy: chunked must be stated",
                                       "graphs must reach scheduler.max_batch",
                                       "blocks of 512 tokens: a multiple of 384 is needed",
                                       "only layers of one kind"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        rc_error err = {0};
        assert_int_equal(refused(sets[i], &err), RC_E_INPUT);
        if (!strstr(err.msg, says[i]))
            fail_msg("%s: %s", sets[i], err.msg);
    }
    rc_error err = {0};
    assert_int_equal(refused("seed=1", &err), RC_OK);
}

/* One number of what was read changed. */
#define CHANGED(member, value, says)                                                               \
    do {                                                                                           \
        rc_serve changed = s->serve;                                                               \
        rc_error err = {0};                                                                        \
        changed.member = (value);                                                                  \
        assert_int_equal(rc_serve_shape_of(&changed, s->trace, &s->shape, &err), RC_E_INPUT);      \
        if (!strstr(err.msg, says))                                                                \
            fail_msg("%s: %s", #member, err.msg);                                                  \
    } while (0)

static void test_numbers_that_do_not_fit(void **state) {
    (void)state;
    server *s = malloc(sizeof *s);
    const char *const sets[] = {"arrivals.requests=4"};
    assert_non_null(s);
    open_server(s, "mooncake-8b-cp4-shm-kv-drawn", sets, 1);
    CHANGED(pools[0].cp, RC_RING_MAX_RANKS + 1, "cp may be 64 at most");
    CHANGED(pools[0].cp, RC_RING_MAX_RANKS, "blocks of 512 tokens");
    CHANGED(pools[0].tp, 3, "tp must divide heads and the FFN");
    CHANGED(pools[0].tp, 16, "tp must divide heads and the FFN"); /* of 8 KV heads */
    CHANGED(model.kind[0].head_dim, 64, "only layers of one kind with heads of 128 are served");
    CHANGED(model.kind[0].window, 1, "only layers of one kind");
    CHANGED(model.kinds, 2, "only layers of one kind");
    CHANGED(kv_tokens, 0, "kv.tokens, scheduler.budget and scheduler.policy");
    CHANGED(budget, 0, "kv.tokens, scheduler.budget and scheduler.policy");
    CHANGED(graph_count, 0, "scheduler.graphs must list the batches that have a graph");
    close_server(s);
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_ranks), cmocka_unit_test(test_two_ranks_of_two),
        cmocka_unit_test(test_one_rank),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_shape),      cmocka_unit_test(test_numbers_that_do_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
