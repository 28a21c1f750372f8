/* Keys in pages, dealt to the CTAs of a decode launch: every key to just one piece, pieces of a sequence behind
 * each other, the longest in front, none longer than an even share asks for; and what equal sequences get.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "kernels/deal_plan.h"
#include "tests/support/prop.h"

enum { MOST = 96, ROOM = 512 };

typedef struct dealt {
    int32_t lens[MOST], first[MOST], order[MOST];
    rc_decode_piece pieces[ROOM];
    int64_t batch, room, keys, longest;
} dealt;

static void draw(prop_case *c, dealt *d) {
    memset(d, 0, sizeof *d);
    d->batch = prop_range(c, 1, c->size < MOST ? (int64_t)c->size : MOST);
    for (int64_t i = 0; i < d->batch; i++) {
        d->lens[i] =
            prop_one_in(c, 5) ? 0 : (int32_t)prop_range(c, 1, prop_one_in(c, 3) ? 30000 : 700);
        d->keys += d->lens[i];
        d->longest = d->lens[i] > d->longest ? d->lens[i] : d->longest;
    }
    d->room = prop_one_in(c, 4) ? d->batch + prop_range(c, 0, 60)
                                : rc_decode_room(d->batch, d->longest, prop_range(c, 1, 16), 132);
    rc_decode_deal(d->lens, d->batch, d->room, d->pieces, d->first, d->order);
}

/* Returns how many pieces the sequence has, -1 when they are not its keys, one behind the other. */
static int64_t pieces_of(const dealt *d, int64_t i) {
    const rc_decode_piece *p = &d->pieces[d->first[i]];
    int32_t at = 0;
    for (int32_t n = 0; n < p->parts; n++) {
        if (p[n].sequence != i || p[n].parts != p->parts || p[n].lo != at || p[n].hi < at)
            return -1;
        if (p[n].hi % RC_DECODE_DEAL_ROUND != 0 && p[n].hi != d->lens[i])
            return -1;
        at = p[n].hi;
    }
    return at == d->lens[i] ? p->parts : -1;
}

static bool every_key_once(prop_case *c) {
    dealt d;
    int64_t used = 0;
    draw(c, &d);
    for (int64_t i = 0; i < d.batch; i++) {
        const int64_t parts = pieces_of(&d, i);
        PROP_CHECK(c, parts >= 1, "sequence %lld of %d keys", (long long)i, d.lens[i]);
        used += parts;
    }
    PROP_CHECK(c, used <= d.room, "%lld pieces, room for %lld", (long long)used, (long long)d.room);
    for (int64_t k = used; k < d.room; k++)
        PROP_CHECK(c, d.pieces[k].sequence < 0, "piece %lld is of nobody", (long long)k);
    return true;
}

static bool about_as_long(prop_case *c) {
    dealt d;
    draw(c, &d);
    const int64_t spare = d.room - d.batch, round = RC_DECODE_DEAL_ROUND;
    int64_t before = INT64_MAX;
    for (int64_t k = 0; k < d.room && d.pieces[k].sequence >= 0; k += d.pieces[k].parts) {
        const int64_t keys = d.pieces[k].hi - d.pieces[k].lo;
        const int64_t rounds =
            (keys + round - 1) / round; /* order among the same does not matter */
        PROP_CHECK(c, rounds <= before, "a longer piece comes later");
        before = rounds;
        if (spare == 0)
            continue;
        const int64_t even = d.keys / spare + 1;
        const int64_t most = even > RC_DECODE_DEAL_LEAST ? even : RC_DECODE_DEAL_LEAST;
        PROP_CHECK(c, keys <= (most + round - 1) / round * round, "%lld keys, even share %lld",
                   (long long)keys, (long long)even);
    }
    return true;
}

static void test_properties(void **state) {
    (void)state;
    assert_true(prop_run("every_key_once", every_key_once, MOST));
    assert_true(prop_run("about_as_long", about_as_long, MOST));
}

/* Three sequences of 1,000, 300 and no keys, room for five pieces: with 512 keys a piece at most the first is cut in
 * two, with fewer (448) in three, which fits as well, with 320 in four, which does not. */
static void test_by_hand(void **state) {
    (void)state;
    const int32_t lens[] = {300, 1000, 0};
    int32_t first[3], order[3];
    rc_decode_piece p[5];
    assert_int_equal(rc_decode_deal_most(lens, 3, 5), 384);
    rc_decode_deal(lens, 3, 5, p, first, order);
    assert_int_equal(first[1], 0);
    assert_int_equal(p[0].parts, 3);
    assert_int_equal(p[0].hi, 384);
    assert_int_equal(p[1].hi, 768);
    assert_int_equal(p[2].hi, 1000);
    assert_int_equal(first[0], 3);
    assert_int_equal(p[3].hi, 300);
    assert_int_equal(first[2], 4);
    assert_int_equal(p[4].hi, 0);
}

/* Room is one a sequence and two CTAs an SM; short batches are not cut. */
static void test_rooms(void **state) {
    (void)state;
    assert_int_equal(rc_decode_room(17, 512, 8, 132), 17);
    assert_int_equal(rc_decode_room(17, 513, 8, 132), 17 + 33);
    assert_int_equal(rc_decode_room(1, 100000, 3, 132), 1 + 88);
    assert_int_equal(rc_decode_dealt_splits(1, 512, 8, 132), 1);
    assert_int_equal(rc_decode_dealt_splits(1, 1024, 8, 132), 4);
    assert_int_equal(rc_decode_dealt_splits(17, 100000, 8, 132), 2);
    assert_int_equal(rc_decode_dealt_splits(64, 100000, 8, 132), 1);
}

/* What equal sequences are said to get is what they are dealt. */
static bool equal_ones(prop_case *c) {
    dealt d = {.batch = prop_range(c, 1, MOST)};
    const int64_t len = prop_range(c, 1, 20000), hkv = prop_range(c, 1, 8);
    for (int64_t i = 0; i < d.batch; i++)
        d.lens[i] = (int32_t)len;
    d.room = rc_decode_room(d.batch, len, hkv, 132);
    rc_decode_deal(d.lens, d.batch, d.room, d.pieces, d.first, d.order);
    PROP_CHECK(c, d.pieces[0].parts == rc_decode_dealt_splits(d.batch, len, hkv, 132),
               "%lld x %lld, %lld heads: %d dealt, %lld said", (long long)d.batch, (long long)len,
               (long long)hkv, d.pieces[0].parts,
               (long long)rc_decode_dealt_splits(d.batch, len, hkv, 132));
    return true;
}

static void test_equal(void **state) {
    (void)state;
    assert_true(prop_run("equal_ones", equal_ones, MOST));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_properties),
                                       cmocka_unit_test(test_by_hand), cmocka_unit_test(test_rooms),
                                       cmocka_unit_test(test_equal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
