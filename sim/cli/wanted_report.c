/* The rows that would narrow an answer most: file and table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/wanted_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/base/table.h"
#include "sim/cost/basis.h"

enum { SHOWN = 12 };                    /* rows of the table */
static const double LEAST_SHOWN = 1e-3; /* of the interval: what narrows it by less is left out, */
static const double LEAST_TIME = 5e-3;  /* unless it has this share of the time, unmeasured */

/* Rows that are worth a measurement: what narrows the interval, and what takes a part of the time
 * without having been measured on such a part, for a rule may err by more than it says. */
static bool is_worth(const rc_wanted_row *r) {
    return r->narrows >= LEAST_SHOWN ||
           (r->ask.cost.basis > RC_TRANSFERRED && r->time >= LEAST_TIME);
}

static size_t worth(const rc_wanted *w) {
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += is_worth(&w->row[i]);
    return n;
}

/* ---- the file -------------------------------------------------------------------------------- */

static void write_row(FILE *f, const rc_wanted_row *x) {
    rc_row r;
    rc_ask_row(&x->ask, &r);
    const char *const words[] = {r.op, r.variant, r.dtype};
    const int64_t sizes[] = {r.a, r.b, r.c, r.d, r.head_k, r.head_v, r.window, r.experts, r.top_k};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        rc_csv_put(f, words[i]);
        fputc(',', f);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fprintf(f, "%lld,", (long long)sizes[i]);
    fprintf(f, "%.4g,%.4g,%.4g,%.4g,%s\n", 100.0 * x->time, 100.0 * x->interval, 100.0 * x->narrows,
            100.0 * x->ask.cost.spread, rc_basis_name(x->ask.cost.basis));
}

static void write_head(FILE *f, const rc_spec *pass, const rc_wanted *w) {
    const rc_machine *m = rc_costs_machine(pass->costs);
    fprintf(f,
            "# wanted: rows that would narrow a forecast of %s on %s most, the most wanted first; "
            "measure them with\n"
            "#     ringcast-calib run --points THIS.csv --out ROWS.csv\n"
            "# interval now +-%.4g %% (90 %%), once all of them are measured +-%.4g %%\n"
            "# op to top_k: the point, as in a calibration row (docs/calibration.md)\n"
            "# time_pct: of the time; interval_pct: of the variance of its interval; narrows_pct: "
            "what the row would take off\n"
            "# the width of the interval; spread_pct: of the cost, as it is now; basis: what it "
            "rests on now\n",
            pass->model->name, m->name, 100.0 * w->half, 100.0 * w->half_then);
    for (int i = 0; rc_wanted_columns()[i] != NULL; i++)
        fprintf(f, "%s%s", i > 0 ? "," : "", rc_wanted_columns()[i]);
    fputc('\n', f);
}

static rc_status write_file(const rc_spec *pass, const rc_wanted *w, const char *path,
                            rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, false, err));
    write_head(o.f, pass, w);
    for (size_t i = 0; i < w->count; i++)
        if (is_worth(&w->row[i]))
            write_row(o.f, &w->row[i]);
    return rc_outfile_commit(&o, err);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* "8192 2560 8192": the columns a to d up to the last that is not 0. */
static void sizes_text(const rc_row *r, char *buf, size_t size) {
    const int64_t all[] = {r->a, r->b, r->c, r->d};
    size_t n = 4, at = 0;
    while (n > 1 && all[n - 1] == 0)
        n--;
    buf[0] = '\0';
    for (size_t i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%lld", i > 0 ? " " : "", (long long)all[i]);
}

static rc_status print(const rc_wanted *w, const char *path, rc_error *err) {
    static const rc_column names[] = {
        {"op", "wanted", "", RC_LEFT},
        {"variant", "variant", "", RC_LEFT},
        {"dtype", "type", "", RC_LEFT},
        {"sizes", "sizes", "a b c d", RC_LEFT},
        {"time_pct", "time", "%", RC_RIGHT},
        {"interval_pct", "interval", "%", RC_RIGHT},
        {"narrows_pct", "narrows", "%", RC_RIGHT},
        {"spread_pct", "spread", "%", RC_RIGHT},
        {"basis", "cost is", "", RC_LEFT},
    };
    rc_table *t = RC_TABLE_WITH(names);
    size_t n = worth(w);
    rc_table_note(t,
                  "interval +-%.1f %% of the time; +-%.1f %% once the %zu rows of %s are measured",
                  100.0 * w->half, 100.0 * w->half_then, n, path);
    if (w->rest > LEAST_SHOWN)
        rc_table_note(t, "%.1f %% of its variance is of fitted numbers of the machine's file",
                      100.0 * w->rest);
    if (w->model > 0.0)
        rc_table_note(
            t,
            "these are of the costs; the error of the model, +-%.1f %%, is in p5 and p95, "
            "too, and no row narrows it",
            100.0 * w->model);
    if (w->unseen > 0)
        rc_table_note(t, "%zu smaller costs were not looked at one by one", w->unseen);
    if (n > SHOWN)
        rc_table_note(t, "the first %d:", SHOWN);
    for (size_t i = 0, shown = 0; i < w->count && shown < SHOWN; i++) {
        char sizes[96];
        rc_row r;
        if (!is_worth(&w->row[i]))
            continue;
        shown++;
        rc_ask_row(&w->row[i].ask, &r);
        sizes_text(&r, sizes, sizeof sizes);
        rc_table_text(t, r.op);
        rc_table_text(t, *r.variant ? r.variant : NULL);
        rc_table_text(t, *r.dtype ? r.dtype : NULL);
        rc_table_text(t, sizes);
        rc_table_real(t, 100.0 * w->row[i].time, 1);
        rc_table_real(t, 100.0 * w->row[i].interval, 1);
        rc_table_real(t, 100.0 * w->row[i].narrows, 1);
        rc_table_real(t, 100.0 * w->row[i].ask.cost.spread, 1);
        rc_table_text(t, rc_basis_words(w->row[i].ask.cost.basis));
    }
    return rc_table_finish(t, false, stdout, err);
}

rc_status rc_wanted_report(const rc_spec *passes, size_t n, const char *path, bool table,
                           rc_error *err) {
    rc_wanted w;
    RC_TRY(rc_wanted_of(passes, n, &w, err));
    rc_status st = write_file(passes, &w, path, err);
    if (st == RC_OK && table)
        st = print(&w, path, err);
    rc_wanted_free(&w);
    return st;
}

/* ---- serving --------------------------------------------------------------------------------- */

static int64_t whole(double x, double least) {
    return llround(fmax(x, least));
}

rc_status rc_wanted_served(const rc_served_passes *x, const char *path, bool table, rc_error *err) {
    const rc_sequence prompt = {whole(x->fresh, x->prefill.cp), whole(x->cached, 0.0)};
    size_t batch = (size_t)whole(x->batch, 0.0), n = 0;
    rc_spec passes[2];
    rc_sequence *decodes = calloc(batch + 1, sizeof *decodes);
    if (decodes == NULL)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", batch);
    for (size_t i = 0; i < batch; i++)
        decodes[i] = (rc_sequence){1, whole(x->context, 1.0)};
    const rc_spec both = {
        .model = x->model, .costs = x->costs, .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    if (x->fresh > 0.0) {
        passes[n] = both;
        passes[n].layout = x->prefill;
        passes[n].phase = RC_PREFILL;
        passes[n].schedule = rc_schedule_on(x->schedule, x->prefill.cp);
        passes[n].eager = true;
        passes[n].seqs = &prompt;
        passes[n++].seq_count = 1;
    }
    if (batch > 0) {
        passes[n] = both;
        passes[n].layout = x->decode;
        passes[n].phase = RC_DECODE;
        passes[n].schedule = rc_schedule_decoding(x->schedule, x->decode.cp);
        passes[n].serial_ring = true;
        passes[n].seqs = decodes;
        passes[n++].seq_count = batch;
    }
    rc_status st = n > 0 ? rc_wanted_report(passes, n, path, table, err)
                         : rc_fail(err, RC_E_INPUT, "--wanted: nothing was served");
    free(decodes);
    return st;
}
