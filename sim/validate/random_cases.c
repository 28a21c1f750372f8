/* Cases drawn at random, for the set that nobody has looked at.
 *
 * What a case is drawn from: total context 16K, 65536, 128K or 512K (binary K where the number is a
 * power of two), miss rate log-uniform from 0.5 % to 100 %, 8 or 16 heads on one KV head or 8 on
 * two, one layer or eight, launched by the host or as a graph; widths are those of Llama 3 70B and
 * 405B on TP8. On one GPU the total ends at 65536. A quarter of the shapes are decode steps: 1, 4,
 * 16 or 64 sequences a rank whose contexts sum to 8K to 1M tokens, log-uniform.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/engine/engine.h"
#include "sim/validate/validate.h"

typedef struct shape {
    int64_t t, p, batch;
    int hq, hkv, width, ffn, layers;
    const char *launch;
} shape;

static int64_t pick(rc_rng *g, const int64_t *from, int n) {
    return from[(int)(rc_rng_uniform(g) * n)];
}

/* A whole number of 16-token chunks, two for each rank. */
static int64_t whole_chunks(double t, int ranks) {
    int64_t unit = 32 * (int64_t)ranks, n = (int64_t)llround(t / (double)unit);
    return (n > 0 ? n : 1) * unit;
}

static void layer_shape(rc_rng *g, shape *s) {
    static const int64_t heads[] = {0, 1, 2};
    int64_t k = pick(g, heads, 3);
    bool big = k == 1; /* 405B on TP8: 16 heads, D 16384; 70B on TP8: 8, D 8192 */
    s->hq = big ? 16 : 8;
    s->hkv = k == 2 ? 2 : 1;
    s->width = big ? 16384 : 8192;
    s->ffn = big ? 6656 : 3584;
    s->layers = rc_rng_uniform(g) < 0.5 ? 1 : 8;
    s->launch = rc_rng_uniform(g) < 0.5 ? "eager" : "graph";
}

static void prefill_shape(rc_rng *g, int ranks, shape *s) {
    static const int64_t totals[] = {16384, 65536, 128000, 524288};
    layer_shape(g, s);
    int64_t total = pick(g, totals, ranks > 1 ? 4 : 2);
    double miss = exp(log(0.005) + (log(1.0) - log(0.005)) * rc_rng_uniform(g));
    s->t = whole_chunks(miss * (double)total, ranks);
    s->p = total > s->t ? (total - s->t) / ranks * ranks : 0;
    s->batch = 1;
}

static void decode_shape(rc_rng *g, int ranks, shape *s) {
    static const int64_t batches[] = {1, 4, 16, 64};
    layer_shape(g, s);
    double context = exp(log(8192) + (log(1048576) - log(8192)) * rc_rng_uniform(g));
    s->batch = pick(g, batches, 4) * ranks;
    s->t = 1;
    int64_t each = (int64_t)context / s->batch;
    s->p = (each < 1024 ? 1024 : each) / ranks * ranks;
}

static void put(FILE *f, int i, const rc_schedule *schedule, bool decode, int cp, int tp,
                const shape *s) {
    const char *kind = decode ? "decode-" : "";
    (void)fprintf(f, "g%d-draw%03d-%s%s,%s%s,%d,%d,%lld,%lld,%lld,%d,%d,%d,%d,%d,%s,0\n", cp * tp,
                  i, kind, schedule->name, kind, schedule->name, cp, tp, (long long)s->t,
                  (long long)s->p, (long long)s->batch, s->hq, s->hkv, s->width, s->ffn, s->layers,
                  s->launch);
}

/* Prefills run by both schedules that the rules choose between, so that each has its partner, and
 * every third by all others that take several ranks. */
static void put_prefill(FILE *f, int i, int ranks, const shape *s) {
    const rc_schedule *x;
    for (int k = 0; (x = rc_schedule_many_at(k)) != NULL; k++)
        if (x == &rc_schedule_pass_kv || x == &rc_schedule_pass_q || i % 3 == 0)
            put(f, i, x, false, ranks, 1, s);
    if (i % 5 == 0)
        put(f, i, rc_schedule_usual(RC_PREFILL, 1), false, 1, ranks, s);
}

static void draw_one(FILE *f, rc_rng *g, int i, int ranks) {
    shape s;
    bool decode = rc_rng_uniform(g) < 0.25;
    if (decode)
        decode_shape(g, ranks, &s);
    else
        prefill_shape(g, ranks, &s);
    if (ranks == 1) {
        put(f, i, rc_schedule_usual(decode ? RC_DECODE : RC_PREFILL, 1), decode, 1, 1, &s);
        return;
    }
    if (!decode) {
        put_prefill(f, i, ranks, &s);
        return;
    }
    put(f, i, rc_schedule_usual(RC_DECODE, ranks), true, ranks, 1, &s);
    put(f, i, rc_schedule_usual(RC_DECODE, 1), true, 1, ranks, &s);
}

rc_status rc_draw_cases(int n, const int *ranks, size_t count, uint64_t seed, const char *path,
                        bool overwrite, rc_error *err) {
    assert(ranks != NULL && count > 0);
    rc_outfile o;
    rc_rng g;
    for (size_t k = 0; k < count; k++)
        if (n < 1 || n > 999 || ranks[k] < 1 || ranks[k] > 64)
            return rc_fail(err, RC_E_USAGE, "draw 1 to 999 shapes for 1 to 64 GPUs");
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fprintf(o.f, "# drawn at random: ringcast validate --draw %d --seed %llu", n,
                  (unsigned long long)seed);
    for (size_t k = 0; k < count; k++)
        (void)fprintf(o.f, " --ranks %d", ranks[k]);
    (void)fputs("\ncase,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms\n", o.f);
    for (size_t k = 0; k < count; k++) {
        rc_rng_seed(&g, seed + (uint64_t)ranks[k]);
        for (int i = 0; i < n; i++)
            draw_one(o.f, &g, i, ranks[k]);
    }
    return rc_outfile_commit(&o, err);
}
