/* Rows of JSON lines: Mooncake (with what AIPerf and Dynamo add) and sessions with ranges.
 *
 * AIPerf: rows of one `session_id` are turns, `delay` ms apart, and give only what is new: the
 * input of a turn is all that went before in its session, replies too, and its own tokens. Its
 * blocks stand behind another history than they were hashed with, so only a first turn's ids mean
 * anything to other sessions.
 *
 * Sessions: `id` is the session, `ctx` a chain of requests in it (a sub-agent has its own). A row
 * follows the one before it in its chain by `think_time`; the first of a sub-agent follows the
 * main chain's last by what the clock `t` says. Where the file leaves think_time out, the clock
 * says it, too (counted in rc_trace.derived). A reply of 0 tokens is read as the one token that a
 * prefill gives (counted in rc_trace.raised): the prefill was real. Block numbers are local to a
 * session: each starts from 1 again.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/trace/reader.h"

/* A block may stand only once in a request. Runs are few. */
static bool no_block_twice(rc_reader *r, const char *at) {
    for (size_t i = 1; i < r->raws; i++) {
        for (size_t k = 0; k < i; k++) {
            const rc_raw_span *a = &r->raw[i], *b = &r->raw[k];
            if (a->first - b->first < b->count || b->first - a->first < a->count)
                return rc_bad(r, RC_FAULT_IDS, at, "block %llu is there twice",
                              (unsigned long long)(a->first > b->first ? a->first : b->first));
        }
    }
    return true;
}

static uint64_t raw_blocks(const rc_reader *r) {
    uint64_t n = 0;
    for (size_t i = 0; i < r->raws; i++)
        n += r->raw[i].count;
    return n;
}

/* All blocks of the input, or all but a partial last one. */
static bool blocks_fit(rc_reader *r, uint32_t input, const char *at) {
    assert(r->opt.block >= 1);
    uint64_t n = raw_blocks(r), block = r->opt.block;
    if (n == 0 || n == input / block || n == (input + block - 1) / block)
        return true;
    return rc_bad(r, RC_FAULT_ABSURD, at,
                  "%llu blocks of %llu tokens do not make an input of %lu (--block says how many "
                  "tokens a block has)",
                  (unsigned long long)n, (unsigned long long)block, (unsigned long)input);
}

bool rc_blocks_check(rc_reader *r, uint32_t input, const char *at) {
    return blocks_fit(r, input, at) && no_block_twice(r, at);
}

static bool ids_ordered(rc_reader *r, const char *at) {
    uint64_t most = r->ids.most, bad;
    bool any = r->ids.begun;
    for (size_t i = 0; i < r->raws; i++)
        if (!rc_ids_ordered(&r->ids, &r->raw[i], &most, &any, &bad))
            return rc_bad(r, RC_FAULT_IDS, at,
                          "ids out of order: block %llu is new and comes after block %llu",
                          (unsigned long long)bad, (unsigned long long)most);
    return true;
}

bool rc_blocks_chain(rc_reader *r) {
    assert(r->chain_ids);
    size_t runs = r->raws, n = (size_t)raw_blocks(r);
    uint64_t before = 0;
    if (!rc_reader_room(r, &r->raw, &r->raw_room, n, sizeof *r->raw))
        return false;
    for (size_t to = n; runs-- > 0;) { /* runs to single blocks, from the end */
        rc_raw_span x = r->raw[runs];
        while (x.count > 0)
            r->raw[--to] = (rc_raw_span){x.first + --x.count, 1};
    }
    r->raws = n;
    for (size_t i = 0; i < n; i++)
        r->raw[i].first = before = rc_ids_mix(before ^ rc_ids_mix(r->raw[i].first + 1));
    return true;
}

enum { M_TIME, M_INPUT, M_OUTPUT, M_IDS, M_SESSION, M_DELAY, M_COUNT };

static bool mooncake_turn(rc_reader *r, const rc_member *m, rc_req *q) {
    const rc_value *id = &m[M_SESSION].value, *delay = &m[M_DELAY].value;
    q->session = rc_reader_session(r, id->text);
    if (q->session == RC_NO_SESSION)
        return false;
    uint32_t last = r->session[q->session].last;
    if (last == RC_NO_REQUEST)
        return true;
    const rc_req *before = &r->t->at[last];
    if (delay->kind == RC_VALUE_NUMBER) {
        q->after = last;
        if (!rc_read_duration(r, delay->text, "delay", 1000, &q->think))
            return false;
    } else if (q->arrival == RC_NO_ARRIVAL) {
        return rc_bad(r, RC_FAULT_MISSING, NULL,
                      "a later turn has neither 'timestamp' nor 'delay'");
    }
    uint64_t whole = (uint64_t)before->input + before->output + q->input;
    if (whole > RC_TRACE_MAX_INPUT)
        return rc_bad(r, RC_FAULT_ABSURD, m[M_INPUT].value.text.p,
                      "the session's input grows to %llu tokens, at most %d",
                      (unsigned long long)whole, RC_TRACE_MAX_INPUT);
    q->input = (uint32_t)whole;
    return true;
}

static bool mooncake_blocks(rc_reader *r, rc_req *q) {
    if (q->session == RC_NO_SESSION)
        return rc_reader_number(r, q, false);
    uint32_t last = r->session[q->session].last, full = rc_full_blocks(r, q);
    if (last != RC_NO_REQUEST)
        return rc_reader_chain(r, q, last, r->t->at[last].named, full);
    if (!rc_reader_number(r, q, false))
        return false;
    if (q->named > q->input / r->opt.block) { /* a partial last block goes on as another */
        q->named--;
        if (--r->t->spans[r->t->span_count - 1].count == 0) {
            r->t->span_count--;
            q->spans--;
        }
    }
    return rc_reader_chain(r, q, RC_NO_REQUEST, q->named, full);
}

/* When the row comes: by the clock, after the turn before, or nobody says. */
static bool mooncake_time(rc_reader *r, const rc_member *m, bool session, rc_stamp *stamp,
                          rc_req *q) {
    const rc_value *time = &m[M_TIME].value;
    bool timed = time->kind != RC_VALUE_NONE && time->kind != RC_VALUE_NULL;
    if (timed && !rc_json_need(r, &m[M_TIME], RC_VALUE_NUMBER))
        return false;
    if (!session && !rc_reader_timing(r, timed, "timestamp", time->text.p))
        return false;
    return !timed || (rc_read_arrival(r, time->text, "timestamp", stamp) &&
                      rc_reader_arrival(r, *stamp, time->text.p, &q->arrival));
}

static bool mooncake_ids(rc_reader *r, const rc_member *m, bool session, const rc_req *q) {
    const rc_value *list = &m[M_IDS].value;
    r->raws = 0;
    if (list->kind == RC_VALUE_NONE || list->kind == RC_VALUE_NULL)
        return true;
    if (!rc_json_need(r, &m[M_IDS], RC_VALUE_NESTED) || !rc_json_ids(r, list->text) ||
        (r->chain_ids && !rc_blocks_chain(r)) || !rc_blocks_check(r, q->input, list->text.p))
        return false;
    return session || r->opt.any_ids || r->sort || ids_ordered(r, list->text.p);
}

bool rc_row_mooncake(rc_reader *r) {
    rc_member m[M_COUNT] = {{"timestamp", {0}}, {"input_length", {0}}, {"output_length", {0}},
                            {"hash_ids", {0}},  {"session_id", {0}},   {"delay", {0}}};
    rc_req q = rc_blank_request();
    rc_stamp stamp = {0, 0};
    if (!rc_json_line(r, m, M_COUNT) || !rc_json_need(r, &m[M_INPUT], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[M_OUTPUT], RC_VALUE_NUMBER))
        return false;
    const rc_value *id = &m[M_SESSION].value;
    bool session =
        id->kind == RC_VALUE_NUMBER || (id->kind == RC_VALUE_TEXT && !rc_no_name(id->text));
    if (!rc_read_tokens(r, m[M_INPUT].value.text, "input_length", false, RC_TRACE_MAX_INPUT,
                        &q.input) ||
        !rc_read_output(r, m[M_OUTPUT].value.text, "output_length", &q.output) ||
        !mooncake_time(r, m, session, &stamp, &q) || !mooncake_ids(r, m, session, &q))
        return false;
    r->unit_told = r->unit_told || session || r->raws > 0; /* GuideLLM, in seconds, has neither */
    if (q.output == 0)
        return rc_reader_drop(r);
    if ((session && !mooncake_turn(r, m, &q)) || !mooncake_blocks(r, &q))
        return false;
    bool timed = q.arrival != RC_NO_ARRIVAL;
    if (q.after != RC_NO_REQUEST)
        q.arrival = RC_NO_ARRIVAL;
    if (timed)
        rc_reader_arrived(r, stamp);
    return rc_reader_add(r, &q);
}

/* ---------------------------------------------------------------- sessions ---------------- */
enum { S_ID, S_CTX, S_T, S_IN, S_OUT, S_RANGES, S_API, S_THINK, S_COUNT };

/* Contexts are named within their session. */
static bool session_context(rc_reader *r, rc_slice session, rc_slice ctx, uint32_t *out) {
    size_t n = session.n + 1 + ctx.n;
    if (!rc_reader_room(r, &r->key, &r->key_room, n, 1))
        return false;
    memcpy(r->key, session.p, session.n);
    r->key[session.n] = '\n';
    memcpy(r->key + session.n + 1, ctx.p, ctx.n);
    *out = rc_names_put(&r->contexts, r->key, n);
    if (*out == UINT32_MAX ||
        !rc_reader_room(r, &r->context, &r->context_room, (size_t)*out + 1, sizeof *r->context))
        return rc_reader_no_memory(r);
    if (*out == r->context_count) {
        r->context[*out] = (rc_context){.last = RC_NO_REQUEST};
        r->context_count++;
    }
    return true;
}

/* The request it waits for: the last of its chain, for a new chain the last of the main one. */
static bool session_after(rc_reader *r, rc_req *q, uint32_t ctx, uint32_t main_ctx,
                          const rc_session_request *x) {
    const rc_context *c = &r->context[ctx];
    bool fork = c->last == RC_NO_REQUEST;
    if (fork)
        c = &r->context[main_ctx];
    uint32_t last = c->last;
    if (last == RC_NO_REQUEST) /* a sub-agent before its main chain, or the first of the session */
        last = r->session[q->session].last;
    if (last == RC_NO_REQUEST)
        return true;
    q->after = last;
    q->think = x->think;
    if (!fork && x->thinks)
        return true;
    rc_time gap;
    rc_stamp start = c->last == RC_NO_REQUEST ? r->session[q->session].time : c->start;
    if (!rc_reader_since(r, start, x->t, NULL, &gap))
        return false;
    q->think = gap > c->api ? gap - c->api : 0;
    r->t->derived++;
    return true;
}

bool rc_session_add(rc_reader *r, const rc_session_request *x) {
    rc_slice id = x->session;
    rc_req q = rc_blank_request();
    q.input = x->input;
    q.output = x->output;
    q.session = rc_reader_session(r, id);
    if (q.session == RC_NO_SESSION)
        return false;
    rc_session *s = &r->session[q.session];
    if (s->turns > 0 && rc_stamp_before(x->t, s->time))
        return rc_bad(r, RC_FAULT_BACKWARDS, x->at, "time goes backwards in session '%.*s'",
                      id.n > 60 ? 60 : (int)id.n, id.p);
    uint32_t c, main_ctx;
    if (!session_context(r, id, id, &main_ctx) || !session_context(r, id, x->ctx, &c) ||
        !session_after(r, &q, c, main_ctx, x) || !rc_reader_number(r, &q, r->local_ids))
        return false;
    for (size_t i = 0; r->local_ids && i < r->raws; i++) {
        uint32_t end = (uint32_t)r->raw[i].first + r->raw[i].count;
        if (end > s->blocks)
            s->blocks = end;
    }
    if (q.output == 0) {
        q.output = 1;
        r->t->raised++;
    }
    s->time = x->t;
    r->context[c] = (rc_context){(uint32_t)r->t->count, x->t, x->api};
    return rc_reader_add(r, &q);
}

bool rc_row_sessions(rc_reader *r) {
    rc_member m[S_COUNT] = {{"id", {0}},       {"ctx", {0}},       {"t", {0}},
                            {"in", {0}},       {"out", {0}},       {"hash_ranges", {0}},
                            {"api_time", {0}}, {"think_time", {0}}};
    rc_session_request x = {.api = 0};
    if (!rc_json_line(r, m, S_COUNT) || !rc_json_need(r, &m[S_ID], RC_VALUE_TEXT) ||
        (!rc_member_absent(&m[S_CTX]) && !rc_json_need(r, &m[S_CTX], RC_VALUE_TEXT)) ||
        !rc_json_need(r, &m[S_T], RC_VALUE_NUMBER) || !rc_json_need(r, &m[S_IN], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[S_OUT], RC_VALUE_NUMBER) ||
        !rc_json_need(r, &m[S_RANGES], RC_VALUE_NESTED) ||
        (!rc_member_absent(&m[S_API]) && !rc_json_need(r, &m[S_API], RC_VALUE_NUMBER)) ||
        (!rc_member_absent(&m[S_THINK]) && !rc_json_need(r, &m[S_THINK], RC_VALUE_NUMBER)))
        return false;
    x.session = m[S_ID].value.text;
    x.ctx = rc_member_absent(&m[S_CTX]) ? x.session : m[S_CTX].value.text;
    x.at = m[S_T].value.text.p;
    x.thinks = !rc_member_absent(&m[S_THINK]);
    if (!rc_read_tokens(r, m[S_IN].value.text, "in", false, RC_TRACE_MAX_INPUT, &x.input) ||
        !rc_read_tokens(r, m[S_OUT].value.text, "out", true, RC_TRACE_MAX_OUTPUT, &x.output) ||
        !rc_read_arrival(r, m[S_T].value.text, "t", &x.t) ||
        (!rc_member_absent(&m[S_API]) &&
         !rc_read_duration(r, m[S_API].value.text, "api_time", 1, &x.api)) ||
        (x.thinks && !rc_read_duration(r, m[S_THINK].value.text, "think_time", 1, &x.think)))
        return false;
    const char *list = m[S_RANGES].value.text.p;
    return rc_json_ranges(r, m[S_RANGES].value.text) && rc_blocks_check(r, x.input, list) &&
           rc_session_add(r, &x);
}

/* Each session's blocks behind those of the one before. */
bool rc_sessions_finish(rc_reader *r) {
    rc_trace *t = r->t;
    assert(r->local_ids);
    uint64_t base = 0;
    for (uint32_t s = 0; s < t->sessions; s++) {
        uint32_t blocks = r->session[s].blocks;
        r->session[s].blocks = (uint32_t)base; /* from here on: where they begin */
        base += blocks;
        if (base >= UINT32_MAX) {
            r->status = rc_fail_file(r->err, RC_E_INPUT, r->name,
                                     "more than 4294967294 blocks over all sessions");
            return false;
        }
    }
    for (size_t i = 0; i < t->count; i++)
        for (uint32_t k = 0; k < t->at[i].spans; k++)
            t->spans[t->at[i].span + k].first += r->session[t->at[i].session].blocks;
    t->blocks = (uint32_t)base;
    return true;
}
