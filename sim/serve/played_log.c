/* Passes of a real server as CSV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/played_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/base/mix.h"

static const char *const columns[] = {"start_ps",      "took_ps", "host_ps", "prompts",
                                      "prompt_tokens", "decodes", "context", "digest",
                                      "sm_mhz",        "power_w", NULL};
enum { START, TOOK, HOST, PROMPTS, TOKENS, DECODES, CONTEXT, DIGEST, MHZ, POWER, COLUMNS };

rc_played_row rc_played_row_of(const rc_played_pass *pass) {
    rc_played_row x = {.start = pass->start, .sm_mhz = NAN, .power_w = NAN};
    uint64_t h = 0;
    for (size_t i = 0; i < pass->count; i++) {
        const rc_played_sequence *s = &pass->at[i];
        x.prompts += !s->decodes;
        x.prompt_tokens += s->decodes ? 0 : s->t;
        x.decodes += s->decodes;
        x.context += s->decodes ? s->p : 0;
        h = rc_mix(h, s->request);
        h = rc_mix(h, (uint64_t)s->t);
        h = rc_mix(h, 2 * (uint64_t)s->p + s->decodes);
    }
    x.digest = h;
    return x;
}

rc_status rc_played_log_add(rc_played_log *log, const rc_played_row *row, rc_error *err) {
    if (log->count == log->room) {
        size_t room = log->room ? 2 * log->room : 1024;
        rc_played_row *at = realloc(log->at, room * sizeof *at);
        if (!at)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu passes", room);
        log->at = at;
        log->room = room;
    }
    log->at[log->count++] = *row;
    return RC_OK;
}

void rc_played_log_free(rc_played_log *log) {
    free(log->at);
    *log = (rc_played_log){.at = NULL};
}

static void put_known(FILE *f, double v) {
    if (isnan(v))
        (void)fputs(",", f);
    else
        (void)fprintf(f, ",%.6g", v);
}

rc_status rc_played_log_write(const rc_played_log *log, const char *const *about, size_t lines,
                              const char *path, bool overwrite, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    for (size_t i = 0; i < lines; i++)
        (void)fprintf(o.f, "# %s\n", about[i]);
    for (int i = 0; i < COLUMNS; i++)
        (void)fprintf(o.f, "%s%s", i > 0 ? "," : "", columns[i]);
    (void)fputc('\n', o.f);
    for (size_t i = 0; i < log->count; i++) {
        const rc_played_row *x = &log->at[i];
        (void)fprintf(o.f,
                      "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                      ",%" PRId64 ",%016" PRIx64,
                      x->start, x->took, x->host, x->prompts, x->prompt_tokens, x->decodes,
                      x->context, x->digest);
        put_known(o.f, x->sm_mhz);
        put_known(o.f, x->power_w);
        (void)fputc('\n', o.f);
    }
    return rc_outfile_commit(&o, err);
}

static rc_status digest_of(const rc_csv *csv, size_t row, size_t col, uint64_t *out,
                           rc_error *err) {
    static const char digits[] = "0123456789abcdef";
    const char *text = rc_csv_text(csv, row, col);
    if (strlen(text) != 16 || strspn(text, digits) != 16)
        return rc_csv_fail(csv, row, col, err, RC_E_INPUT,
                           "\"%.40s\": expected 16 digits of 0 to f", text);
    *out = strtoull(text, NULL, 16);
    return RC_OK;
}

static rc_status known(const rc_csv *csv, size_t row, size_t col, double *out, rc_error *err) {
    *out = NAN;
    return rc_csv_text(csv, row, col)[0] == '\0'
               ? RC_OK
               : rc_csv_quantity(csv, row, col, RC_DIM_RATIO, 0.0, 1e5, out, err);
}

static rc_status read_row(const rc_csv *csv, size_t row, const size_t at[COLUMNS], rc_played_row *x,
                          rc_error *err) {
    const int64_t most = INT64_C(1) << 60;
    RC_TRY(rc_csv_int(csv, row, at[START], -most, most, &x->start, err));
    RC_TRY(rc_csv_int(csv, row, at[TOOK], 1, most, &x->took, err));
    RC_TRY(rc_csv_int(csv, row, at[HOST], 0, x->took, &x->host, err));
    RC_TRY(rc_csv_int(csv, row, at[PROMPTS], 0, most, &x->prompts, err));
    RC_TRY(rc_csv_int(csv, row, at[TOKENS], 0, most, &x->prompt_tokens, err));
    RC_TRY(rc_csv_int(csv, row, at[DECODES], 0, most, &x->decodes, err));
    RC_TRY(rc_csv_int(csv, row, at[CONTEXT], 0, most, &x->context, err));
    RC_TRY(digest_of(csv, row, at[DIGEST], &x->digest, err));
    RC_TRY(known(csv, row, at[MHZ], &x->sm_mhz, err));
    return known(csv, row, at[POWER], &x->power_w, err);
}

static rc_status read_all(const rc_csv *csv, rc_played_log *out, rc_error *err) {
    size_t at[COLUMNS];
    RC_TRY(rc_csv_known(csv, columns, err));
    for (int i = 0; i < COLUMNS; i++)
        RC_TRY(rc_csv_column(csv, columns[i], &at[i], err));
    for (size_t row = 0; row < rc_csv_rows(csv); row++) {
        rc_played_row x;
        RC_TRY(read_row(csv, row, at, &x, err));
        RC_TRY(rc_played_log_add(out, &x, err));
    }
    return RC_OK;
}

static rc_status take(rc_csv *csv, rc_played_log *out, rc_error *err) {
    *out = (rc_played_log){.at = NULL};
    rc_status st = read_all(csv, out, err);
    rc_csv_close(csv);
    if (st != RC_OK)
        rc_played_log_free(out);
    return st;
}

rc_status rc_played_log_read(const char *path, rc_played_log *out, rc_error *err) {
    rc_csv *csv = NULL;
    RC_TRY(rc_csv_open(path, &csv, err));
    return take(csv, out, err);
}

rc_status rc_played_log_parse(const char *name, const char *text, size_t size, rc_played_log *out,
                              rc_error *err) {
    rc_csv *csv = NULL;
    RC_TRY(rc_csv_parse(name, text, size, &csv, err));
    return take(csv, out, err);
}
