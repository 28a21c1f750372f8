/* How a pool may run a pass, and its KV capacity.
 *
 * A layout is a CP degree and a variant, with its own memo of pass times. A prefill takes the one
 * that is named, or that the rule names for the pass's tokens, or (oracle) the fastest. With
 * dynamic CP smaller degrees are among them: the pass then runs on fewer ranks while the others
 * idle, and cached KV of the other ranks is gathered first, over the network at the per-connection
 * rate.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/serve/cluster.h"
#include "sim/serve/pass_store.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"

static rc_status layout_open(cluster *c, const pool *p, const rc_what_if *w, int cp,
                             const rc_schedule *schedule, layout *out, rc_error *err) {
    const rc_serve *s = c->spec;
    assert(cp >= 1 && cp <= p->spec->cp);
    out->cp = cp;
    out->schedule = schedule;
    if (s->linear.on)
        return rc_passes_create(rc_pass_linear, (void *)(uintptr_t)&s->linear,
                                (rc_passes_like){1, 1}, true, &out->passes, err);
    const rc_layout cut = rc_pool_cut(s, p->spec, cp, schedule);
    RC_TRY(rc_pass_forward_create(s, c->options->costs, &cut, schedule, w, &out->source, err));
    /* What the other groups are at is no size of a memo: experts' products rise by steps of tiles. */
    const bool exact = c->options->exact || rc_pool_groups(p->spec) > 1;
    const rc_passes_like like = {2 * cp, rc_schedule_dealt(schedule, cp)};
    RC_TRY(rc_passes_create(rc_pass_forward_time, out->source, like, exact, &out->passes, err));
    if (c->options->store && rc_pool_groups(p->spec) == 1)
        rc_passes_share(out->passes, rc_pass_store_shelf(c->options->store, s, c->options->costs,
                                                         &cut, schedule, w));
    return RC_OK;
}

static void layout_close(layout *l) {
    rc_passes_destroy(l->passes);
    rc_pass_forward_destroy(l->source);
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
        RC_TRY(layout_open(c, p, &k->what_if, cp, s, &k->prefill[k->count++], err));
    }
    return RC_OK;
}

rc_status pool_condition(cluster *c, pool *p, const rc_what_if *w, int *out, rc_error *err) {
    if (p->condition_count == MAX_CONDITIONS)
        return rc_fail(err, RC_E_INPUT, "pool '%s': more than %d different faults of rank or link",
                       p->spec->name, MAX_CONDITIONS - 1);
    *out = p->condition_count++;
    condition *k = &p->conditions[*out];
    const rc_pool *s = p->spec;
    k->what_if = *w;
    for (int cp = s->dynamic_cp ? 1 : s->cp; cp < s->cp; cp *= 2)
        RC_TRY(add_layouts(c, p, k, cp, err));
    RC_TRY(add_layouts(c, p, k, s->cp, err));
    const rc_schedule *decoding = rc_schedule_decoding(s->pick.schedule, s->cp);
    return layout_open(c, p, w, s->cp, decoding, &k->decode, err);
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
    const rc_choose_input in = rc_choose_input_of(&c->spec->model, &l, l.cp, (double)all.t,
                                                  (double)all.p, m->bf16_rate, m->peer_rate);
    rc_decision d;
    RC_TRY(rc_choose(&p->spec->pick.rule, &in, &d, err));
    *out = rc_choice_schedule(d.choice);
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

static rc_status prefill_time(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *out,
                              rc_error *err) {
    pool *p = pool_of(c, r);
    assert(r->health.condition >= 0 && r->health.condition < p->condition_count);
    condition *k = &p->conditions[r->health.condition];
    const rc_schedule *only = NULL;
    int best = -1;
    if (p->spec->pick.by == RC_BY_RULE && p->spec->cp > 1)
        RC_TRY(ruled(c, p, pass, &only, err));
    for (int i = 0; i < k->count; i++) {
        rc_pass_cost cost;
        if (only && k->prefill[i].cp > 1 && k->prefill[i].schedule != only)
            continue;
        RC_TRY(rc_passes_time(k->prefill[i].passes, pass, &cost, err));
        add_to(&cost, gather(c, p, &k->prefill[i], pass), RC_MODELLED);
        if (best < 0 || cost.time < out->time) {
            *out = cost;
            best = i;
        }
    }
    assert(best >= 0);
    r->layout = best;
    return RC_OK;
}

static rc_status memo_time(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *out,
                           rc_error *err) {
    if (pass->prefills > 0)
        return prefill_time(c, r, pass, out, err);
    return rc_passes_time(pool_of(c, r)->conditions[r->health.condition].decode.passes, pass, out,
                          err);
}

/* The same by the source alone, for a prefill in the layout that the memo's times chose. */
static rc_status source_time(cluster *c, replica *r, const rc_pass *pass, rc_time *out,
                             rc_error *err) {
    pool *p = pool_of(c, r);
    condition *k = &p->conditions[r->health.condition];
    layout *l = pass->prefills > 0 ? &k->prefill[r->layout] : &k->decode;
    rc_pass_cost cost;
    RC_TRY(rc_pass_forward_time(l->source, pass, &cost, err));
    *out = cost.time + (pass->prefills > 0 ? gather(c, p, l, pass) : 0);
    return RC_OK;
}

/* Speculative steps take longer than plain ones by a factor that the scenario states; prompts beside
 * them do not. */
static rc_status stretch(cluster *c, replica *r, const rc_pass *pass, rc_pass_cost *cost,
                         rc_error *err) {
    rc_pass_cost prompts = {.time = 0};
    if (pass->decodes == 0 || c->spec->step_kinds == 0 || c->spec->step_cost == 1.0)
        return RC_OK;
    if (pass->prefills > 0) {
        const rc_pass alone = {
            .prefill = pass->prefill, .prefills = pass->prefills, .elsewhere = pass->elsewhere};
        RC_TRY(memo_time(c, r, &alone, &prompts, err));
    }
    double steps = fmax((double)(cost->time - prompts.time), 0.0);
    rc_time time = llround((double)cost->time + (c->spec->step_cost - 1.0) * steps);
    float kept = (float)fmin((double)prompts.time / (double)time, 1.0);
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        cost->rests[b] *= kept;
    cost->rests[RC_STATED] += 1.0F - kept;
    cost->time = time < 1 ? 1 : time;
    return RC_OK;
}

/* A batch that decodes alone runs as a CUDA graph: of the next size that there is, filled up with
 * sequences of one token that nobody asked for. */
static rc_pass as_graph(const rc_serve *s, const rc_pass *pass) {
    rc_pass graph = *pass;
    int i = 0;
    if (pass->prefills > 0)
        return graph;
    while (i < s->graph_count && s->graphs[i] < pass->decodes)
        i++;
    if (i == s->graph_count)
        return graph;
    int64_t size = s->graphs[i] < s->max_batch ? s->graphs[i] : s->max_batch;
    if (size <= pass->decodes)
        return graph;
    graph.decodes = (uint32_t)size;
    graph.contexts = NULL;
    return graph;
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
    const rc_pass graph = as_graph(c->spec, asked), *pass = &graph;
    RC_TRY(memo_time(c, r, pass, out, err));
    if (c->options->compare && !c->spec->linear.on) {
        rc_time exact;
        RC_TRY(source_time(c, r, pass, &exact, err));
        metrics_compared(c, out->time, exact);
    }
    RC_TRY(stretch(c, r, pass, out, err));
    add_host(c->spec, asked, out);
    return RC_OK;
}

static void add_stats(const layout *l, rc_pass_stats *sum) {
    if (!l->passes)
        return;
    const rc_pass_stats *s = rc_passes_statistics(l->passes);
    sum->exact += s->exact;
    sum->reused += s->reused;
    sum->interpolated += s->interpolated;
    sum->simulated += s->simulated;
    sum->cells += s->cells;
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

/* What is left of the memory that a process may take beside weights, the activations and buffers of
 * the largest pass, and the runtime. */
rc_status rc_pool_room(const rc_serve *s, const rc_pool *p, int64_t longest, rc_memory *mem,
                       rc_kv_room *out, rc_error *err) {
    const rc_layout l = rc_pool_layout(s, p, p->cp);
    const rc_kv_passes passes = {.longest = longest,
                                 .largest = rc_serve_largest(s, p->role, longest),
                                 .decodes = p->role == RC_POOL_DECODE ? s->max_batch : 0};
    const double usable = s->kv_of_free ? s->machine.memory - s->machine.process_memory
                                        : rc_machine_usable(&s->machine);
    RC_TRY(rc_pass_kv_room(rc_schedule_on(p->pick.schedule, p->cp), &s->model, &l, &passes, usable,
                           mem, out, err));
    if (s->kv_of_free) {
        out->bytes *= s->machine.memory_fraction;
        out->tokens *= s->machine.memory_fraction;
    }
    return RC_OK;
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
    if (s->kv_tokens > 0) {
        uint64_t blocks = s->kv_tokens / c->block / (uint64_t)rc_pool_groups(p->spec);
        p->capacity = blocks < 1                   ? 1
                      : blocks < RC_KV_MOST_BLOCKS ? (uint32_t)blocks
                                                   : RC_KV_MOST_BLOCKS;
    } else {
        RC_TRY(capacity_of(c, p, err));
    }
    return pool_condition(c, p, &none, &healthy, err);
}
