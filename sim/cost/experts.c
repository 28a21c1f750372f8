/* Tokens to the GPUs of their experts, and their results back.
 *
 * A token goes once to each other GPU that has one of its experts (rc_expert_ranks), so a GPU sends
 * less than an all-to-all of whole buffers would.
 *
 * Inside a node the surfaces of published rows answer (surface.h), of kernels for many tokens and of
 * low-latency ones: the faster, for engines take the latter for the few tokens of a decode step. What a
 * time has beyond the plan's start follows the rate of the links over that of the base. Rows are of
 * eight GPUs: groups of other sizes take the plan of as many copies as a token has there, and are
 * RC_MODELLED. Elements of another size than the rows' take as long as the same bytes.
 *
 * Between nodes of eight GPUs the rates that DeepEP publishes of itself answer (deepseek-ai/DeepEP dd758ca,
 * docs/legacy.md, MIT; results/published/raw/ep_published.csv: H800 with ConnectX-7 of 400 Gb/s), for other
 * NICs in proportion to their rate. Low-latency kernels send a token to each of its experts: 128 tokens were
 * published, fewer take as much less beyond the latency of a hop. Normal ones send it once to each node, the
 * GPU's own counted too. Up to 128 tokens engines take the former, then the latter, which never take less
 * than 128 tokens did.
 *
 * Elsewhere the bytes are priced as an all-to-all of a buffer of which as much leaves the GPU. What a
 * kernel of its own gains or loses over that is not known: RC_MODELLED.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "sim/cost/costs.h"
#include "sim/cost/rules.h"
#include "sim/cost/surface.h"

static const double FAR = 0.5; /* of a kriging variance: there rows say little */

static void answer(const rc_costs *c, const rc_surface *s, const rc_surface_answer *found,
                   int64_t ranks, rc_cost *out) {
    double t = exp(found->y), start = rc_least(s->constants[0], t);
    double links = c->m.nvlink_ratio > 0.0 ? c->m.nvlink_ratio : 1.0;
    double own = s->error * sqrt(found->variance);
    *out = (rc_cost){.p50 = start + (t - start) / links, .spread = own, .own = own};
    out->basis = found->variance > FAR ? rc_worse(s->basis, RC_EXTRAPOLATED) : s->basis;
    if (links != 1.0) {
        out->basis = rc_worse(out->basis, RC_TRANSFERRED);
        out->spread = hypot(own, c->m.ratio_spread);
    }
    if (ranks != s->ranks)
        out->basis = RC_MODELLED;
}

/* The type whose rows an op has: dispatch was published in fp8, combine in bf16. */
static const rc_surface *surface_of(const rc_costs *c, rc_op op, const char *variant,
                                    const rc_axes *at, rc_surface_answer *found) {
    return rc_surface_near(c->book, op, RC_BF16, variant, at, found);
}

rc_status rc_price_expert_row(const rc_costs *c, const rc_row *row, const rc_axes *at, rc_op op,
                              rc_cost *out, rc_error *err) {
    rc_surface_answer found;
    const rc_surface *s = surface_of(c, op, row->variant, at, &found);
    if (s == NULL)
        return rc_cost_no_rows(c, row->op, err);
    answer(c, s, &found, row->c, out);
    return RC_OK;
}

/* The faster of the kernels that have rows; false without any. */
static bool inside_node(const rc_costs *c, rc_op op, const rc_expert_transfer *x, rc_cost *out) {
    static const char *const variants[] = {"normal", "low_latency"};
    const double rows = strcmp(rc_op_info_of(op)->name, "ep_dispatch") == 0 ? 1.0 : 2.0;
    rc_axes at = {{[RC_AXIS_TOKENS] = x->tokens,
                   [RC_AXIS_WIDTH] = llround((double)x->width * x->element / rows),
                   [RC_AXIS_RANKS] = x->ranks,
                   [RC_AXIS_NODES] = 1,
                   [RC_AXIS_EXPERTS] = x->experts,
                   [RC_AXIS_TOP_K] = x->top_k}};
    bool known = false;
    for (int i = 0; i < 2 && at.at[RC_AXIS_WIDTH] >= 1; i++) {
        rc_surface_answer found;
        rc_cost cost;
        const rc_surface *s = surface_of(c, op, variants[i], &at, &found);
        if (s == NULL)
            continue;
        answer(c, s, &found, x->ranks, &cost);
        if (!known || cost.p50 < out->p50)
            *out = cost;
        known = true;
    }
    return known;
}

/* ---- between nodes ---------------------------------------------------------------------------- */

enum { DISPATCH, COMBINE, WAYS };
enum { LOW_LATENCY, NORMAL, KERNELS };
enum { NODE = 8, LOW_TOKENS = 128 };
#define CONNECTX_7 50e9          /* bytes/s */
#define SCALED (1.0 + 4.0 / 128) /* bytes of an element in fp8 with a scale of 128 */
#define APART 0.15 /* as far as rates of one number of GPUs and the next lie apart, mostly */

static const struct between {
    int ranks;
    double rate[KERNELS][WAYS]; /* bytes/s of a GPU; 0: not published */
} between[] = {{16, {{63e9, 74e9}, {43e9, 43e9}}},
               {32, {{48e9, 53e9}, {58e9, 57e9}}},
               {64, {{43e9, 46e9}, {51e9, 50e9}}},
               {128, {{39e9, 39e9}, {0.0, 0.0}}},
               {256, {{39e9, 40e9}, {0.0, 0.0}}}};

/* Between two published numbers of GPUs by the logarithm; *far beyond them. */
static double published_rate(int ranks, int kernel, int way, bool *far) {
    const int all = sizeof between / sizeof between[0];
    int last = all - 1;
    while (between[last].rate[kernel][way] <= 0.0)
        last--;
    *far = ranks < between[0].ranks || ranks > between[last].ranks;
    for (int i = 0; i < last; i++) {
        const struct between *a = &between[i], *b = &between[i + 1];
        if (ranks > b->ranks)
            continue;
        const double part = log2((double)ranks / a->ranks) / log2((double)b->ranks / a->ranks);
        return a->rate[kernel][way] +
               fmax(part, 0.0) * (b->rate[kernel][way] - a->rate[kernel][way]);
    }
    return between[last].rate[kernel][way];
}

/* False where nodes are not of eight GPUs. */
static bool between_nodes(const rc_costs *c, int way, const rc_expert_transfer *x, rc_cost *out) {
    bool far[KERNELS];
    if (x->nodes < 2 || x->ranks != NODE * x->nodes || c->m.nic_rate <= 0.0)
        return false;
    const double nic = c->m.nic_rate / CONNECTX_7;
    const double token = (double)x->width * (x->element == 1.0 ? SCALED : x->element);
    const double low = LOW_TOKENS * x->top_k * token /
                       (nic * published_rate(x->ranks, LOW_LATENCY, way, &far[LOW_LATENCY]));
    const double nodes =
        rc_expert_ranks(x->experts, x->top_k, x->nodes) * x->nodes / (x->nodes - 1.0);
    const double normal = (double)x->tokens * nodes * token /
                          (nic * published_rate(x->ranks, NORMAL, way, &far[NORMAL]));
    const double start = fmin(c->m.hop_latency, low);
    const bool few = x->tokens <= LOW_TOKENS;
    *out = (rc_cost){.p50 = few ? start + (low - start) * (double)x->tokens / LOW_TOKENS
                                : fmax(low, normal),
                     .spread = APART,
                     .own = APART,
                     .basis = RC_PUBLISHED};
    if (fabs(nic - 1.0) > 0.01) {
        out->basis = rc_worse(out->basis, RC_TRANSFERRED);
        out->spread = hypot(APART, c->m.ratio_spread);
    }
    if (far[few ? LOW_LATENCY : NORMAL] || x->tokens < LOW_TOKENS)
        out->basis = rc_worse(out->basis, RC_EXTRAPOLATED);
    return true;
}

rc_status rc_cost_expert_transfer(const rc_costs *c, const char *op, const rc_expert_transfer *x,
                                  rc_cost *out, rc_error *err) {
    assert(c != NULL && op != NULL && x != NULL && out != NULL);
    if (x->ranks < 1 || x->nodes < 1 || x->tokens < 0 || x->top_k < 1 || x->experts < x->top_k)
        return rc_fail(err, RC_E_INPUT, "%s: %lld tokens to %d of %d experts on %d GPUs", op,
                       (long long)x->tokens, x->top_k, x->experts, x->ranks);
    if (x->ranks == 1 || x->tokens == 0)
        return rc_cost_nothing(out);
    if (x->nodes == 1 && x->ranks <= 8 && inside_node(c, rc_op_named(op), x, out))
        return RC_OK;
    if (between_nodes(c, strcmp(op, "ep_dispatch") == 0 ? DISPATCH : COMBINE, x, out))
        return RC_OK;
    double sent = (double)x->tokens * (double)x->width * x->element *
                  rc_expert_ranks(x->experts, x->top_k, x->ranks);
    rc_transfer t = {.bytes = sent * x->ranks / (x->ranks - 1),
                     .ranks = x->ranks,
                     .nodes = x->nodes,
                     .abreast = x->abreast};
    RC_TRY(rc_cost_collective(c, "all_to_all", &t, out, err));
    out->basis = out->basis > RC_MODELLED ? out->basis : RC_MODELLED;
    return RC_OK;
}
