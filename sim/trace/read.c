/* The reader of traces. It goes through the lines, or through the values of a JSON document,
 * decides what a bad row means, and links the requests when all are there.
 *
 * Memory is what the requests and their runs of blocks need (64 and 8 bytes each) and one line; no
 * row is kept as text. Block ids are numbered while reading, see ids.h; ids that are local to a
 * session are shifted apart at the end, when each session's highest is known, without touching
 * single blocks.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/lines.h"
#include "sim/trace/links.h"
#include "sim/trace/reader.h"
#include "sim/trace/workload.h"
#include "sim/trace/workload_spec.h"

const char *const *rc_bad_row_names(void) {
    static const char *const names[] = {"refuse", "skip", NULL};
    return names;
}

const char *rc_fault_name(rc_fault f) {
    static const char *const names[] = {"syntax",       "missing",       "negative",
                                        "zero",         "absurd",        "backwards",
                                        "out of order", "line too long", "cut short"};
    assert((unsigned)f < RC_FAULTS);
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

static rc_status refuse(rc_reader *r, const char *why) {
    return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", why);
}

static rc_status one_row(rc_reader *r) {
    size_t spans = r->t->span_count, count = r->t->count;
    if (r->t->count >= RC_TRACE_MAX_ROWS)
        return refuse(r, "more than 100000000 requests");
    r->t->rows++;
    r->why[0] = '\0';
    if (r->parse_row(r))
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

/* The row in hand, or the header. */
static rc_status header_or_row(rc_reader *r) {
    bool header = false;
    if (!r->parse_row)
        RC_TRY(rc_format_detect(r, &header));
    return header ? RC_OK : one_row(r);
}

static bool enough(const rc_reader *r) {
    return r->opt.limit > 0 && r->t->rows >= r->opt.limit;
}

/* ---------------------------------------------------------------- documents ---------------- */

/* JSON that is not one object a line: a list, an object over several lines, or objects one behind
 * the other. The first value of the line tells. */
static bool is_document(rc_reader *r) {
    const char *p = r->row;
    rc_value v;
    while (p < r->end && (*p == ' ' || *p == '\t'))
        p++;
    if (p == r->end || (*p != '{' && *p != '['))
        return false;
    if (*p == '[')
        return true;
    if (!rc_json_value(r, &p, r->end, &v))
        return r->col > (int)(r->end - r->row); /* the line ends before the object does */
    return p < r->end && *p == '{';
}

/* The whole rest of the file behind the line in hand, as text that the caller frees. */
static rc_status slurp(rc_reader *r, rc_lines *in, char **out, size_t *size) {
    size_t room = (size_t)(r->end - r->row) + 4096;
    *size = (size_t)(r->end - r->row);
    *out = malloc(room);
    if (!*out)
        return rc_fail_file(r->err, RC_E_NOMEM, r->name, "out of memory while reading");
    memcpy(*out, r->row, *size);
    for (;;) {
        rc_line_state state;
        const char *line;
        size_t n;
        RC_TRY(rc_lines_next(in, &state, &line, &n, r->err));
        if (state == RC_LINE_END)
            return RC_OK;
        if (state != RC_LINE_OK || *size + n + 1 > RC_TRACE_MAX_DOCUMENT)
            return rc_fail_file(r->err, RC_E_INPUT, r->name,
                                "a JSON document of more than %u bytes, or cut short %s",
                                RC_TRACE_MAX_DOCUMENT, rc_lines_why(in));
        if (*size + n + 1 > room) {
            room = 2 * (*size + n + 1);
            char *more = realloc(*out, room);
            if (!more)
                return rc_fail_file(r->err, RC_E_NOMEM, r->name, "out of memory while reading");
            *out = more;
        }
        (*out)[(*size)++] = '\n';
        if (n > 0)
            memcpy(*out + *size, line, n);
        *size += n;
    }
}

/* One value as a row; *from, whose line is r->line, moves to its start. */
static rc_status item_row(rc_reader *r, const rc_value *v, const char **from) {
    for (; *from < v->text.p; ++*from)
        r->line += **from == '\n';
    r->row = v->text.p;
    r->end = v->text.p + v->text.n;
    return header_or_row(r);
}

static rc_status list_rows(rc_reader *r, rc_slice list, const char **from) {
    const char *p = list.p;
    bool more = true;
    rc_value v;
    for (;;) {
        if (!rc_json_item(r, &p, list.p + list.n, &v, &more))
            return refuse(r, r->why);
        if (!more || enough(r))
            return RC_OK;
        RC_TRY(item_row(r, &v, from));
    }
}

static rc_status document_rows(rc_reader *r, const char *text, size_t size) {
    const char *p = text, *from = text, *end = text + size;
    while (p < end && !enough(r)) {
        rc_value v;
        r->row = from;
        r->end = end;
        if (!rc_json_value(r, &p, end, &v)) {
            r->col = 0;
            return refuse(r, r->why);
        }
        if (v.kind == RC_VALUE_NESTED && v.text.p[0] == '[')
            RC_TRY(list_rows(r, v.text, &from));
        else
            RC_TRY(item_row(r, &v, &from));
    }
    return RC_OK;
}

static rc_status document(rc_reader *r, rc_lines *in) {
    char *text = NULL;
    size_t size = 0;
    rc_status st = slurp(r, in, &text, &size);
    if (st == RC_OK)
        st = document_rows(r, text, size);
    free(text);
    return st;
}

/* ---------------------------------------------------------------- workload specifications --- */

/* YAML files that say how requests are made: each is told from others by lines that begin with one of its keys. */
static const struct spec_kind {
    rc_trace_format id;
    const char *keys[3];
    rc_status (*read)(const char *name, const char *text, size_t size, uint64_t limit,
                      rc_trace *out, rc_error *err);
} spec_kinds[] = {
    {RC_TRACE_BLIS_SPEC, {"aggregate_rate:", "inference_perf:", NULL}, rc_workload_spec_read},
    {RC_TRACE_GUIDELLM_SYNTHETIC, {"prompt_tokens:", NULL}, rc_guidellm_synthetic_read}};
enum { SPEC_KINDS = sizeof spec_kinds / sizeof spec_kinds[0] };

static bool is_spec(rc_trace_format f) {
    return f == RC_TRACE_BLIS_SPEC || f == RC_TRACE_GUIDELLM_SYNTHETIC;
}

/* A line that begins such a file: a comment, or a key that they have at the top. */
static bool begins_spec(const rc_reader *r) {
    static const char *const keys[] = {"#",
                                       "---",
                                       "version:",
                                       "seed:",
                                       "category:",
                                       "aggregate_rate:",
                                       "num_requests:",
                                       "horizon:",
                                       "clients:",
                                       "cohorts:",
                                       "inference_perf:",
                                       "kind:",
                                       "prompt_tokens",
                                       "output_tokens",
                                       "turns:",
                                       "samples:",
                                       "prefix_"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = strlen(keys[i]);
        if ((size_t)(r->end - r->row) >= n && memcmp(r->row, keys[i], n) == 0)
            return true;
    }
    return false;
}

static bool has_line(const char *text, size_t size, const char *begin) {
    size_t n = strlen(begin);
    for (const char *p = text, *end = text + size; p && p < end;) {
        if ((size_t)(end - p) >= n && memcmp(p, begin, n) == 0)
            return true;
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    return false;
}

/* The kind that was asked for, or whose key a line begins with; NULL: none. */
static const struct spec_kind *spec_of(const rc_reader *r, const char *text, size_t size) {
    for (int i = 0; i < SPEC_KINDS; i++) {
        if (r->opt.format == spec_kinds[i].id)
            return &spec_kinds[i];
        for (int k = 0; !is_spec(r->opt.format) && spec_kinds[i].keys[k]; k++)
            if (has_line(text, size, spec_kinds[i].keys[k]))
                return &spec_kinds[i];
    }
    return NULL;
}

/* The rest of the file as one; where it is no specification, its first line is told to be no trace. */
static rc_status workload_spec(rc_reader *r, rc_lines *in) {
    char *text = NULL;
    size_t size = 0;
    const uint64_t line = r->line;
    rc_status st = slurp(r, in, &text, &size);
    const struct spec_kind *kind = st == RC_OK ? spec_of(r, text, size) : NULL;
    r->line = line;
    if (kind) {
        r->t->format = kind->id;
        st = kind->read(r->name, text, size, r->opt.limit, r->t, r->err);
        r->timing = kind->id == RC_TRACE_GUIDELLM_SYNTHETIC ? RC_LENGTHS : RC_TIMED;
    } else if (st == RC_OK) {
        const char *end = memchr(text, '\n', size);
        r->row = text;
        r->end = end ? end : text + size;
        st = header_or_row(r);
    }
    r->row = r->end = NULL;
    free(text);
    return st;
}

static rc_status all_lines(rc_reader *r, rc_lines *in) {
    for (bool first = true;;) {
        rc_line_state state;
        size_t size;
        if (enough(r))
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
        if (!r->parse_row && (is_spec(r->opt.format) || (r->opt.format == RC_TRACE_AUTO &&
                                                         !r->opt.columns[0] && begins_spec(r))))
            return workload_spec(r, in);
        if (!r->parse_row && is_document(r))
            return document(r, in);
        RC_TRY(header_or_row(r));
    }
}

/* ---------------------------------------------------------------- the end ----------------- */
/* Sessions of which every row was left out have no number. */
static void renumber_sessions(rc_reader *r) {
    uint32_t n = 0;
    if (is_spec(r->t->format)) /* made, not read by rows: all are there */
        return;
    for (uint32_t s = 0; s < r->t->sessions; s++)
        r->session[s].last = r->session[s].turns > 0 ? n++ : RC_NO_SESSION;
    for (size_t i = 0; i < r->t->count && n < r->t->sessions; i++)
        if (r->t->at[i].session != RC_NO_SESSION)
            r->t->at[i].session = r->session[r->t->at[i].session].last;
    r->t->sessions = n;
}

/* The first arrival is at 0. */
static void shift_arrivals(rc_trace *t) {
    rc_time least = INT64_MAX;
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL && t->at[i].arrival < least)
            least = t->at[i].arrival;
    for (size_t i = 0; i < t->count; i++)
        if (t->at[i].arrival != RC_NO_ARRIVAL)
            t->at[i].arrival -= least;
}

static rc_status finish(rc_reader *r) {
    rc_trace *t = r->t;
    if (t->count == 0) {
        uint64_t bad = rc_trace_refused(t);
        if (bad > 0)
            return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)t->first_fault_line, 0,
                              "no good row in the trace; the first bad of %llu: %s",
                              (unsigned long long)bad, t->first_fault);
        return rc_fail_file(r->err, RC_E_INPUT, r->name, "the trace is empty: no %s",
                            t->dropped > 0 ? "row with tokens" : "row");
    }
    if (r->local_ids) {
        if (!rc_sessions_finish(r))
            return r->status;
    } else if (!is_spec(t->format)) {
        for (size_t i = 0; i < t->span_count; i++)
            if (t->spans[i].first >= RC_FRESH_BLOCK)
                t->spans[i].first += r->ids.count - RC_FRESH_BLOCK;
        t->blocks = r->ids.count + r->fresh;
    }
    if (t->blocks == 0)
        t->block = 0;
    renumber_sessions(r);
    shift_arrivals(t);
    rc_trace_link(t);
    RC_TRY(rc_format_check_unit(r));
    t->timeless = r->timing == RC_LENGTHS && !t->closed_loop && t->sessions == 0;
    for (int u = RC_UNIT_S; u <= RC_UNIT_NS && r->timing != RC_LENGTHS; u++)
        if (r->per_s == rc_units_per_second((rc_time_unit)u))
            t->unit = (rc_time_unit)u;
    return r->sort ? rc_trace_sort_arrivals(t, r->err) : RC_OK;
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
    r.opt.columns[sizeof r.opt.columns - 1] = '\0';
    r.t = calloc(1, sizeof *r.t);
    if (!r.t) {
        rc_lines_close(in);
        return rc_fail_file(err, RC_E_NOMEM, name, "out of memory while reading");
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
