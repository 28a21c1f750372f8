/* The table of ops: what an op is called, what its sizes are called and where a row of the store
 * keeps them, what its work is, how its rows become curves and by which rule a look-up reads them.
 *
 * A new op whose rows are read by a rule that exists is one entry of the table in ops.c, beside its
 * kernel and the suite that measures it: the readers of CSV files and stores, the book, the
 * look-ups and the carry-over all ask the table. Only ops that code elsewhere speaks of have a
 * constant here; the others are found by name.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_OPS_H
#define RC_COST_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/model/model.h"

/* The sizes of ops, by their names. Each is a whole number; unused ones are 0. */
typedef enum rc_axis {
    RC_AXIS_NONE,
    RC_AXIS_TOKENS,      /* rows of a matrix of activations                                     */
    RC_AXIS_OUTPUTS,     /* columns of a product: N                                             */
    RC_AXIS_INPUTS,      /* the dimension that a product sums over: K                           */
    RC_AXIS_EXPERTS,     /* products of a grouped GEMM; TOKENS counts the rows of all           */
    RC_AXIS_TOP_K,       /* experts that a token goes to                                        */
    RC_AXIS_QUERIES,     /* queries of an attention call: Tq                                    */
    RC_AXIS_KEYS,        /* keys of an attention call, cached ones included: Tk                 */
    RC_AXIS_QUERY_HEADS, /* on this GPU                                                         */
    RC_AXIS_KV_HEADS,    /* on this GPU                                                         */
    RC_AXIS_HEAD_K,      /* elements of a query and a key of one head                           */
    RC_AXIS_HEAD_V,      /* elements of a value and an output of one head                       */
    RC_AXIS_WINDOW,      /* keys that a query sees at most; 0: all                              */
    RC_AXIS_BATCH,       /* sequences that decode one token each                                */
    RC_AXIS_CONTEXT,     /* keys of each of these sequences                                     */
    RC_AXIS_SEQUENCES,   /* of one attention launch, all alike; 0: one                          */
    RC_AXIS_LONGEST,     /* keys of the longest sequence that decodes; 0: all have CONTEXT      */
    RC_AXIS_ROWS,        /* tokens times heads                                                  */
    RC_AXIS_PARTS,       /* partial outputs that are merged into one                            */
    RC_AXIS_WIDTH,       /* elements of a token                                                 */
    RC_AXIS_BYTES,
    RC_AXIS_RANKS,
    RC_AXIS_NODES,
    RC_AXIS_CALLS, /* host costs: calls of one measurement                                      */
    RC_AXIS_SMS,   /* SMs left to the compute                                                   */
    RC_AXIS_CTAS,  /* CTAs given to NCCL                                                        */
    RC_AXIS_KEPT,  /* keys of a query that a selection keeps                                    */
    RC_AXIS_HEADS, /* heads of an op that is not softmax attention                              */
    RC_AXIS_ENTERING, /* tokens that come to a layer of experts; 0: rows / experts a token      */
    RC_AXIS_COUNT
} rc_axis;
const char *rc_axis_name(rc_axis axis); /* "query heads" */
/* Whether 0 says that there is none: windows, experts, experts a token. */
bool rc_axis_may_be_zero(rc_axis axis);

typedef struct rc_axes {
    int64_t at[RC_AXIS_COUNT];
} rc_axes;

/* An index into the table. */
typedef unsigned rc_op;
enum {
    RC_COST_GEMM,
    RC_COST_FULL,   /* attention, every query sees every key                                    */
    RC_COST_SQUARE, /* causal attention of as many queries as keys                              */
    RC_COST_PREFIX, /* causal attention behind cached keys, bottom-right                        */
    RC_COST_DECODE,
    RC_COST_MERGE,
    RC_COST_COPY,
    RC_COST_SEND_RECV,
    RC_COST_ALL_REDUCE,
    RC_COST_ALL_GATHER,
    RC_COST_REDUCE_SCATTER,
    RC_COST_ALL_TO_ALL,
    RC_COST_NAMED /* the ops from here on are known by name alone */
};

/* What bounds an op on a GPU: it decides how its time is carried over to another part. */
typedef enum rc_bound {
    RC_BOUND_GEMM,
    RC_BOUND_ATTENTION,
    RC_BOUND_MEMORY,
    RC_BOUND_LINK
} rc_bound;

/* What the type of the elements does to the rows of an op. */
typedef enum rc_type_rule {
    RC_TYPE_IGNORED,  /* nothing: rows of all types are rows of the op                          */
    RC_TYPE_OWN,      /* rows of bf16 and of fp8 apart; of other types none is used             */
    RC_TYPE_FP8,      /* rows of fp8 apart from all others                                      */
    RC_TYPE_PREFERRED /* of rows of one point two-byte types come first                         */
} rc_type_rule;

/* How a look-up reads the rows of an op. */
typedef enum rc_price_rule {
    RC_PRICE_NONE,    /* not at all: the rows inform, no forecast asks for them                  */
    RC_PRICE_PRODUCT, /* gemm.c: the shape asked for, or the two nearest                         */
    RC_PRICE_FULL,    /* attention.c                                                             */
    RC_PRICE_CAUSAL,  /* attention.c                                                             */
    RC_PRICE_DECODE,  /* attention.c                                                             */
    RC_PRICE_MERGE,   /* memory.c: a grid over rows and parts                                    */
    RC_PRICE_WIDTH,   /* memory.c: the width asked for, or the nearest                           */
    RC_PRICE_COPY,    /* memory.c: one curve                                                     */
    RC_PRICE_SAME,    /* same.c: the sizes asked for and no others                               */
    RC_PRICE_REACH, /* reach.c: rows of the sizes asked for, else work over rates that are reached */
    RC_PRICE_EXPERTS, /* experts.c                                                               */
    RC_PRICE_LINK     /* collective.c                                                            */
} rc_price_rule;

typedef struct rc_work {
    double flops, bytes; /* least HBM traffic */
} rc_work;

enum { RC_COLUMNS = 4, RC_FIXED_MAX = 7, RC_OPS_MAX = 64, RC_HEAD_DEFAULT = 128 };

typedef struct rc_op_info rc_op_info;
struct rc_op_info {
    const char *name;
    const char *variant;         /* rows of this variant alone; NULL: of any without a condition */
    rc_axis column[RC_COLUMNS];  /* what the columns a, b, c and d hold; NONE: 0                 */
    rc_axis along;               /* a curve runs along this axis; NONE: the rows make no curves  */
    rc_axis per;                 /* ... divided by this one; NONE: by nothing                    */
    rc_axis fixed[RC_FIXED_MAX]; /* the other axes, the same on a whole curve; NONE ends them    */
    rc_axis
        across; /* the last of them where curves that differ in it alone make a grid, else NONE */
    bool (*takes)(const rc_axes *at); /* whether a row of these sizes is of this op; NULL: it is  */
    rc_price_rule rule;
    rc_bound bound;
    rc_type_rule type;
    bool published_blocks; /* rows of others in fp8 are of products with a scale for each block
                            * (results/published/README.md): they answer for that type, too */
    bool rises;    /* no algorithm switches: time may not fall as work grows                */
    bool straight; /* straight lines between points                                         */
    double power;  /* of the axis in the work                                               */
    double
        reach_flops; /* RC_PRICE_REACH: shares of the part's peak of the matrix units and of its */
    double reach_bytes; /* HBM that are taken where there are no rows                            */
    double cell_bytes;  /* RC_PRICE_WIDTH: bytes read and written for one element of the width    */
    const char *
        row_name; /* what its rows are called where they are of another op under the condition `variant`; where
                           * there are none, that op's rows without it answer (RC_PRICE_WIDTH) */
    const char *stands; /* the op whose rows stand for this one, which has none of its own       */
    /* Least work of one call; element: bytes of one element of the type asked for. */
    void (*work)(const rc_op_info *op, const rc_axes *at, double element, rc_work *out);
    double (*width)(const rc_axes *at); /* RC_PRICE_WIDTH: elements of a token                    */
};

/* Of `experts` with equal chances, how many some of `rows` rows is expected to go to. */
double rc_experts_hit(double rows, double experts);
/* How many other GPUs of `ranks`, with as many experts each, a token with `top_k` different experts
 * is expected to go to. */
double rc_expert_ranks(double experts, double top_k, double ranks);
/* op < rc_op_count(). */
const rc_op_info *rc_op_info_of(rc_op op);
rc_op rc_op_count(void);
/* The first op of that name, rc_op_count() when there is none. */
rc_op rc_op_named(const char *name);
/* Whether a store may hold rows of an op of that name. */
bool rc_op_has_rows(const char *name);
/* The names that rows may have, each once, ended by NULL: for messages. */
void rc_op_row_names(const char *names[RC_OPS_MAX + 1]);
/* Whether the op has this axis, in a column of its own or as one of a, b, c and d. */
bool rc_op_has_axis(const rc_op_info *op, rc_axis axis);

#endif
