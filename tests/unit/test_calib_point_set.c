/* Points that a file asks for: which are taken, which are refused, and in what order.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/catalog.c"
#include "calib/gpu_needs.c"
#include "kernels/capability.c"
#include "calib/point_lists.c"
#undef COUNT
#include "calib/point_lists_gemm.c"
#undef COUNT
#undef KI
#include "calib/point_lists_experts.c"
#include "calib/point_lists_node.c"
#include "calib/point_set.c"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#define HEADER "op,variant,dtype,a,b,c,d\n"

static rc_status parse(const char *text, rc_point_set *out, rc_error *err) {
    return rc_point_set_parse("p.csv", text, strlen(text), out, err);
}

static rc_point_set good(const char *text) {
    rc_point_set s;
    rc_error err = {0};
    if (parse(text, &s, &err) != RC_OK)
        fail_msg("%d:%d: %s", err.line, err.col, err.msg);
    return s;
}

static void refused(const char *row, const char *words) {
    char text[512];
    rc_point_set s;
    rc_error err = {0};
    snprintf(text, sizeof text, HEADER "gemm,,bf16,8,16,16,0\n%s\n", row);
    assert_int_equal(parse(text, &s, &err), RC_E_INPUT);
    assert_int_equal(err.line, 3);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err.msg);
    for (int id = 0; id < RC_SUITE_COUNT; id++)
        assert_int_equal(s.of[id].n, 0);
}

static size_t that_last(const rc_points *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->v[i].sustained;
    return n;
}

/* A point takes its share of what the suite takes with eight GPUs: in bursts all points of its list take that, under a load that
 * lasts those that are measured so. The clock's points are loads alone. */
static void takes_its_share(rc_suite_id id, const rc_point_set *s) {
    const rc_suite_info *info = rc_suite_info_of(id);
    rc_points all = {0};
    rc_error err = {0};
    assert_int_equal(info->points(&all, 8, &err), RC_OK);
    if (id == RC_SUITE_INTERFERENCE) /* which has points of its own for one GPU */
        assert_int_equal(info->points(&all, 1, &err), RC_OK);
    const double cold = info->burst_s * (double)s->of[id].n / (double)all.n;
    const double hot = that_last(&all) == 0 ? 0.0
                                            : info->sustained_s * (double)that_last(&s->of[id]) /
                                                  (double)that_last(&all);
    if (id != RC_SUITE_CLOCK && cold > 0.0)
        assert_true(fabs(s->usual_s[id][0] - cold) < 1e-9 * cold);
    if (hot > 0.0)
        assert_true(fabs(s->usual_s[id][1] - hot) < 1e-9 * hot);
    rc_points_free(&all);
}

/* Every point of every suite's own list is one that a file can ask for, and comes back as it was. */
static void test_own_lists(void **state) {
    (void)state;
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        rc_points own = {0};
        rc_error err = {0};
        assert_int_equal(rc_suite_info_of((rc_suite_id)id)->points(&own, 4, &err), RC_OK);
        size_t room = 160 * (own.n + 1), at = 0;
        char *text = malloc(room);
        assert_non_null(text);
        at +=
            (size_t)snprintf(text, room, "op,variant,dtype,a,b,c,d,head_k,head_v,experts,top_k\n");
        for (size_t i = 0; i < own.n; i++) {
            char variant[48];
            const rc_point *p = &own.v[i];
            rc_point_variant(p, NULL, variant, sizeof variant);
            at += (size_t)snprintf(
                text + at, room - at, "%s,%s,%s,%lld,%lld,%lld,%lld,%lld,%lld,%lld,%lld\n", p->op,
                variant, p->dtype, (long long)p->a, (long long)p->b, (long long)p->c,
                (long long)p->d, (long long)p->head_k, (long long)p->head_v, (long long)p->experts,
                (long long)p->top_k);
        }
        rc_point_set s = good(text);
        assert_int_equal(s.of[id].n, own.n);
        for (size_t i = 0; i < own.n; i++) {
            const rc_point *x = &own.v[i], *y = &s.of[id].v[i];
            assert_true(!strcmp(x->op, y->op) && !strcmp(x->variant, y->variant) &&
                        !strcmp(x->dtype, y->dtype) && same_word(x->cond, y->cond));
            assert_true(x->a == y->a && x->b == y->b && x->c == y->c && x->d == y->d &&
                        x->value == y->value && x->head_k == y->head_k && x->head_v == y->head_v &&
                        x->experts == y->experts && x->top_k == y->top_k);
        }
        assert_true(s.usual_s[id][0] + s.usual_s[id][1] > 0);
        takes_its_share((rc_suite_id)id, &s);
        rc_point_set_free(&s);
        rc_points_free(&own);
        free(text);
    }
}

/* The header of `--wanted` and that of measured rows; sizes that the lists do not hold. */
static void test_headers(void **state) {
    (void)state;
    rc_point_set s = good("# why\nop,variant,dtype,a,b,c,d,head_k,head_v,window,experts,top_k,"
                          "time_pct,interval_pct,narrows_pct,spread_pct,basis\n"
                          "gemm,,bf16,8192,2560,8192,0,0,0,0,0,0,12.1,30,20,9,modelled\n"
                          "decode,,bf16,3,8200,16,2,128,128,0,0,0,3,1,1,4,measured\n");
    assert_int_equal(s.of[RC_SUITE_GEMM].n, 1);
    assert_int_equal(s.of[RC_SUITE_GEMM].v[0].b, 2560);
    assert_true(s.of[RC_SUITE_GEMM].v[0].sustained && s.of[RC_SUITE_GEMM].v[0].quick);
    assert_int_equal(s.of[RC_SUITE_DECODE].v[0].b, 8200);
    rc_point_set_free(&s);
    s = good(
        "state,machine,op,dtype,variant,a,b,c,p50_s\n"
        "burst,h100-sxm,gemm,bf16,,8,16,32,1e-6\nsustained,h100-sxm,gemm,bf16,,8,16,32,2e-6\n");
    assert_int_equal(s.of[RC_SUITE_GEMM].n, 1); /* one point in two states */
    rc_point_set_free(&s);
    s = good("op\n");
    rc_point_set_free(&s);
}

static void test_conditions(void **state) {
    (void)state;
    rc_point_set s = good(HEADER "attention,full@sms120,bf16,64,8192,16,2\n"
                                 "gemm,@duty60,bf16,4096,4096,4096,0\n"
                                 "attention,causal@seqs3,bf16,900,900,16,2\n"
                                 "all_to_all,shm@ctas8,bf16,1000001,3,0,0\n"
                                 "transfer_beside,send_recv@shm,bf16,777,0,2,0\n");
    const rc_point *sms = &s.of[RC_SUITE_SMS].v[0], *duty = &s.of[RC_SUITE_CLOCK].v[0];
    const rc_point *seqs = &s.of[RC_SUITE_ATTENTION].v[0], *net = &s.of[RC_SUITE_NET].v[0];
    assert_string_equal(sms->cond, "sms");
    assert_int_equal(sms->value, 120);
    assert_int_equal(duty->value, 60);
    assert_int_equal(seqs->value, 3);
    assert_string_equal(net->variant, "shm");
    assert_string_equal(net->cond, "ctas");
    assert_int_equal(net->a, 1000001 / 48 * 48); /* whole parts of 16 bytes a rank */
    assert_int_equal(net->c, 1);
    assert_false(net->sustained);
    assert_string_equal(s.of[RC_SUITE_INTERFERENCE].v[0].cond, "shm");
    assert_true(s.usual_s[RC_SUITE_CLOCK][0] == 0 && s.usual_s[RC_SUITE_CLOCK][1] > 0);
    rc_point_set_free(&s);
}

/* Sizes of experts have columns of their own; a product does not say how many of them a token goes to, and
 * tokens that enter may be left to follow from the rows. */
static void test_experts(void **state) {
    (void)state;
    rc_point_set s = good("op,variant,dtype,a,b,c,d,experts,top_k\n"
                          "moe_ffn,,fp8,1000,7168,2048,0,32,8\n"
                          "grouped_gemm,@streams2,bf16,300,512,256,0,7,0\n"
                          "all_reduce,nvlink@oneshot,bf16,4097,2,0,0,0,0\n"
                          "all_reduce,@twoshot-cold,bf16,4096,4,0,0,0,0\n");
    const rc_point *ffn = &s.of[RC_SUITE_EXPERTS].v[0], *gemm = &s.of[RC_SUITE_EXPERTS].v[1];
    assert_true(ffn->experts == 32 && ffn->top_k == 8 && ffn->d == 0);
    assert_true(gemm->experts == 7 && gemm->top_k == 0 && gemm->value == 2);
    assert_true(rc_point_bytes(ffn) > 3.0 * 32 * 7168 * 2048);
    assert_true(rc_point_reads_peers(&s.of[RC_SUITE_NET].v[0]) &&
                s.of[RC_SUITE_NET].v[0].a == 4096);
    assert_string_equal(s.of[RC_SUITE_NET].v[1].cond, "twoshot-cold");
    rc_point_set_free(&s);
}

static void test_refusals(void **state) {
    (void)state;
    rc_point_set s;
    rc_error err = {0};
    refused("gem,,bf16,1,1,1,0", "did you mean \"gemm\"");
    refused("mla_bmm,,bf16,1,1,1,1", "no suite measures an op");
    refused("grouped_gemm,,bf16,1,1,1,0", "needs a size in column experts");
    refused("gemm,,fp16,1,1,1,0", "type \"fp16\"");
    refused("attention,ful,bf16,1,1,1,1", "\"full\" of type \"bf16\"");
    refused("attention,full@sms,bf16,1,1,1,1", "needs a number");
    refused("attention,full@sms0,bf16,1,1,1,1", "no suite measures");
    refused("attention,full@sms9x,bf16,1,1,1,1", "no suite measures");
    refused("attention,full,bf16,1,1,3,2", "multiple of KV heads");
    refused("attention,full,bf16,1,1,3,0", "needs a size in column d (KV heads)");
    refused("gemm,,bf16,0,1,1,0", "column a (tokens)");
    refused("gemm,,bf16,1,1,1,1", "expected 0, found 1");
    refused("gemm,,bf16,1,1,4294967296,0", "2147483647");
    refused("all_reduce,nvls,bf16,1024,2,1,0", "no suite measures");
    refused("decode,@rest100,bf16,4,50,16,1", "longer than the longest");
    refused("launch,gemm,bf16,7,0,0,0", "so many calls");
    refused("compute_beside,attention+send_recv@nvlink8,bf16,1,1,2,0", "no suite measures");
    assert_int_equal(parse("op,dtype,a,b,c,d,head_k\nattention,bf16,1,1,1,1,64\n", &s, &err),
                     RC_E_INPUT);
    assert_int_equal(
        parse("op,variant,dtype,a,b,c,d,head_k\nattention,full,bf16,1,1,1,1,96\n", &s, &err),
        RC_E_INPUT);
    assert_non_null(strstr(err.msg, "head_k is 96"));
    assert_int_equal(
        parse("op,variant,dtype,a,b,c,d,window\nattention,full,bf16,1,1,1,1,64\n", &s, &err),
        RC_E_INPUT);
    assert_int_equal(parse("variant\nfull\n", &s, &err), RC_E_INPUT);
    assert_int_equal(parse("op,colour\n", &s, &err), RC_E_INPUT);
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* One point of each file in turn, each once. */
static void test_files(void **state) {
    (void)state;
    char a[64], b[64];
    rc_point_set s;
    rc_error err = {0};
    snprintf(a, sizeof a, "point_set_%d_a.csv", (int)getpid());
    snprintf(b, sizeof b, "point_set_%d_b.csv", (int)getpid());
    write_file(a, HEADER "gemm,,bf16,1,16,16,0\ngemm,,bf16,2,16,16,0\ngemm,,bf16,3,16,16,0\n");
    write_file(b, HEADER "gemm,,bf16,9,16,16,0\ngemm,,bf16,1,16,16,0\n");
    const char *paths[] = {a, b};
    memset(&s, 0xff, sizeof s); /* whatever stood there */
    assert_int_equal(rc_point_set_read(paths, 2, &s, &err), RC_OK);
    const int64_t want[] = {1, 9, 2, 3};
    assert_int_equal(s.of[RC_SUITE_GEMM].n, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(s.of[RC_SUITE_GEMM].v[i].a, want[i]);
    rc_point_set_free(&s);
    write_file(b, HEADER "gemm,,bf16,9,16\n");
    assert_int_equal(rc_point_set_read(paths, 2, &s, &err), RC_E_INPUT);
    assert_string_equal(err.file, b);
    (void)remove(a);
    (void)remove(b);
}

static void test_bytes(void **state) {
    (void)state;
    const rc_point gemm = {.op = "gemm", .variant = "", .dtype = "fp8", .a = 2, .b = 3, .c = 5};
    rc_point seqs = {
        .op = "attention", .variant = "causal", .dtype = "bf16", .a = 4, .b = 4, .c = 1, .d = 1};
    const rc_point host = {.op = "launch", .variant = "", .dtype = "", .a = 1};
    assert_true(rc_point_bytes(&gemm) == 2 * 5 + 3 * 5 + 2 * 2 * 3);
    double one = rc_point_bytes(&seqs);
    assert_true(one == 4 * 4 * 256);
    seqs.cond = "seqs";
    seqs.value = 3;
    assert_true(rc_point_bytes(&seqs) == 3 * one);
    assert_true(rc_point_bytes(&host) == 0);
    assert_true(rc_is_transport("shm") && !rc_is_transport("pigeon"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_lists),  cmocka_unit_test(test_headers),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_experts),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_files),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
