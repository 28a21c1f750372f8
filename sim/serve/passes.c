/* The memo of pass times: families of passes, exact answers, counting. The cells are in
 * passes_cells.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/passes_internal.h"

enum {
    FIRST_SLOTS = 1024,
    GRAINS = 256,     /* shorter prompts: rounding T to a grain would show */
    TILE_ROWS = 128,  /* of products */
    TILE_QUERIES = 64 /* of attention */
};

static bool is_short(const rc_passes *p, int64_t t) {
    return t < (int64_t)GRAINS * p->like.grain;
}

static int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* Whether all ranks have as many tiles of rows as the fullest: T tokens in 2N chunks, two a rank, and
 * the rows that decode. */
static bool same_tiles(int64_t t, int64_t ranks, int64_t rows) {
    const int64_t chunk = t / (2 * ranks), least = 2 * chunk + rows;
    const int64_t most = (t + ranks - 1) / ranks + rows;
    return (least - 1) / TILE_ROWS == (most - 1) / TILE_ROWS &&
           (chunk - 1) / TILE_QUERIES == chunk / TILE_QUERIES;
}

/* A chunk beside decodes takes as long as its fullest rank: T counts as if all ranks had as many. */
static int64_t chunk_of(const rc_passes *p, const rc_point *k) {
    const int64_t ranks = p->like.grain > 1 ? p->like.grain / 2 : 1;
    const int64_t rows = round_up(k->b, p->like.batch) / p->like.batch;
    return is_short(p, k->t) || !same_tiles(k->t, ranks, rows) ? k->t : round_up(k->t, ranks);
}

static rc_family_at prompts(const rc_passes *p, const rc_point *k) {
    const bool brief = is_short(p, k->t);
    if (k->p == 0) /* short: every T its own, one simulation each */
        return (rc_family_at){.kind = RC_CELLS_FRESH, .dims = brief ? 0 : 1, .at = {(double)k->t}};
    if (brief)
        return (rc_family_at){.kind = RC_CELLS_SHORT, .dims = 1, .t = k->t, .at = {(double)k->p}};
    return (rc_family_at){.kind = RC_CELLS_PROMPT, .dims = 2, .at = {(double)k->t, (double)k->p}};
}

static rc_family_at with_decodes(const rc_passes *p, const rc_point *k) {
    const double mean = (double)k->m, more = (double)(k->l - k->m);
    rc_family_at f = {.b = round_up(k->b, p->like.batch)};
    const int own = f.b > 1 ? 2 : 1; /* of one sequence, the mean is the longest */
    if (k->t == 0 || k->p == 0) {
        f.kind = RC_CELLS_DECODE;
        f.dims = own;
        f.at[0] = mean;
        f.at[1] = more;
    } else {
        f.kind = RC_CELLS_MIXED;
        f.dims = 1 + own;
        f.at[0] = (double)k->p;
        f.at[1] = mean;
        f.at[2] = more;
    }
    f.t = k->t == 0 ? 0 : chunk_of(p, k);
    return f;
}

/* Which family a pass belongs to, and where it lies in it. False: it belongs to none. */
static bool place(const rc_passes *p, const rc_pass *pass, rc_point *k, rc_family_at *f) {
    if (pass->prefills > 1)
        return false;
    *k = (rc_point){.b = pass->decodes};
    if (pass->prefills == 1) {
        k->t = pass->prefill->t;
        k->p = pass->prefill->p;
    }
    if (pass->decodes > 0) {
        k->m = (pass->context + pass->decodes - 1) / pass->decodes;
        k->l = pass->longest > k->m ? pass->longest : k->m;
    }
    *f = pass->decodes > 0 ? with_decodes(p, k) : prompts(p, k);
    return true;
}

/* A pass as it is. */
static rc_status simulate(rc_passes *p, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    const bool one_kind = pass->prefills + (pass->decodes > 0) == 1;
    p->stats.exact++;
    return rc_passes_ask(p, pass, one_kind && !pass->contexts, out, err);
}

/* Prompts and steps may come again as they are; contexts of mixed passes differ. */
static rc_status simulate_or_know(rc_passes *p, const rc_pass *pass, const rc_point *k,
                                  rc_pass_cost *out, rc_error *err) {
    bool met;
    if (k->t > 0 && k->b > 0)
        return simulate(p, pass, out, err);
    p->stats.exact++;
    return rc_point_time(p, k, &met, out, err);
}

static rc_status family_time(rc_passes *p, const rc_pass *pass, const rc_point *k,
                             const rc_family_at *f, rc_pass_cost *out, rc_error *err) {
    bool done = f->dims > 0 && rc_cells_ready(p, f, out);
    if (!done && rc_point_known(p, k, out)) {
        p->stats.reused++;
        return RC_OK;
    }
    if (!done && f->dims > 0)
        RC_TRY(rc_cells_time(p, f, &done, out, err));
    p->stats.interpolated += done;
    if (done)
        return RC_OK;
    RC_TRY(simulate_or_know(p, pass, k, out, err));
    if (f->dims > 0)
        rc_cells_note(p, f, out->time);
    return RC_OK;
}

rc_status rc_passes_time(rc_passes *p, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    rc_point k;
    rc_family_at f;
    assert(pass->prefills > 0 || pass->decodes > 0);
    if (p->exact || !place(p, pass, &k, &f))
        return simulate(p, pass, out, err);
    return family_time(p, pass, &k, &f, out, err);
}

rc_status rc_passes_create(rc_pass_fn source, void *ctx, rc_passes_like like, bool exact,
                           rc_passes **out, rc_error *err) {
    assert(source != NULL);
    assert(like.grain >= 1 && like.batch >= 1);
    rc_passes *p = calloc(1, sizeof *p);
    if (p) {
        *p = (rc_passes){.source = source, .ctx = ctx, .like = like, .exact = exact};
        p->known_slots = FIRST_SLOTS;
        p->known = calloc(p->known_slots, sizeof *p->known);
    }
    if (!p || !p->known || !rc_cells_create(p)) {
        rc_passes_destroy(p);
        return rc_fail(err, RC_E_NOMEM, "out of memory for pass times");
    }
    *out = p;
    return RC_OK;
}

void rc_passes_share(rc_passes *p, rc_pass_shelf *shelf) {
    p->shelf = shelf;
}

void rc_passes_destroy(rc_passes *p) {
    if (!p)
        return;
    free(p->known);
    rc_cells_destroy(p);
    free(p);
}

const rc_pass_stats *rc_passes_statistics(const rc_passes *p) {
    return &p->stats;
}

rc_status rc_pass_linear(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    const rc_linear_costs *c = ctx;
    double s = 0.0;
    assert(c->on);
    (void)err;
    for (uint32_t i = 0; i < pass->prefills; i++) {
        double t = (double)pass->prefill[i].t, p = (double)pass->prefill[i].p;
        s += c->prefill_token * t + c->prefill_pair * (t * p + 0.5 * t * (t + 1.0));
    }
    if (pass->prefills > 0)
        s += c->prefill;
    if (pass->decodes > 0)
        s += c->decode + c->draft + c->decode_sequence * pass->decodes +
             c->decode_key * (double)pass->context;
    rc_time time = llround(s * RC_PS_PER_S);
    *out = (rc_pass_cost){.time = time < 1 ? 1 : time, .rests = {[RC_STATED] = 1.0F}};
    return RC_OK;
}

/* t * n / of, which may not fit in between. */
static rc_time share(rc_time t, int n, int of) {
    return t / of * n + t % of * n / of;
}

rc_status rc_pass_linear_part(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err) {
    const rc_linear_part *l = ctx;
    assert(l->from >= 0 && l->to > l->from && l->to <= l->layers);
    RC_TRY(rc_pass_linear((void *)(uintptr_t)l->costs, pass, out, err));
    const rc_time part = share(out->time, l->to, l->layers) - share(out->time, l->from, l->layers);
    out->time = part < 1 ? 1 : part;
    return RC_OK;
}
