/* What the steps of a replica, of its faults and of its layouts assume (tests/support/trips.h).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/serve/faults.c"
#include "sim/serve/layouts.c"
#include "sim/serve/replica.c"
#include "tests/support/trips.h"

static rc_error err;
static rc_serve spec;
static rc_trace trace;
static cluster run;
static replica replicas[1];
static microbatch batches[1];
static job jobs[1];
static rc_served rows[1];

static cluster *small(void) {
    static rc_req request = {.input = 10, .output = 5};
    trace = (rc_trace){.at = &request, .count = 1};
    spec = (rc_serve){.pool_count = 1, .fuse = 1, .max_batch = 1};
    batches[0] = (microbatch){.home = replicas};
    replicas[0] = (replica){.pool = 0, .mb = batches, .stages = 1};
    jobs[0] = (job){.goal = 10};
    run = (cluster){.spec = &spec,
                    .trace = &trace,
                    .jobs = jobs,
                    .rows = rows,
                    .replicas = replicas,
                    .replica_count = 1,
                    .mb = batches,
                    .mb_count = 1,
                    .pools = {{.spec = &spec.pools[0], .count = 1}},
                    .pool_count = 1};
    return &run;
}

static void test_passes(void **state) {
    (void)state;
    cluster *c = small();
    const prompt_piece piece = {.job = 0, .tokens = 1};
    rc_pass step = {.prefills = 0};
    trips("m->pass.busy", pass_ends(c, 0, 0));
    trips("b->count > 0", decode_pass(c, batches, &step));
    trips("b->filled == b->goal", prompt_done(c, batches, 0, 0));
    trips("b->chunk >= piece->tokens", piece_ends(c, batches, &piece, 0));
    replicas[0].health = (replica_health){.up = true, .up_since = 5};
    trips("now >= first->health.up_since", replica_kick(c, replicas, 4));
    batches[0].pass = (running_pass){.busy = true, .start = 5};
    trips("now >= m->pass.start", replica_abort(c, replicas, 4));
}

/* A pass is played for somebody, and is of somebody. */
static void test_player(void **state) {
    (void)state;
    static rc_played_sequence played[2];
    static const rc_pass_player player = {.ctx = NULL};
    rc_serve_options options = {.player = NULL};
    const rc_pass none = {.prefills = 0};
    rc_time took;
    cluster *c = small();
    c->options = &options;
    trips("x && c->scratch.played", (void)player_time(c, batches, &none, 0, &took));
    options.player = &player;
    c->scratch.played = played;
    trips("n > 0", (void)player_time(c, batches, &none, 0, &took));
}

static void test_faults(void **state) {
    (void)state;
    cluster *c = small();
    const rc_serve_fault f = {.replica = 1};
    trips("f->replica >= 0 && f->replica < p->spec->replicas", (void)replica_of(c, &f));
    spec.pools[0].replicas = 1;
    trips("r->health.up", lose(c, replicas, 0));
    spec.faults[0] = (rc_serve_fault){.kind = RC_NODE_LOST};
    trips("r->health.down > 0", is_over(c, 0, 0));
    c->fault_count = FAULT_TIMES;
    trips("i < FAULT_TIMES", add_time(c, 0, 0, false));
}

static void test_layouts(void **state) {
    (void)state;
    cluster *c = small();
    const condition none = {.what_if = {.slow_rank = -1, .slow_link_rank = -1}};
    layout l;
    rc_pass_cost cost = {.time = 0};
    trips("cp >= 1 && cp <= p->spec->cp",
          (void)layout_open(c, &run.pools[0], &none, 1, NULL, &l, &err));
    trips("cost->time > 0 && more >= 0", add_to(&cost, 1, RC_MODELLED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_player),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
