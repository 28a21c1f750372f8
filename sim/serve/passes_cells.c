/* The cells of the memo: an adaptive lattice over one family of passes.
 *
 * A place is x = log2(1 + v / c) of a number v of tokens: a cell of level L spans 2^-L of it. Nodes lie
 * at both ends and in the middle, at whole tokens (prompts at whole grains), which are some five tokens or
 * grains apart in the finest cells. Between them times follow polynomials in v, which they nearly are.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/passes_internal.h"

enum {
    FIRST_CELLS = 64,
    SLOTS_PER_CELL = 4, /* of the hash table: probes stay short */
    ASKED_FIRST = 4, /* passes that fall into a cell of one or two dimensions before it is built, */
    ASKED_CHILD = 1, /* into a part of one that was split, */
    ASKED_SOLID = 40, /* and the same of three dimensions */
    ASKED_SOLID_CHILD = 12,
    SOLID_DEPTH = 2,  /* of these */
    AUDIT_FIRST = 16, /* answers of a cell before one is simulated; then */
    AUDIT_NEXT = 16   /* as many times more */
};

/* The value at which a dimension turns from linear to logarithmic. */
static double scale_of(rc_cell_kind kind, int dim) {
    static const double scales[][RC_CELL_DIMS] = {[RC_CELLS_DECODE] = {256.0, 1024.0},
                                                  [RC_CELLS_FRESH] = {1.0},
                                                  [RC_CELLS_SHORT] = {1024.0},
                                                  [RC_CELLS_PROMPT] = {1.0, 1024.0},
                                                  [RC_CELLS_MIXED] = {1024.0, 256.0, 1024.0}};
    assert((unsigned)kind < RC_CELL_KINDS && dim >= 0 && dim < RC_CELL_DIMS);
    return scales[kind][dim];
}

static bool is_prompt(rc_cell_kind kind, int dim) {
    return dim == 0 && (kind == RC_CELLS_FRESH || kind == RC_CELLS_PROMPT);
}

/* The number of the finest cell that holds v, along one dimension. */
static int32_t finest(const rc_passes *p, rc_cell_kind kind, int dim, double v) {
    int octave, part = 0;
    double rest = 2.0 * frexp(1.0 + v / scale_of(kind, dim), &octave);
    for (int step = RC_CELL_PARTS / 2; step > 0; step /= 2)
        part += rest >= p->part[part + step] ? step : 0;
    return (octave - 1) * RC_CELL_PARTS + part;
}

/* The whole value nearest to place x. */
static double value(const rc_passes *p, rc_cell_kind kind, int dim, double x) {
    double unit = is_prompt(kind, dim) ? p->like.grain : 1.0;
    double v = scale_of(kind, dim) * (exp2(x) - 1.0);
    return fmax(unit * nearbyint(v / unit), 1.0);
}

static rc_point point_at(const rc_cell_key *k, const double *v) {
    const int64_t a = llround(v[0]), b = llround(v[1]), c = llround(v[2]);
    switch ((rc_cell_kind)k->kind) {
    case RC_CELLS_DECODE:
        return (rc_point){.t = k->t, .b = k->b, .m = a, .l = a + b};
    case RC_CELLS_MIXED:
        return (rc_point){.t = k->t, .p = a, .b = k->b, .m = b, .l = b + c};
    case RC_CELLS_SHORT:
        return (rc_point){.t = k->t, .p = a};
    default:
        return (rc_point){.t = a, .p = b};
    }
}

/* ---- finding a cell ------------------------------------------------------------------- */

static uint64_t key_hash(const rc_cell_key *k) {
    const int64_t where = ((int64_t)k->index[2] << 32) | ((int64_t)k->kind << 16) | k->level;
    const rc_point as = {k->t, k->b, k->index[0], k->index[1], where};
    return rc_point_hash(&as);
}

static bool key_same(const rc_cell_key *a, const rc_cell_key *b) {
    return a->t == b->t && a->b == b->b && a->index[0] == b->index[0] &&
           a->index[1] == b->index[1] && a->index[2] == b->index[2] && a->kind == b->kind &&
           a->level == b->level;
}

static uint32_t *slot_of(const rc_passes *p, const rc_cell_key *k) {
    size_t i = key_hash(k) & (p->slot_count - 1);
    while (p->slots[i] && !key_same(&p->cells[p->slots[i] - 1].key, k))
        i = (i + 1) & (p->slot_count - 1);
    return &p->slots[i];
}

static bool more_cells(rc_passes *p) {
    size_t room = 2 * p->cell_room;
    rc_cell *cells = realloc(p->cells, room * sizeof *cells);
    if (!cells)
        return false;
    p->cells = cells;
    p->cell_room = room;
    uint32_t *slots = calloc(SLOTS_PER_CELL * room, sizeof *slots);
    if (!slots)
        return false;
    free(p->slots);
    p->slots = slots;
    p->slot_count = SLOTS_PER_CELL * room;
    for (size_t i = 0; i < p->cell_count; i++)
        *slot_of(p, &p->cells[i].key) = (uint32_t)i + 1;
    return true;
}

static rc_cell *find(rc_passes *p, const rc_cell_key *k) {
    uint32_t *slot = slot_of(p, k);
    if (*slot)
        return &p->cells[*slot - 1];
    if (p->cell_count == p->cell_room) {
        if (!more_cells(p))
            return NULL;
        slot = slot_of(p, k);
    }
    rc_cell *c = &p->cells[p->cell_count++];
    memset(c, 0, sizeof *c);
    c->key = *k;
    for (int d = 0; d < RC_CELL_DIMS; d++) {
        const double scale = scale_of((rc_cell_kind)k->kind, d), part = exp2(-k->level);
        c->from[d] = scale * (exp2(k->index[d] * part) - 1.0);
        c->upto[d] = scale * (exp2((k->index[d] + 1) * part) - 1.0);
    }
    *slot = (uint32_t)p->cell_count;
    p->stats.cells++;
    return c;
}

bool rc_cells_create(rc_passes *p) {
    for (int k = 0; k < RC_CELL_PARTS; k++)
        p->part[k] = exp2((double)k / RC_CELL_PARTS);
    p->cell_room = FIRST_CELLS;
    p->cells = malloc(p->cell_room * sizeof *p->cells);
    p->slot_count = SLOTS_PER_CELL * p->cell_room;
    p->slots = calloc(p->slot_count, sizeof *p->slots);
    return p->cells && p->slots;
}

void rc_cells_destroy(rc_passes *p) {
    free(p->cells);
    free(p->slots);
}

/* ---- one cell ------------------------------------------------------------------------- */

static int power3(int dims) {
    static const int powers[] = {1, 3, 9, 27};
    assert(dims >= 1 && dims <= RC_CELL_DIMS);
    return powers[dims];
}

static double along(const double *w, const double *time) {
    return w[0] * time[0] + w[1] * time[1] + w[2] * time[2];
}

/* Product of quadratics through `of` at the nodes: their values at v, summed. */
static double interpolate(const rc_cell_nodes *n, const double *of, int dims, const double *v) {
    double w[RC_CELL_DIMS][3], row[RC_CELL_NODES / 3], field[3];
    for (int d = 0; d < dims; d++) {
        const double a = v[d] - n->x[d][0], b = v[d] - n->x[d][1], c = v[d] - n->x[d][2];
        w[d][0] = b * c * n->share[d][0];
        w[d][1] = a * c * n->share[d][1];
        w[d][2] = a * b * n->share[d][2];
    }
    for (int i = 0; i < power3(dims) / 3; i++)
        row[i] = along(w[0], &of[3 * i]);
    if (dims == 1)
        return row[0];
    for (int i = 0; i < power3(dims) / 9; i++)
        field[i] = along(w[1], &row[3 * i]);
    return dims == 2 ? field[0] : along(w[2], field);
}

static void answer(const rc_cell *c, int dims, const double *v, rc_pass_cost *out) {
    const rc_cell_nodes *n = &c->of.nodes;
    const double time = interpolate(n, n->time, dims, v);
    *out = (rc_pass_cost){.time = time > 1.0 ? (rc_time)(time + 0.5) : 1};
    memcpy(out->rests, n->rests, sizeof out->rests);
    if (!n->limited)
        return;
    const double saved = interpolate(n, n->saved, dims, v);
    out->saved =
        (rc_time)fmin(fmax(saved, 0.0), 0.5 * time); /* quadratics overshoot where it begins */
    out->wanted = (float)fmax(interpolate(n, n->wanted, dims, v), 0.0);
}

/* Simulate at places x; v: the whole values that these are moved to. */
static rc_status simulate(rc_passes *p, const rc_cell *c, int dims, const double *x, double *v,
                          rc_pass_cost *out, rc_error *err) {
    bool met;
    for (int d = 0; d < RC_CELL_DIMS; d++)
        v[d] = d < dims ? value(p, (rc_cell_kind)c->key.kind, d, x[d]) : 0.0;
    const rc_point k = point_at(&c->key, v);
    return rc_point_time(p, &k, &met, out, err);
}

static double node_x(const rc_cell *c, int d, double at) {
    return (c->key.index[d] + at) * exp2(-c->key.level);
}

/* Node i of a cell, along dimension d: 0, 1 or 2. */
static int place_of(int i, int d) {
    return i / (int[]){1, 3, 9}[d] % 3;
}

static rc_status fill(rc_passes *p, const rc_cell *c, int dims, rc_cell_nodes *n, rc_error *err) {
    memset(n, 0, sizeof *n);
    for (int i = 0; i < power3(dims); i++) {
        double x[RC_CELL_DIMS] = {0.0}, v[RC_CELL_DIMS];
        rc_pass_cost cost;
        for (int d = 0; d < dims; d++)
            x[d] = node_x(c, d, 0.5 * place_of(i, d));
        RC_TRY(simulate(p, c, dims, x, v, &cost, err));
        for (int d = 0; d < dims; d++)
            n->x[d][place_of(i, d)] = v[d];
        n->time[i] = (double)cost.time;
        n->saved[i] = (double)cost.saved;
        n->wanted[i] = (double)cost.wanted;
        n->limited = n->limited || cost.wanted > 0.0F;
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            n->rests[b] += cost.rests[b] / (float)power3(dims);
    }
    for (int d = 0; d < dims; d++) {
        const double *x = n->x[d];
        n->share[d][0] = 1.0 / ((x[0] - x[1]) * (x[0] - x[2]));
        n->share[d][1] = 1.0 / ((x[1] - x[0]) * (x[1] - x[2]));
        n->share[d][2] = 1.0 / ((x[2] - x[0]) * (x[2] - x[1]));
    }
    return RC_OK;
}

static bool is_close(const rc_cell_nodes *n, int dims, const double *v, double time) {
    return fabs(interpolate(n, n->time, dims, v) / time - 1.0) <= RC_PASSES_TOLERANCE;
}

/* Places inside a cell where it is held against the source: multiples of numbers whose sequences leave
 * no gap (the golden ratio, and what stands for it in more dimensions: M. Roberts, "The unreasonable
 * effectiveness of quasirandom sequences"), so that no period of tiles hides between them. */
static double check_at(int dims, int d, int i) {
    static const double step[RC_CELL_DIMS][RC_CELL_DIMS] = {
        {0.6180339887498949},
        {0.7548776662466927, 0.5698402909980532},
        {0.8191725133961645, 0.6710436067037893, 0.5497004779019703}};
    const double x = 0.5 + (i + 1) * step[dims - 1][d];
    return x - floor(x);
}

static rc_status check(rc_passes *p, const rc_cell *c, int dims, const rc_cell_nodes *n, bool *good,
                       rc_error *err) {
    static const int checks[] = {0, 8, 12, 14};
    *good = true;
    for (uint32_t i = 0; i < c->sampled; i++)
        *good = *good && is_close(n, dims, c->of.sample[i].at, c->of.sample[i].time);
    for (int i = 0; i < checks[dims] && *good; i++) {
        double x[RC_CELL_DIMS] = {0.0}, v[RC_CELL_DIMS];
        rc_pass_cost cost;
        for (int d = 0; d < dims; d++)
            x[d] = node_x(c, d, check_at(dims, d, i));
        RC_TRY(simulate(p, c, dims, x, v, &cost, err));
        *good = is_close(n, dims, v, (double)cost.time);
    }
    return RC_OK;
}

/* Passes that fall into a cell before it is built: of three dimensions about as many as building it
 * takes simulations, so that cells that are seldom asked cost at most what they save. */
static uint32_t asked_before(int dims, int level) {
    if (dims == 3)
        return level == 0 ? ASKED_SOLID : ASKED_SOLID_CHILD;
    return level == 0 ? ASKED_FIRST : ASKED_CHILD;
}

static int deepest(int dims) {
    return dims == 3 ? SOLID_DEPTH : RC_CELL_DEPTH;
}

static rc_status build(rc_passes *p, rc_cell *c, int dims, rc_error *err) {
    bool good = false;
    rc_cell_nodes n;
    rc_error quiet = {0};
    rc_status st = fill(p, c, dims, &n, &quiet);
    if (st == RC_OK)
        st = check(p, c, dims, &n, &good, &quiet);
    if (st != RC_OK && st != RC_E_NOFIT) {
        if (err)
            *err = quiet;
        return st;
    }
    bool deeper = st == RC_OK && c->key.level < deepest(dims);
    c->state = good ? RC_CELL_READY : deeper ? RC_CELL_SPLIT : RC_CELL_EXACT;
    c->of.nodes = n;
    c->asked = 0;
    c->audit = AUDIT_FIRST;
    return RC_OK;
}

static rc_cell_key key_at(const rc_family_at *f, const int32_t fine[RC_CELL_DIMS], int level) {
    rc_cell_key k = {.t = f->t, .b = f->b, .kind = (uint16_t)f->kind, .level = (uint16_t)level};
    for (int d = 0; d < f->dims; d++)
        k.index[d] = fine[d] >> (RC_CELL_DEPTH - level);
    return k;
}

static void find_finest(const rc_passes *p, const rc_family_at *f, int32_t fine[RC_CELL_DIMS]) {
    assert(f->dims >= 1 && f->dims <= RC_CELL_DIMS);
    for (int d = 0; d < f->dims; d++)
        fine[d] = finest(p, f->kind, d, f->at[d]);
}

/* The cell that f has come to: the first, from the widest on, that is not split; NULL: not there. */
static rc_cell *cell_of(rc_passes *p, const rc_family_at *f) {
    int32_t fine[RC_CELL_DIMS];
    find_finest(p, f, fine);
    for (int level = 0; level <= RC_CELL_DEPTH; level++) {
        const rc_cell_key k = key_at(f, fine, level);
        const uint32_t at = *slot_of(p, &k);
        if (!at || p->cells[at - 1].state != RC_CELL_SPLIT)
            return at ? &p->cells[at - 1] : NULL;
    }
    return NULL;
}

static bool holds(const rc_cell *c, const rc_family_at *f) {
    bool in =
        c->key.kind == f->kind && c->key.t == f->t && c->key.b == f->b && c->state == RC_CELL_READY;
    for (int d = 0; d < f->dims && in; d++)
        in = f->at[d] >= c->from[d] && f->at[d] < c->upto[d];
    return in;
}

/* The ready cell that holds f, or NULL. Most passes are a step behind one that the same cell answered. */
static rc_cell *ready_cell(rc_passes *p, const rc_family_at *f) {
    const uint64_t set = ((uint64_t)f->b + 31 * (uint64_t)f->kind + (uint64_t)f->t) % RC_HOT_SETS;
    uint32_t *hot = p->hot[set].at;
    for (int i = 0; i < RC_HOT_WAYS && hot[i]; i++)
        if (holds(&p->cells[hot[i] - 1], f))
            return &p->cells[hot[i] - 1];
    rc_cell *c = cell_of(p, f);
    if (!c || c->state != RC_CELL_READY)
        return NULL;
    memmove(hot + 1, hot, (RC_HOT_WAYS - 1) * sizeof *hot);
    hot[0] = (uint32_t)(c - p->cells) + 1;
    return c;
}

bool rc_cells_ready(rc_passes *p, const rc_family_at *f, rc_pass_cost *out) {
    rc_cell *c = ready_cell(p, f);
    if (!c || c->asked == c->audit)
        return false;
    c->asked++;
    answer(c, f->dims, f->at, out);
    return true;
}

rc_status rc_cells_time(rc_passes *p, const rc_family_at *f, bool *done, rc_pass_cost *out,
                        rc_error *err) {
    int32_t fine[RC_CELL_DIMS];
    find_finest(p, f, fine);
    *done = false;
    for (int level = 0;; level++) {
        const rc_cell_key k = key_at(f, fine, level);
        rc_cell *c = find(p, &k);
        if (!c)
            return rc_fail(err, RC_E_NOMEM, "out of memory for cells of pass times");
        if (c->state == RC_CELL_COUNTS) {
            if (p->stats.exact < RC_PASSES_EXACT || c->asked++ < asked_before(f->dims, level))
                return RC_OK;
            RC_TRY(build(p, c, f->dims, err));
        }
        if (c->state == RC_CELL_EXACT || (c->state == RC_CELL_READY && c->asked == c->audit))
            return RC_OK;
        if (c->state == RC_CELL_READY) {
            c->asked++;
            answer(c, f->dims, f->at, out);
            *done = true;
            return RC_OK;
        }
    }
}

/* A pass that was simulated in place of the cell's answer. */
static void audit(rc_cell *c, const rc_family_at *f, rc_time time) {
    const bool deeper = c->key.level < deepest(f->dims);
    if (!is_close(&c->of.nodes, f->dims, f->at, (double)time))
        c->state = deeper ? RC_CELL_SPLIT : RC_CELL_EXACT;
    c->audit = c->audit < UINT32_MAX / AUDIT_NEXT ? c->audit * AUDIT_NEXT : 0;
    c->asked++;
}

void rc_cells_note(rc_passes *p, const rc_family_at *f, rc_time time) {
    rc_cell *c = cell_of(p, f);
    if (c && c->state == RC_CELL_READY && c->asked == c->audit) {
        audit(c, f, time);
    } else if (c && c->state == RC_CELL_COUNTS && c->sampled < RC_CELL_SAMPLES) {
        rc_cell_sample *sample = &c->of.sample[c->sampled++];
        memcpy(sample->at, f->at, sizeof sample->at);
        sample->time = (double)time;
    }
}
