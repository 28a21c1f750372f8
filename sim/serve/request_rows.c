/* A row a request, to SQLite, CSV or as AIPerf exports them; series and histograms as CSV. A database is written beside its
 * name in one transaction and moved there when it is whole.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <sqlite3.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/serve/serve_report.h"

const char *rc_refusal_name(rc_refusal r) {
    static const char *const names[] = {"", "queue_full", "too_large"};
    assert((unsigned)r <= RC_TOO_LARGE);
    return names[r];
}

const char *rc_outcome_name(rc_outcome o) {
    static const char *const names[] = {"pending", "done", "rejected", "lost"};
    assert((unsigned)o <= RC_LOST);
    return names[o];
}

typedef struct row_times { /* seconds; NAN: never */
    double arrived, started, first, end, ttft, e2e, ttit;
} row_times;

static double seconds(rc_time t) {
    return t < 0 ? NAN : (double)t / RC_PS_PER_S;
}

static row_times times_of(const rc_served *r) {
    assert(r->outcome != RC_PENDING);
    row_times c = {.arrived = seconds(r->arrived),
                   .started = seconds(r->started),
                   .first = seconds(r->first),
                   .end = seconds(r->end),
                   .ttft = NAN,
                   .e2e = NAN,
                   .ttit = NAN};
    if (r->first >= 0)
        c.ttft = seconds(r->first - r->arrived);
    if (r->outcome == RC_DONE)
        c.e2e = seconds(r->end - r->arrived);
    if (r->outcome == RC_DONE && r->generated > 1)
        c.ttit = seconds(r->end - r->first) / (r->generated - 1);
    return c;
}

static void put_real(FILE *f, double v) {
    if (isnan(v))
        (void)fputs(",", f);
    else
        (void)fprintf(f, ",%.12g", v);
}

static rc_status rows_csv(const rc_served *rows, size_t count, const char *path, bool overwrite,
                          rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fputs("request,outcome,session,turn,input,output,cached,generated,replica,preempted,"
                "retried,arrived_s,started_s,first_s,end_s,ttft_s,e2e_s,ttit_s,reason\n",
                o.f);
    for (size_t i = 0; i < count; i++) {
        const rc_served *r = &rows[i];
        const row_times c = times_of(r);
        const double reals[] = {c.arrived, c.started, c.first, c.end, c.ttft, c.e2e, c.ttit};
        (void)fprintf(o.f, "%zu,%s,", i, rc_outcome_name((rc_outcome)r->outcome));
        if (r->session != RC_NO_SESSION)
            (void)fprintf(o.f, "%u", r->session);
        (void)fprintf(o.f, ",%u,%u,%u,%u,%u,", r->turn, r->input, r->output, r->cached,
                      r->generated);
        if (r->replica != RC_NO_REPLICA)
            (void)fprintf(o.f, "%u", r->replica);
        (void)fprintf(o.f, ",%u,%u", r->preempted, r->retried);
        for (size_t k = 0; k < sizeof reals / sizeof reals[0]; k++)
            put_real(o.f, reals[k]);
        (void)fprintf(o.f, ",%s\n", rc_refusal_name((rc_refusal)r->refusal));
    }
    return rc_outfile_commit(&o, err);
}

/* ---- AIPerf ----------------------------------------------------------------------------- */

static void put_metric(FILE *f, const char *name, double value, const char *unit) {
    if (!isnan(value))
        (void)fprintf(f, ",\"%s\":{\"value\":%.12g,\"unit\":\"%s\"}", name, value, unit);
}

/* A line a request that was answered, as AIPerf's profile_export.jsonl has it; rc_trace_read reads it
 * back (aiperf-records). */
static rc_status rows_aiperf(const rc_served *rows, size_t count, const char *path, bool overwrite,
                             rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    for (size_t i = 0; i < count; i++) {
        const rc_served *r = &rows[i];
        const row_times c = times_of(r);
        if (r->outcome != RC_DONE)
            continue;
        (void)fprintf(o.f, "{\"metadata\":{\"session_num\":%zu,\"turn_index\":%u", i, r->turn);
        if (r->session != RC_NO_SESSION)
            (void)fprintf(o.f, ",\"conversation_id\":\"%u\"", r->session);
        (void)fprintf(o.f,
                      ",\"request_start_ns\":%lld,\"request_end_ns\":%lld,\"was_cancelled\":false},"
                      "\"metrics\":{\"input_sequence_length\":{\"value\":%u,\"unit\":\"tokens\"}",
                      (long long)(r->arrived / 1000), (long long)(r->end / 1000), r->input);
        put_metric(o.f, "output_sequence_length", r->output, "tokens");
        put_metric(o.f, "time_to_first_token", c.ttft * 1e3, "ms");
        put_metric(o.f, "request_latency", c.e2e * 1e3, "ms");
        put_metric(o.f, "inter_token_latency", c.ttit * 1e3, "ms");
        (void)fputs("},\"error\":null}\n", o.f);
    }
    return rc_outfile_commit(&o, err);
}

/* ---- SQLite --------------------------------------------------------------------------- */

static void bind_row(sqlite3_stmt *s, size_t i, const rc_served *r) {
    const row_times c = times_of(r);
    const double reals[] = {c.arrived, c.started, c.first, c.end, c.ttft, c.e2e, c.ttit};
    const int64_t ints[] = {r->turn,      r->input,   r->output,    r->cached,
                            r->generated, r->replica, r->preempted, r->retried};
    (void)sqlite3_bind_int64(s, 1, (int64_t)i);
    (void)sqlite3_bind_text(s, 2, rc_outcome_name((rc_outcome)r->outcome), -1, SQLITE_STATIC);
    if (r->session == RC_NO_SESSION)
        (void)sqlite3_bind_null(s, 3);
    else
        (void)sqlite3_bind_int64(s, 3, r->session);
    for (int k = 0; k < 8; k++)
        (void)sqlite3_bind_int64(s, 4 + k, ints[k]);
    if (r->replica == RC_NO_REPLICA)
        (void)sqlite3_bind_null(s, 9);
    for (int k = 0; k < 7; k++)
        (void)sqlite3_bind_double(s, 12 + k, reals[k]); /* NaN is stored as NULL */
    if (r->refusal == RC_NOT_REFUSED)
        (void)sqlite3_bind_null(s, 19);
    else
        (void)sqlite3_bind_text(s, 19, rc_refusal_name((rc_refusal)r->refusal), -1, SQLITE_STATIC);
}

static int fill_table(sqlite3 *db, const rc_served *rows, size_t count) {
    sqlite3_stmt *s = NULL;
    int code = sqlite3_exec(
        db,
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
        "CREATE TABLE requests(request INTEGER PRIMARY KEY, outcome TEXT NOT NULL, session INTEGER,"
        "turn INTEGER, input INTEGER, output INTEGER, cached INTEGER, generated INTEGER,"
        "replica INTEGER, preempted INTEGER, retried INTEGER, arrived_s REAL, started_s REAL,"
        "first_s REAL, end_s REAL, ttft_s REAL, e2e_s REAL, ttit_s REAL, reason TEXT)",
        NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(
            db, "INSERT INTO requests VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1, &s, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        bind_row(s, i, &rows[i]);
        if (sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s) != SQLITE_OK)
            code = sqlite3_errcode(db);
    }
    (void)sqlite3_finalize(s);
    return code == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : code;
}

static rc_status rows_sqlite(const rc_served *rows, size_t count, const char *path, bool overwrite,
                             rc_error *err) {
    rc_outfile o;
    sqlite3 *db = NULL;
    RC_TRY(rc_outfile_reserve(&o, path, overwrite, err));
    int code = sqlite3_open_v2(o.tmp, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code = fill_table(db, rows, count);
    rc_status st = code == SQLITE_OK
                       ? RC_OK
                       : rc_fail_file(err, code == SQLITE_NOMEM ? RC_E_NOMEM : RC_E_IO, path,
                                      "cannot write (%s)", sqlite3_errstr(code));
    (void)sqlite3_close(db);
    if (st == RC_OK)
        return rc_outfile_commit(&o, err);
    rc_outfile_abort(&o);
    return st;
}

static bool ends_with(const char *s, const char *end) {
    size_t a = strlen(s), b = strlen(end);
    return a >= b && strcmp(s + a - b, end) == 0;
}

rc_status rc_serve_rows(const rc_served *rows, size_t count, const char *path, bool overwrite,
                        rc_error *err) {
    assert(rows != NULL || count == 0);
    bool database = ends_with(path, ".db") || ends_with(path, ".sqlite");
    if (ends_with(path, ".jsonl"))
        return rows_aiperf(rows, count, path, overwrite, err);
    return (database ? rows_sqlite : rows_csv)(rows, count, path, overwrite, err);
}

/* ---- series and histograms ------------------------------------------------------------ */

double rc_serve_hit_rate_at(const rc_serve_series *s, int i) {
    if (i < 0 || i >= rc_timeline_count(&s->hit) || i >= rc_timeline_count(&s->input))
        return NAN;
    double hit = rc_timeline_at(&s->hit, i), input = rc_timeline_at(&s->input, i);
    if (i > 0 && s->hit.interval == s->input.interval) {
        hit -= rc_timeline_at(&s->hit, i - 1);
        input -= rc_timeline_at(&s->input, i - 1);
    }
    return input > 0.0 ? hit / input : NAN;
}

rc_status rc_serve_series_csv(const rc_serve_series *s, const char *path, bool overwrite,
                              rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fputs("from_s,waiting,running,kv_used,kv_hit_rate\n", o.f);
    for (int i = 0; i < rc_timeline_count(&s->running); i++) {
        (void)fprintf(o.f, "%.10g", (double)(i * s->running.interval) / RC_PS_PER_S);
        put_real(o.f, rc_timeline_at(&s->waiting, i));
        put_real(o.f, rc_timeline_at(&s->running, i));
        put_real(o.f, rc_timeline_at(&s->kv_used, i));
        put_real(o.f, rc_serve_hit_rate_at(s, i));
        (void)fputc('\n', o.f);
    }
    return rc_outfile_commit(&o, err);
}

rc_status rc_serve_histograms(const rc_serve_result *r, const char *path, bool overwrite,
                              rc_error *err) {
    const struct {
        const char *name;
        const rc_hist *h;
        double unit;
    } all[] = {{"ttft_s", &r->ttft, RC_PS_PER_S},
               {"ttit_s", &r->ttit, RC_PS_PER_S},
               {"token_gap_s", &r->gap, RC_PS_PER_S},
               {"e2e_s", &r->e2e, RC_PS_PER_S},
               {"queue_s", &r->queue, RC_PS_PER_S},
               {"service_s", &r->service, RC_PS_PER_S},
               {"batch", &r->batch, 1.0}};
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fputs("metric,low,high,count\n", o.f);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (int part = 0; part < RC_HIST_BUCKETS; part++) {
            uint64_t low, high, n = all[i].h->bucket[part];
            if (n == 0)
                continue;
            rc_hist_bounds(part, &low, &high);
            (void)fprintf(o.f, "%s,%.10g,%.10g,%llu\n", all[i].name, (double)low / all[i].unit,
                          (double)high / all[i].unit, (unsigned long long)n);
        }
    }
    return rc_outfile_commit(&o, err);
}
