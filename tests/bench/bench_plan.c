/* What a plan takes, by its trials.
 *
 *   trials     the plan scenarios/plan/mooncake-10k.yaml with its trace cut to n requests: CPU of the search and
 *              of what is asked about the best, over the number of trials, beside one trial of the best by
 *              itself, which shares simulated passes with none
 *
 *   bench_plan [folder of the project, default .]
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include "sim/plan/plan_file.h"

static double cpu_s(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

static atomic_uint trials;

static rc_status counted(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    atomic_fetch_add(&trials, 1);
    return rc_plan_simulate(ctx, t, out, err);
}

static rc_plan_trial plain(const rc_plan *p, const rc_plan_option *o) {
    return (rc_plan_trial){.option = *o,
                           .seed = p->seed,
                           .growth = p->growth,
                           .matrix = 1.0,
                           .hbm = 1.0,
                           .network = 1.0,
                           .memory = 1.0,
                           .ring_step = -1.0};
}

static rc_status search(rc_plan_file *file, rc_plan_answer *a, double *cpu, rc_error *err) {
    rc_plan_player *player = NULL;
    rc_plan_bounds *bounds = NULL;
    const double from = cpu_s();
    rc_status st = rc_plan_player_create(file, NULL, &player, err);
    if (st == RC_OK)
        st = rc_plan_bounds_create(&file->plan, rc_plan_player_load(player),
                                   rc_plan_player_costs(player), &bounds, err);
    if (st == RC_OK)
        st = rc_plan_search(&file->plan, bounds, counted, player, a, err);
    *cpu = cpu_s() - from;
    rc_plan_bounds_free(bounds);
    rc_plan_player_free(player);
    return st;
}

static rc_status alone(rc_plan_file *file, const rc_plan_option *o, double *cpu, rc_error *err) {
    rc_plan_player *player = NULL;
    rc_plan_outcome outcome;
    RC_TRY(rc_plan_player_create(file, NULL, &player, err));
    const rc_plan_trial t = plain(&file->plan, o);
    const double from = cpu_s();
    rc_status st = rc_plan_simulate(player, &t, &outcome, err);
    *cpu = cpu_s() - from;
    rc_plan_player_free(player);
    return st;
}

static rc_status timed(const char *folder, const char *set, rc_error *err) {
    static rc_plan_file file;
    char path[512];
    double all = 0.0, one = 0.0;
    rc_plan_answer a = {0};
    (void)snprintf(path, sizeof path, "%s/scenarios/plan/mooncake-10k.yaml", folder);
    RC_TRY(rc_plan_open(path, &set, 1, &file, err));
    file.plan.quiet = true;
    atomic_store(&trials, 0);
    rc_status st = search(&file, &a, &all, err);
    if (st == RC_OK && a.best >= 0)
        st = alone(&file, &a.all[a.best].option, &one, err);
    if (st == RC_OK)
        printf("%-24s  %8.3f s of CPU, %u trials, %.2f times as many of the best alone (%.3f s)\n",
               set, all, atomic_load(&trials), one > 0.0 ? all / one : 0.0, one);
    rc_plan_answer_free(&a);
    rc_plan_close(&file);
    return st;
}

int main(int argc, char **argv) {
    rc_error err = {0};
    rc_status st = timed(argc > 1 ? argv[1] : ".", "arrivals.requests=2500", &err);
    if (st == RC_OK)
        st = timed(argc > 1 ? argv[1] : ".", "arrivals.requests=10000", &err);
    if (st != RC_OK)
        (void)fprintf(stderr, "bench_plan: %s\n", err.msg);
    return rc_exit_code(st);
}
