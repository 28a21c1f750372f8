/* Cases of `ringcast-calib ring` from CSV.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_case.h"
#include "sim/base/csv.h"
#include "sim/base/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const schedules[] = {
    "pass-kv", "pass-q", "all-gather-kv", "tp", "decode-pass-q", "decode-tp", NULL};

const char *rc_ring_schedule_name(rc_ring_schedule s) {
    assert((unsigned)s < RC_RING_SCHEDULES);
    return schedules[s];
}

bool rc_ring_schedule_find(const char *name, rc_ring_schedule *out) {
    for (int i = 0; i < RC_RING_SCHEDULES; i++)
        if (!strcmp(name, schedules[i])) {
            *out = (rc_ring_schedule)i;
            return true;
        }
    return false;
}

/* The column that a file may lack: older than it are files whose cases left NCCL's CTAs alone. */
enum { CTAS = 14 };
#define ABSENT SIZE_MAX

static rc_status refuse(const rc_ring_case *c, const char *why, rc_error *err) {
    return rc_fail(err, RC_E_INPUT, "case \"%s\" (%s, CP %d, TP %d): %s", c->name,
                   rc_ring_schedule_name(c->schedule), c->cp, c->tp, why);
}

rc_status rc_ring_case_check(const rc_ring_case *c, rc_error *err) {
    bool tensor = c->schedule == RC_RING_TP || c->schedule == RC_RING_DECODE_TP;
    if (c->cp < 1 || c->tp < 1 || c->cp * c->tp > RC_RING_MAX_RANKS)
        return refuse(c, "the number of GPUs must be 1 to 64", err);
    if (tensor && c->cp != 1)
        return refuse(c, "tensor parallel alone has CP 1", err);
    if (c->hq < 1 || c->hkv < 1 || c->hq % c->hkv || c->hq / c->hkv > 16)
        return refuse(c, "hkv must divide hq, with at most 16 query heads on one", err);
    if (c->width % 64 || c->width > 32768 || c->ffn % 64)
        return refuse(c, "width and ffn must be multiples of 64, width at most 32768", err);
    if (c->layers < 1 || c->sms < 0)
        return refuse(c, "layers must be 1 or more, sms 0 or more", err);
    if (c->p % c->cp)
        return refuse(c, "cp must divide p", err);
    if (rc_ring_is_decode(c))
        return c->t != 1                  ? refuse(c, "a decode step has t 1", err)
               : c->batch % c->cp         ? refuse(c, "cp must divide the batch", err)
               : c->batch < 1 || c->p < 1 ? refuse(c, "batch and p must be 1 or more", err)
                                          : RC_OK;
    if (c->batch != 1)
        return refuse(c, "a prefill has batch 1", err);
    if (c->t < 1 || (c->cp > 1 && c->t % (2 * c->cp)))
        return refuse(c, "2 cp must divide t", err);
    return RC_OK;
}

static rc_status words(const rc_csv *csv, size_t row, const size_t *at, rc_ring_case *c,
                       rc_error *err) {
    const char *name = rc_csv_text(csv, row, at[0]), *schedule = rc_csv_text(csv, row, at[1]);
    const char *launch = rc_csv_text(csv, row, at[12]);
    if (!*name || strlen(name) >= sizeof c->name || strpbrk(name, ",\" \t\r\n"))
        return rc_csv_fail(csv, row, at[0], err, RC_E_INPUT,
                           "\"%.40s\": expected a name of 1 to %zu characters without blanks", name,
                           sizeof c->name - 1);
    memcpy(c->name, name, strlen(name) + 1);
    if (!rc_ring_schedule_find(schedule, &c->schedule)) {
        const char *near = rc_nearest(schedule, schedules);
        return rc_csv_fail(csv, row, at[1], err, RC_E_INPUT,
                           "no schedule is called \"%.40s\"%s%s%s", schedule,
                           near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    c->graph = !strcmp(launch, "graph");
    if (!c->graph && strcmp(launch, "eager") != 0)
        return rc_csv_fail(csv, row, at[12], err, RC_E_INPUT, "\"%.40s\": expected eager or graph",
                           launch);
    return RC_OK;
}

static rc_status read_case(const rc_csv *csv, size_t row, const size_t *at, rc_ring_case *c,
                           rc_error *err) {
    static const int64_t low[] = {1, 1, 1, 0, 1, 1, 1, 64, 64, 1, 0, 0};
    static const int64_t high[] = {64,  64,    1 << 24, 1 << 24, 4096, 256,
                                   256, 32768, 1 << 20, 1000,    1024, 64};
    static const int numbers[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, CTAS};
    int64_t v[12] = {0};
    *c = (rc_ring_case){0};
    RC_TRY(words(csv, row, at, c, err));
    for (int i = 0; i < 12; i++)
        if (at[numbers[i]] != ABSENT)
            RC_TRY(rc_csv_int(csv, row, at[numbers[i]], low[i], high[i], &v[i], err));
    c->cp = (int)v[0], c->tp = (int)v[1], c->t = v[2], c->p = v[3], c->batch = v[4];
    c->hq = (int)v[5], c->hkv = (int)v[6], c->width = (int)v[7], c->ffn = (int)v[8];
    c->layers = (int)v[9], c->sms = (int)v[10], c->ctas = (int)v[11];
    rc_status st = rc_ring_case_check(c, err);
    if (st != RC_OK && err)
        err->line = rc_csv_line(csv, row);
    return st;
}

static rc_status unique(const rc_csv *csv, const rc_ring_case *c, size_t row, size_t col,
                        rc_error *err) {
    for (size_t i = 0; i < row; i++)
        if (!strcmp(c[i].name, c[row].name))
            return rc_csv_fail(csv, row, col, err, RC_E_INPUT, "case \"%s\" is there twice",
                               c[row].name);
    return RC_OK;
}

rc_status rc_ring_cases_parse(const char *name, const char *text, size_t size, rc_ring_case **out,
                              size_t *n, rc_error *err) {
    static const char *const names[] = {RC_RING_CASE_COLUMNS, NULL};
    enum { COLUMNS = sizeof names / sizeof names[0] - 1 };
    size_t at[COLUMNS];
    rc_csv *csv = NULL;
    RC_TRY(rc_csv_parse(name, text, size, &csv, err));
    rc_status st = rc_csv_known(csv, names, err);
    for (size_t i = 0; i < COLUMNS && st == RC_OK; i++) {
        if (i != CTAS)
            st = rc_csv_column(csv, names[i], &at[i], err);
        else if (!rc_csv_find(csv, names[i], &at[i]))
            at[i] = ABSENT;
    }
    size_t count = st == RC_OK ? rc_csv_rows(csv) : 0;
    rc_ring_case *c = calloc(count + 1, sizeof *c);
    if (!c && st == RC_OK)
        st = rc_fail(err, RC_E_NOMEM, "out of memory for %zu cases", count);
    for (size_t i = 0; i < count && st == RC_OK; i++) {
        st = read_case(csv, i, at, &c[i], err);
        if (st == RC_OK)
            st = unique(csv, c, i, at[0], err);
    }
    if (st != RC_OK && err && !err->file[0])
        snprintf(err->file, sizeof err->file, "%s", name);
    rc_csv_close(csv);
    if (st != RC_OK) {
        free(c);
        return st;
    }
    *out = c;
    *n = count;
    return RC_OK;
}

rc_status rc_ring_cases_read(const char *path, rc_ring_case **out, size_t *n, rc_error *err) {
    char *text = NULL;
    size_t size = 0;
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = rc_ring_cases_parse(path, text, size, out, n, err);
    free(text);
    return st;
}
