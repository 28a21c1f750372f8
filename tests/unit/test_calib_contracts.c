/* What the calibrator's files that need no GPU assume of their callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/process_group_fork.c" /* first: it asks for more of the system's headers */

#include "calib/catalog.c"
#include "calib/gpu_needs.c"
#include "kernels/capability.c"
#include "calib/point_lists.c"
#undef COUNT
#undef KI
#include "calib/point_lists_gemm.c"
#undef COUNT
#undef KI
#include "calib/point_lists_experts.c"
#include "calib/point_lists_node.c"
#include "calib/point_set.c"
#include "calib/process_group.c"
#include "calib/cost_row.c"
#include "calib/ring/ring_case.c"
#include "calib/row_file.c"
#include "calib/row_file_db.c"
#include "calib/run_progress.c"
#include "calib/stats.c"
#include "tests/support/trips.h"

static rc_error err;

static void test_statistics(void **state) {
    (void)state;
    const double falling[] = {2.0, 1.0};
    double lo, hi;
    trips("q >= 0 && q <= 1", (void)rc_stats_quantile(falling, 1, 50.0));
    trips("n == 0 || !(sorted[0] > sorted[n - 1])", (void)rc_stats_quantile(falling, 2, 0.5));
    trips("n == 0 || sorted != NULL", (void)rc_stats_median_ci(NULL, 1, &lo, &hi));
}

static void test_points(void **state) {
    (void)state;
    rc_points list = {0};
    const rc_point unnamed = {.op = "copy", .variant = ""};
    const rc_point negative = {.op = "copy", .variant = "", .dtype = "", .a = -1};
    char text[1];
    trips("size > 0", rc_point_variant(&negative, NULL, text, 0));
    trips("x->op != NULL && x->variant != NULL && x->dtype != NULL",
          (void)rc_points_add(&list, &unnamed, &err));
    trips("x->a >= 0 && x->b >= 0 && x->c >= 0 && x->d >= 0",
          (void)rc_points_add(&list, &negative, &err));
}

static void test_point_files(void **state) {
    (void)state;
    rc_point_set s;
    trips("name != NULL && (text != NULL || size == 0) && out != NULL",
          (void)rc_point_set_parse("p.csv", NULL, 1, &s, &err));
    trips("paths != NULL && n >= 1 && out != NULL", (void)rc_point_set_read(NULL, 1, &s, &err));
}

static void test_rows(void **state) {
    (void)state;
    const rc_record empty = {0};
    rc_record *rows, have[1];
    rc_row_file shut = {0}, twice = {.have = have};
    size_t n;
    char text[1];
    trips("size > 0", rc_record_set(text, 0, "x"));
    trips("r->op[0] != '\\0'", (void)rc_record_write(stdout, &empty, &err));
    trips("text != NULL || size == 0", (void)rc_records_parse("r.csv", NULL, 1, &rows, &n, &err));
    trips("s->f != NULL || s->db != NULL", (void)rc_row_file_add(&shut, &empty, &err));
    trips("s->f != NULL || s->db != NULL", (void)rc_row_file_finish(&shut, &err));
    trips("s->have == NULL", (void)rc_row_file_leave_out(&twice, "have.csv", &err));
}

static void test_progress(void **state) {
    (void)state;
    rc_run_progress p = {0};
    trips("share >= 0 && share <= 1", rc_run_progress_step(&p, "gemm", 1.0, 1.5));
    trips("elapsed_s >= 0", (void)rc_run_progress_left(10.0, 5.0, -1.0));
    trips("usual_s >= 0", rc_run_progress_suite_done(&p, -1.0));
}

static void test_groups(void **state) {
    (void)state;
    rc_group g = {.size = 1, .per_node = 0}, stray = {.rank = 1, .size = 1};
    bool parent;
    char data[1];
    double all[1];
    trips("g->per_node >= 1", (void)rc_procs_nodes(&g, 1));
    trips("n >= 1", (void)rc_group_measures(&g, 0));
    trips("n >= 1", (void)rc_group_fork(&g, 0, &parent, &err));
    trips("data != NULL || bytes == 0", (void)rc_group_share(&g, NULL, 1, &err));
    trips("g->rank >= 0 && g->rank < g->size", (void)rc_group_share(&stray, data, 1, &err));
    trips("bytes <= RC_GROUP_SHARE_MAX",
          (void)rc_fork_share(&g, data, RC_GROUP_SHARE_MAX + 1, &err));
    g.size = FORK_RANKS + 1;
    trips("g->size <= FORK_RANKS", (void)rc_fork_gather(&g, 0.0, all, &err));
}

static void test_cases(void **state) {
    (void)state;
    trips("(unsigned)s < RC_RING_SCHEDULES", (void)rc_ring_schedule_name(RC_RING_SCHEDULES));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),  cmocka_unit_test(test_points),
        cmocka_unit_test(test_point_files), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_progress),    cmocka_unit_test(test_groups),
        cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
