/* Costs: how long one op takes on a machine, from the calibration store.
 *
 * A look-up finds the measured curve nearest to the question (op, type, variant, heads, clock
 * state), interpolates in log space (Steffen's curve: monotone, no overshoot), carries the time
 * over to the machine asked for by its ratios, and says what the answer rests on. Costs know no
 * schedule.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_COST_H
#define RC_COST_COST_H
#include <stdint.h>
#include "sim/base/error.h"
#include "sim/machine/machine.h"
#include "sim/cost/beside.h"
#include "sim/cost/launch_gap.h"
#include "sim/cost/ops.h"
#include "sim/cost/power.h"
#include "sim/cost/store.h"
#include "sim/model/model.h"

/* What a cost rests on; ordered from best to worst: a cost made of several takes the worst. A rule
 * that says how rows of one shape stand for another (other heads, another width, several calls of
 * one launch) is a formula like any other until somebody has measured that it holds. */
typedef enum rc_basis {
    RC_MEASURED,     /* inside the range of rows measured on this machine                     */
    RC_TRANSFERRED,  /* measured on the base machine, carried over by physical ratios         */
    RC_PUBLISHED,    /* rows that others measured                                             */
    RC_EXTRAPOLATED, /* beyond the range of the rows, along their last slope                  */
    RC_MODELLED,     /* a formula: NCCL tuning model, a rule over rows of other shapes, a fit */
    RC_STATED,       /* a number of the machine's or the scenario's file, taken as it is      */
    RC_BASIS_COUNT
} rc_basis;
const char *rc_basis_name(rc_basis b);

typedef struct rc_cost {
    double p50;    /* s; in the state power_limited at the boost clock */
    double spread; /* relative: half of p10..p90 over p50, of the rows used and of all below */
    rc_basis basis;
    rc_effort effort; /* what the power model is told of it; all 0: nothing that draws power */
    double own;       /* the part of `spread` that this size has for itself: for not being a row */
} rc_cost;

typedef struct rc_costs rc_costs; /* all curves of one machine; immutable after open */

/* `store` is a calibration database, or NULL for the rows compiled in, of which most often the
 * finished curves are compiled in, too (builtin.h): opening those reads no row. The machine is
 * copied. */
rc_status rc_costs_open(const char *store, const rc_machine *m, rc_costs **out, rc_error *err);
void rc_costs_close(rc_costs *c); /* NULL is fine */
const rc_machine *rc_costs_machine(const rc_costs *c);
/* A second machine over the same curves without changing the first; *out shares them, so `c` must
 * outlive it. Freed with rc_costs_close. m->base and m->state must be those of `c`. */
rc_status rc_costs_view(const rc_costs *c, const rc_machine *m, rc_costs **out, rc_error *err);
/* The same where m's transport inside a node may be another one: what messages and attention take
 * from each other there is read from `rows`, those of the store that `c` was opened from. */
rc_status rc_costs_view_over(const rc_costs *c, const rc_machine *m, const rc_rows *rows,
                             rc_costs **out, rc_error *err);
/* The power model of costs in the state power_limited whose rows tell one; else NULL, and costs are
 * the same at every clock. */
const rc_power *rc_costs_power(const rc_costs *c);
/* Those of single cards of the host, in the order in which GPUs of a pass take them, where rows tell
 * of each; *count 0: they do not. */
const rc_power *rc_costs_cards(const rc_costs *c, int *count);
/* W, mean over a pass, that the board of a GPU with this power model may draw: what the rows show,
 * in proportion to what the machine's board limit has become of the file's. */
double rc_costs_power_limit(const rc_costs *c, const rc_power *power);
/* A view like that of rc_costs_view whose passes run at this pace: the clock 0 to 1 of the boost
 * clock; 1 of all other costs. rc_costs_root: the costs that it is a view of by the pace alone, else
 * its own. */
rc_status rc_costs_at_pace(const rc_costs *c, rc_pace pace, rc_costs **out, rc_error *err);
rc_pace rc_costs_pace(const rc_costs *c);
const rc_costs *rc_costs_root(const rc_costs *c);

/* Every look-up below: sizes from 0 (amounts of work: tokens, queries, keys, batch, context, rows)
 * or 1 (all others) to 2^52, else RC_E_INPUT; work of amount 0 costs 0. RC_E_UNMODELLED for types
 * and head sizes that have not been measured, RC_E_INPUT where the store has no rows at all. */

/* One op of the table (ops.h), by its sizes; d: of weights, or of Q, K and V. Not for transfers. */
rc_status rc_cost_op(const rc_costs *c, rc_op op, rc_dtype d, const rc_axes *at, rc_cost *out,
                     rc_error *err);
/* The same by the op's name in the table: rmsnorm, swiglu_fp8, rotary_kv ... Sizes that the op does
 * not have are not looked at. RC_E_INPUT, with the nearest name, when there is no such op. */
rc_status rc_cost_named(const rc_costs *c, const char *name, rc_dtype d, const rc_axes *at,
                        rc_cost *out, rc_error *err);
/* The op that a row of a store is of, at the row's own sizes; RC_E_UNMODELLED for rows of transfers
 * and of the host, and for rows that were measured under a condition. */
rc_status rc_cost_row(const rc_costs *c, const rc_row *row, rc_cost *out, rc_error *err);

/* Whether products with weights of the type rest on rows of that type, of the base or of the part that stands in for it. */
bool rc_cost_has_products(const rc_costs *c, rc_dtype d);
/* y[M,N] = x[M,K] W[N,K]^T. d: of W; rows exist of RC_BF16 and RC_FP8, on some parts of
 * RC_FP8_BLOCK; the quantised types without rows are RC_MODELLED from them. */
rc_status rc_cost_gemm(const rc_costs *c, rc_dtype d, int64_t m, int64_t n, int64_t k, rc_cost *out,
                       rc_error *err);
/* d: of Q, K and V; RC_BF16 or RC_FP8. causal is bottom-right; tk counts all keys. */
rc_status rc_cost_attention(const rc_costs *c, rc_dtype d, int causal, int64_t tq, int64_t tk,
                            rc_heads heads, rc_cost *out, rc_error *err);
/* The same, causal, where a query sees the last `window` >= 1 keys at most. RC_MODELLED below tk. */
rc_status rc_cost_attention_within(const rc_costs *c, rc_dtype d, int64_t tq, int64_t tk,
                                   int64_t window, rc_heads heads, rc_cost *out, rc_error *err);
/* One launch over `sequences` >= 1 calls that are alike: tiles of all of them fill the same waves.
 * RC_MODELLED from two on. */
rc_status rc_cost_attention_alike(const rc_costs *c, rc_dtype d, int causal, int64_t sequences,
                                  int64_t tq, int64_t tk, rc_heads heads, rc_cost *out,
                                  rc_error *err);
/* One launch over several calls that hold `rows` >= 1 queries and `entries` score entries per head
 * in all: as one full call of as many rows and entries, and no less than its longest call alone,
 * which takes `longest`. Nobody has measured such a launch: RC_MODELLED. */
rc_status rc_cost_attention_fused(const rc_costs *c, rc_dtype d, int64_t rows, int64_t entries,
                                  const rc_cost *longest, rc_heads heads, rc_cost *out,
                                  rc_error *err);
/* One token of each of `batch` sequences over `context` keys each. */
rc_status rc_cost_decode(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context,
                         rc_heads heads, rc_cost *out, rc_error *err);
/* The same where contexts differ: `context` is their mean, `longest` >= context the longest, by
 * which the kernel cuts all of them; some of the batch may be padding. RC_MODELLED. */
rc_status rc_cost_decode_ragged(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context,
                                int64_t longest, rc_heads heads, rc_cost *out, rc_error *err);
/* `parts` partial outputs of `rows` tokens times heads, value_size elements each. */
rc_status rc_cost_merge(const rc_costs *c, int64_t rows, int parts, int value_size, rc_cost *out,
                        rc_error *err);
/* A transfer between the GPUs of one group. */
enum { RC_MESSAGE_PIECES = 3, RC_PIECE_COPIES = 2 };
typedef struct rc_transfer {
    double bytes; /* as calib/schema.h defines them for the op */
    int ranks;    /* GPUs of the group: NCCL cuts its channels by their number */
    int nodes;    /* a collective: that the group is spread over; a message: 1 inside one, 2 between
                     two */
    int abreast;  /* groups like this one on the same node at the same time; 0 and 1: it is alone */
    /* A message: bytes of the pieces that it is sent in, RC_PIECE_COPIES times each (of K, and of
     * V), in one NCCL group. All 0: in one. Not looked at between nodes. */
    double piece[RC_MESSAGE_PIECES];
    /* An all_to_all: of its bytes, those that go to each peer as a second message, in the same NCCL
     * group. Not looked at between nodes. */
    double second;
} rc_transfer;
/* A collective inside one node (nodes == 1) or over several. op: all_reduce, all_gather,
 * reduce_scatter, all_to_all, send_recv. Between nodes the cost is NCCL's published tuning model
 * over the machine's peer_rate and hop_latency: RC_MODELLED. */
rc_status rc_cost_collective(const rc_costs *c, const char *op, const rc_transfer *x, rc_cost *out,
                             rc_error *err);
/* Tokens of each GPU of a group to the GPUs of their experts (ep_dispatch), or results from there back
 * (ep_combine). */
typedef struct rc_expert_transfer {
    int64_t tokens;            /* of one GPU */
    int64_t width;             /* elements of a token, */
    double element;            /* of so many bytes */
    int experts;               /* of the whole group, dealt evenly to its GPUs */
    int top_k;                 /* different experts of one token */
    int ranks, nodes, abreast; /* as of rc_transfer */
} rc_expert_transfer;
rc_status rc_cost_expert_transfer(const rc_costs *c, const char *op, const rc_expert_transfer *x,
                                  rc_cost *out, rc_error *err);
/* One point-to-point message between two GPUs as a flow: its latency (s) and the most bytes/s that
 * one peer gets; the link's own capacity is the machine's nic_line_rate (or nvlink). */
typedef struct rc_p2p {
    double latency, peer_rate, link_rate, spread;
    double bound; /* share of its time that follows the GPU's clock */
    rc_basis basis;
} rc_p2p;
/* x->ranks: of the ring that sends; rows of another number of ranks are RC_MODELLED. */
rc_status rc_cost_p2p(const rc_costs *c, const rc_transfer *x, rc_p2p *out, rc_error *err);
/* s that a call takes longer on the GPU when the host launches it by itself than it does in a CUDA
 * graph, which is what the look-ups above answer for: what the machine states, else what rows say
 * (launch_gap.h), else 0. */
double rc_cost_eager_gap(const rc_costs *c, rc_launched kind);
/* What attention and messages take from each other. */
rc_beside rc_cost_beside(const rc_costs *c);

#endif
