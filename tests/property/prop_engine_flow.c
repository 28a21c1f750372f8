/* Max-min fairness by its definition: no link carries more than its capacity, and every flow has
 * its cap or a bottleneck: a full link on which no flow is faster. Also: rates found by going from
 * one set of flows to another are those of a fresh start; bytes are conserved.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include "sim/engine/sim_internal.h"
#include "tests/support/prop.h"

#define MOST 64
#define LINKS 12
#define EPS 1e-9

typedef struct net {
    unsigned flows;
    double capacity[LINKS], cap[MOST];
    uint32_t len[MOST];
    rc_id path[MOST][4];
} net;

static void draw(prop_case *c, net *n) {
    n->flows = c->size < MOST ? c->size : MOST;
    for (int l = 0; l < LINKS; l++)
        n->capacity[l] = prop_one_in(c, 2) ? 50e9 : 1e9 + 99e9 * prop_unit(c);
    for (unsigned f = 0; f < n->flows; f++) {
        n->len[f] = (uint32_t)prop_range(c, 1, 4);
        for (uint32_t k = 0; k < n->len[f]; k++)
            n->path[f][k] = (rc_id)prop_below(c, LINKS);
        n->cap[f] = prop_one_in(c, 3) ? 1e9 + 20e9 * prop_unit(c) : 0;
    }
}

static rc_sim *build(net *n) {
    rc_sim *s = rc_sim_create();
    rc_sim_keep_all(s);
    for (int l = 0; l < LINKS; l++)
        (void)rc_sim_link(s, n->capacity[l]);
    for (unsigned f = 0; f < n->flows; f++)
        (void)rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FLOW,
                                         .stream = RC_NONE,
                                         .bytes = 1e12,
                                         .path = n->path[f],
                                         .path_len = n->len[f],
                                         .max_rate = n->cap[f]});
    rc_error err;
    if (rc_sim_prepare_(s, &err) != RC_OK)
        abort();
    for (unsigned f = 0; f < n->flows; f++) /* each flow is the only op of a track of its own */
        s->tracks[f].at = f;
    return s;
}

static void set_share(rc_sim *s, rc_id flow, double share, rc_time now) {
    (void)now;
    s->tracks[flow].rate = share;
}

static bool fair(prop_case *c, const net *n, const rc_sim *s, const bool *on) {
    double used[LINKS] = {0}, fastest[LINKS] = {0};
    for (unsigned f = 0; f < n->flows; f++) {
        for (uint32_t k = 0; on[f] && k < n->len[f]; k++) {
            used[n->path[f][k]] += s->tracks[f].rate;
            fastest[n->path[f][k]] = fmax(fastest[n->path[f][k]], s->tracks[f].rate);
        }
    }
    for (int l = 0; l < LINKS; l++)
        PROP_CHECK(c, used[l] <= n->capacity[l] * (1 + EPS), "link %d carries %g of %g", l, used[l],
                   n->capacity[l]);
    for (unsigned f = 0; f < n->flows; f++) {
        double rate = s->tracks[f].rate;
        bool stopped = n->cap[f] > 0 && rate >= n->cap[f] * (1 - EPS);
        PROP_CHECK(c, !on[f] || n->cap[f] == 0 || rate <= n->cap[f], "flow %u is above its cap", f);
        for (uint32_t k = 0; k < n->len[f]; k++) {
            rc_id l = n->path[f][k];
            stopped = stopped ||
                      (used[l] >= n->capacity[l] * (1 - EPS) && rate >= fastest[l] * (1 - EPS));
        }
        PROP_CHECK(c, !on[f] || stopped, "flow %u has no bottleneck at rate %g", f, rate);
    }
    return true;
}

static bool every_flow_has_a_bottleneck(prop_case *c) {
    net n;
    bool on[MOST] = {false};
    draw(c, &n);
    rc_sim *s = build(&n);
    for (int round = 0; round < 6; round++) {
        for (unsigned f = 0; f < n.flows; f++) {
            bool flip = prop_one_in(c, 2);
            if (flip && on[f])
                rc_flow_leave_(s, f);
            else if (flip)
                rc_flow_join_(s, f, 0);
            on[f] = on[f] != flip;
        }
        rc_flow_share_(s, set_share, 0);
        if (!fair(c, &n, s, on))
            return false;
        rc_sim *fresh = build(&n);
        for (unsigned f = n.flows; f-- > 0;)
            if (on[f])
                rc_flow_join_(fresh, f, 0);
        rc_flow_share_(fresh, set_share, 0);
        for (unsigned f = 0; f < n.flows; f++)
            PROP_CHECK(c, !on[f] || s->tracks[f].rate == fresh->tracks[f].rate,
                       "flow %u: %.17g, from a fresh start %.17g", f, s->tracks[f].rate,
                       fresh->tracks[f].rate);
        rc_sim_destroy(fresh);
    }
    rc_sim_destroy(s);
    return true;
}

/* One link that is never idle ends when all its bytes are through, whatever came when. */
static bool bytes_are_conserved(prop_case *c) {
    rc_sim *s = rc_sim_create();
    rc_sim_keep_all(s);
    double capacity = 1e9 * (double)prop_range(c, 1, 100), bytes = 0;
    rc_id link = rc_sim_link(s, capacity);
    for (unsigned f = 0; f < c->size; f++) {
        double b = (double)prop_range(c, 1, 1000000), busy_until = bytes * RC_PS_PER_S / capacity;
        rc_time from = (rc_time)(busy_until * prop_unit(c));
        (void)rc_sim_op(s, &(rc_op_desc){.kind = RC_OP_FLOW,
                                         .stream = RC_NONE,
                                         .duration = from,
                                         .bytes = b,
                                         .path = &link,
                                         .path_len = 1});
        bytes += b;
    }
    PROP_CHECK(c, rc_sim_run(s, NULL) == RC_OK, "the run failed");
    double expected = bytes * RC_PS_PER_S / capacity, end = (double)rc_sim_end(s);
    PROP_CHECK(c, fabs(end - expected) <= 1 + 0.6 * c->size + 1e-9 * expected,
               "ended at %.0f, expected %.1f", end, expected);
    rc_sim_destroy(s);
    return true;
}

static void test_fairness(void **state) {
    (void)state;
    assert_true(prop_run("every_flow_has_a_bottleneck", every_flow_has_a_bottleneck, 60));
}

static void test_conservation(void **state) {
    (void)state;
    assert_true(prop_run("bytes_are_conserved", bytes_are_conserved, 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fairness),
                                       cmocka_unit_test(test_conservation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
