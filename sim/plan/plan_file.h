/* Plan files: what is read, the workload in short, and the trial that plays it.
 *
 * A plan file is a scenario of `ringcast serve` without `machine`, `pools` and `slo`, and with the
 * sections `offers`, `slo` (a list), `space` and `search` in their place; see docs/planning.md.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_PLAN_PLAN_FILE_H
#define RC_PLAN_PLAN_FILE_H
#include "sim/plan/plan.h"
#include "sim/serve/serve.h"

typedef struct rc_plan_file {
    rc_plan plan;
    rc_serve serve; /* what every trial starts from */
    rc_doc *doc;    /* as a scenario of `serve`; owned */
} rc_plan_file;

rc_status rc_plan_open(const char *path, const char *const *sets, size_t set_count,
                       rc_plan_file *out, rc_error *err);
rc_status rc_plan_read(rc_doc *doc, const char *const *sets, size_t set_count, rc_plan_file *out,
                       rc_error *err); /* takes the document, also on failure */
void rc_plan_close(rc_plan_file *f);

/* Trials over the real workload. `store`: a calibration database, NULL: the embedded one. */
typedef struct rc_plan_player rc_plan_player;
rc_status rc_plan_player_create(const rc_plan_file *f, const char *store, rc_plan_player **out,
                                rc_error *err);
void rc_plan_player_free(rc_plan_player *p); /* NULL is fine */
const rc_plan_load *rc_plan_player_load(const rc_plan_player *p);
const rc_costs *const *rc_plan_player_costs(const rc_plan_player *p); /* one per offer */
rc_status rc_plan_simulate(void *player, const rc_plan_trial *trial, rc_plan_outcome *out,
                           rc_error *err); /* an rc_plan_sim */

/* What a trial plays. */
void rc_plan_serve(const rc_plan_file *f, const rc_plan_trial *trial, rc_serve *out);

/* ---- output (plan_write.c, plan_plot.c) ------------------------------------------------------ */
/* The chosen plan as a scenario of `serve`: run it, edit it. RC_E_CHECK when none holds. */
rc_status rc_plan_save_scenario(rc_plan_file *f, const rc_plan_answer *a, const char *path,
                                bool overwrite, rc_error *err);
rc_status rc_plan_print(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err);
rc_status rc_plan_csv(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err);
rc_status rc_plan_json(const rc_plan_file *f, const rc_plan_answer *a, rc_error *err);
/* Before the search: may the picture be written? */
rc_status rc_plan_plot_check(const rc_plan_file *f, const char *dir, bool overwrite, rc_error *err);
rc_status rc_plan_plot(const rc_plan_file *f, const rc_plan_answer *a, const char *dir,
                       bool overwrite, bool *drawn, rc_error *err);

#endif
