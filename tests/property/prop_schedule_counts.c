/* Counts of random programs against formulas over the whole request: FLOPs and score entries of a
 * rank, bytes per link, messages, all-reduces, launches.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/programs.h"
#include "sim/schedule/totals.h"
#include "tests/support/shard_entries.h"

static bool build(prop_case *c, const programs_case *k, rc_program *p) {
    rc_error err = {0};
    rc_status st = rc_schedule_build(&k->rq, p, &err);
    PROP_CHECK(c, st == RC_OK, "%s: %.300s", k->variant, err.msg);
    return true;
}

static int layers_of(const programs_case *k) {
    return rc_request_layers(&k->rq);
}

/* Sums over the sequences, for `rank` of the request. */
typedef struct sums {
    int64_t tokens;        /* of the rank's linear parts */
    int64_t step_tokens;   /* padded: a Q message */
    int64_t kv_tokens;     /* padded: a KV message */
    int64_t queries, keys; /* entries of its queries over all keys; of all queries over its keys */
} sums;

static sums sum_up(const programs_case *k, int rank) {
    sums s = {0};
    int n = k->rq.layout.cp;
    if (k->rq.phase == RC_DECODE) {
        int64_t share = 0;
        for (size_t i = 0; i < k->rq.seq_count; i++)
            share += (k->seqs[i].p + 1 + n - 1) / n;
        s.tokens = s.step_tokens = ((int64_t)k->rq.seq_count + n - 1) / n;
        s.keys = s.queries = n * s.tokens * rc_ceil_div(share, (int64_t)k->rq.seq_count);
        return s;
    }
    for (size_t i = 0; i < k->rq.seq_count; i++) {
        int64_t t = k->seqs[i].t, p = k->seqs[i].p;
        s.tokens += rc_shard_tokens(t, n, rank);
        s.step_tokens += (t + n - 1) / n;
        s.kv_tokens += (t + n - 1) / n + (p + n - 1) / n;
        for (int r = 0; r < n; r++) {
            s.queries += shard_entries(t, p, n, rank, r);
            s.keys += shard_entries(t, p, n, r, rank);
        }
    }
    return s;
}

static double gemm_flops(const programs_case *k, int64_t t) {
    const rc_model *m = &k->model;
    int tp = k->rq.layout.tp, n = k->rq.layout.cp;
    double q = (double)m->kind[0].heads / tp * m->kind[0].head_dim, d = (double)m->hidden;
    double kv =
        (m->kind[0].kv_heads > tp ? (double)m->kind[0].kv_heads / tp : 1.0) * m->kind[0].head_dim;
    double f = (double)rc_ceil_div(m->kind[0].ffn, tp);
    double layer = 2.0 * (double)t * d * (q + 2.0 * kv + q + 3.0 * f);
    int64_t rows = (int64_t)k->rq.seq_count; /* rank 0 holds the last token of every sequence */
    if (k->rq.phase == RC_DECODE)
        rows = (rows + n - 1) / n;
    double head = 2.0 * (double)rows * d * (double)rc_ceil_div(m->vocab, tp);
    return layers_of(k) * layer + (k->rq.head ? head : 0.0);
}

static double sent_bytes(const programs_case *k, const sums *s) {
    int n = k->rq.layout.cp, tp = k->rq.layout.tp;
    double q = (double)s->step_tokens * (k->model.kind[0].heads / tp),
           dh = k->model.kind[0].head_dim;
    double kv = (k->model.kind[0].kv_heads > tp ? (double)k->model.kind[0].kv_heads / tp : 1.0);
    if (strcmp(k->variant, "pass-q") == 0)
        return layers_of(k) * (n - 1) * (q * dh * 2 + q * dh * 2 + q * 4);
    return layers_of(k) * (n - 1) * ((double)s->kv_tokens * 2 * kv * dh * 2);
}

static bool check_gpu(prop_case *c, const programs_case *k, const rc_program *p, uint32_t gpu) {
    bool pass_q = strcmp(k->variant, "pass-q") == 0,
         gather = strcmp(k->variant, "all-gather-kv") == 0;
    int n = k->rq.layout.cp, tp = k->rq.layout.tp, layers = layers_of(k);
    sums s = sum_up(k, (int)(gpu / p->gpus_per_rank));
    rc_counts got = rc_program_counts(p, gpu);
    int64_t entries = layers * (pass_q ? s.keys : s.queries);
    PROP_CHECK(c, got.gemm_flops == gemm_flops(k, s.tokens), "%s: %.0f, not %.0f", k->variant,
               got.gemm_flops, gemm_flops(k, s.tokens));
    PROP_CHECK(c, got.entries == entries, "%s N %d: %ld, not %ld", k->variant, n, (long)got.entries,
               (long)entries);
    PROP_CHECK(c,
               got.attention_flops == 4.0 * k->model.kind[0].head_dim *
                                          (k->model.kind[0].heads / tp) * (double)entries,
               "%s: %.0f", k->variant, got.attention_flops);
    PROP_CHECK(c, got.sent_bytes == sent_bytes(k, &s), "%s N %d: %.0f, not %.0f", k->variant, n,
               got.sent_bytes, sent_bytes(k, &s));
    PROP_CHECK(c, got.messages == layers * (n - 1) * (pass_q ? 3 : 1), "%s N %d: %d", k->variant, n,
               got.messages);
    PROP_CHECK(c, got.attention_launches == layers * (gather ? 1 : n), "%s N %d: %d", k->variant, n,
               got.attention_launches);
    PROP_CHECK(c, got.collectives == (tp > 1 ? 2 * layers : 0), "tp %d: %d", tp, got.collectives);
    double reduced = got.collectives * (double)s.tokens * (double)k->model.hidden * 2;
    PROP_CHECK(c, got.collective_bytes == reduced, "%.0f, not %.0f", got.collective_bytes, reduced);
    return true;
}

/* Rows of the ops that multiply nothing: norms over t x D, SwiGLU over t x FFN/TP, rotary over t
 * and the heads of this GPU, the merge of N partial outputs over t x heads. */
static bool check_rows(prop_case *c, const programs_case *k, const rc_program *p, uint32_t gpu) {
    int n = k->rq.layout.cp, tp = k->rq.layout.tp, hq = k->model.kind[0].heads / tp;
    int hkv = k->model.kind[0].kv_heads > tp ? k->model.kind[0].kv_heads / tp : 1;
    int64_t t = sum_up(k, (int)(gpu / p->gpus_per_rank)).tokens;
    for (size_t i = 0; i < p->task_count; i++) {
        const rc_shape *s = programs_shape(p, i);
        if (p->tasks[i].gpu != gpu || p->tasks[i].layer == p->layers)
            continue;
        if (s->part == RC_P_NORM)
            PROP_CHECK(c, s->a == t && s->b == k->model.hidden, "norm of %ld x %ld", (long)s->a,
                       (long)s->b);
        if (s->part == RC_P_SWIGLU)
            PROP_CHECK(c, s->a == t && s->b == rc_ceil_div(k->model.kind[0].ffn, tp),
                       "SwiGLU of %ld x %ld", (long)s->a, (long)s->b);
        if (s->part == RC_P_ROTARY)
            PROP_CHECK(c, s->a == t && s->hq == hq && s->hkv == hkv, "rotary of %ld", (long)s->a);
        if (s->part == RC_P_MERGE)
            PROP_CHECK(c, s->a == t * hq && s->b == n, "merge of %ld rows, %ld parts", (long)s->a,
                       (long)s->b);
    }
    return true;
}

static bool counts_hold(prop_case *c) {
    programs_case k;
    rc_program p;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &k);
    k.rq.unfold_tp = prop_one_in(c, 3);
    if (prop_one_in(c, 2))
        k.rq.repeats = (int)prop_range(c, 1, 4);
    if (!build(c, &k, &p))
        return false;
    bool fine = true;
    PROP_CHECK(c, p.layers == layers_of(&k), "%d layers", p.layers);
    for (uint32_t g = 0; fine && g < p.gpus; g++)
        fine = check_gpu(c, &k, &p, g) && check_rows(c, &k, &p, g);
    rc_program_free(&p);
    return fine;
}

static bool size_is(prop_case *c, const programs_case *k, const rc_program *p) {
    rc_program_size z;
    rc_error err = {0};
    int64_t messages = 0, loose = 0;
    PROP_CHECK(c, rc_schedule_size(&k->rq, &z, &err) == RC_OK, "%.300s", err.msg);
    for (size_t i = 0; i < p->task_count; i++) {
        messages += programs_shape(p, i)->kind == RC_T_MESSAGE;
        loose += p->tasks[i].lane == RC_LANE_NONE;
    }
    PROP_CHECK(c, z.tasks == (int64_t)p->task_count && z.deps == (int64_t)p->dep_count,
               "%s N %d: %ld tasks and %ld dependencies, not %zu and %zu", k->variant,
               k->rq.layout.cp, (long)z.tasks, (long)z.deps, p->task_count, p->dep_count);
    PROP_CHECK(c, z.messages == messages && z.loose == loose, "%s N %d: %ld messages, %ld loose",
               k->variant, k->rq.layout.cp, (long)z.messages, (long)z.loose);
    return true;
}

/* The size that is told without building is that of the program, to the task: every schedule,
 * launched either way, folded or not, with sequences that decode among the others. */
static bool size_is_known_before(prop_case *c) {
    programs_case k;
    rc_program p;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &k);
    if (k.rq.phase == RC_PREFILL && strcmp(k.variant, "all-gather-kv") != 0 && prop_one_in(c, 3)) {
        k.rq.phase = RC_MIXED;
        k.seqs[0].t = 1;
    }
    programs_draw_kinds(c, &k.model, (int)prop_range(c, 1, 24));
    k.rq.unfold_tp = prop_one_in(c, 3);
    k.rq.eager = prop_one_in(c, 2);
    k.rq.ring_host = prop_one_in(c, 2);
    k.rq.serial_ring = prop_one_in(c, 4);
    k.rq.messages_wait = !k.rq.serial_ring && prop_one_in(c, 3);
    k.rq.repeats = (int)prop_range(c, 0, 7);
    if (!build(c, &k, &p))
        return false;
    bool fine = size_is(c, &k, &p);
    rc_program_free(&p);
    return fine;
}

/* Entries of all ranks and steps together are those of the whole causal attention. */
static bool nothing_is_seen_twice(prop_case *c) {
    programs_case k;
    rc_program p;
    programs_draw(c, RC_PREFILL, NULL, &k);
    if (!build(c, &k, &p))
        return false;
    int64_t want = 0, got = 0;
    for (size_t i = 0; i < k.rq.seq_count; i++)
        want += k.seqs[i].t * k.seqs[i].p + k.seqs[i].t * (k.seqs[i].t + 1) / 2;
    for (uint32_t g = 0; g < p.gpus; g++)
        got += rc_program_counts(&p, g).entries;
    rc_program_free(&p);
    PROP_CHECK(c, got == want * k.model.layers, "%s N %d: %ld, not %ld", k.variant, k.rq.layout.cp,
               (long)got, (long)want * k.model.layers);
    return true;
}

static int64_t entries_of(const rc_program *p, const rc_shape *s) {
    int64_t e = 0;
    for (uint32_t i = 0; i < s->calls; i++)
        e += rc_call_entries(&p->calls[s->first_call + i]);
    return e;
}

/* In step j rank k sees the keys of k - j (pass-KV), or the queries of k - j see the keys of k
 * (pass-Q). */
static bool steps_are_those_of_the_ring(prop_case *c) {
    programs_case k;
    rc_program p;
    bool pass_q = prop_one_in(c, 2);
    programs_draw(c, RC_PREFILL, pass_q ? "pass-q" : "pass-kv", &k);
    if (!build(c, &k, &p))
        return false;
    int n = k.rq.layout.cp;
    int64_t steps[PROGRAMS_RANKS] = {0};
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_task *t = &p.tasks[i];
        if (programs_shape(&p, i)->kind != RC_T_ATTENTION)
            continue;
        int rank = (int)t->gpu, other = (rank - t->step + n) % n;
        int64_t want = 0, got = entries_of(&p, programs_shape(&p, i));
        for (size_t s = 0; s < k.rq.seq_count; s++)
            want += pass_q ? shard_entries(k.seqs[s].t, k.seqs[s].p, n, other, rank)
                           : shard_entries(k.seqs[s].t, k.seqs[s].p, n, rank, other);
        PROP_CHECK(c, t->step < n && got == want, "%s N %d rank %d step %d: %ld, not %ld",
                   k.variant, n, rank, t->step, (long)got, (long)want);
        steps[t->gpu]++;
    }
    rc_program_free(&p);
    for (int r = 0; r < n; r++)
        PROP_CHECK(c, steps[r] == n * k.model.layers, "rank %d: %ld steps", r, (long)steps[r]);
    return true;
}

/* Ring messages go to the same GPU of the next rank, all-to-all messages to the same GPU of every
 * other rank, one each, all of one size. */
static bool links_carry_what_they_should(prop_case *c) {
    programs_case k;
    rc_program p;
    static double ring[256][256];
    static int exchanged[256][256];
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &k);
    k.rq.unfold_tp = prop_one_in(c, 2);
    k.rq.repeats = 1;
    if (k.rq.layout.tp * k.rq.layout.cp > 256)
        return true;
    if (!build(c, &k, &p))
        return false;
    memset(ring, 0, sizeof ring);
    memset(exchanged, 0, sizeof exchanged);
    sums s = sum_up(&k, 0);
    double all2all = 0.0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_task *t = &p.tasks[i];
        const rc_shape *shape = programs_shape(&p, i);
        if (shape->kind != RC_T_MESSAGE)
            continue;
        if (shape->part == RC_P_ALL2ALL) {
            exchanged[t->gpu][t->peer]++;
            all2all += shape->bytes;
        } else {
            ring[t->gpu][t->peer] += shape->bytes;
        }
    }
    bool pass_q = strcmp(k.variant, "pass-q") == 0;
    uint32_t g = p.gpus_per_rank;
    int n = k.rq.layout.cp, hq = k.model.kind[0].heads / k.rq.layout.tp;
    double returned = (double)s.step_tokens * hq * (2.0 * k.model.kind[0].head_dim + 4.0);
    double around = sent_bytes(&k, &s) - (pass_q ? (n - 1) * returned : 0.0);
    rc_program_free(&p);
    for (uint32_t a = 0; a < g * (uint32_t)n; a++) {
        for (uint32_t b = 0; b < g * (uint32_t)n; b++) {
            bool alike = a % g == b % g && a != b,
                 next = alike && (a / g + 1) % (uint32_t)n == b / g;
            double want = next ? around : 0.0;
            PROP_CHECK(c, ring[a][b] == want, "%s %u to %u: %.0f, not %.0f", k.variant, a, b,
                       ring[a][b], want);
            PROP_CHECK(c, exchanged[a][b] == (alike && pass_q ? 2 : 0), "%u to %u: %d", a, b,
                       exchanged[a][b]);
        }
    }
    double total = pass_q ? (double)g * n * (n - 1) * returned : 0.0;
    PROP_CHECK(c, all2all == total, "%.0f, not %.0f", all2all, total);
    return true;
}

/* All ranks of a dense model together do what the model room counts, when TP cuts everything
 * evenly. */
static bool flops_are_the_models(prop_case *c) {
    programs_case k;
    rc_program p;
    programs_draw(c, RC_PREFILL, NULL, &k);
    int tp = k.rq.layout.tp;
    if (k.model.kind[0].kv_heads % tp != 0)
        return true;
    k.model.kind[0].ffn = tp * prop_range(c, 1, 50);
    k.rq.head = false;
    if (!build(c, &k, &p))
        return false;
    double gemm = 0.0, attention = 0.0, want_gemm = 0.0, want_attention = 0.0;
    for (uint32_t g = 0; g < p.gpus; g++) {
        rc_counts n = rc_program_counts(&p, g);
        gemm += tp * n.gemm_flops;
        attention += tp * n.attention_flops;
    }
    rc_program_free(&p);
    for (size_t i = 0; i < k.rq.seq_count; i++) {
        want_gemm += rc_model_gemm_flops(&k.model, k.seqs[i].t);
        want_attention += rc_model_attention_flops(&k.model, k.seqs[i].t, k.seqs[i].p);
    }
    PROP_CHECK(c, gemm == want_gemm, "%.0f, not %.0f", gemm, want_gemm);
    PROP_CHECK(c, attention == want_attention, "%.0f, not %.0f", attention, want_attention);
    return true;
}

/* Eager: one launch for each op on the GPU's streams; else one for the graph behind each ring step
 * that synchronises. Either way the work of every such step. */
static bool host_tasks(prop_case *c) {
    programs_case k;
    rc_program p;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &k);
    k.rq.unfold_tp = prop_one_in(c, 3);
    k.rq.eager = !prop_one_in(c, 4);
    k.rq.ring_host = prop_one_in(c, 2);
    if (!build(c, &k, &p))
        return false;
    int launches = 0, device = 0, steps = 0, n = k.rq.layout.cp;
    bool cached = false;
    for (size_t i = 0; i < k.rq.seq_count; i++)
        cached |= k.seqs[i].p > 0;
    for (size_t i = 0; i < p.task_count; i++) {
        const rc_task *t = &p.tasks[i];
        const rc_shape *s = programs_shape(&p, i);
        if (s->kind == RC_T_RING_STEP)
            PROP_CHECK(c, s->a == cached, "cached %d: a is %ld", cached, (long)s->a);
        if (t->gpu != p.gpus - 1)
            continue;
        launches += s->kind == RC_T_LAUNCH;
        steps += s->kind == RC_T_RING_STEP;
        device += t->lane == RC_LANE_COMPUTE || t->lane == RC_LANE_COMM;
        PROP_CHECK(c, (t->lane == RC_LANE_HOST) == (s->part == RC_P_HOST), "lane %d", t->lane);
    }
    rc_program_free(&p);
    int ring = strcmp(k.variant, "all-gather-kv") == 0 ? 1 : n;
    bool synchronises = k.rq.ring_host && n > 1;
    PROP_CHECK(c, launches == (k.rq.eager ? device : steps), "%d launches of %d", launches, device);
    PROP_CHECK(c, steps == (synchronises ? ring * k.model.layers : 0), "%s N %d: %d ring steps",
               k.variant, n, steps);
    return true;
}

static bool same_shape(const rc_program *p, const rc_shape *x, const rc_shape *y) {
    if (x->kind != y->kind || x->part != y->part || x->dtype != y->dtype || x->a != y->a ||
        x->b != y->b || x->c != y->c || x->hq != y->hq || x->hkv != y->hkv ||
        x->ranks != y->ranks || x->nodes != y->nodes || x->bytes != y->bytes ||
        x->calls != y->calls || !x->op != !y->op || (x->op && strcmp(x->op, y->op) != 0))
        return false;
    for (uint32_t i = 0; i < x->calls; i++) {
        const rc_call *c = &p->calls[x->first_call + i], *d = &p->calls[y->first_call + i];
        if (c->tq != d->tq || c->tk != d->tk || c->causal != d->causal)
            return false;
    }
    return true;
}

/* Equal shapes are stored once, the calls of shapes do not overlap, and none are left over. */
static bool shapes_are_interned(prop_case *c) {
    programs_case k;
    rc_program p;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &k);
    k.rq.eager = k.rq.ring_host = prop_one_in(c, 2);
    k.rq.unfold_tp = prop_one_in(c, 3);
    if (!build(c, &k, &p))
        return false;
    size_t calls = 0;
    for (size_t i = 0; i < p.shape_count; i++) {
        if (p.shapes[i].calls > 0)
            PROP_CHECK(c, p.shapes[i].first_call == calls, "calls of shape %zu at %u, not %zu", i,
                       p.shapes[i].first_call, calls);
        calls += p.shapes[i].calls;
        for (size_t j = 0; j < i; j++)
            PROP_CHECK(c, !same_shape(&p, &p.shapes[i], &p.shapes[j]), "shapes %zu and %zu", i, j);
    }
    PROP_CHECK(c, calls == p.call_count, "%zu calls, %zu in shapes", p.call_count, calls);
    for (size_t i = 0; i < p.task_count; i++)
        PROP_CHECK(c, p.tasks[i].shape < p.shape_count && p.tasks[i].gpu < p.gpus, "task %zu", i);
    rc_program_free(&p);
    return true;
}

static void run(const char *name, prop_fn fn, unsigned size) {
    assert_true(prop_run(name, fn, size));
}

static void test_counts(void **state) {
    (void)state;
    run("counts_hold", counts_hold, 40);
}

static void test_once(void **state) {
    (void)state;
    run("nothing_is_seen_twice", nothing_is_seen_twice, 40);
}

static void test_steps(void **state) {
    (void)state;
    run("steps_are_those_of_the_ring", steps_are_those_of_the_ring, 40);
}

static void test_links(void **state) {
    (void)state;
    run("links_carry_what_they_should", links_carry_what_they_should, 40);
}

static void test_flops(void **state) {
    (void)state;
    run("flops_are_the_models", flops_are_the_models, 40);
}

static void test_host(void **state) {
    (void)state;
    run("host_tasks", host_tasks, 40);
}

static void test_size(void **state) {
    (void)state;
    run("size_is_known_before", size_is_known_before, 40);
}

static void test_shapes(void **state) {
    (void)state;
    run("shapes_are_interned", shapes_are_interned, 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts), cmocka_unit_test(test_once),  cmocka_unit_test(test_steps),
        cmocka_unit_test(test_links),  cmocka_unit_test(test_flops), cmocka_unit_test(test_host),
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
