/* What is counted while it happens, and the sums at the end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <string.h>
#include "sim/cost/basis.h"
#include "sim/schedule/totals.h"
#include "sim/serve/cluster.h"

void metrics_init(cluster *c) {
    rc_serve_result *o = c->out;
    rc_hist *all[] = {&o->ttft,    &o->gap,   &o->e2e,         &o->ttit,  &o->queue,
                      &o->service, &o->batch, &o->pass_tokens, &o->input, &o->output};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        rc_hist_init(all[i]);
    c->counts.token_flops = rc_model_gemm_flops(&c->spec->model, 1);
    c->counts.key_flops = rc_model_entry_flops(&c->spec->model, 1.0);
    for (int i = 0; i < c->pool_count; i++)
        c->counts.capacity += (double)c->pools[i].capacity * c->pools[i].count;
    o->objective_count = c->spec->objective_count;
    for (int i = 0; i < o->objective_count; i++)
        rc_hist_init(&o->objectives[i].served);
    if (c->options->series) {
        rc_serve_series *s = c->options->series;
        rc_timeline *each[] = {&s->waiting, &s->running, &s->kv_used, &s->hit, &s->input};
        for (size_t i = 0; i < sizeof each / sizeof each[0]; i++)
            rc_timeline_init(each[i], (rc_time)RC_PS_PER_S);
    }
}

static uint32_t changed(uint32_t count, int change) {
    assert(change == 1 || (change == -1 && count > 0));
    return change > 0 ? count + 1 : count - 1;
}

void metrics_system(cluster *c, int change, rc_time now) {
    run_counts *n = &c->counts;
    assert(now >= n->area_at);
    n->area += (time_sum)n->in_system * (uint64_t)(now - n->area_at);
    n->area_at = now;
    n->in_system = changed(n->in_system, change);
}

void metrics_waiting(cluster *c, int change) {
    c->counts.waiting = changed(c->counts.waiting, change);
}

void metrics_running(cluster *c, int change) {
    c->counts.running = changed(c->counts.running, change);
}

void metrics_emitted(cluster *c, uint64_t tokens) {
    c->counts.emitted += tokens;
}

void metrics_computed(cluster *c, uint64_t tokens) {
    c->counts.computed += tokens;
}

void metrics_prompt(cluster *c, uint64_t tokens) {
    c->counts.prompts += tokens;
}

void metrics_discarded(cluster *c, uint64_t tokens) {
    c->counts.discarded += tokens;
}

void metrics_moved(cluster *c, uint64_t tokens) {
    c->out->moved_tokens += tokens;
}

void metrics_preempted(cluster *c) {
    c->out->preempted++;
}

void metrics_retried(cluster *c) {
    c->out->retried++;
}

void metrics_compared(cluster *c, rc_time memoised, rc_time simulated) {
    assert(simulated > 0);
    double off = fabs((double)memoised / (double)simulated - 1.0);
    c->out->max_pass_error = fmax(c->out->max_pass_error, off);
}

static void count_kv(pool_kv *k, rc_time now) {
    k->area += (time_sum)k->counted * (uint64_t)(now - k->at);
    k->at = now;
    k->counted = k->held;
}

void metrics_state(cluster *c, rc_time now) {
    rc_serve_series *s = c->options->series;
    uint64_t held = 0;
    for (int i = 0; i < c->pool_count; i++) {
        pool_kv *k = &c->pools[i].kv;
        if (k->held != k->counted)
            count_kv(k, now);
        held += k->held;
    }
    if (!s)
        return;
    rc_timeline_set(
        &s->waiting, now,
        (double)(c->counts.waiting + c->router.held.count + c->router.held_decode.count));
    rc_timeline_set(&s->running, now, (double)c->counts.running);
    rc_timeline_set(&s->kv_used, now, (double)held / c->counts.capacity);
}

void metrics_admitted(cluster *c, uint32_t j, const rc_kv_match *m, rc_time now) {
    uint32_t input = c->trace->at[j].input;
    assert(m->tokens < c->jobs[j].goal && m->fetch <= m->tokens);
    c->counts.hits += m->tokens;
    c->out->fetched_tokens += m->fetch;
    if (c->jobs[j].admitted_once) {
        c->out->recomputed_tokens += c->jobs[j].goal - m->tokens;
        return;
    }
    c->jobs[j].admitted_once = true;
    c->out->admitted++;
    work_prompt(c, j, m->tokens);
    c->rows[j].cached = m->tokens;
    c->out->kv_hit_tokens += m->tokens;
    c->out->kv_miss_tokens += input - m->tokens;
    if (c->options->series) {
        rc_timeline_set(&c->options->series->hit, now, (double)c->out->kv_hit_tokens);
        rc_timeline_set(&c->options->series->input, now,
                        (double)(c->out->kv_hit_tokens + c->out->kv_miss_tokens));
    }
}

void metrics_first(cluster *c, uint32_t j, rc_time now) {
    assert(c->rows[j].first < 0);
    assert(now >= c->rows[j].arrived);
    c->rows[j].first = now;
    rc_hist_add(&c->out->ttft, now - c->rows[j].arrived);
}

void metrics_gap(cluster *c, rc_time gap, uint64_t times) {
    if (times > 0)
        rc_hist_add_many(&c->out->gap, gap, times);
}

static double decode_flops(const run_counts *n, const rc_pass *pass) {
    double keys = (double)pass->context + pass->decodes;
    return n->token_flops * pass->decodes + n->key_flops * keys;
}

static void add_rests(const rc_pool *p, const rc_pass_cost *cost, rc_pool_result *out) {
    double gpu_s = (double)cost->time / RC_PS_PER_S * p->tp * p->cp;
    for (int b = 0; b < RC_BASIS_COUNT; b++)
        out->rests[b] += gpu_s * (double)cost->rests[b];
}

void metrics_pass(cluster *c, replica *r, const rc_pass *pass, const rc_pass_cost *cost) {
    pool *p = pool_of(c, r);
    assert(pass->prefills > 0 || pass->decodes > 0);
    const rc_model *m = &c->spec->model;
    int64_t tokens = pass->decodes;
    add_rests(p->spec, cost, &p->sums.out);
    for (uint32_t i = 0; i < pass->prefills; i++) {
        tokens += pass->prefill[i].t;
        p->sums.out.flops += c->counts.token_flops * (double)pass->prefill[i].t +
                             rc_model_attention_flops(m, pass->prefill[i].t, pass->prefill[i].p);
    }
    if (pass->decodes > 0)
        p->sums.out.flops += decode_flops(&c->counts, pass);
    p->sums.out.prefill_tokens += (uint64_t)(tokens - pass->decodes);
    p->sums.out.decode_tokens += pass->decodes;
    p->sums.out.prefill_passes += pass->prefills > 0 && pass->decodes == 0;
    p->sums.out.mixed_passes += pass->prefills > 0 && pass->decodes > 0;
    p->sums.out.decode_passes += pass->prefills == 0;
    p->sums.batch += pass->decodes;
    p->sums.keys += (double)pass->context + pass->decodes;
    p->sums.out.kv_peak =
        fmax(p->sums.out.kv_peak, (double)rc_kv_pinned_blocks(r->kv) / p->capacity);
    if (pass->prefills > 0) {
        const layout *l = &p->conditions[r->health.condition].prefill[r->layout];
        p->sums.out.by_schedule[rc_schedule_index(l->schedule)]++;
        p->sums.out.smaller_cp += l->cp < p->spec->cp;
    }
    rc_hist_add(&c->out->batch, (int64_t)pass->prefills + pass->decodes);
    rc_hist_add(&c->out->pass_tokens, tokens);
}

void metrics_decodes(cluster *c, replica *r, const rc_pass *first, int64_t growth,
                     const rc_pass_cost *cost, uint32_t n) {
    pool_sums *p = &pool_of(c, r)->sums;
    const uint64_t tokens = (uint64_t)n * first->decodes;
    const double keys = (double)n * ((double)first->context + first->decodes) +
                        0.5 * (double)growth * n * (n - 1.0);
    assert(first->prefills == 0 && first->decodes > 0);
    for (uint32_t i = 0; i < n; i++)
        add_rests(pool_of(c, r)->spec, &cost[i], &p->out);
    p->out.flops += c->counts.token_flops * (double)tokens + c->counts.key_flops * keys;
    p->out.decode_tokens += tokens;
    p->out.decode_passes += n;
    p->batch += tokens;
    rc_hist_add_many(&c->out->batch, first->decodes, n);
    rc_hist_add_many(&c->out->pass_tokens, first->decodes, n);
}

#define FNV_PRIME UINT64_C(0x100000001B3)
#define FNV_START UINT64_C(0xCBF29CE484222325)

static uint64_t fnv(uint64_t h, uint64_t v) {
    for (int i = 0; i < 8; i++, v >>= 8)
        h = (h ^ (v & 0xff)) * FNV_PRIME;
    return h;
}

/* Of one request. The run's is the sum, so that it does not matter which request ends first. */
static uint64_t hash_of(uint64_t number, const rc_served *row) {
    uint64_t h = fnv(FNV_START, number);
    h = fnv(h, row->outcome);
    h = fnv(h, (uint64_t)row->arrived);
    h = fnv(h, (uint64_t)row->first);
    return fnv(h, (uint64_t)row->end);
}

void metrics_end(cluster *c, uint32_t j) {
    rc_serve_result *o = c->out;
    const rc_served *row = &c->rows[j];
    assert(row->outcome != RC_PENDING);
    spans_request(c, j);
    c->counts.last_end = row->end;
    c->counts.generated += row->generated;
    c->counts.short_replies += row->outcome == RC_DONE && row->generated != row->output;
    c->counts.sojourn += (uint64_t)(row->end - row->arrived);
    o->hash += hash_of(c->jobs[j].number, row);
    o->done += row->outcome == RC_DONE;
    o->rejected += row->outcome == RC_REJECTED;
    o->queue_full += row->refusal == RC_QUEUE_FULL;
    o->too_large += row->refusal == RC_TOO_LARGE;
    o->lost += row->outcome == RC_LOST;
    o->within_slo += objectives_count(c->spec, row, o);
    o->missed = c->options->until_missed && objectives_missed(c);
    if (row->outcome != RC_DONE)
        return;
    o->tokens_in += row->input;
    o->tokens_out += row->generated;
    rc_hist_add(&o->e2e, row->end - row->arrived);
    rc_hist_add(&o->queue, row->started - row->arrived);
    rc_hist_add(&o->service, row->end - row->started);
    rc_hist_add(&o->input, row->input);
    rc_hist_add(&o->output, row->generated);
    if (row->generated > 1)
        rc_hist_add(&o->ttit, llround((double)(row->end - row->first) / (row->generated - 1)));
}

/* ---- the end -------------------------------------------------------------------------- */

#define S_PER_HOUR 3600.0

static void sum_kv(cluster *c, pool *p) {
    count_kv(&p->kv, c->counts.last_end > p->kv.at ? c->counts.last_end : p->kv.at);
    p->sums.out.kv_held_s = (double)p->kv.area / RC_PS_PER_S;
    p->sums.out.kv_room_s =
        (double)p->capacity * p->count * ((double)c->counts.last_end / RC_PS_PER_S);
}

static void sum_pool(cluster *c, pool *p, double makespan) {
    rc_serve_result *o = c->out;
    rc_pool_result *r = &p->sums.out;
    uint64_t decoding = r->decode_passes + r->mixed_passes;
    (void)snprintf(r->name, sizeof r->name, "%s", p->spec->name);
    r->replicas = p->spec->replicas;
    r->groups = rc_pool_groups(p->spec);
    r->gpus = p->spec->replicas * rc_pool_gpus(p->spec);
    r->kv_tokens = (uint64_t)p->capacity * c->block * (uint64_t)rc_pool_groups(p->spec);
    r->batch_mean = decoding > 0 ? (double)p->sums.batch / (double)decoding : 0.0;
    for (uint32_t i = p->first; i < p->first + p->count; i++) {
        replica *rep = &c->replicas[i];
        rc_time up =
            rep->health.up_time + (rep->health.up ? c->counts.last_end - rep->health.up_since : 0);
        r->up_s += (double)up / RC_PS_PER_S;
        r->busy_s += stages_busy(rep);
    }
    sum_kv(c, p);
    double hours = r->gpus * makespan / S_PER_HOUR;
    o->gpu_hours += hours;
    o->cost += hours * p->spec->price;
    pool_pass_stats(p, &o->passes);
    o->pools[o->pool_count++] = *r;
}

void rc_serve_rests(const rc_serve_result *r, double share[RC_BASIS_COUNT]) {
    double gpu_s[RC_BASIS_COUNT] = {0.0};
    for (int i = 0; i < r->pool_count; i++)
        for (int b = 0; b < RC_BASIS_COUNT; b++)
            gpu_s[b] += r->pools[i].rests[b];
    rc_basis_share(gpu_s, share);
}

static rc_status broken(rc_error *err, const char *what, uint64_t a, uint64_t b) {
    return rc_fail(err, RC_E_INTERNAL, "conservation: %s: %llu against %llu", what,
                   (unsigned long long)a, (unsigned long long)b);
}

/* Every request ended once, every token is accounted for, no KV is held. */
static rc_status conserve(const cluster *c, rc_error *err) {
    const rc_serve_result *o = c->out;
    assert(o->queue_full + o->too_large == o->rejected);
    if (o->done + o->rejected + o->lost != c->load.requests)
        return broken(err, "requests ended, requests", o->done + o->rejected + o->lost,
                      c->load.requests);
    if (c->counts.short_replies > 0)
        return broken(err, "requests done with fewer or more tokens than asked for",
                      c->counts.short_replies, 0);
    if (c->counts.generated != c->counts.emitted)
        return broken(err, "tokens that users got, tokens that passes made", c->counts.generated,
                      c->counts.emitted);
    if (c->counts.computed + c->counts.hits != c->counts.prompts + c->counts.discarded)
        return broken(err, "prompt tokens computed or cached, prompts completed or given up",
                      c->counts.computed + c->counts.hits, c->counts.prompts + c->counts.discarded);
    for (uint32_t i = 0; i < c->replica_count; i++) {
        const replica *r = &c->replicas[i];
        if (rc_kv_pinned_blocks(r->kv) != 0)
            return broken(err, "KV blocks held at the end", rc_kv_pinned_blocks(r->kv), 0);
        if (r->queue.tokens != 0)
            return broken(err, "prompt tokens waited for at the end", r->queue.tokens, 0);
    }
    return RC_OK;
}

static void little(cluster *c, double makespan) {
    double n = (double)c->load.requests;
    c->out->little_l = (double)c->counts.area / RC_PS_PER_S / makespan;
    c->out->little_lw = n / makespan * ((double)c->counts.sojourn / RC_PS_PER_S / n);
}

/* A cache that ran out of memory refused requests and forgot prompts that a larger machine would not. */
static rc_status caches_had_memory(const cluster *c, rc_error *err) {
    for (uint32_t i = 0; i < c->replica_count; i++)
        if (rc_kv_starved(c->replicas[i].kv))
            return rc_fail(err, RC_E_NOMEM, "out of memory for a prefix cache");
    return RC_OK;
}

rc_status metrics_finish(cluster *c, rc_error *err) {
    rc_serve_result *o = c->out;
    RC_TRY(caches_had_memory(c, err));
    if (o->missed)
        return RC_OK; /* of a run that was not played to its end only that is asked */
    RC_TRY(conserve(c, err));
    o->requests = c->load.requests;
    o->makespan = c->counts.last_end - c->router.first_arrival;
    double makespan = fmax((double)o->makespan / RC_PS_PER_S, 1.0 / RC_PS_PER_S), gpus = 0.0,
           flops = 0.0;
    for (int i = 0; i < c->pool_count; i++) {
        RC_TRY(work_least(c, &c->pools[i], &c->pools[i].sums.out.work_s, err));
        sum_pool(c, &c->pools[i], makespan);
        gpus += c->pools[i].sums.out.gpus;
        flops += c->pools[i].sums.out.flops;
    }
    little(c, makespan);
    double tokens = (double)(o->tokens_in + o->tokens_out);
    o->goodput = (double)o->within_slo / makespan;
    o->mfu = flops / (gpus * makespan * c->spec->machine.bf16_rate);
    o->tokens_per_gpu_s = tokens / (gpus * makespan);
    o->cost_per_mtoken = tokens > 0.0 ? o->cost / (tokens / 1e6) : 0.0;
    o->events =
        rc_eventq_fired(c->q) + c->counts.in_strides + c->live.stated + (uint64_t)c->fault_next;
    if (c->options->series) {
        rc_serve_series *s = c->options->series;
        rc_timeline_end(&s->waiting, c->counts.last_end);
        rc_timeline_end(&s->running, c->counts.last_end);
        rc_timeline_end(&s->kv_used, c->counts.last_end);
    }
    return RC_OK;
}
