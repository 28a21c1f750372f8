/* A measured point as a record: its numbers, and where and how they were measured.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/suite.h"

#include <string.h>

void rc_calib_row(const rc_calib *c, const rc_point *p, const rc_measured *m, rc_record *row) {
    memset(row, 0, sizeof *row);
    rc_record_set(row->machine, sizeof row->machine, c->machine);
    rc_record_set(row->gpu, sizeof row->gpu, c->gpu.name);
    rc_record_set(row->state, sizeof row->state, c->bench.sustained ? "sustained" : "burst");
    rc_record_set(row->op, sizeof row->op, p->op);
    rc_point_variant(p, m->variant[0] ? m->variant : NULL, row->variant, sizeof row->variant);
    rc_record_set(row->dtype, sizeof row->dtype, p->dtype);
    row->a = p->a;
    row->b = p->b;
    row->c = p->c;
    row->d = p->d;
    row->head_k = p->head_k;
    row->head_v = p->head_v;
    row->experts = p->experts;
    row->top_k = p->top_k;
    row->p10_s = m->r.p10_s;
    row->p50_s = m->r.p50_s;
    row->p90_s = m->r.p90_s;
    row->samples = m->r.samples;
    row->sm_mhz = m->r.health.sm_mhz;
    row->power_w = m->r.health.power_w;
    row->temp_c = m->r.health.temp_c;
    rc_row_date(row->date, sizeof row->date);
    rc_record_set(row->driver, sizeof row->driver, c->gpu.driver);
    rc_record_set(row->cuda, sizeof row->cuda, c->gpu.cuda);
    rc_record_set(row->nccl, sizeof row->nccl, m->nccl);
    rc_record_set(row->kernel, sizeof row->kernel, m->kernel);
    rc_record_set(row->commit, sizeof row->commit, c->commit);
    rc_record_set(row->source, sizeof row->source, "measured");
    rc_record_set_heads(row);
}
