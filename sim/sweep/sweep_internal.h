/* What the files of a sweep share: axes, the resolved sweep, a point's inputs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SWEEP_SWEEP_INTERNAL_H
#define RC_SWEEP_SWEEP_INTERNAL_H
#include <gsl/gsl_qrng.h>
#include <stdio.h>
#include "sim/base/arena.h"
#include "sim/base/doc.h"
#include "sim/forward/scenario.h"
#include "sim/sweep/sweep.h"

enum {
    SWEEP_AXES = 40, /* Sobol's limit in GSL */
    SWEEP_MACHINES = 1 << 14,
    SWEEP_CHANGE = 160, /* "machine.peer_rate=2.7e+10B/s" */
    SWEEP_PARTS = sizeof((rc_sweep_row *)0)->critical / sizeof(double)
};
#define SWEEP_POINTS ((int64_t)1 << 40) /* of one sweep, at most */

typedef enum sweep_id {
    SWEEP_MODEL,
    SWEEP_MACHINE,
    SWEEP_NUMBER, /* a number of the machine */
    SWEEP_TP,
    SWEEP_CP,
    SWEEP_DCP,
    SWEEP_ULYSSES,
    SWEEP_DP,
    SWEEP_EP,
    SWEEP_CHUNK,
    SWEEP_PP,
    SWEEP_GPUS,
    SWEEP_VARIANT,
    SWEEP_PHASE,
    SWEEP_ATTN_WEIGHTS,
    SWEEP_FFN_WEIGHTS,
    SWEEP_ACT,
    SWEEP_KV,
    SWEEP_HOST,
    SWEEP_RING,
    SWEEP_SLOW_RANK,
    SWEEP_SLOW_SPEED,
    SWEEP_SLOW_LINK_RANK,
    SWEEP_SLOW_LINK,
    SWEEP_OVERLAP_COMPUTE,
    SWEEP_OVERLAP_COMM,
    SWEEP_BATCH,
    SWEEP_CACHED,
    SWEEP_NEW
} sweep_id;

typedef enum sweep_kind { SWEEP_NAME, SWEEP_INT, SWEEP_REAL, SWEEP_CHOICE } sweep_kind;

typedef struct sweep_key {
    const char *path;
    sweep_id id;
    sweep_kind kind;
    const rc_key *rule; /* which values it takes */
} sweep_key;

typedef union sweep_value {
    int64_t i; /* whole numbers, choices, index of a model or machine */
    double d;
} sweep_value;

typedef struct sweep_axis {
    sweep_key key;
    const char *field; /* SWEEP_NUMBER: "nic_rate", "network_rate" */
    size_t count;      /* of values; 0: a continuous range of a Sobol sample */
    const sweep_value *values;
    const char *const *texts; /* SWEEP_NAME */
    double from, to;
    bool log;
} sweep_axis;

/* axes.c: take every list and range out of the document, and the keys that only a sweep knows, and
 * leave values in their place with which the rest can be read as a scenario. */
rc_status sweep_axes_read(rc_doc *doc, rc_arena *arena, bool sobol, sweep_axis *axes, size_t *count,
                          rc_error *err);
/* A number as a value of the key: rounded where the key takes whole numbers. */
sweep_value sweep_as_value(const sweep_key *k, double d);
const sweep_axis *sweep_axis_find(const sweep_axis *axes, size_t count, sweep_id id);

typedef struct sweep_plot { /* SQL expressions over the columns; NULL when not given */
    const char *title, *x, *y, *series, *panel, *xlabel, *ylabel, *where;
    const char *key;       /* where the legend stands */
    bool most, logx, logy; /* best of several rows: the most, else the least */
} sweep_plot;

struct rc_sweep {
    rc_arena *arena;
    const char *from; /* its file */
    char name[96], description[256];
    rc_scenario base;
    bool has_host, has_ring, sobol, full;
    bool has_attn_weights, has_ffn_weights, has_kv; /* `dtypes` states it */
    int draws;
    sweep_axis axes[SWEEP_AXES];
    size_t axis_count;
    int64_t points, max_batch;
    const char *machine; /* as the file names it, where it is no axis */
    const rc_model **models;
    size_t model_count;
    rc_costs **costs; /* one per machine as it stands in a point: [machine][numbers] */
    size_t cost_count, combos;
    rc_costs **books; /* owners of the rows */
    size_t book_count;
    const char *text; /* the resolved sweep: what its hash is over */
    uint64_t hash;
    bool has_plot;
    sweep_plot plot;
};

/* identity.c: the sweep in one canonical text, and its hash: FNV-1a of 64 bits, begun with
 * SWEEP_HASH_START. */
#define SWEEP_HASH_START UINT64_C(0xcbf29ce484222325)
void sweep_write_node(const rc_node *n, FILE *f);
uint64_t sweep_hash(uint64_t h, const void *bytes, size_t size);
rc_status sweep_hash_file(uint64_t *h, const char *path, rc_error *err);

/* A point's inputs, as a pass takes them and as the database shows them. */
typedef struct sweep_cursor {
    const rc_sweep *s;
    gsl_qrng *q;
    int64_t drawn; /* samples taken from q */
    double u[SWEEP_AXES];
    sweep_value v[SWEEP_AXES]; /* of each axis at the point */
    rc_layout layout;
    const rc_schedule *schedule;
    rc_phase phase;
    bool eager, serial_ring;
    int64_t t, p, batch;
    rc_what_if what_if;
    const rc_model *model;
    const rc_costs *costs;
    const rc_sequence *seqs;
    size_t seq_count, own_count; /* of all groups of sequences; of the busiest, which come first */
    rc_elsewhere elsewhere;
    rc_staging staging;
    rc_sequence *own; /* max_batch of them */
    int64_t gpus;     /* asked for by parallel.gpus; 0: not */
} sweep_cursor;

rc_status sweep_cursor_init(sweep_cursor *c, const rc_sweep *s, rc_error *err);
void sweep_cursor_free(sweep_cursor *c);
/* Stand at `point`, 0 .. s->points - 1. RC_E_INPUT when its values do not go together. */
rc_status sweep_cursor_at(sweep_cursor *c, int64_t point, rc_error *err);

/* worker.c: where a worker stands after rc_sweep_eval, with the inputs of that point. */
const sweep_cursor *rc_sweep_worker_at(const rc_sweep_worker *w);

#endif
