/* The database of a sweep: one table of points, one of facts about the sweep.
 *
 * A rollback journal, not a write-ahead log: it works on the network file systems of clusters, and
 * a database at rest is one file. The lock is exclusive while a sweep runs, so that two runs cannot
 * both fill it. Rows arrive in runs and are committed about four times a second; what a kill loses
 * is computed again. Nothing of the run itself (times, threads) is stored: the same sweep gives the
 * same content.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "sim/plan/sweep_internal.h"

#ifndef RC_VERSION
#define RC_VERSION "0.0.0"
#endif

enum {
    APPLICATION_ID = 0x52435357 /* RCSW */,
    SCHEMA_VERSION = 1,
    MAX_COLUMNS = 96,
    PATIENCE_MS = 20000
};
static const double COMMIT_S = 0.25;

struct sweep_db {
    sqlite3 *db;
    sqlite3_stmt *insert;
    const rc_sweep *s;
    const char *path;
    sweep_cursor at;
    unsigned char *taken; /* bit a point: stored or handed out */
    int64_t present, next, left;
    int64_t batch, open_rows;
    bool in_transaction;
    bool foreign; /* the file holds something else */
    double begun;
};

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static rc_status broken(const sweep_db *d, rc_error *err) {
    int code = sqlite3_errcode(d->db);
    if (code == SQLITE_BUSY)
        return rc_fail_at(err, RC_E_IO, d->path, 0, 0,
                          "in use: another sweep is writing to this database");
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return rc_fail_at(err, RC_E_SCHEMA, d->path, 0, 0, "not a database, or a damaged one (%s)",
                          sqlite3_errmsg(d->db));
    return rc_fail_at(err, RC_E_IO, d->path, 0, 0, "cannot write the database: %s",
                      sqlite3_errmsg(d->db));
}

static rc_status sql(const sweep_db *d, const char *text, rc_error *err) {
    return sqlite3_exec(d->db, text, NULL, NULL, NULL) == SQLITE_OK ? RC_OK : broken(d, err);
}

/* One number, or 0 rows: *found = false. */
static rc_status sql_int(const sweep_db *d, const char *text, int64_t *out, bool *found,
                         rc_error *err) {
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(d->db, text, -1, &q, NULL) != SQLITE_OK)
        return broken(d, err);
    int step = sqlite3_step(q);
    *found = step == SQLITE_ROW;
    if (*found)
        *out = sqlite3_column_int64(q, 0);
    rc_status st = step == SQLITE_ROW || step == SQLITE_DONE ? RC_OK : broken(d, err);
    (void)sqlite3_finalize(q);
    return st;
}

/* ---- columns ------------------------------------------------------------------------------- */

static void put_text(sqlite3_stmt *q, int i, const char *s) {
    (void)sqlite3_bind_text(q, i, s, -1, SQLITE_STATIC);
}

/* Values beside a refusal are NULL. */
static void put_real(sqlite3_stmt *q, int i, double v, bool known) {
    if (known && isfinite(v))
        (void)sqlite3_bind_double(q, i, v);
    else
        (void)sqlite3_bind_null(q, i);
}

static const char *const fixed_columns =
    "point INTEGER PRIMARY KEY, model TEXT, machine TEXT, gpus INTEGER, nodes REAL, tp INTEGER, "
    "cp INTEGER, variant TEXT, phase TEXT, batch INTEGER, new INTEGER, cached INTEGER, "
    "attention_weights TEXT, ffn_weights TEXT, activations TEXT, kv TEXT, host TEXT, ring TEXT, "
    "nic_rate REAL, peer_rate REAL, status TEXT, why TEXT, ticks INTEGER, time_s REAL, "
    "tokens_per_gpu_s REAL, flop_rate REAL, mfu REAL, memory_weights REAL, memory_kv REAL, "
    "memory_activations REAL, memory_buffers REAL, memory_total REAL";
enum { FIXED_COLUMNS = 32 };

/* Axes that no fixed column shows. */
static bool own_column(const sweep_axis *x) {
    switch (x->key.id) {
    case SWEEP_NUMBER:
        return strcmp(x->field, "nic_rate") != 0 && strcmp(x->field, "peer_rate") != 0;
    case SWEEP_SLOW_RANK:
    case SWEEP_SLOW_SPEED:
    case SWEEP_SLOW_LINK_RANK:
    case SWEEP_SLOW_LINK:
    case SWEEP_OVERLAP_COMPUTE:
    case SWEEP_OVERLAP_COMM:
        return true;
    default:
        return false;
    }
}

static const char *column_name(const sweep_axis *x) {
    return x->key.id == SWEEP_NUMBER ? x->field : strchr(x->key.path, '.') + 1;
}

static void write_columns(const rc_sweep *s, FILE *f) {
    (void)fputs(fixed_columns, f);
    for (size_t i = 0; i < s->axis_count; i++)
        if (own_column(&s->axes[i]))
            (void)fprintf(f, ", %s %s", column_name(&s->axes[i]),
                          s->axes[i].key.kind == SWEEP_INT ? "INTEGER" : "REAL");
    if (!s->full)
        return;
    (void)fputs(", p5_s REAL, p95_s REAL, exposed_comm_s REAL, hidden_comm_s REAL", f);
    for (int i = 0; i < RC_P_COUNT; i++)
        (void)fprintf(f, ", \"critical_%s_s\" REAL", rc_part_name((rc_part)i));
}

static int column_count(const rc_sweep *s) {
    int n = FIXED_COLUMNS + (s->full ? 4 + RC_P_COUNT : 0);
    for (size_t i = 0; i < s->axis_count; i++)
        n += own_column(&s->axes[i]);
    return n;
}

static void bind_inputs(sqlite3_stmt *q, const sweep_cursor *c) {
    const rc_machine *m = rc_costs_machine(c->costs);
    int gpus = c->layout.tp * c->layout.cp;
    put_text(q, 2, c->model->name);
    put_text(q, 3, m->name);
    (void)sqlite3_bind_int64(q, 4, gpus);
    (void)sqlite3_bind_double(q, 5, (double)gpus / m->gpus_per_node);
    (void)sqlite3_bind_int(q, 6, c->layout.tp);
    (void)sqlite3_bind_int(q, 7, c->layout.cp);
    put_text(q, 8, c->variant);
    put_text(q, 9, c->phase == RC_PREFILL ? "prefill" : "decode");
    (void)sqlite3_bind_int64(q, 10, (int64_t)c->seq_count);
    (void)sqlite3_bind_int64(q, 11, c->seqs[0].t);
    (void)sqlite3_bind_int64(q, 12, c->seqs[0].p);
    put_text(q, 13, rc_dtype_name(c->layout.attn_weights));
    put_text(q, 14, rc_dtype_name(c->layout.ffn_weights));
    put_text(q, 15, rc_dtype_name(c->layout.act));
    put_text(q, 16, rc_dtype_name(c->layout.kv));
    put_text(q, 17, c->eager ? "eager" : "graph");
    put_text(q, 18, c->serial_ring ? "serial" : "overlapped");
    (void)sqlite3_bind_double(q, 19, m->nic_rate);
    (void)sqlite3_bind_double(q, 20, m->peer_rate);
}

static void bind_row(sqlite3_stmt *q, const sweep_cursor *c, const rc_sweep_row *r) {
    static const char *const names[] = {"ok", "nofit", "refused"};
    bool ok = r->status == RC_SWEEP_OK;
    double tokens = 0.0, gpus = (double)c->layout.tp * c->layout.cp;
    for (size_t i = 0; i < c->seq_count; i++)
        tokens += (double)c->seqs[i].t;
    (void)sqlite3_bind_int64(q, 1, r->point);
    put_text(q, 21, names[r->status]);
    if (ok)
        (void)sqlite3_bind_null(q, 22);
    else
        put_text(q, 22, r->why);
    if (ok)
        (void)sqlite3_bind_int64(q, 23, r->ticks);
    else
        (void)sqlite3_bind_null(q, 23);
    const double reals[] = {r->time, tokens / gpus / r->time, r->flop_rate, r->mfu};
    const double bytes[] = {r->weights, r->kv, r->activations, r->buffers, r->total};
    for (int i = 0; i < 4; i++)
        put_real(q, 24 + i, reals[i], ok);
    for (int i = 0; i < 5; i++)
        put_real(q, 28 + i, bytes[i], r->status != RC_SWEEP_REFUSED);
}

static void bind_rest(sqlite3_stmt *q, const sweep_cursor *c, const rc_sweep_row *r) {
    const rc_sweep *s = c->s;
    bool ok = r->status == RC_SWEEP_OK;
    int at = FIXED_COLUMNS + 1;
    for (size_t i = 0; i < s->axis_count; i++) {
        if (!own_column(&s->axes[i]))
            continue;
        if (s->axes[i].key.kind == SWEEP_INT)
            (void)sqlite3_bind_int64(q, at++, c->v[i].i);
        else
            (void)sqlite3_bind_double(q, at++, c->v[i].d);
    }
    if (!s->full)
        return;
    const double reals[] = {r->p5, r->p95, r->exposed, r->hidden};
    for (int i = 0; i < 4; i++)
        put_real(q, at++, reals[i], ok);
    for (int i = 0; i < RC_P_COUNT; i++)
        put_real(q, at++, r->critical[i], ok);
}

/* ---- opening ------------------------------------------------------------------------------- */

static rc_status insert_fact(const sweep_db *d, const char *key, const char *value, rc_error *err) {
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(d->db, "INSERT INTO sweep VALUES (?, ?)", -1, &q, NULL) != SQLITE_OK)
        return broken(d, err);
    put_text(q, 1, key);
    put_text(q, 2, value);
    rc_status st = sqlite3_step(q) == SQLITE_DONE ? RC_OK : broken(d, err);
    (void)sqlite3_finalize(q);
    return st;
}

static rc_status create(const sweep_db *d, rc_error *err) {
    char *text = NULL, hash[24], points[24];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a database");
    (void)fprintf(f,
                  "PRAGMA application_id = %d; PRAGMA user_version = %d;"
                  "CREATE TABLE sweep (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
                  "CREATE TABLE point (",
                  APPLICATION_ID, SCHEMA_VERSION);
    write_columns(d->s, f);
    (void)fputs(");", f);
    bool ok = fclose(f) == 0 && text;
    rc_status st = ok ? sql(d, text, err) : rc_fail(err, RC_E_NOMEM, "out of memory");
    free(text);
    (void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)d->s->hash);
    (void)snprintf(points, sizeof points, "%lld", (long long)d->s->points);
    const char *const facts[][2] = {{"name", d->s->name},    {"description", d->s->description},
                                    {"hash", hash},          {"points", points},
                                    {"version", RC_VERSION}, {"scenario", d->s->text}};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0] && st == RC_OK; i++)
        st = insert_fact(d, facts[i][0], facts[i][1], err);
    return st;
}

static rc_status check_same(sweep_db *d, rc_error *err) {
    int64_t id = 0, same = 0;
    bool found;
    char query[128];
    d->foreign = true;
    RC_TRY(sql_int(d, "PRAGMA application_id", &id, &found, err));
    if (id != APPLICATION_ID)
        return rc_fail_at(err, RC_E_SCHEMA, d->path, 0, 0, "not a database of a sweep");
    RC_TRY(sql_int(d, "PRAGMA user_version", &id, &found, err));
    if (id != SCHEMA_VERSION)
        return rc_fail_at(err, RC_E_SCHEMA, d->path, 0, 0,
                          "a sweep of schema version %lld; this program writes version %d",
                          (long long)id, SCHEMA_VERSION);
    (void)snprintf(query, sizeof query,
                   "SELECT 1 FROM sweep WHERE key = 'hash' AND value = '%016llx'",
                   (unsigned long long)d->s->hash);
    RC_TRY(sql_int(d, query, &same, &found, err));
    d->foreign = !found;
    if (found)
        return RC_OK;
    return rc_fail_at(err, RC_E_IO, d->path, 0, 0,
                      "holds another sweep (its scenario, models, machines, costs or program "
                      "differ), and is not overwritten (--overwrite replaces it)");
}

static rc_status read_present(sweep_db *d, rc_error *err) {
    sqlite3_stmt *q = NULL;
    int step;
    if (sqlite3_prepare_v2(d->db, "SELECT point FROM point", -1, &q, NULL) != SQLITE_OK)
        return broken(d, err);
    while ((step = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t p = sqlite3_column_int64(q, 0);
        if (p < 0 || p >= d->s->points)
            continue;
        d->taken[p / 8] = (unsigned char)(d->taken[p / 8] | 1u << (p % 8));
        d->present++;
    }
    rc_status st = step == SQLITE_DONE ? RC_OK : broken(d, err);
    (void)sqlite3_finalize(q);
    d->left = d->s->points - d->present;
    return st;
}

static rc_status prepare_insert(sweep_db *d, rc_error *err) {
    char text[64 + 3 * MAX_COLUMNS] = "INSERT INTO point VALUES (?";
    int columns = column_count(d->s);
    if (columns > MAX_COLUMNS)
        return rc_fail(err, RC_E_INTERNAL, "%d columns", columns);
    size_t used = strlen(text);
    for (int i = 1; i < columns; i++, used += 2)
        memcpy(text + used, ",?", 3);
    memcpy(text + used, ")", 2);
    return sqlite3_prepare_v2(d->db, text, -1, &d->insert, NULL) == SQLITE_OK ? RC_OK
                                                                              : broken(d, err);
}

static rc_status open_file(sweep_db *d, rc_error *err) {
    int64_t tables = 0;
    bool found;
    if (sqlite3_open_v2(d->path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        return rc_fail_at(err, RC_E_IO, d->path, 0, 0, "cannot open the database: %s",
                          sqlite3_errmsg(d->db));
    (void)sqlite3_busy_timeout(d->db, PATIENCE_MS); /* a killed job may still be going down */
    RC_TRY(sql(d, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", err));
    RC_TRY(sql_int(d, "SELECT count(*) FROM sqlite_master", &tables, &found, err));
    RC_TRY(tables == 0 ? create(d, err) : check_same(d, err));
    RC_TRY(sql(d, "COMMIT", err));
    RC_TRY(read_present(d, err));
    return prepare_insert(d, err);
}

/* With --overwrite a database of the same sweep is still gone on with. */
static rc_status replace(sweep_db *d, rc_error *err) {
    char journal[1200];
    (void)sqlite3_close(d->db);
    d->db = NULL;
    (void)snprintf(journal, sizeof journal, "%.1100s-journal", d->path);
    (void)unlink(journal);
    if (unlink(d->path) != 0)
        return rc_fail_at(err, RC_E_IO, d->path, 0, 0, "cannot replace: %s", strerror(errno));
    return open_file(d, err);
}

rc_status sweep_db_open(const rc_sweep *s, const rc_sweep_options *opt, sweep_db **out,
                        rc_error *err) {
    sweep_db *d = calloc(1, sizeof *d);
    *out = NULL;
    if (!d)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a database");
    d->s = s;
    d->path = opt->out;
    d->batch = opt->batch;
    d->taken = calloc(1, (size_t)(s->points / 8 + 1));
    rc_status st = sweep_cursor_init(&d->at, s, err);
    if (st == RC_OK && !d->taken)
        st = rc_fail(err, RC_E_NOMEM, "out of memory for %lld points", (long long)s->points);
    if (st == RC_OK) {
        st = open_file(d, err);
        if (st != RC_OK && d->foreign && opt->overwrite)
            st = replace(d, err);
    }
    if (st != RC_OK)
        (void)sweep_db_close(d, NULL, NULL);
    else
        *out = d;
    return st;
}

/* ---- points -------------------------------------------------------------------------------- */

int64_t sweep_db_present(const sweep_db *d) {
    return d->present;
}

int64_t sweep_db_left(const sweep_db *d) {
    return d->left;
}

int64_t sweep_db_take(sweep_db *d, int64_t most, int64_t *first) {
    int64_t n = 0, p = d->next;
    while (p < d->s->points && ((unsigned)d->taken[p / 8] >> (p % 8) & 1u))
        p++;
    *first = p;
    while (n < most && p < d->s->points && !((unsigned)d->taken[p / 8] >> (p % 8) & 1u)) {
        n++;
        p++;
    }
    d->next = p;
    d->left -= n;
    return n;
}

static rc_status put_row(sweep_db *d, const rc_sweep_row *r, rc_error *err) {
    rc_error refused; /* the row says it already */
    (void)sweep_cursor_at(&d->at, r->point, &refused);
    bind_inputs(d->insert, &d->at);
    bind_row(d->insert, &d->at, r);
    bind_rest(d->insert, &d->at, r);
    rc_status st = sqlite3_step(d->insert) == SQLITE_DONE ? RC_OK : broken(d, err);
    (void)sqlite3_reset(d->insert);
    return st;
}

static rc_status commit(sweep_db *d, rc_error *err) {
    if (!d->in_transaction)
        return RC_OK;
    d->in_transaction = false;
    d->open_rows = 0;
    return sql(d, "COMMIT", err);
}

rc_status sweep_db_put(sweep_db *d, const rc_sweep_row *rows, int64_t count, rc_error *err) {
    for (int64_t i = 0; i < count; i++) {
        if (!d->in_transaction) {
            RC_TRY(sql(d, "BEGIN", err));
            d->in_transaction = true;
            d->begun = now_s();
        }
        RC_TRY(put_row(d, &rows[i], err));
        d->open_rows++;
        if (d->batch > 0 && d->open_rows >= d->batch)
            RC_TRY(commit(d, err));
    }
    return d->batch == 0 && d->in_transaction && now_s() - d->begun >= COMMIT_S ? commit(d, err)
                                                                                : RC_OK;
}

/* ---- closing ------------------------------------------------------------------------------- */

static rc_status count_rows(const sweep_db *d, rc_sweep_report *out, rc_error *err) {
    bool found;
    out->points = d->s->points;
    out->present = d->present;
    RC_TRY(sql_int(d, "SELECT count(*) FROM point WHERE status = 'ok'", &out->ok, &found, err));
    RC_TRY(
        sql_int(d, "SELECT count(*) FROM point WHERE status = 'nofit'", &out->nofit, &found, err));
    return sql_int(d, "SELECT count(*) FROM point WHERE status = 'refused'", &out->refused, &found,
                   err);
}

rc_status sweep_db_close(sweep_db *d, rc_sweep_report *out, rc_error *err) {
    rc_status st = RC_OK;
    if (!d)
        return RC_OK;
    if (d->db) {
        st = commit(d, err); /* also after a failure: these rows are whole */
        if (st == RC_OK && out)
            st = count_rows(d, out, err);
    }
    (void)sqlite3_finalize(d->insert);
    (void)sqlite3_close(d->db);
    sweep_cursor_free(&d->at);
    free(d->taken);
    free(d);
    return st;
}
