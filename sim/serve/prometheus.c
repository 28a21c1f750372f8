/* A run as Prometheus text exposition. Names, units and bucket bounds are those of vLLM's /metrics
 * where it has such a metric (docs.vllm.ai, design/metrics), so that its dashboards show a forecast
 * as they show a server; what it has not is called ringcast_*.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/base/quote.h"
#include "sim/serve/serve_report.h"

static const double ttft_bounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                     0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10,
                                     20,    40,    80,   160,  640,  2560, 0};
static const double gap_bounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                    0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80,  0};
static const double request_bounds[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,   20,
                                        30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680, 0};
static const double token_bounds[] = {1,     2,      5,      10,     20,      50,    100,
                                      200,   500,    1000,   2000,   5000,    10000, 20000,
                                      50000, 100000, 200000, 500000, 1000000, 0};
static const double pass_bounds[] = {1,   8,    16,   32,   64,   128,   256,
                                     512, 1024, 2048, 4096, 8192, 16384, 0};

typedef struct metric {
    const char *name, *help;
    const rc_hist *h;
    double unit; /* of the histogram's values, in the metric's */
    const double *bounds;
} metric;

static void put_histogram(FILE *f, const char *model, const metric *m) {
    assert(m->unit > 0.0);
    (void)fprintf(f, "# HELP %s %s\n# TYPE %s histogram\n", m->name, m->help, m->name);
    for (const double *b = m->bounds; *b > 0.0; b++) {
        double share = m->h->count ? rc_hist_share(m->h, llround(*b * m->unit)) : 0.0;
        (void)fprintf(f, "%s_bucket{le=\"%.10g\",model_name=%s} %lld\n", m->name, *b, model,
                      llround(share * (double)m->h->count));
    }
    double sum = m->h->count ? rc_hist_mean(m->h) * (double)m->h->count / m->unit : 0.0;
    (void)fprintf(f, "%s_bucket{le=\"+Inf\",model_name=%s} %llu\n", m->name, model,
                  (unsigned long long)m->h->count);
    (void)fprintf(f, "%s_sum{model_name=%s} %.10g\n", m->name, model, sum);
    (void)fprintf(f, "%s_count{model_name=%s} %llu\n", m->name, model,
                  (unsigned long long)m->h->count);
}

static void put_counter(FILE *f, const char *model, const char *name, const char *help,
                        uint64_t v) {
    (void)fprintf(f, "# HELP %s %s\n# TYPE %s counter\n%s{model_name=%s} %llu\n", name, help, name,
                  name, model, (unsigned long long)v);
}

static void put_gauge(FILE *f, const char *model, const char *name, const char *help, double v) {
    (void)fprintf(f, "# HELP %s %s\n# TYPE %s gauge\n%s{model_name=%s} %.10g\n", name, help, name,
                  name, model, v);
}

static void put_ends(FILE *f, const char *model, const rc_serve_result *r) {
    (void)fprintf(f,
                  "# HELP vllm:request_success_total Requests done.\n"
                  "# TYPE vllm:request_success_total counter\n"
                  "vllm:request_success_total{finished_reason=\"length\",model_name=%s} %llu\n",
                  model, (unsigned long long)r->done);
    (void)fprintf(f,
                  "# HELP ringcast_requests_failed_total Requests not done, by why.\n"
                  "# TYPE ringcast_requests_failed_total counter\n"
                  "ringcast_requests_failed_total{reason=\"queue_full\",model_name=%s} %llu\n"
                  "ringcast_requests_failed_total{reason=\"too_large\",model_name=%s} %llu\n"
                  "ringcast_requests_failed_total{reason=\"lost\",model_name=%s} %llu\n",
                  model, (unsigned long long)r->queue_full, model, (unsigned long long)r->too_large,
                  model, (unsigned long long)r->lost);
}

/* The quoted label value; `size` is twice the text and more. */
static rc_status label_of(const char *text, char *out, size_t size, rc_error *err) {
    assert(size > 2 * strlen(text));
    FILE *f = fmemopen(out, size, "w");
    if (!f)
        return rc_fail(err, RC_E_NOMEM, "out of memory for a label");
    rc_quote_prometheus(f, text);
    return fclose(f) == 0 ? RC_OK : rc_fail(err, RC_E_INTERNAL, "a label that does not fit");
}

rc_status rc_serve_prometheus(const rc_serve *s, const rc_serve_result *r, const char *path,
                              bool overwrite, rc_error *err) {
    const metric all[] = {
        {"vllm:time_to_first_token_seconds", "Time to first token.", &r->ttft, RC_PS_PER_S,
         ttft_bounds},
        {"vllm:inter_token_latency_seconds", "Time between tokens.", &r->gap, RC_PS_PER_S,
         gap_bounds},
        {"vllm:request_time_per_output_token_seconds", "Mean time between tokens of a request.",
         &r->ttit, RC_PS_PER_S, gap_bounds},
        {"vllm:e2e_request_latency_seconds", "Arrival to last token.", &r->e2e, RC_PS_PER_S,
         request_bounds},
        {"vllm:request_queue_time_seconds", "Arrival to first pass.", &r->queue, RC_PS_PER_S,
         request_bounds},
        {"vllm:request_inference_time_seconds", "First pass to last token.", &r->service,
         RC_PS_PER_S, request_bounds},
        {"vllm:request_prompt_tokens", "Prompt tokens of a request.", &r->input, 1.0, token_bounds},
        {"vllm:request_generation_tokens", "Tokens generated for a request.", &r->output, 1.0,
         token_bounds},
        {"vllm:iteration_tokens_total", "Tokens of a pass.", &r->pass_tokens, 1.0, pass_bounds}};
    rc_outfile o;
    char model[2 * sizeof s->model.name + 3];
    RC_TRY(label_of(s->model.name, model, sizeof model, err));
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        put_histogram(o.f, model, &all[i]);
    put_counter(o.f, model, "vllm:prompt_tokens_total", "Prompt tokens of requests done.",
                r->tokens_in);
    put_counter(o.f, model, "vllm:generation_tokens_total", "Tokens generated for requests done.",
                r->tokens_out);
    put_counter(o.f, model, "vllm:prefix_cache_queries_total", "Prompt tokens looked up.",
                r->kv_hit_tokens + r->kv_miss_tokens);
    put_counter(o.f, model, "vllm:prefix_cache_hits_total", "Prompt tokens found cached.",
                r->kv_hit_tokens);
    put_counter(o.f, model, "vllm:num_preemptions_total", "Preemptions.", r->preempted);
    put_ends(o.f, model, r);
    put_gauge(o.f, model, "ringcast_goodput_requests_per_second", "Requests within the SLO.",
              r->goodput);
    put_gauge(o.f, model, "ringcast_mfu_ratio", "Model FLOP utilisation.", r->mfu);
    put_gauge(o.f, model, "ringcast_tokens_per_gpu_second", "Tokens in and out.",
              r->tokens_per_gpu_s);
    return rc_outfile_commit(&o, err);
}
