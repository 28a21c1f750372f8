/* Runs of a server that is made up, whose times are known multiples of the cost model's: what is
 * measured is found again, errors are the factors, and a file that is not of the run is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/serving_run.h"

static char root[] = "/tmp/rc_beside_XXXXXX", dir[64];
static rc_error err;
static rc_beside_run run;

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(root))
        return -1;
    (void)snprintf(dir, sizeof dir, "%s/made-up", root);
    return mkdir(dir, 0700);
}

static int tear_down(void **state) {
    static const char *const names[] = {"/made-up/scenario.yaml", "/made-up/passes.csv", "/made-up",
                                        ""};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s%s", root, names[i]);
        (void)remove(path);
    }
    return 0;
}

/* Play and write the folder. */
static serving_player server(double prompts, double mixed, double decodes, double host) {
    serving_player p = {.factor = {prompts, mixed, decodes}, .host = host};
    assert_true(serving_text(dir, "scenario.yaml", SERVING_RUN));
    if (serving_play(SERVING_RUN, &p, &err) != RC_OK || serving_log(dir, &p.log, &err) != RC_OK)
        fail_msg("%s", err.msg);
    assert_true(p.log.count > 100);
    return p;
}

static void read_run(void) {
    if (rc_beside_read(dir, NULL, &run, &err) != RC_OK)
        fail_msg("%s: %s", err.file, err.msg);
}

static void refused(rc_status st, const char *words) {
    char text[1200];
    assert_int_equal(rc_beside_read(dir, NULL, &run, &err), st);
    rc_error_text(&err, text, sizeof text);
    if (!strstr(text, words))
        fail_msg("\"%s\" lacks \"%s\"", text, words);
    rc_beside_free(&run);
}

static bool near(double a, double b, double by) {
    return fabs(a - b) <= by;
}

/* A server that is as the model says: no error anywhere, in any way. */
static void test_alike(void **state) {
    (void)state;
    serving_player p = server(1.0, 1.0, 1.0, 0.002);
    read_run();
    assert_int_equal(run.log.count, p.log.count);
    assert_string_equal(run.name, "made-up");
    assert_int_equal(run.set, RC_SET_SEEN);
    assert_true(run.play[RC_BESIDE_MEASURED].ttft.count == 60);
    assert_int_equal(run.play[RC_BESIDE_MEASURED].hit_tokens,
                     run.play[RC_BESIDE_FORECAST].hit_tokens);
    for (int way = 0; way < RC_BESIDE_TAUGHT; way++)
        for (int m = 0; m < RC_BESIDE_METRICS; m++)
            assert_true(
                near(rc_beside_error(&run, (rc_beside_way)way, (rc_beside_metric)m), 0.0, 1e-9));
    rc_beside_free(&run);
    rc_played_log_free(&p.log);
}

/* Factors of kinds are the errors of kinds; what the host takes is found; with both put right only
 * rounding is left, for factors are the same for every pass of a kind. */
static void test_factors(void **state) {
    (void)state;
    static const double factor[RC_BESIDE_KINDS] = {1.25, 0.8, 1.1};
    serving_player p = server(factor[0], factor[1], factor[2], 0.003);
    read_run();
    for (int k = 0; k < RC_BESIDE_KINDS; k++) {
        rc_beside_spread s;
        const double error = 100.0 * (1.0 / factor[k] - 1.0);
        assert_int_equal(rc_beside_kind_spread(&run, (rc_beside_kind)k, &s, &err), RC_OK);
        assert_true(s.passes > 0);
        assert_true(near(s.bias, error, 1e-6));
        assert_true(near(s.median, fabs(error), 1e-6) && near(s.p95, fabs(error), 1e-6));
    }
    assert_true(near(run.host_mean, 0.003, 1e-12) && near(run.host_stated, 0.002, 1e-12));
    assert_true(fabs(rc_beside_error(&run, RC_BESIDE_FORECAST, RC_BESIDE_TTFT_P95)) > 0.5);
    for (int m = 0; m < RC_BESIDE_METRICS; m++)
        assert_true(
            near(rc_beside_error(&run, RC_BESIDE_GPU_MEAN, (rc_beside_metric)m), 0.0, 1e-3));
    rc_beside_free(&run);
    rc_played_log_free(&p.log);
}

/* A run by itself is taught nothing; two that are alike teach each other all there is to know. */
static void test_taught(void **state) {
    (void)state;
    serving_player p = server(1.25, 0.8, 1.1, 0.003);
    static rc_beside_run two[2];
    const char *dirs[] = {dir, dir};
    for (int i = 0; i < 2; i++)
        assert_int_equal(rc_beside_read(dir, NULL, &two[i], &err), RC_OK);
    assert_int_equal(rc_beside_teach(two, 1, dirs, NULL, &err), RC_OK);
    assert_true(isnan(rc_beside_error(&two[0], RC_BESIDE_TAUGHT, RC_BESIDE_TTFT_P95)));
    assert_true(isnan(rc_beside_error(&two[0], RC_BESIDE_TAUGHT, RC_BESIDE_THROUGHPUT)));
    two[0].set = RC_SET_UNSEEN; /* it is taught by the other, which is taught by nobody */
    assert_int_equal(rc_beside_teach(two, 2, dirs, NULL, &err), RC_OK);
    for (int m = 0; m < RC_BESIDE_METRICS; m++) {
        assert_true(near(rc_beside_error(&two[0], RC_BESIDE_TAUGHT, (rc_beside_metric)m), 0, 1e-3));
        assert_true(isnan(rc_beside_error(&two[1], RC_BESIDE_TAUGHT, (rc_beside_metric)m)));
    }
    for (int i = 0; i < 2; i++)
        rc_beside_free(&two[i]);
    rc_played_log_free(&p.log);
}

static void test_host(void **state) {
    (void)state;
    serving_player p = server(1.0, 1.0, 1.0, 0.006);
    read_run();
    assert_true(rc_beside_error(&run, RC_BESIDE_FORECAST, RC_BESIDE_GAP_P50) < -10.0);
    for (int m = 0; m < RC_BESIDE_METRICS; m++)
        assert_true(
            near(rc_beside_error(&run, RC_BESIDE_HOST_MEAN, (rc_beside_metric)m), 0.0, 1e-6));
    rc_beside_free(&run);
    rc_played_log_free(&p.log);
}

/* ---- the least that a run can be ------------------------------------------------------------ */

#define ONE_REQUEST(tokens)                                                                        \
    "serve: one\nmodel: llama-3.1-8b\nmachine: h100-sxm\npools: [{name: p, tp: 1}]\n"              \
    "scheduler: {policy: chunked, admission: chunk, budget: 512, step: 2ms}\n"                     \
    "kv: {tokens: " tokens ", block: 16}\n"                                                        \
    "synthetic: {requests: 1, rate: 8, input: {kind: constant, mean: 300}, output: {kind: "        \
    "constant, mean: 1}}\ncosts: {prefill: 2ms, prefill_token: 50us, decode: 4ms}\n"

static serving_player serve_one(const char *text, double factor, double host) {
    serving_player p = {.factor = {factor, factor, factor}, .host = host};
    assert_true(serving_text(dir, "scenario.yaml", text));
    if (serving_play(text, &p, &err) != RC_OK || serving_log(dir, &p.log, &err) != RC_OK)
        fail_msg("%s", err.msg);
    return p;
}

/* One pass, of 17 ms by the model and a fifth more by measurement, behind 3 ms of a host that is said to take 2; its reply of one
 * token has no gap. */
static void test_one_pass(void **state) {
    (void)state;
    serving_player p = serve_one(ONE_REQUEST("8192"), 1.2, 0.003);
    assert_int_equal(p.log.count, 1);
    read_run();
    assert_true(near(run.host_mean, 0.003, 1e-12) && near(run.host_stated, 0.002, 1e-12));
    static const double ttft_ms[] = {23.4, 19.0, 20.0, 23.4};
    for (int way = 0; way < RC_BESIDE_TAUGHT; way++) {
        const rc_beside_way w = (rc_beside_way)way;
        assert_true(near(rc_beside_value(&run, w, RC_BESIDE_TTFT_P50), ttft_ms[way], 1e-9));
        assert_true(isnan(rc_beside_value(&run, w, RC_BESIDE_GAP_P50)));
    }
    rc_beside_free(&run);
    rc_played_log_free(&p.log);
}

/* A prompt that never fits: nothing is computed, nothing is measured, and nothing is made up for it. */
static void test_no_pass(void **state) {
    (void)state;
    serving_player p = serve_one(ONE_REQUEST("256"), 1.2, 0.003);
    assert_int_equal(p.log.count, 0);
    read_run();
    assert_true(run.host_mean == 0.0 && run.host_stated == 0.0);
    assert_int_equal(run.play[RC_BESIDE_MEASURED].requests, 1);
    assert_int_equal(run.play[RC_BESIDE_MEASURED].done, 0);
    for (int m = 0; m < RC_BESIDE_METRICS; m++)
        assert_true(isnan(rc_beside_value(&run, RC_BESIDE_FORECAST, (rc_beside_metric)m)));
    rc_beside_free(&run);
    rc_played_log_free(&p.log);
}

/* ---- files that are not of the run ---------------------------------------------------------- */

static void test_parts(void **state) {
    (void)state;
    serving_player p = server(1.0, 1.1, 1.0, 0.002);
    p.log.at[41].digest ^= 1;
    assert_int_equal(serving_log(dir, &p.log, &err), RC_OK);
    refused(RC_E_CHECK, "pass 42 of");
    refused(RC_E_CHECK, "its requests are not (digest)");
    p.log.at[41].digest ^= 1;
    p.log.at[6].prompt_tokens++;
    assert_int_equal(serving_log(dir, &p.log, &err), RC_OK);
    refused(RC_E_CHECK, "passes.csv: pass 7 of");
    refused(RC_E_CHECK, "its counts differ");
    p.log.at[6].prompt_tokens--;
    p.log.at[9].took++;
    assert_int_equal(serving_log(dir, &p.log, &err), RC_OK);
    refused(RC_E_CHECK, "pass 11 of");
    refused(RC_E_CHECK, "starts at another time");
    rc_played_log_free(&p.log);
}

static void test_lengths(void **state) {
    (void)state;
    serving_player p = server(1.0, 1.0, 1.2, 0.002);
    p.log.count--;
    assert_int_equal(serving_log(dir, &p.log, &err), RC_OK);
    refused(RC_E_INPUT, "and the run needs more");
    p.log.count++;
    const rc_played_row last = p.log.at[p.log.count - 1];
    assert_int_equal(rc_played_log_add(&p.log, &last, &err), RC_OK);
    assert_int_equal(serving_log(dir, &p.log, &err), RC_OK);
    refused(RC_E_INPUT, "and the run is over after");
    p.log.count = 0;
    assert_int_equal(serving_log(dir, &p.log, &err), RC_OK);
    refused(RC_E_INPUT, "it ends after 0 passes");
    rc_played_log_free(&p.log);
}

#define HEAD                                                                                       \
    "start_ps,took_ps,host_ps,prompts,prompt_tokens,decodes,context,digest,sm_mhz,power_w\n"

static void test_words(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } all[] = {{"start_ps,took_ps\n1,2\n", "passes.csv"},
               {HEAD "0,x,0,1,9,0,0,0123456789abcdef,,\n", "passes.csv:2:3: "},
               {HEAD "0,10,11,1,9,0,0,0123456789abcdef,,\n", "passes.csv:2:6: "},
               {"# a server\n" HEAD "0,10,1,1,9,0,0,0123456789abcdeg,,\n", "passes.csv:3:16: "},
               {HEAD "0,10,1,1,9,0,0,0123456789abcdef,fast,\n", "passes.csv:2:33: "}};
    assert_true(serving_text(dir, "scenario.yaml", SERVING_RUN));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(serving_text(dir, "passes.csv", all[i].text));
        refused(RC_E_INPUT, all[i].words);
    }
}

static void test_set(void **state) {
    (void)state;
    serving_player p = server(1.0, 1.0, 1.0, 0.002);
    assert_true(serving_text(dir, "scenario.yaml", "# set: unseen\n" SERVING_RUN));
    read_run();
    assert_int_equal(run.set, RC_SET_UNSEEN);
    const rc_beside_summary none =
        rc_beside_summarise(&run, 1, RC_SET_SEEN, RC_BESIDE_FORECAST, RC_BESIDE_TTFT_P50);
    assert_int_equal(none.runs, 0);
    assert_true(isnan(none.mean));
    rc_beside_free(&run);
    assert_true(serving_text(dir, "scenario.yaml", "# set: held-out\n" SERVING_RUN));
    refused(RC_E_INPUT, "scenario.yaml:1:1: \"# set: held-out\": expected seen or unseen");
    rc_played_log_free(&p.log);
}

static void test_names(void **state) {
    (void)state;
    char name[96];
    assert_int_equal(rc_beside_name("runs/azure-8b//", name, &err), RC_OK);
    assert_string_equal(name, "azure-8b");
    assert_int_equal(rc_beside_name("here", name, &err), RC_OK);
    assert_string_equal(name, "here");
    assert_int_equal(rc_beside_name("/", name, &err), RC_E_USAGE);
    assert_int_equal(rc_beside_name("", name, &err), RC_E_USAGE);
}

/* RC_SERVING_RUN=DIR: the folder that tests of the program read (tests/data/serving) is made anew. */
static void test_kept(void **state) {
    const char *kept = getenv("RC_SERVING_RUN");
    serving_player p = {.factor = {1.1, 1.05, 0.95}, .host = 0.0025};
    (void)state;
    if (!kept)
        return;
    assert_true(serving_text(kept, "scenario.yaml", "# set: unseen\n" SERVING_RUN));
    assert_int_equal(serving_play(SERVING_RUN, &p, &err), RC_OK);
    assert_int_equal(serving_log(kept, &p.log, &err), RC_OK);
    rc_played_log_free(&p.log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),    cmocka_unit_test(test_factors),
        cmocka_unit_test(test_host),     cmocka_unit_test(test_taught),
        cmocka_unit_test(test_one_pass), cmocka_unit_test(test_no_pass),
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_words),    cmocka_unit_test(test_set),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_kept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
