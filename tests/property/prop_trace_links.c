/* A trace cut down to some of its requests, in another order, against the whole one: who waits for whom, and sessions and blocks
 * that are still those of the whole trace, numbered without gaps in its order.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "sim/trace/links.h"
#include "tests/support/prop.h"

enum { MOST = 40, SPANS = 3, BLOCKS = 60, SESSIONS = 7 };

static rc_trace *drawn(prop_case *c, size_t count) {
    rc_trace *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    *t = (rc_trace){.count = count, .block = 16, .blocks = BLOCKS, .sessions = SESSIONS};
    t->at = calloc(count, sizeof *t->at);
    t->spans = calloc(count * SPANS, sizeof *t->spans);
    if (!t->at || !t->spans)
        abort();
    for (size_t i = 0; i < count; i++) {
        rc_req *q = &t->at[i];
        const bool follows = i > 0 && prop_one_in(c, 2);
        *q = (rc_req){.input = 1 + (uint32_t)i, .output = 1, .prefix = -1};
        q->after = follows ? (uint32_t)prop_below(c, i) : RC_NO_REQUEST;
        q->arrival = follows ? RC_NO_ARRIVAL : (rc_time)i;
        q->session = prop_one_in(c, 4) ? RC_NO_SESSION : (uint32_t)prop_below(c, SESSIONS);
        q->span = (uint32_t)t->span_count;
        q->spans = (uint32_t)prop_below(c, SPANS + 1);
        for (uint32_t s = 0; s < q->spans; s++) {
            const uint32_t first = (uint32_t)prop_below(c, BLOCKS - 5);
            t->spans[t->span_count++] = (rc_span){first, 1 + (uint32_t)prop_below(c, 5)};
            q->named += t->spans[t->span_count - 1].count;
        }
    }
    rc_trace_link(t);
    return t;
}

/* Children of a request by its list are those that name it, in the order of the array. */
static bool children_are_listed(const rc_trace *t) {
    bool closed = false;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t child = t->at[i].child;
        for (size_t k = 0; k < t->count; k++)
            if (t->at[k].after == i) {
                if (child != k)
                    return false;
                child = t->at[k].sibling;
            }
        closed = closed || t->at[i].after != RC_NO_REQUEST ||
                 (t->at[i].arrival == RC_NO_ARRIVAL && t->at[i].session != RC_NO_SESSION);
        if (child != RC_NO_REQUEST)
            return false;
    }
    return closed == t->closed_loop;
}

static void use_of(const rc_trace *t, const uint32_t *from, size_t count, bool *session,
                   bool *block) {
    for (size_t i = 0; i < count; i++) {
        const rc_req *q = &t->at[from[i]];
        if (q->session != RC_NO_SESSION)
            session[q->session] = true;
        for (uint32_t s = 0; s < q->spans; s++)
            for (uint32_t k = 0; k < t->spans[q->span + s].count; k++)
                block[t->spans[q->span + s].first + k] = true;
    }
}

static uint32_t below(const bool *used, uint32_t n) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += used[i];
    return count;
}

static uint32_t place_of(const uint32_t *from, size_t count, uint32_t request) {
    for (size_t i = 0; i < count; i++)
        if (from[i] == request)
            return (uint32_t)i;
    return RC_NO_REQUEST;
}

static bool is_the_part(const rc_trace *all, const rc_trace *t, const uint32_t *from,
                        size_t count) {
    bool session[SESSIONS] = {false}, block[BLOCKS] = {false};
    size_t spans = 0;
    use_of(all, from, count, session, block);
    if (t->count != count || t->sessions != below(session, SESSIONS) ||
        t->blocks != below(block, BLOCKS))
        return false;
    for (size_t i = 0; i < count; i++) {
        const rc_req *was = &all->at[from[i]], *is = &t->at[i];
        const uint32_t after =
            was->after == RC_NO_REQUEST ? RC_NO_REQUEST : place_of(from, count, was->after);
        const uint32_t its =
            was->session == RC_NO_SESSION ? RC_NO_SESSION : below(session, was->session);
        if (is->input != was->input || is->after != after || is->session != its ||
            is->spans != was->spans || is->named != was->named || is->span != spans)
            return false;
        for (uint32_t s = 0; s < is->spans; s++) {
            const rc_span *x = &all->spans[was->span + s], *y = &t->spans[spans++];
            if (y->count != x->count || y->first != below(block, x->first))
                return false;
        }
    }
    return t->span_count == spans && children_are_listed(t);
}

static bool a_part_is_of_the_whole(prop_case *c) {
    const size_t count = 1 + prop_below(c, c->size < MOST ? c->size : MOST),
                 kept = 1 + prop_below(c, count);
    const uint64_t seed = c->state;
    rc_trace *all = drawn(c, count);
    c->state = seed;
    rc_trace *t = drawn(c, count);
    uint32_t from[MOST + 1];
    rc_error err;
    for (size_t i = 0; i < count; i++) { /* a drawn order, of which the first ones are kept */
        const size_t k = prop_below(c, i + 1);
        from[i] = from[k];
        from[k] = (uint32_t)i;
    }
    const bool good = children_are_listed(all) && rc_trace_keep(t, from, kept, &err) == RC_OK &&
                      is_the_part(all, t, from, kept);
    rc_trace_free(all);
    rc_trace_free(t);
    PROP_CHECK(c, good, "%zu of %zu requests", kept, count);
    return true;
}

static void test_part(void **state) {
    (void)state;
    assert_true(prop_run("a_part_is_of_the_whole", a_part_is_of_the_whole, MOST));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_part)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
