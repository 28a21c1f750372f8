/* The event queue against a list kept in the order of (time, when scheduled), over random pushes,
 * cancels, moves, steps, looks ahead and handlers that schedule.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/engine/eventq_inline.h"
#include "tests/support/prop.h"

#define MOST 4000

typedef struct entry {
    rc_time time;
    uint64_t order;
    rc_event handle;
    uint64_t arg;
} entry;

typedef struct world {
    prop_case *c;
    rc_eventq *q;
    entry list[MOST]; /* pending, unsorted: the model looks for the least */
    size_t n;
    rc_event dead[64]; /* handles of events gone */
    size_t n_dead;
    uint64_t order, next_arg, last_arg, fired;
    rc_time last_time;
    int spread;  /* times lie within 2^spread of now */
    size_t most; /* no more are scheduled than this, but for bursts */
} world;

static rc_time some_time(world *w) {
    rc_time now = rc_eventq_now(w->q);
    if (prop_one_in(w->c, 4))
        return now; /* ties */
    uint64_t span = (uint64_t)1 << prop_range(w->c, 0, w->spread);
    return now + (rc_time)prop_below(w->c, span);
}

static void on_fire(void *ctx, uint64_t arg, rc_time now);

static void schedule(world *w) {
    if (w->n >= w->most)
        return;
    rc_time t = some_time(w);
    rc_event h = rc_eventq_at(w->q, t, on_fire, w, w->next_arg);
    w->list[w->n++] = (entry){t, w->order++, h, w->next_arg++};
}

static void forget(world *w, size_t i) {
    w->dead[w->n_dead++ % 64] = w->list[i].handle;
    w->list[i] = w->list[--w->n];
}

/* What handlers do must not depend on what they are checked for, or a failure would not shrink. */
static void on_fire(void *ctx, uint64_t arg, rc_time now) {
    world *w = ctx;
    w->last_arg = arg;
    w->last_time = now;
    w->fired++;
    for (size_t i = 0; i < w->n; i++) {
        if (w->list[i].arg == arg) {
            forget(w, i);
            break;
        }
    }
    if (prop_one_in(w->c, 2))
        schedule(w);
}

static size_t least(const world *w) {
    size_t m = 0;
    for (size_t i = 1; i < w->n; i++)
        if (w->list[i].time < w->list[m].time ||
            (w->list[i].time == w->list[m].time && w->list[i].order < w->list[m].order))
            m = i;
    return m;
}

static bool one_step(world *w) {
    prop_case *c = w->c;
    if (w->n == 0) {
        PROP_CHECK(c, !rc_eventq_step(w->q), "an event fired from an empty queue");
        return true;
    }
    entry e = w->list[least(w)];
    PROP_CHECK(c, rc_eventq_step(w->q), "nothing fired, %zu pending", w->n);
    PROP_CHECK(c, w->last_arg == e.arg && w->last_time == e.time,
               "fired event %llu at %lld, expected %llu at %lld", (unsigned long long)w->last_arg,
               (long long)w->last_time, (unsigned long long)e.arg, (long long)e.time);
    return true;
}

static bool cancel_or_move(world *w, bool move) {
    prop_case *c = w->c;
    if (w->n_dead > 0) {
        rc_event dead = w->dead[prop_below(c, w->n_dead < 64 ? w->n_dead : 64)];
        PROP_CHECK(c, !rc_eventq_pending(w->q, dead), "a stale handle is pending");
        PROP_CHECK(c, !rc_eventq_cancel(w->q, dead), "a stale handle was cancelled");
        PROP_CHECK(c, !rc_eventq_move(w->q, dead, rc_eventq_now(w->q)), "a stale handle was moved");
    }
    if (w->n == 0)
        return true;
    entry *e = &w->list[prop_below(c, w->n)];
    PROP_CHECK(c, rc_eventq_pending(w->q, e->handle), "a pending event is not");
    if (!move) {
        PROP_CHECK(c, rc_eventq_cancel(w->q, e->handle), "cancel said no");
        forget(w, (size_t)(e - w->list));
        return true;
    }
    rc_time t = some_time(w);
    PROP_CHECK(c, rc_eventq_move(w->q, e->handle, t), "move said no");
    e->time = t;
    e->order = w->order++;
    return true;
}

static bool look_ahead(world *w) {
    rc_time next = rc_eventq_next_inline(w->q);
    rc_time expected = w->n > 0 ? w->list[least(w)].time : RC_TIME_NEVER;
    PROP_CHECK(w->c, next == expected, "next is at %lld, expected %lld", (long long)next,
               (long long)expected);
    return true;
}

/* More events than the run holds, before the next one or at its very time: after a look ahead this
 * is where the far tier must go back. */
static bool one_step(world *w);

static bool burst(world *w) {
    for (int i = 0; i < 64 && w->n > 0 && w->q->head != w->q->tail; i++)
        if (!one_step(w)) /* so that the look ahead moves the far tier */
            return false;
    rc_time now = rc_eventq_now(w->q), next = rc_eventq_next_inline(w->q);
    uint64_t gap = next == RC_TIME_NEVER ? 100 : (uint64_t)(next - now) + 1;
    for (int64_t i = prop_range(w->c, 1, 200); i > 0 && w->n < MOST; i--) {
        rc_time t = prop_one_in(w->c, 3) && next != RC_TIME_NEVER
                        ? next
                        : now + (rc_time)prop_below(w->c, gap);
        rc_event h = rc_eventq_at(w->q, t, on_fire, w, w->next_arg);
        w->list[w->n++] = (entry){t, w->order++, h, w->next_arg++};
    }
    return true;
}

static bool drive(world *w) {
    prop_case *c = w->c;
    unsigned grow = (unsigned)prop_range(c, 2, 8); /* of 12 actions, this many schedule */
    bool bursts = prop_one_in(c, 2);
    for (unsigned i = 0; i < 10 * c->size; i++) {
        unsigned what = (unsigned)prop_below(c, 12);
        bool ok = true;
        if (bursts && prop_one_in(c, 30) && !burst(w))
            return false;
        if (what < grow)
            schedule(w);
        else if (what < 9)
            ok = one_step(w);
        else if (what < 11)
            ok = cancel_or_move(w, prop_one_in(c, 2));
        else
            ok = look_ahead(w);
        if (!ok)
            return false;
        PROP_CHECK(c, rc_eventq_size(w->q) == w->n, "size %zu, expected %zu", rc_eventq_size(w->q),
                   w->n);
        PROP_CHECK(c, w->q->stale <= w->q->max_stale, "%u stale keys", w->q->stale);
    }
    for (size_t left = 0; w->n > 0 && left < 20000; left++)
        if (!one_step(w))
            return false;
    PROP_CHECK(c, rc_eventq_fired(w->q) == w->fired, "fired %llu", (unsigned long long)w->fired);
    return true;
}

static bool is_a_sorted_list(prop_case *c, size_t most) {
    world *w = calloc(1, sizeof *w);
    w->c = c;
    w->q = rc_eventq_create(1);
    w->spread = (int)prop_range(c, 0, 44);
    w->most = most;
    bool ok = drive(w);
    rc_eventq_destroy(w->q);
    free(w);
    return ok;
}

static bool queue_is_a_sorted_list(prop_case *c) {
    return is_a_sorted_list(c, MOST);
}

/* So few events that the queue is empty now and then. */
static bool short_queue_is_a_sorted_list(prop_case *c) {
    return is_a_sorted_list(c, (size_t)prop_range(c, 1, 8));
}

static void test_short_queue(void **state) {
    (void)state;
    assert_true(prop_run("short_queue_is_a_sorted_list", short_queue_is_a_sorted_list, 200));
}

static void test_queue(void **state) {
    (void)state;
    assert_true(prop_run("queue_is_a_sorted_list", queue_is_a_sorted_list, 120));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_queue),
                                       cmocka_unit_test(test_short_queue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
