/* Forked ranks: what one shares all have, a gather is in rank order, a maximum is everybody's; and
 * one that fails takes the others with it instead of leaving them at the barrier.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/process_group_fork.c"

/* Whether this machine has InfiniBand, as the source asks for it. */
static bool has_infiniband;
static int access_to(const char *path, int mode) {
    (void)mode;
    return has_infiniband && path[0] == '/' ? 0 : -1;
}
#define access access_to
#include "calib/process_group.c"
#undef access

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "calib/run_progress.c"

/* 0, or a code that says what was wrong. The child ends with it. */
static int talk(const rc_group *g) {
    double all[64], most = g->rank == 1 ? 7.5 : -1;
    char word[16] = "nothing";
    rc_error err = {0};
    if (g->rank == 0)
        snprintf(word, sizeof word, "from zero");
    for (int turn = 0; turn < 200; turn++) {
        if (rc_group_share(g, word, sizeof word, &err) != RC_OK || strcmp(word, "from zero") != 0)
            return 11;
        if (rc_group_gather(g, 10.0 * g->rank + turn, all, &err) != RC_OK)
            return 12;
        for (int r = 0; r < g->size; r++)
            if (all[r] != 10.0 * r + turn)
                return 13;
        if (rc_group_max(g, &most, &err) != RC_OK || most != 7.5)
            return 14;
    }
    return 0;
}

static void test_talk(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    rc_status st = rc_group_fork(&g, 4, &parent, &err);
    if (!parent && st == RC_OK)
        _exit(talk(&g));
    if (st != RC_OK)
        fail_msg("%s", err.msg);
}

static void test_one_fails(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    rc_status st = rc_group_fork(&g, 3, &parent, &err);
    if (!parent && st == RC_OK) {
        double v = 0;
        if (g.rank == 2)
            _exit(2);
        (void)rc_group_max(&g, &v, &err); /* rank 2 never comes */
        _exit(0);
    }
    assert_int_equal(st, RC_E_INPUT);
    assert_non_null(strstr(err.msg, "rank 2 failed (exit 2)"));
}

/* RC_OK for all or for none: the worst of any rank is everybody's, with the rank's name. */
static int reach_agreement(const rc_group *g) {
    rc_error err = {0};
    if (rc_group_agree(g, RC_OK, &err) != RC_OK)
        return 21;
    rc_status mine = RC_OK;
    if (g->rank == 1)
        mine = rc_fail(&err, RC_E_UNMODELLED, "no memory");
    if (rc_group_agree(g, mine, &err) != RC_E_UNMODELLED || err.status != RC_E_UNMODELLED)
        return 22;
    if (!strstr(err.msg, g->rank == 1 ? "no memory" : "rank 1 could not"))
        return 23;
    mine = RC_OK;
    if (g->rank > 0)
        mine = rc_fail(&err, g->rank == 1 ? RC_E_UNMODELLED : RC_E_INTERNAL, "trouble");
    return rc_group_agree(g, mine, &err) == RC_E_INTERNAL ? 0 : 24;
}

static void test_agree(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    assert_int_equal(rc_group_agree(&g, RC_E_NOMEM, &err), RC_E_NOMEM);
    rc_status st = rc_group_fork(&g, 3, &parent, &err);
    if (!parent && st == RC_OK)
        _exit(reach_agreement(&g));
    if (st != RC_OK)
        fail_msg("%s", err.msg);
}

/* A rank that hangs ends by its own clock; the one that waits for it is ended with it. */
static void test_hang(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    assert_int_equal(setenv("RC_HANG_S", "1", 1), 0);
    rc_status st = rc_group_fork(&g, 2, &parent, &err);
    if (!parent && st == RC_OK) {
        double v = 0;
        rc_group_step(&g, "a step that is left");
        rc_group_step(&g, NULL);
        if (g.rank == 1)
            rc_group_step(&g, "a message that never comes");
        while (g.rank == 1)
            (void)pause();
        (void)rc_group_max(&g, &v, &err);
        _exit(0);
    }
    assert_int_equal(st, RC_E_INTERNAL);
    assert_non_null(strstr(err.msg, "rank 1 failed (exit 3)"));
    assert_int_equal(unsetenv("RC_HANG_S"), 0);
}

static void test_alone(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    double v = 3, all[1];
    assert_int_equal(rc_group_max(&g, &v, &err), RC_OK);
    assert_int_equal(rc_group_gather(&g, 4, all, &err), RC_OK);
    assert_true(v == 3 && all[0] == 4);
}

static void test_nodes(void **state) {
    (void)state;
    rc_group g = {.size = 24, .per_node = 8};
    assert_int_equal(rc_procs_nodes(&g, 2), 1);
    assert_int_equal(rc_procs_nodes(&g, 8), 1);
    assert_int_equal(rc_procs_nodes(&g, 9), 2);
    assert_int_equal(rc_procs_nodes(&g, 24), 3);
    assert_true(rc_group_measures(&g, 16) && rc_group_measures(&g, 24) && rc_group_measures(&g, 8));
    assert_false(rc_group_measures(&g, 12));
    rc_group one = {.size = 4, .per_node = 4};
    assert_string_equal(rc_group_transport(&one), "nvlink");
}

/* Between nodes: RDMA where there is InfiniBand and NCCL may use it. */
static void test_transport(void **state) {
    static const struct {
        const char *net, *disabled;
        bool there;
        const char *want;
    } cases[] = {{NULL, NULL, true, "rdma"},    {NULL, NULL, false, "tcp"},
                 {"Socket", NULL, true, "tcp"}, {NULL, "1", true, "tcp"},
                 {"IB", "0", true, "rdma"},     {"Socket", "1", true, "tcp"},
                 {"Socket", "1", false, "tcp"}};
    const rc_group nodes = {.size = 24, .per_node = 8}, one = {.size = 8, .per_node = 8};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)(cases[i].net ? setenv("NCCL_NET", cases[i].net, 1) : unsetenv("NCCL_NET"));
        (void)(cases[i].disabled ? setenv("NCCL_IB_DISABLE", cases[i].disabled, 1)
                                 : unsetenv("NCCL_IB_DISABLE"));
        has_infiniband = cases[i].there;
        assert_string_equal(rc_group_transport(&nodes), cases[i].want);
        assert_string_equal(rc_group_transport(&one), "nvlink");
    }
    has_infiniband = false;
    (void)unsetenv("NCCL_NET");
    (void)unsetenv("NCCL_IB_DISABLE");
}

/* Seconds that a step may take: whole ones up to a day; what is none is the usual number. */
static void test_patience(void **state) {
    static const struct {
        const char *text;
        unsigned want;
    } cases[] = {{"0", 0},
                 {"1", 1},
                 {"86400", 86400},
                 {"86401", RC_GROUP_HANG_S},
                 {"-1", RC_GROUP_HANG_S},
                 {"", RC_GROUP_HANG_S},
                 {"5s", RC_GROUP_HANG_S},
                 {"x", RC_GROUP_HANG_S}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(setenv("RC_HANG_S", cases[i].text, 1), 0);
        assert_int_equal(patience(), cases[i].want);
    }
    assert_int_equal(unsetenv("RC_HANG_S"), 0);
    assert_int_equal(patience(), RC_GROUP_HANG_S);
}

/* A rank that is told to end because another has failed may still put things in order. */
static void test_time_to_end(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    int ends[2];
    char said[8] = "";
    assert_int_equal(pipe(ends), 0);
    rc_status st = rc_group_fork(&g, 2, &parent, &err);
    if (!parent && st == RC_OK) {
        sigset_t term;
        int got = 0;
        (void)sigemptyset(&term);
        (void)sigaddset(&term, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &term, NULL);
        if (rc_group_agree(&g, RC_OK, &err) != RC_OK || g.rank == 1)
            _exit(1);
        (void)sigwait(&term, &got);
        (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
        (void)!write(ends[1], "done", 4);
        _exit(0);
    }
    (void)close(ends[1]);
    assert_int_equal(st, RC_E_CHECK);
    assert_string_equal(err.msg, "the process of rank 1 failed (exit 1)");
    assert_int_equal(read(ends[0], said, sizeof said), 4);
    assert_memory_equal(said, "done", 4);
    (void)close(ends[0]);
}

/* What a rank ends by is everybody's: a signal is a fault of ours. */
static void test_ends(void **state) {
    static const struct {
        int code, signal;
        rc_status want;
        const char *says;
    } of[] = {{1, 0, RC_E_CHECK, "the process of rank 0 failed (exit 1)"},
              {2, 0, RC_E_INPUT, "the process of rank 0 failed (exit 2)"},
              {3, 0, RC_E_INTERNAL, "the process of rank 0 failed (exit 3)"},
              {4, 0, RC_E_INTERNAL, "the process of rank 0 failed (exit 4)"},
              {0, SIGKILL, RC_E_INTERNAL, "the process of rank 0 failed (signal 9)"}};
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_group g = {.size = 1, .per_node = 1};
        rc_error err = {0};
        bool parent = false;
        rc_status st = rc_group_fork(&g, 1, &parent, &err);
        if (!parent && st == RC_OK) {
            if (of[i].signal)
                (void)raise(of[i].signal);
            _exit(of[i].code);
        }
        assert_int_equal(st, of[i].want);
        assert_string_equal(err.msg, of[i].says);
    }
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    assert_int_equal(rc_group_fork(&g, 65, &parent, &err), RC_E_UNMODELLED);
    assert_string_equal(err.msg, "more than 64 processes");
}

/* As many ranks as there is room for: what each gives reaches all, and the wait is for them alone. */
static void test_most(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 1};
    rc_error err = {0};
    bool parent = false;
    rc_status st = rc_group_fork(&g, 64, &parent, &err);
    if (!parent && st == RC_OK) {
        double all[64], sum = 0;
        if (rc_group_gather(&g, g.rank + 1, all, &err) != RC_OK)
            _exit(1);
        for (int r = 0; r < 64; r++)
            sum += all[r];
        _exit(sum == 64 * 65 / 2 ? 0 : 2);
    }
    if (st != RC_OK)
        fail_msg("%s", err.msg);
}

/* The time left: by the usual times at first, by this machine's pace later. */
static void test_bar(void **state) {
    (void)state;
    assert_true(rc_run_progress_left(100, 0, 0) == 100);
    assert_true(rc_run_progress_left(100, 1, 30) == 99);
    assert_true(fabs(rc_run_progress_left(100, 50, 100) - 100) < 1e-9);
    assert_true(rc_run_progress_left(100, 120, 100) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),     cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_agree),    cmocka_unit_test(test_hang),
        cmocka_unit_test(test_alone),    cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_bar),      cmocka_unit_test(test_transport),
        cmocka_unit_test(test_patience), cmocka_unit_test(test_time_to_end),
        cmocka_unit_test(test_ends),     cmocka_unit_test(test_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
