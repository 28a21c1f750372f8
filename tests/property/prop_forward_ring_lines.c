/* A ring on lines, times that gain a constant each repetition, is the ring on the times themselves, in every repetition for which
 * it says so.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sim/forward/replay.h"
#include "tests/support/prop.h"

enum { MOST = 6, SHAPES = 5, LISTS = 5 };
enum { HOST, COMPUTE, COMM, MSG, ATT }; /* in the order of the lines */

typedef struct drawn {
    rc_ring k;
    rc_block block;
    rc_time message[MOST], cost[4][SHAPES];
    uint16_t cells[MOST * MOST];
    rc_line before[LISTS * MOST], after[LISTS * MOST];
} drawn;

static void draw(prop_case *c, drawn *d) {
    memset(d, 0, sizeof *d);
    const int n = (int)prop_range(c, 2, MOST);
    const bool attends = !prop_one_in(c, 4);
    d->block.decode = (uint16_t)prop_below(c, SHAPES);
    d->k = (rc_ring){.block = &d->block,
                     .n = n,
                     .eager = prop_one_in(c, 2),
                     .hosted = attends && prop_one_in(c, 2),
                     .attends = attends,
                     .decodes = attends && prop_one_in(c, 3),
                     .waits = attends && prop_one_in(c, 3),
                     .host = prop_range(c, 0, 40),
                     .launch = prop_range(c, 0, 10),
                     .message = d->message,
                     .cells = d->cells,
                     .cost = d->cost[0],
                     .slowed = d->cost[1],
                     .beside = d->cost[2],
                     .beside_slowed = d->cost[3],
                     .slow = prop_one_in(c, 2) ? (int)prop_below(c, (uint64_t)n) : -1};
    d->k.serial = !d->k.waits && prop_one_in(c, 4);
    for (int i = 0; i < n; i++)
        d->message[i] = prop_range(c, 0, 100);
    for (int i = 0; i < 4; i++)
        for (int s = 0; s < SHAPES; s++)
            d->cost[i][s] = prop_range(c, 0, 100);
    for (int i = 0; i < n * n; i++)
        d->cells[i] = (uint16_t)prop_below(c, SHAPES);
    const bool apart = prop_one_in(c, 2);
    for (int i = 0; i < LISTS * n; i++) {
        d->before[i].at = prop_range(c, 0, 20 * (int64_t)c->size);
        d->before[i].gain = apart ? prop_range(c, 0, 5) : 3;
    }
}

/* The times of one repetition; GPU g stands at 1 + g. */
static void times_at(const drawn *d, rc_time repetition, rc_time lists[LISTS + 2][MOST + 2]) {
    rc_ring_state s = {.host = lists[HOST],
                       .compute = lists[COMPUTE],
                       .comm = lists[COMM],
                       .att = lists[ATT],
                       .msg = lists[MSG],
                       .next = lists[LISTS],
                       .row = lists[LISTS + 1]};
    const int n = d->k.n;
    for (int list = 0; list < LISTS; list++)
        for (int g = 0; g < n; g++) {
            const rc_line *x = &d->before[list * n + g];
            lists[list][1 + g] = x->at + repetition * x->gain;
        }
    rc_ring_run(&d->k, &s, NULL);
    if (s.msg != lists[MSG])
        memcpy(lists[MSG], s.msg, sizeof lists[MSG]);
}

static bool lines_are_times(prop_case *c) {
    drawn d;
    rc_line scratch[7 * (MOST + 2)] = {{0, 0}};
    rc_time most = prop_range(c, 1, 200);
    draw(c, &d);
    memcpy(d.after, d.before, sizeof d.after);
    rc_ring_drift(&d.k, d.after, scratch, &most);
    if (most == 0)
        return true;
    const rc_time repetitions[] = {0, 1, most / 2, most};
    for (size_t r = 0; r < sizeof repetitions / sizeof repetitions[0]; r++) {
        rc_time lists[LISTS + 2][MOST + 2] = {{0}};
        times_at(&d, repetitions[r], lists);
        for (int list = 0; list < LISTS; list++)
            for (int g = 0; g < d.k.n; g++) {
                const rc_line *x = &d.after[list * d.k.n + g];
                const rc_time got = x->at + repetitions[r] * x->gain;
                PROP_CHECK(c, got == lists[list][1 + g],
                           "list %d of GPU %d of %d in repetition %ld: %ld, not %ld", list, g,
                           d.k.n, (long)repetitions[r], (long)got, (long)lists[list][1 + g]);
            }
    }
    return true;
}

/* And for no fewer than it could: one repetition more, some wait is another's. Where all gain alike none ever is. */
static bool lines_go_on(prop_case *c) {
    drawn d;
    rc_line scratch[7 * (MOST + 2)] = {{0, 0}};
    rc_time most = INT64_C(1) << 40;
    draw(c, &d);
    for (int i = 0; i < LISTS * d.k.n; i++)
        d.before[i].gain = 7;
    memcpy(d.after, d.before, sizeof d.after);
    rc_ring_drift(&d.k, d.after, scratch, &most);
    PROP_CHECK(c, most == INT64_C(1) << 40, "only %ld", (long)most);
    for (int i = 0; i < LISTS * d.k.n; i++)
        PROP_CHECK(c, d.after[i].gain == 7, "%d gains %ld", i, (long)d.after[i].gain);
    return true;
}

static void test_lines(void **state) {
    (void)state;
    assert_true(prop_run("lines_are_times", lines_are_times, 60));
    assert_true(prop_run("lines_go_on", lines_go_on, 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
