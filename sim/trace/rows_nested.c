/* Rows of which one holds several requests: sessions of the kv-cache-tester (WEKA), sessions of
 * LLMServingSim, and results of serving benchmarks. Such a row is read whole before the first
 * request of it is added, or it ends the reading: half a session would be another one.
 *
 * WEKA: `requests` of a conversation, `t` in seconds from its start, `in` and `out` tokens,
 * `hash_ids` of blocks of `block_size` tokens, local to the conversation unless `hash_id_scope` is
 * "global"; an entry of type "subagent" holds `requests` of its own, a chain beside the main one.
 * They are put in the order of `t` and then read as the rows of sessions are.
 *
 * LLMServingSim: `sub_requests`, each with its whole prompt; one comes `tool_duration_ns` of the
 * one before after its end.
 *
 * Benchmarks of vLLM and SGLang (--save-detailed): lists `input_lens` and `output_lens`, and
 * `start_times` in seconds where the version writes them. A request without output has failed: it
 * is dropped and counted.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "sim/trace/reader.h"

/* Ends the reading with what rc_bad said. */
static bool end_reading(rc_reader *r) {
    if (r->status == RC_OK)
        r->status = rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", r->why);
    return false;
}

enum { DEEPEST = 8 }; /* sub-agents of sub-agents */

/* ---- WEKA ----------------------------------------------------------------------------------- */
typedef struct weka_entry {
    rc_slice text, ctx;
    rc_stamp t;
    size_t place;
} weka_entry;

typedef struct weka_list {
    weka_entry *at;
    size_t count, room;
} weka_list;

static int by_time(const void *a, const void *b) {
    const weka_entry *x = a, *y = b;
    if (x->t.s != y->t.s || x->t.ps != y->t.ps)
        return rc_stamp_before(x->t, y->t) ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool weka_collect(rc_reader *r, weka_list *l, rc_slice list, rc_slice ctx, int depth);

static bool weka_entry_of(rc_reader *r, weka_list *l, const rc_value *item, rc_slice ctx,
                          int depth) {
    rc_member m[] = {{"t", {0}}, {"requests", {0}}, {"agent_id", {0}}};
    if (item->kind != RC_VALUE_NESTED || item->text.p[0] != '{')
        return rc_bad(r, RC_FAULT_SYNTAX, item->text.p, "a request is no object");
    if (!rc_json_members(r, item->text, m, 3))
        return false;
    if (!rc_member_absent(&m[1])) {
        rc_slice own = m[2].value.text; /* without a name: what stands at its start */
        if (rc_member_absent(&m[2]))
            own = (rc_slice){item->text.p, item->text.n < 400 ? item->text.n : 400};
        return weka_collect(r, l, m[1].value.text, own, depth + 1);
    }
    weka_entry e = {item->text, ctx, {0, 0}, l->count};
    if (!rc_json_need(r, &m[0], RC_VALUE_NUMBER) ||
        !rc_read_stamp(r, m[0].value.text, "t", 1, &e.t) ||
        !rc_reader_room(r, &l->at, &l->room, l->count + 1, sizeof *l->at))
        return false;
    l->at[l->count++] = e;
    return true;
}

static bool weka_collect(rc_reader *r, weka_list *l, rc_slice list, rc_slice ctx, int depth) {
    const char *p = list.p;
    bool more = true;
    rc_value item;
    if (list.n == 0 || *p != '[' || depth > DEEPEST)
        return rc_bad(r, RC_FAULT_SYNTAX, p, "'requests' is no list, or too deep");
    for (;;) {
        if (!rc_json_item(r, &p, list.p + list.n, &item, &more))
            return false;
        if (!more)
            return true;
        if (!weka_entry_of(r, l, &item, ctx, depth))
            return false;
    }
}

static bool weka_request(rc_reader *r, rc_slice session, const weka_entry *e) {
    rc_member m[] = {
        {"in", {0}}, {"out", {0}}, {"hash_ids", {0}}, {"api_time", {0}}, {"think_time", {0}}};
    rc_session_request x = {.session = session, .ctx = e->ctx, .t = e->t, .at = e->text.p};
    if (!rc_json_members(r, e->text, m, 5) || !rc_json_need(r, &m[0], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[1], RC_VALUE_NUMBER) ||
        !rc_read_tokens(r, m[0].value.text, "in", false, RC_TRACE_MAX_INPUT, &x.input) ||
        !rc_read_tokens(r, m[1].value.text, "out", true, RC_TRACE_MAX_OUTPUT, &x.output) ||
        (!rc_member_absent(&m[3]) &&
         !rc_read_duration(r, m[3].value.text, "api_time", 1, &x.api)) ||
        (!rc_member_absent(&m[4]) &&
         !rc_read_duration(r, m[4].value.text, "think_time", 1, &x.think)))
        return false;
    x.thinks = !rc_member_absent(&m[4]);
    r->raws = 0;
    if (!rc_member_absent(&m[2]) &&
        (!rc_json_need(r, &m[2], RC_VALUE_NESTED) || !rc_json_ids(r, m[2].value.text) ||
         !rc_blocks_check(r, x.input, m[2].value.text.p)))
        return false;
    for (size_t i = 0; r->local_ids && i < r->raws; i++)
        if (r->raw[i].first > RC_TRACE_MAX_INPUT || r->raw[i].count > RC_TRACE_MAX_INPUT)
            return rc_bad(r, RC_FAULT_ABSURD, m[2].value.text.p, "a block beyond %d",
                          RC_TRACE_MAX_INPUT);
    return rc_session_add(r, &x);
}

static bool weka_head(rc_reader *r, rc_member *m) {
    int64_t block = r->opt.block;
    bool global = m[3].value.kind == RC_VALUE_TEXT && m[3].value.text.n == 6 &&
                  memcmp(m[3].value.text.p, "global", 6) == 0;
    if (!rc_json_need(r, &m[0], RC_VALUE_TEXT) || !rc_json_need(r, &m[1], RC_VALUE_NESTED) ||
        (!rc_member_absent(&m[2]) &&
         !rc_read_whole(r, m[2].value.text, "block_size", 1, 1 << 20, &block)))
        return false;
    if (r->t->count > 0 && ((uint32_t)block != r->opt.block || global == r->local_ids))
        return rc_bad(r, RC_FAULT_SYNTAX, m[0].value.text.p,
                      "another block_size or hash_id_scope than the sessions above");
    r->opt.block = r->t->block = (uint32_t)block;
    r->local_ids = !global;
    return true;
}

bool rc_row_weka(rc_reader *r) {
    rc_member m[] = {{"id", {0}}, {"requests", {0}}, {"block_size", {0}}, {"hash_id_scope", {0}}};
    weka_list l = {0};
    bool ok = rc_json_line(r, m, 4) && weka_head(r, m) &&
              weka_collect(r, &l, m[1].value.text, m[0].value.text, 0);
    if (ok && l.count > 1)
        qsort(l.at, l.count, sizeof *l.at, by_time);
    for (size_t i = 0; ok && i < l.count; i++) {
        if (r->opt.limit > 0 && r->t->count >= r->opt.limit)
            break;
        r->t->rows += i > 0; /* a request is a row */
        ok = weka_request(r, m[0].value.text, &l.at[i]);
    }
    free(l.at);
    return ok || end_reading(r);
}

/* ---- LLMServingSim -------------------------------------------------------------------------- */

static bool sub_request(rc_reader *r, const rc_value *item, uint32_t session, bool first,
                        rc_time arrival, rc_time *think) {
    rc_member m[] = {{"input_toks", {0}}, {"output_toks", {0}}, {"tool_duration_ns", {0}}};
    rc_req q = {.arrival = first ? arrival : RC_NO_ARRIVAL,
                .after = first ? RC_NO_REQUEST : r->session[session].last,
                .think = first ? 0 : *think,
                .session = session,
                .prefix = -1};
    *think = 0;
    if (item->kind != RC_VALUE_NESTED || item->text.p[0] != '{')
        return rc_bad(r, RC_FAULT_SYNTAX, item->text.p, "a sub_request is no object");
    if (!rc_json_members(r, item->text, m, 3) || !rc_json_need(r, &m[0], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[1], RC_VALUE_NUMBER) ||
        !rc_read_tokens(r, m[0].value.text, "input_toks", false, RC_TRACE_MAX_INPUT, &q.input) ||
        !rc_read_output(r, m[1].value.text, "output_toks", &q.output) ||
        (!rc_member_absent(&m[2]) &&
         !rc_read_duration(r, m[2].value.text, "tool_duration_ns", 1000000000, think)))
        return false;
    if (q.output == 0)
        return rc_bad(r, RC_FAULT_ZERO, item->text.p, "a turn of a session cannot be dropped");
    return rc_reader_add(r, &q);
}

static bool simulated_session(rc_reader *r, rc_member *m) {
    const rc_value *list = &m[1].value;
    const char *p = list->text.p;
    rc_value item;
    rc_stamp t;
    rc_time arrival = 0, think = 0;
    if (rc_member_absent(&m[0]) || list->kind != RC_VALUE_NESTED)
        return rc_bad(r, RC_FAULT_MISSING, NULL, "a session without 'session_id' or sub_requests");
    uint32_t session = rc_reader_session(r, m[0].value.text);
    bool timed = !rc_member_absent(&m[2]);
    if (session == RC_NO_SESSION ||
        (timed && (!rc_read_arrival(r, m[2].value.text, "arrival_time_ns", &t) ||
                   !rc_reader_arrival(r, t, m[2].value.text.p, &arrival))))
        return false;
    for (bool first = true, more = true;; first = false) {
        if (!rc_json_item(r, &p, list->text.p + list->text.n, &item, &more))
            return false;
        if (!more)
            break;
        if (!sub_request(r, &item, session, first, timed ? arrival : RC_NO_ARRIVAL, &think))
            return false;
    }
    if (timed)
        rc_reader_arrived(r, t);
    return true;
}

bool rc_row_llmservingsim(rc_reader *r) {
    rc_member m[] = {{"session_id", {0}}, {"sub_requests", {0}}, {"arrival_time_ns", {0}}};
    if (!rc_json_line(r, m, 3))
        return false;
    if (rc_member_absent(&m[1]))
        return rc_row_own(r);
    return simulated_session(r, m) || end_reading(r);
}

/* ---- results of benchmarks ------------------------------------------------------------------ */

typedef struct lists {
    const char *p[3], *end[3];
} lists;

static bool next_of_lists(rc_reader *r, lists *l, rc_value *v, bool timed, bool *more) {
    bool other = true;
    for (int k = 0; k < (timed ? 3 : 2); k++) {
        if (!rc_json_item(r, &l->p[k], l->end[k], &v[k], &other))
            return false;
        if (k > 0 && other != *more)
            return rc_bad(r, RC_FAULT_SYNTAX, l->p[k], "lists of different lengths");
        *more = other;
        if (other && v[k].kind != RC_VALUE_NUMBER)
            return rc_bad(r, RC_FAULT_SYNTAX, v[k].text.p, "a list of other things than numbers");
    }
    return true;
}

static bool one_of_lists(rc_reader *r, const rc_value *v, bool timed) {
    rc_req q = rc_blank_request();
    rc_stamp t;
    if (!rc_read_tokens(r, v[0].text, "input_lens", true, RC_TRACE_MAX_INPUT, &q.input) ||
        !rc_read_tokens(r, v[1].text, "output_lens", true, RC_TRACE_MAX_OUTPUT, &q.output) ||
        (timed && (!rc_read_arrival(r, v[2].text, "start_times", &t) ||
                   !rc_reader_arrival(r, t, v[2].text.p, &q.arrival))))
        return false;
    if (q.input == 0 || q.output == 0)
        return rc_reader_drop(r);
    if (timed)
        rc_reader_arrived(r, t);
    return rc_reader_add(r, &q);
}

static bool result_lists(rc_reader *r) {
    rc_member m[] = {{"input_lens", {0}}, {"output_lens", {0}}, {"start_times", {0}}};
    lists l = {0};
    rc_value v[3];
    if (!rc_json_line(r, m, 3) || !rc_json_need(r, &m[0], RC_VALUE_NESTED) ||
        !rc_json_need(r, &m[1], RC_VALUE_NESTED))
        return false;
    bool timed = m[2].value.kind == RC_VALUE_NESTED;
    if (r->t->rows > 1)
        return rc_bad(r, RC_FAULT_SYNTAX, NULL,
                      "a second result in the file: a trace is of one run");
    if (!rc_reader_timing(r, timed, "start_times", NULL))
        return false;
    for (int k = 0; k < 3; k++) {
        l.p[k] = m[k].value.text.p;
        l.end[k] = l.p[k] ? l.p[k] + m[k].value.text.n : NULL;
        if (l.p[k] && m[k].value.kind == RC_VALUE_NESTED && *l.p[k] != '[')
            return rc_bad(r, RC_FAULT_SYNTAX, l.p[k], "'%s' is not a list", m[k].name);
    }
    for (bool first = true, more = true;; first = false) {
        if (!next_of_lists(r, &l, v, timed, &more))
            return false;
        if (!more)
            return true;
        r->t->rows += !first;
        if (!one_of_lists(r, v, timed))
            return false;
    }
}

bool rc_row_vllm(rc_reader *r) {
    return result_lists(r) || end_reading(r);
}
