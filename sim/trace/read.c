/* Reading a trace: which format, line by line, and what becomes of bad rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/lines.h"
#include "sim/trace/reader.h"

typedef struct format {
    const char *name;
    bool (*row)(rc_reader *r);
    const rc_csv_role *roles; /* NULL: JSON lines */
    uint32_t block;           /* tokens; 0: no blocks */
} format;

static const format formats[] = {
    [RC_TRACE_AUTO] = {"auto", NULL, NULL, 0},
    [RC_TRACE_MOONCAKE] = {"mooncake", rc_row_mooncake, NULL, 512},
    [RC_TRACE_AZURE] = {"azure", rc_row_azure, rc_roles_azure, 0},
    [RC_TRACE_VIDUR] = {"vidur", rc_row_vidur, rc_roles_vidur, 0},
    [RC_TRACE_BURSTGPT] = {"burstgpt", rc_row_burstgpt, rc_roles_burstgpt, 0},
    [RC_TRACE_SESSIONS] = {"sessions", rc_row_sessions, NULL, 64},
    [RC_TRACE_TRACELAB] = {"tracelab", rc_row_tracelab, rc_roles_tracelab, 64},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *const *rc_trace_format_names(void) {
    static const char *const names[] = {"auto",     "mooncake", "azure",    "vidur",
                                        "burstgpt", "sessions", "tracelab", NULL};
    return names;
}

const char *const *rc_bad_row_names(void) {
    static const char *const names[] = {"refuse", "skip", NULL};
    return names;
}

const char *rc_fault_name(rc_fault f) {
    static const char *const names[] = {"syntax",       "missing",       "negative",
                                        "zero",         "absurd",        "backwards",
                                        "out of order", "line too long", "cut short"};
    return names[f];
}

uint64_t rc_trace_refused(const rc_trace *t) {
    uint64_t sum = 0;
    for (int i = 0; i < RC_FAULTS; i++)
        sum += t->faults[i];
    return sum;
}

void rc_trace_free(rc_trace *t) {
    if (!t)
        return;
    free(t->at);
    free(t->spans);
    free(t);
}

/* ---- which format --------------------------------------------------------------------- */

static bool header_of(rc_reader *r, const rc_csv_role *roles) {
    int count = 0;
    while (roles[count].name)
        count++;
    return rc_csv_split(r) && rc_csv_roles(r, roles, count);
}

static bool has(const rc_reader *r, const char *key) {
    size_t n = strlen(key);
    for (const char *p = r->row; p + n <= r->end; p++)
        if (memcmp(p, key, n) == 0)
            return true;
    return false;
}

static rc_trace_format sniff(rc_reader *r) {
    if (r->row < r->end && *r->row == '{')
        return has(r, "\"hash_ranges\"") ? RC_TRACE_SESSIONS : RC_TRACE_MOONCAKE;
    for (int f = RC_TRACE_AZURE; f < FORMATS; f++)
        if (formats[f].roles && header_of(r, formats[f].roles))
            return (rc_trace_format)f;
    return RC_TRACE_AUTO;
}

/* *used: the line is a header. */
static rc_status begin(rc_reader *r, bool *used) {
    rc_trace_format f = r->opt.format == RC_TRACE_AUTO ? sniff(r) : r->opt.format;
    if (f == RC_TRACE_AUTO)
        return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 1,
                          "none of the formats known by its first line; expected mooncake, azure, "
                          "vidur, burstgpt, sessions or tracelab");
    r->t->format = f;
    r->t->block = r->opt.block > 0 ? r->opt.block : formats[f].block;
    *used = formats[f].roles != NULL;
    if (*used && !header_of(r, formats[f].roles))
        return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 1, "%s: %s", formats[f].name,
                          r->why);
    return RC_OK;
}

/* ---- rows ----------------------------------------------------------------------------- */

static rc_status bad_row(rc_reader *r) {
    rc_trace *t = r->t;
    if (r->opt.on_bad_row == RC_BAD_ROW_REFUSE)
        return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", r->why);
    t->faults[r->fault]++;
    if (t->first_fault_line == 0) {
        t->first_fault_line = (uint32_t)r->line;
        (void)snprintf(t->first_fault, sizeof t->first_fault, "%s", r->why);
    }
    rc_ids_left_out(&r->ids);
    return RC_OK;
}

static bool row(rc_reader *r) {
    const format *f = &formats[r->t->format];
    size_t spans = r->t->span_count;
    r->t->rows++;
    r->why[0] = '\0';
    bool good = true;
    if (f->roles) {
        good = rc_csv_split(r);
        if (good && r->fields != r->header)
            good = rc_bad(r, r->fields < r->header ? RC_FAULT_MISSING : RC_FAULT_SYNTAX, r->row,
                          "%d fields, the header has %d", r->fields, r->header);
    }
    good = good && f->row(r);
    if (!good)
        r->t->span_count = spans;
    return good;
}

static bool blank_line(const rc_reader *r) {
    for (const char *p = r->row; p < r->end; p++)
        if (*p != ' ' && *p != '\t')
            return false;
    return true;
}

static rc_status one_line(rc_reader *r, rc_line_state state, const char *why) {
    bool header = false;
    if (state == RC_LINE_LONG || state == RC_LINE_CUT) {
        r->row = r->end = "";
        if (state == RC_LINE_LONG)
            (void)rc_bad(r, RC_FAULT_LONG, NULL, "a line of more than %u bytes", RC_TRACE_MAX_LINE);
        else
            (void)rc_bad(r, RC_FAULT_CUT, NULL, "%s", why);
        r->t->rows++;
        return bad_row(r);
    }
    if (blank_line(r))
        return RC_OK;
    if (r->t->format == RC_TRACE_AUTO)
        RC_TRY(begin(r, &header));
    if (header || row(r))
        return RC_OK;
    RC_TRY(r->status);
    return bad_row(r);
}

static rc_status read_all(rc_reader *r, rc_lines *lines) {
    for (;;) {
        rc_line_state state;
        size_t size;
        RC_TRY(rc_lines_next(lines, &state, &r->row, &size, r->err));
        if (state == RC_LINE_END)
            return RC_OK;
        r->line++;
        r->end = r->row ? r->row + size : NULL;
        if (r->line == 1 && state == RC_LINE_OK && size >= 3 &&
            memcmp(r->row, "\xEF\xBB\xBF", 3) == 0)
            r->row += 3;
        RC_TRY(one_line(r, state, rc_lines_why(lines)));
        if (state == RC_LINE_CUT || (r->opt.limit > 0 && r->t->count >= r->opt.limit))
            return RC_OK;
        if (r->t->rows > RC_TRACE_MAX_ROWS)
            return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 0, "more than %d rows",
                              RC_TRACE_MAX_ROWS);
    }
}

static rc_status finish(rc_reader *r) {
    rc_trace *t = r->t;
    if (t->count == 0)
        return rc_fail_at(r->err, RC_E_INPUT, r->name, 0, 0, "no request in it%s%s",
                          t->first_fault_line ? "; the first bad row: " : "",
                          t->first_fault_line ? t->first_fault : "");
    t->sessions = r->sessions.count;
    t->blocks = r->ids.count;
    bool local = t->format == RC_TRACE_SESSIONS || t->format == RC_TRACE_TRACELAB;
    if (local && !rc_sessions_finish(r))
        return rc_fail_at(r->err, RC_E_INPUT, r->name, 0, 0, "%s", r->why);
    if (t->blocks == 0)
        t->block = 0;
    return RC_OK;
}

static rc_status from_lines(rc_lines *lines, const char *name, const rc_trace_options *options,
                            rc_trace **out, rc_error *err) {
    rc_error local = {0};
    rc_reader r = {.name = name, .err = err ? err : &local};
    if (options)
        r.opt = *options;
    r.t = calloc(1, sizeof *r.t);
    rc_status st =
        r.t ? read_all(&r, lines) : rc_fail(err, RC_E_NOMEM, "out of memory for the trace");
    if (st == RC_OK)
        st = finish(&r);
    rc_ids_free(&r.ids);
    rc_names_free(&r.sessions);
    free(r.raw);
    free(r.session);
    if (st == RC_OK)
        *out = r.t;
    else
        rc_trace_free(r.t);
    return st;
}

rc_status rc_trace_read(const char *path, const rc_trace_options *options, rc_trace **out,
                        rc_error *err) {
    rc_lines *lines = NULL;
    RC_TRY(rc_lines_open(path, &lines, err));
    rc_status st = from_lines(lines, path, options, out, err);
    rc_lines_close(lines);
    return st;
}

rc_status rc_trace_parse(const char *name, const void *text, size_t size,
                         const rc_trace_options *options, rc_trace **out, rc_error *err) {
    rc_lines *lines = NULL;
    RC_TRY(rc_lines_memory(name, text, size, &lines, err));
    rc_status st = from_lines(lines, name, options, out, err);
    rc_lines_close(lines);
    return st;
}
