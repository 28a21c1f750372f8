/* How long one pass takes: a source, and a memo in front of it.
 *
 * Why a memo: a trace of 10,000 requests makes a million passes, and a full simulation of one costs
 * tens of microseconds. Most passes are alike: decode steps differ only in batch and contexts, of which
 * the mean and the longest count, a prompt alone in (T, P), and a chunk with decodes beside it in
 * these five. So the memo keeps three families in cells of an adaptive lattice, decode (B exact; mean
 * context, longest over the mean), prompt (T, P) and mixed (T and B exact; P, contexts), and answers
 * everything else by the source. T decides how many tiles the products of a chunk have, and times
 * jump with it: that is why it is no dimension of a mixed cell. Most chunks are as long as the budget
 * allows, so few values of T come up time and again.
 *
 * A cell spans a factor of two in each dimension. Its 3^d nodes are simulated and the time is
 * interpolated by the product of quadratics through them. Times jump in other dimensions as well,
 * where tiles and splits of attention change, so a cell must earn trust: it is held against the source
 * at places spread over it, against the passes that were asked for before it was built, and later
 * against every now and then one that it is asked for. One that is off by more than the tolerance is
 * split in all dimensions, down to a depth where all passes are simulated.
 *
 * A short run is exact: the first RC_PASSES_EXACT passes of a memo are simulated as they come, and
 * a cell is built only when it has been asked for several times after that.
 *
 * One rc_passes per thread.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_SERVE_PASSES_H
#define RC_SERVE_PASSES_H
#include "sim/forward/forward.h"
#include "sim/serve/serve.h"

/* Sequences that decode on one of the CP ranks that they are dealt to, and their cached tokens. */
typedef struct rc_pass_rank {
    uint32_t rows;
    int64_t context, longest;
} rc_pass_rank;

typedef struct rc_pass {
    const rc_sequence *prefill; /* chunks: t new tokens after p cached ones */
    uint32_t prefills;
    uint32_t decodes; /* sequences of one new token */
    int64_t context;  /* sum of their cached tokens */
    int64_t
        longest; /* of the longest, in the mean over the ranks that they are dealt to; 0: as the mean */
    const int64_t
        *contexts;         /* [decodes], or NULL: the longest on each rank, and the others alike */
    uint32_t rows;         /* of the rank that has most of those that decode; 0: dealt out evenly */
    rc_pass_rank heaviest; /* the rank whose sequences have most keys; with `rows` */
    int64_t elsewhere;     /* new tokens of the other groups of the replica (rc_pool.dp) */
} rc_pass;

typedef struct rc_pass_cost {
    rc_time time;
    rc_time
        saved; /* by which it would be shorter at the boost clock; 0 where the machine has no power_window */
    float wanted;                /* W, its mean at the boost clock; likewise */
    float rests[RC_BASIS_COUNT]; /* share of the work of a GPU by what its cost rests on */
} rc_pass_cost;

typedef rc_status (*rc_pass_fn)(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err);

enum { RC_PASSES_EXACT = 512 };
/* Relative, of a pass: a tenth of the 2 % by which two calibrations of one GPU differ. */
#define RC_PASSES_TOLERANCE 0.002

typedef struct rc_passes rc_passes;
/* Passes that the source takes for alike, both >= 1. */
typedef struct rc_passes_like {
    int grain; /* prompts whose T rounds to the same multiple of it: twice the CP ranks, the chunks of a
                  shard. Below 256 grains every T has its own cells */
    int batch; /* decodes whose number rounds up to the same multiple of it: the CP ranks that they
                  are dealt to, 1 where every rank has all */
} rc_passes_like;
/* `ctx` is borrowed. */
rc_status rc_passes_create(rc_pass_fn source, void *ctx, rc_passes_like like, bool exact,
                           rc_passes **out, rc_error *err);
/* Look for simulated times on a shelf (sim/serve/pass_store.h), borrowed, and leave them there. */
typedef struct rc_pass_shelf rc_pass_shelf;
void rc_passes_share(rc_passes *p, rc_pass_shelf *shelf);
void rc_passes_destroy(rc_passes *p); /* NULL is fine */
/* The time of a pass, which has a prompt or a sequence that decodes. Between simulated passes the
 * shares are the mean of those that the time is made of. */
rc_status rc_passes_time(rc_passes *p, const rc_pass *pass, rc_pass_cost *out, rc_error *err);
const rc_pass_stats *rc_passes_statistics(const rc_passes *p);

/* Constant costs (s->linear), all RC_STATED. `ctx` is the rc_linear_costs. */
rc_status rc_pass_linear(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err);
/* The same of layers [from, to) of `layers`, which all cost the same. `ctx` is the rc_linear_part. */
typedef struct rc_linear_part {
    const rc_linear_costs *costs;
    int from, to, layers;
} rc_linear_part;
rc_status rc_pass_linear_part(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err);

/* The pass as it is launched: its batch that of a CUDA graph where it decodes alone and a graph has room, and all of
 * the `ranks` that it is dealt to with as many sequences as the fullest. hkv: KV heads of a GPU. */
rc_pass rc_pass_launched(const rc_serve *s, const rc_pass *pass, int64_t ranks, int hkv);

/* Keys that a query sees at most under the scenario's attention pattern; INT64_MAX: all. */
int64_t context_limit(const rc_serve *s);

/* One of the stages of a pipeline; of one stage: the whole model. */
typedef struct rc_pass_stage {
    rc_stages of;
    int index;
} rc_pass_stage;

/* The forward room's simulation of one layout, variant and stage under one what-if. `stage`: NULL: the whole
 * model. */
typedef struct rc_pass_forward rc_pass_forward;
rc_status rc_pass_forward_create(const rc_serve *s, const rc_costs *costs, const rc_layout *layout,
                                 const rc_schedule *schedule, const rc_pass_stage *stage,
                                 const rc_what_if *what_if, rc_pass_forward **out, rc_error *err);
void rc_pass_forward_destroy(rc_pass_forward *f); /* NULL is fine */
rc_status rc_pass_forward_time(void *ctx, const rc_pass *pass, rc_pass_cost *out, rc_error *err);

#endif
