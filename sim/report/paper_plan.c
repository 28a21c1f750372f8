/* The plan of the rows: jobs without repeats; which rows are fitted or duplicates.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/report/paper_internal.h"

/* ---- growing lists ---------------------------------------------------------------------- */

static bool same_job(const rc_job *a, const rc_job *b) {
    return a->machine == b->machine && a->tp == b->tp && a->cp == b->cp && a->phase == b->phase &&
           a->t == b->t && a->p == b->p && a->batch == b->batch && a->schedule == b->schedule;
}

int rc_paper_job(rc_paper *p, const rc_job *want) {
    assert(want->machine >= 0 && want->machine < RC_PAPER_MACHINES);
    assert(want->tp >= 1 && want->cp >= 1 && want->batch >= 1);
    assert(want->schedule != NULL);
    for (size_t i = 0; i < p->job_count; i++) {
        if (!same_job(&p->jobs[i], want))
            continue;
        p->jobs[i].draws = p->jobs[i].draws || want->draws;
        return (int)i;
    }
    if (p->job_count == p->job_room) {
        size_t room = p->job_room ? 2 * p->job_room : 256;
        rc_job *larger = realloc(p->jobs, room * sizeof *larger);
        if (!larger) {
            p->failed = true;
            return RC_JOB_NONE;
        }
        p->jobs = larger;
        p->job_room = room;
    }
    p->jobs[p->job_count] = *want;
    return (int)p->job_count++;
}

const char *rc_paper_variant(const rc_paper_row *r) {
    return r->schedule ? r->schedule->name : "";
}

rc_job rc_job_prefill(int machine, int tp, int cp, const rc_schedule *s, int64_t t,
                      int64_t cached) {
    assert(s != NULL && t >= 0 && cached >= 0);
    return (rc_job){.machine = machine,
                    .tp = tp,
                    .cp = cp,
                    .schedule = rc_schedule_on(s, cp),
                    .phase = RC_PREFILL,
                    .t = t,
                    .p = cached,
                    .batch = 1};
}

rc_job rc_job_decode(int machine, int tp, int cp, int64_t context, int batch) {
    assert(context >= 0 && batch >= 1);
    return (rc_job){.machine = machine,
                    .tp = tp,
                    .cp = cp,
                    .schedule = rc_schedule_usual(RC_DECODE, cp),
                    .phase = RC_DECODE,
                    .t = 1,
                    .p = context,
                    .batch = batch};
}

static bool grow_rows(rc_paper *p) {
    size_t room = p->room ? 2 * p->room : 128;
    rc_paper_row *rows = realloc(p->rows, room * sizeof *rows);
    if (rows)
        p->rows = rows;
    rc_plan *plans = realloc(p->plans, room * sizeof *plans);
    if (plans)
        p->plans = plans;
    if (!rows || !plans)
        return false;
    p->room = room;
    return true;
}

rc_paper_row *rc_paper_add(rc_paper *p, rc_plan **plan) {
    assert(p->count <= p->room);
    *plan = NULL;
    if (p->count == p->room && !grow_rows(p)) {
        p->failed = true;
        return NULL;
    }
    rc_paper_row *r = &p->rows[p->count];
    *plan = &p->plans[p->count++];
    *r = (rc_paper_row){.p = -1,
                        .t = -1,
                        .paper = NAN,
                        .predicted = NAN,
                        .p5 = NAN,
                        .p95 = NAN,
                        .error_pct = NAN,
                        .duplicate_of = -1,
                        .predicted_1024 = NAN};
    **plan = (rc_plan){.job = {RC_JOB_NONE, RC_JOB_NONE, RC_JOB_NONE, RC_JOB_NONE},
                       .job_1024 = RC_JOB_NONE,
                       .scale = 1.0};
    return r;
}

/* "CP4": the letters, then a number; *at moves behind them. */
static bool degree(const char *letters, const char **at, int *out) {
    char *end;
    if (strncmp(*at, letters, 2) != 0 || (*at)[2] < '1' || (*at)[2] > '9')
        return false;
    long v = strtol(*at + 2, &end, 10);
    *at = end;
    *out = v > 0 && v <= 4096 ? (int)v : 0;
    return *out > 0;
}

rc_status rc_paper_config(const char *text, int *tp, int *cp, char *id, size_t size,
                          rc_error *err) {
    assert(id != NULL && size > 0);
    const char *at = text;
    *cp = 1;
    if (degree("CP", &at, cp) && *at++ == '+' && degree("TP", &at, tp) && *at == '\0')
        (void)snprintf(id, size, "cp%d", *cp);
    else if (*cp = 1, at = text, degree("TP", &at, tp) && *at == '\0')
        (void)snprintf(id, size, "tp%d", *tp);
    else
        return rc_fail(err, RC_E_INPUT, "found configuration '%s', expected CP4+TP8 or TP16", text);
    return RC_OK;
}

int rc_paper_find(const rc_paper *p, const char *id) {
    assert(id != NULL);
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->rows[i].id, id) == 0)
            return (int)i;
    return -1;
}

/* ---- duplicates and fitted rows --------------------------------------------------------- */

static bool same_quantity(const rc_plan *a, const rc_plan *b) {
    return a->quantity == b->quantity && a->quantity < RC_Q_TIPPING && a->quantity != RC_Q_NONE &&
           memcmp(a->job, b->job, sizeof a->job) == 0;
}

static void mark_duplicates(rc_paper *p) {
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < i && p->rows[i].duplicate_of < 0; k++)
            if (same_quantity(&p->plans[i], &p->plans[k]) && p->rows[i].paper == p->rows[k].paper &&
                p->rows[k].duplicate_of < 0 && strcmp(p->rows[i].unit, p->rows[k].unit) == 0)
                p->rows[i].duplicate_of = (int)k;
}

/* A whole ring of which a part is fitted: it is the sum of its parts. */
static bool is_sum_of(const rc_plan *whole, const rc_plan *part) {
    return whole->quantity == RC_Q_WHOLE && part->quantity >= RC_Q_ATTN_OP &&
           part->quantity < RC_Q_WHOLE && whole->job[0] == part->job[0];
}

/* Computed from a time: a ratio, a rate. */
static bool rests_on(const rc_plan *derived, const rc_plan *time) {
    if (derived->quantity < RC_Q_RATIO || derived->quantity > RC_Q_MFU ||
        time->quantity != RC_Q_TIME)
        return false;
    for (int i = 0; i < RC_PLAN_JOBS; i++)
        if (derived->job[i] == time->job[0])
            return true;
    return false;
}

static void mark_fitted(rc_paper *p, size_t row) {
    p->rows[row].fitted = true;
    for (size_t i = 0; i < p->count; i++)
        if (same_quantity(&p->plans[i], &p->plans[row]) || rests_on(&p->plans[i], &p->plans[row]) ||
            is_sum_of(&p->plans[i], &p->plans[row]))
            p->rows[i].fitted = true;
}

static rc_status no_such_row(const rc_paper *p, const char *machine, const char *parameter,
                             const char *id, rc_error *err) {
    const char **names = calloc(p->count + 1, sizeof *names);
    for (size_t i = 0; names && i < p->count; i++)
        names[i] = p->rows[i].id;
    const char *near = names ? rc_nearest(id, names) : NULL;
    rc_status st = rc_fail(
        err, RC_E_INPUT,
        "machine '%s': parameter '%s' was fitted on row '%s', which does not exist%s%s%s", machine,
        parameter, id, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    free((void *)names);
    return st;
}

static rc_status mark_listed(rc_paper *p, const rc_machine *m, const rc_fitted *f, rc_error *err) {
    char list[sizeof f->rows], *save = NULL;
    memcpy(list, f->rows, sizeof list);
    for (char *id = strtok_r(list, ", ", &save); id; id = strtok_r(NULL, ", ", &save)) {
        int row = rc_paper_find(p, id);
        if (row < 0)
            return no_such_row(p, m->name, f->name, id, err);
        mark_fitted(p, (size_t)row);
    }
    return RC_OK;
}

/* Rows that the machine file takes as they are: inputs, and what is the same measurement. */
static rc_status mark_inputs(rc_paper *p, const rc_machine *m, rc_error *err) {
    char list[sizeof m->inputs], *save = NULL;
    memcpy(list, m->inputs, sizeof list);
    for (char *id = strtok_r(list, ", ", &save); id; id = strtok_r(NULL, ", ", &save)) {
        int row = rc_paper_find(p, id);
        if (row < 0)
            return no_such_row(p, m->name, "inputs", id, err);
        p->rows[row].role = RC_ROLE_INPUT;
    }
    return RC_OK;
}

rc_status rc_paper_mark(rc_paper *p, rc_error *err) {
    mark_duplicates(p);
    RC_TRY(mark_inputs(p, &p->machine[RC_PAPER_GTT], err));
    for (int m = RC_PAPER_GTT; m <= RC_PAPER_GTI; m++)
        for (int i = 0; i < p->machine[m].fitted_count; i++)
            RC_TRY(mark_listed(p, &p->machine[m], &p->machine[m].fitted[i], err));
    for (size_t i = 0; i < p->count; i++)
        if (p->rows[i].role == RC_ROLE_INPUT)
            p->rows[i].fitted = true;
    return RC_OK;
}

/* ---- names -------------------------------------------------------------------------------- */

rc_status rc_paper_data_path(const rc_paper *p, const char *name, char *out, size_t size,
                             rc_error *err) {
    assert(name != NULL && size > 0);
    if (!p->options.data)
        return rc_share_path("scenarios/paper/data", name, ".csv", out, size, err);
    (void)snprintf(out, size, "%s/%s.csv", p->options.data, name);
    return RC_OK;
}

const char *rc_paper_role_name(rc_paper_role r) {
    static const char *const names[] = {"compared", "approximate", "bound", "input"};
    assert((size_t)r < sizeof names / sizeof names[0]);
    return names[r];
}
