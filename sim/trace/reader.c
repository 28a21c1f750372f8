/* What the formats share: saying what is wrong, times, sessions, and adding a request with its
 * blocks.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/trace/reader.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool(rc_bad)(rc_reader *r, rc_fault fault, const char *at, const char *fmt, ...) {
    va_list args;
    assert((unsigned)fault < RC_FAULTS);
    r->fault = fault;
    r->col = 0;
    for (const char *p = r->row; at && p <= at && p <= r->end; p++)
        r->col += p == r->end || ((unsigned char)*p & 0xC0) != 0x80; /* characters, not bytes */
    va_start(args, fmt);
    (void)vsnprintf(r->why, sizeof r->why, fmt, args);
    va_end(args);
    return false;
}

bool(rc_reader_no_memory)(rc_reader *r) {
    if (r->status == RC_OK)
        r->status =
            rc_fail_at(r->err, RC_E_NOMEM, r->name, (int)r->line, 0, "out of memory while reading");
    return false;
}

bool rc_reader_room(rc_reader *r, void *array_pointer, size_t *room, size_t need, size_t bytes) {
    void *p;
    assert(bytes > 0);
    if (need <= *room)
        return true;
    size_t more = need + need / 2 + 64;
    memcpy(&p, array_pointer, sizeof p);
    p = realloc(p, more * bytes);
    if (!p)
        return rc_reader_no_memory(r);
    memcpy(array_pointer, &p, sizeof p);
    *room = more;
    return true;
}

bool rc_reader_since(rc_reader *r, rc_stamp from, rc_stamp s, const char *at, rc_time *out) {
    const int64_t most = INT64_C(86400) * RC_TRACE_MAX_DAYS;
    int64_t seconds = s.s - from.s;
    if (seconds > most || seconds < -most)
        return rc_bad(r, RC_FAULT_ABSURD, at, "a time of %lld s is more than %d days",
                      (long long)seconds, RC_TRACE_MAX_DAYS);
    *out = seconds * (rc_time)RC_PS_PER_S + s.ps - from.ps;
    return true;
}

bool rc_reader_arrival(rc_reader *r, rc_stamp s, const char *at, rc_time *out) {
    if (r->based && !r->sort && rc_stamp_before(s, r->last))
        return rc_bad(
            r, RC_FAULT_BACKWARDS, at,
            "time goes backwards: %lld.%06lld s after %lld.%06lld s (--sort takes rows in "
            "any order)",
            (long long)s.s, (long long)(s.ps / 1000000), (long long)r->last.s,
            (long long)(r->last.ps / 1000000));
    return rc_reader_since(r, r->based ? r->base : s, s, at, out);
}

void rc_reader_arrived(rc_reader *r, rc_stamp s) {
    if (!r->based)
        r->base = s;
    r->based = true;
    r->last = s;
}

bool rc_reader_timing(rc_reader *r, bool timed, const char *what, const char *at) {
    rc_timing now = timed ? RC_TIMED : RC_LENGTHS;
    if (r->timing == RC_TIMING_OPEN)
        r->timing = now;
    if (r->timing == now)
        return true;
    return timed ? rc_bad(r, RC_FAULT_SYNTAX, at, "'%s' is there, the rows above have none", what)
                 : rc_bad(r, RC_FAULT_MISSING, at, "'%s' is missing, the rows above have it", what);
}

bool rc_reader_drop(rc_reader *r) {
    r->t->dropped++;
    rc_ids_left_out(&r->ids);
    return true;
}

bool rc_no_name(rc_slice name) {
    static const char *const nothing[] = {"nan", "null", "none"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
        if (name.n == strlen(nothing[i]) && strncasecmp(name.p, nothing[i], name.n) == 0)
            return true;
    return name.n == 0;
}

uint32_t rc_reader_session(rc_reader *r, rc_slice name) {
    uint32_t k = rc_names_put(&r->sessions, name.p, name.n), known = r->t->sessions;
    if (k == UINT32_MAX ||
        !rc_reader_room(r, &r->session, &r->session_room, (size_t)k + 1, sizeof *r->session)) {
        (void)rc_reader_no_memory(r);
        return RC_NO_SESSION;
    }
    if (k == known) {
        r->session[k] = (rc_session){.last = RC_NO_REQUEST, .round = -1};
        r->t->sessions++;
    }
    return k;
}

bool rc_reader_add(rc_reader *r, rc_req *q) {
    rc_trace *t = r->t;
    assert(q->input >= 1 && q->output >= 1);
    assert(q->session == RC_NO_SESSION || q->session < t->sessions);
    assert(q->after == RC_NO_REQUEST || q->after < t->count);
    assert(q->spans == 0 || q->span + q->spans == t->span_count);
    if (!rc_reader_room(r, &t->at, &r->at_room, t->count + 1, sizeof *t->at))
        return false;
    q->child = q->sibling = RC_NO_REQUEST;
    if (q->session != RC_NO_SESSION) {
        rc_session *s = &r->session[q->session];
        q->turn = s->turns++;
        s->last = (uint32_t)t->count;
    }
    t->at[t->count++] = *q;
    return true;
}

static bool push_span(rc_reader *r, rc_req *q, uint32_t first, uint32_t count) {
    rc_trace *t = r->t;
    if (count == 0)
        return true;
    if (q->spans > 0) {
        rc_span *last = &t->spans[t->span_count - 1];
        if (last->first + last->count == first) {
            last->count += count;
            q->named += count;
            return true;
        }
    }
    if (t->span_count >= UINT32_MAX) {
        r->status = rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 0,
                               "more than 4294967295 runs of blocks");
        return false;
    }
    if (!rc_reader_room(r, &t->spans, &r->span_room, t->span_count + 1, sizeof *t->spans))
        return false;
    if (q->spans == 0)
        q->span = (uint32_t)t->span_count;
    t->spans[t->span_count++] = (rc_span){first, count};
    q->spans++;
    q->named += count;
    return true;
}

bool rc_reader_number(rc_reader *r, rc_req *q, bool as_is) {
    for (size_t i = 0; i < r->raws; i++) {
        const rc_raw_span *raw = &r->raw[i];
        if (as_is) {
            if (!push_span(r, q, (uint32_t)raw->first, raw->count))
                return false;
            continue;
        }
        for (uint32_t k = 0; k < raw->count; k++) {
            uint32_t id;
            rc_ids_answer a = rc_ids_number(&r->ids, raw->first + k, &id);
            if (a == RC_IDS_NO_MEMORY)
                return rc_reader_no_memory(r);
            if (a == RC_IDS_FULL) {
                r->status = rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 0,
                                       "more than 2147483647 different blocks");
                return false;
            }
            if (!push_span(r, q, id, 1))
                return false;
        }
    }
    return true;
}

bool rc_reader_chain(rc_reader *r, rc_req *q, uint32_t last, uint32_t keep, uint32_t blocks) {
    bool common = last == RC_NO_REQUEST;
    assert(common || last < r->t->count);
    size_t count = common ? r->commons : r->t->at[last].spans;
    if (keep > blocks)
        keep = blocks;
    for (size_t i = 0; i < count && q->named < keep; i++) {
        /* by index: the array of spans may move while it grows */
        rc_span s = common ? r->common[i] : r->t->spans[r->t->at[last].span + i];
        uint32_t n = keep - q->named < s.count ? keep - q->named : s.count;
        if (!push_span(r, q, s.first, n))
            return false;
    }
    if (blocks <= q->named)
        return true;
    uint32_t fresh = blocks - q->named;
    if (fresh > RC_FRESH_BLOCK - 1 - r->fresh) {
        r->status = rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 0,
                               "more than 2147483647 different blocks");
        return false;
    }
    r->fresh += fresh;
    return push_span(r, q, RC_FRESH_BLOCK + r->fresh - fresh, fresh);
}
