/* A run's case as a forecast: a model of that shape, the machine it ran on, costs from the
 * primitive suites, the same schedule; and the two baselines over the same program.
 *
 * What differs from a scenario: the layers stand alone (no final norm, no LM head), so the pass
 * ends with the last layer; the host does not synchronise at ring steps (ring_step 0) and a launch
 * takes what the host suite measured on that machine; ring messages overlap attention in decode,
 * too, as they do in `ringcast-calib ring`.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/cost/cost.h"
#include "sim/cost/store.h"
#include "sim/engine/engine.h"
#include "sim/forward/forward.h"
#include "sim/base/find.h"
#include "sim/validate/baseline.h"
#include "sim/validate/explain_spans.h"
#include "sim/validate/launches.h"

typedef struct setting { /* what is shared by runs of one machine and transport */
    char machine[48], transport[24];
    int gpus, ctas;
    rc_model_errors errors;
    rc_machine m; /* without them: they are added to the time of the layers alone */
    rc_costs *costs;
} setting;

enum { SETTINGS = 32 }; /* machines, transports and numbers of GPUs of one folder of runs */

typedef struct predictor { /* of the runs of one folder */
    const char *store;
    const rc_model_errors *errors;
    int draws;
    unsigned without;
    bool alone;
    rc_spans *spans; /* NULL: nobody wants a timeline */
    const char *like;
    size_t run; /* number of the run that is forecast */
    rc_rows *rows;
    setting s[SETTINGS];
    size_t n;
} predictor;

/* The median of the rows of a host cost, or NAN. */
static double host_cost(const rc_rows *rows, const char *machine, const char *op) {
    for (size_t i = 0; i < rc_rows_count(rows); i++) {
        const rc_row *r = rc_rows_at(rows, i);
        if (strcmp(r->machine, machine) == 0 && strcmp(r->op, op) == 0 && r->variant[0] == '\0')
            return r->p50;
    }
    return NAN;
}

static bool has_rows(const rc_rows *rows, const char *machine, const char *op) {
    for (size_t i = 0; i < rc_rows_count(rows); i++)
        if (strcmp(rc_rows_at(rows, i)->machine, machine) == 0 &&
            strcmp(rc_rows_at(rows, i)->op, op) == 0)
            return true;
    return false;
}

/* The machine of the file, resting on its own rows where the store has them. */
static void rest_on_itself(rc_machine *m, const char *name) {
    snprintf(m->base, sizeof m->base, "%s", name);
    m->gemm_ratio = m->attention_ratio = m->hbm_ratio = 1.0;
    m->gemm_fp8 = m->attention_fp8 = 1.0;
    m->ratio_spread = 0.0;
    m->base_bf16_rate = m->bf16_rate;
    m->base_fp8_rate = m->fp8_rate;
    m->base_hbm_rate = m->hbm_rate;
}

static rc_status make_setting(const predictor *p, const rc_measured_run *x, setting *s,
                              rc_error *err) {
    char path[1280];
    bool inside = strcmp(x->transport, "rdma") != 0 && strcmp(x->transport, "tcp") != 0;
    memset(s, 0, sizeof *s);
    memcpy(s->machine, x->machine, sizeof s->machine);
    memcpy(s->transport, x->transport, sizeof s->transport);
    s->gpus = x->cp * x->tp;
    s->ctas = x->ctas;
    RC_TRY(rc_share_path("scenarios/machines", x->machine, ".yaml", path, sizeof path, err));
    RC_TRY(rc_machine_load(path, &s->m, err));
    s->errors = p->errors ? *p->errors : s->m.errors;
    s->m.errors.n = 0;
    if (has_rows(p->rows, x->machine, "attention") && has_rows(p->rows, x->machine, "gemm"))
        rest_on_itself(&s->m, x->machine);
    double launch = host_cost(p->rows, x->machine, "launch");
    if (isfinite(launch))
        s->m.launch = launch;
    s->m.ring_step = s->m.ring_step_cached = 0.0;
    snprintf(s->m.state, sizeof s->m.state, "%s",
             p->without & RC_CLOCKS ? "sustained" : "power_limited");
    s->m.from_rest = true; /* a ring's chip was idle while its case was set up */
    s->m.without = p->without;
    if (inside && strcmp(x->transport, "none") != 0)
        snprintf(s->m.intra_transport, sizeof s->m.intra_transport, "%.15s", x->transport);
    s->m.ring_ctas = (p->without & RC_LINKS) ? 0 : x->ctas;
    s->m.nvls = false; /* rings run with NCCL_NVLS_ENABLE=0 */
    if (inside && s->gpus > s->m.gpus_per_node)
        s->m.gpus_per_node = s->gpus;
    for (size_t i = 0; i < p->n; i++) /* the same rows: a book takes its time to build */
        if (strcmp(p->s[i].machine, x->machine) == 0)
            return rc_costs_view_over(p->s[i].costs, &s->m, p->rows, &s->costs, err);
    return rc_costs_open(p->store, &s->m, &s->costs, err);
}

static rc_status setting_of(predictor *p, const rc_measured_run *x, setting **out, rc_error *err) {
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->s[i].machine, x->machine) == 0 &&
            strcmp(p->s[i].transport, x->transport) == 0 && p->s[i].gpus == x->cp * x->tp &&
            p->s[i].ctas == x->ctas) {
            *out = &p->s[i];
            return RC_OK;
        }
    if (p->n == SETTINGS)
        return rc_fail(err, RC_E_UNMODELLED, "more than %d machines and transports", SETTINGS);
    *out = &p->s[p->n];
    RC_TRY(make_setting(p, x, *out, err));
    p->n++;
    return RC_OK;
}

/* ---- one case -------------------------------------------------------------------------------- */

static void model_of(const rc_measured_run *x, rc_model *m) {
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "layers");
    snprintf(m->architecture, sizeof m->architecture, "LlamaForCausalLM");
    m->layers = x->layers;
    m->hidden = x->width;
    m->vocab = (int64_t)1024 * x->tp; /* of the head that the pass is cut before */
    m->kinds = 1;
    m->kind[0] = (rc_layer_kind){.form = "dense",
                                 .heads = x->hq * x->tp,
                                 .kv_heads = x->hkv * x->tp,
                                 .head_dim = 128,
                                 .value_dim = 128,
                                 .ffn = x->ffn * x->tp};
    m->max_positions = INT64_C(1) << 24;
    m->rope_theta = 5e5;
}

/* The pass ends where its last layer does. */
static double end_of_layers(const rc_program *p, const rc_sim *sim) {
    rc_time end = 0;
    for (size_t i = 0; i < p->task_count; i++) {
        rc_part part = p->shapes[p->tasks[i].shape].part;
        if ((part == RC_P_DOWN || part == RC_P_ALL_REDUCE) && rc_sim_op_end(sim, (rc_id)i) > end)
            end = rc_sim_op_end(sim, (rc_id)i);
    }
    return (double)end / RC_PS_PER_S;
}

/* The clock of the whole pass, head included, and its interval, moved to the time of the layers. */
static rc_status draw_interval(const setting *s, const rc_spec *of, int draws, rc_measured_run *x,
                               rc_error *err) {
    rc_spec spec = *of;
    rc_forward f;
    spec.unfold = false;
    spec.draws = draws;
    spec.seed = 1;
    RC_TRY(rc_forward_run(&spec, &f, err));
    x->forecast_mhz = f.clock.mhz > 0.0 ? f.clock.mhz : NAN;
    if (draws == 0)
        return RC_OK;
    x->p5 = x->time[RC_BY_SIMULATION] * f.p5 / f.time;
    x->p95 = x->time[RC_BY_SIMULATION] * f.p95 / f.time;
    const rc_model_error *e = rc_model_error_find(&s->errors, x->transport, rc_run_kind(x));
    double t = x->time[RC_BY_SIMULATION];
    if (e != NULL)
        rc_model_error_widen(rc_model_error_half(e, t / x->layers), t, &x->p5, &x->p95);
    return RC_OK;
}

/* What a ring step's attention and message take by themselves: of a pass in which they take nothing
 * from each other. Attention that leaves SMs free does so by itself, too. */
static rc_status predict_alone(const setting *s, const rc_spec *of, rc_measured_run *x,
                               rc_error *err) {
    rc_machine m = s->m;
    rc_costs *costs = NULL;
    rc_program program;
    rc_sim *sim = NULL;
    rc_spec spec = *of;
    rc_run_parts alone = {.calls = {0}};
    m.without |= RC_CONTENTION;
    RC_TRY(rc_costs_view(s->costs, &m, &costs, err));
    spec.costs = costs;
    rc_status st = rc_forward_trace(&spec, &program, &sim, NULL, err);
    rc_costs_close(costs);
    if (st != RC_OK)
        return st;
    rc_run_parts_simulated(&alone, &program, sim);
    memcpy(x->parts[1].message_alone, alone.message_alone, sizeof alone.message_alone);
    if (x->sms == 0)
        memcpy(x->parts[1].attention_alone, alone.attention_alone, sizeof alone.attention_alone);
    rc_sim_destroy(sim);
    rc_program_free(&program);
    return RC_OK;
}

/* The costs of an eager pass: with the launch that its kinds of ops have on average. */
static rc_status eager_costs(const predictor *p, const setting *s, const rc_spec *spec,
                             rc_costs **out, rc_error *err) {
    rc_machine m = s->m;
    rc_program program;
    rc_sim *sim = NULL;
    rc_clock clock;
    RC_TRY(rc_forward_trace(spec, &program, &sim, &clock, err));
    m.launch = rc_mean_launch(p->rows, s->machine, &program, m.launch);
    rc_sim_destroy(sim);
    rc_program_free(&program);
    return rc_costs_view(s->costs, &m, out, err);
}

static rc_status predict(const predictor *p, const setting *s, rc_measured_run *x,
                         const rc_sequence *seqs, rc_error *err) {
    rc_model model;
    rc_program program;
    rc_sim *sim = NULL;
    rc_costs *eager = NULL;
    model_of(x, &model);
    rc_spec spec = {.model = &model,
                    .costs = s->costs,
                    .layout = {.tp = x->tp,
                               .cp = x->cp,
                               .attn_weights = RC_BF16,
                               .ffn_weights = RC_BF16,
                               .act = RC_BF16,
                               .kv = RC_BF16},
                    .phase = x->decode ? RC_DECODE : RC_PREFILL,
                    .schedule = x->schedule,
                    .seqs = seqs,
                    .seq_count = (size_t)x->batch,
                    .eager = !x->graph,
                    .serial_ring = false,
                    .rotary_by_chunk = true,
                    .plain_first_norm = true,
                    .ring_share = {.gives_way = x->sms == 0, .sms = x->sms},
                    .unfold = true,
                    .what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    rc_clock clock;
    if (spec.eager) {
        RC_TRY(eager_costs(p, s, &spec, &eager, err));
        spec.costs = eager;
    }
    rc_status st = rc_forward_trace(&spec, &program, &sim, &clock, err);
    if (st != RC_OK) {
        rc_costs_close(eager);
        return st;
    }
    x->forecast_mhz = clock.mhz > 0.0 ? clock.mhz : NAN;
    rc_run_parts_simulated(&x->parts[1], &program, sim);
    x->time[RC_BY_SIMULATION] = end_of_layers(&program, sim);
    rc_baselines(&program, &s->m, x->transport, &x->time[RC_BY_ROOFLINE],
                 &x->time[RC_BY_ALPHA_BETA]);
    if (p->alone && x->cp > 1)
        st = predict_alone(s, &spec, x, err);
    if (st == RC_OK)
        st = draw_interval(s, &spec, p->draws, x, err);
    if (st == RC_OK && p->spans && fnmatch(p->like, x->name, 0) == 0)
        st = rc_run_forecast_spans(x, p->run, &spec, p->spans, err);
    x->transferred = strcmp(s->m.base, x->machine) == 0 ? 0.0 : 1.0;
    rc_costs_close(eager);
    rc_sim_destroy(sim);
    rc_program_free(&program);
    return st;
}

rc_sequence rc_run_sequence(bool decode, int64_t t, int64_t p) {
    return (rc_sequence){t, decode ? p - 1 : p};
}

static rc_status predict_one(predictor *p, rc_measured_run *x, rc_error *err) {
    setting *s = NULL;
    RC_TRY(setting_of(p, x, &s, err));
    rc_sequence *seqs = calloc((size_t)x->batch, sizeof *seqs);
    if (!seqs)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    for (int64_t i = 0; i < x->batch; i++)
        seqs[i] = rc_run_sequence(x->decode, x->t, x->p);
    rc_status st = predict(p, s, x, seqs, err);
    free(seqs);
    return st;
}

static rc_status predict_folder(rc_runs *r, int folder, predictor *p, rc_error *err) {
    rc_status st = RC_OK;
    for (size_t i = 0; i < r->n && st == RC_OK; i++) {
        rc_error why = {0};
        if (r->v[i].folder != folder)
            continue;
        p->run = i;
        st = predict_one(p, &r->v[i], &why);
        if (st == RC_OK)
            continue;
        snprintf(r->v[i].why, sizeof r->v[i].why, "%.250s", why.msg);
        if (st == RC_E_NOMEM || st == RC_E_INTERNAL) {
            if (err)
                *err = why;
        } else {
            st = RC_OK;
        }
    }
    return st;
}

static const struct {
    const char *name;
    rc_mechanism bit;
} mechanisms[] = {
    {"contention", RC_CONTENTION}, {"clocks", RC_CLOCKS}, {"links", RC_LINKS}, {"waves", RC_WAVES}};

rc_status rc_mechanism_find(const char *name, unsigned *bits, rc_error *err) {
    char all[128] = "";
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
        size_t n = strlen(all);
        if (strcmp(name, mechanisms[i].name) == 0) {
            *bits |= (unsigned)mechanisms[i].bit;
            return RC_OK;
        }
        snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", mechanisms[i].name);
    }
    return rc_fail(err, RC_E_USAGE, "\"%.40s\": expected one of %s", name, all);
}

rc_status rc_runs_predict(rc_runs *r, const rc_predict_options *o, rc_error *err) {
    assert(r->v != NULL || r->n == 0);
    assert(o != NULL && o->draws >= 0);
    int folders = r->folders > 0 ? r->folders : 1;
    if (o->store_count > 1 && o->store_count != (size_t)folders)
        return rc_fail(err, RC_E_USAGE, "%zu stores for %d folders of runs: one for each, or one",
                       o->store_count, folders);
    rc_status st = RC_OK;
    for (int i = 0; i < folders && st == RC_OK; i++) {
        predictor p = {
            .draws = o->draws, .without = o->without, .alone = o->alone, .errors = o->errors};
        p.spans = o->spans;
        p.like = o->like;
        if (o->store_count > 0)
            p.store = o->stores[o->store_count > 1 ? i : 0];
        st = rc_store_rows(p.store, NULL, &p.rows, err);
        if (st == RC_OK)
            st = predict_folder(r, i, &p, err);
        for (size_t k = 0; k < p.n; k++)
            rc_costs_close(p.s[k].costs);
        rc_rows_free(p.rows);
    }
    return st;
}
