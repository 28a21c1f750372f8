/* Opening: model, machines, costs, and the data files with what is planned for each of their rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/report/paper_internal.h"
#include "sim/schedule/layer.h"

/* How much more memory the roomy machine has: enough for the KV cache of 1M tokens on one node. */
#define ROOMY 16.0

static bool any(const rc_paper_neutral *n, const void *ctx) {
    (void)n;
    (void)ctx;
    return true;
}

static bool of_engine(const rc_paper_neutral *n, const void *ctx) {
    (void)ctx;
    return n->of_engine;
}

static rc_status load_machines(rc_paper *p, rc_error *err) {
    rc_machine *gtt = &p->machine[RC_PAPER_GTT], *gti = &p->machine[RC_PAPER_GTI];
    if (!p->options.unfitted) {
        RC_TRY(rc_paper_load("gtt", p->options.sets, p->options.set_count, gtt, err));
        return rc_paper_load("gti", NULL, 0, gti, err);
    }
    RC_TRY(rc_paper_load_neutral(p, "gtt", any, NULL, p->options.set_count, gtt, err));
    RC_TRY(rc_paper_load_neutral(p, "gti", of_engine, NULL, 0, gti, err));
    gtt->fitted_count = gti->fitted_count = 0;
    return RC_OK;
}

static rc_status check_sets(const rc_paper *p, rc_error *err) {
    for (size_t i = 0; i < p->options.set_count; i++)
        if (strncmp(p->options.sets[i], "machine.", 8) != 0)
            return rc_fail_at(err, RC_E_USAGE, "--set", 0, 0,
                              "found '%.200s', expected machine.KEY=VALUE", p->options.sets[i]);
    return RC_OK;
}

static rc_status open_costs(rc_paper *p, rc_error *err) {
    p->machine[RC_PAPER_ROOMY] = p->machine[RC_PAPER_GTT];
    p->machine[RC_PAPER_ROOMY].memory *= ROOMY;
    RC_TRY(
        rc_costs_open(p->options.store, &p->machine[RC_PAPER_GTT], &p->costs[RC_PAPER_GTT], err));
    RC_TRY(
        rc_costs_open(p->options.store, &p->machine[RC_PAPER_GTI], &p->costs[RC_PAPER_GTI], err));
    return rc_costs_view(p->costs[RC_PAPER_GTT], &p->machine[RC_PAPER_ROOMY],
                         &p->costs[RC_PAPER_ROOMY], err);
}

static rc_status open_parts(rc_paper *p, rc_error *err) {
    char path[1024];
    RC_TRY(rc_share_path("models", "llama-3.1-405b", ".json", path, sizeof path, err));
    RC_TRY(rc_model_open(path, &p->model, err));
    RC_TRY(check_sets(p, err));
    RC_TRY(load_machines(p, err));
    RC_TRY(open_costs(p, err));
    RC_TRY(rc_paper_read_tables(p, err));
    RC_TRY(rc_paper_read_points(p, err));
    if (p->options.figures)
        rc_paper_plan_figures(p);
    if (p->failed)
        return rc_fail(err, RC_E_NOMEM, "out of memory while planning the paper's rows");
    return rc_paper_mark(p, err);
}

rc_status rc_paper_open(const rc_paper_options *o, rc_paper **out, rc_error *err) {
    assert(o->draws >= 0 && (o->sets != NULL || o->set_count == 0));
    *out = NULL;
    rc_paper *p = calloc(1, sizeof *p);
    if (!p)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    p->options = *o;
    rc_status st = open_parts(p, err);
    if (st == RC_OK)
        *out = p;
    else
        rc_paper_close(p);
    return st;
}

void rc_paper_close(rc_paper *p) {
    if (!p)
        return;
    for (int m = RC_PAPER_MACHINES - 1; m >= 0; m--) /* the view goes before what it views */
        rc_costs_close(p->costs[m]);
    free(p->rows);
    free(p->plans);
    free(p->jobs);
    free(p->drawn);
    free(p);
}
