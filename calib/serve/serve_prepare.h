/* From a scenario to what a server has room for, and from a pass of its scheduler to sequences with
 * their pages and tokens: plain C on the host, without a GPU.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_SERVE_SERVE_PREPARE_H
#define RC_CALIB_SERVE_SERVE_PREPARE_H
#include "calib/serve/serve_pages.h"
#include "calib/serve/serve_plan.h"
#include "sim/serve/serve.h"

/* The parts that a scenario decides, all but the SMs; RC_E_INPUT for one that is not served. */
rc_status rc_serve_shape_of(const rc_serve *s, const rc_trace *t, rc_serve_shape *out,
                            rc_error *err);

typedef struct rc_serve_prepared {
    const rc_serve_shape *shape; /* borrowed */
    rc_serve_pages pages;
    rc_serve_sequence *sequences; /* [most sequences] of the latest pass */
    int32_t *page_lists;          /* [most sequences][pages of the longest] */
    uint32_t *blocks;             /* of one sequence */
    uint64_t *tokens;             /* [tokens of a pass] */
} rc_serve_prepared;

rc_status rc_serve_prepare_open(rc_serve_prepared *p, const rc_serve *s, const rc_trace *t,
                                const rc_serve_shape *shape, rc_error *err);
void rc_serve_prepare_close(rc_serve_prepared *p); /* safe on a zeroed one */
/* p->sequences of a pass, in its order. RC_E_INTERNAL: more than the shape has room for. */
rc_status rc_serve_prepare(rc_serve_prepared *p, const rc_played_pass *pass, rc_error *err);

#endif
