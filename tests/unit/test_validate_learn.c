/* What is learnt of the error of the model, from runs made by hand whose error is known.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sim/base/file.h"
#include "sim/engine/engine.h"
#include "sim/validate/learn_errors.h"

enum { HOSTS = 4, CASES = 100 };
static rc_measured_run run[HOSTS * CASES];
static rc_runs runs;
static rc_rng rng;

/* Of one layer of 10 ms or 0.1 ms, forecast with an interval of 1 %, off by up to `share` of it and
 * `layer` s, evenly. */
static void make(double share, double layer) {
    memset(run, 0, sizeof run);
    runs = (rc_runs){.v = run, .n = HOSTS * CASES, .folders = HOSTS};
    rc_rng_seed(&rng, 5);
    for (int i = 0; i < HOSTS * CASES; i++) {
        rc_measured_run *x = &run[i];
        double t = i % 2 ? 10e-3 : 0.1e-3, most = hypot(share, layer / t);
        snprintf(x->name, sizeof x->name, "c%d", i);
        snprintf(x->transport, sizeof x->transport, "nvlink");
        snprintf(runs.folder[i / CASES], sizeof runs.folder[0], "h%d", i / CASES);
        x->schedule = rc_schedule_named("pass-kv");
        x->layers = 1, x->cp = 2, x->tp = 1, x->folder = i / CASES;
        x->time[RC_BY_SIMULATION] = t;
        x->p5 = t * exp(-0.01), x->p95 = t * exp(0.01);
        x->measured = t * exp(hypot(most, 0.01) * (2.0 * rc_rng_uniform(&rng) - 1.0));
        x->set = RC_SET_SEEN;
    }
}

static void near_to(double x, double want, double within) {
    if (!(fabs(x - want) <= within))
        fail_msg("%.9g, not %.9g within %.2g", x, want, within);
}

/* Both parts come back, at a factor that holds nine runs of ten of each host. */
static void test_comes_back(void **state) {
    (void)state;
    rc_learnt l;
    rc_error err = {0};
    make(0.05, 20e-6);
    assert_int_equal(rc_runs_learn_errors(&runs, &l, &err), RC_OK);
    assert_int_equal(l.errors.n, 1);
    assert_int_equal(l.hosts, HOSTS);
    assert_int_equal(l.runs[0][0] + l.runs[0][1], HOSTS * CASES);
    assert_true(l.factor[0] >= 1.0 && l.factor[0] < 1.15);
    near_to(l.errors.of[0].share, 0.9 * 0.05 * l.factor[0], 0.003);
    near_to(l.errors.of[0].layer, 0.9 * 20e-6 * l.factor[0], 1.5e-6);
    for (int h = 0; h < HOSTS; h++) {
        assert_true(l.host[h].runs == CASES && l.host[h].held >= 90);
        assert_true(l.host[h].held_before < 50);
    }
}

/* A host that is further off than all others makes all wider: the factor rises for it. */
static void test_odd_host(void **state) {
    (void)state;
    rc_learnt even, odd;
    rc_error err = {0};
    make(0.05, 0.0);
    assert_int_equal(rc_runs_learn_errors(&runs, &even, &err), RC_OK);
    for (int i = 0; i < CASES; i++)
        run[i].measured *= exp(run[i].measured > run[i].time[0] ? 0.02 : -0.02);
    assert_int_equal(rc_runs_learn_errors(&runs, &odd, &err), RC_OK);
    assert_true(odd.factor[0] > even.factor[0] && odd.errors.of[0].share > even.errors.of[0].share);
}

/* Cases of a host that is left out teach nothing on the others; unseen runs never do. */
static void test_what_teaches(void **state) {
    (void)state;
    rc_learnt l;
    rc_error err = {0};
    make(0.05, 20e-6);
    for (int i = 0; i < HOSTS * CASES; i++)
        run[i].set = RC_SET_UNSEEN;
    assert_int_equal(rc_runs_learn_errors(&runs, &l, &err), RC_E_INPUT);
    for (int i = 0; i < CASES; i++)
        run[i].set = RC_SET_SEEN;
    assert_int_equal(rc_runs_learn_errors(&runs, &l, &err), RC_E_INPUT); /* one host */
    make(0.05, 20e-6);
    for (int i = 0; i < HOSTS * CASES; i++) { /* all hosts ran the same, one on two cards */
        snprintf(run[i].name, sizeof run[i].name, "c%d", i % CASES);
        snprintf(runs.folder[i / CASES], sizeof runs.folder[0], "h%d%s", i / CASES / 2,
                 i / CASES % 2 ? "-gpu1" : "");
    }
    assert_int_equal(rc_runs_learn_errors(&runs, &l, &err), RC_OK);
    assert_int_equal(l.hosts, 2);
    assert_int_equal(l.host[0].runs, 0); /* nobody else taught of their class */
}

/* A table is read back as it was written, widens both sides, and is refused where it is wrong. */
static void test_table(void **state) {
    (void)state;
    rc_learnt l;
    rc_model_errors back;
    rc_error err = {0};
    char path[] = "/tmp/rc_learn_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    make(0.05, 20e-6);
    assert_int_equal(rc_runs_learn_errors(&runs, &l, &err), RC_OK);
    assert_int_equal(rc_learnt_write(&l, path, true, &err), RC_OK);
    assert_int_equal(rc_model_errors_read(path, &back, &err), RC_OK);
    assert_int_equal(back.n, 1);
    near_to(back.of[0].share, l.errors.of[0].share, 1e-4);
    near_to(back.of[0].layer, l.errors.of[0].layer, 1e-7);
    assert_null(rc_model_error_find(&back, "shm", RC_PASS_PREFILL));
    assert_null(rc_model_error_find(&back, "nvlink", RC_PASS_DECODE));
    const rc_model_error *e = rc_model_error_find(&back, "nvlink", RC_PASS_PREFILL);
    assert_ptr_equal(e, &back.of[0]);
    near_to(rc_model_error_half(e, 1e-3), hypot(e->share, 1e3 * e->layer), 1e-12);
    double p5 = exp(-0.03), p95 = exp(0.04);
    rc_model_error_widen(0.04, 1.0, &p5, &p95);
    near_to(log(p5), -0.05, 1e-12);
    near_to(log(p95), 0.04 * sqrt(2.0), 1e-12);
    static const char *const wrong[] = {
        "transport,kind,share,layer_s\nnvlink,prefil,0.1,0\n",
        "transport,kind,share,layer_s\n,tp,0.1,0\n",
        "transport,kind,share,layer_s\nshm,tp,-0.1,0\n",
        "transport,kind,share,layer_s\nshm,tp,0.1,0\nshm,tp,0.1,0\n",
        "transport,kind,share\nshm,tp,0.1\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        (void)fputs(wrong[i], f);
        (void)fclose(f);
        assert_int_equal(rc_model_errors_read(path, &back, &err), RC_E_INPUT);
    }
    (void)remove(path);
}

/* What is said and written of a table made by hand: a share of 5.25 %, 12.34 us a layer; of two hosts one has no runs. */
static void test_words(void **state) {
    (void)state;
    rc_learnt l = {.n = 321, .hosts = 2};
    rc_error err = {0};
    char *text = NULL, path[] = "/tmp/rc_learnt_XXXXXX";
    size_t size = 0;
    l.errors.n = 2;
    l.errors.of[0] = (rc_model_error){.kind = RC_PASS_PREFILL, .share = 0.0525, .layer = 12.34e-6};
    (void)snprintf(l.errors.of[0].transport, sizeof l.errors.of[0].transport, "nvlink");
    l.errors.of[1] = (rc_model_error){.kind = RC_PASS_DECODE, .share = 0.01, .layer = 0.5e-6};
    (void)snprintf(l.errors.of[1].transport, sizeof l.errors.of[1].transport, "shm");
    l.factor[0] = 1.25, l.factor[1] = 1.0;
    l.runs[0][0] = 200, l.runs[0][1] = 100, l.runs[1][0] = 20, l.runs[1][1] = 1;
    (void)snprintf(l.host[0].name, sizeof l.host[0].name, "first");
    l.host[0].runs = 200, l.host[0].held_before = 104, l.host[0].held = 180;
    (void)snprintf(l.host[1].name, sizeof l.host[1].name, "second");
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(rc_learnt_print(&l, f, &err), RC_OK);
    (void)fclose(f);
    assert_string_equal(text,
                        "# error of the model by class, of 321 seen runs; classes of under 10 runs "
                        "take what their transport or all runs say\n"
                        "# transport  kind     share  a layer  factor  long runs  short runs\n"
                        "# -          -            %       us       -          -           -\n"
                        "  nvlink     prefill   5.25     12.3    1.25        200         100\n"
                        "  shm        decode    1.00      0.5    1.00         20           1\n"
                        "# each host by what the others teach, without the cases that it ran\n"
                        "# host    runs  before  in p5..p95\n"
                        "# -          -       %           %\n"
                        "  first    200      52          90\n"
                        "  second     0       -           -\n");
    free(text);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    assert_int_equal(rc_learnt_write(&l, path, false, &err), RC_E_IO);
    assert_int_equal(rc_learnt_write(&l, path, true, &err), RC_OK);
    assert_int_equal(rc_file_read(path, &text, &size, &err), RC_OK);
    assert_string_equal(
        text, "# how far forecasts of whole passes are off beyond their costs' intervals: ringcast "
              "validate --learn, 321 seen "
              "runs of 2 hosts\ntransport,kind,share,layer_s,factor,long_runs,short_runs\n"
              "nvlink,prefill,0.0525,1.23e-05,1.25,200,100\nshm,decode,0.0100,5e-07,1.00,20,1\n");
    free(text);
    assert_int_equal(unlink(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),    cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_odd_host), cmocka_unit_test(test_what_teaches),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
