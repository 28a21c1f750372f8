/* What the GPU takes from one kernel to the next beyond what rows of ops hold already.
 *
 * Short calls are timed as copies in a CUDA graph (docs/calibration.md), so a cost holds the gap
 * between two kernels of a graph. Kernels that the host launches one by one follow each other less
 * closely, however far ahead the host is. Rows of the op `gap` measure both: a kernel in a graph
 * (variant `norm`) and the same one launched by itself (`norm@eagerN`, N calls behind each other).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_LAUNCH_GAP_H
#define RC_COST_LAUNCH_GAP_H
#include <stdbool.h>
#include "sim/cost/store.h"

/* Calls whose gap is measured. */
typedef enum rc_launched {
    RC_LAUNCHED_NORM, /* and other ops that go over tokens once */
    RC_LAUNCHED_ROTARY,
    RC_LAUNCHED_SWIGLU,
    RC_LAUNCHED_ATTENTION,
    RC_LAUNCHED_DECODE, /* with the kernel that combines its pieces */
    RC_LAUNCHED_MERGE,
    RC_LAUNCHED_GEMM,
    RC_LAUNCHED_COPY,
    RC_LAUNCHED_NCCL, /* a group of sends and receives, or a collective: one kernel */
    RC_LAUNCHED_KINDS
} rc_launched;

typedef struct rc_launch_gaps {
    bool known;                      /* false: no kind has rows of both, all else is 0 */
    double eager[RC_LAUNCHED_KINDS]; /* s that a call takes more than in a graph, at least 0 */
} rc_launch_gaps;

/* From the rows of the machine `base`: of each kind the row of the longest stretch of calls less
 * the row in a graph; kinds without rows of both get the mean of the others. */
rc_launch_gaps rc_launch_gaps_of(const rc_rows *rows, const char *base);

#endif
