/* One run of a server, and the ways to play it again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/beside_players.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/file.h"
#include "sim/base/quantile.h"

typedef struct stage { /* what all ways of one run share */
    rc_serve serve;
    rc_trace *trace;
    rc_costs *costs;
    rc_served *rows;         /* [trace->count] */
    rc_serve_result result;  /* of the latest way */
    char path[RC_PATH_SIZE]; /* of the passes */
} stage;

rc_status rc_beside_name(const char *dir, char out[96], rc_error *err) {
    size_t end = strlen(dir), from;
    while (end > 1 && dir[end - 1] == '/')
        end--;
    for (from = end; from > 0 && dir[from - 1] != '/';)
        from--;
    if (end == from || end - from >= 96)
        return rc_fail_file(err, RC_E_USAGE, "--serving",
                            "\"%.200s\": expected a folder with a name of up to 95 bytes", dir);
    memcpy(out, dir + from, end - from);
    out[end - from] = '\0';
    return RC_OK;
}

/* A first line "# set: unseen" says that nobody looked at the run while the model was made. */
static rc_status read_set(const char *path, rc_run_set *out, rc_error *err) {
    static const char mark[] = "# set:";
    char *text = NULL;
    size_t size = 0;
    *out = RC_SET_SEEN;
    RC_TRY(rc_file_read(path, &text, &size, err));
    rc_status st = RC_OK;
    if (strncmp(text, mark, sizeof mark - 1) == 0) {
        char word[16] = "";
        (void)sscanf(text + sizeof mark - 1, " %15[^ \t\r\n]", word);
        if (strcmp(word, rc_run_set_name(RC_SET_UNSEEN)) == 0)
            *out = RC_SET_UNSEEN;
        else if (strcmp(word, rc_run_set_name(RC_SET_SEEN)) != 0)
            st = rc_fail_at(err, RC_E_INPUT, path, 1, 1, "\"# set: %s\": expected seen or unseen",
                            word);
    }
    free(text);
    return st;
}

/* ---- what users felt ------------------------------------------------------------------------ */

static rc_status take_times(const rc_served *rows, size_t count, rc_beside_play *p, rc_error *err) {
    p->ttft.at = malloc(count * sizeof *p->ttft.at);
    p->gap.at = malloc(count * sizeof *p->gap.at);
    if (!p->ttft.at || !p->gap.at)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", count);
    for (size_t i = 0; i < count; i++) {
        const rc_served *r = &rows[i];
        if (r->outcome != RC_DONE)
            continue;
        p->ttft.at[p->ttft.count++] = (double)(r->first - r->arrived) / RC_PS_PER_S;
        if (r->generated > 1)
            p->gap.at[p->gap.count++] =
                (double)(r->end - r->first) / RC_PS_PER_S / (r->generated - 1);
    }
    rc_sort(p->ttft.at, p->ttft.count);
    rc_sort(p->gap.at, p->gap.count);
    return RC_OK;
}

static rc_status take_play(const stage *x, rc_beside_play *p, rc_error *err) {
    const rc_serve_result *r = &x->result;
    p->requests = r->requests;
    p->done = r->done;
    p->hit_tokens = r->kv_hit_tokens;
    p->tokens_per_s = /* NAN of a run without a pass: no tokens in no time */
        (double)r->tokens_out / ((double)r->makespan / RC_PS_PER_S);
    return take_times(x->rows, x->trace->count, p, err);
}

static rc_status play(stage *x, const rc_pass_player *player, rc_beside_play *out, rc_error *err) {
    const rc_serve_options o = {.costs = x->costs,
                                .seed = x->serve.seed,
                                .quiet = true,
                                .idle_left_out = true,
                                .rows = x->rows,
                                .player = player};
    RC_TRY(rc_serve_run(&x->serve, x->trace, &o, &x->result, err));
    return take_play(x, out, err);
}

/* ---- the ways ------------------------------------------------------------------------------- */

static rc_status replay(stage *x, rc_beside_run *r, rc_error *err) {
    rc_replayer state = {.log = &r->log, .path = x->path};
    const rc_pass_player player = {.ctx = &state, .pass = rc_replayer_pass, .modelled = true};
    r->costs = calloc(r->log.count + 1, sizeof *r->costs);
    if (!r->costs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu passes", r->log.count);
    state.costs = r->costs;
    RC_TRY(play(x, &player, &r->play[RC_BESIDE_MEASURED], err));
    return rc_replayer_end(&state, err);
}

typedef struct means { /* sums over passes, ps */
    double passes, host, stated, measured[RC_BESIDE_KINDS], model[RC_BESIDE_KINDS];
} means;

static void add_means(const rc_beside_run *r, means *m) {
    m->passes += (double)r->log.count;
    for (size_t i = 0; i < r->log.count; i++) {
        const rc_beside_kind k = rc_beside_kind_of(&r->log.at[i]);
        m->host += (double)r->log.at[i].host;
        m->stated += (double)r->costs[i].host;
        m->measured[k] += (double)rc_beside_gpu_time(&r->log.at[i]);
        m->model[k] += (double)r->costs[i].gpu;
    }
}

/* Of a run that refused all its requests every sum is 0, and so is every mean. */
static double passes_of(const means *m) {
    return fmax(m->passes, 1.0);
}

/* The mean host time, and by how much the GPU took longer than the model says, of each kind. */
static rc_retimer retimer_of(const means *m) {
    rc_retimer x = {.host = llround(m->host / passes_of(m))};
    for (int k = 0; k < RC_BESIDE_KINDS; k++)
        x.scale[k] = m->model[k] > 0.0 ? m->measured[k] / m->model[k] : 1.0;
    return x;
}

static rc_status play_all(stage *x, rc_beside_run *r, rc_error *err) {
    means sums = {.passes = 0.0};
    RC_TRY(replay(x, r, err));
    RC_TRY(play(x, NULL, &r->play[RC_BESIDE_FORECAST], err));
    add_means(r, &sums);
    rc_retimer full = retimer_of(&sums), state = {full.host, {1.0, 1.0, 1.0}};
    r->host_mean = sums.host / passes_of(&sums) / RC_PS_PER_S;
    r->host_stated = sums.stated / passes_of(&sums) / RC_PS_PER_S;
    const rc_pass_player host = {.ctx = &state, .pass = rc_retimer_pass, .modelled = true};
    RC_TRY(play(x, &host, &r->play[RC_BESIDE_HOST_MEAN], err));
    const rc_pass_player gpu = {.ctx = &full, .pass = rc_retimer_pass, .modelled = true};
    return play(x, &gpu, &r->play[RC_BESIDE_GPU_MEAN], err);
}

static rc_status open_stage(stage *x, const char *dir, const char *store, rc_error *err) {
    char scenario[RC_PATH_SIZE];
    RC_TRY(rc_path_in(scenario, dir, err, "scenario.yaml"));
    RC_TRY(rc_path_in(x->path, dir, err, "passes.csv"));
    RC_TRY(rc_serve_load(scenario, NULL, 0, &x->serve, err));
    RC_TRY(rc_pass_player_takes(&x->serve, err));
    RC_TRY(rc_serve_workload(&x->serve, x->serve.seed, 0.0, &x->trace, err));
    RC_TRY(rc_costs_open(store, &x->serve.machine, &x->costs, err));
    x->rows = calloc(x->trace->count, sizeof *x->rows);
    return x->rows ? RC_OK
                   : rc_fail(err, RC_E_NOMEM, "out of memory for %zu requests", x->trace->count);
}

static void close_stage(stage *x) {
    rc_costs_close(x->costs);
    rc_trace_free(x->trace);
    free(x->rows);
    free(x);
}

static rc_status read_run(stage *x, const char *dir, const char *store, rc_beside_run *r,
                          rc_error *err) {
    char scenario[RC_PATH_SIZE];
    RC_TRY(rc_path_in(scenario, dir, err, "scenario.yaml"));
    RC_TRY(read_set(scenario, &r->set, err));
    RC_TRY(open_stage(x, dir, store, err));
    RC_TRY(rc_played_log_read(x->path, &r->log, err));
    (void)snprintf(r->scenario, sizeof r->scenario, "%s", x->serve.name);
    (void)snprintf(r->machine, sizeof r->machine, "%s", x->serve.machine.name);
    return play_all(x, r, err);
}

rc_status rc_beside_read(const char *dir, const char *store, rc_beside_run *out, rc_error *err) {
    *out = (rc_beside_run){.set = RC_SET_SEEN};
    out->play[RC_BESIDE_TAUGHT].tokens_per_s = NAN;
    RC_TRY(rc_beside_name(dir, out->name, err));
    stage *x = calloc(1, sizeof *x);
    if (!x)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    rc_status st = read_run(x, dir, store, out, err);
    close_stage(x);
    return st;
}

/* ---- what seen runs taught ------------------------------------------------------------------- */

static means lessons(const rc_beside_run *runs, size_t count, size_t pupil) {
    means m = {.passes = 0.0};
    for (size_t i = 0; i < count; i++)
        if (i != pupil && runs[i].set == RC_SET_SEEN &&
            strcmp(runs[i].machine, runs[pupil].machine) == 0)
            add_means(&runs[i], &m);
    return m;
}

static rc_status teach_one(const char *dir, const char *store, const means *m, rc_beside_run *r,
                           rc_error *err) {
    rc_retimer state = retimer_of(m);
    const rc_pass_player player = {.ctx = &state, .pass = rc_retimer_pass, .modelled = true};
    stage *x = calloc(1, sizeof *x);
    if (!x)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a run");
    rc_status st = open_stage(x, dir, store, err);
    if (st == RC_OK)
        st = play(x, &player, &r->play[RC_BESIDE_TAUGHT], err);
    close_stage(x);
    return st;
}

rc_status rc_beside_teach(rc_beside_run *runs, size_t count, const char *const *dirs,
                          const char *store, rc_error *err) {
    for (size_t i = 0; i < count; i++) {
        const means m = lessons(runs, count, i);
        if (m.passes > 0.0)
            RC_TRY(teach_one(dirs[i], store, &m, &runs[i], err));
    }
    return RC_OK;
}

void rc_beside_free(rc_beside_run *r) {
    for (int i = 0; i < RC_BESIDE_WAYS; i++) {
        free(r->play[i].ttft.at);
        free(r->play[i].gap.at);
    }
    rc_played_log_free(&r->log);
    free(r->costs);
    *r = (rc_beside_run){.set = RC_SET_SEEN};
}
