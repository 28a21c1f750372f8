/* Transfers against the published rows (results/published, nothing measured) and against the
 * formulas.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/cost_store.h"

static char store[512];

static const char *source_dir(void) {
    const char *root = getenv("RC_SOURCE_DIR");
    return root != NULL ? root : ".";
}

static int setup(void **state) {
    (void)state;
    static const char *const names[] = {"dgx-h100", "h100-sxm", "h200-sxm", "h200x2"};
    rc_rows *sets[4] = {NULL};
    bool ok = true;
    for (int i = 0; i < 4; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/results/published/%s.csv", source_dir(), names[i]);
        ok = ok && rc_store_read_csv(path, &sets[i], NULL) == RC_OK;
    }
    (void)unlink(syn_path(store, sizeof store, "test_cost_collective"));
    ok = ok && rc_store_write(store, sets, 4, NULL) == RC_OK;
    for (int i = 0; i < 4; i++)
        rc_rows_free(sets[i]);
    return ok ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return unlink(store);
}

/* Costs of a machine of scenarios/machines. */
static rc_costs *open_machine(const char *name, rc_machine *m) {
    char path[512];
    rc_costs *c = NULL;
    (void)snprintf(path, sizeof path, "%s/scenarios/machines/%s.yaml", source_dir(), name);
    assert_int_equal(rc_machine_load(path, m, NULL), RC_OK);
    assert_int_equal(rc_costs_open(store, m, &c, NULL), RC_OK);
    return c;
}

static void near(double got, double want, double relative) {
    if (!(fabs(got / want - 1.0) <= relative))
        fail_msg("got %.6g, expected %.6g within %.3g %%", got, want, 100.0 * relative);
}

static double time_of(const rc_costs *c, const char *op, double bytes, int ranks, int nodes,
                      rc_basis basis) {
    rc_cost out;
    assert_int_equal(
        rc_cost_collective(c, op, &(rc_transfer){.bytes = bytes, .ranks = ranks, .nodes = nodes},
                           &out, NULL),
        RC_OK);
    if (out.basis != basis)
        fail_msg("%s of %.0f bytes: %s, expected %s", op, bytes, rc_basis_name(out.basis),
                 rc_basis_name(basis));
    return out.p50;
}

static void fails(rc_status got, rc_status want, const rc_error *err, const char *text) {
    assert_int_equal(got, want);
    assert_string_equal(err->msg, text);
}

/* aiconfigurator, H100, half: rows as they stand in raw/. */
static void test_published_rows(void **state) {
    (void)state;
    rc_machine m;
    rc_costs *c = open_machine("gtt", &m);
    near(time_of(c, "all_reduce", 536870912.0, 8, 1, RC_PUBLISHED), 2.11106e-3, 1e-6);
    near(time_of(c, "all_reduce", 536870912.0, 4, 1, RC_PUBLISHED), 2.29971e-3, 1e-6);
    near(time_of(c, "all_gather", 536870912.0, 8, 1, RC_PUBLISHED), 1.4015e-3, 1e-6);
    near(time_of(c, "all_to_all", 2097152.0, 8, 1, RC_PUBLISHED), 18.58e-6, 1e-6);
    rc_costs_close(c);
    c = open_machine("h200-sxm", &m);
    near(time_of(c, "all_gather", 512.0, 2, 1, RC_PUBLISHED), 5.36e-6, 1e-6);
    rc_costs_close(c);
}

/* The same costs for a machine that has been changed. */
static rc_costs *reopened(rc_costs *c, const rc_machine *m) {
    rc_costs_close(c);
    c = NULL;
    assert_int_equal(rc_costs_open(NULL, m, &c, NULL), RC_OK);
    return c;
}

static void test_without_nvls(void **state) {
    (void)state;
    rc_machine m;
    rc_costs *c = open_machine("h100-sxm", &m);
    m.nvls = false; /* 8 ranks over nvlink: only vidur's rows have them */
    c = reopened(c, &m);
    near(time_of(c, "all_reduce", 33554432.0, 8, 1, RC_PUBLISHED), 196e-6, 1e-6);
    rc_costs_close(c);
}

static void test_ranks_without_rows(void **state) {
    (void)state;
    rc_machine m;
    rc_costs *c = open_machine("h100-sxm", &m);
    double six = time_of(c, "all_gather", 536870912.0, 6, 1, RC_MODELLED);
    double eight = time_of(c, "all_gather", 536870912.0, 8, 1, RC_PUBLISHED);
    near(six / eight, (5.0 / 6.0) / (7.0 / 8.0), 0.01);
    assert_true(time_of(c, "all_reduce", 1e6, 1, 1, RC_MEASURED) == 0.0);
    assert_true(time_of(c, "all_reduce", 0.0, 8, 1, RC_MEASURED) == 0.0);
    rc_costs_close(c);
}

/* Two H200 through host memory and through sockets: send_recv rows, the rest composed of them. */
static void test_other_transports(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double small, large;
    } t[] = {{"shm", 10.4e-6, 713e-6}, {"socket", 37e-6, 7900e-6}};
    rc_machine m;
    rc_costs *c = open_machine("h200x2", &m);
    for (int i = 0; i < 2; i++) {
        rc_p2p p;
        (void)snprintf(m.intra_transport, sizeof m.intra_transport, "%s", t[i].name);
        c = reopened(c, &m);
        near(time_of(c, "send_recv", 1024.0, 2, 1, RC_PUBLISHED), t[i].small, 1e-6);
        near(time_of(c, "all_to_all", 33554432.0, 2, 1, RC_MODELLED), t[i].large, 1e-6);
        near(time_of(c, "all_reduce", 33554432.0, 2, 1, RC_MODELLED), 2 * t[i].large, 1e-6);
        assert_int_equal(
            rc_cost_p2p(c, &(rc_transfer){.bytes = 16777216.0, .ranks = 2, .nodes = 1}, &p, NULL),
            RC_OK);
        near(p.latency + 16777216.0 / p.peer_rate, t[i].large, 1e-9);
        near(p.latency, t[i].small, 1e-9);
    }
    rc_costs_close(c);
}

/* NCCL's own predictions for DGX H100 over 400 Gb/s (us): within 7 % where the wire decides. With
 * two nodes NCCL counts on in-switch reduction, which the formula here leaves out. */
static void test_nccl_model(void **state) {
    (void)state;
    static const struct {
        int nodes;
        double bytes, us;
    } t[] = {{4, 67108864, 470},    {4, 1073741824, 5887}, {8, 67108864, 517},
             {8, 1073741824, 6022}, {16, 67108864, 562},   {16, 1073741824, 6111}};
    rc_machine m;
    rc_costs *c = open_machine("h100-sxm", &m);
    m.hop_latency = 16.6e-6;
    m.peer_rate = m.nic_line_rate = 50e9;
    c = reopened(c, &m);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        near(time_of(c, "all_reduce", t[i].bytes, 8 * t[i].nodes, t[i].nodes, RC_MODELLED),
             t[i].us * 1e-6, 0.07);
    rc_costs_close(c);
}

/* The paper's Table 5: a pass-KV message of 16.4 MB takes 629 us; Table 8: of one token, 33 us. */
static void test_paper_messages(void **state) {
    (void)state;
    rc_machine m;
    rc_p2p p;
    rc_costs *c = open_machine("gtt", &m);
    m.hop_latency = 33e-6; /* as stated, whatever is fitted since */
    m.peer_rate = 26e9;
    m.nic_line_rate = 46e9;
    c = reopened(c, &m);
    assert_int_equal(
        rc_cost_p2p(c, &(rc_transfer){.bytes = 16.384e6, .ranks = 2, .nodes = 2}, &p, NULL), RC_OK);
    near(p.latency + 16.384e6 / p.peer_rate, 629e-6, 0.06);
    near(p.link_rate, 46e9, 1e-12);
    assert_int_equal(p.basis, RC_MODELLED);
    near(time_of(c, "send_recv", 16.384e6, 2, 2, RC_MODELLED), 33e-6 + 16.384e6 / 26e9, 1e-9);
    near(time_of(c, "all_to_all", 64e6, 4, 4, RC_MODELLED), 33e-6 + 48e6 / 46e9, 1e-9);
    rc_costs_close(c);
}

static void test_refusals(void **state) {
    (void)state;
    rc_machine m;
    rc_cost out;
    rc_p2p p;
    rc_error err;
    rc_costs *c = open_machine("gtt", &m);
    fails(rc_cost_collective(c, "all_reduc", &(rc_transfer){.bytes = 1, .ranks = 2, .nodes = 1},
                             &out, &err),
          RC_E_INPUT, &err, "'all_reduc' is no collective; did you mean 'all_reduce'?");
    fails(rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = -1, .ranks = 2, .nodes = 1},
                             &out, &err),
          RC_E_INPUT, &err, "all_reduce: bytes is -1; expected 0 to 1e18");
    fails(rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = NAN, .ranks = 2, .nodes = 1},
                             &out, &err),
          RC_E_INPUT, &err, "all_reduce: bytes is nan; expected 0 to 1e18");
    fails(rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = 1, .ranks = 2, .nodes = 4},
                             &out, &err),
          RC_E_INPUT, &err, "all_reduce: 2 ranks on 4 nodes; expected at least one of each");
    fails(rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = 1, .ranks = 16, .nodes = 1},
                             &out, &err),
          RC_E_INPUT, &err, "all_reduce: 16 ranks in one node; a node of 'gtt' has 8 GPUs");
    fails(
        rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = 1, .ranks = 9, .nodes = 2},
                           &out, &err),
        RC_E_INPUT, &err,
        "all_reduce: 9 ranks over 2 nodes of 8 GPUs; expected the same number, at most 8, on each");
    rc_costs_close(c);
    c = open_machine("h200x2", &m);
    fails(rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = 1, .ranks = 4, .nodes = 2},
                             &out, &err),
          RC_E_INPUT, &err, "all_reduce over 2 nodes: machine 'h200x2' has 1");
    fails(rc_cost_p2p(c, &(rc_transfer){.bytes = 1, .ranks = 2, .nodes = 2}, &p, &err), RC_E_INPUT,
          &err, "send_recv between nodes: machine 'h200x2' has one");
    rc_costs_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_rows),     cmocka_unit_test(test_without_nvls),
        cmocka_unit_test(test_ranks_without_rows), cmocka_unit_test(test_other_transports),
        cmocka_unit_test(test_nccl_model),         cmocka_unit_test(test_paper_messages),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
