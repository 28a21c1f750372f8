/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/launch_gap.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const variants[RC_LAUNCHED_KINDS] = {
    [RC_LAUNCHED_NORM] = "norm",      [RC_LAUNCHED_ROTARY] = "rotary",
    [RC_LAUNCHED_SWIGLU] = "swiglu",  [RC_LAUNCHED_ATTENTION] = "attention",
    [RC_LAUNCHED_DECODE] = "decode",  [RC_LAUNCHED_MERGE] = "merge",
    [RC_LAUNCHED_GEMM] = "gemm",      [RC_LAUNCHED_COPY] = "copy",
    [RC_LAUNCHED_NCCL] = "send_recv",
};

typedef struct both { /* of one kind; 0: no row */
    double graph, eager;
    long calls; /* of the stretch */
} both;

/* N of `norm@eagerN`; 0 for a call in a graph, -1 for another condition or another kernel. */
static long stretch_of(const char *variant, const char *kernel) {
    static const char eager[] = "@eager";
    size_t n = strlen(kernel);
    if (strncmp(variant, kernel, n) != 0)
        return -1;
    if (variant[n] == '\0')
        return 0;
    char *end = NULL;
    if (strncmp(variant + n, eager, sizeof eager - 1) != 0)
        return -1;
    long calls = strtol(variant + n + sizeof eager - 1, &end, 10);
    return *end == '\0' && calls > 0 ? calls : -1;
}

static void take(const rc_row *r, const char *kernel, both *x) {
    long calls = stretch_of(r->variant, kernel);
    if (calls == 0)
        x->graph = r->p50;
    if (calls <= x->calls)
        return;
    x->calls = calls;
    x->eager = r->p50;
}

rc_launch_gaps rc_launch_gaps_of(const rc_rows *rows, const char *base) {
    assert(rows != NULL && base != NULL);
    rc_launch_gaps out = {.known = false};
    bool has[RC_LAUNCHED_KINDS] = {false};
    double sum = 0.0;
    int kinds = 0;
    for (int k = 0; k < RC_LAUNCHED_KINDS; k++) {
        both x = {0.0, 0.0, 0};
        for (size_t i = 0; i < rc_rows_count(rows); i++) {
            const rc_row *r = rc_rows_at(rows, i);
            if (r->a == 1 && strcmp(r->op, "gap") == 0 && strcmp(r->machine, base) == 0)
                take(r, variants[k], &x);
        }
        has[k] = x.graph > 0.0 && x.eager > 0.0;
        if (!has[k])
            continue;
        out.eager[k] = fmax(0.0, x.eager - x.graph);
        sum += out.eager[k];
        kinds++;
    }
    if (kinds == 0)
        return out;
    out.known = true;
    for (int k = 0; k < RC_LAUNCHED_KINDS; k++)
        if (!has[k])
            out.eager[k] = sum / kinds;
    return out;
}
