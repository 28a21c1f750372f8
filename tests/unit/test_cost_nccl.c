/* Collectives between nodes, term by term: NCCL's formulas (the head of sim/cost/nccl.c) worked out by hand for one machine.
 * Every figure below is of that machine: 46 GB/s a NIC, 26 a connection, NVLink 0.824 * 450 = 370.8, a send + recv of
 * 33 us, so crossings of (33 - 6.6) / 2 = 13.2 us in tree LL. Hops of Simple take 13.2 + 14 - 5 = 22.2 us and of LL128
 * 13.2 + 8.5 - 5 = 16.7 (tree) or 13.2 + 4 - 5 = 12.2 (ring); ring LL 13.2 + 2.7 - 5 = 10.9.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sim/cost/nccl.h"

#define US 1e-6

static rc_machine machine(const char *all_reduce) {
    rc_machine m = {.name = "by hand",
                    .gpus_per_node = 8,
                    .nvlink_rate = 450e9,
                    .nic_rate = 50e9,
                    .nic_line_rate = 46e9,
                    .peer_rate = 26e9,
                    .hop_latency = 33 * US,
                    .ratio_spread = 0.04};
    (void)snprintf(m.all_reduce, sizeof m.all_reduce, "%s", all_reduce);
    return m;
}

static double of(const rc_machine *m, rc_op op, double bytes, int ranks, int nodes) {
    rc_cost out;
    rc_error err = {0};
    if (rc_nccl_between_nodes(m, op, bytes, ranks, nodes, &out, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(out.basis, RC_MODELLED);
    assert_true(out.spread == 0.04); /* the machine's own, as it is */
    return out.p50;
}

static void is(double got, double want) {
    if (!(fabs(got / want - 1.0) < 1e-12))
        fail_msg("%.12g, by hand %.12g", got, want);
}

/* Four nodes of eight: 2 * 7 hops inside, depth 2. An inner node's NIC runs at its line rate, 46, for two connections
 * could do 52: eight of them 368, of which a tree uses 0.92. */
static void test_tree(void **state) {
    (void)state;
    rc_machine m = machine("tree");
    const double s = 1e9, rate = 0.92 * 368e9;
    is(of(&m, RC_COST_ALL_REDUCE, s, 32, 4), (8.4 + 2 * (7 * 4.0 + 2 * 22.2)) * US + 2 * s / rate);
    is(of(&m, RC_COST_ALL_REDUCE, 8, 32, 4),
       (6.8 + 2 * (7 * 0.6 + 2 * 13.2)) * US + 2 * 8 / (0.5 * rate)); /* LL */
    is(of(&m, RC_COST_ALL_REDUCE, 16e6, 32, 4),
       (14 + 2 * (7 * 1.25 + 2 * 16.7)) * US + 2 * 16e6 / (0.92 * rate)); /* LL128 */
    /* two nodes: one connection, 26; depth 1 */
    is(of(&m, RC_COST_ALL_REDUCE, s, 16, 2),
       (8.4 + 2 * (7 * 4.0 + 22.2)) * US + 2 * s / (0.92 * 208e9));
    /* six nodes: depth 3, the next whole one */
    is(of(&m, RC_COST_ALL_REDUCE, s, 48, 6), (8.4 + 2 * (7 * 4.0 + 3 * 22.2)) * US + 2 * s / rate);
    /* one GPU a node: nothing inside, and NVLink sets no bound: 2 * 10 GB/s, under the line rate */
    m.peer_rate = 10e9;
    m.nvlink_rate = 1e9;
    is(of(&m, RC_COST_ALL_REDUCE, s, 4, 4), (8.4 + 2 * 2 * 22.2) * US + 2 * s / (0.92 * 20e9));
    /* with NVLink so slow it is the bound */
    is(of(&m, RC_COST_ALL_REDUCE, s, 32, 4),
       (8.4 + 2 * (7 * 4.0 + 2 * 22.2)) * US + 2 * s / (0.92 * 0.824e9));
}

/* 2 * 31 steps, 2 * 3 of them between nodes, at a connection's rate a GPU: 8 * 26. */
static void test_ring(void **state) {
    (void)state;
    const rc_machine m = machine("ring");
    const double s = 1e9;
    is(of(&m, RC_COST_ALL_REDUCE, s, 32, 4),
       (8.4 + 56 * 3.4 + 6 * 22.2) * US + 62.0 / 32.0 * s / 208e9);
    is(of(&m, RC_COST_ALL_REDUCE, 8, 32, 4),
       (6.6 + 56 * 0.6 + 6 * 10.9) * US + 62.0 / 32.0 * 8 / (0.5 * 208e9));
    is(of(&m, RC_COST_ALL_REDUCE, 24e6, 32, 4),
       (14 + 56 * 1.9 + 6 * 12.2) * US + 62.0 / 32.0 * 24e6 / (0.92 * 208e9));
    /* gather and scatter: half of it */
    const double half = (8.4 + 28 * 3.4 + 3 * 22.2) * US + 31.0 / 32.0 * s / 208e9;
    is(of(&m, RC_COST_ALL_GATHER, s, 32, 4), half);
    is(of(&m, RC_COST_REDUCE_SCATTER, s, 32, 4), half);
    /* NVLink is a bound of the ring, too: 0.824 * 100 of 208 */
    rc_machine slow = m;
    slow.nvlink_rate = 100e9;
    is(of(&slow, RC_COST_ALL_GATHER, s, 32, 4),
       (8.4 + 28 * 3.4 + 3 * 22.2) * US + 31.0 / 32.0 * s / 82.4e9);
}

/* The machine's file says which, or the faster one is taken: the tree where latency counts and on many nodes, the ring
 * for long messages on two. */
static void test_faster(void **state) {
    (void)state;
    const rc_machine both = machine(""), ring = machine("ring"), tree = machine("tree");
    for (int nodes = 2; nodes <= 16; nodes *= 2)
        for (double s = 1e3; s < 1e11; s *= 100.0) {
            const double t = of(&tree, RC_COST_ALL_REDUCE, s, 8 * nodes, nodes);
            const double r = of(&ring, RC_COST_ALL_REDUCE, s, 8 * nodes, nodes);
            is(of(&both, RC_COST_ALL_REDUCE, s, 8 * nodes, nodes), fmin(r, t));
        }
    assert_true(of(&tree, RC_COST_ALL_REDUCE, 1e3, 16, 2) <
                of(&ring, RC_COST_ALL_REDUCE, 1e3, 16, 2));
    assert_true(of(&ring, RC_COST_ALL_REDUCE, 1e11, 16, 2) <
                of(&tree, RC_COST_ALL_REDUCE, 1e11, 16, 2));
}

/* Of 64 MB to 32 ranks three quarters leave the node, at the line rate; 7/32 stay in it. */
static void test_all_to_all(void **state) {
    (void)state;
    rc_machine m = machine("");
    is(of(&m, RC_COST_ALL_TO_ALL, 64e6, 32, 4), 33 * US + 48e6 / 46e9);
    m.nvlink_rate = 10e9; /* 14 MB at 8.24 GB/s take longer */
    is(of(&m, RC_COST_ALL_TO_ALL, 64e6, 32, 4), 33 * US + 14e6 / 8.24e9);
    m.nvlink_rate = 450e9;
    /* two ranks: one peer, so one connection */
    is(of(&m, RC_COST_ALL_TO_ALL, 64e6, 2, 2), 33 * US + 32e6 / 26e9);
    /* two ranks on each of two nodes: two peers outside, 46 of 52 GB/s */
    is(of(&m, RC_COST_ALL_TO_ALL, 64e6, 4, 2), 33 * US + 32e6 / 46e9);
    is(of(&m, RC_COST_SEND_RECV, 26e6, 2, 2), 33 * US + 1e-3);
}

/* A network faster than the table: no crossing takes less than nothing. */
static void test_fast_network(void **state) {
    (void)state;
    rc_machine m = machine("ring");
    m.hop_latency = 1 * US; /* LL's hops: 0 + 2.7 - 5 < 0 */
    is(of(&m, RC_COST_ALL_REDUCE, 8, 32, 4),
       (6.6 + 56 * 0.6) * US + 62.0 / 32.0 * 8 / (0.5 * 208e9));
}

static void test_refused(void **state) {
    (void)state;
    rc_machine m = machine("");
    rc_cost out;
    rc_error err = {0};
    m.peer_rate = 0.0;
    assert_int_equal(rc_nccl_between_nodes(&m, RC_COST_SEND_RECV, 1e6, 2, 2, &out, &err),
                     RC_E_INPUT);
    assert_non_null(strstr(err.msg, "send_recv over 2 nodes"));
    assert_non_null(strstr(err.msg, "peer_rate (0 B/s)"));
}

/* A message between nodes is the machine's own: latency, rates and spread as they stand. */
static void test_message(void **state) {
    (void)state;
    char path[512];
    const char *root = getenv("RC_SOURCE_DIR");
    rc_machine m;
    rc_costs *c = NULL;
    rc_p2p p;
    rc_error err = {0};
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/gtt.yaml", root ? root : ".");
    assert_int_equal(rc_machine_load(path, &m, &err), RC_OK);
    m.ratio_spread = 0.07;
    m.peer_rate = 20e9;
    m.nic_line_rate = 40e9;
    m.hop_latency = 30 * US;
    assert_int_equal(rc_costs_open(NULL, &m, &c, &err), RC_OK);
    assert_int_equal(rc_cost_p2p(c, &(rc_transfer){.bytes = 1e6, .ranks = 2, .nodes = 2}, &p, &err),
                     RC_OK);
    assert_int_equal(p.basis, RC_MODELLED);
    assert_true(p.latency == 30 * US && p.peer_rate == 20e9 && p.link_rate == 40e9);
    assert_true(p.spread == 0.07);
    rc_costs_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),         cmocka_unit_test(test_ring),
        cmocka_unit_test(test_faster),       cmocka_unit_test(test_all_to_all),
        cmocka_unit_test(test_fast_network), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
