/* Command lines of serving engines.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/choose/launch.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "sim/schedule/layout.h"

static const char *const names[] = {"vllm", "sglang", NULL};
static const char *const written[] = {"vLLM", "SGLang"};

rc_status rc_launcher_named(const char *name, rc_launcher *out, rc_error *err) {
    for (int i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (rc_launcher)i;
            return RC_OK;
        }
    const char *near = rc_nearest(name, names);
    return rc_fail(err, RC_E_INPUT, "found '%s', expected vllm or sglang%s%s%s", name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

const char *rc_launcher_name(rc_launcher e) {
    assert((unsigned)e < sizeof written / sizeof written[0]);
    return written[e];
}

typedef struct line {
    char *text;
    size_t used;
} line;

__attribute__((format(printf, 2, 3))) static void put(line *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, RC_LAUNCH_LINE - l->used, format, args);
    va_end(args);
    assert(n >= 0 && l->used + (size_t)n < RC_LAUNCH_LINE);
    l->used += (size_t)n;
}

static unsigned ships(rc_launcher e) {
    return e == RC_LAUNCH_VLLM ? RC_SHIPS_VLLM : RC_SHIPS_SGLANG;
}

static bool latent(const rc_model *m) {
    for (int k = 0; k < m->kinds; k++)
        if (m->kind[k].mixer == RC_MIX_LATENT)
            return true;
    return false;
}

static bool has_experts(const rc_model *m) {
    for (int k = 0; k < m->kinds; k++)
        if (m->kind[k].after == RC_FFN_EXPERTS)
            return true;
    return false;
}

/* GPUs of one node of those that a replica has. */
static int nodes_of(const rc_launch *x) {
    const int gpus = rc_layout_gpus(x->layout) * (x->stages > 1 ? x->stages : 1);
    return (gpus + x->gpus_per_node - 1) / x->gpus_per_node;
}

/* Stages that divide the layers, or have those that are left over where the engine puts them. */
static rc_status check_stages(rc_launcher e, const rc_launch *x, rc_error *err) {
    static const char *const where[] = {"the inner stages", "the last stages"};
    static const char *const word[] = {"inner", "last"};
    const rc_rest_layers own = e == RC_LAUNCH_VLLM ? RC_REST_INNER : RC_REST_LAST;
    if (x->stages <= 1 || x->model->layers % x->stages == 0 || x->rest == own)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "%s gives layers that are left over to %s (pp_rest %s): %d stages of %d layers "
                   "are cut by pp_rest %s",
                   rc_launcher_name(e), where[own], word[own], x->stages, x->model->layers,
                   word[x->rest]);
}

/* Types that are asked for where the checkpoint does not state them. */
static void put_types(line *l, const rc_launch *x) {
    const rc_layout *cut = x->layout;
    if (x->model->quant.method[0] == '\0' && cut->ffn_weights == RC_FP8)
        put(l, " --quantization fp8");
    if (cut->kv == RC_FP8)
        put(l, " --kv-cache-dtype fp8_e4m3");
}

/* A schedule that the engine ships; else those that it does are named. */
static rc_status check_shipped(rc_launcher e, const rc_launch *x, rc_error *err) {
    char list[16 * RC_SCHEDULES_MAX] = ""; /* names of at most 13 characters */
    size_t used = 0;
    if (x->schedule->ships & ships(e))
        return RC_OK;
    for (int i = 0; rc_schedule_at(i) && used < sizeof list; i++)
        if (rc_schedule_at(i)->ships & ships(e))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "",
                                     rc_schedule_at(i)->name);
    return rc_fail(err, RC_E_INPUT, "%s ships no schedule '%s' of %d ranks: it has %s",
                   rc_launcher_name(e), x->schedule->name, x->layout->cp, list);
}

/* ---- vLLM ----------------------------------------------------------------------------------- */

static rc_status check_vllm(const rc_launch *x, rc_error *err) {
    const rc_layout *l = x->layout;
    const int ep = rc_layout_ep(l), gpus = rc_layout_gpus(l);
    RC_TRY(check_shipped(RC_LAUNCH_VLLM, x, err));
    RC_TRY(check_stages(RC_LAUNCH_VLLM, x, err));
    if (l->ffn_over_cp)
        return rc_fail(err, RC_E_INPUT,
                       "vLLM has a world of tp x pcp GPUs: ranks that are parts of one TP group "
                       "(world tp) are SGLang's");
    if (has_experts(x->model) && ep > 1 && ep != gpus)
        return rc_fail(err, RC_E_INPUT,
                       "vLLM deals experts over all %d GPUs of a replica or over none: ep is %d",
                       gpus, ep);
    return RC_OK;
}

static void vllm(line *l, const rc_launch *x) {
    const rc_layout *cut = x->layout;
    put(l, "vllm serve %s --tensor-parallel-size %d", x->model->name, cut->tp);
    if (x->stages > 1)
        put(l, " --pipeline-parallel-size %d", x->stages);
    if (cut->cp > 1)
        put(l, " --prefill-context-parallel-size %d", cut->cp);
    if (rc_layout_dcp(cut) > 1)
        put(l, " --decode-context-parallel-size %d --dcp-comm-backend %s", rc_layout_dcp(cut),
            x->schedule->dcp_backend);
    if (rc_layout_dp(cut) > 1)
        put(l, " --data-parallel-size %d", rc_layout_dp(cut));
    if (rc_layout_ep(cut) > 1)
        put(l, " --enable-expert-parallel");
    if (rc_layout_ep(cut) > cut->tp)
        put(l, " --all2all-backend %s",
            rc_layout_dispatches(cut) ? "deepep_high_throughput" : "allgather_reducescatter");
    put_types(l, x);
    if (x->longest > 0)
        put(l, " --max-model-len %lld", (long long)x->longest);
    if (x->chunk > 0)
        put(l, " --max-num-batched-tokens %lld", (long long)x->chunk);
    if (nodes_of(x) > 1)
        put(l, " --distributed-executor-backend ray");
}

/* ---- SGLang --------------------------------------------------------------------------------- */

static rc_status check_sglang(const rc_launch *x, rc_error *err) {
    const rc_layout *l = x->layout;
    RC_TRY(check_shipped(RC_LAUNCH_SGLANG, x, err));
    RC_TRY(check_stages(RC_LAUNCH_SGLANG, x, err));
    if (l->cp > 1 && !l->ffn_over_cp)
        return rc_fail(err, RC_E_INPUT,
                       "SGLang's ranks are parts of one TP group (world tp): a world of tp x cp "
                       "GPUs is vLLM's");
    if (rc_layout_dp(l) > 1 && !l->ffn_over_cp)
        return rc_fail(err, RC_E_INPUT,
                       "SGLang's groups of attention data parallelism are parts of one TP group "
                       "(world tp): groups with dense layers of their own are vLLM's");
    if (x->schedule->dcp_backend && !latent(x->model))
        return rc_fail(err, RC_E_INPUT,
                       "SGLang cuts the cache over a TP group (%s) for latent attention alone, "
                       "which %s has not",
                       x->schedule->name, x->model->name);
    return RC_OK;
}

static void sglang(line *l, const rc_launch *x) {
    const rc_layout *cut = x->layout;
    put(l, "python3 -m sglang.launch_server --model-path %s --tp-size %d", x->model->name,
        rc_layout_gpus(cut));
    if (x->stages > 1)
        put(l, " --pp-size %d", x->stages);
    if (cut->cp > 1)
        put(l, " --enable-prefill-cp --attn-cp-size %d --cp-strategy zigzag", cut->cp);
    if (rc_layout_dp(cut) > 1)
        put(l, " --dp-size %d --enable-dp-attention", rc_layout_dp(cut));
    if (rc_layout_dcp(cut) > 1)
        put(l, " --dcp-size %d --dcp-comm-backend %s%s", rc_layout_dcp(cut),
            x->schedule->dcp_backend, x->schedule->whole_queries ? " --dcp-replicate-q-proj" : "");
    if (rc_layout_ep(cut) > 1)
        put(l, " --ep-size %d", rc_layout_ep(cut));
    if (rc_layout_dispatches(cut))
        put(l, " --moe-a2a-backend deepep");
    put_types(l, x);
    if (x->longest > 0)
        put(l, " --context-length %lld", (long long)x->longest);
    if (x->chunk > 0)
        put(l, " --chunked-prefill-size %lld", (long long)x->chunk);
    if (nodes_of(x) > 1)
        put(l, " --nnodes %d --node-rank RANK --dist-init-addr HOST:PORT", nodes_of(x));
}

rc_status rc_launch_line(rc_launcher e, const rc_launch *x, char text[RC_LAUNCH_LINE],
                         rc_error *err) {
    assert(x->model != NULL && x->layout != NULL && x->schedule != NULL && x->gpus_per_node >= 1);
    line l = {.text = text};
    RC_TRY(e == RC_LAUNCH_VLLM ? check_vllm(x, err) : check_sglang(x, err));
    if (e == RC_LAUNCH_VLLM)
        vllm(&l, x);
    else
        sglang(&l, x);
    return RC_OK;
}
