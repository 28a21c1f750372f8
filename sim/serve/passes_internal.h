/* What passes.c, passes_known.c and passes_cells.c share. Not for other files.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_PASSES_INTERNAL_H
#define RC_SERVE_PASSES_INTERNAL_H
#include "sim/serve/passes.h"

/* A pass of one chunk at most: T, P, decodes, mean and longest of their contexts. */
typedef struct rc_point {
    int64_t t, p, b, m, l;
} rc_point;
typedef struct rc_known {
    rc_point at;
    rc_pass_cost cost; /* time 0: an empty slot */
} rc_known;

enum {
    RC_CELL_DIMS = 3,
    RC_CELL_NODES = 27,
    RC_CELL_DEPTH = 4,
    RC_CELL_PARTS = 1 << RC_CELL_DEPTH
};
typedef enum rc_cell_kind {
    RC_CELLS_DECODE, /* fixed B, and T of a chunk with P = 0 beside them, or none; m, longest - m */
    RC_CELLS_FRESH,  /* T; P = 0 */
    RC_CELLS_SHORT,  /* fixed T; P */
    RC_CELLS_PROMPT, /* T, P */
    RC_CELLS_MIXED,  /* fixed T and B; P, m, longest - m */
    RC_CELL_KINDS
} rc_cell_kind;
typedef struct rc_family_at {
    rc_cell_kind kind;
    int dims;     /* 0: no cells there */
    int64_t t, b; /* what is fixed; 0: not */
    double at[RC_CELL_DIMS];
} rc_family_at;

typedef struct rc_cell_key {
    int64_t t, b;
    int32_t index[RC_CELL_DIMS];
    uint16_t kind, level;
} rc_cell_key;
typedef enum rc_cell_state {
    RC_CELL_COUNTS,
    RC_CELL_READY,
    RC_CELL_SPLIT,
    RC_CELL_EXACT
} rc_cell_state;
/* A pass that has been simulated. */
typedef struct rc_cell_sample {
    double at[RC_CELL_DIMS], time; /* ps */
} rc_cell_sample;
enum { RC_CELL_SAMPLES = 8 };
typedef struct rc_cell_nodes {
    double x[RC_CELL_DIMS][3];     /* where they are */
    double share[RC_CELL_DIMS][3]; /* one over the distances from the two others, multiplied */
    double time[RC_CELL_NODES];    /* ps, there; first dimension fastest */
    bool limited;                  /* the two below are not all 0 */
    double saved[RC_CELL_NODES];   /* of rc_pass_cost */
    double wanted[RC_CELL_NODES];
    float rests[RC_BASIS_COUNT]; /* mean */
} rc_cell_nodes;
typedef struct rc_cell {
    rc_cell_key key;
    rc_cell_state state;
    double from[RC_CELL_DIMS], upto[RC_CELL_DIMS]; /* what it holds: from <= v < upto */
    uint32_t asked;                                /* while it counts; then of its answers, */
    uint32_t audit; /* of which number `audit` is simulated instead */
    uint32_t sampled;
    union {
        rc_cell_sample sample[RC_CELL_SAMPLES]; /* while it counts: `sampled` of them */
        rc_cell_nodes nodes;                    /* once it is ready */
    } of;
} rc_cell;

/* The cells that answered last, by what is fixed in them: index + 1; the latest first. */
enum { RC_HOT_SETS = 64, RC_HOT_WAYS = 4 };
typedef struct rc_hot_cells {
    uint32_t at[RC_HOT_WAYS];
} rc_hot_cells;

struct rc_passes {
    rc_pass_fn source;
    void *ctx;
    rc_passes_like like;
    bool exact;
    double part[RC_CELL_PARTS]; /* 2^(k / RC_CELL_PARTS) */
    rc_known *known;            /* open addressing */
    size_t known_slots, known_count;
    rc_cell *cells;
    size_t cell_count, cell_room;
    uint32_t *slots; /* of cells: index + 1 */
    size_t slot_count;
    rc_hot_cells hot[RC_HOT_SETS];
    rc_pass_shelf *shelf; /* or NULL */
    rc_pass_stats stats;
};

/* passes_known.c. The source's answer, counted; `keep`: or the same from the shelf, and left there. */
rc_status rc_passes_ask(rc_passes *p, const rc_pass *pass, bool keep, rc_pass_cost *out,
                        rc_error *err);
uint64_t rc_point_hash(const rc_point *k);
/* Simulated now, or met before. */
rc_status rc_point_time(rc_passes *p, const rc_point *k, bool *met, rc_pass_cost *out,
                        rc_error *err);
bool rc_point_known(const rc_passes *p, const rc_point *k, rc_pass_cost *out);

/* passes_cells.c */
bool rc_cells_create(rc_passes *p);
void rc_cells_destroy(rc_passes *p);
/* The answer of a cell that is there. */
bool rc_cells_ready(rc_passes *p, const rc_family_at *f, rc_pass_cost *out);
/* The same, or of one that has been asked for often enough and is built now. *done is false when the
 * pass is to be simulated; rc_cells_note then tells the cell what came out, which may end its trust. */
rc_status rc_cells_time(rc_passes *p, const rc_family_at *f, bool *done, rc_pass_cost *out,
                        rc_error *err);
void rc_cells_note(rc_passes *p, const rc_family_at *f, rc_time time);

#endif
