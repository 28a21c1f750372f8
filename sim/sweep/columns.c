/* The columns of table `point`: what a point was given, and what came of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/sweep/database.h"

static void put_text(sqlite3_stmt *q, int i, const char *s) {
    (void)sqlite3_bind_text(q, i, s, -1, SQLITE_STATIC);
}

/* Values beside a refusal are NULL. */
static void put_real(sqlite3_stmt *q, int i, double v, bool known) {
    if (known && isfinite(v))
        (void)sqlite3_bind_double(q, i, v);
    else
        (void)sqlite3_bind_null(q, i);
}

static const char *const fixed_columns =
    "point INTEGER PRIMARY KEY, model TEXT, machine TEXT, gpus INTEGER, nodes REAL, tp INTEGER, "
    "cp INTEGER, variant TEXT, phase TEXT, batch INTEGER, new INTEGER, cached INTEGER, "
    "attention_weights TEXT, ffn_weights TEXT, activations TEXT, kv TEXT, host TEXT, ring TEXT, "
    "nic_rate REAL, peer_rate REAL, status TEXT, why TEXT, ticks INTEGER, time_s REAL, "
    "tokens_per_gpu_s REAL, flop_rate REAL, mfu REAL, memory_weights REAL, memory_kv REAL, "
    "memory_activations REAL, memory_buffers REAL, memory_total REAL, measured REAL, "
    "transferred REAL, published REAL, extrapolated REAL, modelled REAL, stated REAL";
enum { FIXED_COLUMNS = 38, BASIS_COLUMNS = 33 };
_Static_assert(BASIS_COLUMNS + (int)RC_BASIS_COUNT - 1 == FIXED_COLUMNS, "a column for each basis");

/* Axes that no fixed column shows. */
static bool own_column(const sweep_axis *x) {
    switch (x->key.id) {
    case SWEEP_NUMBER:
        return strcmp(x->field, "nic_rate") != 0 && strcmp(x->field, "peer_rate") != 0;
    case SWEEP_DCP:
    case SWEEP_ULYSSES:
    case SWEEP_DP:
    case SWEEP_EP:
    case SWEEP_CHUNK:
    case SWEEP_PP:
    case SWEEP_SLOW_RANK:
    case SWEEP_SLOW_SPEED:
    case SWEEP_SLOW_LINK_RANK:
    case SWEEP_SLOW_LINK:
    case SWEEP_OVERLAP_COMPUTE:
    case SWEEP_OVERLAP_COMM:
        return true;
    default:
        return false;
    }
}

static const char *column_name(const sweep_axis *x) {
    assert(own_column(x));
    return x->key.id == SWEEP_NUMBER  ? x->field
           : strchr(x->key.path, '.') ? strchr(x->key.path, '.') + 1
                                      : x->key.path;
}

const char *sweep_status_name(rc_sweep_status s) {
    static const char *const names[] = {
        [RC_SWEEP_OK] = "ok", [RC_SWEEP_NOFIT] = "nofit", [RC_SWEEP_REFUSED] = "refused"};
    assert(s <= RC_SWEEP_REFUSED);
    return names[s];
}

void sweep_columns_write(const rc_sweep *s, FILE *f) {
    (void)fputs(fixed_columns, f);
    for (size_t i = 0; i < s->axis_count; i++)
        if (own_column(&s->axes[i]))
            (void)fprintf(f, ", %s %s", column_name(&s->axes[i]),
                          s->axes[i].key.kind == SWEEP_INT ? "INTEGER" : "REAL");
    if (!s->full)
        return;
    (void)fputs(", p5_s REAL, p95_s REAL, exposed_comm_s REAL, hidden_comm_s REAL", f);
    for (int i = 0; i < RC_P_COUNT; i++)
        (void)fprintf(f, ", \"critical_%s_s\" REAL", rc_part_name((rc_part)i));
}

int sweep_columns_count(const rc_sweep *s) {
    int n = FIXED_COLUMNS + (s->full ? 4 + RC_P_COUNT : 0);
    for (size_t i = 0; i < s->axis_count; i++)
        n += own_column(&s->axes[i]);
    return n;
}

static int gpus_of(const sweep_cursor *c) {
    return rc_layout_gpus(&c->layout) * rc_stages_of(&c->staging);
}

static void bind_inputs(sqlite3_stmt *q, const sweep_cursor *c) {
    const rc_machine *m = rc_costs_machine(c->costs);
    put_text(q, 2, c->model->name);
    put_text(q, 3, m->name);
    (void)sqlite3_bind_int64(q, 4, gpus_of(c));
    (void)sqlite3_bind_double(q, 5, (double)gpus_of(c) / m->gpus_per_node);
    (void)sqlite3_bind_int(q, 6, c->layout.tp);
    (void)sqlite3_bind_int(q, 7, c->layout.cp);
    put_text(q, 8, c->schedule->name);
    put_text(q, 9, c->phase == RC_PREFILL ? "prefill" : "decode");
    (void)sqlite3_bind_int64(q, 10, (int64_t)c->seq_count);
    (void)sqlite3_bind_int64(q, 11, c->seqs[0].t);
    (void)sqlite3_bind_int64(q, 12, c->seqs[0].p);
    put_text(q, 13, rc_dtype_name(c->layout.attn_weights));
    put_text(q, 14, rc_dtype_name(c->layout.ffn_weights));
    put_text(q, 15, rc_dtype_name(c->layout.act));
    put_text(q, 16, rc_dtype_name(c->layout.kv));
    put_text(q, 17, c->eager ? "eager" : "graph");
    put_text(q, 18, c->serial_ring ? "serial" : "overlapped");
    (void)sqlite3_bind_double(q, 19, m->nic_rate);
    (void)sqlite3_bind_double(q, 20, m->peer_rate);
}

static void bind_row(sqlite3_stmt *q, const sweep_cursor *c, const rc_sweep_row *r) {
    bool ok = r->status == RC_SWEEP_OK;
    double tokens = 0.0;
    for (size_t i = 0; i < c->seq_count; i++)
        tokens += (double)c->seqs[i].t;
    (void)sqlite3_bind_int64(q, 1, r->point);
    put_text(q, 21, sweep_status_name(r->status));
    if (ok)
        (void)sqlite3_bind_null(q, 22);
    else
        put_text(q, 22, r->why);
    if (ok)
        (void)sqlite3_bind_int64(q, 23, r->ticks);
    else
        (void)sqlite3_bind_null(q, 23);
    const double reals[] = {r->time, tokens / gpus_of(c) / r->time, r->flop_rate, r->mfu};
    const double bytes[] = {r->weights, r->kv, r->activations, r->buffers, r->total};
    for (int i = 0; i < 4; i++)
        put_real(q, 24 + i, reals[i], ok);
    for (int i = 0; i < 5; i++)
        put_real(q, 28 + i, bytes[i], r->status != RC_SWEEP_REFUSED);
    for (int i = 0; i < RC_BASIS_COUNT; i++)
        put_real(q, BASIS_COLUMNS + i, r->rests[i], ok);
}

static void bind_rest(sqlite3_stmt *q, const sweep_cursor *c, const rc_sweep_row *r) {
    const rc_sweep *s = c->s;
    bool ok = r->status == RC_SWEEP_OK;
    int at = FIXED_COLUMNS + 1;
    for (size_t i = 0; i < s->axis_count; i++) {
        if (!own_column(&s->axes[i]))
            continue;
        if (s->axes[i].key.kind == SWEEP_INT)
            (void)sqlite3_bind_int64(q, at++, c->v[i].i);
        else
            (void)sqlite3_bind_double(q, at++, c->v[i].d);
    }
    if (!s->full)
        return;
    const double reals[] = {r->p5, r->p95, r->exposed, r->hidden};
    for (int i = 0; i < 4; i++)
        put_real(q, at++, reals[i], ok);
    for (int i = 0; i < RC_P_COUNT; i++)
        put_real(q, at++, r->critical[i], ok);
}

void sweep_columns_bind(sqlite3_stmt *q, const sweep_cursor *c, const rc_sweep_row *r) {
    assert(sqlite3_bind_parameter_count(q) == sweep_columns_count(c->s));
    bind_inputs(q, c);
    bind_row(q, c, r);
    bind_rest(q, c, r);
}
