/* The database that was asked for: what earlier runs left of it, and how it comes from the shards.
 *
 * Shards hold their rows in the order in which they were handed out. They are copied one after
 * another into a database without a journal (a kill leaves it to the next start, which deletes it
 * unread), and SQLite's VACUUM INTO then writes that in the order of points: the same bytes from
 * any number of shards. Only a complete and synced file takes the name OUT.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/cost/basis.h"
#include "sim/sweep/database.h"

/* ---- what is there ------------------------------------------------------------------------- */

typedef struct take_over { /* of what earlier runs left */
    const rc_sweep *s;
    const rc_sweep_options *opt;
    sweep_shard *own; /* NULL: OUT is complete, rows beside it are of no use */
    int held;
} take_over;

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* A shard that another process holds is left alone; an empty one was never written to. */
static rc_status take_over_shard(take_over *h, const char *path, rc_error *err) {
    rc_error what = {0};
    rc_status st = RC_OK;
    sweep_db_kind kind = sweep_db_inspect(h->s, path, NULL, &what);
    if (kind == SWEEP_DB_BUSY || kind == SWEEP_DB_ABSENT) {
        h->held += kind == SWEEP_DB_BUSY;
        return RC_OK;
    }
    if (kind == SWEEP_DB_OTHER && !h->opt->overwrite) {
        if (!h->own)
            return RC_OK; /* it is not in the way */
        if (err)
            *err = what;
        return what.status;
    }
    if (kind == SWEEP_DB_SAME && h->own)
        st = sweep_db_copy(sweep_shard_db(h->own), path, err);
    if (st == RC_OK)
        sweep_db_remove(path);
    return st;
}

/* A merge that was cut short; one that another process is writing is locked. */
static void drop_merge(const take_over *h, const char *path) {
    rc_error what = {0};
    if (sweep_db_inspect(h->s, path, NULL, &what) != SWEEP_DB_BUSY)
        sweep_db_remove(path);
}

/* `path` is OUT.shard-N, OUT.merge-N, or the journal of one; a journal goes with its database. */
static rc_status take_over_file(take_over *h, char *path, bool shard, int number, rc_error *err) {
    if (ends_with(path, "-journal")) {
        path[strlen(path) - strlen("-journal")] = '\0';
        if (access(path, F_OK) != 0)
            sweep_db_remove(path);
        return RC_OK;
    }
    if (!shard)
        drop_merge(h, path);
    else if (!h->own || number != sweep_shard_number(h->own))
        return take_over_shard(h, path, err);
    return RC_OK;
}

static rc_status take_over_entry(take_over *h, const char *dir, const char *base, const char *name,
                                 rc_error *err) {
    char path[SWEEP_PATH];
    size_t n = strlen(base);
    if (strncmp(name, base, n) != 0)
        return RC_OK;
    bool shard = strncmp(name + n, ".shard-", 7) == 0, merge = strncmp(name + n, ".merge-", 7) == 0;
    if ((!shard && !merge) || snprintf(path, sizeof path, "%s%s", dir, name) >= SWEEP_PATH)
        return RC_OK;
    return take_over_file(h, path, shard, (int)strtol(name + n + 7, NULL, 10), err);
}

static rc_status take_over_all(take_over *h, rc_error *err) {
    char dir[SWEEP_PATH] = "";
    const char *slash = strrchr(h->opt->out, '/'), *base = slash ? slash + 1 : h->opt->out;
    if (slash && (size_t)(base - h->opt->out) < sizeof dir)
        memcpy(dir, h->opt->out, (size_t)(base - h->opt->out));
    DIR *d = opendir(slash ? dir : ".");
    if (!d)
        return rc_fail_file(err, RC_E_IO, h->opt->out, "cannot read its folder: %s",
                            strerror(errno));
    rc_status st = RC_OK;
    for (const struct dirent *e = readdir(d); e && st == RC_OK; e = readdir(d))
        st = take_over_entry(h, dir, base, e->d_name, err);
    (void)closedir(d);
    return st;
}

/* OUT is refused, where it must be, before anything is created beside it. */
rc_status sweep_take_over(const rc_sweep *s, const rc_sweep_options *opt, bool *complete,
                          sweep_shard **own, int *held, rc_error *err) {
    take_over h = {.s = s, .opt = opt};
    rc_error what = {0};
    int64_t rows = 0;
    sweep_db_kind kind = sweep_db_inspect(s, opt->out, &rows, &what);
    *own = NULL;
    *complete = kind == SWEEP_DB_SAME && rows == s->points;
    if (kind == SWEEP_DB_BUSY || (kind == SWEEP_DB_OTHER && !opt->overwrite)) {
        if (err)
            *err = what;
        return what.status;
    }
    if (!*complete)
        RC_TRY(sweep_shard_create(s, opt, 0, &h.own, err));
    rc_status st = RC_OK;
    if (kind == SWEEP_DB_SAME && !*complete)
        st = sweep_db_copy(sweep_shard_db(h.own), opt->out, err);
    if (st == RC_OK)
        st = take_over_all(&h, err);
    *held = h.held;
    if (st == RC_OK)
        *own = h.own;
    else
        (void)sweep_shard_close(h.own, NULL, NULL);
    return st;
}

/* ---- merging ------------------------------------------------------------------------------- */

static void shard_path(const rc_sweep_options *opt, int number, char *path) {
    assert(number >= 0);
    (void)snprintf(path, SWEEP_PATH, "%s.shard-%d", opt->out, number);
}

/* All shards in one database, in no order. Its own file is not worth a journal. */
static rc_status collect(const sweep_db *d, const rc_sweep *s, const rc_sweep_options *opt,
                         const int *shards, size_t count, rc_error *err) {
    char path[SWEEP_PATH];
    RC_TRY(sweep_db_sql(d,
                        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; "
                        "PRAGMA synchronous = OFF",
                        err));
    RC_TRY(sweep_db_create(d, s, err));
    for (size_t i = 0; i < count; i++) {
        rc_error what = {0};
        shard_path(opt, shards[i], path);
        sweep_db_kind kind = sweep_db_inspect(s, path, NULL, &what);
        if (kind != SWEEP_DB_SAME)
            return rc_fail_file(err, RC_E_IO, path,
                                "cannot be read where the shards are merged: %s",
                                kind == SWEEP_DB_ABSENT || kind == SWEEP_DB_EMPTY
                                    ? "it is not there (another run has taken it, or the ranks do "
                                      "not share this folder)"
                                    : what.msg);
        RC_TRY(sweep_db_copy(d, path, err));
    }
    return RC_OK;
}

static rc_status sync_file(const char *path, rc_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    return ok ? RC_OK : rc_fail_file(err, RC_E_IO, path, "cannot sync: %s", strerror(why));
}

/* OUT may have changed since the run began. */
static rc_status move_into_place(const rc_sweep *s, const rc_sweep_options *opt, const char *path,
                                 rc_error *err) {
    rc_error what = {0};
    RC_TRY(sync_file(path, err));
    if (sweep_db_inspect(s, opt->out, NULL, &what) == SWEEP_DB_OTHER && !opt->overwrite) {
        if (err)
            *err = what;
        return what.status;
    }
    if (rename(path, opt->out) == 0)
        return RC_OK;
    return rc_fail_file(err, RC_E_IO, opt->out, "cannot move %s into place: %s", path,
                        strerror(errno));
}

/* Weighted by the points' times; rows are read in the order of the points. */
static rc_status sum_rests(const sweep_db *d, double share[RC_BASIS_COUNT], rc_error *err) {
    static const char query[] =
        "SELECT total(time_s * measured), total(time_s * transferred), total(time_s * published), "
        "total(time_s * extrapolated), total(time_s * modelled), total(time_s * stated) FROM point";
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(d->db, query, -1, &q, NULL) != SQLITE_OK)
        return sweep_db_error(d, err);
    rc_status st = RC_OK;
    if (sqlite3_step(q) == SQLITE_ROW) {
        double sum[RC_BASIS_COUNT];
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            sum[b] = sqlite3_column_double(q, b);
        rc_basis_share(sum, share);
    } else {
        st = sweep_db_error(d, err);
    }
    (void)sqlite3_finalize(q);
    return st;
}

rc_status sweep_count_rows(const sweep_db *d, rc_sweep_report *out, rc_error *err) {
    static const char text[] = "SELECT count(*) FILTER (WHERE status = '%s') FROM point";
    int64_t *const counts[] = {[RC_SWEEP_OK] = &out->ok,
                               [RC_SWEEP_NOFIT] = &out->nofit,
                               [RC_SWEEP_REFUSED] = &out->refused};
    for (int i = 0; i <= RC_SWEEP_REFUSED; i++) {
        char query[sizeof text + 16];
        bool found;
        (void)snprintf(query, sizeof query, text, sweep_status_name((rc_sweep_status)i));
        RC_TRY(sweep_db_int(d, query, counts[i], &found, err));
    }
    return sum_rests(d, out->rests, err);
}

static rc_status write_ordered(const sweep_db *d, const rc_sweep *s, const rc_sweep_options *opt,
                               rc_sweep_report *out, rc_error *err) {
    char path[SWEEP_PATH];
    RC_TRY(sweep_count_rows(d, out, err));
    if (out->ok + out->nofit + out->refused != s->points)
        return rc_fail_file(err, RC_E_INTERNAL, d->path, "%lld rows, expected %lld",
                            (long long)(out->ok + out->nofit + out->refused), (long long)s->points);
    RC_TRY(sweep_db_new_file(opt->out, "merge", 0, path, err));
    rc_status st = sweep_db_sql_text(d, "VACUUM INTO ?1", path, err);
    if (st == RC_OK)
        st = move_into_place(s, opt, path, err);
    if (st != RC_OK)
        sweep_db_remove(path);
    return st;
}

/* A single shard needs no collecting. */
static rc_status merge(const rc_sweep *s, const rc_sweep_options *opt, const int *shards,
                       size_t count, rc_sweep_report *out, rc_error *err) {
    char path[SWEEP_PATH];
    sweep_db d = {0};
    bool single = count == 1;
    if (single)
        shard_path(opt, shards[0], path);
    else
        RC_TRY(sweep_db_new_file(opt->out, "merge", 0, path, err));
    rc_status st = sweep_db_open(&d, path, err);
    if (st == RC_OK && !single)
        st = collect(&d, s, opt, shards, count, err);
    if (st == RC_OK)
        st = write_ordered(&d, s, opt, out, err);
    sweep_db_close(&d);
    if (!single)
        sweep_db_remove(path);
    return st;
}

rc_status sweep_merge(const rc_sweep *s, const rc_sweep_options *opt, const int *shards,
                      size_t count, rc_sweep_report *out, rc_error *err) {
    char path[SWEEP_PATH];
    assert(count >= 1);
    RC_TRY(merge(s, opt, shards, count, out, err));
    for (size_t i = 0; i < count; i++) {
        shard_path(opt, shards[i], path);
        sweep_db_remove(path);
    }
    return RC_OK;
}
