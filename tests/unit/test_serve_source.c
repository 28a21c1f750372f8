/* Passes of a server as forward passes: each beside the pass that it should be, spelled out sequence by sequence.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/passes.h"
#include "tests/support/serve.h"

static rc_serve serve;
static rc_costs *costs;
static rc_error err;
static const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};

#define HEAD "serve: s\nmodel: llama-3.1-8b\nmachine: h100-sxm\nsynthetic: {requests: 1, rate: 1}\n"
#define POOL "pools: [{name: a, tp: 8, cp: 2}]\n"
#define SEQS(...)                                                                                  \
    (rc_sequence[]){__VA_ARGS__}, sizeof((rc_sequence[]){__VA_ARGS__}) / sizeof(rc_sequence)

static rc_spec spec_of(const rc_sequence *seqs, size_t n, rc_phase phase) {
    const rc_schedule *s =
        phase == RC_DECODE ? rc_schedule_named("pass-q") : rc_schedule_named("pass-kv");
    return (rc_spec){.model = &serve.model,
                     .costs = costs,
                     .layout = rc_pool_cut(&serve, &serve.pools[0], 2, s),
                     .phase = phase,
                     .schedule = s,
                     .seqs = seqs,
                     .seq_count = n,
                     .eager = phase != RC_DECODE,
                     .serial_ring = phase == RC_DECODE,
                     .stand_in = true,
                     .what_if = none};
}

static rc_time forward(const rc_spec *spec) {
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    rc_forward_timing t;
    assert_non_null(ctx);
    if (rc_forward_time(ctx, spec, &t, &err) != RC_OK)
        fail_msg("%s", err.msg);
    rc_forward_ctx_destroy(ctx);
    return t.ticks;
}

static void open_serve(const char *more) {
    char text[1024];
    (void)snprintf(text, sizeof text, HEAD POOL "%s", more);
    if (serve_parse(text, &serve, &err) != RC_OK ||
        rc_costs_open(NULL, &serve.machine, &costs, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

static rc_time timed(const rc_pass *pass, const rc_what_if *what_if) {
    const rc_schedule *s = rc_schedule_named(pass->prefills == 0 ? "pass-q" : "pass-kv");
    const rc_layout cut = rc_pool_cut(&serve, &serve.pools[0], 2, s);
    rc_pass_forward *f = NULL;
    rc_pass_cost cost = {0};
    if (rc_pass_forward_create(&serve, costs, &cut, s, NULL, what_if, &f, &err) != RC_OK ||
        rc_pass_forward_time(f, pass, &cost, &err) != RC_OK)
        fail_msg("%s", err.msg);
    double rests = 0.0;
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        rests += (double)cost.rests[b];
    assert_true(rests > 1.0 - 1e-5 && rests < 1.0 + 1e-5);
    rc_pass_forward_destroy(f);
    return cost.time;
}

static void prompt_is(rc_sequence prompt, const rc_sequence *seqs, size_t n) {
    const rc_pass pass = {.prefill = &prompt, .prefills = 1};
    const rc_spec spec = spec_of(seqs, n, RC_PREFILL);
    const rc_time got = timed(&pass, &none), want = forward(&spec);
    if (got != want)
        fail_msg("T %d, P %d: %lld ps, not %lld", (int)prompt.t, (int)prompt.p, (long long)got,
                 (long long)want);
}

static void plain(void **state) {
    (void)state;
    open_serve("");
    prompt_is((rc_sequence){4096, 0}, SEQS({4096, 0}));
    prompt_is((rc_sequence){1000, 50000}, SEQS({1000, 50000}));
    prompt_is((rc_sequence){1, 50}, SEQS({2, 50})); /* a token for each of two ranks */
    rc_costs_close(costs);
}

/* Of 1,024 keys that a query sees at most. 100 queries behind 5,000 see as many score entries, 102,400, as 100 behind 974, for
 * 5,050 of them are among the queries. Of 1,000 behind 500 the first 524 see ever more, 262,000 + 137,550, and 476 see 1,024:
 * 886,974, less the 500,500 among themselves, is 386 each. 8,192 alone see 7,864,832, fewer than one sequence, or four, would
 * have: eight of 1,024 behind 448. */
static void windows(void **state) {
    (void)state;
    open_serve("attention: {pattern: window, window: 1024}\n");
    prompt_is((rc_sequence){24, 1000}, SEQS({24, 1000}));
    prompt_is((rc_sequence){100, 5000}, SEQS({100, 974}));
    prompt_is((rc_sequence){1000, 500}, SEQS({1000, 386}));
    prompt_is((rc_sequence){8192, 0}, SEQS({1024, 448}, {1024, 448}, {1024, 448}, {1024, 448},
                                           {1024, 448}, {1024, 448}, {1024, 448}, {1024, 448}));
    rc_costs_close(costs);
}

/* With a window of two keys 10 queries see 19 entries; pieces of no fewer tokens than ranks: 3, 3, 2 and 2, and nothing behind
 * them that a piece has not itself. */
static void small_pieces(void **state) {
    (void)state;
    open_serve("attention: {pattern: window, window: 2}\n");
    prompt_is((rc_sequence){10, 0}, SEQS({3, 0}, {3, 0}, {2, 0}, {2, 0}));
    rc_costs_close(costs);
}

static void decodes_are(rc_pass pass, const rc_sequence *seqs, size_t n) {
    const rc_spec spec = spec_of(seqs, n, RC_DECODE);
    const rc_time got = timed(&pass, &none), want = forward(&spec);
    if (got != want)
        fail_msg("%u sequences: %lld ps, not %lld", pass.decodes, (long long)got, (long long)want);
}

/* By their contexts; else as many of the longest as there are ranks that they are dealt to, and the mean of the rest, rounded up. */
static void decodes(void **state) {
    (void)state;
    const int64_t contexts[] = {300, 5000, 100};
    open_serve("");
    decodes_are((rc_pass){.decodes = 3, .context = 5400, .contexts = contexts},
                SEQS({1, 300}, {1, 5000}, {1, 100}));
    decodes_are((rc_pass){.decodes = 4, .context = 402},
                SEQS({1, 101}, {1, 101}, {1, 100}, {1, 100}));
    decodes_are((rc_pass){.decodes = 4, .context = 10001, .longest = 4000},
                SEQS({1, 4000}, {1, 4000}, {1, 1001}, {1, 1001}));
    decodes_are((rc_pass){.decodes = 3, .context = 900, .longest = 800},
                SEQS({1, 800}, {1, 800}, {1, 0}));
    decodes_are((rc_pass){.decodes = 1, .context = 700}, SEQS({1, 700}));
    rc_costs_close(costs);
}

/* More sequences than the largest graph holds are launched op by op. */
static void graphs(void **state) {
    (void)state;
    open_serve("scheduler: {graphs: [1, 2]}\n");
    decodes_are((rc_pass){.decodes = 2, .context = 2000, .contexts = (int64_t[]){1000, 1000}},
                SEQS({1, 1000}, {1, 1000}));
    rc_sequence three[] = {{1, 1000}, {1, 1000}, {1, 1000}};
    rc_spec spec = spec_of(three, 3, RC_DECODE);
    const rc_pass pass = {.decodes = 3, .context = 3000, .contexts = (int64_t[]){1000, 1000, 1000}};
    const rc_time graph = forward(&spec);
    spec.eager = true;
    assert_true(forward(&spec) > graph);
    assert_int_equal(timed(&pass, &none), forward(&spec));
    rc_costs_close(costs);
}

/* A slow rank or link counts where there is such a rank. */
static void what_ifs(void **state) {
    (void)state;
    open_serve("");
    rc_sequence prompt = {4096, 0};
    const rc_pass pass = {.prefill = &prompt, .prefills = 1};
    rc_spec spec = spec_of(&prompt, 1, RC_PREFILL);
    const rc_time usual = forward(&spec);
    for (int rank = 0; rank < 4; rank++)
        for (int link = 0; link < 2; link++) {
            spec.what_if = none;
            if (link)
                spec.what_if.slow_link_rank = rank, spec.what_if.slow_link = 0.01;
            else
                spec.what_if.slow_rank = rank, spec.what_if.slow_speed = 0.5;
            const rc_what_if asked = spec.what_if;
            const rc_time want = rank < 2 ? forward(&spec) : usual;
            assert_true(rank >= 2 || want > usual);
            assert_int_equal(timed(&pass, &asked), want);
        }
    rc_costs_close(costs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),   cmocka_unit_test(windows), cmocka_unit_test(small_pieces),
        cmocka_unit_test(decodes), cmocka_unit_test(graphs),  cmocka_unit_test(what_ifs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
