/* Arrivals, which replica takes them, and their ends.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/serve/cluster.h"

/* ---- which replica -------------------------------------------------------------------- */

static uint64_t blocks_of(const cluster *c, uint64_t tokens) {
    return (tokens + c->block - 1) / c->block;
}

/* Whether the whole request, prompt and reply, can ever lie in a replica of the pool. */
static bool fits(const cluster *c, const replica *r, uint32_t j) {
    const rc_req *rq = &c->trace->at[j];
    return blocks_of(c, (uint64_t)rq->input + rq->output) <= c->pools[r->pool].capacity;
}

/* What a request would wait for there: by prefix, prompt tokens to be computed before it is done;
 * by load, requests. Replicas that decode compute no prompt: there requests count first by either, and by prefix
 * then the tokens that would have to move. Ties: the other of the two, then the first. */
static bool better(const uint64_t *a, const uint64_t *b) {
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}

static uint32_t choose_best(cluster *c, const uint32_t *list, uint32_t count, uint32_t j,
                            bool *any_up) {
    uint32_t best = NONE;
    uint64_t best_score[2] = {0, 0};
    *any_up = false;
    assert(j < c->live.used);
    for (uint32_t i = 0; i < count; i++) {
        const replica *r = &c->replicas[list[i]];
        if (!r->health.up)
            continue;
        *any_up = true;
        if (!fits(c, r, j))
            continue;
        uint64_t score[2] = {r->load, r->queue.tokens};
        if (c->spec->routing == RC_ROUTE_PREFIX) {
            rc_kv_match m = rc_kv_lookup(r->kv, c->trace, &c->trace->at[j]);
            const uint64_t tokens = r->queue.tokens + c->trace->at[j].input - m.tokens;
            const bool decodes = c->pools[r->pool].spec->role == RC_POOL_DECODE;
            score[0] = decodes ? r->load : tokens;
            score[1] = decodes ? tokens : r->load;
        }
        if (best == NONE || better(score, best_score)) {
            best = list[i];
            best_score[0] = score[0];
            best_score[1] = score[1];
        }
    }
    return best;
}

/* splitmix64 */
static uint64_t hash(uint64_t z) {
    z += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Requests of one session have a hash, or those whose prompts begin with one block; others have one each. */
uint64_t router_turn(rc_routing routing, const rc_req *rq, const rc_span *spans, uint64_t number) {
    assert(routing == RC_ROUTE_ROUND_ROBIN || routing == RC_ROUTE_HASH);
    if (routing == RC_ROUTE_ROUND_ROBIN)
        return number;
    if (rq->session != RC_NO_SESSION)
        return hash(rq->session);
    return hash(rq->spans > 0 ? spans[rq->span].first : number);
}

/* The replica whose turn it is, by the request's number or hash; when it is down, the next one. */
static uint32_t choose_in_turn(cluster *c, const uint32_t *list, uint32_t count, uint32_t j,
                               bool *any_up) {
    uint64_t turn =
        router_turn(c->spec->routing, &c->trace->at[j], c->trace->spans, c->jobs[j].number) %
        (c->router.in_turn > 0 ? c->router.in_turn : count);
    *any_up = false;
    assert(turn >= c->router.first_turn && turn - c->router.first_turn < count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = list[(turn - c->router.first_turn + i) % count];
        if (!c->replicas[at].health.up)
            continue;
        *any_up = true;
        if (fits(c, &c->replicas[at], j))
            return at;
    }
    return NONE;
}

static uint32_t choose(cluster *c, const uint32_t *list, uint32_t count, uint32_t j, bool *any_up) {
    bool in_turn = c->spec->routing == RC_ROUTE_ROUND_ROBIN || c->spec->routing == RC_ROUTE_HASH;
    return in_turn ? choose_in_turn(c, list, count, j, any_up)
                   : choose_best(c, list, count, j, any_up);
}

static void hold(cluster *c, job_list *l, uint32_t j) {
    c->jobs[j].state = JOB_HELD;
    list_push(c, l, j);
}

static void reject(cluster *c, uint32_t j, rc_refusal why, rc_time now) {
    c->rows[j].refusal = (uint8_t)why;
    job_release(c, j);
    job_end(c, j, RC_REJECTED, now);
}

void route(cluster *c, uint32_t j, rc_time now) {
    bool up, decode_up = true;
    uint32_t at = choose(c, c->router.entry, c->router.entry_count, j, &up);
    bool big = at == NONE;
    if (!big && c->router.decode_count > 0)
        big =
            choose(c, c->router.decode, c->router.decode_count, j, &decode_up) == NONE && decode_up;
    if (!up) {
        hold(c, &c->router.held, j);
        return;
    }
    int64_t most = c->spec->max_waiting;
    bool fresh = c->rows[j].generated == 0 && c->rows[j].retried == 0;
    if (big || (fresh && most > 0 && c->replicas[at].queue.waiting.count >= (uint64_t)most)) {
        reject(c, j, big ? RC_TOO_LARGE : RC_QUEUE_FULL, now);
        return;
    }
    replica_disturb(c, &c->replicas[at], now);
    c->replicas[at].load++;
    enqueue(c, &c->replicas[at], j, false);
    replica_kick(c, &c->replicas[at], now);
}

void route_decode(cluster *c, uint32_t j, rc_time now) {
    bool up;
    uint32_t at = choose(c, c->router.decode, c->router.decode_count, j, &up);
    if (at == NONE && up) {
        reject(c, j, RC_TOO_LARGE, now);
        return;
    }
    if (at == NONE) {
        hold(c, &c->router.held_decode, j);
        return;
    }
    replica_disturb(c, &c->replicas[at], now);
    c->replicas[at].load++;
    enqueue(c, &c->replicas[at], j, false);
    replica_kick(c, &c->replicas[at], now);
}

static void again(cluster *c, job_list *l, void (*to)(cluster *, uint32_t, rc_time), rc_time now) {
    for (uint32_t n = l->count; n > 0; n--) {
        uint32_t j = l->head;
        list_remove(c, l, j);
        to(c, j, now);
    }
}

void route_held(cluster *c, rc_time now) {
    again(c, &c->router.held, route, now);
    again(c, &c->router.held_decode, route_decode, now);
}

bool router_lose_held(cluster *c, rc_time now) {
    job_list *lists[] = {&c->router.held, &c->router.held_decode};
    bool any = c->router.held.count + c->router.held_decode.count > 0;
    for (int i = 0; i < 2; i++) {
        while (lists[i]->head != NONE) {
            uint32_t j = lists[i]->head;
            list_remove(c, lists[i], j);
            job_release(c, j);
            job_end(c, j, RC_LOST, now);
        }
    }
    return any;
}

void router_drop_held(cluster *c, uint32_t j) {
    assert(c->jobs[j].state == JOB_HELD);
    list_remove(c, &c->router.held_decode, j);
}

void router_leave(replica *r) {
    assert(r->load > 0);
    r->load--;
}

/* ---- arrivals and ends ---------------------------------------------------------------- */

void router_arrive(cluster *c, const rc_req *rq, const rc_span *spans, uint64_t number,
                   rc_time now) {
    uint32_t j = requests_take(c, rq, spans, number);
    if (j == NONE)
        return;
    c->rows[j].arrived = now;
    if (c->router.first_arrival < 0)
        c->router.first_arrival = now;
    metrics_system(c, +1, now);
    c->jobs[j].goal = rq->input;
    route(c, j, now);
}

static void next_turn(void *ctx, uint64_t arg, rc_time now) {
    cluster *c = ctx;
    router_arrive(c, &c->live.whole->at[arg], NULL, arg, now);
}

/* Clients take the requests in the order of the trace, whoever is free the next one; else those come that waited
 * for this one. */
static void send_next(cluster *c, uint32_t j, rc_time now) {
    const rc_trace *t = c->live.whole;
    if (c->spec->clients > 0) {
        if (c->router.sent < t->count)
            (void)cluster_at(c, now, next_turn, c->router.sent++);
        return;
    }
    for (uint32_t k = c->trace->at[j].child; k != RC_NO_REQUEST; k = t->at[k].sibling)
        (void)cluster_at(c, now + t->at[k].think, next_turn, k);
}

void job_end(cluster *c, uint32_t j, rc_outcome outcome, rc_time now) {
    rc_served *row = &c->rows[j];
    assert(c->jobs[j].state != JOB_ENDED);
    assert(row->arrived >= 0);
    row->outcome = (uint8_t)outcome;
    row->end = now;
    row->replica = c->jobs[j].kv.home;
    if (row->replica != NONE)
        row->replica += (uint32_t)c->router.first_turn;
    c->jobs[j].state = JOB_ENDED;
    metrics_system(c, -1, now);
    metrics_end(c, j);
    send_next(c, j, now);
    requests_give(c, j);
}

/* ---- set-up --------------------------------------------------------------------------- */

rc_status router_create(cluster *c, rc_error *err) {
    c->router.entry = calloc(c->replica_count, sizeof *c->router.entry);
    c->router.decode = calloc(c->replica_count, sizeof *c->router.decode);
    if (!c->router.entry || !c->router.decode)
        return rc_fail(err, RC_E_NOMEM, "out of memory for the router");
    for (uint32_t i = 0; i < c->replica_count; i++) {
        rc_pool_role role = c->pools[c->replicas[i].pool].spec->role;
        if (role == RC_POOL_DECODE)
            c->router.decode[c->router.decode_count++] = i;
        else
            c->router.entry[c->router.entry_count++] = i;
    }
    list_init(&c->router.held);
    list_init(&c->router.held_decode);
    c->router.first_arrival = -1;
    c->router.sent = (uint64_t)c->spec->clients;
    return RC_OK;
}

void router_destroy(cluster *c) {
    free(c->router.entry);
    free(c->router.decode);
}
