/* The reader of traces: finds the format, goes through the lines, decides what a bad row means, and
 * links the requests when all are there.
 *
 * Memory is what the requests and their runs of blocks need (64 and 8 bytes each) and one line; no
 * row is kept as text. Block ids are numbered while reading, see ids.h; ids that are local to a
 * session are shifted apart at the end, when each session's highest is known, without touching
 * single blocks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/lines.h"
#include "sim/trace/reader.h"

typedef struct format {
    rc_trace_format id;
    bool (*row)(rc_reader *r);
    const rc_csv_role *roles; /* NULL: JSON lines */
    uint32_t block;           /* tokens of a block unless options say; 0: no blocks */
} format;

static const format formats[] = {
    {RC_TRACE_MOONCAKE, rc_row_mooncake, NULL, 512},
    {RC_TRACE_AZURE, rc_row_azure, rc_roles_azure, 0},
    {RC_TRACE_VIDUR, rc_row_vidur, rc_roles_vidur, 0},
    {RC_TRACE_BURSTGPT, rc_row_burstgpt, rc_roles_burstgpt, 0},
    {RC_TRACE_SESSIONS, rc_row_sessions, NULL, 64},
    {RC_TRACE_TRACELAB, rc_row_tracelab, rc_roles_tracelab, 64},
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
    uint64_t n = 0;
    for (int i = 0; i < RC_FAULTS; i++)
        n += t->faults[i];
    return n;
}

void rc_trace_free(rc_trace *t) {
    if (!t)
        return;
    free(t->at);
    free(t->spans);
    free(t);
}

/* ---------------------------------------------------------------- the format -------------- */
static bool contains(const rc_reader *r, const char *word) {
    size_t n = strlen(word);
    for (const char *p = r->row; p + n <= r->end; p++) {
        p = memchr(p, word[0], (size_t)(r->end - p));
        if (!p || p + n > r->end)
            return false;
        if (memcmp(p, word, n) == 0)
            return true;
    }
    return false;
}

static int role_count(const format *f) {
    int n = 0;
    while (f->roles[n].name)
        n++;
    return n;
}

static const format *by_id(rc_trace_format id) {
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].id == id)
            return &formats[i];
    return NULL;
}

static const format *by_first_line(rc_reader *r) {
    const char *p = r->row;
    while (p < r->end && (*p == ' ' || *p == '\t'))
        p++;
    if (p < r->end && *p == '{')
        return by_id(contains(r, "\"hash_ranges\"") ? RC_TRACE_SESSIONS : RC_TRACE_MOONCAKE);
    if (!rc_csv_split(r))
        return NULL;
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].roles && rc_csv_roles(r, formats[i].roles, role_count(&formats[i])))
            return &formats[i];
    return NULL;
}

static rc_status refuse(rc_reader *r, const char *why) {
    return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", why);
}

/* The format of the first line; a header is read away (*used). */
static rc_status settle(rc_reader *r, const format **f, bool *used) {
    *f = r->opt.format == RC_TRACE_AUTO ? by_first_line(r) : by_id(r->opt.format);
    r->col = 0;
    if (!*f)
        return refuse(r, "not a trace: expected JSON lines (mooncake, sessions) or the header of "
                         "azure, vidur, burstgpt or tracelab; --format names it");
    *used = (*f)->roles != NULL;
    if (*used && (!rc_csv_split(r) || !rc_csv_roles(r, (*f)->roles, role_count(*f))))
        return refuse(r, r->why);
    r->header = *used ? r->fields : 0;
    if (r->opt.block == 0)
        r->opt.block = (*f)->block;
    r->t->block = (*f)->block ? r->opt.block : 0;
    r->t->format = (*f)->id;
    return RC_OK;
}

/* ---------------------------------------------------------------- lines ------------------- */
static rc_status left_out(rc_reader *r) {
    rc_trace *t = r->t;
    if (r->opt.on_bad_row == RC_BAD_ROW_REFUSE)
        return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", r->why);
    if (t->first_fault_line == 0) {
        t->first_fault_line = (uint32_t)r->line;
        (void)snprintf(t->first_fault, sizeof t->first_fault, "%s", r->why);
    }
    t->faults[r->fault]++;
    rc_ids_left_out(&r->ids);
    return RC_OK;
}

static rc_status one_row(rc_reader *r, const format *f) {
    size_t spans = r->t->span_count, count = r->t->count;
    if (r->t->count >= RC_TRACE_MAX_ROWS)
        return refuse(r, "more than 100000000 requests");
    r->t->rows++;
    r->why[0] = '\0';
    if (f->row(r))
        return RC_OK;
    r->t->span_count = spans;
    r->t->count = count;
    return r->status != RC_OK ? r->status : left_out(r);
}

static bool empty(const rc_reader *r) {
    for (const char *p = r->row; p < r->end; p++)
        if (*p != ' ' && *p != '\t')
            return false;
    return true;
}

static rc_status broken_line(rc_reader *r, rc_line_state state, const rc_lines *in) {
    r->row = r->end = NULL;
    r->t->rows++;
    if (state == RC_LINE_LONG)
        (void)rc_bad(r, RC_FAULT_LONG, NULL, "a line of more than %u bytes", RC_TRACE_MAX_LINE);
    else
        (void)rc_bad(r, RC_FAULT_CUT, NULL, "%s", rc_lines_why(in));
    return left_out(r);
}

static rc_status all_lines(rc_reader *r, rc_lines *in) {
    const format *f = NULL;
    for (bool first = true;;) {
        rc_line_state state;
        size_t size;
        if (r->opt.limit > 0 && r->t->rows >= r->opt.limit)
            return RC_OK;
        r->line++;
        RC_TRY(rc_lines_next(in, &state, &r->row, &size, r->err));
        if (state == RC_LINE_END)
            return RC_OK;
        if (state != RC_LINE_OK) {
            RC_TRY(broken_line(r, state, in));
            if (state == RC_LINE_CUT)
                return RC_OK;
            continue;
        }
        r->end = r->row + size;
        if (first && size >= 3 && memcmp(r->row, "\xEF\xBB\xBF", 3) == 0)
            r->row += 3;
        first = false;
        if (empty(r))
            continue;
        bool header = false;
        if (!f)
            RC_TRY(settle(r, &f, &header));
        if (!header)
            RC_TRY(one_row(r, f));
    }
}

/* ---------------------------------------------------------------- the end ----------------- */
/* Sessions of which every row was left out have no number. */
static void renumber_sessions(rc_reader *r) {
    uint32_t n = 0;
    for (uint32_t s = 0; s < r->t->sessions; s++)
        r->session[s].last = r->session[s].turns > 0 ? n++ : RC_NO_SESSION;
    for (size_t i = 0; i < r->t->count && n < r->t->sessions; i++)
        if (r->t->at[i].session != RC_NO_SESSION)
            r->t->at[i].session = r->session[r->t->at[i].session].last;
    r->t->sessions = n;
}

/* Lists of who waits for whom, in the order of the array; the first arrival is at 0. */
static void link_requests(rc_trace *t) {
    rc_time least = INT64_MAX;
    t->closed_loop = false;
    for (size_t i = 0; i < t->count; i++) {
        t->at[i].child = t->at[i].sibling = RC_NO_REQUEST;
        if (t->at[i].arrival != RC_NO_ARRIVAL && t->at[i].arrival < least)
            least = t->at[i].arrival;
    }
    for (size_t i = t->count; i-- > 0;) {
        rc_req *q = &t->at[i];
        if (q->arrival != RC_NO_ARRIVAL)
            q->arrival -= least;
        if (q->after == RC_NO_REQUEST)
            continue;
        t->closed_loop = true;
        q->sibling = t->at[q->after].child;
        t->at[q->after].child = (uint32_t)i;
    }
}

static rc_status finish(rc_reader *r) {
    rc_trace *t = r->t;
    if (t->count == 0) {
        uint64_t bad = rc_trace_refused(t);
        if (bad > 0)
            return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)t->first_fault_line, 0,
                              "no good row in the trace; the first bad of %llu: %s",
                              (unsigned long long)bad, t->first_fault);
        return rc_fail_at(r->err, RC_E_INPUT, r->name, 0, 0, "the trace is empty: no %s",
                          t->dropped > 0 ? "row with tokens" : "row");
    }
    if (t->format == RC_TRACE_SESSIONS) {
        if (!rc_sessions_finish(r))
            return r->status;
    } else {
        for (size_t i = 0; i < t->span_count; i++)
            if (t->spans[i].first >= RC_FRESH_BLOCK)
                t->spans[i].first += r->ids.count - RC_FRESH_BLOCK;
        t->blocks = r->ids.count + r->fresh;
    }
    if (t->blocks == 0)
        t->block = 0;
    renumber_sessions(r);
    link_requests(t);
    return RC_OK;
}

static void release(rc_reader *r) {
    free(r->raw);
    rc_ids_free(&r->ids);
    rc_names_free(&r->sessions);
    rc_names_free(&r->contexts);
    free(r->session);
    free(r->context);
    free(r->key);
    free(r->common);
}

static rc_status read_all(const char *name, rc_lines *in, const rc_trace_options *options,
                          rc_trace **out, rc_error *err) {
    rc_reader r = {.name = name, .err = err};
    if (options)
        r.opt = *options;
    r.t = calloc(1, sizeof *r.t);
    if (!r.t) {
        rc_lines_close(in);
        return rc_fail_at(err, RC_E_NOMEM, name, 0, 0, "out of memory while reading");
    }
    rc_status st = all_lines(&r, in);
    if (st == RC_OK)
        st = finish(&r);
    rc_lines_close(in);
    release(&r);
    if (st != RC_OK)
        rc_trace_free(r.t);
    else
        *out = r.t;
    return st;
}

rc_status rc_trace_read(const char *path, const rc_trace_options *options, rc_trace **out,
                        rc_error *err) {
    rc_lines *in = NULL;
    RC_TRY(rc_lines_open(path, &in, err));
    return read_all(path, in, options, out, err);
}

rc_status rc_trace_parse(const char *name, const void *text, size_t size,
                         const rc_trace_options *options, rc_trace **out, rc_error *err) {
    rc_lines *in = NULL;
    RC_TRY(rc_lines_memory(name, text, size, &in, err));
    return read_all(name, in, options, out, err);
}
