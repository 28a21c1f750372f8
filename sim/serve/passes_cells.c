/* The cells of the memo: an adaptive lattice over one family of passes.
 *
 * A coordinate is x = log2(1 + v / c): a cell of level L spans 2^-L of it. Nodes lie at both ends
 * and in the middle, at whole tokens (prompts at whole grains). The true coordinate of a node is
 * kept, so that rounding costs no accuracy.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/passes_internal.h"

enum {
    FIRST_CELLS = 64,
    SLOTS_PER_CELL = 4, /* of the hash table: probes stay short */
    ASKED_FIRST = 4,    /* passes that fall into a cell before it is built: 13 simulations */
    ASKED_CHILD = 1     /* the same of a part of a cell that was split */
};

/* The value at which a dimension turns from linear to logarithmic. */
static double scale_of(rc_cell_kind kind, int dim) {
    static const double scales[][RC_CELL_DIMS] = {[RC_CELLS_DECODE] = {256.0, 1024.0},
                                                  [RC_CELLS_FRESH] = {1.0},
                                                  [RC_CELLS_SHORT] = {1024.0},
                                                  [RC_CELLS_PROMPT] = {1.0, 1024.0}};
    assert((unsigned)kind <= RC_CELLS_PROMPT && dim >= 0 && dim < RC_CELL_DIMS);
    return scales[kind][dim];
}

static bool is_prompt(rc_cell_kind kind, int dim) {
    return dim == 0 && (kind == RC_CELLS_FRESH || kind == RC_CELLS_PROMPT);
}

static double coordinate(rc_cell_kind kind, int dim, double v) {
    return log2(1.0 + v / scale_of(kind, dim));
}

/* The whole value nearest to coordinate x. */
static double value(const rc_passes *p, rc_cell_kind kind, int dim, double x) {
    double unit = is_prompt(kind, dim) ? p->grain : 1.0;
    double v = scale_of(kind, dim) * (exp2(x) - 1.0);
    return fmax(unit * nearbyint(v / unit), 1.0);
}

static rc_point point_at(const rc_cell_key *k, const double *v) {
    int64_t a = llround(v[0]);
    switch ((rc_cell_kind)k->kind) {
    case RC_CELLS_DECODE:
        return (rc_point){0, a + llround(v[1]), k->fixed, a};
    case RC_CELLS_FRESH:
        return (rc_point){a, 0, 0, 0};
    case RC_CELLS_SHORT:
        return (rc_point){k->fixed, a, 0, 0};
    default:
        return (rc_point){a, llround(v[1]), 0, 0};
    }
}

/* ---- finding a cell ------------------------------------------------------------------- */

static uint64_t key_hash(const rc_cell_key *k) {
    rc_point as = {k->fixed, k->index[0], k->index[1], ((int64_t)k->kind << 16) | k->level};
    return rc_point_hash(&as);
}

static bool key_same(const rc_cell_key *a, const rc_cell_key *b) {
    return a->fixed == b->fixed && a->index[0] == b->index[0] && a->index[1] == b->index[1] &&
           a->kind == b->kind && a->level == b->level;
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
    *slot = (uint32_t)p->cell_count;
    p->stats.cells++;
    return c;
}

bool rc_cells_create(rc_passes *p) {
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
    assert(dims == 1 || dims == 2);
    return dims == 1 ? 3 : 9;
}

/* Product of quadratics through the nodes: their values at x, summed. */
static double interpolate(const rc_cell *c, int dims, const double *x) {
    double w[RC_CELL_DIMS][3] = {{0.0}}, sum = 0.0;
    for (int d = 0; d < dims; d++) {
        const double *n = c->x[d];
        w[d][0] = (x[d] - n[1]) * (x[d] - n[2]) / ((n[0] - n[1]) * (n[0] - n[2]));
        w[d][1] = (x[d] - n[0]) * (x[d] - n[2]) / ((n[1] - n[0]) * (n[1] - n[2]));
        w[d][2] = (x[d] - n[0]) * (x[d] - n[1]) / ((n[2] - n[0]) * (n[2] - n[1]));
    }
    for (int i = 0; i < power3(dims); i++) {
        double weight = w[0][i % 3];
        if (dims > 1)
            weight *= w[1][i / 3];
        sum += weight * c->log[i];
    }
    return exp(sum);
}

/* Simulate at coordinates x (moved to whole values, which are left in x). */
static rc_status simulate(rc_passes *p, const rc_cell *c, int dims, double *x, rc_pass_cost *out,
                          rc_error *err) {
    double v[RC_CELL_DIMS] = {0};
    bool met;
    rc_cell_kind kind = (rc_cell_kind)c->key.kind;
    for (int d = 0; d < dims; d++) {
        v[d] = value(p, kind, d, x[d]);
        x[d] = coordinate(kind, d, v[d]);
    }
    rc_point k = point_at(&c->key, v);
    return rc_point_time(p, &k, &met, out, err);
}

static double node_x(const rc_cell *c, int d, double at) {
    return (c->key.index[d] + at) * exp2(-c->key.level);
}

/* Node i of a cell, along dimension d: 0, 1 or 2. */
static int place_of(int i, int d) {
    return d == 0 ? i % 3 : i / 3 % 3;
}

static rc_status fill(rc_passes *p, rc_cell *c, int dims, rc_error *err) {
    memset(c->rests, 0, sizeof c->rests);
    for (int i = 0; i < power3(dims); i++) {
        double x[RC_CELL_DIMS] = {0.0};
        rc_pass_cost cost;
        for (int d = 0; d < dims; d++)
            x[d] = node_x(c, d, 0.5 * place_of(i, d));
        RC_TRY(simulate(p, c, dims, x, &cost, err));
        for (int d = 0; d < dims; d++)
            c->x[d][place_of(i, d)] = x[d];
        c->log[i] = log((double)cost.time);
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            c->rests[b] += cost.rests[b] / (float)power3(dims);
    }
    return RC_OK;
}

static bool distinct(const rc_cell *c, int dims) {
    for (int d = 0; d < dims; d++)
        if (c->x[d][0] >= c->x[d][1] || c->x[d][1] >= c->x[d][2])
            return false;
    return true;
}

/* Compare with the source in the middle between nodes. */
static rc_status check(rc_passes *p, const rc_cell *c, int dims, bool *good, rc_error *err) {
    *good = true;
    for (int i = 0; i < 1 << dims && *good; i++) {
        double x[RC_CELL_DIMS];
        rc_pass_cost cost;
        for (int d = 0; d < dims; d++)
            x[d] = node_x(c, d, (i >> d & 1) ? 0.75 : 0.25);
        RC_TRY(simulate(p, c, dims, x, &cost, err));
        *good = fabs(interpolate(c, dims, x) / (double)cost.time - 1.0) <= RC_PASSES_TOLERANCE;
    }
    return RC_OK;
}

static rc_status build(rc_passes *p, rc_cell *c, int dims, rc_error *err) {
    bool good = false;
    rc_error quiet = {0};
    rc_status st = fill(p, c, dims, &quiet);
    if (st == RC_OK && distinct(c, dims))
        st = check(p, c, dims, &good, &quiet);
    if (st != RC_OK && st != RC_E_NOFIT) {
        if (err)
            *err = quiet;
        return st;
    }
    bool deeper = st == RC_OK && c->key.level < RC_CELL_DEPTH && distinct(c, dims);
    c->state = good ? RC_CELL_READY : deeper ? RC_CELL_SPLIT : RC_CELL_EXACT;
    return RC_OK;
}

rc_status rc_cells_time(rc_passes *p, const rc_family_at *f, bool *done, rc_pass_cost *out,
                        rc_error *err) {
    double x[RC_CELL_DIMS];
    assert(f->dims >= 1 && f->dims <= RC_CELL_DIMS);
    *done = false;
    for (int d = 0; d < f->dims; d++)
        x[d] = coordinate(f->kind, d, f->at[d]);
    for (int level = 0;; level++) {
        rc_cell_key k = {.fixed = f->fixed, .kind = (uint16_t)f->kind, .level = (uint16_t)level};
        for (int d = 0; d < f->dims; d++)
            k.index[d] = (int32_t)floor(x[d] * exp2(level));
        rc_cell *c = find(p, &k);
        if (!c)
            return rc_fail(err, RC_E_NOMEM, "out of memory for cells of pass times");
        if (c->state == RC_CELL_COUNTS) {
            uint32_t enough = level == 0 ? ASKED_FIRST : ASKED_CHILD;
            if (p->stats.exact < RC_PASSES_EXACT || c->asked++ < enough)
                return RC_OK;
            RC_TRY(build(p, c, f->dims, err));
        }
        if (c->state == RC_CELL_EXACT)
            return RC_OK;
        if (c->state == RC_CELL_READY) {
            out->time = llround(interpolate(c, f->dims, x));
            memcpy(out->rests, c->rests, sizeof out->rests);
            *done = true;
            return RC_OK;
        }
    }
}
