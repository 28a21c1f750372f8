/* The timelines of forward passes, held against their forecasts: spans of GPU 0 add up to the breakdown,
 * critical ones to the time, the last span ends with the pass; of all schedules and phases.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <unistd.h>
#include "sim/forward/pass_spans.h"
#include "sim/forward/scenario.h"
#include "tests/support/span_check.h"

static char path[] = "/tmp/test_forward_spans_XXXXXX";
static rc_error err;
static const char *const small = "model=llama-3.1-8b"; /* 32 layers of the 126 */

static int setup(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

static void must(rc_status st) {
    if (st != RC_OK)
        fail_msg("%s", err.msg);
}

typedef struct drawn {
    rc_scenario scenario;
    rc_costs *costs;
    rc_forward forecast;
    json_t *root;
    span_totals totals;
    rc_time end;
} drawn;

static void draw_file(const rc_spec *spec, const rc_staging *how, rc_time *end) {
    rc_span_args head = {.size = 0};
    rc_spans *out = NULL;
    rc_pass_head(spec, &head);
    must(rc_spans_open(path, true, &head, &out, &err));
    rc_status st = rc_staged_spans(spec, how, out, end, &err);
    must(rc_spans_close(out, st, &err));
}

static void draw(const char *file, const char *const *sets, size_t count, bool unfold, drawn *x) {
    char name[512];
    snprintf(name, sizeof name, "%s/scenarios/%s", getenv("RC_SOURCE_DIR"), file);
    must(rc_scenario_load(name, sets, count, &x->scenario, &err));
    must(rc_costs_open(NULL, &x->scenario.machine, &x->costs, &err));
    rc_spec spec = rc_scenario_spec(&x->scenario, x->costs);
    rc_forward_ctx *ctx = rc_forward_ctx_create();
    spec.unfold = unfold;
    must(rc_staged_run(ctx, &spec, &x->scenario.staging, &x->forecast, &err));
    rc_forward_ctx_destroy(ctx);
    draw_file(&spec, &x->scenario.staging, &x->end);
    x->root = spans_of(path);
    x->totals = spans_check(x->root);
}

static void done(drawn *x) {
    json_decref(x->root);
    rc_costs_close(x->costs);
    rc_scenario_free(&x->scenario);
}

static void same_time(double seconds, int64_t ps) {
    double off = seconds * RC_PS_PER_S - (double)ps;
    if (fabs(off) > 1.0 + 1e-9 * (double)ps)
        fail_msg("%.3f ps are not %lld ps", seconds * RC_PS_PER_S, (long long)ps);
}

/* Of a part; spans of the host have the names of what it does. */
static int64_t part_sum(const json_t *sums, rc_part p) {
    if (p != RC_P_HOST)
        return json_integer_value(json_object_get(sums, rc_part_name(p)));
    return json_integer_value(json_object_get(sums, "launch")) +
           json_integer_value(json_object_get(sums, "ring step"));
}

/* One pass, which is neither in chunks nor in stages. */
static void account(const drawn *x) {
    const rc_forward *r = &x->forecast;
    assert_int_equal(x->end, r->ticks);
    assert_int_equal(x->totals.end, r->ticks / 1000);
    json_t *own = spans_sums(x->root, 0, false), *path_of = spans_sums(x->root, -1, true);
    int64_t critical = 0;
    for (int p = 0; p < RC_P_COUNT; p++) {
        int64_t waited = part_sum(path_of, (rc_part)p);
        if (p != RC_P_ALL2ALL) /* its messages overlap: a forecast counts their union */
            same_time(r->busy[p], part_sum(own, (rc_part)p));
        same_time(r->critical[p], waited);
        critical += waited;
    }
    assert_int_equal(critical, r->ticks);
    json_decref(own);
    json_decref(path_of);
}

static void test_schedules(void **state) {
    (void)state;
    static const char *const sets[] = {"parallel.variant=pass-kv",       "parallel.variant=pass-q",
                                       "parallel.variant=all-gather-kv", "parallel.variant=ulysses",
                                       "parallel.variant=pcp",           "host=graph"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const char *const both[] = {"model=llama-3.1-8b", sets[i]};
        drawn x;
        draw("paper/cp4-partial-6400.yaml", both, 2, false, &x);
        account(&x);
        assert_true(x.totals.spans > 2000);
        assert_true(i > 2 || x.totals.flows > 0);
        done(&x);
    }
}

static void test_phases(void **state) {
    (void)state;
    static const char *const files[] = {"paper/cp2-8k-decode.yaml", "paper/tp16-128k-decode.yaml",
                                        "paper/tp8-8k.yaml"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        drawn x;
        draw(files[i], &small, 1, false, &x);
        account(&x);
        done(&x);
    }
}

static void test_every_gpu(void **state) {
    (void)state;
    drawn x;
    draw("paper/cp2-8k.yaml", &small, 1, true, &x);
    account(&x);
    assert_int_equal(spans_sum(x.root, 15, "attention"), spans_sum(x.root, 8, "attention"));
    done(&x);
}

/* A counter has one value at a moment, and at the end of a forecast no link is loaded. */
static void test_moments(void **state) {
    (void)state;
    enum { GPUS = 4 };
    static const char *const sides[] = {"link out, GB/s", "link in, GB/s"};
    drawn x;
    draw("paper/cp4-partial-6400.yaml", &small, 1, false, &x);
    for (int side = 0; side < 2; side++) {
        int64_t last[GPUS] = {-1, -1, -1, -1};
        double load[GPUS] = {-1.0, -1.0, -1.0, -1.0};
        const json_t *e;
        size_t i;
        json_array_foreach(json_object_get(x.root, "traceEvents"), i, e) {
            if (strcmp(span_string(e, "ph"), "C") != 0 ||
                strcmp(span_string(e, "name"), sides[side]) != 0)
                continue;
            const int64_t gpu = span_int(e, "pid"), at = span_ns(e, "ts");
            assert_true(gpu >= 0 && gpu < GPUS);
            if (at <= last[gpu])
                fail_msg("%s of %d: two values at %lld ns", sides[side], (int)gpu, (long long)at);
            last[gpu] = at;
            load[gpu] = json_number_value(json_object_get(json_object_get(e, "args"), "value"));
        }
        for (int gpu = 0; gpu < GPUS; gpu++)
            assert_true(last[gpu] > 0 && load[gpu] == 0.0);
    }
    done(&x);
}

/* A GPU on a network has a clock and SMs to share: the counters are there. */
static void test_counters(void **state) {
    (void)state;
    drawn x;
    draw("paper/cp4-partial-6400.yaml", &small, 1, false, &x);
    double most = 0.0;
    const json_t *e;
    size_t i;
    json_array_foreach(json_object_get(x.root, "traceEvents"), i, e) {
        if (strcmp(span_string(e, "ph"), "C") != 0 ||
            strcmp(span_string(e, "name"), "link out, GB/s") != 0)
            continue;
        double v = json_number_value(json_object_get(json_object_get(e, "args"), "value"));
        most = v > most ? v : most;
    }
    assert_true(most > 0.0);
    assert_true(most * 1e9 <= x.scenario.machine.nic_line_rate * (1.0 + 1e-9));
    done(&x);
}

/* Chunks follow one another, stages hand over: the last one ends when the forecast does. */
static void test_staged(void **state) {
    (void)state;
    static const char *const sets[] = {"tokens.new=16384", "chunk=4096", "parallel.pp=2"};
    drawn x;
    draw("paper/tp8-8k.yaml", sets, 3, false, &x);
    assert_int_equal(x.end, x.forecast.ticks);
    assert_int_equal(x.totals.end, x.forecast.ticks / 1000);
    assert_int_equal(x.totals.flows, 4); /* one a chunk, and no ring */
    int64_t attention = spans_sum(x.root, 0, "attention") + spans_sum(x.root, 1, "attention");
    same_time(x.forecast.busy[RC_P_ATTENTION], attention);
    done(&x);
}

static void test_same_bytes(void **state) {
    (void)state;
    size_t n[2];
    drawn x;
    draw("paper/cp2-8k.yaml", &small, 1, false, &x);
    char *first = span_text(path, &n[0]);
    rc_spec spec = rc_scenario_spec(&x.scenario, x.costs);
    draw_file(&spec, &x.scenario.staging, &x.end);
    char *second = span_text(path, &n[1]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(first, second, n[0]);
    free(first);
    free(second);
    done(&x);
}

/* A GPU is called by its number; where it stands for its rank's by the rank, and by how many there are. */
static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *tp;
        bool unfold;
        const char *names[4];
    } t[] = {{"parallel.tp=1", false, {"GPU 0", "GPU 1", NULL}},
             {"parallel.tp=2",
              false,
              {"rank 0 (each of its 2 GPUs)", "rank 1 (each of its 2 GPUs)", NULL}},
             {"parallel.tp=4",
              false,
              {"rank 0 (each of its 4 GPUs)", "rank 1 (each of its 4 GPUs)", NULL}},
             {"parallel.tp=2",
              true,
              {"GPU 0 (rank 0)", "GPU 1 (rank 0)", "GPU 2 (rank 1)", "GPU 3 (rank 1)"}}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *const sets[] = {small, t[i].tp};
        size_t k, seen = 0;
        json_t *e;
        drawn x;
        draw("paper/cp2-8k.yaml", sets, 2, t[i].unfold, &x);
        json_array_foreach(json_object_get(x.root, "traceEvents"), k, e) {
            if (strcmp(span_string(e, "name"), "process_name") != 0)
                continue;
            assert_true(seen < 4 && t[i].names[seen]);
            assert_string_equal(span_string(json_object_get(e, "args"), "name"),
                                t[i].names[seen++]);
        }
        assert_true(seen == 4 || !t[i].names[seen]);
        done(&x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),  cmocka_unit_test(test_phases),
        cmocka_unit_test(test_every_gpu),  cmocka_unit_test(test_counters),
        cmocka_unit_test(test_moments),    cmocka_unit_test(test_staged),
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
