/* A run as files.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/base/file.h"
#include "sim/plot/gnuplot.h"
#include "sim/tune/tune_internal.h"
#include "sim/tune/tune_plots.h"

static const char *const files[] = {"summary.json", "select.json", "ringcast_select.h", "grid.csv",
                                    NULL};

rc_status rc_tune_may_write(const char *dir, bool plots, bool overwrite, rc_error *err) {
    RC_TRY(rc_outputs_check(dir, files, overwrite, err));
    return plots ? rc_plot_check(rc_tune_plot_names, dir, overwrite, err) : RC_OK;
}

static rc_status select_json(const rc_tune *t, const char *path, bool overwrite, rc_error *err) {
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_select_json(&t->table, j, root);
    json_t *o = rc_json_object(j, root, "provenance");
    rc_json_text(j, o, "written_by", "ringcast tune");
    rc_json_text(j, o, "scenario", t->s.name);
    rc_json_int(j, o, "cells", (int64_t)t->count);
    rc_json_int(j, o, "seed", (int64_t)t->s.seed);
    for (int i = 0; i < t->rules; i++) {
        const rc_tune_score *s = &t->rule[i].score[RC_TUNE_TEST];
        if (t->rule[i].origin != RC_TUNE_TABLE)
            continue;
        json_t *r = rc_json_object(j, o, "variant_regret_on_unseen_half");
        rc_json_int(j, r, "points", (int64_t)s->points);
        rc_json_real(j, r, "hit_rate", s->hit_rate);
        rc_json_real(j, r, "fit_error_mean_pct", s->mean_pct);
        rc_json_real(j, r, "fit_error_p95_pct", s->p95_pct);
        rc_json_real(j, r, "fit_error_worst_pct", s->worst_pct);
        rc_json_real(j, r, "expected_regret_pct", t->rule[i].expected.mean_pct);
        rc_json_real(j, r, "expected_regret_p95_pct", t->rule[i].expected.p95_pct);
    }
    return rc_json_finish_as(j, path, overwrite, err);
}

static void number(FILE *f, double v) {
    if (isfinite(v))
        (void)fprintf(f, ",%.6f", 1e3 * v);
    else
        (void)fputc(',', f);
}

/* One row a cell and degree; what does not fit is empty. */
static void grid(const rc_tune *t, FILE *f) {
    (void)fprintf(f, "T,P,batch,cp,half,pass_kv_ms,pass_q_ms,all_gather_kv_ms,tuned,degree");
    for (int w = 1; w < t->s.prices; w++)
        (void)fprintf(f, ",degree_%g", t->s.price[w]);
    (void)fputc('\n', f);
    for (size_t i = 0; i < t->count; i++) {
        const rc_tune_cell *c = &t->cells[i];
        double fresh = (double)c->t, cached = (double)c->p, batch = t->s.batch[c->batch];
        for (int d = 0; d < t->s.degrees; d++) {
            int n = t->s.degree[d];
            (void)fprintf(f, "%lld,%lld,%d,%d,%s", (long long)c->t, (long long)c->p,
                          t->s.batch[c->batch], n, c->train ? "train" : "test");
            for (int v = 0; v < RC_TUNE_VARIANTS; v++)
                number(f, rc_tune_time_at(t, i, d, v));
            (void)fprintf(f, ",%s",
                          rc_choice_name(rc_select_variant(&t->table, fresh, cached, batch, n)));
            for (int w = 0; w < t->s.prices; w++)
                (void)fprintf(f, ",%d", rc_select_degree(&t->table, w, fresh, cached, batch, 1, n));
            (void)fputc('\n', f);
        }
    }
}

static rc_status put_file(const rc_tune *t, void (*writer)(const rc_tune *, FILE *),
                          const char *path, bool overwrite, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    writer(t, o.f);
    return rc_outfile_commit(&o, err);
}

rc_status rc_tune_write(const rc_tune *t, const char *dir, bool plots, bool overwrite, FILE *log,
                        rc_error *err) {
    char path[RC_PATH_SIZE];
    RC_TRY(rc_make_dirs(dir, err));
    RC_TRY(rc_path_in(path, dir, err, "%s", files[0]));
    RC_TRY(rc_json_finish_as(rc_tune_document(t), path, overwrite, err));
    RC_TRY(rc_path_in(path, dir, err, "%s", files[1]));
    RC_TRY(select_json(t, path, overwrite, err));
    RC_TRY(rc_path_in(path, dir, err, "%s", files[2]));
    RC_TRY(put_file(t, rc_tune_header, path, overwrite, err));
    RC_TRY(rc_path_in(path, dir, err, "%s", files[3]));
    RC_TRY(put_file(t, grid, path, overwrite, err));
    return plots ? rc_tune_plots(t, dir, overwrite, log, err) : RC_OK;
}
