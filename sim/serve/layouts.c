/* How a pool may run a pass, and its KV capacity.
 *
 * A layout is a CP degree and a variant, with its own memo of pass times. A prefill takes the one
 * that is named, or that the rule names for the pass's tokens, or (oracle) the fastest. With
 * dynamic CP smaller degrees are among them: the pass then runs on fewer ranks while the others
 * idle, and cached KV of the other ranks is gathered first, over the network at the per-connection
 * rate.
 *
 * Layers in stages: a pass source and a memo for each stage, shared by those that are cut alike.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/choose/alternatives.h"
#include "sim/serve/cluster.h"
#include "sim/serve/pass_store.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/totals.h"

static rc_status open_linear(cluster *c, const pool *p, int index, timed_stage *out,
                             rc_error *err) {
    int first = 0, count = 1, all = 1;
    if (rc_pool_stages(p->spec) > 1) {
        all = c->spec->model.layers;
        count = rc_model_stage_layers(&c->spec->model, &p->spec->stages, index, &first);
    }
    out->linear = (rc_linear_part){&c->spec->linear, first, first + count, all};
    return rc_passes_create(rc_pass_linear_part, &out->linear, (rc_passes_like){1, 1}, true,
                            &out->passes, err);
}

static rc_status open_forward(cluster *c, const pool *p, const rc_what_if *w, const layout *l,
                              int index, timed_stage *out, rc_error *err) {
    const rc_layout cut = rc_pool_cut(c->spec, p->spec, l->cp, l->schedule);
    const rc_pass_stage stage = {p->spec->stages, index};
    const rc_costs *costs = c->options->costs;
    RC_TRY(rc_pass_forward_create(c->spec, costs, &cut, l->schedule, &stage, w, &out->source, err));
    /* What the other groups are at is no size of a memo: experts' products rise by steps of tiles. */
    const bool exact = c->options->exact || rc_pool_groups(p->spec) > 1;
    const rc_passes_like like = {2 * l->cp, rc_schedule_dealt(l->schedule, l->cp)};
    RC_TRY(rc_passes_create(rc_pass_forward_time, out->source, like, exact, &out->passes, err));
    if (c->options->store && rc_pool_groups(p->spec) == 1)
        rc_passes_share(out->passes, rc_pass_store_shelf(c->options->store, c->spec, costs, &cut,
                                                         l->schedule, &stage, w));
    return RC_OK;
}

/* Stages with the same layers, of which neither has what the first or the last one has besides. */
static bool same_stages(const rc_model *m, const rc_stages *of, int a, int b) {
    int first[2];
    const int layers = rc_model_stage_layers(m, of, a, &first[0]);
    bool same = a > 0 && b < of->count - 1 && layers == rc_model_stage_layers(m, of, b, &first[1]);
    for (int i = 0; same && i < layers; i++)
        same = rc_model_kind_of(m, first[0] + i) == rc_model_kind_of(m, first[1] + i);
    return same;
}

/* A stage before `index` whose passes take as long, where one GPU of stage `slow` may be slow; else itself. */
static int alike(const cluster *c, const pool *p, int index, int slow) {
    for (int k = 1; k < index && index != slow; k++)
        if (k != slow && same_stages(&c->spec->model, &p->spec->stages, k, index))
            return k;
    return index;
}

static rc_status layout_open(cluster *c, const pool *p, const condition *k, int cp,
                             const rc_schedule *schedule, layout *out, rc_error *err) {
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    assert(cp >= 1 && cp <= p->spec->cp);
    out->cp = cp;
    out->schedule = schedule;
    out->stages = rc_pool_stages(p->spec);
    out->stage = calloc((size_t)out->stages, sizeof *out->stage);
    if (!out->stage)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the stages of a pool");
    for (int s = 0; s < out->stages; s++) {
        timed_stage *x = &out->stage[s];
        x->alike = c->spec->linear.on ? s : alike(c, p, s, k->stage);
        if (x->alike < s)
            continue;
        RC_TRY(c->spec->linear.on
                   ? open_linear(c, p, s, x, err)
                   : open_forward(c, p, s == k->stage ? &k->what_if : &none, out, s, x, err));
    }
    return RC_OK;
}

static void layout_close(layout *l) {
    for (int s = 0; l->stage && s < l->stages; s++) {
        rc_passes_destroy(l->stage[s].passes);
        rc_pass_forward_destroy(l->stage[s].source);
    }
    free(l->stage);
    *l = (layout){0};
}

static rc_status add_layouts(cluster *c, pool *p, condition *k, int cp, rc_error *err) {
    rc_pick pick = rc_pick_on(&p->spec->pick, cp);
    const rc_layout cut = rc_pool_layout(c->spec, p->spec, cp);
    const rc_schedule *s;
    for (int i = 0; (s = rc_pick_candidate(&pick, i)) != NULL; i++) {
        bool fits = rc_schedule_fits(s, &c->spec->model, &cut, NULL) == RC_OK;
        if (!fits && cp < p->spec->cp)
            continue; /* fewer ranks are a choice */
        assert(k->count < MAX_LAYOUTS);
        RC_TRY(layout_open(c, p, k, cp, s, &k->prefill[k->count++], err));
    }
    return RC_OK;
}

rc_status pool_condition(cluster *c, pool *p, const rc_what_if *w, int stage, int *out,
                         rc_error *err) {
    assert(stage >= 0 && stage < rc_pool_stages(p->spec));
    if (p->condition_count == MAX_CONDITIONS)
        return rc_fail(err, RC_E_INPUT, "pool '%s': more than %d different faults of rank or link",
                       p->spec->name, MAX_CONDITIONS - 1);
    *out = p->condition_count++;
    condition *k = &p->conditions[*out];
    const rc_pool *s = p->spec;
    k->what_if = *w;
    k->stage = stage;
    for (int cp = s->dynamic_cp ? 1 : s->cp; cp < s->cp; cp *= 2)
        RC_TRY(add_layouts(c, p, k, cp, err));
    RC_TRY(add_layouts(c, p, k, s->cp, err));
    const rc_schedule *decoding = rc_schedule_decoding(s->pick.schedule, s->cp);
    return layout_open(c, p, k, s->cp, decoding, &k->decode, err);
}

uint32_t pool_dealt(const cluster *c, const pool *p) {
    const layout *l = &p->conditions[0].decode;
    return c->spec->linear.on ? 1 : (uint32_t)rc_schedule_dealt(l->schedule, l->cp);
}

void pool_destroy(pool *p) {
    for (int i = 0; i < p->condition_count; i++) {
        for (int k = 0; k < p->conditions[i].count; k++)
            layout_close(&p->conditions[i].prefill[k]);
        layout_close(&p->conditions[i].decode);
    }
}

/* ---- which layout --------------------------------------------------------------------- */

static rc_sequence sums(const rc_pass *pass) {
    rc_sequence all = {0, 0};
    for (uint32_t i = 0; i < pass->prefills; i++) {
        all.t += pass->prefill[i].t;
        all.p += pass->prefill[i].p;
    }
    return all;
}

static rc_status ruled(const cluster *c, const pool *p, const rc_pass *pass,
                       const rc_schedule **out, rc_error *err) {
    const rc_machine *m = &c->spec->machine;
    rc_sequence all = sums(pass);
    const rc_layout l = rc_pool_layout(c->spec, p->spec, p->spec->cp);
    rc_decision d;
    rc_choose_rates r = {.achieved_bw = 1.0}; /* which the empirical rule does not look at */
    if (p->spec->pick.rule.kind != RC_RULE_EMPIRICAL)
        RC_TRY(rc_choose_link_rates(c->options->costs, l.tp, l.cp, &r, err));
    const rc_choose_input in = rc_choose_input_of(&c->spec->model, &l, l.cp, (double)all.t,
                                                  (double)all.p, m->bf16_rate, r.achieved_bw);
    RC_TRY(rc_choose(&p->spec->pick.rule, &in, &d, err));
    *out = rc_choice_schedule(d.choice);
    return RC_OK;
}

rc_status pool_pass_schedule(const cluster *c, const pool *p, const rc_pass *pass,
                             const rc_schedule **out, rc_error *err) {
    const rc_pick k = rc_pick_on(&p->spec->pick, p->spec->cp);
    const bool by_price = k.by == RC_BY_ORACLE || (p->spec->dynamic_cp && p->spec->cp > 1);
    if (pass->prefills > 0 && k.by == RC_BY_RULE && !by_price)
        return ruled(c, p, pass, out, err);
    *out = pass->prefills == 0 ? rc_schedule_decoding(k.schedule, p->spec->cp)
           : by_price          ? NULL
                               : k.schedule;
    return RC_OK;
}

/* Gathering the KV that lies on ranks which a smaller degree leaves out. */
static rc_time gather(const cluster *c, const pool *p, const layout *l, const rc_pass *pass) {
    int64_t cached = sums(pass).p;
    if (l->cp == p->spec->cp || cached == 0)
        return 0;
    const rc_machine *m = &c->spec->machine;
    double share = 1.0 - (double)l->cp / p->spec->cp;
    double bytes = share * (double)cached * p->token_bytes;
    double rate = m->peer_rate * p->spec->tp * l->cp;
    return llround((bytes / rate + m->hop_latency) * RC_PS_PER_S);
}

/* The pass takes `more` besides, which rests on `basis`. */
static void add_to(rc_pass_cost *cost, rc_time more, rc_basis basis) {
    assert(cost->time > 0 && more >= 0);
    if (more == 0)
        return;
    float kept = (float)((double)cost->time / (double)(cost->time + more));
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        cost->rests[b] *= kept;
    cost->rests[basis] += 1.0F - kept;
    cost->time += more;
}

/* All stages together; work: [stages], of each. */
static rc_status time_of_stages(const layout *l, const rc_pass *pass, rc_pass_cost *out,
                                rc_time *work, rc_error *err) {
    double rests[RC_BASIS_COUNT] = {0.0};
    rc_pass_cost cost[RC_SERVE_STAGES];
    *out = (rc_pass_cost){.time = 0};
    for (int s = 0; s < l->stages; s++) {
        const int alike = l->stage[s].alike;
        if (alike < s)
            cost[s] = cost[alike];
        else
            RC_TRY(rc_passes_time(l->stage[s].passes, pass, &cost[s], err));
        work[s] = cost[s].time;
        out->time += work[s];
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            rests[b] += (double)cost[s].rests[b] * (double)work[s];
    }
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        out->rests[b] = (float)(rests[b] / (double)out->time);
    return RC_OK;
}

/* `work` is of several stages. */
static rc_status layout_time(const layout *l, const rc_pass *pass, rc_pass_cost *out, rc_time *work,
                             rc_error *err) {
    return l->stages == 1 ? rc_passes_time(l->stage->passes, pass, out, err)
                          : time_of_stages(l, pass, out, work, err);
}

static rc_status prefill_time(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *out,
                              rc_time *work, rc_error *err) {
    pool *p = pool_of(c, r);
    assert(r->health.condition >= 0 && r->health.condition < p->condition_count);
    condition *k = &p->conditions[r->health.condition];
    const rc_schedule *only = NULL;
    int best = -1;
    if (p->spec->pick.by == RC_BY_RULE && p->spec->cp > 1)
        RC_TRY(ruled(c, p, pass, &only, err));
    for (int i = 0; i < k->count; i++) {
        rc_pass_cost cost;
        rc_time own[RC_SERVE_STAGES];
        if (only && k->prefill[i].cp > 1 && k->prefill[i].schedule != only)
            continue;
        RC_TRY(layout_time(&k->prefill[i], pass, &cost, own, err));
        add_to(&cost, gather(c, p, &k->prefill[i], pass), RC_MODELLED);
        if (best < 0 || cost.time < out->time) {
            *out = cost;
            best = i;
            for (int s = 0; s < k->prefill[i].stages && k->prefill[i].stages > 1; s++)
                work[s] = own[s];
        }
    }
    assert(best >= 0);
    r->layout = best;
    return RC_OK;
}

static rc_status memo_time(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *out,
                           rc_time *work, rc_error *err) {
    if (pass->prefills > 0)
        return prefill_time(c, r, pass, out, work, err);
    return layout_time(&pool_of(c, r)->conditions[r->health.condition].decode, pass, out, work,
                       err);
}

/* The same by the sources alone, for a prefill in the layout that the memo's times chose. */
static rc_status source_time(cluster *c, replica *r, const rc_pass *pass, rc_time *out,
                             rc_error *err) {
    pool *p = pool_of(c, r);
    condition *k = &p->conditions[r->health.condition];
    layout *l = pass->prefills > 0 ? &k->prefill[r->layout] : &k->decode;
    *out = pass->prefills > 0 ? gather(c, p, l, pass) : 0;
    for (int s = 0; s < l->stages; s++) {
        rc_pass_cost cost;
        RC_TRY(rc_pass_forward_time(l->stage[l->stage[s].alike].source, pass, &cost, err));
        *out += cost.time;
    }
    return RC_OK;
}

/* `time`, of which `prompts` is theirs, when steps take `factor` times as long. */
static rc_time stretched(rc_time time, rc_time prompts, double factor) {
    const double steps = fmax((double)(time - prompts), 0.0);
    const rc_time longer = llround((double)time + (factor - 1.0) * steps);
    return longer < 1 ? 1 : longer;
}

/* Speculative steps take longer than plain ones by a factor that the scenario states; prompts beside
 * them do not. */
static rc_status stretch(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *cost,
                         rc_error *err) {
    rc_pass_cost prompts = {.time = 0};
    rc_time alone_in[RC_SERVE_STAGES] = {0};
    const double factor = c->spec->step_cost;
    if (pass->prefills > 0) {
        const rc_pass alone = {
            .prefill = pass->prefill, .prefills = pass->prefills, .elsewhere = pass->elsewhere};
        RC_TRY(memo_time(c, r, &alone, &prompts, alone_in, err));
    }
    rc_time time = r->stages > 1 ? 0 : stretched(cost->time, prompts.time, factor);
    for (uint32_t s = 0; s < r->stages && r->stages > 1; s++) {
        c->scratch.work[s] = stretched(c->scratch.work[s], alone_in[s], factor);
        time += c->scratch.work[s];
    }
    float kept = (float)fmin((double)prompts.time / (double)time, 1.0);
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        cost->rests[b] *= kept;
    cost->rests[RC_STATED] += 1.0F - kept;
    cost->time = time;
    return RC_OK;
}

static rc_pass as_launched(const cluster *c, const pool *p, const rc_pass *asked) {
    const rc_layer_kind *first = &c->spec->model.kind[0];
    const int hkv = rc_layer_form_of(first)->heads(first, p->spec->tp).kv; /* 0: no attention */
    return rc_pass_launched(c->spec, asked, pool_dealt(c, p), hkv > 0 ? hkv : 1);
}

/* The host forms a pass and hands out its tokens, behind the pass or beside it. */
rc_time pool_host_time(const rc_serve *s, const rc_pass *pass) {
    double sequences = (double)pass->prefills + (double)pass->decodes;
    return llround((s->step_host + s->step_host_sequence * sequences) * RC_PS_PER_S);
}

static void add_host(const rc_serve *s, const rc_pass *pass, rc_pass_cost *cost) {
    if (s->step_host == 0.0 && s->step_host_sequence == 0.0)
        return;
    const rc_time host = pool_host_time(s, pass);
    rc_time more = s->overlap ? host - cost->time : host;
    if (more > 0)
        add_to(cost, more, RC_STATED);
}

rc_status pool_pass_time(cluster *c, replica *r, const rc_pass *asked, rc_pass_cost *out,
                         rc_error *err) {
    const rc_pass launched = as_launched(c, pool_of(c, r), asked), *pass = &launched;
    RC_TRY(memo_time(c, r, pass, out, c->scratch.work, err));
    if (c->options->compare && !c->spec->linear.on) {
        rc_time exact;
        RC_TRY(source_time(c, r, pass, &exact, err));
        metrics_compared(c, out->time, exact);
    }
    if (pass->decodes > 0 && c->spec->step_kinds > 0 && c->spec->step_cost != 1.0)
        RC_TRY(stretch(c, r, pass, out, err));
    if (r->stages == 1) /* else it goes before the stages (pass_stages.c) */
        add_host(c->spec, asked, out);
    return RC_OK;
}

rc_status pool_send_times(cluster *c, const pool *p, const rc_pass *asked, rc_time *send,
                          rc_error *err) {
    const rc_pass pass = as_launched(c, p, asked);
    const rc_layout l = rc_pool_layout(c->spec, p->spec, p->spec->cp);
    const double rows = rc_stage_rows(&l, pass.prefill, pass.prefills) + pass.decodes;
    rc_time known[2] = {-1, -1}; /* within a node, to another one */
    for (int s = 0; s + 1 < rc_pool_stages(p->spec); s++) {
        const bool far = rc_stage_sends_far(&c->spec->machine, &l, s);
        rc_cost cost = {.p50 = 0.0};
        if (known[far] < 0 && !c->spec->linear.on)
            RC_TRY(
                rc_stage_send(c->options->costs, &l, c->spec->model.hidden, rows, far, &cost, err));
        if (known[far] < 0)
            known[far] = llround(cost.p50 * RC_PS_PER_S);
        send[s] = known[far];
    }
    return RC_OK;
}

static void add_stats(const layout *l, rc_pass_stats *sum) {
    for (int i = 0; l->stage && i < l->stages; i++) {
        if (!l->stage[i].passes)
            continue;
        const rc_pass_stats *s = rc_passes_statistics(l->stage[i].passes);
        sum->exact += s->exact;
        sum->reused += s->reused;
        sum->interpolated += s->interpolated;
        sum->simulated += s->simulated;
        sum->cells += s->cells;
    }
}

void pool_pass_stats(const pool *p, rc_pass_stats *sum) {
    for (int i = 0; i < p->condition_count; i++) {
        for (int k = 0; k < p->conditions[i].count; k++)
            add_stats(&p->conditions[i].prefill[k], sum);
        add_stats(&p->conditions[i].decode, sum);
    }
}

/* ---- capacity ------------------------------------------------------------------------- */

/* Tokens of the largest pass that a replica may form. */
int64_t rc_serve_largest(const rc_serve *s, rc_pool_role role, int64_t longest_prompt) {
    const int64_t longest = longest_prompt > 1 ? longest_prompt : 1;
    const int64_t steps = s->max_batch * (s->step_kinds > 1 ? s->step_kinds : 1);
    const int64_t fused = s->fuse > INT64_MAX / 4 / longest ? INT64_MAX / 4 : s->fuse * longest;
    if (role == RC_POOL_DECODE)
        return steps;
    if (s->sched == RC_SCHED_PREFILL_FIRST) {
        int64_t within = s->budget > 0 && s->budget < fused ? s->budget : fused;
        within = within > longest ? within : longest;
        return role == RC_POOL_MIXED && steps > within ? steps : within;
    }
    int64_t all = fused + steps < s->budget ? fused + steps : s->budget;
    int64_t whole = s->sched == RC_SCHED_INFLIGHT ? longest + steps : steps;
    return whole > all ? whole : all;
}

static rc_status room_of(const rc_serve *s, const rc_pool *p, const rc_model *m, int64_t longest,
                         rc_memory *mem, rc_kv_room *out, rc_error *err) {
    const rc_layout l = rc_pool_layout(s, p, p->cp);
    const rc_kv_passes passes = {.longest = longest,
                                 .largest = rc_serve_largest(s, p->role, longest),
                                 .decodes = p->role == RC_POOL_DECODE ? s->max_batch : 0};
    const double usable = s->kv_of_free ? s->machine.memory - s->machine.process_memory
                                        : rc_machine_usable(&s->machine);
    return rc_pass_kv_room(rc_schedule_on(p->pick.schedule, p->cp), m, &l, &passes, usable, mem,
                           out, err);
}

/* The stage that has room for the fewest tokens decides. */
static rc_status room_of_stages(const rc_serve *s, const rc_pool *p, int64_t longest,
                                rc_memory *mem, rc_kv_room *out, rc_error *err) {
    rc_status st = RC_OK;
    rc_model *m = malloc(sizeof *m);
    *out = (rc_kv_room){.largest = 0};
    *mem = (rc_memory){.weights = 0.0};
    if (!m)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the stages of a pool");
    for (int i = 0; i < p->stages.count && st == RC_OK; i++) {
        rc_memory own = {.weights = 0.0};
        rc_kv_room room = {.largest = 0};
        st = rc_model_stage(&s->model, &p->stages, i, m, err);
        if (st == RC_OK)
            st = room_of(s, p, m, longest, &own, &room, err);
        if (st == RC_OK && (i == 0 || room.tokens < out->tokens)) {
            *out = room;
            *mem = own;
        }
    }
    free(m);
    return st;
}

/* Weights of what drafts, and its KV of every token. */
static rc_status keep_drafter(const rc_serve *s, const rc_pool *p, int64_t longest, rc_memory *mem,
                              rc_kv_room *out, rc_error *err) {
    const rc_layout l = rc_pool_layout(s, p, p->cp);
    const double weights = rc_drafter_weights(&s->drafter, &l);
    rc_memory ignored;
    rc_kv_room own;
    RC_TRY(room_of(s, p, &s->drafter.model, longest, &ignored, &own, err));
    mem->weights += weights;
    mem->total += weights;
    out->bytes -= weights;
    out->token += s->drafter.copies * own.token;
    out->tokens = out->bytes > 0.0 ? floor(out->bytes / out->token) * out->ranks : 0.0;
    return RC_OK;
}

/* What is left of the memory that a process may take beside weights, the activations and buffers of
 * the largest pass, and the runtime. */
rc_status rc_pool_room(const rc_serve *s, const rc_pool *p, int64_t longest, rc_memory *mem,
                       rc_kv_room *out, rc_error *err) {
    RC_TRY(rc_pool_stages(p) > 1 ? room_of_stages(s, p, longest, mem, out, err)
                                 : room_of(s, p, &s->model, longest, mem, out, err));
    if (s->drafts > 0)
        RC_TRY(keep_drafter(s, p, longest, mem, out, err));
    if (s->kv_of_free) {
        out->bytes *= s->machine.memory_fraction;
        out->tokens *= s->machine.memory_fraction;
    }
    return RC_OK;
}

double pool_kv_gpus(const cluster *c, const pool *p) {
    const int stages = rc_pool_stages(p->spec);
    int most = c->spec->model.layers;
    for (int s = 0, first; s < stages && stages > 1; s++) {
        const int layers = rc_model_stage_layers(&c->spec->model, &p->spec->stages, s, &first);
        most = s == 0 || layers > most ? layers : most;
    }
    return (double)p->spec->tp * p->spec->cp * c->spec->model.layers / most;
}

static rc_status capacity_of(cluster *c, pool *p, rc_error *err) {
    const rc_serve *s = c->spec;
    rc_memory mem;
    rc_kv_room room;
    RC_TRY(rc_pool_room(s, p->spec, c->load.longest_input, &mem, &room, err));
    p->largest = room.largest;
    p->capacity =
        room.bytes > 0.0 ? rc_kv_capacity(room.bytes, room.token, room.ranks, c->block) : 0;
    if (p->capacity == 0)
        return rc_fail(
            err, RC_E_NOFIT,
            "pool '%s': no room for KV on tp %d x cp %d: weights %.1f + activations %.1f "
            "+ buffers %.1f + runtime %.1f GB of the %.1f GB that memory_fraction leaves (prompts "
            "of up to %lld tokens)",
            p->spec->name, p->spec->tp, p->spec->cp, mem.weights / 1e9, mem.activations / 1e9,
            mem.buffers / 1e9, mem.runtime / 1e9, mem.capacity / 1e9, (long long)room.largest);
    return RC_OK;
}

rc_status pool_create(cluster *c, int index, uint32_t first, rc_error *err) {
    assert(index >= 0 && index < c->spec->pool_count);
    assert(c->block >= 1);
    pool *p = &c->pools[index];
    const rc_serve *s = c->spec;
    int healthy;
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    p->spec = &s->pools[index];
    p->first = first;
    p->count = (uint32_t)(p->spec->replicas * rc_pool_groups(p->spec));
    p->largest = INT64_MAX; /* where KV is stated, memory is the user's care */
    p->token_bytes = rc_model_kv_bytes(&s->model, s->layout.kv);
    if (s->drafts > 0)
        p->token_bytes += s->drafter.copies * rc_model_kv_bytes(&s->drafter.model, s->layout.kv);
    if (s->kv_tokens > 0) {
        uint64_t blocks = s->kv_tokens / c->block / (uint64_t)rc_pool_groups(p->spec);
        p->capacity = blocks < 1                   ? 1
                      : blocks < RC_KV_MOST_BLOCKS ? (uint32_t)blocks
                                                   : RC_KV_MOST_BLOCKS;
    } else {
        RC_TRY(capacity_of(c, p, err));
    }
    return pool_condition(c, p, &none, 0, &healthy, err);
}
