/* Whose rows each kind of op rests on.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/op_sources.h"

#include <math.h>
#include <stdio.h>
#include "sim/base/table.h"
#include "sim/cost/basis.h"
#include "sim/cost/sources.h"
#include "sim/forward/wanted.h"

rc_status rc_op_sources_of(const rc_spec *pass, rc_op_sources *out, rc_error *err) {
    rc_wanted w;
    *out = (rc_op_sources){.shown = rc_machine_has_sources(rc_costs_machine(pass->costs))};
    if (!out->shown)
        return RC_OK;
    RC_TRY(rc_wanted_of(pass, 1, &w, err));
    for (size_t i = 0; i < w.count; i++)
        out->time[rc_op_source(w.row[i].ask.op)][w.row[i].ask.cost.basis] +=
            fmax(w.row[i].time, 0.0);
    rc_wanted_free(&w);
    return RC_OK;
}

static const char *kind_name(int kind) {
    return kind < RC_SOURCES ? rc_source_name((rc_source)kind) : "collectives";
}

static const char *rows_of(const rc_machine *m, int kind) {
    if (kind == RC_SOURCES)
        return m->collectives;
    return m->costs[kind][0] != '\0' ? m->costs[kind] : m->base;
}

static double sum(const double time[RC_BASIS_COUNT]) {
    double all = 0.0;
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        all += time[b];
    return all;
}

rc_status rc_op_sources_print(const rc_op_sources *s, const rc_machine *m, rc_error *err) {
    static const rc_column columns[] = {{"op", "costs of", "", RC_LEFT},
                                        {"rows", "rows of", "", RC_LEFT},
                                        {"time_pct", "time", "%", RC_RIGHT},
                                        {"basis", "those are", "", RC_LEFT}};
    if (!s->shown)
        return RC_OK;
    rc_table *t = RC_TABLE_WITH(columns);
    for (int k = 0; k <= RC_SOURCES; k++) {
        double share[RC_BASIS_COUNT];
        char text[RC_BASIS_TEXT];
        if (!(sum(s->time[k]) > 0.0))
            continue;
        rc_basis_share(s->time[k], share);
        rc_table_text(t, kind_name(k));
        rc_table_text(t, rows_of(m, k));
        rc_table_real(t, 100.0 * sum(s->time[k]), 1);
        rc_table_text(t, rc_basis_text(share, text, sizeof text));
    }
    return rc_table_finish(t, false, stdout, err);
}

void rc_op_sources_json(rc_json *j, json_t *parent, const rc_op_sources *s, const rc_machine *m) {
    if (!s->shown)
        return;
    json_t *o = rc_json_object(j, parent, "cost_sources_by_op");
    for (int k = 0; k <= RC_SOURCES; k++) {
        double share[RC_BASIS_COUNT];
        if (!(sum(s->time[k]) > 0.0))
            continue;
        json_t *e = rc_json_object(j, o, kind_name(k));
        rc_json_text(j, e, "rows", rows_of(m, k));
        rc_json_real(j, e, "time", sum(s->time[k]));
        rc_basis_share(s->time[k], share);
        rc_basis_json(j, e, share);
    }
}
