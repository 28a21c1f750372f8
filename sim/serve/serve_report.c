/* A run as text and as JSON.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/serve_report.h"
#include <assert.h>
#include <math.h>
#include "sim/base/style.h"
#include "sim/base/table.h"
#include "sim/cost/basis.h"
#include "sim/model/notes.h"

#define MS 1e9 /* ps */

static void quantile_row(rc_table *t, const char *name, const rc_hist *h) {
    static const double q[] = {0.5, 0.9, 0.95, 0.99};
    rc_table_text(t, name);
    rc_table_real(t, rc_hist_mean(h) / MS, 2);
    for (int i = 0; i < 4; i++)
        rc_table_real(t, rc_hist_quantile(h, q[i]) / MS, 2);
    rc_table_real(t, h->count > 0 ? (double)h->max / MS : NAN, 2);
}

static rc_status print_latencies(const rc_serve_result *r, bool csv, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"metric", "metric", "", RC_LEFT}, {"mean_ms", "mean", "ms", RC_RIGHT},
        {"p50_ms", "p50", "ms", RC_RIGHT}, {"p90_ms", "p90", "ms", RC_RIGHT},
        {"p95_ms", "p95", "ms", RC_RIGHT}, {"p99_ms", "p99", "ms", RC_RIGHT},
        {"max_ms", "max", "ms", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    quantile_row(t, "TTFT", &r->ttft);
    quantile_row(t, "TTIT", &r->ttit);
    quantile_row(t, "token gaps", &r->gap);
    quantile_row(t, "end to end", &r->e2e);
    quantile_row(t, "queueing", &r->queue);
    quantile_row(t, "service", &r->service);
    return rc_table_finish(t, csv, f, err);
}

static rc_status print_pools(const rc_serve_result *r, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"pool", "pool", "", RC_LEFT},
        {"gpus", "GPUs", "", RC_RIGHT},
        {"replicas", "replicas", "", RC_RIGHT},
        {"kv_tokens", "KV", "tokens each", RC_RIGHT},
        {"computes", "computes", "%", RC_RIGHT},
        {"work", "work", "%", RC_RIGHT},
        {"most_load", "most load", "1/s", RC_RIGHT},
        {"kv_mean", "KV held", "%", RC_RIGHT},
        {"kv_peak", "KV peak", "%", RC_RIGHT},
        {"prefill", "prefill", "passes", RC_RIGHT},
        {"mixed", "mixed", "passes", RC_RIGHT},
        {"decode", "decode", "passes", RC_RIGHT},
        {"batch", "decode batch", "mean", RC_RIGHT},
        {"pass_q", "by pass-Q", "passes", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    for (int i = 0; i < r->pool_count; i++) {
        const rc_pool_result *p = &r->pools[i];
        rc_table_text(t, p->name);
        rc_table_int(t, p->gpus);
        rc_table_int(t, p->replicas);
        rc_table_int(t, (int64_t)p->kv_tokens);
        rc_table_real(t, 100.0 * rc_pool_computes(r, i), 1);
        rc_table_real(t, 100.0 * rc_pool_work(r, i), 1);
        rc_table_real(t, rc_pool_most_load(r, i), 4);
        rc_table_real(t, 100.0 * rc_pool_kv_mean(r, i), 1);
        rc_table_real(t, 100.0 * p->kv_peak, 1);
        rc_table_int(t, (int64_t)p->prefill_passes);
        rc_table_int(t, (int64_t)p->mixed_passes);
        rc_table_int(t, (int64_t)p->decode_passes);
        rc_table_real(t, p->batch_mean, 2);
        rc_table_int(
            t, (int64_t)p->by_schedule[rc_schedule_index(rc_choice_schedule(RC_CHOOSE_PASS_Q))]);
    }
    return rc_table_finish(t, false, f, err);
}

static double hit_rate(const rc_serve_result *r) {
    double all = (double)(r->kv_hit_tokens + r->kv_miss_tokens);
    return all > 0.0 ? (double)r->kv_hit_tokens / all : 0.0;
}

static void print_head(const rc_serve *s, const rc_serve_result *r, FILE *f) {
    uint64_t prompt = r->kv_hit_tokens + r->kv_miss_tokens;
    (void)fprintf(f, "# serve %s: %s on %s", s->name, s->model.name, s->machine.name);
    for (int i = 0; i < s->pool_count; i++) {
        const rc_pool *p = &s->pools[i];
        const char *by = p->role == RC_POOL_DECODE
                             ? rc_schedule_decoding(p->pick.schedule, p->cp)->name
                             : rc_pick_name(&p->pick);
        const rc_layout l = rc_pool_layout(s, p, p->cp);
        char more[96], stages[24] = "";
        if (rc_pool_stages(p) > 1)
            (void)snprintf(stages, sizeof stages, "+PP%d", rc_pool_stages(p));
        (void)fprintf(f, ", %d x CP%d+TP%d%s%s %s (%s)", p->replicas, p->cp, p->tp, stages,
                      rc_layout_more(&l, more, sizeof more), rc_pool_role_name(p->role), by);
    }
    (void)fprintf(f, "\n");
    if (s->layout.kv != RC_BF16)
        (void)fprintf(f, "# KV in %s: capacity, transfers and attention\n",
                      rc_dtype_name(s->layout.kv));
    (void)fprintf(f,
                  "requests %llu: done %llu, rejected %llu, lost %llu; preempted %llu times, "
                  "tried again %llu times\n",
                  (unsigned long long)r->requests, (unsigned long long)r->done,
                  (unsigned long long)r->rejected, (unsigned long long)r->lost,
                  (unsigned long long)r->preempted, (unsigned long long)r->retried);
    if (r->queue_full > 0)
        (void)fprintf(f, "rejected by a full queue (max_waiting %lld): %llu\n",
                      (long long)s->max_waiting, (unsigned long long)r->queue_full);
    if (r->too_large > 0)
        (void)fprintf(f, "rejected as larger than a replica's KV cache: %llu\n",
                      (unsigned long long)r->too_large);
    (void)fprintf(f, "makespan %.1f s, tokens in %llu, out %llu\n",
                  (double)r->makespan / RC_PS_PER_S, (unsigned long long)r->tokens_in,
                  (unsigned long long)r->tokens_out);
    (void)fprintf(f, "KV hits: %llu of %llu prompt tokens (%.1f %%)",
                  (unsigned long long)r->kv_hit_tokens, (unsigned long long)prompt,
                  100.0 * hit_rate(r));
    if (r->fetched_tokens > 0)
        (void)fprintf(f, ", %llu from host memory", (unsigned long long)r->fetched_tokens);
    if (r->moved_tokens > 0)
        (void)fprintf(f, "; %llu tokens of KV moved between pools",
                      (unsigned long long)r->moved_tokens);
    (void)fprintf(f, "\n");
}

static void print_objectives(const rc_serve *s, const rc_serve_result *r, FILE *f) {
    char text[RC_OBJECTIVE_TEXT];
    for (int i = 0; i < s->objective_count; i++) {
        const rc_objective *g = &s->objectives[i];
        const rc_objective_result *o = &r->objectives[i];
        double v = rc_objective_value(g, o);
        char value[32] = "too few served";
        if (isfinite(v))
            (void)snprintf(value, sizeof value, "%.4g s", v);
        (void)fprintf(f, "  %s: %s, %s, kept by %llu of %llu\n", rc_objective_text(g, text),
                      rc_objective_met(g, o) ? "met" : "not met", value,
                      (unsigned long long)o->kept, (unsigned long long)o->asked);
    }
}

/* What was asked: are the objectives met? Without any, how fast it is. */
static void print_goodput(const rc_serve *s, const rc_serve_result *r, FILE *f) {
    const char *answer = rc_style_on(f, RC_STYLE_ANSWER), *end = rc_style_on(f, RC_STYLE_END);
    if (s->objective_count > 0)
        (void)fprintf(f, "%sgoodput %.4f requests/s: %.2f %% of all within the SLO%s\n", answer,
                      r->goodput, 100.0 * (double)r->within_slo / (double)r->requests, end);
    else if (r->done > 0)
        (void)fprintf(f, "%sTTFT p95 %.4g s, TTIT p95 %.4g s; no objectives are stated%s\n", answer,
                      rc_hist_quantile(&r->ttft, 0.95) / RC_PS_PER_S,
                      rc_hist_quantile(&r->ttit, 0.95) / RC_PS_PER_S, end);
    print_objectives(s, r, f);
}

static void print_uses(const rc_serve_result *r, FILE *f) {
    (void)fprintf(f, "MFU %.2f %%, %.1f tokens per GPU-second, %.3f GPU-hours", 100.0 * r->mfu,
                  r->tokens_per_gpu_s, r->gpu_hours);
    if (r->cost > 0.0)
        (void)fprintf(f, ", cost %.2f, %.4f per million tokens", r->cost, r->cost_per_mtoken);
    (void)fprintf(f, "\n");
}

static void print_rests(const rc_serve_result *r, FILE *f) {
    double share[RC_BASIS_COUNT];
    char text[RC_BASIS_TEXT];
    rc_serve_rests(r, share);
    (void)fprintf(f, "costs of the busy time: %s\n", rc_basis_text(share, text, sizeof text));
}

static void print_stats(const rc_serve_result *r, FILE *f) {
    const rc_pass_stats *p = &r->passes;
    (void)fprintf(f, "# simulation\n");
    (void)fprintf(f, "Little: L %.12g, lambda W %.12g\n", r->little_l, r->little_lw);
    (void)fprintf(f,
                  "passes: %llu simulated as they came, %llu met before, %llu interpolated; "
                  "%llu simulations in all, %llu cells\n",
                  (unsigned long long)p->exact, (unsigned long long)p->reused,
                  (unsigned long long)p->interpolated, (unsigned long long)p->simulated,
                  (unsigned long long)p->cells);
    if (r->max_pass_error > 0.0)
        (void)fprintf(f, "largest error of a pass time: %.4f %%\n", 100.0 * r->max_pass_error);
    (void)fprintf(f, "events %llu, %.3f s wall, hash %016llx\n", (unsigned long long)r->events,
                  r->wall_s, (unsigned long long)r->hash);
}

rc_status rc_serve_print(const rc_serve *s, const rc_serve_result *r, bool stats, FILE *f,
                         rc_error *err) {
    assert(r->pool_count == s->pool_count);
    print_goodput(s, r, f);
    print_head(s, r, f);
    RC_TRY(print_latencies(r, false, f, err));
    RC_TRY(print_pools(r, f, err));
    print_uses(r, f);
    print_rests(r, f);
    if (stats)
        print_stats(r, f);
    return RC_OK;
}

rc_status rc_serve_csv(const rc_serve_result *r, FILE *f, rc_error *err) {
    return print_latencies(r, true, f, err);
}

/* ---- JSON ----------------------------------------------------------------------------- */

static void json_quantiles(rc_json *j, json_t *root, const char *key, const rc_hist *h,
                           double unit) {
    json_t *o = rc_json_object(j, root, key);
    rc_json_real(j, o, "mean", rc_hist_mean(h) / unit);
    rc_json_real(j, o, "p50", rc_hist_quantile(h, 0.5) / unit);
    rc_json_real(j, o, "p90", rc_hist_quantile(h, 0.9) / unit);
    rc_json_real(j, o, "p95", rc_hist_quantile(h, 0.95) / unit);
    rc_json_real(j, o, "p99", rc_hist_quantile(h, 0.99) / unit);
}

static void json_int(rc_json *j, json_t *o, const char *key, uint64_t v) {
    rc_json_int(j, o, key, (int64_t)v);
}

static void json_pools(rc_json *j, json_t *root, const rc_serve_result *r) {
    json_t *list = rc_json_list(j, root, "pools");
    for (int i = 0; i < r->pool_count; i++) {
        const rc_pool_result *p = &r->pools[i];
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "name", p->name);
        rc_json_int(j, o, "replicas", p->replicas);
        rc_json_int(j, o, "gpus", p->gpus);
        json_int(j, o, "kv_tokens", p->kv_tokens);
        rc_json_real(j, o, "computes", rc_pool_computes(r, i));
        rc_json_real(j, o, "work", rc_pool_work(r, i));
        rc_json_real(j, o, "most_load", rc_pool_most_load(r, i));
        rc_json_real(j, o, "kv_held_mean", rc_pool_kv_mean(r, i));
        rc_json_real(j, o, "kv_held_peak", p->kv_peak);
        json_int(j, o, "prefill_passes", p->prefill_passes);
        json_int(j, o, "mixed_passes", p->mixed_passes);
        json_int(j, o, "decode_passes", p->decode_passes);
        json_int(j, o, "prefill_tokens", p->prefill_tokens);
        json_int(j, o, "decode_tokens", p->decode_tokens);
        rc_json_real(j, o, "decode_batch", p->batch_mean);
        json_int(j, o, "pass_kv",
                 p->by_schedule[rc_schedule_index(rc_choice_schedule(RC_CHOOSE_PASS_KV))]);
        json_int(j, o, "pass_q",
                 p->by_schedule[rc_schedule_index(rc_choice_schedule(RC_CHOOSE_PASS_Q))]);
        json_int(j, o, "smaller_cp", p->smaller_cp);
    }
}

static void json_objectives(rc_json *j, json_t *root, const rc_serve *s, const rc_serve_result *r) {
    json_t *list = rc_json_list(j, root, "slo");
    char text[RC_OBJECTIVE_TEXT];
    for (int i = 0; i < s->objective_count; i++) {
        const rc_objective *g = &s->objectives[i];
        const rc_objective_result *v = &r->objectives[i];
        json_t *o = rc_json_object(j, list, NULL);
        rc_json_text(j, o, "objective", rc_objective_text(g, text));
        rc_json_real(j, o, "limit_s", g->limit);
        rc_json_real(j, o, "share", g->share);
        rc_json_real(j, o, "value_s", rc_objective_value(g, v));
        json_int(j, o, "asked", v->asked);
        json_int(j, o, "kept", v->kept);
        rc_json_bool(j, o, "met", rc_objective_met(g, v));
    }
}

static void json_simulation(rc_json *j, json_t *root, const rc_serve_result *r) {
    json_t *o = rc_json_object(j, root, "simulation");
    json_int(j, o, "events", r->events);
    json_int(j, o, "passes_simulated", r->passes.exact);
    json_int(j, o, "passes_met_before", r->passes.reused);
    json_int(j, o, "passes_interpolated", r->passes.interpolated);
    json_int(j, o, "simulations", r->passes.simulated);
    rc_json_real(j, o, "little_l", r->little_l);
    rc_json_real(j, o, "little_lambda_w", r->little_lw);
    rc_json_textf(j, o, "hash", "%016llx", (unsigned long long)r->hash);
}

void rc_serve_json(const rc_serve *s, const rc_serve_result *r, rc_json *j, json_t *root) {
    assert(r->pool_count == s->pool_count);
    rc_json_text(j, root, "serve", s->name);
    rc_json_text(j, root, "description", s->description);
    rc_json_text(j, root, "model", s->model.name);
    rc_json_text(j, root, "machine", s->machine.name);
    json_int(j, root, "requests", r->requests);
    json_int(j, root, "done", r->done);
    json_int(j, root, "rejected", r->rejected);
    json_int(j, root, "rejected_queue_full", r->queue_full);
    json_int(j, root, "rejected_too_large", r->too_large);
    json_int(j, root, "lost", r->lost);
    rc_json_real(j, root, "wall_s", r->wall_s);
    rc_json_real(j, root, "makespan_s", (double)r->makespan / RC_PS_PER_S);
    json_quantiles(j, root, "ttft_ms", &r->ttft, MS);
    json_quantiles(j, root, "ttit_ms", &r->ttit, MS);
    json_quantiles(j, root, "token_gap_ms", &r->gap, MS);
    json_quantiles(j, root, "e2e_ms", &r->e2e, MS);
    json_quantiles(j, root, "queue_ms", &r->queue, MS);
    json_quantiles(j, root, "service_ms", &r->service, MS);
    json_quantiles(j, root, "batch", &r->batch, 1.0);
    json_int(j, root, "kv_hit_tokens", r->kv_hit_tokens);
    json_int(j, root, "kv_miss_tokens", r->kv_miss_tokens);
    rc_json_real(j, root, "kv_hit_rate", hit_rate(r));
    json_int(j, root, "kv_fetched_tokens", r->fetched_tokens);
    json_int(j, root, "kv_moved_tokens", r->moved_tokens);
    json_int(j, root, "recomputed_tokens", r->recomputed_tokens);
    json_int(j, root, "preempted", r->preempted);
    json_int(j, root, "retried", r->retried);
    rc_notes_json(j, root, &r->notes);
    rc_json_real(j, root, "goodput", r->goodput);
    rc_json_real(j, root, "within_slo", (double)r->within_slo / (double)r->requests);
    json_objectives(j, root, s, r);
    json_int(j, root, "tokens_in", r->tokens_in);
    json_int(j, root, "tokens_out", r->tokens_out);
    rc_json_real(j, root, "tokens_per_gpu_s", r->tokens_per_gpu_s);
    rc_json_real(j, root, "mfu", r->mfu);
    rc_json_real(j, root, "gpu_hours", r->gpu_hours);
    rc_json_real(j, root, "cost", r->cost);
    rc_json_real(j, root, "cost_per_million_tokens", r->cost_per_mtoken);
    double share[RC_BASIS_COUNT];
    rc_serve_rests(r, share);
    rc_basis_json(j, root, share);
    json_pools(j, root, r);
    json_simulation(j, root, r);
}
