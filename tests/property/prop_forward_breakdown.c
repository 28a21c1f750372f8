/* A pass that is evaluated takes as long, and says where its time went, as the engine says that
 * plays every layer of it: the critical path by part and by what it rests on, the work of GPU 0,
 * communication exposed and hidden, and the times of the ring, whatever the schedule, the costs,
 * the host, kinds of layers, slow ranks and links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/internal.h"

static unsigned long passes, evaluated;

/* Both sum whole picoseconds, one of them as doubles. */
static bool near(double a, double b, double scale) {
    return fabs(a - b) <= 1e-9 * scale;
}

static bool same_ring(prop_case *c, const rc_ring_times *a, const rc_ring_times *b, double time) {
    PROP_CHECK(c, near(a->attn_op, b->attn_op, time), "attn_op %.15g %.15g", a->attn_op,
               b->attn_op);
    PROP_CHECK(c, near(a->attn_ring, b->attn_ring, time), "attn_ring %.15g %.15g", a->attn_ring,
               b->attn_ring);
    PROP_CHECK(c, near(a->sendrecv, b->sendrecv, time), "sendrecv %.15g %.15g", a->sendrecv,
               b->sendrecv);
    PROP_CHECK(c, near(a->sendrecv_ring, b->sendrecv_ring, time), "sendrecv_ring %.15g %.15g",
               a->sendrecv_ring, b->sendrecv_ring);
    PROP_CHECK(c, near(a->all2all, b->all2all, time), "all2all %.15g %.15g", a->all2all,
               b->all2all);
    PROP_CHECK(c, near(a->whole, b->whole, time), "whole %.15g %.15g", a->whole, b->whole);
    return true;
}

static bool same(prop_case *c, const rc_forward *a, const rc_forward *b) {
    double sum = 0.0;
    PROP_CHECK(c, a->ticks == b->ticks, "%ld evaluated, %ld played", (long)a->ticks,
               (long)b->ticks);
    for (int i = 0; i < RC_P_COUNT; i++) {
        sum += a->critical[i];
        PROP_CHECK(c, near(a->critical[i], b->critical[i], b->time),
                   "critical %s %.15g evaluated, %.15g played", rc_part_name((rc_part)i),
                   a->critical[i], b->critical[i]);
        PROP_CHECK(c, near(a->busy[i], b->busy[i], b->time),
                   "busy %s %.15g evaluated, %.15g played", rc_part_name((rc_part)i), a->busy[i],
                   b->busy[i]);
    }
    PROP_CHECK(c, near(sum, a->time, a->time), "parts sum to %.15g of %.15g", sum, a->time);
    for (int i = 0; i < RC_BASIS_COUNT; i++) {
        PROP_CHECK(c, near(a->basis[i], b->basis[i], 1.0), "basis %d %.12g %.12g", i, a->basis[i],
                   b->basis[i]);
        PROP_CHECK(c, near(a->busy_basis[i], b->busy_basis[i], 1.0), "busy basis %d %.12g %.12g", i,
                   a->busy_basis[i], b->busy_basis[i]);
    }
    PROP_CHECK(c, near(a->exposed_comm, b->exposed_comm, b->time), "exposed %.15g %.15g",
               a->exposed_comm, b->exposed_comm);
    PROP_CHECK(c, near(a->hidden_comm, b->hidden_comm, b->time), "hidden %.15g %.15g",
               a->hidden_comm, b->hidden_comm);
    PROP_CHECK(c, near(a->gemm_flops, b->gemm_flops, b->gemm_flops), "GEMM FLOPs %g %g",
               a->gemm_flops, b->gemm_flops);
    PROP_CHECK(c, near(a->attention_flops, b->attention_flops, b->attention_flops),
               "attention FLOPs %g %g", a->attention_flops, b->attention_flops);
    PROP_CHECK(c, a->ops == b->ops && a->gpus == b->gpus, "%zu ops of %u GPUs, %zu of %u", a->ops,
               a->gpus, b->ops, b->gpus);
    return same_ring(c, &a->ring, &b->ring, b->time);
}

static bool compare(prop_case *c, const fake_pass *f) {
    rc_forward fast, played;
    rc_error err = {0};
    memset(&played, 0, sizeof played);
    PROP_CHECK(c, rc_forward_run(&f->spec, &fast, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, rc_play(&f->spec, &played, &err) == RC_OK, "%.300s", err.msg);
    passes++;
    evaluated += fast.events == 0;
    if (same(c, &fast, &played))
        return true;
    print_message("%s phase %d N %d eager %d serial %d layers %d\n", f->spec.schedule->name,
                  f->spec.phase, f->spec.layout.cp, f->spec.eager, f->spec.serial_ring,
                  f->spec.model->layers);
    return false;
}

/* No op takes no time: which of two that end together let a third one begin would be a matter of
 * which waited for the other. */
static void draw(prop_case *c, const char *variant, int gpus, fake_pass *f) {
    fake_draw(c, variant, gpus, 40, f);
    f->spec.serial_ring = prop_one_in(c, 3);
    f->costs.machine.launch = (double)prop_range(c, 1, 3000) / RC_PS_PER_S;
    f->costs.machine.ring_step = (double)prop_range(c, 0, 1) * (double)prop_range(c, 1, 5000);
    f->costs.machine.ring_step /= RC_PS_PER_S;
    for (int i = 0; i < FAKE_KINDS; i++)
        f->costs.fixed[i] = prop_range(c, 1, 2000);
    f->costs.latency = prop_range(c, 1, 4000);
}

static bool breakdown_is_played(prop_case *c) {
    fake_pass f;
    draw(c, NULL, 16, &f);
    fake_mix_phases(c, &f);
    return compare(c, &f);
}

static bool breakdown_where_messages_meet(prop_case *c) {
    fake_pass f;
    draw(c, prop_one_in(c, 2) ? "pass-kv" : "pass-q", 16, &f);
    fake_share(c, &f);
    if (prop_one_in(c, 2))
        f.costs.machine.ring_step = 0.0; /* hosts run ahead */
    return compare(c, &f);
}

static bool breakdown_with_slow_ranks(prop_case *c) {
    fake_pass f;
    draw(c, prop_one_in(c, 2) ? "pass-kv" : "pass-q", 12, &f);
    rc_what_if *w = &f.spec.what_if;
    w->slow_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
    w->slow_speed = 0.125 * (double)prop_range(c, 1, 12);
    if (prop_one_in(c, 2)) {
        w->slow_link_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
        w->slow_link = 0.1 + prop_unit(c);
    }
    return compare(c, &f);
}

/* Layers of two kinds in any order: other widths, other heads. */
static bool breakdown_of_two_kinds(prop_case *c) {
    fake_pass f;
    uint8_t order[40];
    draw(c, NULL, 12, &f);
    fake_mix_phases(c, &f);
    rc_model *m = &f.x.model;
    m->kinds = 2;
    m->kind[1] = m->kind[0];
    m->kind[1].ffn = prop_range(c, 1, 900);
    m->kind[1].heads *= (int)prop_range(c, 1, 3);
    m->layers = (int)prop_range(c, 2, 40);
    for (int i = 0; i < m->layers; i++)
        order[i] = (uint8_t)prop_below(c, 2);
    return !rc_model_set_order(m, order, m->layers) || compare(c, &f);
}

/* Collectives over the CP group: all ranks wait for the last. */
static bool breakdown_of_collectives(prop_case *c) {
    fake_pass f;
    draw(c, "head-split", 16, &f);
    rc_layer_kind *k = &f.x.model.kind[0];
    int n = f.spec.layout.cp, tp = f.spec.layout.tp;
    k->kv_heads = tp * (prop_one_in(c, 2) ? n : 1);
    k->heads = tp * n * (int)prop_range(c, 1, 3);
    if (prop_one_in(c, 2)) {
        f.spec.what_if.slow_rank = (int)prop_below(c, (uint64_t)n);
        f.spec.what_if.slow_speed = 0.125 * (double)prop_range(c, 1, 12);
    }
    return compare(c, &f);
}

#define TEST(property, size)                                                                       \
    static void test_##property(void **state) {                                                    \
        (void)state;                                                                               \
        assert_true(prop_run(#property, property, size));                                          \
    }
TEST(breakdown_where_messages_meet, 24)
TEST(breakdown_is_played, 24)
TEST(breakdown_with_slow_ranks, 24)
TEST(breakdown_of_two_kinds, 24)
TEST(breakdown_of_collectives, 24)

static int end(void **state) {
    (void)state;
    print_message("%lu of %lu passes evaluated\n", evaluated, passes);
    return evaluated < passes / 2;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakdown_is_played),
        cmocka_unit_test(test_breakdown_where_messages_meet),
        cmocka_unit_test(test_breakdown_with_slow_ranks),
        cmocka_unit_test(test_breakdown_of_two_kinds),
        cmocka_unit_test(test_breakdown_of_collectives),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
