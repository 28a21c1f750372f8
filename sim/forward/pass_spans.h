/* Forward passes as timelines: what every simulated GPU did, and when (sim/timeline/span_file.h).
 *
 * A process is a simulated GPU: one stands for its whole TP group unless `spec->unfold`. Its threads
 * are compute, collectives on a stream of their own, host, and send and receive, of which there are
 * as many as messages are under way at a time. A flow leads from each message's send to its receive.
 * Counters are the load of a GPU's links, the SMs that compute holds, and the clock.
 *
 * A span has its kind of work as name (the parts of a breakdown) and these arguments: `ps`, `layer`,
 * `step` of the ring, `T` and `P` of the pass, `flops` and `bytes`, `op` where it is one of several,
 * `rests_on` (what its time rests on), and `critical` (1) on the critical path. Spans of GPU 0 add
 * up to the pass's breakdown, critical ones of all GPUs to its time.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_FORWARD_PASS_SPANS_H
#define RC_FORWARD_PASS_SPANS_H
#include "sim/forward/staged.h"
#include "sim/timeline/span_file.h"

/* Where a pass stands in a timeline that holds several. */
typedef struct rc_pass_place {
    uint32_t process;  /* of its GPU 0; the others follow */
    rc_time start;     /* ps */
    uint64_t flow;     /* number of its first flow */
    const char *named; /* before the names of GPUs: "stage 1, "; "" */
} rc_pass_place;

/* Every op of one pass. *end: NULL, or when it ends; *flows: NULL, or how many flows it has. RC_E_SIZE
 * as rc_forward_trace. */
rc_status rc_pass_spans(const rc_spec *spec, const rc_pass_place *at, rc_spans *out, rc_time *end,
                        uint64_t *flows, rc_error *err);
/* The same of a pass in chunks and stages: a stage's GPUs follow those of the stage before it, and the
 * transfers between stages are sends and receives of a stage's first GPU. *end as above. */
rc_status rc_staged_spans(const rc_spec *spec, const rc_staging *how, rc_spans *out, rc_time *end,
                          rc_error *err);
/* What a timeline says of the pass at its head, behind what is there. */
void rc_pass_head(const rc_spec *spec, rc_span_args *head);

#endif
