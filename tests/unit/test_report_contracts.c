/* What the report on the paper assumes of its callers (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/report/paper_output.h"

static rc_error err;
static rc_paper p; /* with nothing read */

static void test_jobs(void **state) {
    (void)state;
    rc_job job = {.machine = RC_PAPER_MACHINES};
    trips("want->machine >= 0 && want->machine < RC_PAPER_MACHINES", (void)rc_paper_job(&p, &job));
    job.machine = RC_PAPER_GTT;
    trips("want->tp >= 1 && want->cp >= 1 && want->batch >= 1", (void)rc_paper_job(&p, &job));
    job.tp = job.cp = job.batch = 1;
    trips("want->schedule != NULL", (void)rc_paper_job(&p, &job));
    trips("s != NULL && t >= 0 && cached >= 0",
          (void)rc_job_prefill(RC_PAPER_GTT, 8, 2, NULL, 1000, 0));
    trips("context >= 0 && batch >= 1", (void)rc_job_decode(RC_PAPER_GTT, 8, 2, 1000, 0));
    trips("costs != NULL && p->options.draws >= 0",
          (void)rc_paper_run_jobs(&p, NULL, NULL, false, &err));
}

static void test_rows(void **state) {
    (void)state;
    const rc_costs *costs[RC_PAPER_MACHINES] = {NULL};
    const char *volatile no_id = NULL;
    rc_paper_summary summary;
    rc_paper_repeats repeats[RC_PAPER_KINDS];
    rc_paper lost = {.count = 1};
    double value;
    int tp, cp;
    char id[16];
    trips("row < p->count", (void)rc_paper_value(&p, costs, 0, &value, &err));
    trips("id != NULL", (void)rc_paper_find(&p, no_id));
    trips("id != NULL && size > 0", (void)rc_paper_config("TP8", &tp, &cp, id, 0, &err));
    trips("rows != NULL || count == 0", rc_paper_summarise(NULL, 1, &summary));
    trips("rows != NULL || count == 0", (void)rc_paper_widen(NULL, 1, repeats, &err));
    trips("p->rows != NULL || p->count == 0", (void)rc_paper_evaluate(&lost, &err));
    trips("p->rows != NULL || p->count == 0", (void)rc_paper_table_csv(&lost, NULL, stderr, &err));
    trips("(size_t)r < sizeof names / sizeof names[0]",
          (void)rc_paper_role_name((rc_paper_role)(RC_ROLE_INPUT + 1)));
}

static void test_arithmetic(void **state) {
    (void)state;
    const rc_model m = {.layers = 1};
    trips("t >= 0.0", (void)rc_paper_gemm_flops(&m, -1.0));
    trips("t >= 0.0", (void)rc_paper_attention_flops(&m, -1.0));
    trips("t > 0.0 && cached >= 0.0 && bw > 0.0", (void)rc_paper_choose_input(&p, 0.0, 0.0, 1.0));
    trips("job == RC_JOB_NONE || (job >= 0 && (size_t)job < p->job_count)",
          (void)rc_paper_time(&p, 0));
    trips("p5 != NULL && p95 != NULL",
          rc_paper_ratio_interval(&p, RC_JOB_NONE, RC_JOB_NONE, NULL, NULL));
    trips("i >= 0 && i < RC_FIG10_T", (void)rc_fig10_t(RC_FIG10_T));
    trips("i >= 0 && i < RC_FIG10_M", (void)rc_fig10_miss(-1));
}

static void test_writers(void **state) {
    (void)state;
    const rc_paper_options o = {.draws = -1};
    const char *volatile nowhere = NULL;
    FILE *volatile no_file = NULL;
    rc_refit *volatile no_refit = NULL;
    const rc_machine *volatile no_machine = NULL;
    rc_paper *opened, lost = {.count = 1};
    rc_plan *plan;
    char id[16];
    rc_json *j;
    trips("o->draws >= 0 && (o->sets != NULL || o->set_count == 0)",
          (void)rc_paper_open(&o, &opened, &err));
    trips("f != NULL", (void)rc_paper_print(&p, true, false, no_file, &err));
    trips("p->options.version != NULL", (void)rc_paper_document(&p, &j, &err));
    trips("dir != NULL", (void)rc_paper_write(&p, nowhere, false, false, NULL, &err));
    trips("out != NULL", (void)rc_paper_fit(&p, no_file, &err));
    trips("start != NULL && out != NULL",
          (void)rc_paper_refit(&p, &p.machine[RC_PAPER_GTT], NULL, no_refit, &err));
    trips("f != NULL", (void)rc_paper_worth(&p, false, no_file, &err));
    trips("i < NEUTRALS", (void)rc_paper_neutral_at(rc_paper_neutral_count()));
    trips("gtt != NULL", (void)rc_paper_evaluate_as(&p, no_machine, &err));
    trips("name != NULL && out != NULL",
          (void)rc_paper_load(nowhere, NULL, 0, &p.machine[0], &err));
    trips("takes != NULL && set_count <= p->options.set_count",
          (void)rc_paper_load_neutral(&p, "gtt", NULL, NULL, 1, &p.machine[0], &err));
    trips("which != NULL && f != NULL", (void)rc_paper_leave_out(&p, nowhere, false, stderr, &err));
    trips("p->options.figures", (void)rc_paper_write_plots(&p, ".", false, NULL, &err));
    trips("name != NULL && size > 0", (void)rc_paper_data_path(&p, "x", id, 0, &err));
    trips("p->count <= p->room", (void)rc_paper_add(&lost, &plan));
    trips("runs != NULL && f != NULL", (void)rc_paper_real(&p, nowhere, NULL, false, stderr, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
