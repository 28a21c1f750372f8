/* What the formats share: saying what is wrong, times, sessions, adding a request, CSV fields.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/reader.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PS INT64_C(1000000000000)

bool rc_bad(rc_reader *r, rc_fault fault, const char *at, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->why, sizeof r->why, fmt, args);
    va_end(args);
    r->fault = fault;
    r->col = at && at >= r->row && at <= r->end ? (int)(at - r->row) + 1 : 0;
    return false;
}

bool rc_reader_no_memory(rc_reader *r) {
    r->status = rc_fail_at(r->err, RC_E_NOMEM, r->name, 0, 0, "out of memory for the trace");
    return false;
}

bool rc_reader_room(rc_reader *r, void *array_pointer, size_t *room, size_t need, size_t bytes) {
    void *old;
    if (need <= *room)
        return true;
    size_t wanted = 2 * need + 64;
    memcpy(&old, array_pointer, sizeof old);
    void *more = realloc(old, wanted * bytes);
    if (!more)
        return rc_reader_no_memory(r);
    memcpy(array_pointer, &more, sizeof more);
    *room = wanted;
    return true;
}

/* ---- times ---------------------------------------------------------------------------- */

bool rc_reader_since(rc_reader *r, rc_stamp from, rc_stamp s, const char *at, rc_time *out) {
    int64_t whole = s.s - from.s, part = s.ps - from.ps;
    if (whole < 0 || (whole == 0 && part < 0))
        return rc_bad(r, RC_FAULT_BACKWARDS, at, "the time is before the first row's");
    if (whole > INT64_C(86400) * RC_TRACE_MAX_DAYS - 1)
        return rc_bad(r, RC_FAULT_ABSURD, at, "more than %d days", RC_TRACE_MAX_DAYS);
    *out = whole * PS + part;
    return true;
}

bool rc_reader_arrival(rc_reader *r, rc_stamp s, const char *at, rc_time *out) {
    *out = 0;
    if (!r->based)
        return true;
    if (s.s < r->last.s || (s.s == r->last.s && s.ps < r->last.ps))
        return rc_bad(r, RC_FAULT_BACKWARDS, at, "the time is before that of the row above");
    return rc_reader_since(r, r->base, s, at, out);
}

void rc_reader_arrived(rc_reader *r, rc_stamp s) {
    if (!r->based)
        r->base = s;
    r->based = true;
    r->last = s;
}

/* ---- sessions and requests ------------------------------------------------------------ */

uint32_t rc_reader_session(rc_reader *r, rc_slice name) {
    uint32_t before = r->sessions.count, k = rc_names_put(&r->sessions, name.p, name.n);
    if (k == UINT32_MAX ||
        !rc_reader_room(r, &r->session, &r->session_room, (size_t)k + 1, sizeof *r->session)) {
        (void)rc_reader_no_memory(r);
        return RC_NO_SESSION;
    }
    if (k == before)
        r->session[k] = (rc_session){.last = RC_NO_REQUEST};
    return k;
}

bool rc_reader_add(rc_reader *r, rc_req *q) {
    rc_trace *t = r->t;
    if (!rc_reader_room(r, &t->at, &r->at_room, t->count + 1, sizeof *t->at))
        return false;
    q->span = (uint32_t)(t->span_count - q->spans);
    t->at[t->count++] = *q;
    return true;
}

static bool push_span(rc_reader *r, rc_req *q, uint32_t id) {
    rc_trace *t = r->t;
    rc_span *last = q->spans > 0 ? &t->spans[t->span_count - 1] : NULL;
    if (last && last->first + last->count == id) {
        last->count++;
        return true;
    }
    if (!rc_reader_room(r, &t->spans, &r->span_room, t->span_count + 1, sizeof *t->spans))
        return false;
    t->spans[t->span_count++] = (rc_span){id, 1};
    q->spans++;
    return true;
}

static bool push_run(rc_reader *r, rc_req *q, const rc_raw_span *run) {
    rc_trace *t = r->t;
    if (!rc_reader_room(r, &t->spans, &r->span_room, t->span_count + 1, sizeof *t->spans))
        return false;
    t->spans[t->span_count++] = (rc_span){(uint32_t)run->first, run->count};
    q->spans++;
    q->named += run->count;
    return true;
}

bool rc_reader_number(rc_reader *r, rc_req *q, bool as_is) {
    uint64_t most = 0, bad = 0;
    bool any = r->ids.begun;
    q->spans = q->named = 0;
    most = r->ids.most;
    for (size_t i = 0; !as_is && !r->opt.any_ids && i < r->raws; i++)
        if (!rc_ids_ordered(&r->ids, &r->raw[i], &most, &any, &bad))
            return rc_bad(r, RC_FAULT_IDS, NULL,
                          "block %llu is new, but below one seen before; blocks are numbered by "
                          "first appearance",
                          (unsigned long long)bad);
    for (size_t i = 0; i < r->raws; i++) {
        const rc_raw_span *run = &r->raw[i];
        if (as_is) {
            if (!push_run(r, q, run))
                return false;
            continue;
        }
        for (uint32_t k = 0; k < run->count; k++) {
            uint32_t id = 0;
            rc_ids_answer a = rc_ids_number(&r->ids, run->first + k, &id);
            if (a != RC_IDS_OK)
                return rc_reader_no_memory(r);
            if (!push_span(r, q, id))
                return false;
            q->named++;
        }
    }
    return true;
}

/* ---- CSV ------------------------------------------------------------------------------ */

bool rc_csv_split(rc_reader *r) {
    const char *p = r->row;
    r->fields = 0;
    for (;;) {
        if (r->fields == RC_CSV_FIELDS)
            return rc_bad(r, RC_FAULT_SYNTAX, p, "more than %d fields", RC_CSV_FIELDS);
        bool quoted = p < r->end && *p == '"';
        const char *from = quoted ? p + 1 : p, *to = from;
        while (to < r->end && *to != (quoted ? '"' : ','))
            to++;
        if (quoted && to == r->end)
            return rc_bad(r, RC_FAULT_SYNTAX, p, "the closing quote is missing");
        r->field[r->fields++] = (rc_slice){from, (size_t)(to - from)};
        p = quoted ? to + 1 : to;
        if (p == r->end)
            return true;
        if (*p != ',')
            return rc_bad(r, RC_FAULT_SYNTAX, p, "text behind a closing quote");
        p++;
    }
}

bool rc_csv_roles(rc_reader *r, const rc_csv_role *roles, int count) {
    for (int k = 0; k < count; k++) {
        r->role[k] = -1;
        for (int i = 0; i < r->fields; i++)
            if (r->field[i].n == strlen(roles[k].name) &&
                memcmp(r->field[i].p, roles[k].name, r->field[i].n) == 0)
                r->role[k] = i;
        if (r->role[k] < 0 && roles[k].needed)
            return rc_bad(r, RC_FAULT_SYNTAX, r->row, "no column '%s'", roles[k].name);
    }
    r->header = r->fields;
    return true;
}

rc_slice rc_csv_field(const rc_reader *r, int role) {
    int column = r->role[role];
    return column < 0 || column >= r->fields ? (rc_slice){r->end, 0} : r->field[column];
}
