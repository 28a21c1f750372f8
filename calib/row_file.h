/* The file that measured rows go to.
 *
 * Time on a GPU is expensive, so nothing measured may be lost: every row goes to FILE.part at once
 * and is on the disk before anybody is told. FILE itself appears at the end, whole. A run that died
 * is continued with --resume, which reads FILE.part and skips the points that it holds.
 *
 *     FILE.csv  FILE.part is a CSV file in its own right, flushed row by row; a torn last line is
 *               dropped when the run is continued
 *     FILE.db   FILE.part is a store in its own right: each row is one transaction, synced to the
 *               disk (write-ahead log), so a kill leaves rows whole or absent. The log is a
 *               write-ahead log because a reader without write permission can open it after a
 *               kill; a rollback journal would have to be rolled back first.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_ROW_FILE_H
#define RC_CALIB_ROW_FILE_H
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "calib/cost_row.h"

typedef struct rc_row_file {
    rc_record *rows;
    size_t n, cap;
    size_t resumed;  /* rows that came from FILE.part */
    rc_record *have; /* rows of other files: not measured again, and not written */
    size_t nhave;
    char path[1024], part[1040];
    FILE *f;     /* FILE.part as CSV, */
    sqlite3 *db; /* or as a store */
    sqlite3_stmt *insert;
    bool force, is_db;
    const char *head; /* '#' lines; borrowed */
} rc_row_file;

/* Refuses an existing FILE or FILE.part unless `force`; `resume` takes FILE.part up. `head` is
 * written above the header (CSV) and must outlive the sink. */
rc_status rc_row_file_open(rc_row_file *s, const char *path, const char *head, bool force,
                           bool resume, rc_error *err);
/* The row is saved when this returns RC_OK. */
rc_status rc_row_file_add(rc_row_file *s, const rc_record *r, rc_error *err);
/* Whether the point is among the rows or among those to leave out. */
bool rc_row_file_has(const rc_row_file *s, const rc_record *point);
/* Points of the CSV file at `path` are left out. Once, after rc_row_file_open. */
rc_status rc_row_file_leave_out(rc_row_file *s, const char *path, rc_error *err);
/* Take over the rows of another run's CSV at `path`, or else of its PATH.part (up to the last whole
 * line), and remove it. A file that is not there holds none. *added: rows that were new. */
rc_status rc_row_file_take_over(rc_row_file *s, const char *path, size_t *added, rc_error *err);
/* All that rc_row_file_has knows, as a CSV file at `path`, which is replaced. */
rc_status rc_row_file_export(const rc_row_file *s, const char *path, rc_error *err);
/* FILE.part becomes FILE. */
rc_status rc_row_file_finish(rc_row_file *s, rc_error *err);
void rc_row_file_close(rc_row_file *s); /* leaves FILE.part behind when not finished; safe twice */

/* row_file_db.c: the store form. `keep` receives each row that is there. */
typedef rc_status (*rc_row_file_keep)(rc_row_file *s, const rc_record *r, rc_error *err);
rc_status rc_row_file_db_open(rc_row_file *s, rc_row_file_keep keep, rc_error *err);
rc_status rc_row_file_db_add(rc_row_file *s, const rc_record *r, rc_error *err);
rc_status rc_row_file_db_finish(rc_row_file *s, rc_error *err);
void rc_row_file_db_close(rc_row_file *s);
/* Remove FILE.part and what SQLite keeps beside it. */
void rc_row_file_db_remove(const rc_row_file *s);

#endif
