/* The paper's rows over a calibration made up for the test: structure, ids, arithmetic, files and
 * the fit. No predicted figure is pinned: those change with every calibration.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/doc.h"
#include "tests/support/made_up_paper.h"
#include "sim/schedule/totals.h"

/* ---- the rows -------------------------------------------------------------------------------- */

static void every_figure_has_a_row(void **state) {
    static const struct {
        const char *table;
        int rows;
    } expected[] = {{"4", 28}, {"5", 10}, {"6", 12}, {"7", 12}, {"8", 26}, {"points", 23}};
    rc_paper *p = open_paper(0, 1);
    (void)state;
    for (size_t t = 0; t < sizeof expected / sizeof expected[0]; t++) {
        int rows = 0;
        for (size_t i = 0; i < p->count; i++)
            rows += strcmp(p->rows[i].table, expected[t].table) == 0;
        assert_int_equal(rows, expected[t].rows);
        assert_string_equal(rc_paper_table_names[t], expected[t].table);
    }
    for (size_t i = 0; i < p->count; i++)
        assert_int_equal(rc_paper_find(p, p->rows[i].id), (int)i); /* ids are unique */
    rc_paper_close(p);
}

static void check_row(rc_paper *p, const char *id, const char *metric, double paper, int64_t t,
                      int64_t cached) {
    rc_paper_row *r = find(p, id);
    assert_string_equal(r->metric, metric);
    assert_true(fabs(r->paper - paper) < 1e-9);
    assert_int_equal(r->t, t);
    assert_int_equal(r->p, cached);
}

static void rows_carry_what_is_printed(void **state) {
    rc_paper *p = open_paper(0, 1);
    (void)state;
    check_row(p, "t4:kv:3200", "ttft", 1110.18, 3200, 124800);
    check_row(p, "t4:q:128000", "ttft", 12360.57, 128000, 0);
    check_row(p, "t5:kv:3200:sendrecv", "sendrecv_us", 627, 3200, 124800);
    check_row(p, "t5:q:12800:all2all", "all2all_us", 1023, 12800, 115200);
    check_row(p, "t6:tp8:8K:ttft", "ttft", 1740, 8000, 0);
    check_row(p, "t6:cp2:8K:ttit", "ttit", 65.61, 1, 8000);
    check_row(p, "t7:tp16:ttft", "ttft", 29917, 128000, 0);
    check_row(p, "t7:tp32_over_cp4", "ttft_ratio", 19841.0 / 10950.0, 128000, 0);
    check_row(p, "t8:128K:1:cp2:sendrecv", "sendrecv_us", 32.3, 1, 128000);
    check_row(p, "t8:32K:4:tp8:attn_op", "attn_op_us", 60.1, 1, 32000);
    check_row(p, "pt:ttft_cp8_128k", "ttft", 5.85, 128000, 0);
    check_row(p, "pt:tipping_T", "tipping_T", 6400, -1, -1);
    assert_int_equal(rc_paper_find(p, "t8:128K:1:tp8:sendrecv"), -1); /* printed as 0 */
    assert_int_equal(rc_paper_find(p, "t5:kv:3200:all2all"), -1);     /* blank */
    assert_string_equal(find(p, "t6:cp2:8K:ttit")->schedule->name, "pass-q");
    assert_string_equal(find(p, "t6:tp8:8K:ttft")->schedule->name, "tp");
    rc_paper_close(p);
}

/* Figure 7 shows the prefills of 128,000 tokens that Figure 6a shows by their contexts: the same passes. */
static void figures_share_passes(void **state) {
    (void)state;
    rc_paper_options o = {
        .store = store, .seed = 7, .threads = 1, .version = "test", .figures = true};
    rc_paper *p = NULL;
    rc_error err = {0};
    int shared = 0;
    assert_ok(rc_paper_open(&o, &p, &err));
    for (int c = 0; c < RC_FIG_CONTEXTS; c++)
        for (int n = 0;
             n < RC_FIG6A_CPS && n < RC_FIG7_NODES && rc_fig_contexts[c] == RC_PAPER_TOTAL; n++) {
            assert_int_equal(p->figures.fig7_cp[n], p->figures.fig6a[n][c]);
            shared++;
        }
    assert_true(shared >= 3);
    const rc_figures *f = &p->figures; /* bands are drawn in all but the last */
    for (int n = 0; n < RC_FIG7_NODES; n++)
        assert_true(p->jobs[f->fig7_cp[n]].draws && p->jobs[f->fig7_tp[n]].draws);
    for (int c = 0; c < RC_FIG_CONTEXTS; c++) {
        for (int n = 0; n < RC_FIG6A_CPS; n++)
            assert_true(p->jobs[f->fig6a[n][c]].draws &&
                        p->jobs[f->fig6a[n][c]].t == rc_fig_contexts[c]);
        for (int n = 0; n < RC_FIG6B_CPS; n++)
            assert_true(p->jobs[f->fig6b[n][c]].draws);
    }
    for (int c = 0; c < RC_FIG8_CONTEXTS; c++)
        for (int n = 0; n < 2; n++)
            assert_true(p->jobs[f->fig8[n][c]].draws && p->jobs[f->fig8[n][c]].cp == (n ? 16 : 8));
    for (int i = 0; i < RC_FIG9_POINTS; i++)
        assert_true(p->jobs[f->fig9[i][0]].draws && p->jobs[f->fig9[i][1]].draws);
    rc_paper_close(p);
}

static void repeats_are_duplicates(void **state) {
    static const char *const pairs[][2] = {{"t7:cp1:ttft", "t6:tp8:128K:ttft"},
                                           {"t7:cp1:ttit", "t6:tp8:128K:ttit"},
                                           {"t7:cp2:ttft", "t6:cp2:128K:ttft"},
                                           {"t8:32K:4:tp8:whole", "t8:32K:4:tp8:attn_op"}};
    rc_paper *p = open_paper(0, 1);
    int duplicates = 0;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(find(p, pairs[i][0])->duplicate_of, rc_paper_find(p, pairs[i][1]));
    assert_int_equal(find(p, "t7:cp2:ttit")->duplicate_of,
                     -1); /* another measurement of the same */
    assert_int_equal(find(p, "t7:cp4:ttft")->duplicate_of, -1);
    for (size_t i = 0; i < p->count; i++)
        duplicates += p->rows[i].duplicate_of >= 0;
    assert_int_equal(duplicates, 9); /* two of Table 5, three of Table 7, four of Table 8 */
    rc_paper_close(p);
}

static void fitted_rows_spread_to_what_rests_on_them(void **state) {
    rc_paper *p = open_paper(0, 1);
    rc_error err = {0};
    (void)state;
    clear_marks(p);
    fit_on(p, "gemm_ratio", 0.72, "t6:tp8:128K:ttft,t4:kv:128000, t5:kv:3200:attn");
    assert_ok(rc_paper_mark(p, &err));
    assert_true(find(p, "t6:tp8:128K:ttft")->fitted);
    assert_true(find(p, "t7:cp1:ttft")->fitted);      /* the same figure again */
    assert_true(find(p, "t7:cp4:ttft")->fitted);      /* the same pass, measured again */
    assert_true(find(p, "t7:tp32_over_cp4")->fitted); /* computed from it */
    assert_true(find(p, "t5:kv:3200:attn")->fitted);
    assert_false(find(p, "t5:kv:3200:sendrecv")->fitted);
    assert_false(find(p, "t4:q:128000")->fitted);
    assert_false(find(p, "t7:tp16_over_cp2")->fitted);
    assert_true(find(p, "pt:gtt_peak")->fitted); /* inputs always */
    clear_marks(p);
    fit_on(p, "hop_latency", 30e-6, "t8:128K:1:cp2:sendrecv,t8:128K:1:cp4:attn_op");
    assert_ok(rc_paper_mark(p, &err));
    assert_true(find(p, "t8:128K:1:cp2:whole")->fitted); /* the sum of it and others */
    assert_true(find(p, "t8:128K:1:cp4:whole")->fitted);
    assert_false(find(p, "t8:32K:4:cp2:whole")->fitted);
    assert_false(find(p, "t8:128K:1:cp2:all2all")->fitted);
    rc_paper_close(p);
}

/* A machine may state any row, the first and the last, too, and a number may be fitted on the first. */
static void rows_that_are_inputs(void **state) {
    rc_paper *p = open_paper(0, 1);
    rc_error err = {0};
    char *inputs = p->machine[RC_PAPER_GTT].inputs;
    (void)state;
    (void)snprintf(inputs, sizeof p->machine[RC_PAPER_GTT].inputs, "%s, %s", p->rows[0].id,
                   p->rows[p->count - 1].id);
    p->rows[0].role = p->rows[p->count - 1].role = RC_ROLE_COMPARED;
    assert_ok(rc_paper_mark(p, &err));
    assert_true(p->rows[0].role == RC_ROLE_INPUT && p->rows[0].fitted);
    assert_true(p->rows[p->count - 1].role == RC_ROLE_INPUT && p->rows[p->count - 1].fitted);
    clear_marks(p);
    p->rows[0].role = RC_ROLE_COMPARED;
    *inputs = '\0';
    fit_on(p, "gemm_ratio", 0.72, p->rows[0].id);
    assert_ok(rc_paper_mark(p, &err));
    assert_true(p->rows[0].role == RC_ROLE_COMPARED && p->rows[0].fitted);
    (void)snprintf(inputs, sizeof p->machine[RC_PAPER_GTT].inputs, "t0:nothing");
    assert_int_equal(rc_paper_mark(p, &err), RC_E_INPUT);
    rc_paper_close(p);
}

static void a_row_that_does_not_exist(void **state) {
    rc_paper *p = open_paper(0, 1);
    rc_error err = {0};
    (void)state;
    clear_marks(p);
    fit_on(p, "gemm_ratio", 0.72, "t6:tp8:128k:ttft");
    assert_int_equal(rc_paper_mark(p, &err), RC_E_INPUT);
    assert_string_equal(err.msg, "machine 'gtt': parameter 'gemm_ratio' was fitted on row "
                                 "'t6:tp8:128k:ttft', which does not exist (did you mean "
                                 "'t6:tp8:128K:ttft'?)");
    rc_paper_close(p);
}

/* ---- evaluation ------------------------------------------------------------------------------ */

static void predictions_never_see_the_printed_values(void **state) {
    rc_paper *a = open_paper(2, 1), *b = open_paper(2, 2);
    rc_error err = {0};
    (void)state;
    for (size_t i = 0; i < b->count; i++)
        b->rows[i].paper *= 3.0;
    assert_ok(rc_paper_evaluate(a, &err));
    assert_ok(rc_paper_evaluate(b, &err)); /* nor the number of threads */
    for (size_t i = 0; i < a->count; i++) {
        const rc_paper_row *x = &a->rows[i], *y = &b->rows[i];
        assert_true(x->predicted == y->predicted || (isnan(x->predicted) && isnan(y->predicted)));
        /* they hold how far repeats lie apart, which a common factor does not change */
        assert_true(fabs(x->p5 / y->p5 - 1.0) < 1e-9 || (isnan(x->p5) && isnan(y->p5)));
        assert_true(fabs(x->p95 / y->p95 - 1.0) < 1e-9 || (isnan(x->p95) && isnan(y->p95)));
    }
    rc_paper_close(a);
    rc_paper_close(b);
}

static void derived_rows_follow_from_the_others(void **state) {
    rc_paper *p = open_paper(8, 0);
    rc_error err = {0};
    (void)state;
    assert_ok(rc_paper_evaluate(p, &err));
    double t16 = find(p, "t7:tp16:ttft")->predicted, c2 = find(p, "t7:cp2:ttft")->predicted;
    assert_true(fabs(find(p, "t7:tp16_over_cp2")->predicted - t16 / c2) < 1e-12);
    assert_true(find(p, "t7:cp1:ttft")->predicted == find(p, "t6:tp8:128K:ttft")->predicted);
    double s = find(p, "pt:ttft_cp16_1m")->predicted;
    double flops = 2.0 * rc_model_params(&p->model) * 1e6 + 2.0 * 1e12 * 16384 * 126;
    assert_true(fabs(find(p, "pt:achieved_1m")->predicted / (flops / 128 / s / 1e12) - 1.0) < 1e-9);
    double kv = find(p, "t4:kv:6400")->predicted, q = find(p, "t4:q:6400")->predicted;
    assert_true(fabs(find(p, "pt:tipping_gap")->predicted - 100.0 * fabs(kv - q) / fmin(kv, q)) <
                1e-9);
    assert_true(isnan(find(p, "pt:tipping_gap")->error_pct)); /* a bound */
    assert_true(fabs(find(p, "pt:gtt_net")->predicted - 400.0) < 1e-9);
    assert_true(isnan(find(p, "pt:decode_splits")->predicted));
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *r = &p->rows[i];
        if (r->scored)
            assert_true(r->predicted > 0.0 && r->p5 <= r->p95 && r->p5 > 0.0);
        if (r->role == RC_ROLE_COMPARED && isfinite(r->predicted))
            assert_true(fabs(r->error_pct - 100.0 * (r->predicted / r->paper - 1.0)) < 1e-9);
    }
    rc_paper_close(p);
}

static void what_ifs_reach_the_rows(void **state) {
    static const char *const sets[] = {"machine.attention_ratio=0.4"};
    rc_paper_options o = {.store = store, .sets = sets, .set_count = 1, .threads = 1};
    rc_paper *slow = NULL, *p = open_paper(0, 1);
    rc_error err = {0};
    (void)state;
    assert_ok(rc_paper_open(&o, &slow, &err));
    assert_ok(rc_paper_evaluate(p, &err));
    assert_ok(rc_paper_evaluate(slow, &err));
    assert_true(find(slow, "t6:tp8:128K:ttft")->predicted >
                1.2 * find(p, "t6:tp8:128K:ttft")->predicted);
    rc_paper_close(p);
    rc_paper_close(slow);
    static const char *const wrong[] = {"machine.atention_ratio=1"};
    o.sets = wrong;
    assert_int_equal(rc_paper_open(&o, &slow, &err), RC_E_USAGE);
    assert_non_null(strstr(err.msg, "did you mean 'attention_ratio'?"));
    static const char *const other[] = {"tokens.new=3"};
    o.sets = other;
    assert_int_equal(rc_paper_open(&o, &slow, &err), RC_E_USAGE);
    assert_string_equal(err.msg, "found 'tokens.new=3', expected machine.KEY=VALUE");
}

/* ---- files ----------------------------------------------------------------------------------- */

static void files_of_a_folder(void **state) {
    char dir[96];
    rc_paper *p = open_paper(0, 0);
    rc_error err = {0};
    (void)state;
    snprintf(dir, sizeof dir, "%s/out", folder);
    assert_ok(rc_paper_evaluate(p, &err));
    assert_ok(rc_paper_may_write(dir, true, false, &err));
    assert_ok(rc_paper_write(p, dir, false, false, NULL, &err));
    assert_int_equal(rc_paper_may_write(dir, false, false, &err), RC_E_IO);
    assert_non_null(strstr(err.msg, "already exists and is not overwritten"));
    assert_int_equal(rc_paper_write(p, dir, false, false, NULL, &err), RC_E_IO);
    assert_ok(rc_paper_write(p, dir, false, true, NULL, &err));
    char *csv = text_of("out/table6.csv");
    static const char head[] =
        "table,config,context,P,T,variant,metric,unit,paper,predicted,p5,p95,"
        "error_pct,fitted,id,row_is,note\n6,TP8,8K,0,8000,tp,ttft,ms,1740,";
    assert_memory_equal(csv, head, sizeof head - 1);
    free(csv);
    rc_paper_close(p);
}

static void the_summary_document(void **state) {
    static const char *const row_keys[] = {"table",   "config", "context",   "P",     "T",
                                           "variant", "metric", "unit",      "paper", "predicted",
                                           "p5",      "p95",    "error_pct", "fitted"};
    static const char *const keys[] = {"ttft_mape_predicted", "ttft_max_predicted", "ttft_mape_all",
                                       "ttit_mape_predicted", "winners_right",      "winners_total",
                                       "fitted_parameters"};
    char *text = text_of("out/summary.json");
    rc_doc *doc = NULL;
    rc_error err = {0};
    (void)state;
    assert_ok(rc_doc_parse("summary.json", text, strlen(text), &doc, &err));
    const rc_node *root = rc_doc_root(doc), *rows = rc_node_get(root, "rows");
    assert_int_equal(rc_node_count(rows), 111);
    assert_int_equal(rc_node_count(rc_node_get(root, "row_details")), 111);
    const rc_node *row = rc_node_at(rows, 0);
    assert_int_equal(rc_node_count(row), sizeof row_keys / sizeof row_keys[0]);
    for (size_t i = 0; i < sizeof row_keys / sizeof row_keys[0]; i++)
        assert_string_equal(rc_node_key(row, i), row_keys[i]);
    const rc_node *summary = rc_node_get(root, "summary");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_string_equal(rc_node_key(summary, i), keys[i]);
    assert_string_equal(rc_node_text(rc_node_get(summary, "winners_total")), "12");
    assert_non_null(rc_node_get(rc_node_get(root, "provenance"), "calibration"));
    rc_doc_close(doc);
    free(text);
}

/* ---- the fit --------------------------------------------------------------------------------- */

/* Rows made with known parameters give the parameters back. */
static void a_fit_finds_what_made_the_rows(void **state) {
    static const char *const sets[] = {"machine.gemm_ratio=0.61", "machine.attention_ratio=0.93"};
    rc_paper_options o = {.store = store, .sets = sets, .set_count = 2, .threads = 1};
    rc_paper *truth = NULL, *p = open_paper(0, 1);
    rc_error err = {0};
    char path[96];
    (void)state;
    assert_ok(rc_paper_open(&o, &truth, &err));
    assert_ok(rc_paper_evaluate(truth, &err));
    for (size_t i = 0; i < p->count; i++) /* 0.1 % of noise, so that there is an interval */
        p->rows[i].paper = truth->rows[i].predicted * (i / 4 % 2 ? 1.001 : 0.999);
    clear_marks(p);
    fit_on(p, "gemm_ratio", 0.72, "t6:tp8:8K:ttft,t6:tp8:32K:ttft,t6:tp8:128K:ttft");
    fit_on(p, "attention_ratio", 0.85, "t6:tp8:32K:ttft,t6:tp8:128K:ttft,t6:cp2:128K:ttft");
    snprintf(path, sizeof path, "%s/text", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_ok(rc_paper_fit(p, f, &err));
    fclose(f);
    char *text = text_of("text");
    rc_doc *doc = NULL;
    assert_ok(rc_doc_parse("fit", text, strlen(text), &doc, &err));
    const rc_node *list = rc_node_get(rc_doc_root(doc), "fitted");
    const double expected[] = {0.61, 0.93};
    assert_int_equal(rc_node_count(list), 2);
    for (size_t i = 0; i < 2; i++) {
        const rc_node *e = rc_node_at(list, i), *in = rc_node_get(e, "interval");
        double v = atof(rc_node_text(rc_node_get(e, "value")));
        assert_true(fabs(v / expected[i] - 1.0) < 0.02);
        assert_true(atof(rc_node_text(rc_node_at(in, 0))) < v &&
                    v < atof(rc_node_text(rc_node_at(in, 1))));
        assert_string_equal(rc_node_text(rc_node_get(e, "meaning")), "a \"test\"");
    }
    assert_int_equal(rc_node_count(rc_node_get(rc_node_at(list, 0), "rows")), 3);
    rc_doc_close(doc);
    free(text);
    rc_paper_close(truth);
    rc_paper_close(p);
}

static void refuse_fit(const char *name, const char *rows, const char *expected) {
    rc_paper *p = open_paper(0, 1);
    rc_error err = {0};
    clear_marks(p);
    if (name)
        fit_on(p, name, 0.8, rows);
    assert_int_equal(rc_paper_fit(p, stdout, &err), RC_E_INPUT);
    if (!strstr(err.msg, expected))
        fail_msg("'%s' does not say '%s'", err.msg, expected);
    rc_paper_close(p);
}

static void fits_that_cannot_be(void **state) {
    (void)state;
    refuse_fit(NULL, "", "has no fitted parameters");
    refuse_fit("gemm_ratio", "t6:tp8:8K:ttft", "1 parameters cannot be fitted on 1 rows");
    refuse_fit("gemm_ratio", "pt:tipping_T,t6:tp8:8K:ttft",
               "not a figure that this machine can be fitted on");
    refuse_fit("gemm_ratio", "pt:gti_scaling,t6:tp8:8K:ttft",
               "not a figure that this machine can be fitted on");
    refuse_fit("ring_step", "t6:tp8:8K:ttft,t6:tp8:32K:ttft",
               "changes none of the rows it is fitted on");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_a_row),
        cmocka_unit_test(rows_carry_what_is_printed),
        cmocka_unit_test(figures_share_passes),
        cmocka_unit_test(repeats_are_duplicates),
        cmocka_unit_test(fitted_rows_spread_to_what_rests_on_them),
        cmocka_unit_test(rows_that_are_inputs),
        cmocka_unit_test(a_row_that_does_not_exist),
        cmocka_unit_test(predictions_never_see_the_printed_values),
        cmocka_unit_test(derived_rows_follow_from_the_others),
        cmocka_unit_test(what_ifs_reach_the_rows),
        cmocka_unit_test(files_of_a_folder),
        cmocka_unit_test(the_summary_document),
        cmocka_unit_test(a_fit_finds_what_made_the_rows),
        cmocka_unit_test(fits_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
