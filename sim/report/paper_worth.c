/* What fitting is worth: `ringcast paper --unfitted` and `--worth`.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/table.h"
#include "sim/report/paper_internal.h"

/* ---- one after the other --------------------------------------------------------------------- */

static void columns_of(rc_table *t) {
    static const rc_column columns[] = {
        {"without", "at its neutral value", "", RC_LEFT},
        {"neutral", "neutral", "", RC_LEFT},
        {"why", "which is", "", RC_LEFT},
        {"ttft_pct", "TTFT", "%", RC_RIGHT},
        {"ttit_pct", "TTIT", "%", RC_RIGHT},
        {"table5_pct", "Table 5", "%", RC_RIGHT},
        {"table8_pct", "Table 8", "%", RC_RIGHT},
        {"tie", "tie", "T", RC_RIGHT},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        rc_table_column(t, columns[i].key, columns[i].name, columns[i].unit, columns[i].align);
}

/* The line of p's rows as they now are. */
static void line(const rc_paper *p, const char *what, const char *neutral, const char *why,
                 rc_table *t) {
    const rc_paper_summary *s = &p->summary;
    int tie = rc_paper_find(p, "pt:tipping_T");
    rc_table_text(t, what);
    rc_table_text(t, neutral);
    rc_table_text(t, why);
    rc_table_real(t, s->ttft_mape_all, 2);
    rc_table_real(t, s->ttit_mape_all, 2);
    rc_table_real(t, s->table5_mape, 2);
    rc_table_real(t, s->table8_mape, 2);
    rc_table_real(t, tie < 0 ? NAN : p->rows[tie].predicted, 0);
}

static bool is_this(const rc_paper_neutral *n, const void *ctx) {
    return ctx == NULL || n == ctx;
}

/* `n` NULL: all of them. */
static rc_status line_without(rc_paper *p, const rc_paper_neutral *n, rc_table *t, rc_error *err) {
    rc_machine m;
    RC_TRY(rc_paper_load_neutral(p, "gtt", is_this, n, p->options.set_count, &m, err));
    RC_TRY(rc_paper_evaluate_as(p, &m, err));
    if (n)
        line(p, n->key, n->value, n->why, t);
    else
        line(p, "all of them", "", "nothing fitted", t);
    return RC_OK;
}

static rc_status lines(rc_paper *p, rc_table *t, rc_error *err) {
    line(p, "none", "", "as shipped", t);
    for (size_t i = 0; i < rc_paper_neutral_count(); i++)
        RC_TRY(line_without(p, rc_paper_neutral_at(i), t, err));
    return line_without(p, NULL, t, err);
}

rc_status rc_paper_worth(rc_paper *p, bool csv, FILE *f, rc_error *err) {
    assert(f != NULL);
    rc_table *t = rc_table_create();
    rc_table_note(t,
                  "what each fitted number and choice is worth: mean absolute errors over all rows "
                  "with it at its neutral value,");
    rc_table_note(t,
                  "the others as shipped; tie: T at which pass-KV and pass-Q take as long (paper: "
                  "6400)");
    columns_of(t);
    rc_status st = lines(p, t, err);
    if (st == RC_OK)
        return rc_table_finish(t, csv, f, err);
    rc_table_destroy(t);
    return st;
}
