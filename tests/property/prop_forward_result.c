/* What a forward pass reports: the breakdown sums to the time, communication is exposed or hidden,
 * the interval is reproducible, and more work or less bandwidth is never faster.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

static bool pass(prop_case *c, const fake_pass *f, rc_forward *out) {
    rc_error err = {0};
    rc_status st = rc_forward_run(&f->spec, out, &err);
    PROP_CHECK(c, st == RC_OK, "%s: %.300s", f->spec.schedule->name, err.msg);
    return true;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)) + 1e-18;
}

/* ---- breakdown ---- */

static bool breakdown_sums_to_time(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, NULL, 16, 40, &f);
    f.spec.unfold = prop_one_in(c, 4);
    if (!pass(c, &f, &r))
        return false;
    double critical = 0.0, basis = 0.0, exposed = 0.0;
    for (int i = 0; i < RC_P_COUNT; i++) {
        PROP_CHECK(c, r.critical[i] >= 0.0 && r.busy[i] >= 0.0, "%s is negative",
                   rc_part_name((rc_part)i));
        critical += r.critical[i];
        exposed += rc_part_is_comm((rc_part)i) ? r.critical[i] : 0.0;
    }
    for (int i = 0; i < RC_BASIS_COUNT; i++)
        basis += r.basis[i];
    PROP_CHECK(c, near(r.time, (double)r.ticks / RC_PS_PER_S), "%g s, %ld ticks", r.time,
               (long)r.ticks);
    PROP_CHECK(c, near(critical, r.time), "%s N %d: parts sum to %g of %g s", f.spec.schedule->name,
               f.spec.layout.cp, critical, r.time);
    PROP_CHECK(c, r.ticks == 0 || near(basis, 1.0), "shares sum to %g", basis);
    PROP_CHECK(c, near(exposed, r.exposed_comm), "exposed %g, not %g", r.exposed_comm, exposed);
    return true;
}

/* With one rank and one stream everything is on the critical path, as often as it is busy. */
static bool one_rank_is_all_critical(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, "tp", 16, 40, &f);
    f.spec.eager = false;
    if (!pass(c, &f, &r))
        return false;
    for (int i = 0; i < RC_P_COUNT; i++)
        PROP_CHECK(c, near(r.critical[i], r.busy[i]), "%s: critical %g, busy %g",
                   rc_part_name((rc_part)i), r.critical[i], r.busy[i]);
    PROP_CHECK(c, near(r.exposed_comm, r.busy[RC_P_ALL_REDUCE]) && r.hidden_comm <= 1e-9 * r.time,
               "exposed %g, hidden %g", r.exposed_comm, r.hidden_comm);
    PROP_CHECK(c, near(r.ring.attn_op * f.x.model.layers, r.busy[RC_P_ATTENTION]),
               "attention %g a layer, %g", r.ring.attn_op, r.busy[RC_P_ATTENTION]);
    return true;
}

/* The same pass with the ranks alike: exposed and hidden are all that GPU 0 sent and reduced. */
static bool comm_is_exposed_or_hidden(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, prop_one_in(c, 2) ? "pass-kv" : "all-gather-kv", 16, 24, &f);
    f.spec.seq_count = 1;
    f.x.seqs[0].t *= 2 * f.spec.layout.cp;
    f.x.seqs[0].p *= f.spec.layout.cp;
    if (!pass(c, &f, &r))
        return false;
    double busy = r.busy[RC_P_ALL_REDUCE] + r.busy[RC_P_SENDRECV] + r.busy[RC_P_ALL_GATHER];
    PROP_CHECK(c, near(r.exposed_comm + r.hidden_comm, busy), "%g exposed, %g hidden of %g",
               r.exposed_comm, r.hidden_comm, busy);
    PROP_CHECK(c, f.spec.eager || near(r.critical[RC_P_ALL_REDUCE], r.busy[RC_P_ALL_REDUCE]),
               "all-reduces are never hidden but behind a host: %g of %g",
               r.critical[RC_P_ALL_REDUCE], r.busy[RC_P_ALL_REDUCE]);
    return true;
}

/* Folded or not: GPU 0 was as busy, and did as many FLOPs. */
static bool folded_busy_is_unfolded_busy(prop_case *c) {
    fake_pass f;
    rc_forward folded, all;
    fake_draw(c, NULL, 12, 24, &f);
    f.spec.eager = false;
    if (!pass(c, &f, &folded))
        return false;
    f.spec.unfold = true;
    if (!pass(c, &f, &all))
        return false;
    for (int i = 0; i < RC_P_COUNT; i++)
        if (i != RC_P_ALL2ALL) /* its messages share links: an uneven first layer may take a little
                                  longer */
            PROP_CHECK(c, near(folded.busy[i], all.busy[i]), "%s: %g folded, %g unfolded",
                       rc_part_name((rc_part)i), folded.busy[i], all.busy[i]);
    PROP_CHECK(c, near(folded.gemm_flops, all.gemm_flops), "%g folded, %g unfolded",
               folded.gemm_flops, all.gemm_flops);
    PROP_CHECK(c, near(folded.attention_flops, all.attention_flops), "%g folded, %g unfolded",
               folded.attention_flops, all.attention_flops);
    PROP_CHECK(c, near(folded.mfu, all.mfu), "%g folded, %g unfolded", folded.mfu, all.mfu);
    return true;
}

/* ---- the interval ---- */

static bool draws_are_reproducible(prop_case *c) {
    fake_pass f;
    rc_forward a, b, other;
    fake_draw(c, NULL, 12, 16, &f);
    f.costs.spread = 0.1;
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] += 1000;
    f.spec.draws = 15;
    f.spec.seed = prop_u64(c);
    if (!pass(c, &f, &a) || !pass(c, &f, &b))
        return false;
    f.spec.seed++;
    if (!pass(c, &f, &other))
        return false;
    PROP_CHECK(c,
               a.ticks == b.ticks && a.trace_hash == b.trace_hash && a.p5 == b.p5 &&
                   a.p95 == b.p95 && a.ring_p5.whole == b.ring_p5.whole &&
                   a.exposed_comm == b.exposed_comm,
               "two runs of one seed differ");
    PROP_CHECK(c, a.ticks == other.ticks, "the seed moves the time itself");
    PROP_CHECK(c, a.p5 != other.p5 && a.p95 != other.p95, "the seed changes nothing");
    PROP_CHECK(c, a.p5 < a.p95 && a.p5 > 0.5 * a.time && a.p95 < 2.0 * a.time,
               "p5 %g, time %g, p95 %g", a.p5, a.time, a.p95);
    return true;
}

/* Nothing spread, nothing fitted: the interval is a point. */
static bool no_spread_no_interval(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, NULL, 12, 16, &f);
    f.spec.draws = 5;
    f.costs.basis = prop_one_in(c, 2) ? RC_MEASURED : RC_TRANSFERRED;
    if (!pass(c, &f, &r))
        return false;
    PROP_CHECK(c, near(r.p5, r.time) && near(r.p95, r.time), "p5 %g, time %g, p95 %g", r.p5, r.time,
               r.p95);
    return true;
}

/* What was carried over from another machine has the spread of the transfer; what was measured has
 * not. */
static bool transfer_spreads_what_it_carries(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, "tp", 8, 16, &f);
    f.spec.eager = false;
    f.spec.draws = 30;
    f.costs.machine.ratio_spread = 0.2;
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.fixed[i] += 100;
    if (!pass(c, &f, &r))
        return false;
    PROP_CHECK(c, near(r.p5, r.time) && near(r.p95, r.time), "measured: p5 %g, time %g, p95 %g",
               r.p5, r.time, r.p95);
    f.costs.basis = RC_TRANSFERRED;
    if (!pass(c, &f, &r))
        return false;
    PROP_CHECK(c, r.p5 < 0.98 * r.time && r.p95 > 1.02 * r.time, "p5 %g, time %g, p95 %g", r.p5,
               r.time, r.p95);
    return true;
}

/* A slow network has a long latency and a low rate, together: a ring that waits for its messages,
 * half of whose time is latency, moves as they do. */
static bool latency_and_rate_move_together(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, "pass-kv", 64, 8, &f);
    if (f.spec.layout.cp == 1)
        return true;
    f.spec.eager = false;
    f.spec.draws = 30;
    f.spec.seq_count = 1;
    f.costs.machine.ring_step = 0.0;
    memset(f.costs.fixed, 0, sizeof f.costs.fixed);
    memset(f.costs.slope, 0, sizeof f.costs.slope);
    f.costs.spread = 0.2;
    f.costs.link_rate = 1e15;
    f.costs.peer_rate = 1e12;
    int64_t n = f.spec.layout.cp, tp = f.spec.layout.tp;
    int64_t kv = f.x.model.kind[0].kv_heads > tp ? f.x.model.kind[0].kv_heads / tp : 1;
    f.costs.latency =
        (rc_ceil_div(f.x.seqs[0].t, n) + rc_ceil_div(f.x.seqs[0].p, n)) * 4 * kv * 128;
    if (!pass(c, &f, &r))
        return false;
    PROP_CHECK(c, r.ticks == 2 * f.costs.latency * (n - 1) * f.x.model.layers, "%ld ticks",
               (long)r.ticks);
    PROP_CHECK(c, r.p5 < 0.9 * r.time && r.p95 > 1.1 * r.time, "p5 %g, time %g, p95 %g", r.p5,
               r.time, r.p95);
    return true;
}

/* A fitted launch cost moves inside its interval: the pass does, too; the machine itself stays. */
static bool fitted_parameters_are_drawn(prop_case *c) {
    fake_pass f;
    rc_forward r;
    fake_draw(c, "tp", 8, 16, &f);
    rc_machine *m = &f.costs.machine;
    m->launch = 1e-8; /* 10000 ticks: the pass waits for the host */
    m->fitted_count = 1;
    strcpy(m->fitted[0].name, "launch");
    m->fitted[0].value = m->launch;
    m->fitted[0].lo = 0.5e-8;
    m->fitted[0].hi = 2e-8;
    f.spec.eager = true;
    f.spec.draws = 40;
    for (int i = 0; i < FAKE_KINDS; i++)
        f.costs.slope[i] = 0;
    if (!pass(c, &f, &r))
        return false;
    PROP_CHECK(c, r.p5 < 0.95 * r.time && r.p95 > 1.05 * r.time, "p5 %g, time %g, p95 %g", r.p5,
               r.time, r.p95);
    PROP_CHECK(c, near(m->launch, 1e-8), "the machine was changed");
    return true;
}

/* ---- more is not faster ---- */

static bool more_tokens_are_not_faster(prop_case *c) {
    fake_pass f;
    rc_forward few, many;
    fake_draw(c, NULL, 16, 12, &f);
    if (!pass(c, &f, &few))
        return false;
    for (size_t i = 0; i < f.spec.seq_count; i++) {
        if (f.spec.phase == RC_PREFILL)
            f.x.seqs[i].t *= prop_range(c, 2, 3);
        else
            f.x.seqs[i].p += prop_range(c, 0, 500);
    }
    if (!pass(c, &f, &many))
        return false;
    PROP_CHECK(c, many.ticks >= few.ticks, "%s N %d: %ld ticks, less than %ld",
               f.spec.schedule->name, f.spec.layout.cp, (long)many.ticks, (long)few.ticks);
    return true;
}

static bool more_bandwidth_is_not_slower(prop_case *c) {
    fake_pass f;
    rc_forward slow, fast;
    fake_draw(c, NULL, 16, 12, &f);
    if (!pass(c, &f, &slow))
        return false;
    f.costs.link_rate *= 1.0 + prop_unit(c);
    f.costs.peer_rate *= 1.0 + prop_unit(c);
    f.costs.latency -= prop_range(c, 0, f.costs.latency);
    if (!pass(c, &f, &fast))
        return false;
    PROP_CHECK(c, fast.ticks <= slow.ticks, "%s N %d: %ld ticks, more than %ld",
               f.spec.schedule->name, f.spec.layout.cp, (long)fast.ticks, (long)slow.ticks);
    return true;
}

static bool a_slow_rank_is_not_faster(prop_case *c) {
    fake_pass f;
    rc_forward even, uneven;
    fake_draw(c, NULL, 16, 12, &f);
    if (!pass(c, &f, &even))
        return false;
    f.spec.what_if.slow_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
    f.spec.what_if.slow_speed = 0.5;
    f.spec.what_if.slow_link_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
    f.spec.what_if.slow_link = 0.5;
    if (!pass(c, &f, &uneven))
        return false;
    PROP_CHECK(c, uneven.ticks >= even.ticks, "%s N %d: %ld ticks, less than %ld",
               f.spec.schedule->name, f.spec.layout.cp, (long)uneven.ticks, (long)even.ticks);
    PROP_CHECK(c, uneven.ticks <= 2 * even.ticks + 1000, "%s N %d: %ld ticks, more than twice %ld",
               f.spec.schedule->name, f.spec.layout.cp, (long)uneven.ticks, (long)even.ticks);
    return true;
}

static void test_breakdown(void **state) {
    (void)state;
    assert_true(prop_run("breakdown_sums_to_time", breakdown_sums_to_time, 24));
    assert_true(prop_run("one_rank_is_all_critical", one_rank_is_all_critical, 24));
}

static void test_comm(void **state) {
    (void)state;
    assert_true(prop_run("comm_is_exposed_or_hidden", comm_is_exposed_or_hidden, 24));
}

static void test_folded(void **state) {
    (void)state;
    assert_true(prop_run("folded_busy_is_unfolded_busy", folded_busy_is_unfolded_busy, 16));
}

static void test_interval(void **state) {
    (void)state;
    assert_true(prop_run("draws_are_reproducible", draws_are_reproducible, 16));
    assert_true(prop_run("no_spread_no_interval", no_spread_no_interval, 16));
    assert_true(prop_run("transfer_spreads_what_it_carries", transfer_spreads_what_it_carries, 16));
    assert_true(prop_run("latency_and_rate_move_together", latency_and_rate_move_together, 16));
    assert_true(prop_run("fitted_parameters_are_drawn", fitted_parameters_are_drawn, 16));
}

static void test_tokens(void **state) {
    (void)state;
    assert_true(prop_run("more_tokens_are_not_faster", more_tokens_are_not_faster, 24));
}

static void test_bandwidth(void **state) {
    (void)state;
    assert_true(prop_run("more_bandwidth_is_not_slower", more_bandwidth_is_not_slower, 24));
}

static void test_slow(void **state) {
    (void)state;
    assert_true(prop_run("a_slow_rank_is_not_faster", a_slow_rank_is_not_faster, 24));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakdown), cmocka_unit_test(test_comm),
        cmocka_unit_test(test_folded),    cmocka_unit_test(test_interval),
        cmocka_unit_test(test_tokens),    cmocka_unit_test(test_bandwidth),
        cmocka_unit_test(test_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
