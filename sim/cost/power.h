/* Power and clock of a GPU: what a call draws, how the clock falls when a pass draws more than the
 * board may, and how much longer a call takes then.
 *
 * A call of F FLOPs and B bytes of HBM traffic takes t at the boost clock. Its energy beyond that
 * of an idle chip is flop F + byte B there. At x times the boost clock (x <= 1) the share `bound`
 * of its time that the matrix units set takes x^-slows times as long; the matrix units then draw
 * x^saves of their power, and the traffic costs what it costs:
 *     t(x) = t (1 + bound (x^-slows - 1)),  E(x) = flop F x^saves t(x) / t + byte B.
 * A pass draws idle + (sum of E(x)) / (its time at x) on average, and its clock is the highest at
 * which that is no more than the limit. Why means: the limiter acts on a mean over tenths of a
 * second, hundreds of calls. Why classes of ops and not each op's own sustained rows: the limiter
 * hunts, and two sustained rows of alike calls differ by 5 %; over a class that averages out.
 *
 * All numbers come from rows that say clock and power: those at work for part of the time
 * (`@dutyN`, `@freshN`) and, for fp8, sustained products.
 *
 * Cards of one type differ. Where each card of a host has rows of its own, each has its own law, and
 * a pass runs at the pace of the card that takes longest for it. Where they have none, a pass of n
 * GPUs runs at that of the thirstiest of n cards as they are expected to differ.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_POWER_H
#define RC_COST_POWER_H
#include <stdbool.h>
#include "sim/base/error.h"
#include "sim/cost/ops.h"
#include "sim/cost/store.h"

/* Ops whose power and time follow the clock alike. */
typedef enum rc_power_class {
    RC_POWER_GEMM,
    RC_POWER_GEMM_FP8,
    RC_POWER_ATTENTION,
    RC_POWER_OTHER,       /* bound by memory: neither time nor power follows the clock; copies */
    RC_POWER_ELEMENTWISE, /* bound by memory, too: norms, activations, merges, ... */
    RC_POWER_DECODE,      /* likewise */
    RC_POWER_LINK,        /* transfers: NCCL's CTAs copy at the clock, and draw next to nothing */
    RC_POWER_CLASSES
} rc_power_class;

typedef struct rc_power_law {
    double flop;  /* J per FLOP at the boost clock, beside `byte` */
    double slows; /* exponent of the time */
    double saves; /* exponent of the power */
    double alone; /* time over that at the boost clock when nothing else runs, for long */
    double
        byte; /* J per byte of what memory binds; 0: rc_power.byte, and always of the matrix units */
} rc_power_law;

typedef struct rc_power {
    bool known;       /* false: the rows do not tell, all else is 0 */
    double boost;     /* MHz */
    double idle;      /* W, of a chip that waits between calls */
    double limit;     /* W, mean that the limiter holds under lasting load */
    double from_rest; /* W, the same in the first half second after a rest; limit without rows */
    double byte;      /* J per byte of HBM traffic, of a copy */
    rc_power_law law[RC_POWER_CLASSES];
    int rows; /* that it rests on */
} rc_power;

/* The state that asks for it: a machine's `state` and a book's. */
extern const char RC_POWER_LIMITED[];

/* Whether the matrix units bind it. */
static inline bool rc_power_of_matrix(rc_power_class c) {
    return c < RC_POWER_OTHER;
}
/* The class of an op in a type. */
rc_power_class rc_power_class_of(rc_op op, rc_dtype d);
/* How much longer than at the boost clock a call takes at x times it, 0 < x <= 1. `bound` and
 * `class`: of its effort. */
double rc_power_slows(const rc_power *p, rc_power_class class, double bound, double x);
/* A clock over the boost clock, and the law by which times follow it; NULL and 1: no power model. */
typedef struct rc_pace {
    double clock;
    const rc_power *power;
} rc_pace;

/* Rows of the clock may be of one card of a host: `#K` behind the condition (`full@duty100#2`), cards
 * counted from 0. RC_NO_CARD: rows of the type of GPU, which name no card. */
enum { RC_NO_CARD = -1, RC_CARDS_MOST = 8 };
/* Cards of `base` that the rows name: one more than the last. RC_E_INPUT beyond RC_CARDS_MOST. */
rc_status rc_power_cards(const rc_rows *rows, const char *base, int *cards, rc_error *err);
/* Of the rows of `base` that are of this card. RC_OK with out->known false where they do not tell. */
rc_status rc_power_of_rows(const rc_rows *rows, const char *base, int card, rc_power *out,
                           rc_error *err);

/* What a call does: how long it is at work is in its time, how hard here. */
typedef struct rc_effort {
    double flops, bytes;
    double bound; /* share of its time that the matrix units set, 0 to 1 */
    rc_power_class class;
} rc_effort;

/* What the limiter sees of a call, in whole numbers, so that sums do not depend on their order. */
typedef struct rc_call_load {
    int64_t bound;      /* ps that follow the clock */
    int64_t core;       /* nJ of the matrix units at the boost clock */
    int64_t core_bound; /* nJ of them times `bound` */
    int64_t memory;     /* nJ */
    rc_power_class class;
} rc_call_load;

/* The same of many calls, by class. */
typedef struct rc_load {
    int64_t bound[RC_POWER_CLASSES], core[RC_POWER_CLASSES], core_bound[RC_POWER_CLASSES];
    int64_t memory;
} rc_load;

/* The load of one call that takes t seconds at the boost clock. */
void rc_power_load(const rc_power *p, const rc_effort *effort, double t, rc_call_load *out);
void rc_load_add(rc_load *sum, const rc_call_load *x, int64_t times);

typedef struct rc_power_point {
    double clock; /* over the boost clock; a whole number of MHz */
    double watts; /* mean */
} rc_power_point;
/* Power of the matrix units that the thirstiest of n cards is expected to need, over that of the
 * card whose rows there are. */
double rc_power_thirstiest(int n);
/* What this card's limiter sees of a load that was told by another law of the same type of GPU. */
rc_load rc_power_load_of(const rc_power *card, const rc_load *load, const rc_power *told_by);
/* s that the load adds, alone, to what it takes at the boost clock, at x times it. */
double rc_power_longer(const rc_power *p, const rc_load *load, double x);
/* The clock of a pass with this load that takes t seconds at the boost clock, under `limit` W. */
rc_power_point rc_power_solve(const rc_power *p, const rc_load *load, double t, double limit);

#endif
