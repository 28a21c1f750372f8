/* Transfers by rows of their own number of ranks, of NCCL's CTAs and of a host.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cost/nccl.h"
#include "tests/support/cost_store.h"

static char store[512];

enum { MIB = 1048576 };

static void transfer(syn_store *s, const char *op, const char *variant, int64_t bytes,
                     int64_t ranks, double us) {
    syn_add(s, "here", "burst", op, variant, "bytes", bytes, ranks, 1, 0, 1e-6 * us, "measured");
}

/* Round numbers of the kind that were measured. */
static int setup(void **state) {
    (void)state;
    syn_store s = {.noise = 0.0, .seed = 1};
    if (rc_rows_create(&s.rows, NULL) != RC_OK)
        return -1;
    for (int ranks = 2; ranks <= 4; ranks += 2) {
        transfer(&s, "send_recv", "shm", 1024, ranks, 10);
        transfer(&s, "send_recv", "shm", 4 * MIB, ranks, ranks == 2 ? 200 : 330);
        transfer(&s, "send_recv", "shm", 16 * MIB, ranks, 750);
        transfer(&s, "send_recv", "nvlink", 1024, ranks, 6);
        transfer(&s, "send_recv", "nvlink", 64 * MIB, ranks, ranks == 2 ? 250 : 440);
        transfer(&s, "send_recv", "nvlink", 256 * MIB, ranks, 900);
        transfer(&s, "all_reduce", "shm", 1024, ranks, 10);
        transfer(&s, "all_reduce", "shm", 64 * MIB, ranks, ranks == 2 ? 2400 : 4300);
        transfer(&s, "all_to_all", "nvlink", MIB, ranks, 14);
        transfer(&s, "all_to_all", "nvlink", 64 * MIB, ranks, ranks == 2 ? 140 : 190);
    }
    transfer(&s, "send_recv", "nvlink", MIB, 4, 18);
    transfer(&s, "send_recv", "nvlink@ctas4", MIB, 4, 60);
    transfer(&s, "send_recv", "nvlink@ctas4", 64 * MIB, 4, 900);
    transfer(&s, "all_to_all", "nvlink@ctas4", MIB, 4, 24);
    transfer(&s, "all_to_all", "nvlink@ctas4", 64 * MIB, 4, 700);
    for (int ranks = 2; ranks <= 4; ranks += 2) {
        transfer(&s, "send_recv", "socket", 1024, ranks, 30);
        transfer(&s, "send_recv", "socket", MIB, ranks, ranks == 2 ? 100 : 120);
        transfer(&s, "send_recv", "socket", 4 * MIB, ranks, 400);
    }
    transfer(&s, "send_recv", "socket@apart", MIB / 4, 2, 40);
    transfer(&s, "send_recv", "socket@apart", MIB, 2, 108);
    transfer(&s, "all_reduce", "socket", MIB, 2, 50);
    transfer(&s, "all_reduce", "socket@apart", MIB, 2, 53);
    transfer(&s, "all_reduce", "nvlink", MIB, 2, 14); /* and at 2 MiB NCCL changes its protocol */
    transfer(&s, "all_reduce", "nvlink", 2 * MIB, 2, 27);
    transfer(&s, "all_reduce", "nvlink", 4 * MIB, 2, 32);
    transfer(&s, "all_reduce", "nvlink@apart", MIB, 2, 16);
    transfer(&s, "all_reduce", "nvlink@apart", 4 * MIB, 2, 35);
    /* whose rows: over 8 ranks of all, over 16 of two that nobody names, over 32 of the base alone */
    static const struct {
        const char *machine;
        int64_t ranks;
        double us;
    } of[] = {{"own", 8, 10},  {"named", 8, 20},    {"here", 8, 30},  {"another", 8, 40},
              {"own", 16, 50}, {"another", 16, 60}, {"here", 32, 70}, {"another", 64, 80}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
        syn_add(&s, of[i].machine, "burst", "all_gather", "nvlink", "bytes", MIB, of[i].ranks, 1, 0,
                1e-6 * of[i].us, "measured");
    (void)unlink(syn_path(store, sizeof store, "test_cost_link_rows"));
    rc_rows *sets[] = {s.rows};
    bool ok = !s.failed && rc_store_write(store, sets, 1, NULL) == RC_OK;
    rc_rows_free(s.rows);
    return ok ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return unlink(store);
}

static rc_costs *open_here(const char *name, const char *transport, int ctas) {
    rc_machine m = {.gpus_per_node = 8, .nvlink_rate = 450e9, .ring_ctas = ctas};
    rc_costs *c = NULL;
    (void)snprintf(m.name, sizeof m.name, "%s", name);
    strcpy(m.base, "here");
    strcpy(m.collectives, "here");
    strcpy(m.state, "burst");
    (void)snprintf(m.intra_transport, sizeof m.intra_transport, "%s", transport);
    assert_int_equal(rc_costs_open(store, &m, &c, NULL), RC_OK);
    return c;
}

static double message(const rc_costs *c, double bytes, int ranks, rc_basis basis) {
    rc_p2p p;
    rc_transfer x = {.bytes = bytes, .ranks = ranks, .nodes = 1};
    assert_int_equal(rc_cost_p2p(c, &x, &p, NULL), RC_OK);
    assert_string_equal(rc_basis_name(p.basis), rc_basis_name(basis));
    return 1e6 * (p.latency + bytes / p.peer_rate);
}

static double collective(const rc_costs *c, const char *op, const rc_transfer *x, rc_basis basis) {
    rc_cost out;
    assert_int_equal(rc_cost_collective(c, op, x, &out, NULL), RC_OK);
    assert_string_equal(rc_basis_name(out.basis), rc_basis_name(basis));
    return 1e6 * out.p50;
}

static void near(double got, double want, double relative) {
    if (!(fabs(got / want - 1.0) <= relative))
        fail_msg("got %.6g, expected %.6g within %.3g %%", got, want, 100.0 * relative);
}

static void test_own_number_of_ranks(void **state) {
    (void)state;
    rc_costs *c = open_here("here", "nvlink", 0);
    near(message(c, 64.0 * MIB, 2, RC_MEASURED), 250, 1e-6);
    near(message(c, 64.0 * MIB, 4, RC_MEASURED), 440, 1e-6);
    near(message(c, 64.0 * MIB, 8, RC_MODELLED), 440, 1e-6); /* the nearest */
    rc_transfer x = {.bytes = 64.0 * MIB, .ranks = 4, .nodes = 1};
    near(collective(c, "all_to_all", &x, RC_MEASURED), 190, 1e-6);
    rc_costs_close(c);
}

/* NCCL's own counts; those of a CTA limit were seen in its rates (20.5 GB/s a channel, H200). */
static void test_channels(void **state) {
    (void)state;
    assert_int_equal(rc_nccl_channels(true, 2, 0, 1024), 16);
    assert_int_equal(rc_nccl_channels(true, 4, 0, 128.0 * MIB), 8);
    assert_int_equal(rc_nccl_channels(true, 4, 0, 256.0 * MIB), 16);
    assert_int_equal(rc_nccl_channels(true, 4, 4, 16.0 * MIB), 1);
    assert_int_equal(rc_nccl_channels(true, 4, 4, 40.0 * MIB), 4);
    assert_int_equal(rc_nccl_channels(true, 4, 8, 16.0 * MIB), 2);
    assert_int_equal(rc_nccl_channels(false, 4, 0, 4.0 * MIB), 1);
    assert_int_equal(rc_nccl_channels(false, 4, 0, 8.0 * MIB), 2);
    assert_int_equal(rc_nccl_channels(false, 8, 2, 1024), 1);
}

/* Between two points a message keeps the lower one's channels until NCCL adds some, or runs at what
 * the link gives. */
static void test_between_points(void **state) {
    (void)state;
    rc_costs *c = open_here("here", "nvlink", 0);
    near(message(c, 128.0 * MIB, 4, RC_MEASURED), 880, 1e-6); /* 8 channels as at 64 MiB */
    near(message(c, 256.0 * MIB, 4, RC_MEASURED), 900, 1e-6); /* 16 */
    rc_costs_close(c);
    c = open_here("here", "shm", 0);
    near(message(c, 8.0 * MIB, 4, RC_MEASURED), 375, 1e-6); /* as fast as 16 MiB */
    near(message(c, 4.0 * MIB, 4, RC_MEASURED), 330, 1e-6);
    rc_costs_close(c);
}

static void test_ctas(void **state) {
    (void)state;
    rc_costs *c = open_here("here", "nvlink", 4), *free = open_here("here", "nvlink", 0);
    near(message(c, MIB, 4, RC_MEASURED), 60, 1e-6);
    near(message(c, 64.0 * MIB, 4, RC_MEASURED), 900, 1e-6);
    double few = message(c, 64.0 * 1024, 4, RC_EXTRAPOLATED);
    double many = message(free, 64.0 * 1024, 4, RC_MEASURED);
    near(few - many, (60 - message(free, MIB, 4, RC_MEASURED)) / 16, 1e-6);
    rc_transfer x = {.bytes = 64.0 * MIB, .ranks = 4, .nodes = 1};
    near(collective(c, "all_to_all", &x, RC_MEASURED), 700, 1e-6);
    /* By rows of four ranks. Of two a peer gets two of the four channels, of four one: 16 MiB to a
     * peer take half as long, but for what a call takes at least. */
    x = (rc_transfer){.bytes = 32.0 * MIB, .ranks = 2, .nodes = 1};
    near(collective(c, "all_to_all", &x, RC_MODELLED), 14 + (700 - 14) / 2.0, 1e-6);
    near(message(c, MIB, 2, RC_MODELLED), message(free, MIB, 2, RC_MEASURED), 1e-6);
    near(message(c, 64.0 * MIB, 2, RC_MODELLED), 900, 1e-6);
    rc_costs_close(c);
    rc_costs_close(free);
}

/* Two groups of two share host memory as one of four does: 4300 us, of which each of two moves a
 * half in 2/3 of the steps. */
static void test_groups_abreast(void **state) {
    (void)state;
    rc_transfer x = {.bytes = 64.0 * MIB, .ranks = 2, .nodes = 1, .abreast = 2};
    rc_costs *c = open_here("here", "shm", 0);
    near(collective(c, "all_reduce", &x, RC_MODELLED), 10 + 4290 / 1.5, 1e-4);
    x.abreast = 1;
    near(collective(c, "all_reduce", &x, RC_MEASURED), 2400, 1e-6);
    x.abreast = 4; /* of eight nothing is known */
    near(collective(c, "all_reduce", &x, RC_MEASURED), 2400, 1e-6);
    rc_costs_close(c);
}

/* All of each piece, of K and of V, but for 1.1 us of the kernel that begins once. */
static void test_pieces(void **state) {
    (void)state;
    rc_p2p p;
    rc_transfer x = {.bytes = 40.0 * MIB, .ranks = 2, .nodes = 1, .piece = {16.0 * MIB, 4.0 * MIB}};
    rc_costs *c = open_here("here", "shm", 0);
    assert_int_equal(rc_cost_p2p(c, &x, &p, NULL), RC_OK);
    near(1e6 * (p.latency + x.bytes / p.peer_rate), 2 * (750 + 200) - 3 * 1.1, 1e-4);
    assert_int_equal(p.basis, RC_MODELLED);
    rc_costs_close(c);
}

/* Rows over host memory are the host's: of another they are a model, with more spread. */
static void test_hosts(void **state) {
    (void)state;
    rc_p2p ours, theirs;
    rc_transfer x = {.bytes = 16.0 * MIB, .ranks = 2, .nodes = 1};
    rc_costs *c = open_here("here", "shm", 0), *d = open_here("there", "shm", 0);
    assert_int_equal(rc_cost_p2p(c, &x, &ours, NULL), RC_OK);
    assert_int_equal(rc_cost_p2p(d, &x, &theirs, NULL), RC_OK);
    assert_int_equal(ours.basis, RC_MEASURED);
    assert_int_equal(theirs.basis, RC_MODELLED);
    near(theirs.spread, hypot(ours.spread, 0.011), 1e-9);
    rc_costs_close(c);
    rc_costs_close(d);
    c = open_here("there", "nvlink", 0);
    near(message(c, 64.0 * MIB, 2, RC_MEASURED), 250, 1e-6); /* NVLink is the part's */
    rc_costs_close(c);
}

/* Between compute kernels a call takes more, a ring once for all its messages. */
static void test_in_a_pass(void **state) {
    (void)state;
    rc_costs *c = open_here("here", "socket", 0);
    near(message(c, MIB, 2, RC_MEASURED), 100 + 8, 1e-6);
    near(message(c, 4.0 * MIB, 2, RC_MEASURED), 400 + 8, 1e-6); /* as at the last of such rows */
    near(message(c, MIB, 4, RC_MEASURED), 120 + 8.0 / 3, 1e-6); /* by rows of two ranks */
    rc_transfer x = {.bytes = MIB, .ranks = 2, .nodes = 1};
    near(collective(c, "all_reduce", &x, RC_MEASURED), 50 + 3, 1e-6);
    rc_costs_close(c);
    c = open_here("here", "nvlink", 0);
    x.bytes = 2.0 * MIB; /* half way from 2 more to 3 more, for it is reckoned in logarithms */
    near(collective(c, "all_reduce", &x, RC_MEASURED), 27 + 2.5, 1e-6);
    rc_costs_close(c);
}

/* Outputs and their sums, two messages to each peer in one group: one after the other, and NCCL's
 * kernel begins once, for 1.1 us. */
static void test_two_messages(void **state) {
    (void)state;
    rc_costs *c = open_here("here", "nvlink", 0);
    rc_transfer x = {.bytes = 65.0 * MIB, .ranks = 4, .nodes = 1, .second = MIB};
    near(collective(c, "all_to_all", &x, RC_MODELLED), 190 + 14 - 1.1, 1e-6);
    x.second = 0.0;
    x.bytes = 64.0 * MIB;
    near(collective(c, "all_to_all", &x, RC_MEASURED), 190, 1e-6);
    rc_costs_close(c);
}

/* A transfer that fills little of NVLink waits for NCCL's CTAs, and they for the clock; host memory
 * knows none. */
static void test_clock(void **state) {
    (void)state;
    rc_cost out;
    rc_p2p p;
    rc_transfer x = {.bytes = 64.0 * MIB, .ranks = 4, .nodes = 1};
    rc_costs *c = open_here("here", "nvlink", 0);
    double link = 20.6 / 25.0 * 450e9;
    assert_int_equal(rc_cost_p2p(c, &x, &p, NULL), RC_OK);
    near(p.bound, 1.0 - x.bytes / 440e-6 / link, 1e-6);
    assert_int_equal(rc_cost_collective(c, "all_to_all", &x, &out, NULL), RC_OK);
    near(out.effort.bound, 1.0 - 0.75 * x.bytes / 190e-6 / link, 1e-6);
    rc_costs_close(c);
    c = open_here("here", "shm", 0);
    assert_int_equal(rc_cost_p2p(c, &x, &p, NULL), RC_OK);
    assert_true(p.bound == 0.0);
    rc_costs_close(c);
}

/* A machine's own rows come before those of the machine that it names, these before its base's, and these before any: of the same
 * GPU they are carried over, of another they are a model. What is stated of the machine's link since then carries its own over. */
static void test_whose_rows(void **state) {
    (void)state;
    static const struct {
        const char *name, *named, *gpu;
        int ranks;
        double us;
        rc_basis basis;
        double rate; /* of the link now; the file has 450 GB/s */
    } t[] = {{"own", "named", "", 8, 10, RC_MEASURED, 450e9},
             {"new", "named", "", 8, 20, RC_TRANSFERRED, 450e9},
             {"new", "none", "", 8, 30, RC_MEASURED, 450e9},
             {"new", "none", "", 32, 70, RC_MEASURED, 450e9},
             {"own", "named", "", 16, 50, RC_MEASURED, 450e9},
             {"new", "another", "", 16, 60, RC_TRANSFERRED, 450e9},
             {"new", "none", "H200 SXM5 141GB", 64, 80, RC_TRANSFERRED, 450e9},
             {"new", "none", "H900", 64, 80, RC_MODELLED, 450e9},
             /* beyond the shortest message, which is all of it here, a link decides */
             {"own", "named", "", 8, 10, RC_TRANSFERRED, 900e9}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_machine m = {.gpus_per_node = 64, .nvlink_rate = t[i].rate};
        rc_costs *c = NULL;
        const rc_transfer x = {.bytes = MIB, .ranks = t[i].ranks, .nodes = 1};
        (void)snprintf(m.name, sizeof m.name, "%s", t[i].name);
        (void)snprintf(m.collectives, sizeof m.collectives, "%s", t[i].named);
        (void)snprintf(m.gpu, sizeof m.gpu, "%s", t[i].gpu);
        strcpy(m.base, "here");
        strcpy(m.state, "burst");
        strcpy(m.intra_transport, "nvlink");
        m.file.nvlink_rate = 450e9;
        assert_int_equal(rc_costs_open(store, &m, &c, NULL), RC_OK);
        near(collective(c, "all_gather", &x, t[i].basis), t[i].us, 1e-6);
        rc_costs_close(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_number_of_ranks),
                                       cmocka_unit_test(test_channels),
                                       cmocka_unit_test(test_between_points),
                                       cmocka_unit_test(test_ctas),
                                       cmocka_unit_test(test_groups_abreast),
                                       cmocka_unit_test(test_pieces),
                                       cmocka_unit_test(test_hosts),
                                       cmocka_unit_test(test_in_a_pass),
                                       cmocka_unit_test(test_two_messages),
                                       cmocka_unit_test(test_clock),
                                       cmocka_unit_test(test_whose_rows)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
