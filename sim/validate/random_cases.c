/* Cases drawn at random, for the set that nobody has looked at.
 *
 * A case is a shard of a real model's layers as one GPU of a tensor-parallel group has it, run on
 * the GPUs that were asked for in one of the ways in which they can be split, with sizes that are
 * log-uniform: new tokens 64 to 65,536, cached ones none or 1,024 to 262,144, a batch of decode
 * steps 1 to 256 with contexts of 1,024 to 131,072, 1 to 16 layers. It is drawn again until a GPU of
 * a petaflop and 4 TB/s takes some 0.1 to 40 ms for it (`longest`) and it fits into 30 GB. Attention leaves no
 * SM, 8 or 16 of 132 to messages, and NCCL takes what it likes, 8 or 16 CTAs, as an engine would
 * set them. Each prefill of several ranks is there as pass-KV and as pass-Q, so that the faster one
 * can be told, and once for each number of ranks the same layers with five shares of new tokens, so
 * that it can be told where they change places.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/engine/engine.h"
#include "sim/validate/validate.h"

typedef struct drawn_model { /* scenarios name them so: models/NAME.json */
    const char *name;
    int width, ffn, heads, kv_heads;
} drawn_model;
static const drawn_model models[] = {
    {"405b", 16384, 53248, 128, 8},       {"70b", 8192, 28672, 64, 8},
    {"8b", 4096, 14336, 32, 8},           {"qwen72b", 8192, 29568, 64, 8},
    {"mistral123b", 12288, 28672, 96, 8},
};
enum { MODELS = sizeof models / sizeof models[0] };

typedef struct way { /* how attention and messages share the chip */
    int sms, ctas;
} way;
static const way ways[] = {{0, 0}, {124, 0}, {124, 8}, {116, 0}, {116, 16}};
enum { WAYS = sizeof ways / sizeof ways[0] };

typedef struct shape {
    const rc_schedule *schedule; /* NULL: pass-KV and pass-Q */
    bool decode, graph;
    int model, shards, cp, tp, hq, hkv, width, ffn, layers;
    int64_t t, p, batch;
    way way;
    int drawn; /* its place among those that were drawn */
} shape;

typedef struct list {
    FILE *f;
    rc_rng g;
    const char *transport, *prefix;
    double longest; /* s of a pass, about */
    int ranks, shapes, cases;
} list;

static double log_uniform(rc_rng *g, double lo, double hi) {
    return exp(log(lo) + (log(hi) - log(lo)) * rc_rng_uniform(g));
}

static int64_t whole(double v, int64_t unit) {
    int64_t n = (int64_t)llround(v / (double)unit);
    return (n > 0 ? n : 1) * unit;
}

/* ---- about how long, and how large ----------------------------------------------------------- */

#define FLOPS 0.6e15 /* reached by GEMM and attention */
#define HBM 3.5e12
#define LAUNCH 5e-6   /* of an op, whoever launches it */
#define SHORTEST 1e-4 /* s of a pass */

/* Bytes/s of a message, about: what a case may last depends on it, and nothing else. */
static double link_rate(const char *transport) {
    return strcmp(transport, "socket") == 0 ? 2.5e9 : strcmp(transport, "shm") == 0 ? 20e9 : 200e9;
}

static double weight_bytes(const shape *s) {
    double q = 128.0 * s->hq, kv = 128.0 * s->hkv;
    return 2.0 * s->width * (2.0 * q + 2.0 * kv + 3.0 * s->ffn);
}

static double cache_bytes(const shape *s) {
    double rows = s->decode ? (double)s->batch * (double)s->p : (double)(s->t + s->p);
    return 512.0 * s->hkv * rows / s->cp;
}

static double about(const shape *s, const char *transport) {
    double rows = (double)(s->decode ? s->batch : s->t) / s->cp, q = 256.0 * s->hq;
    double context = (double)s->p + (s->decode ? 0.0 : 0.5 * (double)s->t);
    double gemm = fmax(rows * weight_bytes(s) / FLOPS, weight_bytes(s) / HBM);
    double attention = fmax(2.0 * rows * context * q / FLOPS, cache_bytes(s) / HBM);
    double message = s->decode ? 2.0 * q * rows : fmax(2.0 * q * rows, cache_bytes(s));
    double exposed = fmax(message * (s->cp - 1) / link_rate(transport) - attention, 0.0);
    double reduced = s->tp > 1 ? 8.0 * rows * s->width / link_rate(transport) : 0.0;
    return s->layers * (gemm + attention + exposed + reduced + LAUNCH * (11 + 3 * s->cp));
}

static bool fits(const shape *s, const char *transport, double longest) {
    double time = about(s, transport);
    double rows = (double)(s->decode ? s->batch : s->t) / s->cp;
    return time >= SHORTEST && time <= longest && s->ffn % 64 == 0 && rows * s->width <= 1.34e8 &&
           s->layers * (weight_bytes(s) + cache_bytes(s)) <= 30e9;
}

/* ---- one shape ------------------------------------------------------------------------------- */

/* A shard of a model that the GPUs of a group can be a part of. */
static void draw_layers(rc_rng *g, shape *s) {
    const drawn_model *m = &models[s->model = (int)rc_rng_below(g, MODELS)];
    int most = 8 / s->tp, of = 1;
    while (2 * of <= most && rc_rng_uniform(g) < 0.6)
        of *= 2;
    s->shards = of * s->tp;
    s->hq = m->heads / s->shards, s->hkv = m->kv_heads / s->shards;
    s->width = m->width, s->ffn = m->ffn / s->shards;
    s->layers = (int)llround(log_uniform(g, 1.0, 16.0));
    s->graph = rc_rng_uniform(g) < 0.5;
}

static void draw_sizes(rc_rng *g, shape *s) {
    s->way = s->cp > 1 && !s->decode ? ways[rc_rng_below(g, WAYS)] : (way){0, 0};
    if (s->decode) {
        s->t = 1;
        s->batch = whole(log_uniform(g, 1.0, 256.0), s->cp);
        s->p = whole(log_uniform(g, 1024.0, 131072.0), 16 * s->cp);
        return;
    }
    s->batch = 1;
    s->t = whole(log_uniform(g, 64.0, 65536.0), 2 * s->cp);
    s->p = rc_rng_uniform(g) < 0.35 ? 0 : whole(log_uniform(g, 1024.0, 262144.0), 16 * s->cp);
}

/* One of those over several ranks that can be timed and the rules do not choose between; NULL: there
 * is none. */
static const rc_schedule *other_prefill(rc_rng *g) {
    const rc_schedule *s, *found = NULL;
    uint64_t n = 0;
    for (int k = 0; (s = rc_schedule_many_at(k)) != NULL; k++)
        if (s->timed && s != &rc_schedule_pass_kv && s != &rc_schedule_pass_q &&
            rc_rng_below(g, ++n) == 0)
            found = s;
    return found;
}

/* How the ranks are split, and what they do. */
static void draw_kind(rc_rng *g, int ranks, shape *s) {
    double kind = rc_rng_uniform(g);
    int cp = ranks;
    memset(s, 0, sizeof *s);
    if (ranks >= 4 && rc_rng_uniform(g) < 0.35)
        cp = ranks / 2;
    s->decode = ranks > 1 ? kind >= 0.62 : kind >= 0.55;
    if (ranks == 1 || (kind >= 0.44 && kind < 0.62) || kind >= 0.82) /* tensor parallel alone */
        cp = 1;
    s->cp = cp, s->tp = ranks / cp;
    s->schedule = rc_schedule_usual(s->decode ? RC_DECODE : RC_PREFILL, cp);
    if (!s->decode && cp > 1)
        s->schedule = kind < 0.38 ? NULL : other_prefill(g);
}

static bool draw_shape(list *l, shape *s) {
    rc_rng *g = &l->g;
    draw_kind(g, l->ranks, s);
    for (int i = 0; i < 1000; i++) {
        draw_layers(g, s);
        draw_sizes(g, s);
        if (fits(s, l->transport, l->longest))
            return true;
    }
    return false;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* A way of sharing the chip that makes NCCL's communicators anew comes later in the list, as do
 * other splits of the ranks. */
static int group_of(const shape *s) {
    return (s->tp * 64 + s->cp) * 64 + s->way.ctas;
}

static int by_group(const void *a, const void *b) {
    const shape *s = a, *t = b;
    int x = group_of(s), y = group_of(t);
    return x != y ? (x > y) - (x < y) : s->drawn - t->drawn;
}

static void put(list *l, int i, const rc_schedule *schedule, const shape *s) {
    const char *kind = s->decode ? "decode-" : "";
    (void)fprintf(l->f, "%s%d-%s-%03d-%s-%s%s,%s%s,%d,%d,%lld,%lld,%lld,%d,%d,%d,%d,%d,%s,%d,%d\n",
                  l->prefix, l->ranks, l->transport, i, models[s->model].name, kind, schedule->name,
                  kind, schedule->name, s->cp, s->tp, (long long)s->t, (long long)s->p,
                  (long long)s->batch, s->hq, s->hkv, s->width, s->ffn, s->layers,
                  s->graph ? "graph" : "eager", s->way.sms, s->way.ctas);
}

static int cases_of(const shape *s) {
    return s->schedule ? 1 : 2;
}

/* Five shares of new tokens in one context, for a crossover. */
static bool draw_series(list *l, shape *s) {
    static const double shares[] = {0.02, 0.04, 0.08, 0.16, 0.32};
    for (int tries = 0; tries < 1000; tries++) {
        bool good = true;
        memset(&s[0], 0, sizeof s[0]);
        s[0].cp = l->ranks, s[0].tp = 1, s[0].batch = 1;
        draw_layers(&l->g, &s[0]);
        s[0].graph = true;
        s[0].way = ways[rc_rng_below(&l->g, WAYS)];
        int64_t total = whole(log_uniform(&l->g, 24576.0, 131072.0), 16 * l->ranks);
        for (int i = 0; i < 5; i++) {
            s[i] = s[0];
            s[i].t = whole(shares[i] * (double)total, 16 * l->ranks);
            s[i].p = total - s[i].t;
            good = good && fits(&s[i], l->transport, l->longest);
        }
        if (good)
            return true;
    }
    return false;
}

static rc_status draw_list(list *l, int n, rc_error *err) {
    enum { SERIES = 5 };
    shape *s = calloc((size_t)n + SERIES, sizeof *s);
    if (!s)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    l->shapes = l->cases = 0;
    if (l->ranks > 1 && n >= 2 * 2 * SERIES && strcmp(l->transport, "socket") != 0 &&
        draw_series(l, s))
        l->shapes = SERIES, l->cases = 2 * SERIES;
    for (; l->cases < n; l->shapes++) {
        if (!draw_shape(l, &s[l->shapes])) {
            free(s);
            return rc_fail(err, RC_E_INTERNAL, "no shape for %d GPUs could be drawn", l->ranks);
        }
        l->cases += cases_of(&s[l->shapes]);
    }
    for (int i = 0; i < l->shapes; i++)
        s[i].drawn = i;
    qsort(s, (size_t)l->shapes, sizeof *s, by_group);
    for (int i = 0; i < l->shapes; i++) {
        put(l, i, s[i].schedule ? s[i].schedule : &rc_schedule_pass_kv, &s[i]);
        if (!s[i].schedule)
            put(l, i, &rc_schedule_pass_q, &s[i]);
    }
    free(s);
    return RC_OK;
}

static rc_status check(const rc_draw *d, rc_error *err) {
    static const char *const transports[] = {"nvlink", "shm", "socket"};
    bool known = false;
    for (int i = 0; i < 3; i++)
        known = known || strcmp(d->transport, transports[i]) == 0;
    if (!known)
        return rc_fail(err, RC_E_USAGE, "\"%.40s\": expected nvlink, shm or socket", d->transport);
    for (size_t k = 0; k < d->count; k++)
        if (d->cases < 1 || d->cases > 999 || d->ranks[k] < 1 || d->ranks[k] > 8 ||
            (d->ranks[k] & (d->ranks[k] - 1)) != 0)
            return rc_fail(err, RC_E_USAGE, "draw 1 to 999 cases for 1, 2, 4 or 8 GPUs");
    if (!(d->longest >= 10 * SHORTEST && d->longest <= 1.0))
        return rc_fail(err, RC_E_USAGE, "the longest pass: expected 1 ms to 1 s, not %g s",
                       d->longest);
    size_t n = strspn(d->prefix, "abcdefghijklmnopqrstuvwxyz");
    if (n < 1 || n > 8 || d->prefix[n] != '\0')
        return rc_fail(err, RC_E_USAGE, "\"%.40s\": expected 1 to 8 small letters, as names begin",
                       d->prefix);
    return RC_OK;
}

rc_status rc_draw_cases(const rc_draw *d, const char *path, bool overwrite, rc_error *err) {
    assert(d->ranks != NULL && d->count > 0 && d->transport != NULL && d->prefix != NULL);
    rc_outfile o;
    RC_TRY(check(d, err));
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fprintf(o.f, "# drawn at random: ringcast validate --draw %d --seed %llu --transport %s",
                  d->cases, (unsigned long long)d->seed, d->transport);
    for (size_t k = 0; k < d->count; k++)
        (void)fprintf(o.f, " --ranks %d", d->ranks[k]);
    (void)fprintf(o.f, " --longest %gms --prefix %s", 1e3 * d->longest, d->prefix);
    (void)fputs("\ncase,schedule,cp,tp,t,p,batch,hq,hkv,width,ffn,layers,launch,sms,ctas\n", o.f);
    rc_status st = RC_OK;
    for (size_t k = 0; k < d->count && st == RC_OK; k++) {
        list l = {.f = o.f,
                  .transport = d->ranks[k] > 1 ? d->transport : "none",
                  .prefix = d->prefix,
                  .longest = d->longest};
        l.ranks = d->ranks[k];
        /* Another list for each transport, whose seeds are no neighbours. */
        rc_rng_seed(&l.g, d->seed ^ ((uint64_t)l.ranks << 40) ^ ((uint64_t)l.transport[1] << 48));
        st = draw_list(&l, d->cases, err);
    }
    return rc_outfile_end(&o, st, err);
}
