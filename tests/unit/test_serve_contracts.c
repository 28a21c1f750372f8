/* What the files that play a run assume of one another (tests/support/trips.h): a cluster with two
 * replicas is set up as for a run, and then used in the wrong order.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/cluster_run.c"
#include "sim/serve/fair_links.h"
#include "tests/support/serve.h"
#include "tests/support/trips.h"

#define SCENARIO                                                                                   \
    SERVE_HEAD                                                                                     \
    "pools: [{name: p, tp: 8, replicas: 2}]\nkv: {tokens: 400, block: 16}\n"                       \
    "scheduler: {max_batch: 2}\n"                                                                  \
    "synthetic: {requests: 4, rate: 1, input: {kind: constant, mean: 100}, "                       \
    "output: {kind: constant, mean: 50}}\n"                                                        \
    "costs: {prefill: 5ms, decode: 10ms}\n"

static rc_serve spec;
static rc_serve_result result;
static rc_serve_options options;
static rc_trace *trace;
static rc_error err;

static cluster *opened(void) {
    cluster *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_int_equal(serve_parse(SCENARIO, &spec, &err), RC_OK);
    assert_int_equal(rc_serve_workload(&spec, 1, 0.0, &trace, &err), RC_OK);
    *c = (cluster){
        .spec = &spec, .load = load_of(trace), .options = &options, .out = &result, .err = &err};
    assert_int_equal(create(c, trace, &err), RC_OK);
    metrics_init(c);
    for (uint32_t j = 0; j < trace->count; j++)
        assert_int_equal(requests_take(c, &trace->at[j], trace->spans, j), j);
    return c;
}

static void closed(cluster *c) {
    cluster_close(c);
    free(c);
    rc_trace_free(trace);
}

static void test_run(void **state) {
    (void)state;
    cluster *c = opened();
    const rc_serve none = {.pool_count = 0};
    rc_serve one = {.pool_count = 1};
    trips("st != RC_OK", cluster_fail(c, RC_OK));
    trips("fn != NULL", (void)cluster_at(c, 0, NULL, 0));
    trips("s->pool_count >= 1 && s->pool_count <= RC_SERVE_POOLS",
          (void)rc_serve_run(&none, trace, &options, &result, &err));
    trips("s->fuse >= 1 && s->max_batch >= 1",
          (void)rc_serve_run(&one, trace, &options, &result, &err));
    one.fuse = one.max_batch = 1;
    trips("s->linear.on || o->costs != NULL",
          (void)rc_serve_run(&one, trace, &options, &result, &err));
    closed(c);
}

/* Requests and faults in an order that time does not have. */
static void test_times(void **state) {
    (void)state;
    cluster *c = opened();
    const rc_req late = {.arrival = 5, .input = 1, .output = 1, .spans = 3};
    c->now = 6;
    trips("rq->arrival >= c->now", cluster_arrival(c, &late, NULL, 4));
    trips("c->fault_next < c->fault_count", faults_fire(c));
    const rc_serve in_memory = {.trace = "t.jsonl"};
    trips("rc_serve_streams(s)", (void)rc_serve_stream(&in_memory, 0.0, &options, &result, &err));
    static const rc_pass_player player = {.ctx = NULL};
    const rc_serve_options played = {.player = &player};
    const rc_serve made_up = {.name = "made up"};
    trips("!o->player", (void)rc_serve_stream(&made_up, 0.0, &played, &result, &err));
    rc_serve_result *more = calloc(1, sizeof *more);
    result.pool_count = 1;
    trips("into->pool_count == from->pool_count", rc_serve_result_add(&result, more));
    free(more);
    c->live.whole = NULL; /* as if requests came one by one */
    trips("rq->spans <= SPANS", (void)requests_take(c, &late, NULL, 4));
    c->live.whole = trace;
    closed(c);
}

static void test_lists(void **state) {
    (void)state;
    cluster *c = opened();
    job_list l;
    heap_item heap[1];
    uint32_t none = 0;
    list_init(&l);
    trips("j < c->live.used", list_push(c, &l, 4));
    trips("l->count > 0", list_remove(c, &l, 0));
    trips("*count > 0", (void)heap_pop(heap, &none));
    list_push(c, &l, 0);
    list_push(c, &l, 1);
    trips("c->jobs[j].link.next == NONE && c->jobs[j].link.prev == NONE", list_push(c, &l, 1));
    closed(c);
}

static void test_router(void **state) {
    (void)state;
    cluster *c = opened();
    trips("j < c->live.used", route(c, 4, 0));
    trips("c->jobs[j].state == JOB_HELD", router_drop_held(c, 0));
    spec.routing = RC_ROUTE_ROUND_ROBIN;
    c->router.first_turn = 1; /* a part that does not begin with the first replica */
    trips("turn >= c->router.first_turn && turn - c->router.first_turn < count", route(c, 0, 0));
    trips("routing == RC_ROUTE_ROUND_ROBIN || routing == RC_ROUTE_HASH",
          (void)router_turn(RC_ROUTE_LOAD, &c->trace->at[0], c->trace->spans, 0));
    spec.routing = RC_ROUTE_LOAD;
    trips("r->load > 0", router_leave(&c->replicas[0]));
    trips("row->arrived >= 0", job_end(c, 0, RC_DONE, 0));
    trips("c->jobs[j].state == JOB_ENDED", requests_give(c, 0));
    c->jobs[0].state = JOB_ENDED;
    trips("c->jobs[j].state != JOB_ENDED", job_end(c, 0, RC_DONE, 0));
    closed(c);
}

static void test_admission(void **state) {
    (void)state;
    cluster *c = opened();
    replica *r = &c->replicas[0];
    job *b = &c->jobs[0];
    b->kv.lease = 0;
    trips("b->kv.lease == RC_KV_NO_LEASE", enqueue(c, r, 0, false));
    b->kv.lease = RC_KV_NO_LEASE;
    b->kv.home = 0;
    trips("c->jobs[j].state == JOB_ACTIVE", admit_leave_active(c, 0));
    trips("b->state == JOB_WAITING || b->state == JOB_ACTIVE || b->state == JOB_FETCHING || "
          "b->state == JOB_MOVING || b->state == JOB_LATE",
          admit_withdraw(c, 0, 0));
    trips("r->queue.in_flight > 0", admit_arrived(c, 0, 0));
    r->queue.in_flight = 1;
    trips("c->jobs[j].state == JOB_FETCHING || c->jobs[j].state == JOB_MOVING",
          admit_arrived(c, 0, 0));
    b->kv.queued = 1;
    trips("done <= r->queue.tokens", admit_progress(c, 0, 1));
    b->kv.source = 1;
    trips("b->kv.source == NONE", admit_hand_over(c, 0));
    closed(c);
}

/* A job in a list while its state says otherwise. */
static void test_queue(void **state) {
    (void)state;
    cluster *c = opened();
    replica *r = &c->replicas[0];
    c->jobs[0].goal = 100;
    enqueue(c, r, 0, false);
    c->jobs[0].state = JOB_AWAY;
    trips("c->jobs[j].state == JOB_WAITING", (void)admit_prompt(c, r, NONE, 0));
    c->jobs[0].state = JOB_WAITING;
    assert_int_equal(admit_prompt(c, r, NONE, 0), 0);
    c->jobs[0].state = JOB_MOVING; /* as if its KV came from elsewhere, to a full replica */
    r->queue.in_flight = 1;
    r->queue.late_count = 2;
    r->mb->pass.busy = true;
    trips("r->queue.late_count < (uint64_t)c->spec->max_batch", admit_arrived(c, 0, 0));
    closed(c);
}

static void test_decode(void **state) {
    (void)state;
    cluster *c = opened();
    microbatch *m = c->replicas[0].mb;
    c->jobs[0].kv.home = 0;
    trips("b->state == JOB_RUNNING", decode_leave(c, 0));
    c->rows[0].generated = 50; /* all of its reply */
    trips("c->rows[j].generated < c->trace->at[j].output", decode_join(c, m, 0));
    c->rows[0].generated = 1;
    m->batch.count = 2;
    trips("m->batch.count < (uint64_t)c->spec->max_batch", decode_join(c, m, 0));
    m->batch.count = 0;
    c->jobs[0].decode.due = 3;
    trips("b->decode.due == NONE", decode_join(c, m, 0));
    c->jobs[0].decode.due = NONE;
    decode_join(c, m, 0);
    trips("b->state != JOB_RUNNING", decode_join(c, m, 0));
    m->batch.fresh_count = 2;
    trips("m->batch.fresh_count <= m->batch.count", decode_step(c, m, 0));
    m->batch.fresh_count = 1;
    m->batch.last_step = 5;
    trips("now >= m->batch.last_step", decode_step(c, m, 4));
    uint32_t block = c->block;
    c->block = 0;
    trips("c->block >= 1", (void)batch_create(c, &m->batch, 1, &err));
    c->block = block;
    closed(c);
}

/* A block is due for a job that nobody counts as running, in a full cache. */
static void test_victim(void **state) {
    (void)state;
    cluster *c = opened();
    replica *r = &c->replicas[0];
    c->jobs[0].goal = 100;
    enqueue(c, r, 0, false);
    assert_int_equal(admit_prompt(c, r, NONE, 0), 0);
    admit_leave_active(c, 0);
    c->rows[0].generated = 1000;
    r->mb->batch.due[0] = 0;
    trips("victim != NONE || c->jobs[j].chunk > 0", decode_grow(c, r->mb, 0));
    closed(c);
}

static void test_transfers(void **state) {
    (void)state;
    cluster *c = opened();
    replica *r = &c->replicas[0];
    trips("from < c->replica_count && to < c->replica_count", transfer_begin(c, 0, 0, 2, 1, 0));
    trips("from != to", transfer_begin(c, 0, 1, 1, 1, 0));
    const fair_flow outside = {.to = 4}, back = {.from = 1, .to = 1};
    trips("f->from < n->link_count && f->to < n->link_count",
          (void)fair_links_add(c->net.links, &outside, 0, &err));
    trips("f->from != f->to", (void)fair_links_add(c->net.links, &back, 0, &err));
    trips("fair_links_next(n) == now", (void)fair_links_take(c->net.links, 0));
    trips("at != FAIR_NONE", (void)fair_links_rate(c->net.links, 0, 1));
    transfer_begin(c, 0, 0, 1, 1, 5);
    trips("now >= p->last", transfer_begin(c, 0, 0, 1, 1, 4));
    spec.machine.peer_rate = 0.0;
    trips("p->rate > 0.0", transfer_begin(c, 0, 1, 0, 1, 5));
    spec.host_rate = 0.0;
    trips("rate > 0.0", (void)host_transfer(c, r, 1, 0));
    closed(c);
}

static void test_layouts(void **state) {
    (void)state;
    cluster *c = opened();
    replica *r = &c->replicas[0];
    const rc_sequence chunk = {10, 0};
    const rc_pass pass = {.prefill = &chunk, .prefills = 1};
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    rc_pass_cost cost;
    int which;
    trips("index >= 0 && index < c->spec->pool_count", (void)pool_create(c, 1, 0, &err));
    uint32_t block = c->block;
    c->block = 0;
    trips("c->block >= 1", (void)pool_create(c, 0, 0, &err));
    c->block = block;
    r->health.condition = 1;
    trips("r->health.condition >= 0 && r->health.condition < p->condition_count",
          (void)pool_pass_time(c, r, &pass, &cost, &err));
    r->health.condition = 0;
    int layouts = c->pools[0].conditions[0].count;
    c->pools[0].conditions[0].count = 0;
    trips("best >= 0", (void)pool_pass_time(c, r, &pass, &cost, &err));
    c->pools[0].conditions[0].count = layouts;
    c->pools[0].conditions[1].count = MAX_LAYOUTS;
    trips("k->count < MAX_LAYOUTS", (void)pool_condition(c, &c->pools[0], &none, 0, &which, &err));
    trips("stage >= 0 && stage < rc_pool_stages(p->spec)",
          (void)pool_condition(c, &c->pools[0], &none, 1, &which, &err));
    closed(c);
}

static void test_limiter(void **state) {
    (void)state;
    cluster *c = opened();
    recent_power p = {.mean = 0.0};
    rc_pass_cost cost = {.time = 2, .saved = 2};
    trips("cost->time > 0 && cost->saved >= 0 && cost->saved < cost->time",
          limiter_pass(c, 0, &p, &cost));
    closed(c);
}

static void test_metrics(void **state) {
    (void)state;
    cluster *c = opened();
    replica *r = &c->replicas[0];
    const rc_pass empty = {0};
    const rc_pass_cost cost = {.time = 1};
    const rc_kv_match all = {.tokens = 100};
    c->jobs[0].goal = 100;
    trips("change == 1 || (change == -1 && count > 0)", metrics_waiting(c, -1));
    c->counts.area_at = 1;
    trips("now >= n->area_at", metrics_system(c, 1, 0));
    trips("simulated > 0", metrics_compared(c, 1, 0));
    trips("m->tokens < c->jobs[j].goal && m->fetch <= m->tokens", metrics_admitted(c, 0, &all, 0));
    c->rows[0].arrived = 5;
    trips("now >= c->rows[j].arrived", metrics_first(c, 0, 4));
    metrics_first(c, 0, 6);
    trips("c->rows[j].first < 0", metrics_first(c, 0, 7));
    trips("pass->prefills > 0 || pass->decodes > 0", metrics_pass(c, r, &empty, &cost));
    trips("first->prefills == 0 && first->decodes > 0", metrics_decodes(c, r, &empty, 0, &cost, 1));
    r->mb->stride.done = 1; /* of none */
    trips("l->done <= l->count", stride_end(c, r->mb));
    trips("row->outcome != RC_PENDING", metrics_end(c, 0));
    result.rejected = 1;
    trips("o->queue_full + o->too_large == o->rejected", (void)metrics_finish(c, &err));
    result.rejected = 0;
    trips("pool >= 0 && pool < r->pool_count", (void)rc_pool_computes(&result, result.pool_count));
    closed(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),       cmocka_unit_test(test_times),
        cmocka_unit_test(test_lists),     cmocka_unit_test(test_router),
        cmocka_unit_test(test_admission), cmocka_unit_test(test_queue),
        cmocka_unit_test(test_decode),    cmocka_unit_test(test_victim),
        cmocka_unit_test(test_transfers), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_limiter),   cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
