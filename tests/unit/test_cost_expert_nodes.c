/* Tokens to experts on other nodes: what is answered is what DeepEP's own table says, row by row, and between
 * its rows nothing jumps or falls.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/cost/cost.h"

static rc_machine machine;
static rc_costs *costs;

static int setup(void **state) {
    char path[1024];
    (void)state;
    if (rc_share_path("scenarios/machines", "h100-sxm", ".yaml", path, sizeof path, NULL) !=
            RC_OK ||
        rc_machine_load(path, &machine, NULL) != RC_OK)
        return -1;
    return rc_costs_open(NULL, &machine, &costs, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    return 0;
}

static rc_cost ask(const char *op, int64_t tokens, int ranks) {
    rc_cost cost;
    const rc_expert_transfer x = {.tokens = tokens,
                                  .width = 7168,
                                  .element = strcmp(op, "ep_dispatch") == 0 ? 1.0 : 2.0,
                                  .experts = 256,
                                  .top_k = 8,
                                  .ranks = ranks,
                                  .nodes = (ranks + 7) / 8,
                                  .abreast = 1};
    assert_int_equal(rc_cost_expert_transfer(costs, op, &x, &cost, NULL), RC_OK);
    return cost;
}

/* 128 tokens at low latency: the published microseconds, as near as rates in whole GB/s are. 4,096 by normal
 * kernels: the published rate of the bytes that go once to each node, its own counted, without a limit on the
 * nodes of a token. */
static void test_rows(void **state) {
    (void)state;
    char path[1024], line[256], kernel[32], link[16];
    int rows = 0;
    (void)snprintf(path, sizeof path, "%s/results/published/raw/ep_published.csv",
                   getenv("RC_SOURCE_DIR"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        double gbps[2], us[2];
        int ep;
        if (sscanf(line, "V1,low-latency,H800+CX7,%d,%lf,%lf,%lf,%lf", &ep, &us[0], &gbps[0],
                   &us[1], &gbps[1]) == 5 &&
            ep > 8) {
            assert_true(fabs(ask("ep_dispatch", 128, ep).p50 * 1e6 / us[0] - 1.0) < 0.03);
            assert_true(fabs(ask("ep_combine", 128, ep).p50 * 1e6 / us[1] - 1.0) < 0.03);
            assert_int_equal(ask("ep_dispatch", 128, ep).basis, RC_PUBLISHED);
            rows++;
        }
        if (sscanf(line, "V1,%31[^,],H800+CX7,%d,,%lf,,%lf,%15[^,]", kernel, &ep, &gbps[0],
                   &gbps[1], link) == 5 &&
            ep > 8) {
            const double n = ep / 8.0;
            double none = 1.0; /* that a node has none of a token's eight experts */
            for (int i = 0; i < 8; i++)
                none *= (256 - 256 / n - i) / (256 - i);
            const double sent = 4096 * n * (1.0 - none) * 7168;
            assert_true(
                fabs(sent * (1.0 + 4.0 / 128) / ask("ep_dispatch", 4096, ep).p50 / (gbps[0] * 1e9) -
                     1.0) < 1e-9);
            assert_true(fabs(sent * 2.0 / ask("ep_combine", 4096, ep).p50 / (gbps[1] * 1e9) - 1.0) <
                        1e-9);
            rows++;
        }
    }
    (void)fclose(f);
    assert_int_equal(rows, 5 + 3);
}

static void test_between(void **state) {
    (void)state;
    for (int ep = 16; ep <= 512; ep += 8) {
        double before = 0.0;
        for (int64_t tokens = 1; tokens <= 16384; tokens += 1 + tokens / 3) {
            const double t = ask("ep_dispatch", tokens, ep).p50;
            assert_true(t >= before && t > 0.0);
            before = t;
        }
    }
    assert_int_equal(ask("ep_dispatch", 128, 512).basis, RC_EXTRAPOLATED);
    assert_int_equal(ask("ep_dispatch", 64, 64).basis, RC_EXTRAPOLATED);
    assert_int_equal(ask("ep_dispatch", 128, 12).basis,
                     RC_MODELLED); /* nodes of six: an all-to-all */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_between)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
