/* What meets in a ring, by hand: prices of attention and of messages, and who waits for whom.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/evaluator.h"

enum { ATTENTION, MESSAGE, OTHER, SHAPES };

/* One attention of `tokens` x 32,000 of 16 heads on one KV head, 8 tokens a tile, for `alone` ps, and
 * a message of `message` ps, half of it latency. */
typedef struct ring {
    fake_pass f;
    rc_call call;
    rc_shape shape[SHAPES];
    rc_shape_cost price[SHAPES];
    rc_program p;
} ring;

static void make(ring *r, int64_t tokens, rc_time alone, rc_time message) {
    fake_one_prompt(1, 16, 1, 2, 64, &r->f);
    r->f.costs.beside = (rc_beside){.known = true, .sms = 1.0, .message = 1.25};
    r->f.spec.eager = false;
    r->f.spec.ring_share.gives_way = true;
    r->call = (rc_call){tokens, 32000, 0};
    r->shape[ATTENTION] =
        (rc_shape){.kind = RC_T_ATTENTION, .part = RC_P_ATTENTION, .hq = 16, .hkv = 1, .calls = 1};
    r->shape[MESSAGE] =
        (rc_shape){.kind = RC_T_MESSAGE, .part = RC_P_SENDRECV, .nodes = 1, .bytes = 1000.0};
    r->shape[OTHER] = (rc_shape){.kind = RC_T_GEMM, .part = RC_P_QKV};
    r->price[ATTENTION] = (rc_shape_cost){.duration = alone, .alone = alone, .beside = alone};
    r->price[MESSAGE] = (rc_shape_cost){.duration = message / 2,
                                        .alone = message / 2,
                                        .beside = message / 2,
                                        .peer_rate = 1000.0 / ((double)(message / 2) / RC_PS_PER_S),
                                        .link_rate = 1e15};
    r->price[OTHER] = (rc_shape_cost){.duration = 77, .beside = 77};
    r->p =
        (rc_program){.shapes = r->shape, .shape_count = SHAPES, .calls = &r->call, .call_count = 1};
}

/* Twice is as once: prices are turned again when the clock has changed. */
static void contend(ring *r) {
    rc_contend(&r->f.spec, &r->f.costs, &r->p, r->price);
    rc_contend(&r->f.spec, &r->f.costs, &r->p, r->price);
    assert_int_equal(r->price[OTHER].beside, 77);
    assert_int_equal(r->price[OTHER].duration, 77);
}

/* Half of the SMs: 132 tiles, one round on 132 SMs, are two on 66. The message has SMs of its own,
 * and takes a quarter longer while attention runs. */
static void test_sms_kept_free(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    r.f.spec.ring_share = (rc_ring_share){.sms = 66};
    assert_false(rc_contention_of(&r.f.spec).waits);
    contend(&r);
    assert_int_equal(r.price[ATTENTION].duration, 1000000); /* of the last step */
    assert_int_equal(r.price[ATTENTION].beside, 2000000);
    assert_int_equal(r.price[MESSAGE].duration, 200000 + 100000);
    assert_int_equal(r.price[ATTENTION].basis, RC_MODELLED);
    make(&r, 1056, 1000000, 400000);
    r.f.costs.beside.sms = 0.5; /* fewer SMs, a higher clock */
    r.f.spec.ring_share = (rc_ring_share){.sms = 66};
    contend(&r);
    assert_int_equal(r.price[ATTENTION].beside, 1414214);
}

/* A message of which attention covers a part only: it has moved 0.8 of that time's bytes. */
static void test_message_outlasts_attention(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 8000000);
    r.f.spec.ring_share = (rc_ring_share){.sms = 66};
    contend(&r);
    assert_int_equal(r.price[MESSAGE].duration, 4000000 + 400000);
}

/* Attention that takes all SMs: the message waits for its end, and takes what it takes alone. */
static void test_message_waits(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    assert_true(rc_contention_of(&r.f.spec).waits);
    assert_true(rc_spec_request(&r.f.spec, 0).messages_wait);
    contend(&r);
    assert_int_equal(r.price[ATTENTION].beside, 1000000);
    assert_int_equal(r.price[MESSAGE].duration, 200000);
}

/* 130 tiles leave two SMs free, which is what a message over host memory takes: nothing is lost,
 * and the step takes as long as the longer of both. */
static void test_message_finds_sms(void **state) {
    (void)state;
    ring r;
    make(&r, 1040, 1000000, 400000);
    contend(&r);
    assert_int_equal(r.price[ATTENTION].beside + 400000, 1000000);
    make(&r, 1040, 1000000, 1600000);
    contend(&r);
    assert_int_equal(r.price[ATTENTION].beside, 0);
    make(&r, 1040, 1000000, 400000);
    strcpy(r.f.costs.machine.intra_transport, "nvlink"); /* takes 24 */
    contend(&r);
    assert_int_equal(r.price[ATTENTION].beside, 1000000);
}

/* Pass-Q in a graph of one layer: the message has its SMs first, and two tiles wait for it. */
static void test_message_first(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    r.f.spec.schedule = rc_schedule_named("pass-q");
    rc_contention x = rc_contention_of(&r.f.spec);
    assert_true(x.meets && !x.waits && x.lost == 2);
    contend(&r);
    assert_int_equal(r.price[ATTENTION].beside, 1400000);
    assert_int_equal(r.price[MESSAGE].duration, 200000 + 100000);
    r.f.x.model.layers = 2;
    assert_true(rc_contention_of(&r.f.spec).waits);
    r.f.x.model.layers = 1;
    r.f.spec.eager = true;
    assert_true(rc_contention_of(&r.f.spec).waits);
    r.f.spec.ring_share = (rc_ring_share){.sms = 130};
    assert_false(rc_contention_of(&r.f.spec).waits);
    r.f.spec.ring_share.sms = 131;
    assert_int_equal(rc_contention_of(&r.f.spec).lost, 1);
    r.f.costs.machine.ring_ctas = 1;
    assert_int_equal(rc_contention_of(&r.f.spec).lost, 0);
}

/* When nobody says how many SMs are kept free. */
static void test_default(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    r.f.spec.ring_share = (rc_ring_share){.sms = 0};
    rc_contention x = rc_contention_of(&r.f.spec);
    assert_true(x.meets && !x.waits && x.sms == 124 && x.lost == 0);
    r.f.costs.machine.sms = 5;
    assert_int_equal(rc_contention_of(&r.f.spec).sms, 1);
    r.f.spec.ring_share.sms = 9;
    assert_int_equal(rc_contention_of(&r.f.spec).sms, 5);
}

/* What the engine does where the scenario does not say. */
static void test_of_the_engine(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    r.f.spec.ring_share = (rc_ring_share){.sms = 0};
    r.f.costs.machine.ring_gives_way = true;
    rc_contention x = rc_contention_of(&r.f.spec);
    assert_true(x.waits && x.gives_way && x.sms == 132 && x.lost == 2);
    r.f.spec.ring_share.sms = 66;
    x = rc_contention_of(&r.f.spec);
    assert_true(!x.waits && !x.gives_way && x.sms == 66 && x.lost == 0);
    r.f.spec.ring_share.sms = 0;
    r.f.costs.machine.ring_gives_way = false;
    r.f.costs.machine.ring_sms = 131;
    x = rc_contention_of(&r.f.spec);
    assert_true(x.waits && !x.gives_way && x.sms == 131 && x.lost == 1);
    r.f.spec.ring_share = (rc_ring_share){.gives_way = true};
    assert_int_equal(rc_contention_of(&r.f.spec).sms, 132);
    r.f.spec.ring_share = (rc_ring_share){.apart = true};
    assert_false(rc_contention_of(&r.f.spec).meets);
}

/* Sequences that decode beside prompts have a launch of their own behind the prompts', which takes what it
 * takes. */
static void test_mixed(void **state) {
    (void)state;
    ring r, alone;
    make(&alone, 1040, 1000000, 400000);
    contend(&alone);
    make(&r, 1040, 1000000, 400000);
    r.f.spec.phase = RC_MIXED;
    r.f.costs.beside.decode_behind = 3e-9;
    r.shape[OTHER] = (rc_shape){.kind = RC_T_DECODE, .part = RC_P_ATTENTION, .a = 2, .b = 32768};
    r.shape[OTHER].hq = 16;
    r.shape[OTHER].hkv = 1;
    r.price[OTHER].alone = 77;
    assert_true(rc_contention_of(&r.f.spec).waits);
    contend(&r);
    assert_true(alone.price[ATTENTION].beside < 1000000);
    assert_int_equal(r.price[ATTENTION].beside, 1000000); /* decode waits for all of it */
    assert_int_equal(r.price[ATTENTION].duration, 1000000);
    assert_int_equal(r.price[MESSAGE].duration, alone.price[MESSAGE].duration);
}

/* Two ranks, attention of a step of `prompts` ps and then decode of `decode`: the message of `takes` leaves when both
 * have left the chip, and the next step waits for it. */
static rc_time mixed_ring(rc_time prompts, rc_time decode, rc_time takes, bool unfold) {
    fake_pass f;
    rc_forward out;
    fake_one_prompt(1, 16, 1, 2, 4 * 8 * 132, &f);
    f.x.seqs[1] = f.x.seqs[2] = (rc_sequence){1, 512};
    f.spec.seq_count = 3;
    f.spec.phase = RC_MIXED;
    f.spec.eager = false;
    f.spec.unfold = unfold;
    f.costs.machine.ring_step = f.costs.machine.launch = 0.0;
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] = f.costs.slope[i] = 0;
    f.costs.per_key = 0;
    f.costs.fixed[FAKE_ATTENTION] = prompts;
    f.costs.fixed[FAKE_DECODE] = decode;
    f.costs.latency = takes;
    f.costs.peer_rate = f.costs.link_rate = 1e30;
    f.costs.beside = (rc_beside){.known = true, .sms = 1.0, .message = 1.0};
    f.spec.ring_share.gives_way = true;
    assert_int_equal(rc_forward_run(&f.spec, &out, NULL), RC_OK);
    return out.ticks;
}

static void test_mixed_pass(void **state) {
    (void)state;
    for (int unfold = 0; unfold < 2; unfold++) {
        const rc_time none = mixed_ring(1000000, 300000, 1, unfold);
        /* one message and two steps, one after the other */
        assert_int_equal(mixed_ring(1000000, 300000, 200001, unfold), none + 200000);
        assert_int_equal(mixed_ring(1000000, 300000, 900001, unfold), none + 900000);
        assert_int_equal(mixed_ring(1000000, 400000, 900001, unfold), none + 900000 + 200000);
        assert_int_equal(mixed_ring(1100000, 300000, 900001, unfold), none + 900000 + 200000);
    }
}

static void test_where_nothing_meets(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    rc_spec s = r.f.spec;
    assert_true(rc_contention_of(&s).meets);
    s.serial_ring = true;
    assert_false(rc_contention_of(&s).meets);
    s = r.f.spec;
    s.what_if.overlap_comm = 0.5; /* stated: nothing is added to it */
    assert_false(rc_contention_of(&s).meets);
    s = r.f.spec;
    s.layout.cp = 1;
    assert_false(rc_contention_of(&s).meets);
    r.f.spec.ring_share.apart = true;
    assert_false(rc_contention_of(&r.f.spec).meets);
    r.f.spec.ring_share.apart = false;
    assert_true(rc_contention_of(&r.f.spec).meets);
    r.f.costs.beside.known = false;
    assert_false(rc_contention_of(&r.f.spec).meets);
}

/* Decode of 132 pieces fills the chip, so that the message waits for its end; 64 CTAs leave SMs to
 * it; of 168 the 96 that have an SM for themselves end at 132/168 of the time. */
static void test_decode(void **state) {
    (void)state;
    static const struct {
        int64_t batch, keys;
        int hkv;
        rc_time beside;
    } t[] = {{2, 32768, 1, 1000000}, {64, 512, 1, 600000}, {42, 42032, 4, 785714}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        ring r;
        make(&r, 1056, 1000000, 400000);
        r.f.spec.schedule = rc_schedule_named("pass-q");
        r.f.spec.phase = RC_DECODE;
        assert_true(rc_contention_of(&r.f.spec).waits); /* a graph of one layer, too */
        r.shape[ATTENTION] = (rc_shape){.kind = RC_T_DECODE,
                                        .part = RC_P_ATTENTION,
                                        .dtype = RC_BF16,
                                        .a = t[i].batch,
                                        .b = t[i].keys,
                                        .hq = 16,
                                        .hkv = t[i].hkv,
                                        .key_size = 128,
                                        .value_size = 128};
        contend(&r);
        assert_int_equal(r.price[ATTENTION].beside, t[i].beside);
        assert_int_equal(r.price[ATTENTION].duration, 1000000);
        assert_int_equal(r.price[MESSAGE].duration, 200000);
        strcpy(r.f.costs.machine.intra_transport, "nvlink");
        r.f.spec.layout.cp = 4;
        r.f.costs.beside.decode_behind = 3e-9; /* 3,000 ticks in each of three steps of four */
        contend(&r);
        assert_int_equal(r.price[ATTENTION].beside, t[i].beside + 2000);
        assert_int_equal(r.price[ATTENTION].duration, 1003000);
    }
}

/* What attention takes behind a message: with SMs kept free in each step but the first, and behind the
 * clearing of its counters where it gives way. */
static void test_behind_message(void **state) {
    (void)state;
    ring r;
    make(&r, 1056, 1000000, 400000);
    r.f.spec.layout.cp = 4;
    r.f.spec.ring_share = (rc_ring_share){.sms = 66};
    r.f.costs.beside.attention_behind = 3e-9;
    r.f.costs.beside.clear = 5e-9;
    contend(&r);
    assert_int_equal(r.price[ATTENTION].duration, 1003000);
    assert_int_equal(r.price[ATTENTION].beside, 2002000);
    r.f.spec.ring_share = (rc_ring_share){.gives_way = true};
    contend(&r);
    assert_int_equal(r.price[ATTENTION].duration, 1003000);
    assert_int_equal(r.price[ATTENTION].beside, 1005000);
    r.f.spec.eager = true; /* 1,000 ticks of it are in the gap of such a launch */
    r.f.costs.gaps.eager[RC_LAUNCHED_ATTENTION] = 1e-9;
    contend(&r);
    assert_int_equal(r.price[ATTENTION].duration, 1002000);
}

/* A whole pass: keeping every SM busy costs what the messages take, in each of three steps. */
static void test_pass(void **state) {
    (void)state;
    fake_pass f;
    rc_forward with, without;
    fake_one_prompt(2, 16, 1, 4, 8 * 4 * 8 * 132, &f);
    f.spec.eager = false;
    f.costs.machine.ring_step = 0.0;
    f.costs.fixed[FAKE_ATTENTION] = 1000000;
    f.costs.slope[FAKE_ATTENTION] = 0;
    f.costs.per_key = 0;
    f.costs.latency = 400000;
    f.costs.peer_rate = f.costs.link_rate = 1e30;
    assert_int_equal(rc_forward_run(&f.spec, &without, NULL), RC_OK);
    f.costs.beside = (rc_beside){.known = true, .sms = 1.0, .message = 1.0};
    f.spec.ring_share.gives_way = true;
    f.costs.machine.sms = 1; /* one SM: less than a chip has, so nothing meets */
    assert_int_equal(rc_forward_run(&f.spec, &with, NULL), RC_OK);
    assert_int_equal(with.ticks, without.ticks);
    f.costs.machine.sms = 132;
    assert_int_equal(rc_forward_run(&f.spec, &with, NULL), RC_OK);
    assert_true(with.ticks > without.ticks);
    assert_true(with.ticks <= without.ticks + 2 * 3 * 400001);
    assert_true(with.exposed_comm > without.exposed_comm);
    assert_true(with.hidden_comm < without.hidden_comm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sms_kept_free), cmocka_unit_test(test_message_outlasts_attention),
        cmocka_unit_test(test_message_waits), cmocka_unit_test(test_message_finds_sms),
        cmocka_unit_test(test_message_first), cmocka_unit_test(test_where_nothing_meets),
        cmocka_unit_test(test_pass),          cmocka_unit_test(test_default),
        cmocka_unit_test(test_decode),        cmocka_unit_test(test_behind_message),
        cmocka_unit_test(test_of_the_engine), cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_mixed_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
