/* Power and clock (sim/cost/power.h): rows that follow a known law give the law back; a pass gets
 * the clock at which it draws what it may.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/engine/engine.h"
#include "tests/support/cost_store.h"

static void near_to(double x, double want, double within) {
    if (!(fabs(x - want) <= within))
        fail_msg("%.9g, not %.9g within %.2g", x, want, within);
}

#define IDLE 120.0
#define LIMIT 700.0
#define FROM_REST 720.0
#define BOOST 1980.0
#define BYTE 110e-12
static const rc_power_law GEMM = {1.0e-12, 0.4, 1.2, 0.0, 0.0};
static const rc_power_law ATTENTION = {1.2e-12, 0.5, 1.5, 0.0, 0.0};

typedef struct call {
    const char *op, *variant, *dtype;
    int64_t a, b, c, d;
    double flops, bytes, t;
    const rc_power_law *law; /* NULL: bound by memory */
} call;

static double watts(const call *k, double share, double x) {
    if (k->law == NULL)
        return IDLE + share * BYTE * k->bytes / k->t;
    double t = k->t * pow(x, -k->law->slows);
    return IDLE +
           share * (k->law->flop * k->flops / k->t * pow(x, k->law->saves) + BYTE * k->bytes / t);
}

/* The clock at which a call at work for this share draws `limit`. */
static double clock_of(const call *k, double share, double limit) {
    double lo = 0.1, hi = 1.0;
    if (watts(k, share, 1.0) <= limit)
        return 1.0;
    for (int i = 0; i < 60; i++)
        *(watts(k, share, 0.5 * (lo + hi)) > limit ? &hi : &lo) = 0.5 * (lo + hi);
    return lo;
}

/* A row of `t` s at x times the boost clock. */
static void add_row(syn_store *s, const call *k, const char *cond, double t, double x,
                    double power) {
    char variant[48];
    (void)snprintf(variant, sizeof variant, "%s@%s", k->variant, cond);
    rc_row r = {.machine = "h200-sxm",
                .gpu = "",
                .state = "sustained",
                .op = k->op,
                .variant = variant,
                .dtype = k->dtype,
                .a = k->a,
                .b = k->b,
                .c = k->c,
                .d = k->d,
                .p50 = t,
                .samples = 9,
                .sm_mhz = BOOST * x,
                .power_w = power,
                .temp_c = NAN,
                .date = "",
                .driver = "",
                .cuda = "",
                .nccl = "",
                .kernel = "",
                .commit = "",
                .source = "measured"};
    r.p10 = r.p90 = r.p50;
    assert_int_equal(rc_rows_add(s->rows, &r, NULL), RC_OK);
}

/* of: "" or "#2", a card. */
static void add_of(syn_store *s, const call *k, const char *cond, int percent, double limit,
                   const char *of) {
    char text[32];
    const double share = 0.01 * percent, x = clock_of(k, share, limit);
    (void)snprintf(text, sizeof text, "%s%d%s", cond, percent, of);
    add_row(s, k, text, k->law != NULL ? k->t * pow(x, -k->law->slows) : k->t, x,
            watts(k, share, x));
}

static void add(syn_store *s, const call *k, const char *cond, int percent, double limit) {
    add_of(s, k, cond, percent, limit, "");
}

static const call copy = {"copy", "", "", INT64_C(1) << 31, 0, 0, 0, 0.0, 0x1p31, 0.5e-3, NULL};

static call product(void) {
    return (call){"gemm",
                  "",
                  "bf16",
                  4096,
                  4096,
                  16384,
                  0,
                  2.0 * 4096.0 * 4096.0 * 16384.0,
                  2.0 * (4096.0 * 16384.0 * 2.0 + 4096.0 * 4096.0),
                  0.67e-3,
                  &GEMM};
}

static call attention(void) {
    return (call){"attention",
                  "full",
                  "bf16",
                  3200,
                  32000,
                  16,
                  1,
                  512.0 * 16.0 * 3200.0 * 32000.0,
                  512.0 * (3200.0 * 16.0 + 32000.0),
                  1.1e-3,
                  &ATTENTION};
}

static void fill(syn_store *s, bool throttled) {
    static const int percent[] = {25, 50, 75, 90, 100};
    const call g = product(), a = attention();
    *s = (syn_store){.seed = 1};
    assert_int_equal(rc_rows_create(&s->rows, NULL), RC_OK);
    for (int i = 0; i < (throttled ? 5 : 2); i++) {
        add(s, &copy, "duty", percent[i], LIMIT);
        add(s, &g, "duty", percent[i], LIMIT);
        add(s, &a, "duty", percent[i], LIMIT);
    }
    if (throttled)
        add(s, &g, "fresh", 100, FROM_REST);
}

static void test_law_comes_back(void **state) {
    (void)state;
    syn_store s;
    rc_power p;
    fill(&s, true);
    assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", RC_NO_CARD, &p, NULL), RC_OK);
    assert_true(p.known);
    near_to(p.boost, BOOST, 1e-6);
    near_to(p.idle, IDLE, 1e-6);
    near_to(p.limit, LIMIT, 1e-3);
    near_to(p.from_rest, FROM_REST, 1e-3);
    near_to(p.byte / BYTE, 1.0, 1e-6);
    near_to(p.law[RC_POWER_GEMM].flop / GEMM.flop, 1.0, 1e-6);
    near_to(p.law[RC_POWER_GEMM].slows, GEMM.slows, 1e-6);
    near_to(p.law[RC_POWER_GEMM].saves, GEMM.saves, 1e-6);
    near_to(p.law[RC_POWER_ATTENTION].flop / ATTENTION.flop, 1.0, 1e-6);
    near_to(p.law[RC_POWER_ATTENTION].slows, ATTENTION.slows, 1e-6);
    near_to(p.law[RC_POWER_ATTENTION].saves, ATTENTION.saves, 1e-6);
    const call g = product();
    double alone = pow(clock_of(&g, 1.0, LIMIT), -GEMM.slows);
    near_to(p.law[RC_POWER_GEMM].alone, alone, 0.01);
    assert_int_equal(p.rows, 16);
    rc_rows_free(s.rows);
}

/* Between products a call's clock is theirs, and so is the power: it tells what the call takes at that clock, and
 * nothing else. Elementwise ops and decode have an energy of their own for a byte. */
static void test_between_products(void **state) {
    (void)state;
    static const call norm = {"rmsnorm",         "",    "bf16", 2048, 4096, 0, 0, 0.0,
                              8.0 * 2048 * 4096, 25e-6, NULL};
    static const call step = {"decode", "", "bf16", 16, 32768, 32, 8, 1.0, 0.0, 0.5e-3, NULL};
    const call g = product();
    syn_store s;
    rc_power p, without;
    fill(&s, true);
    assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", RC_NO_CARD, &without, NULL), RC_OK);
    assert_true(without.law[RC_POWER_ELEMENTWISE].byte == 0.0);
    assert_true(without.law[RC_POWER_ELEMENTWISE].slows == 0.0);
    add_row(&s, &norm, "duty20", norm.t, 1.0, IDLE + 0.2 * 1.2 * BYTE * norm.bytes / norm.t);
    add_row(&s, &norm, "hot20", norm.t * pow(0.75, -0.3), 0.75, 690.0);
    add_row(&s, &step, "duty20", step.t, 1.0, IDLE + 0.2 * 500.0);
    add_row(&s, &copy, "hot20", 2.0 * copy.t, 0.7, 640.0);
    add_row(&s, &g, "hot20", g.t * pow(0.7, -GEMM.slows), 0.7, 640.0);
    assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", RC_NO_CARD, &p, NULL), RC_OK);
    near_to(p.law[RC_POWER_ELEMENTWISE].byte / BYTE, 1.2, 1e-6);
    near_to(p.law[RC_POWER_ELEMENTWISE].slows, 0.3, 1e-9);
    assert_true(p.law[RC_POWER_DECODE].byte > 0.0 && p.law[RC_POWER_DECODE].slows == 0.0);
    near_to(p.law[RC_POWER_GEMM].slows, GEMM.slows, 1e-6);
    near_to(p.law[RC_POWER_GEMM].saves, GEMM.saves, 1e-6);
    near_to(p.byte / BYTE, 1.0, 1e-6);
    near_to(p.idle, without.idle, 1e-6);
    near_to(p.limit, without.limit, 1e-9);
    assert_true(p.law[RC_POWER_OTHER].slows == 0.0);
    rc_call_load own, copied;
    rc_power_load(&p, &(rc_effort){.bytes = 1e6, .bound = 1.0, .class = RC_POWER_ELEMENTWISE}, 1e-6,
                  &own);
    rc_power_load(&p, &(rc_effort){.bytes = 1e6, .bound = 1.0, .class = RC_POWER_OTHER}, 1e-6,
                  &copied);
    near_to((double)own.memory / (double)copied.memory, 1.2, 1e-4);
    assert_true(own.bound == 1000000 && copied.bound == 0); /* copies follow no clock */
    rc_rows_free(s.rows);
}

/* Rows of another machine, none at lower clocks, or none at all tell nothing. */
static void test_rows_that_do_not_tell(void **state) {
    (void)state;
    syn_store s;
    rc_power p;
    fill(&s, false);
    assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", RC_NO_CARD, &p, NULL), RC_OK);
    assert_false(p.known);
    rc_rows_free(s.rows);
    fill(&s, true);
    assert_int_equal(rc_power_of_rows(s.rows, "h100-sxm", RC_NO_CARD, &p, NULL), RC_OK);
    assert_false(p.known);
    rc_rows_free(s.rows);
}

static void load_of(const rc_power *p, double busy, double t, rc_load *out) {
    const call g = product();
    rc_call_load x;
    rc_power_load(p, &(rc_effort){g.flops, g.bytes, 1.0, RC_POWER_GEMM}, g.t, &x);
    memset(out, 0, sizeof *out);
    rc_load_add(out, &x, (int64_t)(busy * t / g.t + 0.5));
}

static void test_clock_meets_the_limit(void **state) {
    (void)state;
    syn_store s;
    rc_power p;
    rc_load load;
    double before = 2.0;
    fill(&s, true);
    assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", RC_NO_CARD, &p, NULL), RC_OK);
    load_of(&p, 0.3, 1.0, &load);
    rc_power_point at = rc_power_solve(&p, &load, 1.0, LIMIT);
    assert_true(at.clock == 1.0 && at.watts < LIMIT); /* waits for most of the time */
    for (int percent = 30; percent <= 100; percent += 5) {
        load_of(&p, 0.01 * percent, 1.0, &load);
        at = rc_power_solve(&p, &load, 1.0, LIMIT);
        assert_true(at.clock <= before);
        before = at.clock;
        if (at.clock < 1.0)
            near_to(at.watts, LIMIT, 1.0); /* a MHz is half a watt */
    }
    const call g = product();
    near_to(at.clock, clock_of(&g, 1.0, LIMIT), 2e-3);
    assert_true(rc_power_solve(&p, &load, 1.0, 400.0).clock < at.clock);
    rc_rows_free(s.rows);
}

/* Power as sim/cost/power.h has it, and the clock by halving alone, from a tenth of the boost clock on. */
static double drawn(const rc_power *p, const rc_load *load, double t, double x) {
    double joules = (double)load->memory * 1e-9;
    for (int c = 0; c < RC_POWER_CLASSES; c++)
        if (c != RC_POWER_LINK)
            joules += 1e-9 * pow(x, p->law[c].saves) *
                      ((double)load->core[c] +
                       (double)load->core_bound[c] * (pow(x, -p->law[c].slows) - 1.0));
    return p->idle + joules / (t + rc_power_longer(p, load, x));
}

static double halved(const rc_power *p, const rc_load *load, double t, double limit) {
    double lo = 0.1, hi = 1.0;
    if (drawn(p, load, t, 1.0) <= limit)
        return 1.0;
    while ((hi - lo) * p->boost > 0.25)
        *(drawn(p, load, t, 0.5 * (lo + hi)) > limit ? &hi : &lo) = 0.5 * (lo + hi);
    return fmin(floor(lo * p->boost + 0.5) / p->boost, 1.0);
}

/* Loads of several classes, from one that the limit does not touch to one that no clock brings down
 * to it: the same whole number of MHz. */
static void test_clock_as_by_halving(void **state) {
    (void)state;
    const rc_power p = {.known = true,
                        .boost = BOOST,
                        .idle = IDLE,
                        .byte = BYTE,
                        .law = {[RC_POWER_GEMM] = GEMM, [RC_POWER_ATTENTION] = ATTENTION}};
    int slowed = 0;
    rc_rng rng;
    rc_rng_seed(&rng, 1);
    for (int i = 0; i < 2000; i++) {
        rc_load load = {.memory = (int64_t)(100e9 * rc_rng_uniform(&rng))};
        for (int c = 0; c <= RC_POWER_ATTENTION; c++) {
            load.core[c] = (int64_t)(900e9 * rc_rng_uniform(&rng));
            load.core_bound[c] = (int64_t)((double)load.core[c] * rc_rng_uniform(&rng));
            load.bound[c] = (int64_t)(0.4e12 * rc_rng_uniform(&rng));
        }
        const double limit = 130.0 + 800.0 * rc_rng_uniform(&rng);
        const rc_power_point at = rc_power_solve(&p, &load, 1.0, limit);
        assert_true(at.clock == halved(&p, &load, 1.0, limit));
        slowed += at.clock < 1.0;
    }
    assert_true(slowed > 1000 && slowed < 2000);
}

/* The largest of n normal numbers has a mean of 0, 0.56, 1.03 and 1.42 deviations. */
static void test_slowest_card(void **state) {
    (void)state;
    near_to(rc_power_thirstiest(1), 1.0, 1e-9);
    near_to(rc_power_thirstiest(2), 1.0 + 0.08 * 0.564, 0.003);
    near_to(rc_power_thirstiest(4), 1.0 + 0.08 * 1.029, 0.003);
    near_to(rc_power_thirstiest(8), 1.0 + 0.08 * 1.424, 0.003);
}

/* Cards of a host: each has the law of its own rows, which are not those of the type. */
static void test_cards(void **state) {
    (void)state;
    static const char *const names[] = {"#0", "#1"};
    static const int percent[] = {25, 50, 75, 90, 100};
    syn_store s;
    rc_power p, own[2];
    rc_load load, of_card;
    int cards;
    fill(&s, true);
    assert_int_equal(rc_power_cards(s.rows, "h200-sxm", &cards, NULL), RC_OK);
    assert_int_equal(cards, 0);
    for (int k = 0; k < 2; k++) {
        rc_power_law thirsty = GEMM;
        call g = product();
        const call a = attention();
        thirsty.flop *= 1.0 + 0.1 * k;
        g.law = &thirsty;
        for (int i = 0; i < 5; i++) {
            add_of(&s, &copy, "duty", percent[i], LIMIT, names[k]);
            add_of(&s, &g, "duty", percent[i], LIMIT, names[k]);
            add_of(&s, &a, "duty", percent[i], LIMIT, names[k]);
        }
    }
    assert_int_equal(rc_power_cards(s.rows, "h200-sxm", &cards, NULL), RC_OK);
    assert_int_equal(cards, 2);
    assert_int_equal(rc_power_cards(s.rows, "h100-sxm", &cards, NULL), RC_OK);
    assert_int_equal(cards, 0);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", k, &own[k], NULL), RC_OK);
        assert_true(own[k].known && own[k].rows == 15);
        near_to(own[k].law[RC_POWER_GEMM].flop / GEMM.flop, 1.0 + 0.1 * k, 1e-6);
    }
    assert_int_equal(rc_power_of_rows(s.rows, "h200-sxm", RC_NO_CARD, &p, NULL), RC_OK);
    assert_int_equal(p.rows, 16);
    /* A load told by the type of GPU is a tenth more for the thirsty card, which it holds back. */
    load_of(&p, 1.0, 1.0, &load);
    of_card = rc_power_load_of(&own[1], &load, &p);
    near_to((double)of_card.core[RC_POWER_GEMM] / (double)load.core[RC_POWER_GEMM], 1.1, 1e-6);
    near_to((double)of_card.memory / (double)load.memory, 1.0, 1e-6);
    double x = rc_power_solve(&own[1], &of_card, 1.0, LIMIT).clock;
    assert_true(x < rc_power_solve(&own[0], &load, 1.0, LIMIT).clock);
    near_to(rc_power_longer(&own[1], &of_card, x), pow(x, -GEMM.slows) - 1.0, 2e-3);
    add_of(&s, &copy, "duty", 25, LIMIT, "#8");
    assert_int_equal(rc_power_cards(s.rows, "h200-sxm", &cards, NULL), RC_E_INPUT);
    rc_rows_free(s.rows);
}

/* A call that HBM binds takes as long at every clock, one that the matrix units bind follows. */
static void test_what_follows(void **state) {
    (void)state;
    const rc_power p = {.known = true, .boost = BOOST, .law = {[RC_POWER_GEMM] = GEMM}};
    assert_true(rc_power_slows(&p, RC_POWER_GEMM, 0.0, 0.7) == 1.0);
    assert_true(rc_power_slows(&p, RC_POWER_GEMM, 1.0, 1.0) == 1.0);
    near_to(rc_power_slows(&p, RC_POWER_GEMM, 1.0, 0.7), pow(0.7, -0.4), 1e-12);
    assert_true(rc_power_class_of(RC_COST_GEMM, RC_FP8) == RC_POWER_GEMM_FP8);
    assert_true(rc_power_class_of(RC_COST_PREFIX, RC_BF16) == RC_POWER_ATTENTION);
    assert_true(rc_power_class_of(RC_COST_DECODE, RC_BF16) == RC_POWER_DECODE);
    assert_true(rc_power_class_of(RC_COST_MERGE, RC_BF16) == RC_POWER_ELEMENTWISE);
    assert_true(rc_power_class_of(RC_COST_COPY, RC_BF16) == RC_POWER_OTHER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_law_comes_back),
        cmocka_unit_test(test_rows_that_do_not_tell),
        cmocka_unit_test(test_clock_meets_the_limit),
        cmocka_unit_test(test_slowest_card),
        cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_between_products),
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_clock_as_by_halving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
