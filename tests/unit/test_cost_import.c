/* What others print, as it comes: logs of several runs, behind the labels of launchers, of
 * processes that each ran alone, and excerpts. Ranks, nodes and the collective are right, or the
 * file is refused with the reason.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "tests/support/nccl_log.h"

static const nccl_job eight = {"all_reduce_perf", 8, 1, 100, 0, 2, 30.0};
static const nccl_job gather = {"all_gather_perf", 8, 1, 200, 0, 2, 20.0};
static const nccl_job sixteen = {"all_reduce_perf", 16, 2, 300, 4, 2, 60.0};

typedef struct want {
    const char *op;
    int ranks, nodes;
    double us; /* of the row of 1 MiB */
} want;

static rc_rows *imported(const nccl_log *l, const rc_import *how, rc_import_count *count) {
    rc_rows *rows = NULL;
    rc_error e = {0};
    if (log_import(l->text, l->n, how, &rows, count, &e) != RC_OK)
        fail_msg("%d: %s", e.line, e.msg);
    return rows;
}

/* The rows are those of these jobs and no others: two sizes each. */
static void expect(const nccl_log *l, const rc_import *how, const want *w, size_t jobs) {
    rc_import_count count = {0};
    rc_rows *rows = imported(l, how, &count);
    assert_int_equal(rc_rows_count(rows), 2 * jobs);
    for (size_t i = 0; i < jobs; i++) {
        size_t found = 0;
        for (size_t k = 0; k < rc_rows_count(rows); k++) {
            const rc_row *r = rc_rows_at(rows, k);
            if (strcmp(r->op, w[i].op) != 0 || r->b != w[i].ranks || r->c != w[i].nodes)
                continue;
            found++;
            assert_string_equal(r->variant, w[i].nodes > 1 ? "rdma" : "nvlink");
            assert_string_equal(r->gpu, "NVIDIA H100 80GB HBM3");
            assert_int_equal(r->samples, 20);
            assert_true(fabs(r->p50 / (1e-6 * w[i].us * (double)r->a / 1048576) - 1) < 1e-9);
        }
        assert_int_equal(found, 2);
    }
    rc_rows_free(rows);
}

static void refuse(const nccl_log *l, const rc_import *how, const char *word) {
    rc_rows *rows = NULL;
    rc_import_count count = {0};
    rc_error e = {0};
    assert_int_equal(log_import(l->text, l->n, how, &rows, &count, &e), RC_E_INPUT);
    if (!strstr(e.msg, word))
        fail_msg("refused with other words than \"%s\": %s", word, e.msg);
    rc_rows_free(rows);
}

static void several_runs(void **state) {
    static const want all[] = {
        {"all_reduce", 8, 1, 30}, {"all_gather", 8, 1, 20}, {"all_reduce", 16, 2, 60}};
    static nccl_log l;
    (void)state;
    l.n = 0;
    log_line(&l, "$ ./all_reduce_perf -b 1M -e 2M -f 2 -g 8");
    log_job(&l, &eight);
    log_line(&l, "$ ./all_gather_perf -b 1M -e 2M -f 2 -g 8");
    log_job(&l, &gather);
    log_line(&l, "mpirun -np 16 ./build/all_reduce_perf -b 1M -e 2M -f 2");
    log_job(&l, &sixteen);
    expect(&l, NULL, all, 3);
    expect(&l, &(rc_import){.machine = "lab", .op = "all_gather"}, all, 3); /* the log says it */
    refuse(&l, &(rc_import){.machine = "lab", .op = "send_recv"}, "names other tests");
    l.n = 0; /* named behind the rows only, as by versions from 2.13 on */
    log_job(&l, &eight);
    log_line(&l, "# Collective test concluded: all_reduce_perf");
    log_job(&l, &gather);
    log_line(&l, "# Collective test concluded: all_gather_perf");
    expect(&l, NULL, all, 2);
    l.n = 0; /* and before them, without tails */
    log_line(&l, "# Collective test starting: all_reduce_perf");
    log_ranks(&l, &eight);
    log_header(&l);
    log_row(&l, &eight, 0);
    log_row(&l, &eight, 1);
    log_line(&l, "# Collective test starting: all_gather_perf");
    log_ranks(&l, &gather);
    log_header(&l);
    log_row(&l, &gather, 0);
    log_row(&l, &gather, 1);
    expect(&l, NULL, all, 2);
}

static void unnamed_runs(void **state) {
    static const want all[] = {{"all_reduce", 8, 1, 30}, {"all_reduce", 16, 2, 60}};
    static nccl_log l;
    (void)state;
    l.n = 0;
    log_job(&l, &eight);
    refuse(&l, NULL, "say it with --op");
    l.n = 0; /* one command above two tables: the bandwidths fit */
    log_line(&l, "+ srun all_reduce_perf");
    log_job(&l, &eight);
    log_job(&l, &sixteen);
    expect(&l, NULL, all, 2);
    l.n = 0; /* ... and when they do not, the second is another test */
    log_line(&l, "+ srun all_reduce_perf");
    log_job(&l, &eight);
    log_job(&l, &gather);
    refuse(&l, NULL, "bandwidths are not those of all_reduce_perf");
    l.n = 0;
    log_line(&l, "for t in all_reduce_perf all_gather_perf; do ./$t; done");
    log_job(&l, &eight);
    refuse(&l, NULL, "name several");
    l.n = 0;
    log_line(&l, "./broadcast_perf");
    log_job(&l, &eight);
    rc_import_count count = {0};
    rc_rows *rows = imported(&l, NULL, &count);
    assert_int_equal(rc_rows_count(rows), 0);
    assert_int_equal(count.skipped, 2);
    assert_non_null(strstr(count.why, "broadcast_perf"));
    rc_rows_free(rows);
}

static void labels(void **state) {
    static const char *const all[] = {"[1,0]<stdout>:",
                                      "[1,0]<stdout>: ",
                                      "[prterun-node-1@1,0]<stdout>: ",
                                      "Wed Nov 26 13:07:22 2025[1,0]<stdout>:",
                                      "0: ",
                                      " 3: ",
                                      "[0] ",
                                      "[node-7] ",
                                      "node-7: ",
                                      "worker-0: ",
                                      "nccl_1  | ",
                                      "2025-01-31 12:00:00 ",
                                      "2025-01-31T12:00:00.123456789Z ",
                                      "[2025-01-31 12:00:00,123] ",
                                      "[2025-01-31T12:00:00+01:00] 0: ",
                                      "12:00:00.5 ",
                                      "(worker pid=77, ip=10.0.0.1) ",
                                      "[pod/nccl-0/main] ",
                                      "Jan 31 12:00:00 node7 slurmd[12] ",
                                      "pod-0 main "};
    static const want one[] = {{"all_reduce", 16, 2, 60}};
    static nccl_log l, plain;
    (void)state;
    plain.n = 0;
    log_line(&plain, "# Collective test starting: all_reduce_perf");
    log_job(&plain, &sixteen);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        l.n = 0;
        log_labelled(&l, all[i], &plain);
        expect(&l, NULL, one, 1);
    }
}

static void started_separately(void **state) {
    static const want one[] = {{"all_reduce", 8, 1, 30}};
    static nccl_log l, a, b;
    nccl_job other = eight;
    (void)state;
    other.pid = 500;
    other.first = 7;
    const rc_import told = {.machine = "lab", .op = "all_reduce"};
    a.n = b.n = l.n = 0;
    log_job(&a, &eight);
    log_job(&b, &other);
    log_mixed(&l, "", &a, "", &b); /* line by line, nothing tells them apart but host and process */
    expect(&l, &told, one, 1);
    l.n = 0;
    log_mixed(&l, "0: ", &a, "1: ", &b);
    expect(&l, &told, one, 1);
    l.n = 0; /* one host, two processes */
    other.first = 0;
    b.n = 0;
    log_job(&b, &other);
    log_mixed(&l, "", &a, "", &b);
    expect(&l, &told, one, 1);
    l.n = 0; /* a job that failed before its first row, then the whole one */
    log_ranks(&l, &sixteen);
    log_job(&l, &sixteen);
    expect(&l, &told, (const want[]){{"all_reduce", 16, 2, 60}}, 1);
    l.n = 0; /* two jobs of several processes each, mixed: nobody can tell */
    nccl_job more = sixteen;
    more.ranks = 4;
    log_ranks(&l, &more);
    log_job(&l, &sixteen);
    refuse(&l, &told, "different jobs are mixed");
    l.n = 0; /* each process is rank 0 of 1: nothing was sent */
    for (int i = 0; i < 8; i++)
        log_line(&l, "#  Rank  0 Group  0 Pid %d on host-0 device %d [0000:00:00] NVIDIA H100", i,
                 i);
    log_header(&l);
    log_row(&l, &eight, 0);
    rc_import_count count = {0};
    rc_rows *rows = imported(&l, &told, &count);
    assert_int_equal(rc_rows_count(rows), 0);
    assert_non_null(strstr(count.why, "one rank"));
    rc_rows_free(rows);
}

#define H100 "NVIDIA H100 80GB HBM3"

/* A host's name may begin as another's does. */
static void hosts_of_like_names(void **state) {
    static const want two[] = {{"all_reduce", 4, 2, 30}}, three[] = {{"all_reduce", 3, 3, 30}};
    static const char *const four_ranks[] = {"gpu-1", "gpu-1", "gpu-10", "gpu-10"};
    static const char *const each[] = {"gpu-10", "gpu-1", "gpu-100"};
    static nccl_log l;
    const rc_import told = {.machine = "lab", .op = "all_reduce"};
    nccl_job job = eight;
    (void)state;
    l.n = 0;
    log_line(&l, "# nThread 1 nGpus 1 warmup iters: 5 iters: 20 agg iters: 1");
    for (int i = 0; i < 4; i++)
        log_line(&l, "#  Rank  %d Group  0 Pid %d on %s device  %d [0000:00:00] %s", i, 10 + i,
                 four_ranks[i], i % 2, H100);
    log_header(&l);
    job.ranks = 4;
    log_row(&l, &job, 0);
    log_row(&l, &job, 1);
    expect(&l, &told, two, 1);
    l.n = 0;
    log_line(&l, "# nThread 1 nGpus 1 warmup iters: 5 iters: 20 agg iters: 1");
    for (int i = 0; i < 3; i++)
        log_line(&l, "#  Rank  %d Group  0 Pid 7 on %s device  0 [0000:00:00] %s", i, each[i],
                 H100);
    log_header(&l);
    job.ranks = 3;
    log_row(&l, &job, 0);
    log_row(&l, &job, 1);
    expect(&l, &told, three, 1);
}

static void excerpts(void **state) {
    static const want one[] = {{"all_reduce", 72, 18, 30}};
    static nccl_log l;
    rc_import how = {.machine = "lab", .op = "all_reduce"};
    (void)state;
    l.n = 0;
    log_line(&l, "#  Rank 71 Group  0 Pid 1 on host-17 device  3 [0000:00:00] NVIDIA H100 80GB "
                 "HBM3");
    log_line(&l, "# nThread 1 nGpus 1 minBytes 8 maxBytes 64 step: 2(factor) warmup iters: 5 "
                 "iters: 20 agg iters: 1");
    log_header(&l);
    log_row(&l, &eight, 0);
    log_row(&l, &eight, 1);
    refuse(&l, &how, "an excerpt (1 lines, up to rank 71)");
    how.ranks = 72;
    refuse(&l, &how, "say it with --ranks and --nodes");
    how.nodes = 18;
    expect(&l, &how, one, 1);
    how.ranks = 71;
    refuse(&l, &how, "more than --ranks");
    l.n = 0; /* none at all */
    log_header(&l);
    log_row(&l, &eight, 0);
    how = (rc_import){.machine = "lab", .op = "all_reduce"};
    refuse(&l, &how, "no line says which ranks");
    l.n = 0; /* all are there: told otherwise is a mistake */
    log_job(&l, &eight);
    how.ranks = 16;
    refuse(&l, &how, "the log lists 8 ranks on 1 nodes");
    l.n = 0; /* the middle left out */
    log_line(&l, "#  Rank  0 Group  0 Pid 1 on host-0 device  0 [0000:00:00] NVIDIA H100");
    log_line(&l, "# ...");
    log_line(&l, "#  Rank 15 Group  0 Pid 1 on host-1 device  7 [0000:00:00] NVIDIA H100");
    log_header(&l);
    log_row(&l, &eight, 0);
    how.ranks = 0;
    refuse(&l, &how, "up to rank 15");
}

/* Lines that are not of nccl-tests, between all others. */
static void noise(void **state) {
    static const char *const lines[] = {
        "3767c65d25c4:880:880 [1] NCCL INFO comm 0x55ba65ac2bd0 rank 1 nranks 2 - Init COMPLETE",
        "2025-01-31 12:00:00 starting",
        "12 34",
        "node-0:12:13 [0] NCCL WARN Missing \"iommu=pt\"",
        "NCCL version 2.18.5+cuda12.2",
        "",
        "\t",
        "--------------------------------------------------------------------------",
        "1 total processes killed (some possibly by mpirun during cleanup)"};
    static const want one[] = {{"all_reduce", 8, 1, 30}};
    static nccl_log l, job;
    char command[4001];
    (void)state;
    job.n = l.n = 0;
    memset(command, 'x', sizeof command - 1);
    command[sizeof command - 1] = '\0';
    log_job(&job, &eight);
    log_line(&l, "mpirun -x A=%s ./all_reduce_perf -b 1M", command);
    size_t k = 0;
    for (size_t at = 0; at < job.n;) {
        const char *end = memchr(job.text + at, '\n', job.n - at);
        log_line(&l, "%s", lines[k++ % (sizeof lines / sizeof lines[0])]);
        log_line(&l, "%.*s", (int)(end - (job.text + at)), job.text + at);
        at = (size_t)(end - job.text) + 1;
    }
    expect(&l, NULL, one, 1);
}

/* Versions whose rows leave redop blank under its name, and a split job of two communicators. */
static void other_layouts(void **state) {
    static nccl_log l;
    rc_import_count count = {0};
    (void)state;
    l.n = 0;
    log_line(&l, "./all_gather_perf");
    for (int r = 0; r < 8; r++)
        log_line(&l, "#   Rank %2d Pid %6d on host-%d device %2d [0x07] Tesla V100-SXM2-32GB", r, r,
                 r / 4, r % 4);
    log_line(&l, "#       size         count      type   redop     time   algbw   busbw  error     "
                 "time   algbw   busbw  error");
    log_line(&l, "     1048576        262144     float             30.00   34.95   30.58  0e+00    "
                 "30.00   34.95   30.58  0e+00");
    rc_rows *rows = imported(&l, NULL, &count);
    assert_int_equal(rc_rows_count(rows), 1);
    const rc_row *r = rc_rows_at(rows, 0);
    assert_true(r->a == 1048576 && r->b == 8 && r->c == 2);
    assert_true(fabs(r->p50 - 30e-6) < 1e-12);
    assert_string_equal(r->gpu, "Tesla V100-SXM2-32GB");
    rc_rows_free(rows);
    l.n = 0;
    log_line(&l, "NCCL_TESTS_SPLIT=\"DIV 4\" mpirun ./all_reduce_perf");
    for (int k = 0; k < 8; k++)
        log_line(&l, "#  Rank %2d Group %2d Pid %6d on host-%d device %2d [0000:07:00] NVIDIA H100",
                 k, k / 4, k, k / 4, k % 4);
    log_header(&l);
    log_row(&l, &eight, 0);
    rows = imported(&l, NULL, &count);
    assert_int_equal(rc_rows_count(rows), 1);
    assert_true(rc_rows_at(rows, 0)->b == 4 && rc_rows_at(rows, 0)->c == 1);
    rc_rows_free(rows);
}

/* Hosts are told apart by their whole names: one that begins like another is another. */
static void names_of_hosts(void **state) {
    static const char *const second[] = {"gpu1", "gpu10", "gpu", "gpu2", "gpu0"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        char text[1024];
        rc_import_count count = {0};
        rc_rows *rows = NULL;
        rc_error e = {0};
        (void)snprintf(text, sizeof text,
                       "{\"args\":[\"./all_reduce_perf\"],\"config\":{\"devices\":[{\"rank\":0,"
                       "\"hostname\":\"gpu1\"},{\"rank\":1,\"hostname\":\"%s\"}]},\"results\":[{"
                       "\"size\":1024,\"type\":\"half\",\"out_of_place\":{\"time\":30.0,"
                       "\"nwrong\":0}}]}",
                       second[i]);
        if (log_import(text, strlen(text), NULL, &rows, &count, &e) != RC_OK)
            fail_msg("%s", e.msg);
        assert_int_equal(rc_rows_count(rows), 1);
        assert_int_equal(rc_rows_at(rows, 0)->b, 2);
        assert_int_equal(rc_rows_at(rows, 0)->c, i == 0 ? 1 : 2);
        rc_rows_free(rows);
    }
}

static void json(void **state) {
    static const char text[] =
        "{\"version\":2,\"start_time\":\"2026-05-22 07:36:17\",\"args\":[\"./reduce_scatter_perf\","
        "\"-J\",\"out.json\"],\"nccl_version\":22803,\"config\":{\"devices\":["
        "{\"rank\":0,\"group\":0,\"pid\":1,\"hostname\":\"a\",\"device\":0,\"device_info\":"
        "\"NVIDIA "
        "H100\"},{\"rank\":1,\"group\":0,\"pid\":2,\"hostname\":\"b\",\"device\":0}]},\"results\":["
        "{\"size\":1048576,\"type\":\"half\",\"out_of_place\":{\"time\":30.0,\"bus_bw\":1,"
        "\"nwrong\":0},\"actual_iterations\":50},"
        "{\"size\":2097152,\"type\":\"half\",\"out_of_place\":{\"time\":40.0,\"nwrong\":2}},"
        "{\"size\":4194304,\"type\":\"half\",\"out_of_place\":null}]}";
    static const char other[] = "{\"fs\":1,\"hosts\":[]}";
    rc_import_count count = {0};
    rc_rows *rows = NULL;
    rc_error e = {0};
    (void)state;
    if (log_import(text, sizeof text - 1, NULL, &rows, &count, &e) != RC_OK)
        fail_msg("%s", e.msg);
    assert_int_equal(rc_rows_count(rows), 1);
    assert_int_equal(count.skipped, 2);
    const rc_row *r = rc_rows_at(rows, 0);
    assert_string_equal(r->op, "reduce_scatter");
    assert_string_equal(r->nccl, "2.28.3");
    assert_true(r->a == 1048576 && r->b == 2 && r->c == 2 && r->samples == 50);
    assert_true(fabs(r->p50 - 30e-6) < 1e-12);
    rc_rows_free(rows);
    assert_int_equal(log_import(other, sizeof other - 1, NULL, &rows, &count, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "JSON with the keys 'fs', 'hosts'"));
}

static void tables(void **state) {
    static const char custom[] =
        "framework,version,device,op_name,kernel_source,allreduce_dtype,num_gpus,message_size,"
        "latency\nTRTLLM,1.2,NVIDIA H200,all_reduce,trtllm,half,8,16384,0.008\n"
        "SGLang,1,NVIDIA H200,all_reduce,SGLang_CustomAllReduce_eager,bfloat16,4,1024,0.01\n";
    rc_import_count count = {0};
    rc_rows *rows = NULL;
    rc_error e = {0};
    (void)state;
    assert_int_equal(log_import(custom, sizeof custom - 1, NULL, &rows, &count, &e), RC_OK);
    assert_int_equal(rc_rows_count(rows), 2);
    const rc_row *r = rc_rows_at(rows, 0), *s = rc_rows_at(rows, 1);
    assert_string_equal(r->variant, "custom");
    assert_string_equal(s->variant, "custom-eager");
    assert_true(r->a == 32768 && r->b == 8 && r->c == 1 && fabs(r->p50 - 8e-6) < 1e-12);
    assert_true(s->a == 2048 && s->b == 4);
    rc_rows_free(rows);
    assert_int_equal(log_import("PAR1", 4, NULL, &rows, &count, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "Parquet"));
    assert_non_null(strstr(e.msg, "to_csv"));
    assert_int_equal(log_import("a,b\n1,2\n", 8, NULL, &rows, &count, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "the columns a,b"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_runs),
                                       cmocka_unit_test(unnamed_runs),
                                       cmocka_unit_test(labels),
                                       cmocka_unit_test(started_separately),
                                       cmocka_unit_test(hosts_of_like_names),
                                       cmocka_unit_test(excerpts),
                                       cmocka_unit_test(noise),
                                       cmocka_unit_test(other_layouts),
                                       cmocka_unit_test(json),
                                       cmocka_unit_test(names_of_hosts),
                                       cmocka_unit_test(tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
