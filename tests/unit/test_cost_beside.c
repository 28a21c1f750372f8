/* What attention and messages take from each other, from rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sim/cost/beside.h"

/* Doubles that agree but for rounding. */
#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * (1.0 + fabs(b)))

static rc_machine machine(void) {
    rc_machine m = {.sms = 132};
    strcpy(m.name, "one");
    strcpy(m.base, "one");
    strcpy(m.intra_transport, "shm");
    return m;
}

static void add(rc_rows *rows, const char *op, const char *variant, const int64_t at[4],
                double time) {
    const rc_row r = {.machine = "one",
                      .gpu = "GPU",
                      .state = "burst",
                      .op = op,
                      .variant = variant,
                      .dtype = "bf16",
                      .a = at[0],
                      .b = at[1],
                      .c = at[2],
                      .d = at[3],
                      .p10 = time,
                      .p50 = time,
                      .p90 = time,
                      .samples = 9,
                      .sm_mhz = NAN,
                      .power_w = NAN,
                      .temp_c = NAN,
                      .date = "2026-11-26T00:00:00Z",
                      .driver = "1",
                      .cuda = "1",
                      .nccl = "",
                      .kernel = "k",
                      .commit = "c",
                      .source = "measured"};
    assert_int_equal(rc_rows_add(rows, &r, NULL), RC_OK);
}

/* 132 tiles of one length: on 66 SMs twice as long by its items, so 2^0.5 is the power one half. */
static void test_fewer_sms(void **state) {
    (void)state;
    const rc_machine m = machine();
    const int64_t at[] = {1056, 32000, 16, 1};
    rc_rows *rows;
    assert_int_equal(rc_rows_create(&rows, NULL), RC_OK);
    add(rows, "attention", "full", at, 1e-3); /* of no known number of SMs */
    assert_false(rc_beside_of(rows, &m).known);
    add(rows, "attention", "full@sms132", at, 1e-3);
    assert_false(rc_beside_of(rows, &m).known);
    add(rows, "attention", "full@sms66", at, sqrt(2.0) * 1e-3);
    add(rows, "attention", "full@seqs66", at, 5e-3);
    add(rows, "decode", "@sms66", at, 5e-3);
    rc_beside b = rc_beside_of(rows, &m);
    assert_true(b.known);
    NEAR(b.sms, 0.5);
    NEAR(b.message, 1.0);
    rc_machine other = machine();
    strcpy(other.base, "another");
    assert_false(rc_beside_of(rows, &other).known);
    rc_rows_free(rows);
}

static void test_messages(void **state) {
    (void)state;
    const rc_machine m = machine();
    const int64_t alone[] = {1 << 24, 0, 4, 8}, beside[] = {1 << 24, 124, 4, 8};
    const int64_t gives_way[] = {1 << 24, 0, 4, 8}, more[] = {1 << 26, 124, 4, 8};
    const int64_t more_alone[] = {1 << 26, 0, 4, 8}, ctas[] = {1 << 24, 116, 4, 16};
    rc_rows *rows;
    assert_int_equal(rc_rows_create(&rows, NULL), RC_OK);
    add(rows, "transfer_beside", "send_recv@shm", alone, 1e-3);
    add(rows, "transfer_beside", "attention+send_recv@shm", gives_way, 9e-3); /* it waits, too */
    add(rows, "transfer_beside", "attention+send_recv@shm", ctas, 9e-3); /* none like it alone */
    add(rows, "transfer_beside", "attention+send_recv@nvlink", beside, 9e-3);
    add(rows, "transfer_beside", "gemm+send_recv@shm", beside, 9e-3);
    assert_false(rc_beside_of(rows, &m).known);
    add(rows, "transfer_beside", "attention+send_recv@shm", beside, 1.1e-3);
    NEAR(rc_beside_of(rows, &m).message, 1.1);
    add(rows, "transfer_beside", "send_recv@shm", more_alone, 4e-3);
    add(rows, "transfer_beside", "attention+send_recv@shm", more, 4.8e-3);
    rc_beside b = rc_beside_of(rows, &m);
    assert_true(b.known);
    NEAR(b.message, 1.15);
    NEAR(b.sms, 1.0);
    rc_rows_free(rows);
}

/* Chains of kernels: what a pair takes over its parts, less what a message takes over a norm. */
static void test_gaps(void **state) {
    (void)state;
    const rc_machine m = machine();
    static const struct {
        const char *chain;
        double time;
    } t[] = {{"norm", 1.5e-6},       {"norm|send_recv", 10.4e-6},    {"decode", 8.3e-6},
             {"attention", 10.5e-6}, {"attention|send_recv", 22e-6}, {"decode|send_recv", 19.7e-6},
             {"rotary", 3.3e-6},     {"attention+clear", 13.4e-6}};
    const int64_t one[] = {1, 0, 0, 0};
    rc_rows *rows;
    assert_int_equal(rc_rows_create(&rows, NULL), RC_OK);
    assert_true(rc_beside_of(rows, &m).decode_behind == 0.0);
    assert_true(rc_beside_of(rows, &m).clear == 0.0);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        add(rows, "gap", t[i].chain, one, t[i].time);
    rc_beside b = rc_beside_of(rows, &m);
    assert_true(fabs(b.decode_behind - 2.5e-6) < 1e-12);
    assert_true(fabs(b.attention_behind - 2.6e-6) < 1e-12);
    assert_true(fabs(b.clear - 2.9e-6) < 1e-12);
    assert_false(b.known); /* nothing of who has which SMs */
    rc_machine other = machine();
    strcpy(other.base, "another");
    assert_true(rc_beside_of(rows, &other).decode_behind == 0.0);
    rc_rows_free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewer_sms),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
