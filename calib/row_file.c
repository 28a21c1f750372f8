/* The file that measured rows go to: FILE.part as they come, then FILE as a whole. The store form
 * is in row_file_db.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/row_file.h"
#include "sim/base/file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rc_status keep(rc_row_file *s, const rc_record *r, rc_error *err) {
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 512;
        rc_record *rows = realloc(s->rows, cap * sizeof *rows);
        if (!rows)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu rows", cap);
        s->rows = rows;
        s->cap = cap;
    }
    s->rows[s->n++] = *r;
    return RC_OK;
}

static rc_status keep_new(rc_row_file *s, const rc_record *r, rc_error *err) {
    return rc_row_file_has(s, r) ? RC_OK : keep(s, r, err);
}

/* ---- CSV ------------------------------------------------------------------------------------ */

/* Rows of a CSV file, up to its last whole line, malloc'ed. A file that is not there holds none. */
static rc_status read_csv(const char *path, rc_record **rows, size_t *n, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    *rows = NULL;
    *n = 0;
    if (access(path, F_OK) != 0)
        return RC_OK;
    RC_TRY(rc_file_read(path, &text, &size, err));
    while (size && text[size - 1] != '\n')
        size--;
    rc_status st = size ? rc_records_parse(path, text, size, rows, n, err) : RC_OK;
    free(text);
    return st;
}

static rc_status take_up_csv(rc_row_file *s, rc_error *err) {
    rc_record *rows = NULL;
    size_t n = 0;
    RC_TRY(read_csv(s->part, &rows, &n, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < n && st == RC_OK; i++)
        st = keep_new(s, &rows[i], err);
    free(rows);
    return st;
}

/* The rows, and those to leave out when `all`. */
static rc_status write_csv(const rc_row_file *s, const char *path, bool force, bool all,
                           rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, force, err));
    fputs(s->head, o.f);
    rc_status st = rc_record_write_header(o.f, err);
    for (size_t i = 0; i < s->n && st == RC_OK; i++)
        st = rc_record_write(o.f, &s->rows[i], err);
    for (size_t i = 0; all && i < s->nhave && st == RC_OK; i++)
        st = rc_record_write(o.f, &s->have[i], err);
    if (st != RC_OK) {
        rc_outfile_abort(&o);
        return st;
    }
    return rc_outfile_commit(&o, err);
}

/* FILE.part is written anew beside itself and renamed, so that a kill during the take-up of an
 * earlier run loses nothing of it; rows are appended from there. */
static rc_status open_csv(rc_row_file *s, bool resume, rc_error *err) {
    if (resume)
        RC_TRY(take_up_csv(s, err));
    RC_TRY(write_csv(s, s->part, true, false, err));
    s->f = fopen(s->part, "a");
    if (!s->f)
        return rc_fail_file(err, RC_E_IO, s->part, "cannot be written: %s", strerror(errno));
    return RC_OK;
}

static rc_status add_csv(rc_row_file *s, const rc_record *r, rc_error *err) {
    RC_TRY(rc_record_write(s->f, r, err));
    if (fflush(s->f) != 0)
        return rc_fail_file(err, RC_E_IO, s->part, "cannot be written: %s", strerror(errno));
    return RC_OK;
}

/* ---- both ----------------------------------------------------------------------------------- */

static rc_status may_open(const rc_row_file *s, bool resume, rc_error *err) {
    if (s->force)
        return RC_OK;
    if (access(s->path, F_OK) == 0)
        return rc_fail_file(err, RC_E_IO, s->path, "exists already (--force replaces it)");
    if (!resume && access(s->part, F_OK) == 0)
        return rc_fail_file(
            err, RC_E_IO, s->part,
            "is left from an interrupted run: --resume goes on, --force starts anew");
    return RC_OK;
}

rc_status rc_row_file_open(rc_row_file *s, const char *path, const char *head, bool force,
                           bool resume, rc_error *err) {
    size_t n = strlen(path);
    *s = (rc_row_file){0};
    if (n >= sizeof s->path)
        return rc_fail_file(err, RC_E_USAGE, "--out", "the name is longer than %zu characters",
                            sizeof s->path - 1);
    snprintf(s->path, sizeof s->path, "%s", path);
    snprintf(s->part, sizeof s->part, "%s.part", path);
    s->force = force;
    s->head = head;
    s->is_db = n > 3 && !strcmp(path + n - 3, ".db");
    RC_TRY(may_open(s, resume, err));
    if (s->is_db && force)
        rc_row_file_db_remove(s);
    RC_TRY(s->is_db ? rc_row_file_db_open(s, keep_new, err) : open_csv(s, resume, err));
    s->resumed = s->n;
    return RC_OK;
}

rc_status rc_row_file_add(rc_row_file *s, const rc_record *r, rc_error *err) {
    assert(s->f != NULL || s->db != NULL);
    RC_TRY(s->is_db ? rc_row_file_db_add(s, r, err) : add_csv(s, r, err));
    return keep(s, r, err);
}

bool rc_row_file_has(const rc_row_file *s, const rc_record *point) {
    for (size_t i = 0; i < s->n; i++)
        if (rc_record_same_point(&s->rows[i], point))
            return true;
    for (size_t i = 0; i < s->nhave; i++)
        if (rc_record_same_point(&s->have[i], point))
            return true;
    return false;
}

rc_status rc_row_file_leave_out(rc_row_file *s, const char *path, rc_error *err) {
    assert(s->have == NULL);
    if (access(path, F_OK) != 0)
        return rc_fail_file(err, RC_E_IO, path, "cannot be read: %s", strerror(errno));
    return read_csv(path, &s->have, &s->nhave, err);
}

rc_status rc_row_file_take_over(rc_row_file *s, const char *path, size_t *added, rc_error *err) {
    char part[1200];
    rc_record *rows = NULL;
    size_t n = 0;
    snprintf(part, sizeof part, "%s.part", path);
    const char *from = access(path, F_OK) == 0 ? path : part;
    RC_TRY(read_csv(from, &rows, &n, err));
    rc_status st = RC_OK;
    for (size_t i = 0; i < n && st == RC_OK; i++) {
        if (rc_row_file_has(s, &rows[i]))
            continue;
        st = rc_row_file_add(s, &rows[i], err);
        *added += st == RC_OK;
    }
    free(rows);
    if (st == RC_OK)
        (void)remove(from);
    return st;
}

rc_status rc_row_file_export(const rc_row_file *s, const char *path, rc_error *err) {
    return write_csv(s, path, true, true, err);
}

rc_status rc_row_file_finish(rc_row_file *s, rc_error *err) {
    assert(s->f != NULL || s->db != NULL);
    if (s->is_db)
        return rc_row_file_db_finish(s, err);
    RC_TRY(write_csv(s, s->path, s->force, false, err));
    if (s->f)
        fclose(s->f);
    s->f = NULL;
    (void)remove(s->part);
    return RC_OK;
}

void rc_row_file_close(rc_row_file *s) {
    if (s->f)
        fclose(s->f);
    rc_row_file_db_close(s);
    free(s->rows);
    free(s->have);
    s->f = NULL;
    s->rows = s->have = NULL;
    s->n = s->cap = s->nhave = 0;
}
