/* A plan asked for by flags, without a file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_PLAN_QUESTION_H
#define RC_CLI_PLAN_QUESTION_H
#include "sim/base/doc.h"
#include "sim/cli/flags.h"

typedef struct rc_plan_question {
    const char *model, *trace, *ttft, *ttit, *rate;
    const char *save; /* a plan file that says the same; NULL: none */
    rc_many gpus;     /* MACHINE:COUNT@PRICE */
    int64_t requests; /* of the trace; 0: all */
} rc_plan_question;

bool rc_plan_is_asked(const rc_plan_question *q);
/* The question as a plan file, for rc_plan_read; it is written to `save` as well. The search is over
 * TP and CP by powers of two, both schedulers, and both kinds of pools. */
rc_status rc_plan_question_doc(const rc_plan_question *q, bool overwrite, rc_doc **out,
                               rc_error *err);

#endif
