/* The timelines of served traces: as many passes as were counted, as long as replicas were busy; a
 * phase for each part of each request's life; KV that moves has a sender and a receiver.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "tests/support/serve_rows.h"
#include "tests/support/span_check.h"

static char path[] = "/tmp/test_serve_spans_XXXXXX";
static rc_error err;
static rc_serve_result result;

static int setup(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int teardown(void **state) {
    (void)state;
    return unlink(path);
}

#define COSTS "costs: {prefill: 5ms, prefill_token: 10us, decode: 8ms, decode_sequence: 200us}\n"
#define SYNTHETIC                                                                                  \
    "synthetic: {requests: 300, rate: 20, input: {kind: exponential, mean: 900}, output: "         \
    "{kind: exponential, mean: 12}}\n"

static rc_served *serve(const char *text, json_t **root, span_totals *totals) {
    rc_span_args head = {.size = 0};
    rc_serve_options o = {.seed = 7};
    rc_served *rows = NULL;
    assert_int_equal(rc_spans_open(path, true, &head, &o.spans, &err), RC_OK);
    rc_status st = serve_text(text, o, &result, &rows, &err);
    st = rc_spans_close(o.spans, st, &err);
    if (st != RC_OK)
        fail_msg("%s", err.msg);
    *root = spans_of(path);
    *totals = spans_check(*root);
    return rows;
}

static void check_passes(const json_t *root) {
    static const char *const names[] = {"prefill", "decode", "mixed"};
    double busy = 0.0;
    json_t *sums = spans_sums(root, -1, false);
    for (int i = 0; i < 3; i++)
        busy += (double)json_integer_value(json_object_get(sums, names[i])) / 1e12;
    json_decref(sums);
    for (int i = 0; i < result.pool_count; i++)
        busy -= result.pools[i].busy_s;
    assert_true(fabs(busy) < 1e-6);
}

static size_t passes(void) {
    size_t n = 0;
    for (int i = 0; i < result.pool_count; i++)
        n += result.pools[i].prefill_passes + result.pools[i].decode_passes +
             result.pools[i].mixed_passes;
    return n;
}

/* When the phases of a request begin and end, in ns, and how many there are. */
static size_t life_of(const json_t *root, int64_t number, int64_t at[4]) {
    const json_t *e;
    size_t i, n = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        const char *ph = span_string(e, "ph");
        if ((strcmp(ph, "b") != 0 && strcmp(ph, "e") != 0) || span_int(e, "id") != number)
            continue;
        if (ph[0] == 'b')
            at[n++] = span_ns(e, "ts");
        else
            at[n] = span_ns(e, "ts");
    }
    return n;
}

static void test_mixed(void **state) {
    (void)state;
    json_t *root;
    span_totals x;
    rc_served *rows =
        serve(SERVE_HEAD "pools: [{name: one, replicas: 3, tp: 8}]\n" COSTS SYNTHETIC, &root, &x);
    check_passes(root);
    assert_int_equal(x.spans, passes());
    assert_int_equal(x.flows, 0);
    assert_true(x.counters > 100);
    for (int64_t j = 0; j < 300; j += 37) {
        int64_t at[4];
        size_t n = life_of(root, j, at);
        assert_int_equal(n, 3);
        assert_int_equal(at[0], rows[j].arrived / 1000);
        assert_int_equal(at[1], rows[j].started / 1000);
        assert_int_equal(at[2], rows[j].first / 1000);
        assert_int_equal(at[3], rows[j].end / 1000);
    }
    free(rows);
    json_decref(root);
}

/* A node of 8 GPUs sends no faster than their line rate, 46 GB/s each, and all links are idle at the end. */
static void check_links(const json_t *root) {
    double most = 0.0, last[4] = {0.0};
    const json_t *e;
    size_t i;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        if (strcmp(span_string(e, "ph"), "C") != 0 ||
            strncmp(span_string(e, "name"), "link", 4) != 0)
            continue;
        double v = json_number_value(json_object_get(json_object_get(e, "args"), "value"));
        most = v > most ? v : most;
        last[span_int(e, "pid")] = v;
    }
    assert_true(most > 0.0 && most <= 8.0 * 46.0 * (1.0 + 1e-3));
    for (int p = 0; p < 4; p++)
        assert_true(last[p] == 0.0);
}

static void test_pools_apart(void **state) {
    (void)state;
    json_t *root;
    span_totals x;
    rc_served *rows = serve(SERVE_HEAD "pools: [{name: p, replicas: 2, role: prefill, tp: 8}, "
                                       "{name: d, role: decode, tp: 8}]\n" COSTS SYNTHETIC,
                            &root, &x);
    check_passes(root);
    assert_true(x.flows > 200);
    check_links(root);
    assert_int_equal(x.spans, passes() + 2 * x.flows);
    free(rows);
    json_decref(root);
}

/* A pass that a fault cuts short ends there, and so does KV on its way. */
static void test_faults(void **state) {
    (void)state;
    json_t *root;
    span_totals x;
    rc_served *rows =
        serve(SERVE_HEAD "pools: [{name: p, replicas: 2, role: prefill, tp: 8}, {name: d, "
                         "role: decode, replicas: 2, tp: 8}]\n"
                         "faults: [{kind: node-lost, pool: d, replica: 1, at: 3s, back: 5s}, "
                         "{kind: node-lost, pool: p, at: 6s, back: 7s}]\n"
                         "costs: {prefill: 80ms, prefill_token: 10us, decode: 40ms}\n" SYNTHETIC,
              &root, &x);
    check_passes(root);
    assert_true(result.retried > 0);
    free(rows);
    json_decref(root);
}

/* One that is turned away has no phase but its wait. */
static void test_rejected(void **state) {
    (void)state;
    json_t *root;
    span_totals x;
    rc_served *rows = serve(SERVE_HEAD "pools: [{name: one, tp: 8}]\n"
                                       "scheduler: {max_waiting: 1}\n"
                                       "costs: {prefill: 1s, decode: 1s}\n" SYNTHETIC,
                            &root, &x);
    assert_true(result.rejected > 0);
    assert_true(x.phases < 900);
    for (int64_t j = 0; j < 300; j++)
        if (rows[j].outcome == RC_REJECTED) {
            int64_t at[4];
            assert_int_equal(life_of(root, j, at), 1);
            break;
        }
    free(rows);
    json_decref(root);
}

/* What the timeline calls a row: the name of the process, or of its thread. */
static const char *name_of(const json_t *root, const char *what, int64_t process, int64_t thread) {
    const json_t *e;
    size_t i;
    json_array_foreach(
        json_object_get(root, "traceEvents"), i,
        e) if (strcmp(span_string(e, "ph"), "M") == 0 &&
               strcmp(span_string(e, "name"), what) == 0 && span_int(e, "pid") == process &&
               (thread < 0 ||
                span_int(e, "tid") ==
                    thread)) return json_string_value(json_object_get(json_object_get(e, "args"),
                                                                      "name"));
    return "";
}

/* Rows of passes by their names: each stage of each replica has one, under its replica. */
static size_t rows_of_passes(const json_t *root, int64_t process) {
    const json_t *e;
    size_t i, n = 0;
    json_array_foreach(json_object_get(root, "traceEvents"), i,
                       e) if (strcmp(span_string(e, "ph"), "M") == 0 &&
                              strcmp(span_string(e, "name"), "thread_name") == 0 &&
                              span_int(e, "pid") == process) {
        char want[32];
        const char *is = json_string_value(json_object_get(json_object_get(e, "args"), "name"));
        (void)snprintf(want, sizeof want, "passes, stage %zu", n);
        if (strcmp(is, want) == 0 || strcmp(is, "passes") == 0)
            n++;
    }
    return n;
}

static void test_names(void **state) {
    (void)state;
    json_t *root;
    span_totals x;
    free(serve(SERVE_HEAD "pools: [{name: deep, replicas: 2, tp: 4, pp: 2}]\n" COSTS SYNTHETIC,
               &root, &x));
    for (int64_t i = 1; i <= 2; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, "deep %d (mixed, CP1 x TP4 x PP2)", (int)i - 1);
        assert_string_equal(name_of(root, "process_name", i, -1), want);
        assert_int_equal(rows_of_passes(root, i), 2);
    }
    assert_int_equal(rows_of_passes(root, 0) + rows_of_passes(root, 3), 0);
    json_decref(root);
    free(
        serve(SERVE_HEAD "pools: [{name: flat, replicas: 2, tp: 8}]\n" COSTS SYNTHETIC, &root, &x));
    for (int64_t i = 1; i <= 2; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, "flat %d (mixed, CP1 x TP8)", (int)i - 1);
        assert_string_equal(name_of(root, "process_name", i, -1), want);
        assert_int_equal(rows_of_passes(root, i), 1);
    }
    json_decref(root);
}

static void test_same_bytes(void **state) {
    (void)state;
    char *text[2];
    size_t n[2];
    for (int i = 0; i < 2; i++) {
        json_t *root;
        span_totals x;
        free(serve(SERVE_HEAD "pools: [{name: one, replicas: 3, tp: 8}]\n" COSTS SYNTHETIC, &root,
                   &x));
        json_decref(root);
        text[i] = span_text(path, &n[i]);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
    free(text[0]);
    free(text[1]);
}

/* Requests that are made while they are served go through one cluster where there is a timeline: the
 * same one for any number of threads. */
static void test_streams(void **state) {
    (void)state;
    char *text[2];
    size_t n[2];
    rc_serve *s = malloc(sizeof *s);
    assert_non_null(s);
    assert_int_equal(serve_parse(SERVE_HEAD "pools: [{name: one, replicas: 64, tp: 1}]\n"
                                            "routing: round-robin\n" COSTS
                                            "synthetic: {requests: 2000, rate: 500, input: {kind: "
                                            "constant, mean: 500}, output: {kind: constant, mean: "
                                            "3}}\n",
                                 s, &err),
                     RC_OK);
    assert_true(rc_serve_streams(s));
    for (int i = 0; i < 2; i++) {
        rc_span_args head = {.size = 0};
        rc_serve_options o = {.seed = 7, .threads = i + 1, .quiet = true};
        assert_int_equal(rc_spans_open(path, true, &head, &o.spans, &err), RC_OK);
        rc_status st = rc_serve_stream(s, 0.0, &o, &result, &err);
        assert_int_equal(rc_spans_close(o.spans, st, &err), RC_OK);
        text[i] = span_text(path, &n[i]);
        json_t *root = spans_of(path);
        assert_int_equal(spans_check(root).spans, passes());
        json_decref(root);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
    free(text[0]);
    free(text[1]);
    free(s);
}

/* ---- worked out by hand ---------------------------------------------------------------- */

/* What happens in a run, an event a line without its quotes; names of processes and threads are left out. */
static void events(const char *text, const char *requests, const char *want) {
    rc_span_args head = {.size = 0};
    rc_serve_options o = {.seed = 1};
    size_t n;
    assert_int_equal(rc_spans_open(path, true, &head, &o.spans, &err), RC_OK);
    free(serve_rows(text, requests, o, &result));
    assert_int_equal(rc_spans_close(o.spans, RC_OK, &err), RC_OK);
    char *all = span_text(path, &n), *line = strstr(all, "[\n"), *to = all;
    assert_non_null(line);
    for (all[n - 4] = '\0', line += 2;
         *line;) { /* without the ends of the list and of the document */
        const size_t length = strcspn(line, "\n"), more = line[length] == '\n';
        const size_t comma = more && line[length - 1] == ',';
        const bool names = strncmp(line, "{\"ph\":\"M\"", 9) == 0;
        for (size_t i = 0; i < length - comma && !names; i++)
            if (line[i] != '"')
                *to++ = line[i];
        if (!names)
            *to++ = '\n';
        line += length + more;
    }
    *to = '\0';
    if (strcmp(all, want) != 0)
        fail_msg("%s", all);
    free(all);
}

/* The run of test_chunked (test_serve_worked.c): 100 ms for 100 tokens of A; 100 for 50 of A and 50 of B; 41 for the last 30 of
 * B beside A's step; 12 for a step of both. B waits for the
 * first. A holds 10 blocks of 16 for its 150 tokens and the first of its reply, B 6. */
static void test_worked_passes(void **state) {
    (void)state;
    events(
        SERVE_HEAD "pools: [{name: one, tp: 8}]\n"
                   "scheduler: {policy: chunked, budget: 100}\nkv: {tokens: 10000}\n"
                   "costs: {prefill_token: 1ms, decode: 10ms, decode_sequence: 1ms}\n",
        "0,150,3\n0,80,2\n",
        "{ph:C,pid:1,tid:0,ts:0.000,name:KV in use, tokens,args:{value:160}}\n"
        "{ph:C,pid:1,tid:0,ts:0.000,name:queued requests,args:{value:1}}\n"
        "{ph:C,pid:0,tid:0,ts:0.000,name:waiting requests,args:{value:1}}\n"
        "{ph:X,pid:1,tid:1,ts:0.000,dur:99999.9999,name:prefill,cat:pass,args:{ps:100000000000,"
        "prompts:1,T:100,P:0,variant:tp,cp:1,rests_on:stated,share:1}}\n"
        "{ph:C,pid:1,tid:0,ts:100000.000,name:queued requests,args:{value:0}}\n"
        "{ph:C,pid:1,tid:0,ts:100000.000,name:KV in use, tokens,args:{value:256}}\n"
        "{ph:C,pid:0,tid:0,ts:100000.000,name:waiting requests,args:{value:0}}\n"
        "{ph:X,pid:1,tid:1,ts:100000.000,dur:99999.9999,name:prefill,cat:pass,args:{ps:"
        "100000000000,prompts:2,T:100,P:100,variant:tp,cp:1,rests_on:stated,share:1}}\n"
        "{ph:C,pid:1,tid:0,ts:200000.000,name:running sequences,args:{value:1}}\n"
        "{ph:C,pid:0,tid:0,ts:200000.000,name:running requests,args:{value:1}}\n"
        "{ph:X,pid:1,tid:1,ts:200000.000,dur:40999.9999,name:mixed,cat:pass,args:{ps:41000000000,"
        "prompts:1,T:30,P:50,variant:tp,cp:1,decodes:1,context:150,rests_on:stated,share:1}}\n"
        "{ph:C,pid:1,tid:0,ts:241000.000,name:running sequences,args:{value:2}}\n"
        "{ph:C,pid:0,tid:0,ts:241000.000,name:running requests,args:{value:2}}\n"
        "{ph:X,pid:1,tid:1,ts:241000.000,dur:11999.9999,name:decode,cat:pass,args:{ps:12000000000,"
        "decodes:2,context:231,rests_on:stated,share:1}}\n"
        "{ph:b,pid:0,tid:0,ts:0.000,id:0,cat:request,name:queued,args:{input:150,cached:0,output:3,"
        "outcome:done}}\n"
        "{ph:e,pid:0,tid:0,ts:0.000,id:0,cat:request,name:queued}\n"
        "{ph:b,pid:0,tid:0,ts:0.000,id:0,cat:request,name:prefill}\n"
        "{ph:e,pid:0,tid:0,ts:200000.000,id:0,cat:request,name:prefill}\n"
        "{ph:b,pid:0,tid:0,ts:200000.000,id:0,cat:request,name:decode}\n"
        "{ph:e,pid:0,tid:0,ts:253000.000,id:0,cat:request,name:decode}\n"
        "{ph:b,pid:0,tid:0,ts:0.000,id:1,cat:request,name:queued,args:{input:80,cached:0,output:2,"
        "outcome:done}}\n"
        "{ph:e,pid:0,tid:0,ts:100000.000,id:1,cat:request,name:queued}\n"
        "{ph:b,pid:0,tid:0,ts:100000.000,id:1,cat:request,name:prefill}\n"
        "{ph:e,pid:0,tid:0,ts:241000.000,id:1,cat:request,name:prefill}\n"
        "{ph:b,pid:0,tid:0,ts:241000.000,id:1,cat:request,name:decode}\n"
        "{ph:e,pid:0,tid:0,ts:253000.000,id:1,cat:request,name:decode}\n"
        "{ph:C,pid:1,tid:0,ts:253000.000,name:running sequences,args:{value:0}}\n"
        "{ph:C,pid:1,tid:0,ts:253000.000,name:KV in use, tokens,args:{value:0}}\n"
        "{ph:C,pid:0,tid:0,ts:253000.000,name:running requests,args:{value:0}}\n");
}

/* The run of test_moves: two prompts of a second each on replicas of their own leave together for one that decodes, 13.1072 GB
 * each, the first alone at the 36 GB/s of each of its 8 GPUs, both within the line rate of the other side, 8 x 46 GB/s; steps of
 * 11, 12 and 11 ms follow. */
static void test_worked_moves(void **state) {
    (void)state;
    events(SERVE_HEAD "pools: [{name: p, role: prefill, tp: 8, replicas: 2}, "
                      "{name: d, role: decode, tp: 8}]\nkv: {tokens: 1000000}\n"
                      "costs: {prefill_token: 10us, decode: 10ms, decode_sequence: 1ms}\n",
           "0,100000,3\n0,100000,3\n",
           "{ph:C,pid:1,tid:0,ts:0.000,name:KV in use, tokens,args:{value:100016}}\n"
           "{ph:C,pid:2,tid:0,ts:0.000,name:KV in use, tokens,args:{value:100016}}\n"
           "{ph:X,pid:1,tid:1,ts:0.000,dur:999999.9999,name:prefill,cat:pass,args:{ps:"
           "1000000000000,prompts:1,T:100000,P:0,variant:tp,cp:1,rests_on:stated,share:1}}\n"
           "{ph:C,pid:1,tid:0,ts:1000000.000,name:link out, GB/s,args:{value:288}}\n"
           "{ph:C,pid:3,tid:0,ts:1000000.000,name:link in, GB/s,args:{value:288}}\n"
           "{ph:C,pid:3,tid:0,ts:1000000.000,name:KV in use, tokens,args:{value:100016}}\n"
           "{ph:X,pid:2,tid:1,ts:0.000,dur:999999.9999,name:prefill,cat:pass,args:{ps:"
           "1000000000000,prompts:1,T:100000,P:0,variant:tp,cp:1,rests_on:stated,share:1}}\n"
           "{ph:C,pid:1,tid:0,ts:1000000.000,name:link out, GB/s,args:{value:184}}\n"
           "{ph:C,pid:2,tid:0,ts:1000000.000,name:link out, GB/s,args:{value:184}}\n"
           "{ph:C,pid:3,tid:0,ts:1000000.000,name:link in, GB/s,args:{value:368}}\n"
           "{ph:C,pid:3,tid:0,ts:1000000.000,name:KV in use, tokens,args:{value:200032}}\n"
           "{ph:X,pid:1,tid:10,ts:1000000.000,dur:71251.7819,name:KV,cat:message,args:{ps:"
           "71251782609,request:0,bytes:1.31072e+10}}\n"
           "{ph:X,pid:3,tid:100000,ts:1000000.000,dur:71251.7819,name:KV,cat:message,args:{ps:"
           "71251782609,request:0,bytes:1.31072e+10}}\n"
           "{ph:s,pid:1,tid:10,ts:1000000.000,id:0,cat:flow,name:KV}\n"
           "{ph:f,pid:3,tid:100000,ts:1071251.781,id:0,cat:flow,name:KV,bp:e}\n"
           "{ph:C,pid:1,tid:0,ts:1071251.782,name:link out, GB/s,args:{value:0}}\n"
           "{ph:C,pid:2,tid:0,ts:1071251.782,name:link out, GB/s,args:{value:288}}\n"
           "{ph:C,pid:3,tid:0,ts:1071251.782,name:link in, GB/s,args:{value:288}}\n"
           "{ph:C,pid:1,tid:0,ts:1071251.782,name:KV in use, tokens,args:{value:0}}\n"
           "{ph:C,pid:3,tid:0,ts:1071251.782,name:running sequences,args:{value:1}}\n"
           "{ph:C,pid:0,tid:0,ts:1071251.782,name:running requests,args:{value:1}}\n"
           "{ph:X,pid:2,tid:10,ts:1000000.000,dur:71251.7819,name:KV,cat:message,args:{ps:"
           "71251782609,request:1,bytes:1.31072e+10}}\n"
           "{ph:X,pid:3,tid:100001,ts:1000000.000,dur:71251.7819,name:KV,cat:message,args:{ps:"
           "71251782609,request:1,bytes:1.31072e+10}}\n"
           "{ph:s,pid:2,tid:10,ts:1000000.000,id:1,cat:flow,name:KV}\n"
           "{ph:f,pid:3,tid:100001,ts:1071251.781,id:1,cat:flow,name:KV,bp:e}\n"
           "{ph:C,pid:2,tid:0,ts:1071251.782,name:link out, GB/s,args:{value:0}}\n"
           "{ph:C,pid:3,tid:0,ts:1071251.782,name:link in, GB/s,args:{value:0}}\n"
           "{ph:C,pid:2,tid:0,ts:1071251.782,name:KV in use, tokens,args:{value:0}}\n"
           "{ph:X,pid:3,tid:1,ts:1071251.782,dur:10999.9999,name:decode,cat:pass,args:{ps:"
           "11000000000,decodes:1,context:100000,rests_on:stated,share:1}}\n"
           "{ph:C,pid:3,tid:0,ts:1082251.782,name:running sequences,args:{value:2}}\n"
           "{ph:C,pid:0,tid:0,ts:1082251.782,name:running requests,args:{value:2}}\n"
           "{ph:X,pid:3,tid:1,ts:1082251.782,dur:11999.9999,name:decode,cat:pass,args:{ps:"
           "12000000000,decodes:2,context:200001,rests_on:stated,share:1}}\n"
           "{ph:b,pid:0,tid:0,ts:0.000,id:0,cat:request,name:queued,args:{input:100000,cached:0,"
           "output:3,outcome:done}}\n"
           "{ph:e,pid:0,tid:0,ts:0.000,id:0,cat:request,name:queued}\n"
           "{ph:b,pid:0,tid:0,ts:0.000,id:0,cat:request,name:prefill}\n"
           "{ph:e,pid:0,tid:0,ts:1000000.000,id:0,cat:request,name:prefill}\n"
           "{ph:b,pid:0,tid:0,ts:1000000.000,id:0,cat:request,name:decode}\n"
           "{ph:e,pid:0,tid:0,ts:1094251.782,id:0,cat:request,name:decode}\n"
           "{ph:C,pid:3,tid:0,ts:1094251.782,name:running sequences,args:{value:1}}\n"
           "{ph:C,pid:3,tid:0,ts:1094251.782,name:KV in use, tokens,args:{value:100016}}\n"
           "{ph:C,pid:0,tid:0,ts:1094251.782,name:running requests,args:{value:1}}\n"
           "{ph:X,pid:3,tid:1,ts:1094251.782,dur:10999.9999,name:decode,cat:pass,args:{ps:"
           "11000000000,decodes:1,context:100001,rests_on:stated,share:1}}\n"
           "{ph:b,pid:0,tid:0,ts:0.000,id:1,cat:request,name:queued,args:{input:100000,cached:0,"
           "output:3,outcome:done}}\n"
           "{ph:e,pid:0,tid:0,ts:0.000,id:1,cat:request,name:queued}\n"
           "{ph:b,pid:0,tid:0,ts:0.000,id:1,cat:request,name:prefill}\n"
           "{ph:e,pid:0,tid:0,ts:1000000.000,id:1,cat:request,name:prefill}\n"
           "{ph:b,pid:0,tid:0,ts:1000000.000,id:1,cat:request,name:decode}\n"
           "{ph:e,pid:0,tid:0,ts:1105251.782,id:1,cat:request,name:decode}\n"
           "{ph:C,pid:3,tid:0,ts:1105251.782,name:running sequences,args:{value:0}}\n"
           "{ph:C,pid:3,tid:0,ts:1105251.782,name:KV in use, tokens,args:{value:0}}\n"
           "{ph:C,pid:0,tid:0,ts:1105251.782,name:running requests,args:{value:0}}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_passes), cmocka_unit_test(test_worked_moves),
        cmocka_unit_test(test_mixed),         cmocka_unit_test(test_pools_apart),
        cmocka_unit_test(test_faults),        cmocka_unit_test(test_rejected),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
