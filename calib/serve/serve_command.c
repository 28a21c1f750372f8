/* ringcast-calib serve: read the scenario, open the GPUs, play it, write what was measured.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/serve/serve_command.h"
#include "calib/cost_row.h"
#include "calib/suite.h"
#include "sim/base/file.h"
#include "sim/serve/serve_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifndef RC_GIT_COMMIT
#define RC_GIT_COMMIT "unknown"
#endif

typedef struct run {
    const rc_serve_command *o;
    rc_group group;
    rc_gpu gpu;
    rc_ring_ranks ranks;
    rc_serve serve;
    rc_trace *trace;
    rc_served *rows;
    rc_serve_result *result;
    rc_serve_play play;
} run;

static rc_status copy_scenario(const run *r, rc_error *err) {
    char path[RC_PATH_SIZE];
    char *text = NULL;
    size_t size = 0;
    rc_outfile f;
    RC_TRY(rc_path_in(path, r->o->out, err, "scenario.yaml"));
    RC_TRY(rc_file_read(r->o->scenario, &text, &size, err));
    rc_status st = rc_outfile_open(&f, path, r->o->force, err);
    if (st == RC_OK) {
        (void)fwrite(text, 1, size, f.f);
        st = rc_outfile_commit(&f, err);
    }
    free(text);
    return st;
}

enum { ABOUT = 7, ABOUT_TEXT = 200 };

static rc_status write_passes(const run *r, rc_error *err) {
    char text[ABOUT][ABOUT_TEXT], date[24], nccl[24] = "none", path[RC_PATH_SIZE];
    const char *lines[ABOUT];
    rc_row_date(date, sizeof date);
    if (r->group.size > 1)
        rc_nccl_version(nccl, sizeof nccl);
    const rc_health h = rc_nvml_read(r->gpu.nvml);
    (void)snprintf(text[0], ABOUT_TEXT, "passes of a real server, ringcast-calib serve");
    (void)snprintf(text[1], ABOUT_TEXT, "gpu: %s x %d", r->gpu.name, r->group.size);
    (void)snprintf(text[2], ABOUT_TEXT, "driver %s, CUDA %s, NCCL %s", r->gpu.driver, r->gpu.cuda,
                   nccl);
    (void)snprintf(text[3], ABOUT_TEXT, "date %s, commit %s", date,
                   r->o->commit ? r->o->commit : RC_GIT_COMMIT);
    (void)snprintf(text[4], ABOUT_TEXT, "checks: %lld passed, worst off by %.3g",
                   (long long)r->play.checks_done, r->play.worst);
    (void)snprintf(text[5], ABOUT_TEXT, "%s",
                   r->o->real_time ? "in real time" : "idle time left out");
    (void)snprintf(text[6], ABOUT_TEXT, "at the end: %.0f MHz, %.0f W, %.0f C", h.sm_mhz, h.power_w,
                   h.temp_c);
    for (int i = 0; i < ABOUT; i++)
        lines[i] = text[i];
    RC_TRY(rc_path_in(path, r->o->out, err, "passes.csv"));
    return rc_played_log_write(&r->play.log, lines, ABOUT, path, r->o->force, err);
}

static rc_status write_all(const run *r, rc_error *err) {
    char path[RC_PATH_SIZE];
    RC_TRY(copy_scenario(r, err));
    RC_TRY(write_passes(r, err));
    RC_TRY(rc_path_in(path, r->o->out, err, "requests.csv"));
    return rc_serve_rows(r->rows, r->trace->count, path, r->o->force, err);
}

static void say(const run *r) {
    const rc_serve_result *x = r->result;
    printf("%s: %llu requests, %zu passes, %.1f s; TTFT p50 %.1f ms, p95 %.1f ms; mean gap p50 "
           "%.2f ms, p95 %.2f ms; %lld checks, worst off by %.2g\n",
           r->serve.name, (unsigned long long)x->done, r->play.log.count,
           (double)x->makespan / RC_PS_PER_S, rc_hist_quantile(&x->ttft, 0.5) / 1e9,
           rc_hist_quantile(&x->ttft, 0.95) / 1e9, rc_hist_quantile(&x->ttit, 0.5) / 1e9,
           rc_hist_quantile(&x->ttit, 0.95) / 1e9, (long long)r->play.checks_done, r->play.worst);
    fflush(stdout);
}

static rc_status play(run *r, rc_error *err) {
    const rc_pass_player player = {
        .ctx = &r->play, .pass = rc_serve_play_pass, .release = rc_serve_play_release};
    rc_costs *costs = NULL;
    rc_machine machine = r->serve.machine;
    memset(machine.costs, 0, sizeof machine.costs); /* nothing is priced: any rows will do */
    RC_TRY(rc_costs_open(NULL, &machine, &costs, err));
    const rc_serve_options o = {
        .costs = costs, .seed = r->serve.seed, .quiet = true, .rows = r->rows, .player = &player};
    rc_status st = rc_serve_run(&r->serve, r->trace, &o, r->result, err);
    rc_costs_close(costs);
    return st;
}

static rc_status on_gpu(run *r, rc_error *err) {
    rc_serve_shape shape;
    RC_TRY(rc_serve_shape_of(&r->serve, r->trace, &shape, err));
    RC_TRY(rc_gpu_open(&r->gpu, r->group.local, err));
    RC_TRY(rc_ring_ranks_open(&r->ranks, &r->group, &r->gpu, false, shape.layer.cp, shape.layer.tp,
                              r->serve.machine.ring_ctas, err));
    RC_TRY(rc_group_agree(&r->group,
                          rc_served_model_open(&r->play.engine, &r->ranks, &shape, 1, err), err));
    r->play.procs = &r->group;
    r->play.gpu = &r->gpu;
    r->play.checks = r->o->checks;
    r->play.real_time = r->o->real_time;
    RC_TRY(rc_serve_play_open(&r->play, &r->serve, r->trace, err));
    RC_TRY(play(r, err));
    if (r->group.rank != 0)
        return RC_OK;
    say(r);
    return r->o->out ? write_all(r, err) : RC_OK;
}

static rc_status load(run *r, rc_error *err) {
    RC_TRY(rc_serve_load(r->o->scenario, NULL, 0, &r->serve, err));
    RC_TRY(rc_serve_workload(&r->serve, r->serve.seed, 0.0, &r->trace, err));
    r->rows = calloc(r->trace->count, sizeof *r->rows);
    r->result = calloc(1, sizeof *r->result);
    if (!r->rows || !r->result)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", r->trace->count);
    return r->o->out ? rc_make_dirs(r->o->out, err) : RC_OK;
}

static void close_run(run *r) {
    rc_serve_play_close(&r->play);
    rc_ring_ranks_close(&r->ranks);
    rc_gpu_close(&r->gpu);
    rc_trace_free(r->trace);
    free(r->rows);
    free(r->result);
}

static rc_status run_all(run *r, rc_error *err) {
    bool parent = false;
    RC_TRY(load(r, err));
    const int ranks = r->serve.pools[0].tp * r->serve.pools[0].cp;
    if (ranks > 1)
        RC_TRY(rc_group_fork(&r->group, ranks, &parent, err));
    if (parent)
        return RC_OK;
    if (rc_gpu_count() < ranks)
        return rc_fail(err, RC_E_IO, "%d GPUs are needed, %d are visible", ranks, rc_gpu_count());
    return on_gpu(r, err);
}

rc_status rc_serve_main(int argc, char **argv, rc_error *err) {
    rc_serve_command o;
    run *r = calloc(1, sizeof *r);
    if (!r)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = rc_serve_command_parse(argc, argv, &o, err);
    if (st != RC_OK || o.help) {
        free(r);
        if (st == RC_OK)
            rc_serve_command_usage();
        return st;
    }
    r->o = &o;
    st = rc_group_join(&r->group, err);
    if (st == RC_OK)
        st = run_all(r, err);
    rc_group group = r->group;
    close_run(r);
    free(r);
    rc_group_leave(&group, st != RC_OK);
    return st;
}
