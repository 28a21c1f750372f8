/* The schedules that engines ship, on random models, layouts and sequences: the evaluator and the
 * engine agree to the tick, the size of a program is told before it is built, a template refilled
 * is one that was built, and laws that hold between schedules.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#define PROGRAMS_FAKE_COSTS
#include "sim/schedule/pass_memory.h"
#include "tests/support/programs.h"

static const char *const ranks[] = {"pcp", "ulysses", "usp", "gather-q", "gather-kv"};
static const char *const groups[] = {"dcp-ag-rs", "dcp-a2a", "helix"};

/* A pass on a layout that the schedule can cut. */
static void draw(prop_case *c, const char *variant, fake_pass *f) {
    const rc_schedule *s = rc_schedule_named(variant);
    bool decodes = !rc_schedule_takes(s, RC_PREFILL, 1) ||
                   (rc_schedule_takes(s, RC_DECODE, 1) && prop_one_in(c, 3));
    bool group = rc_schedule_named(variant)->groups == RC_OVER_TP;
    do {
        fake_draw(c, group ? "tp" : variant, 16, 24, f);
        f->spec.schedule = f->x.rq.schedule = rc_schedule_named(variant);
        if (group)
            f->spec.layout.dcp = (int)prop_range(c, 1, f->spec.layout.tp);
        if (s->two_levels)
            f->spec.layout.ulysses = (int)prop_range(c, 1, f->spec.layout.cp);
        f->spec.layout.ffn_over_cp = !group && prop_one_in(c, 2);
        f->spec.layout.dp =
            f->spec.layout.cp == 1 && 8 % f->spec.layout.tp == 0 ? (int)prop_range(c, 1, 4) : 1;
        f->spec.elsewhere = (rc_elsewhere){0};
        if (f->spec.layout.dp > 1)
            f->spec.elsewhere = (rc_elsewhere){prop_range(c, 0, 60), prop_range(c, 0, 9)};
        f->x.rq.elsewhere = f->spec.elsewhere;
        f->x.rq.layout = f->spec.layout;
    } while (rc_schedule_fits(f->spec.schedule, &f->x.model, &f->spec.layout, NULL) != RC_OK);
    if (decodes) {
        f->spec.phase = RC_DECODE;
        for (size_t i = 0; i < f->spec.seq_count; i++)
            f->x.seqs[i].t = 1;
    } else if (rc_schedule_takes(s, RC_MIXED, 1)) {
        fake_mix_phases(c, f);
    }
    if (s->message && prop_one_in(c, 2))
        fake_share(c, f);
    f->spec.serial_ring = s->message && prop_one_in(c, 3);
    f->x.rq.phase = f->spec.phase;
    f->x.rq.seq_count = f->spec.seq_count;
}

static const char *any(prop_case *c) {
    return prop_one_in(c, 2) ? ranks[prop_below(c, 5)] : groups[prop_below(c, 3)];
}

/* One context for all: structures are refilled from case to case. */
static rc_forward_ctx *ctx;

static bool every_path_agrees(prop_case *c) {
    fake_pass f;
    rc_forward folded, all;
    rc_forward_timing fast;
    rc_error err = {0};
    draw(c, any(c), &f);
    rc_forward_ctx_forget(ctx);
    rc_status st = rc_forward_run(&f.spec, &folded, &err);
    rc_spec unfolded = f.spec;
    unfolded.unfold = true;
    if (st == RC_OK)
        st = rc_forward_run(&unfolded, &all, &err);
    if (st == RC_OK)
        st = rc_forward_time(ctx, &f.spec, &fast, &err);
    PROP_CHECK(c, st == RC_OK, "%s: %.300s", f.spec.schedule->name, err.msg);
    PROP_CHECK(c, folded.ticks == all.ticks && fast.ticks == all.ticks,
               "%s phase %d N %d TP %d dcp %d: %ld folded, %ld fast, %ld unfolded",
               f.spec.schedule->name, f.spec.phase, f.spec.layout.cp, f.spec.layout.tp,
               f.spec.layout.dcp, (long)folded.ticks, (long)fast.ticks, (long)all.ticks);
    PROP_CHECK(c, fast.path == RC_PATH_REPLAY, "%s was played", f.spec.schedule->name);
    /* the same structure for other sizes */
    for (size_t i = 0; i < f.spec.seq_count; i++)
        if (f.x.seqs[i].t > 1)
            f.x.seqs[i].t += prop_range(c, 1, 9);
    st = rc_forward_time(ctx, &f.spec, &fast, &err);
    if (st == RC_OK)
        st = rc_forward_run(&unfolded, &all, &err);
    PROP_CHECK(c, st == RC_OK && fast.ticks == all.ticks, "refilled: %ld, not %ld %.200s",
               (long)fast.ticks, (long)all.ticks, err.msg);
    return true;
}

static bool size_is_told(prop_case *c) {
    fake_pass f;
    rc_program p;
    rc_program_size z;
    draw(c, any(c), &f);
    f.x.rq.eager = f.spec.eager;
    f.x.rq.unfold_tp = prop_one_in(c, 2);
    PROP_CHECK(c, rc_schedule_size(&f.x.rq, &z, NULL) == RC_OK, "no size");
    PROP_CHECK(c, rc_schedule_build(&f.x.rq, &p, NULL) == RC_OK, "no program");
    int64_t messages = 0;
    for (size_t i = 0; i < p.task_count; i++)
        messages += programs_shape(&p, i)->kind == RC_T_MESSAGE;
    bool same = z.tasks == (int64_t)p.task_count && z.deps == (int64_t)p.dep_count &&
                z.messages == messages && z.loose == 0;
    size_t tasks = p.task_count;
    rc_program_free(&p);
    PROP_CHECK(c, same, "%s N %d: %ld tasks told, %zu built", f.spec.schedule->name,
               f.spec.layout.cp, (long)z.tasks, tasks);
    return true;
}

/* Counts of GPU 0 in one layer. */
static rc_counts counts_of(const rc_request *rq) {
    rc_program p;
    rc_request one = *rq;
    rc_counts n = {0};
    one.repeats = 1;
    one.head = false;
    if (rc_schedule_build(&one, &p, NULL) != RC_OK)
        return n;
    n = rc_program_counts(&p, 0);
    rc_program_free(&p);
    return n;
}

static rc_time ticks_of(const rc_spec *s) {
    rc_forward_timing t = {0};
    return rc_forward_time(ctx, s, &t, NULL) == RC_OK ? t.ticks : -1;
}

/* On one rank, and with each token on all GPUs, every one of them is the TP group alone. */
static bool one_rank_is_tp(prop_case *c) {
    fake_pass f;
    draw(c, any(c), &f);
    f.spec.layout.tp *= f.spec.layout.cp;
    f.spec.layout.cp = f.spec.layout.dcp = f.spec.layout.ulysses = f.spec.layout.dp = 1;
    f.spec.elsewhere = (rc_elsewhere){0};
    rc_forward_ctx_forget(ctx);
    if (rc_schedule_fits(f.spec.schedule, &f.x.model, &f.spec.layout, NULL) != RC_OK)
        return true;
    rc_time own = ticks_of(&f.spec);
    f.spec.schedule = rc_schedule_named("tp");
    rc_time tp = ticks_of(&f.spec);
    PROP_CHECK(c, own >= 0 && own == tp, "%ld, not %ld", (long)own, (long)tp);
    return true;
}

/* What a GPU projects more under Helix than under decode context parallelism is what the others
 * send it there; attention is the same, and the way back but for a number a head. */
static bool helix_is_dcp(prop_case *c) {
    fake_pass f;
    do
        draw(c, "helix", &f);
    while (rc_schedule_fits(rc_schedule_named("dcp-a2a"), &f.x.model, &f.spec.layout, NULL) !=
           RC_OK);
    const rc_layout *l = &f.spec.layout;
    const rc_layer_kind *k = &f.x.model.kind[0];
    const double rows = (double)f.spec.seq_count, d = rc_layout_dcp(l);
    const double own = (double)k->heads / l->tp;
    rc_counts helix = counts_of(&f.x.rq);
    f.x.rq.schedule = rc_schedule_named("dcp-a2a");
    rc_counts dcp = counts_of(&f.x.rq);
    double more = 2.0 * rows * (d - 1) * own * k->head_dim * (double)f.x.model.hidden;
    PROP_CHECK(c, helix.gemm_flops - dcp.gemm_flops == more, "dcp %g: %.0f FLOPs", d,
               helix.gemm_flops - dcp.gemm_flops);
    PROP_CHECK(c, helix.entries == dcp.entries && helix.attention_flops == dcp.attention_flops,
               "dcp %g: other attention", d);
    double gathered = d > 1 ? d * rows * own * k->head_dim * 2 : 0.0;
    double longer = d > 1 ? rows * d * own * 4 : 0.0;
    PROP_CHECK(c, dcp.collective_bytes - helix.collective_bytes == gathered - longer,
               "dcp %g: %.0f bytes", d, dcp.collective_bytes - helix.collective_bytes);
    return true;
}

/* One group of all ranks is Ulysses. */
static bool one_group_is_ulysses(prop_case *c) {
    fake_pass f;
    do
        draw(c, "usp", &f);
    while (f.spec.layout.ulysses != f.spec.layout.cp);
    rc_forward_ctx_forget(ctx);
    rc_time own = ticks_of(&f.spec);
    f.spec.schedule = rc_schedule_named("ulysses");
    f.spec.layout.ulysses = 1;
    rc_time other = ticks_of(&f.spec);
    PROP_CHECK(c, own >= 0 && own == other, "%ld, not %ld", (long)own, (long)other);
    return true;
}

/* Whatever travels, all ranks together attend to everything once: the heads of the model, over all
 * new and cached tokens. */
static bool everything_is_seen_once(prop_case *c) {
    fake_pass f;
    rc_program p;
    const char *variant = ranks[prop_below(c, 5)];
    do
        draw(c, variant, &f);
    while (f.spec.phase != RC_PREFILL);
    f.x.rq.repeats = 1;
    f.x.rq.unfold_tp = false;
    PROP_CHECK(c, rc_schedule_build(&f.x.rq, &p, NULL) == RC_OK, "no program");
    double want = 0.0, got = 0.0;
    for (size_t i = 0; i < f.spec.seq_count; i++) {
        double t = (double)f.x.seqs[i].t;
        want += t * (double)f.x.seqs[i].p + t * (t + 1) / 2;
    }
    want *= 4.0 * f.x.model.kind[0].head_dim * f.x.model.kind[0].heads / f.spec.layout.tp;
    for (uint32_t g = 0; g < p.gpus; g++)
        got += rc_program_counts(&p, g).attention_flops;
    rc_program_free(&p);
    PROP_CHECK(c, got == want, "%s N %d ulysses %d: %.0f, not %.0f", variant, f.spec.layout.cp,
               f.spec.layout.ulysses, got, want);
    return true;
}

/* Chunks of a prompt under decode context parallelism attend to all of it once; every chunk but the
 * first sends its queries and gets partial outputs, whatever lies before it. */
static bool chunks_are_the_prompt(prop_case *c) {
    fake_pass f;
    do
        draw(c, "dcp-a2a", &f);
    while (rc_layout_dcp(&f.spec.layout) == 1);
    const int d = rc_layout_dcp(&f.spec.layout);
    const rc_layer_kind *k = &f.x.model.kind[0];
    const double own = (double)k->heads / f.spec.layout.tp, dim = k->head_dim;
    int64_t chunk = d * prop_range(c, 1, 40), chunks = prop_range(c, 1, 5);
    rc_sequence s;
    double flops = 0.0, bytes = 0.0;
    f.x.rq.phase = RC_PREFILL;
    f.x.rq.seqs = &s;
    f.x.rq.seq_count = 1;
    chunk += chunk == 1;
    for (int64_t i = 0; i < chunks; i++) {
        s = (rc_sequence){chunk, i * chunk};
        rc_counts n = counts_of(&f.x.rq);
        flops += n.attention_flops;
        bytes += n.collective_bytes;
    }
    double t = (double)(chunk * chunks), further = (double)(chunk * (chunks - 1));
    double reduced = f.spec.layout.tp > 1 ? 2 * t * (double)f.x.model.hidden * 2 : 0.0;
    PROP_CHECK(c, flops == 4.0 * dim * own * t * (t + 1) / 2, "%.0f FLOPs of %.0f", flops,
               4.0 * dim * own * t * (t + 1) / 2);
    PROP_CHECK(c, bytes == reduced + further * d * own * (dim * 2 + dim * 2 + 4), "%.0f bytes",
               bytes);
    return true;
}

/* All ranks together attend to everything once, and what a rank has gathered is what all have made:
 * no more and no less. */
static bool pcp_loses_nothing(prop_case *c) {
    fake_pass f;
    rc_program p;
    do
        draw(c, "pcp", &f);
    while (f.spec.phase != RC_PREFILL || f.spec.layout.ffn_over_cp);
    f.x.rq.repeats = 1;
    PROP_CHECK(c, rc_schedule_build(&f.x.rq, &p, NULL) == RC_OK, "no program");
    int64_t want = 0, got = 0, padded = 0;
    for (size_t i = 0; i < f.spec.seq_count; i++) {
        int64_t t = f.x.seqs[i].t;
        want += t * f.x.seqs[i].p + t * (t + 1) / 2;
        padded += rc_ceil_div(t, f.spec.layout.cp) * f.spec.layout.cp;
    }
    double gathered = 0.0;
    for (uint32_t g = 0; g < p.gpus; g++)
        got += rc_program_counts(&p, g).entries;
    for (size_t i = 0; i < p.task_count; i++)
        if (p.tasks[i].gpu == 0 && programs_shape(&p, i)->part == RC_P_ALL_GATHER &&
            programs_shape(&p, i)->kind == RC_T_COLLECTIVE)
            gathered = programs_shape(&p, i)->bytes;
    rc_program_free(&p);
    const rc_layer_kind *k = &f.x.model.kind[0];
    int tp = f.spec.layout.tp, kv = k->kv_heads > tp ? k->kv_heads / tp : 1;
    PROP_CHECK(c, got == want, "%ld entries, not %ld", (long)got, (long)want);
    PROP_CHECK(c, f.spec.layout.cp == 1 || gathered == (double)padded * 2 * kv * k->head_dim * 2,
               "%.0f bytes", gathered);
    return true;
}

/* An FFN over the GPUs of all ranks multiplies as much, and its weights are all there once. */
static bool one_world_multiplies_as_much(prop_case *c) {
    fake_pass f;
    do
        draw(c, "pcp", &f);
    while (f.spec.phase != RC_PREFILL || f.spec.layout.dp > 1);
    int n = f.spec.layout.cp;
    f.x.model.kind[0].ffn *= (int64_t)f.spec.layout.tp * n;
    for (size_t i = 0; i < f.spec.seq_count; i++)
        f.x.seqs[i].t *= 2 * n; /* ranks have as much each */
    rc_memory a, b;
    f.x.rq.layout.ffn_over_cp = false;
    rc_counts own = counts_of(&f.x.rq);
    rc_status st =
        rc_pass_memory(f.spec.schedule, &f.x.model, &f.x.rq.layout, 1, 0, 1, 0, &a, NULL);
    f.x.rq.layout.ffn_over_cp = true;
    rc_counts over = counts_of(&f.x.rq);
    if (st == RC_OK)
        st = rc_pass_memory(f.spec.schedule, &f.x.model, &f.x.rq.layout, 1, 0, 1, 0, &b, NULL);
    double rows =
        (double)f.x.model.kind[0].ffn / f.spec.layout.tp; /* gate and up: fp8 has scales */
    double ffn = 3.0 * (double)f.x.model.hidden * rows * rc_dtype_bytes(f.spec.layout.ffn_weights) +
                 (f.spec.layout.ffn_weights == RC_FP8 ? 2 * 4.0 * rows : 0.0);
    PROP_CHECK(c, st == RC_OK && own.gemm_flops == over.gemm_flops, "%.0f FLOPs of %.0f",
               over.gemm_flops, own.gemm_flops);
    double less = (a.weights - b.weights) / f.x.model.layers, want = ffn * (n - 1) / n;
    PROP_CHECK(c, fabs(less - want) <= 1e-9 * want, "%g bytes, not %g", less, want);
    return true;
}

#define PROPERTY(name, cases)                                                                      \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        assert_true(prop_run(#name, name, cases));                                                 \
    }
PROPERTY(every_path_agrees, 150)
PROPERTY(size_is_told, 100)
PROPERTY(one_rank_is_tp, 60)
PROPERTY(helix_is_dcp, 60)
PROPERTY(one_group_is_ulysses, 40)
PROPERTY(everything_is_seen_once, 80)
PROPERTY(chunks_are_the_prompt, 60)
PROPERTY(pcp_loses_nothing, 60)
PROPERTY(one_world_multiplies_as_much, 60)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_path_agrees),
        cmocka_unit_test(test_size_is_told),
        cmocka_unit_test(test_one_rank_is_tp),
        cmocka_unit_test(test_helix_is_dcp),
        cmocka_unit_test(test_one_group_is_ulysses),
        cmocka_unit_test(test_everything_is_seen_once),
        cmocka_unit_test(test_chunks_are_the_prompt),
        cmocka_unit_test(test_pcp_loses_nothing),
        cmocka_unit_test(test_one_world_multiplies_as_much),
    };
    ctx = rc_forward_ctx_create();
    if (!ctx)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rc_forward_ctx_destroy(ctx);
    return failed;
}
