/* Causality: programs played with random times, every op its own, so that ranks drift apart as far
 * as the dependencies let them. What an op reads must have arrived, and what a message overwrites
 * must have been read.
 *
 * Buffers: a rank has two message buffers, one that it attends to and hands on while the other
 * receives; so what arrives in step j overwrites what was read in step j-1. An all-gather has a
 * place for each rank's KV, read by the attention at the end of the layer and by the messages that
 * hand it on.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/programs.h"

/* ---- a played program ---- */

typedef struct played {
    programs_case x;
    rc_program p;
    programs_index at;
    rc_sim *sim;
    uint64_t seed; /* of the times */
    uint32_t slow; /* a GPU and how often its times are taken; UINT32_MAX: none */
    rc_time times;
    rc_time scale[4]; /* longest of: other compute, attention, messages, host */
} played;

static uint64_t scramble(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Random, and the same for the same task of the same program. */
static rc_time random_ticks(void *ctx, const rc_program *p, size_t task) {
    const played *r = ctx;
    const rc_shape *s = programs_shape(p, task);
    int kind = s->kind == RC_T_MESSAGE     ? 2
               : s->part == RC_P_HOST      ? 3
               : s->part == RC_P_ATTENTION ? 1
                                           : 0;
    uint64_t draw = scramble(r->seed + task * 0x9e3779b97f4a7c15u);
    rc_time ticks = s->kind == RC_T_MARK ? 0 : (rc_time)(draw % (uint64_t)(r->scale[kind] + 1));
    return p->tasks[task].gpu == r->slow ? ticks * r->times : ticks;
}

static void put_away(played *r) {
    rc_sim_destroy(r->sim);
    free(r->at.attention);
    rc_program_free(&r->p);
}

static bool play(prop_case *c, const char *variant, rc_phase phase, played *r) {
    rc_error err = {0};
    memset(r, 0, sizeof *r);
    programs_draw(c, phase, variant, &r->x);
    r->x.model.layers = (int)prop_range(c, 1, 4);
    r->x.rq.eager = prop_one_in(c, 3);
    r->x.rq.ring_host = prop_one_in(c, 2);
    r->x.rq.unfold_tp = prop_one_in(c, 4) && r->x.rq.layout.tp * r->x.rq.layout.cp < 64;
    r->seed = prop_u64(c);
    r->slow = prop_one_in(c, 2) ? UINT32_MAX : (uint32_t)prop_below(c, (uint64_t)r->x.rq.layout.cp);
    r->times = prop_range(c, 1, 20);
    for (int i = 0; i < 4; i++)
        r->scale[i] = prop_one_in(c, 3) ? 5 : 1000;
    PROP_CHECK(c, rc_schedule_build(&r->x.rq, &r->p, &err) == RC_OK, "%.300s", err.msg);
    PROP_CHECK(c, programs_index_of(&r->p, r->x.rq.layout.cp, &r->at), "no memory");
    r->sim = programs_play(&r->p, random_ticks, r, false);
    PROP_CHECK(c, r->sim != NULL, "%s did not run", r->x.variant);
    return true;
}

static rc_time start_of(const played *r, rc_id op) {
    return rc_sim_op_start(r->sim, op);
}

static rc_time end_of(const played *r, rc_id op) {
    return op == RC_NONE ? 0 : rc_sim_op_end(r->sim, op);
}

static rc_id attention(const played *r, uint32_t gpu, int layer, int step) {
    return r->at.attention[programs_at(&r->at, gpu, layer, step)];
}

static rc_id message(const played *r, uint32_t gpu, int layer, int step) {
    return r->at.message[programs_at(&r->at, gpu, layer, step)];
}

static rc_id ready(const played *r, uint32_t gpu, int layer) {
    return r->at.ready[programs_at(&r->at, gpu, layer, 0)];
}

/* The same GPU of the rank `ahead` ranks on (or back, when negative). */
static uint32_t along(const played *r, uint32_t gpu, int ahead) {
    int n = r->x.rq.layout.cp, g = (int)r->p.gpus_per_rank;
    int rank = ((int)gpu / g + ahead % n + n) % n;
    return (uint32_t)(rank * g + (int)gpu % g);
}

/* ---- payloads ---- */

/* What left `steps` ranks back has come to `gpu` hop by hop: no hop starts before the payload is
 * there. Returns when it arrived. */
static bool payload_came(prop_case *c, const played *r, uint32_t gpu, int layer, int steps,
                         rc_time *came) {
    *came = end_of(r, ready(r, along(r, gpu, -steps), layer));
    for (int h = 0; h < steps; h++) {
        rc_id hop = message(r, along(r, gpu, h - steps), layer, h);
        PROP_CHECK(c, hop != RC_NONE && r->p.tasks[hop].peer == along(r, gpu, h + 1 - steps),
                   "%s layer %d: hop %d of %d to GPU %u", r->x.variant, layer, h, steps, gpu);
        PROP_CHECK(c, start_of(r, hop) >= *came,
                   "%s layer %d: hop %d to GPU %u at %ld, payload at %ld", r->x.variant, layer, h,
                   gpu, (long)start_of(r, hop), (long)*came);
        *came = end_of(r, hop);
    }
    return true;
}

static bool attention_reads_what_came(prop_case *c, const played *r, uint32_t gpu, int layer,
                                      int step, int steps) {
    rc_time came;
    rc_id a = attention(r, gpu, layer, step);
    PROP_CHECK(c, a != RC_NONE, "no attention of GPU %u, layer %d, step %d", gpu, layer, step);
    if (!payload_came(c, r, gpu, layer, steps, &came))
        return false;
    PROP_CHECK(c, start_of(r, a) >= came,
               "%s layer %d: step %d of GPU %u at %ld, what it reads at %ld", r->x.variant, layer,
               step, gpu, (long)start_of(r, a), (long)came);
    PROP_CHECK(c, start_of(r, a) >= end_of(r, ready(r, gpu, layer)), "before its own Q, K and V");
    return true;
}

static bool ring_reads_what_came(prop_case *c) {
    played r;
    bool decode = prop_one_in(c, 4);
    if (!play(c, decode || prop_one_in(c, 2) ? "pass-q" : "pass-kv",
              decode ? RC_DECODE : RC_PREFILL, &r))
        return false;
    for (uint32_t g = 0; g < r.p.gpus; g++)
        for (int l = 0; l < r.p.layers; l++)
            for (int j = 0; j < r.x.rq.layout.cp; j++)
                if (!attention_reads_what_came(c, &r, g, l, j, j))
                    return false;
    put_away(&r);
    return true;
}

static bool gathered_attention_reads_what_came(prop_case *c) {
    played r;
    if (!play(c, "all-gather-kv", RC_PREFILL, &r))
        return false;
    for (uint32_t g = 0; g < r.p.gpus; g++)
        for (int l = 0; l < r.p.layers; l++)
            for (int j = 0; j < r.x.rq.layout.cp; j++)
                if (!attention_reads_what_came(c, &r, g, l, 0, j))
                    return false;
    put_away(&r);
    return true;
}

/* ---- buffers ---- */

/* All that `gpu` read from its message buffers in a step has been read by `at`. */
static bool was_read(prop_case *c, const played *r, uint32_t gpu, int layer, int step, rc_time at) {
    rc_time attended = end_of(r, attention(r, gpu, layer, step));
    rc_time sent = end_of(r, message(r, gpu, layer, step));
    PROP_CHECK(c, at >= attended,
               "%s layer %d: GPU %u's buffer is overwritten at %ld, step %d attends to %ld",
               r->x.variant, layer, gpu, (long)at, step, (long)attended);
    PROP_CHECK(c, at >= sent,
               "%s layer %d: GPU %u's buffer is overwritten at %ld, step %d sends it to %ld",
               r->x.variant, layer, gpu, (long)at, step, (long)sent);
    return true;
}

static bool ring_overwrites_what_was_read(prop_case *c) {
    played r;
    bool decode = prop_one_in(c, 4);
    if (!play(c, decode || prop_one_in(c, 2) ? "pass-q" : "pass-kv",
              decode ? RC_DECODE : RC_PREFILL, &r))
        return false;
    int n = r.x.rq.layout.cp;
    for (uint32_t g = 0; g < r.p.gpus; g++) {
        for (int l = 0; l < r.p.layers; l++) {
            for (int j = 0; j < n - 1; j++) {
                rc_time at = start_of(&r, message(&r, g, l, j));
                if (j > 0 && !was_read(c, &r, along(&r, g, 1), l, j - 1, at))
                    return false;
                for (int s = 0; j == 0 && l > 0 && s < n; s++) /* both buffers, a layer ago */
                    if (!was_read(c, &r, along(&r, g, 1), l - 1, s, at))
                        return false;
            }
        }
    }
    put_away(&r);
    return true;
}

/* What arrives in step j of a layer takes the place of the same rank's KV of the layer before,
 * which was sent on in step j + 1. */
static bool gather_overwrites_what_was_read(prop_case *c) {
    played r;
    if (!play(c, "all-gather-kv", RC_PREFILL, &r))
        return false;
    for (uint32_t g = 0; g < r.p.gpus; g++) {
        for (int l = 1; l < r.p.layers; l++) {
            for (int j = 0; j < r.x.rq.layout.cp - 1; j++) {
                uint32_t to = along(&r, g, 1);
                rc_time at = start_of(&r, message(&r, g, l, j));
                if (!was_read(c, &r, to, l - 1, j + 1, at))
                    return false;
                PROP_CHECK(c, at >= end_of(&r, attention(&r, to, l - 1, 0)),
                           "layer %d: GPU %u still attends to the layer before", l, to);
            }
        }
    }
    put_away(&r);
    return true;
}

/* ---- the way back of pass-Q ---- */

/* When the last of a GPU's attentions and the last message of each exchange ended. */
typedef struct way_back {
    rc_time attended, outputs, lse, merge;
} way_back;

static bool is_lse(const played *r, const rc_shape *s) {
    int hq = r->x.model.kind[0].heads / r->x.rq.layout.tp;
    int64_t tokens = 0, n = r->x.rq.layout.cp;
    for (size_t i = 0; i < r->x.rq.seq_count; i++)
        tokens += (r->x.seqs[i].t + n - 1) / n;
    return s->bytes == (double)(4 * hq * tokens);
}

static void note_way_back(const played *r, int layer, way_back *w) {
    memset(w, 0, r->p.gpus * sizeof *w);
    for (size_t i = 0; i < r->p.task_count; i++) {
        const rc_task *t = &r->p.tasks[i];
        const rc_shape *s = programs_shape(&r->p, i);
        rc_time end = end_of(r, (rc_id)i);
        if (t->layer != layer)
            continue;
        if (s->kind == RC_T_ATTENTION && end > w[t->gpu].attended)
            w[t->gpu].attended = end;
        if (s->kind == RC_T_MERGE)
            w[t->gpu].merge = start_of(r, (rc_id)i);
        if (s->kind != RC_T_MESSAGE || s->part != RC_P_ALL2ALL)
            continue;
        for (int side = 0; side < 2; side++) {
            way_back *x = &w[side ? t->peer : t->gpu];
            rc_time *last = is_lse(r, s) ? &x->lse : &x->outputs;
            *last = end > *last ? end : *last;
        }
    }
}

static bool outputs_return_in_order(prop_case *c) {
    played r;
    static way_back w[1024];
    if (!play(c, "pass-q", RC_PREFILL, &r))
        return false;
    PROP_CHECK(c, r.p.gpus <= 1024, "%u GPUs", r.p.gpus);
    bool apart = r.x.model.kind[0].head_dim != 2; /* else outputs and LSE look alike */
    for (int l = 0; apart && l < r.p.layers; l++) {
        note_way_back(&r, l, w);
        for (size_t i = 0; i < r.p.task_count; i++) {
            const rc_task *t = &r.p.tasks[i];
            const rc_shape *s = programs_shape(&r.p, i);
            if (t->layer != l || s->kind != RC_T_MESSAGE || s->part != RC_P_ALL2ALL)
                continue;
            rc_time at = start_of(&r, (rc_id)i);
            PROP_CHECK(c, at >= w[t->gpu].attended && at >= w[t->peer].attended,
                       "GPU %u sends to %u before both have attended", t->gpu, t->peer);
            if (is_lse(&r, s))
                PROP_CHECK(c, at >= w[t->gpu].outputs && at >= w[t->peer].outputs,
                           "GPU %u sends LSE before the outputs are through", t->gpu);
        }
        for (uint32_t g = 0; g < r.p.gpus; g++)
            PROP_CHECK(
                c, r.x.rq.layout.cp == 1 || (w[g].merge >= w[g].outputs && w[g].merge >= w[g].lse),
                "GPU %u merges at %ld, outputs come until %ld, LSE until %ld", g, (long)w[g].merge,
                (long)w[g].outputs, (long)w[g].lse);
    }
    put_away(&r);
    return true;
}

/* ---- launches ---- */

/* Every op on a GPU's stream waits for its own launch: the host's launches and the ops of a GPU
 * pair off in order of issue. The host does nothing of a later ring step before the earlier one is
 * through. */
static bool ops_wait_for_launches(prop_case *c) {
    played r;
    if (!play(c, NULL, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, &r))
        return false;
    for (uint32_t g = 0; r.x.rq.eager && g < r.p.gpus; g++) {
        rc_time device = 0;
        size_t launch = 0;
        for (size_t i = 0; i < r.p.task_count; i++) {
            const rc_task *t = &r.p.tasks[i];
            if (t->gpu != g)
                continue;
            rc_time at = start_of(&r, (rc_id)i);
            if (programs_shape(&r.p, i)->kind == RC_T_RING_STEP)
                PROP_CHECK(c, at >= device, "GPU %u works for a ring step at %ld, busy until %ld",
                           g, (long)at, (long)device);
            if (t->lane != RC_LANE_COMPUTE && t->lane != RC_LANE_COMM)
                continue;
            launch = launch > i ? launch : i + 1;
            while (launch < r.p.task_count && (r.p.tasks[launch].gpu != g ||
                                               programs_shape(&r.p, launch)->kind != RC_T_LAUNCH))
                launch++;
            PROP_CHECK(c, launch < r.p.task_count, "task %zu has no launch", i);
            PROP_CHECK(c, at >= end_of(&r, (rc_id)launch),
                       "task %zu of GPU %u starts before its launch", i, g);
            launch++;
            device = end_of(&r, (rc_id)i) > device ? end_of(&r, (rc_id)i) : device;
        }
    }
    put_away(&r);
    return true;
}

/* ---- a slow rank ---- */

/* Slowing one rank's compute makes nobody faster; in the end every rank has waited for its last
 * QKV; and it is no slower than if all ranks were as slow. */
static bool a_slow_rank_makes_everyone_wait(prop_case *c) {
    played r;
    if (!play(c, prop_one_in(c, 2) ? "pass-kv" : "all-gather-kv", RC_PREFILL, &r))
        return false;
    r.slow = UINT32_MAX;
    rc_sim *even = programs_play(&r.p, random_ticks, &r, false);
    r.slow = (uint32_t)prop_below(c, r.p.gpus);
    r.times = prop_range(c, 1, 10);
    rc_sim *uneven = programs_play(&r.p, random_ticks, &r, false);
    PROP_CHECK(c, even && uneven, "%s did not run", r.x.variant);
    for (rc_id i = 0; i < r.p.task_count; i++)
        PROP_CHECK(c, rc_sim_op_end(uneven, i) >= rc_sim_op_end(even, i), "op %u is faster", i);
    PROP_CHECK(c, rc_sim_end(uneven) <= r.times * rc_sim_end(even), "slower than all");
    rc_time sent = rc_sim_op_end(uneven, ready(&r, r.slow, r.p.layers - 1));
    for (uint32_t g = 0; g < r.p.gpus; g++) {
        if (g % r.p.gpus_per_rank != r.slow % r.p.gpus_per_rank)
            continue;
        rc_time last = 0;
        for (int j = 0; j < r.at.steps; j++) {
            rc_id a = attention(&r, g, r.p.layers - 1, j);
            if (a != RC_NONE && rc_sim_op_start(uneven, a) > last)
                last = rc_sim_op_start(uneven, a);
        }
        PROP_CHECK(c, last >= sent, "GPU %u is through at %ld, GPU %u had no KV until %ld", g,
                   (long)last, r.slow, (long)sent);
    }
    rc_sim_destroy(even);
    rc_sim_destroy(uneven);
    put_away(&r);
    return true;
}

static void test_payloads(void **state) {
    (void)state;
    assert_true(prop_run("ring_reads_what_came", ring_reads_what_came, 20));
    assert_true(
        prop_run("gathered_attention_reads_what_came", gathered_attention_reads_what_came, 20));
}

static void test_ring_buffers(void **state) {
    (void)state;
    assert_true(prop_run("ring_overwrites_what_was_read", ring_overwrites_what_was_read, 20));
}

static void test_gather_buffers(void **state) {
    (void)state;
    assert_true(prop_run("gather_overwrites_what_was_read", gather_overwrites_what_was_read, 20));
}

static void test_way_back(void **state) {
    (void)state;
    assert_true(prop_run("outputs_return_in_order", outputs_return_in_order, 20));
}

static void test_launches(void **state) {
    (void)state;
    assert_true(prop_run("ops_wait_for_launches", ops_wait_for_launches, 20));
}

static void test_slow_rank(void **state) {
    (void)state;
    assert_true(prop_run("a_slow_rank_makes_everyone_wait", a_slow_rank_makes_everyone_wait, 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),       cmocka_unit_test(test_ring_buffers),
        cmocka_unit_test(test_gather_buffers), cmocka_unit_test(test_way_back),
        cmocka_unit_test(test_launches),       cmocka_unit_test(test_slow_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
