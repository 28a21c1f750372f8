/* summary.json: rows, summary, and what the figures rest on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/cost/store.h"
#include "sim/report/paper_output.h"

/* ---- rows ----------------------------------------------------------------------------------- */

static void tokens(rc_json *j, json_t *o, const char *key, int64_t v) {
    if (v >= 0)
        rc_json_int(j, o, key, v);
    else
        rc_json_null(j, o, key);
}

static void text(rc_json *j, json_t *o, const char *key, const char *s) {
    rc_json_text(j, o, key, s && s[0] ? s : NULL);
}

static void add_rows(const rc_paper *p, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "rows");
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *r = &p->rows[i];
        json_t *o = rc_json_object(j, list, NULL);
        text(j, o, "table", r->table);
        text(j, o, "config", r->config);
        text(j, o, "context", r->context);
        tokens(j, o, "P", r->p);
        tokens(j, o, "T", r->t);
        text(j, o, "variant", rc_paper_variant(r));
        text(j, o, "metric", r->metric);
        text(j, o, "unit", r->unit);
        rc_json_real(j, o, "paper", r->paper);
        rc_json_real(j, o, "predicted", r->predicted);
        rc_json_real(j, o, "p5", r->p5);
        rc_json_real(j, o, "p95", r->p95);
        rc_json_real(j, o, "error_pct", r->error_pct);
        rc_json_bool(j, o, "fitted", r->fitted);
    }
}

/* In the order of `rows`: what the compared keys leave out. */
static void add_details(const rc_paper *p, rc_json *j, json_t *root) {
    json_t *list = rc_json_list(j, root, "row_details");
    for (size_t i = 0; i < p->count; i++) {
        const rc_paper_row *r = &p->rows[i];
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "id", r->id);
        rc_json_text(j, o, "role", rc_paper_role_name(r->role));
        rc_json_bool(j, o, "scored", r->scored);
        rc_json_text(j, o, "duplicate_of",
                     r->duplicate_of >= 0 ? p->rows[r->duplicate_of].id : NULL);
        rc_json_real(j, o, "predicted_k1024", r->predicted_1024);
        text(j, o, "note", r->note);
    }
}

/* ---- summary -------------------------------------------------------------------------------- */

static void add_coverage(const rc_paper_coverage *c, const char *what, rc_json *j, json_t *o) {
    char key[48];
    (void)snprintf(key, sizeof key, "%s_within_p5_p95", what);
    rc_json_int(j, o, key, c->covered);
    (void)snprintf(key, sizeof key, "%s_with_interval", what);
    rc_json_int(j, o, key, c->rows);
    (void)snprintf(key, sizeof key, "%s_width_over_asked", what);
    rc_json_real(j, o, key, c->width / c->asked);
}

static void add_summary(const rc_paper *p, rc_json *j, json_t *root) {
    const rc_paper_summary *s = &p->summary;
    json_t *o = rc_json_object(j, root, "summary");
    rc_json_real(j, o, "ttft_mape_predicted", s->ttft_mape_predicted);
    rc_json_real(j, o, "ttft_max_predicted", s->ttft_max_predicted);
    rc_json_real(j, o, "ttft_mape_all", s->ttft_mape_all);
    rc_json_real(j, o, "ttit_mape_predicted", s->ttit_mape_predicted);
    rc_json_int(j, o, "winners_right", s->winners_right);
    rc_json_int(j, o, "winners_total", s->winners_total);
    rc_json_int(j, o, "fitted_parameters", s->fitted_parameters);
    rc_json_int(j, o, "choices", s->choices);
    rc_json_int(j, o, "ttft_rows_predicted", s->ttft_rows_predicted);
    rc_json_int(j, o, "ttft_rows_all", s->ttft_rows_all);
    rc_json_int(j, o, "ttit_rows_predicted", s->ttit_rows_predicted);
    rc_json_int(j, o, "ttit_rows_all", s->ttit_rows_all);
    rc_json_real(j, o, "ttft_mape_fitted", s->ttft_mape_fitted);
    rc_json_real(j, o, "ttit_mape_all", s->ttit_mape_all);
    rc_json_real(j, o, "table5_mape", s->table5_mape);
    rc_json_real(j, o, "table8_mape", s->table8_mape);
    rc_json_real(j, o, "table8_whole_mape", s->table8_whole_mape);
    rc_json_real(j, o, "k1024_ttft_mape_predicted", s->k1024_ttft_mape_predicted);
    rc_json_real(j, o, "k1024_ttft_mape_all", s->k1024_ttft_mape_all);
    rc_json_int(j, o, "winners_right_14", s->winners_right_all);
    rc_json_int(j, o, "winners_total_14", s->winners_total_all);
    rc_json_int(j, o, "rows_within_p5_p95", s->covered);
    rc_json_int(j, o, "rows_with_interval", s->with_interval);
    add_coverage(&s->cover_ttft, "ttft_predicted", j, o);
    add_coverage(&s->cover_ttit, "ttit", j, o);
    add_coverage(&s->cover_table8, "table8", j, o);
    for (int k = 0; k < RC_PAPER_KINDS; k++) {
        static const char *const kinds[RC_PAPER_KINDS] = {"ttft", "ttit", "part"};
        char key[48];
        (void)snprintf(key, sizeof key, "%s_repeat_sigma", kinds[k]);
        rc_json_real(j, o, key, p->repeats[k].sigma);
    }
    rc_json_int(j, o, "draws", p->options.draws);
    rc_json_int(j, o, "seed", (int64_t)p->options.seed);
    rc_json_int(j, o, "k", 1000);
}

static void add_row_ids(const char *rows, rc_json *j, json_t *o) {
    char ids[sizeof((rc_fitted *)0)->rows], *save = NULL;
    json_t *list = rc_json_list(j, o, "rows");
    (void)snprintf(ids, sizeof ids, "%s", rows);
    for (char *id = strtok_r(ids, ", ", &save); id; id = strtok_r(NULL, ", ", &save))
        rc_json_text(j, list, NULL, id);
}

static void add_fitted(const rc_machine *m, rc_json *j, json_t *list) {
    for (int i = 0; i < m->fitted_count; i++) {
        const rc_fitted *f = &m->fitted[i];
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "machine", m->name);
        rc_json_text(j, o, "name", f->name);
        rc_json_real(j, o, "value", f->value);
        json_t *interval = rc_json_list(j, o, "interval");
        rc_json_real(j, interval, NULL, f->lo);
        rc_json_real(j, interval, NULL, f->hi);
        rc_json_text(j, o, "unit", f->unit);
        rc_json_text(j, o, "meaning", f->meaning);
        add_row_ids(f->rows, j, o);
    }
}

static rc_status add_rules(const rc_paper *p, rc_json *j, json_t *root, rc_error *err) {
    rc_rule_score s[RC_RULE_SCORES];
    RC_TRY(rc_paper_rule_scores(p, s, err));
    json_t *list = rc_json_list(j, root, "rules_on_table_4");
    for (int i = 0; i < RC_RULE_SCORES; i++) {
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "rule", s[i].rule);
        rc_json_real(j, o, "C", s[i].c);
        rc_json_real(j, o, "BW", s[i].bw);
        rc_json_int(j, o, "right", s[i].right);
        rc_json_int(j, o, "rows", s[i].rows);
    }
    return RC_OK;
}

/* ---- provenance ----------------------------------------------------------------------------- */

typedef struct origin {
    const rc_row *first;
    const char *from, *to; /* dates */
    int64_t rows;
} origin;

static bool same_origin(const rc_row *a, const rc_row *b) {
    return strcmp(a->machine, b->machine) == 0 && strcmp(a->gpu, b->gpu) == 0 &&
           strcmp(a->driver, b->driver) == 0 && strcmp(a->cuda, b->cuda) == 0 &&
           strcmp(a->nccl, b->nccl) == 0 && strcmp(a->source, b->source) == 0;
}

enum { MAX_ORIGINS = 64 };

static size_t collect(const rc_rows *rows, origin list[MAX_ORIGINS]) {
    size_t n = 0;
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        size_t k = 0;
        while (k < n && !same_origin(list[k].first, r))
            k++;
        if (k == MAX_ORIGINS)
            continue;
        if (k == n)
            list[n++] = (origin){r, r->date, r->date, 0};
        if (strcmp(r->date, list[k].from) < 0)
            list[k].from = r->date;
        if (strcmp(r->date, list[k].to) > 0)
            list[k].to = r->date;
        list[k].rows++;
    }
    return n;
}

static rc_status add_store(const rc_paper *p, rc_json *j, json_t *o, rc_error *err) {
    const rc_machine *m = &p->machine[RC_PAPER_GTT];
    rc_rows *rows = NULL;
    origin origins[MAX_ORIGINS];
    RC_TRY(rc_store_rows(p->options.store, NULL, &rows, err));
    size_t n = collect(rows, origins);
    rc_json_text(j, o, "store", p->options.store ? p->options.store : "embedded");
    json_t *list = rc_json_list(j, o, "calibration");
    for (size_t i = 0; i < n; i++) {
        const rc_row *r = origins[i].first;
        json_t *e = rc_json_object(j, list, NULL);
        rc_json_text(j, e, "machine", r->machine);
        rc_json_bool(j, e, "used",
                     strcmp(r->machine, m->base) == 0 || strcmp(r->machine, m->collectives) == 0);
        text(j, e, "gpu", r->gpu);
        text(j, e, "driver", r->driver);
        text(j, e, "cuda", r->cuda);
        text(j, e, "nccl", r->nccl);
        text(j, e, "source", r->source);
        text(j, e, "first_date", origins[i].from);
        text(j, e, "last_date", origins[i].to);
        rc_json_int(j, e, "rows", origins[i].rows);
    }
    rc_rows_free(rows);
    return RC_OK;
}

static rc_status add_provenance(const rc_paper *p, rc_json *j, json_t *root, rc_error *err) {
    const rc_machine *m = &p->machine[RC_PAPER_GTT];
    json_t *o = rc_json_object(j, root, "provenance");
    rc_json_text(j, o, "program", "ringcast");
    rc_json_text(j, o, "version", p->options.version);
    rc_json_text(j, o, "paper", "arXiv 2411.01783v3");
    rc_json_text(j, o, "model", p->model.name);
    rc_json_text(j, o, "machine", m->name);
    rc_json_text(j, o, "base", m->base);
    rc_json_text(j, o, "collectives", m->collectives);
    rc_json_text(j, o, "state", m->state);
    json_t *sets = rc_json_list(j, o, "what_if");
    for (size_t i = 0; i < p->options.set_count; i++)
        rc_json_text(j, sets, NULL, p->options.sets[i]);
    return add_store(p, j, o, err);
}

rc_status rc_paper_document(const rc_paper *p, rc_json **out, rc_error *err) {
    assert(p->options.version != NULL);
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    *out = NULL;
    add_rows(p, j, root);
    add_summary(p, j, root);
    json_t *fitted = rc_json_list(j, root, "fitted");
    add_fitted(&p->machine[RC_PAPER_GTT], j, fitted);
    add_fitted(&p->machine[RC_PAPER_GTI], j, fitted);
    rc_status st = add_rules(p, j, root, err);
    if (st == RC_OK)
        st = add_provenance(p, j, root, err);
    add_details(p, j, root);
    if (st == RC_OK)
        *out = j;
    else
        rc_json_destroy(j);
    return st;
}

rc_status rc_paper_json(const rc_paper *p, FILE *f, rc_error *err) {
    rc_json *j = NULL, *named = rc_json_create();
    rc_json_text(named, rc_json_root(named), "schema", "paper-1");
    rc_status st = rc_paper_document(p, &j, err);
    if (st == RC_OK && json_object_update(rc_json_root(named), rc_json_root(j)) != 0)
        st = rc_fail(err, RC_E_NOMEM, "out of memory while building JSON");
    rc_json_destroy(j);
    if (st == RC_OK)
        return rc_json_finish(named, f, err);
    rc_json_destroy(named);
    return st;
}
