/* Requests that no schedule takes, and the names of things.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/schedule/builder.h"
#include "tests/support/programs.h"

static rc_model model;
static rc_sequence sequence;
static rc_request rq;
static rc_error err;

static int setup(void **state) {
    (void)state;
    model = programs_model(2, 8, 4, 16, 64, 128);
    sequence = (rc_sequence){100, 0};
    rq = (rc_request){.model = &model,
                      .layout = {.tp = 2, .cp = 2},
                      .nodes_per_rank = 1,
                      .seqs = &sequence,
                      .seq_count = 1};
    memset(&err, 0, sizeof err);
    return 0;
}

static void refuse(const char *variant, const char *text) {
    rc_program p;
    rq.schedule = rc_schedule_named(variant);
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_E_INPUT);
    assert_non_null(strstr(err.msg, text));
    assert_int_equal(rc_schedule_build(&rq, &p, NULL), RC_E_INPUT);
    rc_program_free(&p); /* nothing to free, and no harm */
}

static void unknown(const char *name, const char *text) {
    const rc_schedule *s;
    assert_int_equal(rc_schedule_find(name, &s, &err), RC_E_INPUT);
    assert_null(s);
    assert_non_null(strstr(err.msg, text));
}

static void test_unknown_variant_names_the_nearest(void **state) {
    (void)state;
    unknown("pass-vk", "unknown variant 'pass-vk' (did you mean 'pass-kv'?); expected");
    unknown("allgather-kv", "did you mean 'all-gather-kv'?");
    unknown("ring", "unknown variant 'ring'; expected pass-kv, pass-q, all-gather-kv, ");
}

static void test_prefill_schedules_do_not_decode(void **state) {
    (void)state;
    rc_program p;
    rq.phase = RC_DECODE;
    sequence.t = 1;
    refuse("pass-kv", "'pass-kv' is a prefill schedule");
    refuse("all-gather-kv", "'all-gather-kv' is a prefill schedule");
    rq.schedule = rc_schedule_named("pass-q");
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
    rc_program_free(&p);
    rq.layout.cp = 1;
    rq.schedule = rc_schedule_named("tp");
    assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
    rc_program_free(&p);
}

static void test_tensor_parallel_takes_one_rank(void **state) {
    (void)state;
    refuse("tp", "takes cp 1, found cp 2");
}

static void test_layouts(void **state) {
    (void)state;
    rq.layout.tp = 3;
    refuse("pass-kv", "tp is 3, which does not divide the 8 query heads");
    model.kind[0].kv_heads = 3;
    rq.layout.tp = 2;
    refuse("pass-kv", "3 KV heads");
    rq.layout.tp = 0;
    refuse("pass-kv", "at least 1");
}

static void test_sequences(void **state) {
    (void)state;
    sequence.t = 1;
    refuse("pass-kv", "T = 1 new tokens cannot be cut over cp 2 ranks");
    sequence.t = 0;
    refuse("pass-q", "sequence 0: T must be at least 1");
    sequence = (rc_sequence){10, -1};
    refuse("pass-q", "P at least 0");
    rq.seq_count = 0;
    refuse("pass-q", "at least one sequence");
}

static void test_names(void **state) {
    (void)state;
    int n = 0;
    for (; rc_schedule_at(n); n++) {
        rc_program p;
        rq.schedule = rc_schedule_at(n);
        rq.layout.cp = rq.schedule->many_ranks ? 2 : 1;
        rq.layout.ulysses = rq.schedule->two_levels ? 2 : 1;
        rq.phase = rc_schedule_takes(rq.schedule, RC_PREFILL, 1) ? RC_PREFILL : RC_DECODE;
        sequence.t = rq.phase == RC_PREFILL ? 100 : 1;
        assert_int_equal(rc_schedule_build(&rq, &p, &err), RC_OK);
        rc_program_free(&p);
    }
    assert_true(n >= 4);
    assert_string_equal(rc_part_name(RC_P_NORM), "norm");
    assert_string_equal(rc_part_name(RC_P_SENDRECV), "send-recv");
    assert_string_equal(rc_part_name(RC_P_HOST), "host");
    for (int i = 0; i < RC_P_COUNT; i++)
        assert_true(rc_part_is_comm((rc_part)i) ==
                    (i == RC_P_ALL_REDUCE || i == RC_P_SENDRECV || i == RC_P_ALL2ALL ||
                     i == RC_P_ALL_GATHER || i == RC_P_REDUCE_SCATTER || i == RC_P_DISPATCH));
    rc_program_free(NULL);
}

/* A program is refilled where the request has its tasks, on the same streams in the same order; where one task stands on another
 * stream it is refused, though there be as many. */
static void test_refill(void **state) {
    (void)state;
    int taken = 0, refused = 0;
    static const rc_sequence lengths[] = {{100, 0}, {100, 50}, {64, 0}};
    for (int eager = 0; eager < 2; eager++)
        for (int i = 0; rc_schedule_at(i); i++)
            for (int k = 0; rc_schedule_at(k); k++)
                for (size_t q = 0; q < 9; q++) {
                    rc_program was, is;
                    const rc_schedule *of[] = {rc_schedule_at(i), rc_schedule_at(k)};
                    rq.eager = eager;
                    rq.layout.ulysses = 1;
                    rq.schedule = of[0];
                    sequence = lengths[q / 3];
                    if (rc_schedule_build(&rq, &was, NULL) != RC_OK)
                        continue;
                    rq.schedule = of[1];
                    sequence = lengths[q % 3];
                    if (rc_schedule_build(&rq, &is, NULL) == RC_OK) {
                        bool alike = was.task_count == is.task_count;
                        for (size_t t = 0; alike && t < is.task_count; t++)
                            alike = was.tasks[t].gpu == is.tasks[t].gpu &&
                                    was.tasks[t].lane == is.tasks[t].lane;
                        const bool as_many = was.task_count == is.task_count;
                        assert_int_equal(rc_schedule_refill(&rq, &was, &err),
                                         alike ? RC_OK : RC_E_INTERNAL);
                        taken += alike;
                        refused += !alike && as_many;
                    }
                    rc_program_free(&is);
                    rc_program_free(&was);
                }
    printf("%d taken, %d refused that have as many tasks\n", taken, refused);
    assert_true(taken > 0 && refused > 0);
}

/* A rank alone is on one node unless it is over several, however many ranks a node would have; ranks are where a node has all. */
static void test_one_node(void **state) {
    (void)state;
    static const struct {
        int cp, nodes_per_rank, ranks_per_node;
        bool one;
    } t[] = {{1, 1, 0, true}, {1, 0, 0, true},  {1, 1, 4, true}, {1, 2, 0, false}, {1, 2, 4, false},
             {2, 1, 2, true}, {2, 1, 1, false}, {4, 1, 8, true}, {2, 2, 0, false}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rq.layout.cp = t[i].cp;
        rq.nodes_per_rank = t[i].nodes_per_rank;
        rq.ranks_per_node = t[i].ranks_per_node;
        if (rc_one_node(&rq) != t[i].one)
            fail_msg("case %zu", i);
    }
}

/* The table answers what the rest of the program asks. */
static void test_table(void **state) {
    (void)state;
    static const char *const names[] = {"pass-kv", "pass-q", "all-gather-kv"};
    int many = 0, i = 0;
    for (; rc_schedule_at(i); i++) {
        const rc_schedule *s = rc_schedule_at(i), *found = NULL;
        if (i < 3)
            assert_string_equal(rc_schedule_name_at(i), names[i]);
        assert_int_equal(rc_schedule_find(s->name, &found, NULL), RC_OK);
        assert_ptr_equal(found, s);
        assert_ptr_equal(rc_schedule_named(s->name), s);
        assert_int_equal(rc_schedule_index(s), i);
        assert_true(s->summary && s->summary[0]);
        assert_true((s->buffers != NULL) == (s->groups != 0));
        assert_true(((s->groups & RC_OVER_CP) != 0) == s->many_ranks);
        assert_true(s->host == RC_HOST_NEVER || s->message != NULL);
        assert_ptr_equal(rc_schedule_on(s, 4), s);
        assert_string_equal(rc_schedule_on(s, 1)->name,
                            (s->groups & RC_OVER_TP) != 0 ? s->name : "tp");
        if (s->many_ranks && rc_schedule_takes(s, RC_PREFILL, 2))
            assert_ptr_equal(rc_schedule_many_at(many++), s);
    }
    assert_null(rc_schedule_many_at(many));
    assert_null(rc_schedule_name_at(i));
    assert_null(rc_schedule_named("pass-k"));
    assert_string_equal(rc_schedule_usual(RC_PREFILL, 2)->name, "pass-kv");
    assert_string_equal(rc_schedule_usual(RC_DECODE, 2)->name, "pass-q");
    assert_string_equal(rc_schedule_usual(RC_MIXED, 2)->name, "pass-kv");
    for (int p = RC_PREFILL; p <= RC_MIXED; p++)
        assert_string_equal(rc_schedule_usual((rc_phase)p, 1)->name, "tp");
}

static void test_lists(void **state) {
    (void)state;
    char s[256], small[10];
    const unsigned decode = RC_PHASE_BIT(RC_DECODE);
    assert_ptr_equal(strstr(rc_schedule_list(0, s, sizeof s), "pass-kv, pass-q, all-gather-kv, "),
                     s);
    assert_string_equal(strstr(s, " or "), " or helix");
    assert_ptr_equal(strstr(rc_schedule_list(decode, s, sizeof s), "pass-q, pcp, "), s);
    assert_string_equal(strstr(s, " or "), " or helix");
    (void)rc_schedule_list(decode | RC_PHASE_BIT(RC_PREFILL), s, sizeof s);
    assert_string_equal(strstr(s, " or "), " or dcp-a2a");
    assert_string_equal(rc_schedule_list(0, small, sizeof small), "pass-kv, ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_unknown_variant_names_the_nearest, setup),
        cmocka_unit_test_setup(test_prefill_schedules_do_not_decode, setup),
        cmocka_unit_test_setup(test_tensor_parallel_takes_one_rank, setup),
        cmocka_unit_test_setup(test_layouts, setup),
        cmocka_unit_test_setup(test_sequences, setup),
        cmocka_unit_test_setup(test_names, setup),
        cmocka_unit_test_setup(test_refill, setup),
        cmocka_unit_test_setup(test_one_node, setup),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
