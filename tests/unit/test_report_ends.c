/* Rows end where they end: what stands in the memory behind the last row changes nothing that is printed, written or drawn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/report/paper_plots.h"
#include "sim/report/paper_output.h"
#include "tests/support/made_up_paper.h"

typedef struct all_said {
    char *text;
    size_t size;
    FILE *f;
} all_said;

static void begin(all_said *s) {
    *s = (all_said){.text = NULL};
    s->f = open_memstream(&s->text, &s->size);
    assert_non_null(s->f);
}

static void draw(const rc_paper *p, void (*figure)(const void *paper, FILE *script, FILE *data),
                 FILE *f) {
    all_said script, data;
    begin(&script);
    begin(&data);
    figure(p, script.f, data.f);
    (void)fclose(script.f), (void)fclose(data.f);
    (void)fprintf(f, "%s%s", script.text, data.text);
    free(script.text), free(data.text);
}

/* Everything that is made of a paper's rows once they are predicted. */
static all_said said_of(rc_paper *p) {
    static void (*const figures[])(const void *paper, FILE *script, FILE *data) = {
        rc_plot_fig6a, rc_plot_fig6b, rc_plot_fig7, rc_plot_fig8, rc_plot_fig9, rc_plot_fig10};
    rc_error err = {0};
    rc_paper_summary summary;
    rc_rule_score scores[RC_RULE_SCORES];
    all_said s;
    begin(&s);
    assert_ok(rc_paper_print(p, false, false, s.f, &err));
    assert_ok(rc_paper_print(p, true, false, s.f, &err));
    assert_ok(rc_paper_csv(p, s.f, &err));
    assert_ok(rc_paper_json(p, s.f, &err));
    for (const char *const *t = rc_paper_table_names; *t; t++)
        assert_ok(rc_paper_table_csv(p, *t, s.f, &err));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        draw(p, figures[i], s.f);
    rc_paper_summarise(p->rows, p->count, &summary);
    (void)fprintf(s.f, "%.17g %.17g %.17g %.17g\n", summary.ttft_mape_all, summary.ttit_mape_all,
                  summary.table5_mape, summary.table8_mape);
    assert_ok(rc_paper_rule_scores(p, scores, &err));
    (void)fclose(s.f);
    return s;
}

static void nothing_is_behind_the_last(void **state) {
    (void)state;
    rc_error err = {0};
    rc_paper *p = open_paper(0, 2);
    assert_ok(rc_paper_evaluate(p, &err));
    assert_true(p->count < p->room);
    const all_said alone = said_of(p);
    for (size_t i = 0; i < p->count;
         i += 3) { /* every third row once more, behind the last, of another figure */
        p->rows[p->count] = p->rows[i];
        p->plans[p->count] = p->plans[i];
        p->rows[p->count].paper *= 3.0;
        p->rows[p->count].predicted *= 0.5;
        p->rows[p->count].error_pct = 400.0;
        p->rows[p->count].duplicate_of = -1;
        const all_said more = said_of(p);
        if (strcmp(alone.text, more.text) != 0)
            fail_msg("a row like '%s' is read behind the last", p->rows[i].id);
        free(more.text);
    }
    free(alone.text);
    rc_paper_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_behind_the_last)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
