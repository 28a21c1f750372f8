/* A whole search over candidates of which the test says what each promises and what it then shows: which are simulated, in what
 * order, which are tried with other seeds, and what is counted. Every order is worked out by hand.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#define plan_options stated_options
#define rc_plan_bound_of stated_bound
#define rc_plan_price stated_price
#define plan_try_seeds stated_seeds
#define plan_examine stated_examine
#include "sim/plan/plan_internal.h"

static size_t announced[16]; /* trials in all, as they were told in turn */
static int announcements;

static bool told_begin(plan_counted *c, const rc_plan *p, rc_plan_sim sim, void *ctx, size_t most) {
    announced[announcements++] = most;
    return plan_count_begin(c, p, sim, ctx, most);
}

static void told_most(plan_counted *c, size_t more) {
    plan_count_most(c, more);
    assert_true(announcements < 16);
    announced[announcements++] = c->progress.total;
}

#define plan_count_begin told_begin
#define plan_count_most told_most
#include "sim/plan/plan_search.c"

/* Candidates are a, b, c, ... in the order of their rows. */
typedef struct row {
    double price, promise, shown; /* value over limit */
    int family, replicas;         /* 0: a family of its own; one */
    bool apart, dynamic, fragile; /* holds for no other seed */
    rc_plan_cut cut;
} row;

static const row *rows;
static size_t row_count;
static char played
    [256]; /* a letter for each trial, (x) for x with other seeds, ! when the chosen one is examined */
static size_t played_count;

static void note(char c) {
    assert_true(played_count + 1 < sizeof played);
    played[played_count++] = c;
    played[played_count] = '\0';
}

static rc_plan_option option_of(size_t i) {
    const row *r = &rows[i];
    return (rc_plan_option){.tp = (int16_t)(r->family > 0 ? r->family : 100 + (int)i),
                            .prefill = (int16_t)(r->replicas > 0 ? r->replicas : 1),
                            .decode = r->apart,
                            .dynamic = r->dynamic,
                            .cp = 1};
}

static size_t row_of(const rc_plan_option *o) {
    for (size_t i = 0; i < row_count; i++) {
        const rc_plan_option k = option_of(i);
        if (memcmp(&k, o, sizeof k) == 0)
            return i;
    }
    fail();
    return 0;
}

rc_status stated_options(const rc_plan *p, rc_plan_option **out, size_t *count, rc_error *err) {
    (void)p, (void)err;
    *out = malloc(row_count * sizeof **out);
    assert_non_null(*out);
    for (size_t i = 0; i < row_count; i++)
        (*out)[i] = option_of(i);
    *count = row_count;
    return RC_OK;
}

rc_status stated_bound(rc_plan_bounds *b, const rc_plan_option *o, rc_plan_bound *out,
                       rc_error *err) {
    (void)b, (void)err;
    const row *r = &rows[row_of(o)];
    *out = (rc_plan_bound){.cut = r->cut, .floor = r->promise, .value = {r->promise}};
    return RC_OK;
}

double stated_price(const rc_plan *p, const rc_plan_option *o) {
    (void)p;
    return rows[row_of(o)].price;
}

rc_status stated_seeds(const rc_plan *p, rc_plan_sim sim, void *ctx, const rc_plan_option *o,
                       bool *holds, rc_plan_answer *a, rc_error *err) {
    (void)p, (void)sim, (void)ctx, (void)a, (void)err;
    const size_t i = row_of(o);
    note('('), note((char)('a' + i)), note(')');
    *holds = !rows[i].fragile;
    return RC_OK;
}

rc_status stated_examine(const rc_plan *p, rc_plan_sim sim, void *ctx, rc_plan_answer *a,
                         rc_error *err) {
    (void)p, (void)sim, (void)ctx, (void)a, (void)err;
    note('!');
    return RC_OK;
}

/* Busy all the time, so that no load is learnt, and promises stay what they are. */
static rc_status shows(void *ctx, const rc_plan_trial *t, rc_plan_outcome *out, rc_error *err) {
    (void)ctx, (void)err;
    const size_t i = row_of(&t->option);
    note((char)('a' + i));
    *out = (rc_plan_outcome){
        .value = {rows[i].shown}, .ttft_p95 = rows[i].shown, .busy_prefill = 1.0, .done = 1.0};
    return RC_OK;
}

static rc_plan_answer answer;

static void search_of(const row *of, size_t count, int64_t simulations, const char *order) {
    const rc_plan plan = {.objective_count = 1,
                          .objectives = {{.limit = 1.0, .share = 0.95, .to = INT64_MAX}},
                          .growth = 1.0,
                          .simulations = simulations,
                          .check_seeds = 5,
                          .threads = 1,
                          .quiet = true};
    rc_plan_bounds *any = (rc_plan_bounds *)(uintptr_t)&plan; /* is passed on alone */
    rows = of;
    row_count = count;
    played_count = 0;
    announcements = 0;
    played[0] = '\0';
    assert_int_equal(rc_plan_search(&plan, any, shows, NULL, &answer, NULL), RC_OK);
    assert_string_equal(played, order);
    assert_int_equal(answer.considered, count);
    rc_plan_answer_free(&answer);
}
#define R(price_, promise_, shown_, ...)                                                           \
    { .price = price_, .promise = promise_, .shown = shown_, __VA_ARGS__ }
#define SEARCH(simulations, order, ...)                                                            \
    do {                                                                                           \
        static const row r[] = {__VA_ARGS__};                                                      \
        search_of(r, sizeof r / sizeof r[0], simulations, order);                                  \
    } while (0)

static void counts(int64_t simulated, int64_t open, int64_t hopeful, int64_t excluded) {
    assert_int_equal(answer.simulated, simulated);
    assert_int_equal(answer.open, open);
    assert_int_equal(answer.hopeful, hopeful);
    assert_int_equal(answer.excluded, excluded);
}

/* Half of eight simulations: the four cheapest that are trusted, b before e as it promises more. e holds by more. Then a quarter for
 * the cheaper ones that are not trusted, the better promise first; g is left for the front. */
static void test_stages(void **state) {
    (void)state;
    SEARCH(8, "becdaf(e)g!", R(1.0, 2.0, 2.0), R(2.0, 0.9, 0.9), R(3.0, 0.8, 0.8), R(4.0, 0.5, 0.5),
           R(2.0, 0.95, 0.7), R(0.5, 9.0, 9.0), R(6.0, 0.4, 0.4));
    counts(7, 0, 0, 0);
    assert_true(answer.best == 1 && answer.kind_best[0] == 1 && answer.kind_best[1] == -1);
    assert_true(answer.least[0] == 0.4 && answer.least[1] == 0.0);
    /* eight, five seeds and the questions about the best; seven have come when it is known that no more will */
    assert_int_equal(announcements, 3);
    assert_int_equal(announced[0], 8 + 5 + plan_examine_most());
    assert_int_equal(announced[1], 8 + 5 + plan_examine_most());
    assert_int_equal(announced[2], 7 + plan_examine_most());
    /* e, d and g: each dearer one is faster */
    assert_true(answer.front_count == 3 && answer.front[0] == 1 && answer.front[1] == 3 &&
                answer.front[2] == 6);
    assert_int_equal(answer.runner_count, 4);
}

/* Nothing holds: all simulations go to what is the cheapest of those that are trusted, then to the better promise; a quarter of
 * twelve is three, for what a larger one's failure excluded, and the rest at the end. */
static void test_nothing_holds(void **state) {
    (void)state;
    SEARCH(12, "bcdafe", R(3.0, 1.5, 2.0), R(1.0, 0.5, 2.0), R(2.0, 1.0, 2.0), R(4.0, 1.1, 2.0),
           R(6.0, 3.0, 2.0), R(7.0, 2.0, 2.0));
    counts(6, 0, 0, 0);
    assert_true(answer.best == -1 && answer.front_count == 0 && answer.runner_count == 0);
    /* a fails with three replicas and takes b and c with it, which are tried behind all others, by what they promise */
    static const row r[] = {R(1.0, 0.9, 2.0, .family = 7, .replicas = 3),
                            R(2.0, 0.95, 2.0, .family = 7, .replicas = 2),
                            R(3.0, 0.5, 2.0, .family = 7, .replicas = 1),
                            R(4.0, 2.0, 2.0),
                            R(1.1, 0.9, 2.0),
                            R(1.2, 0.9, 2.0),
                            R(1.3, 0.9, 2.0),
                            R(5.0, 0.9, 2.0)};
    search_of(r, 7, 12, "aefgdcb");
    counts(7, 0, 0, 0);
    search_of(
        r, 8, 4,
        "aefg"); /* half, a quarter, the rest; d and h are left, of which h is trusted, and b and c are excluded */
    counts(4, 2, 1, 2);
}

/* Half of the simulations, rounded up, go by price; of what is not cheaper than anything that holds, a quarter by promise. */
static void test_shares(void **state) {
    (void)state;
    static const row r[] = {R(1.0, 0.9, 2.0), R(2.0, 0.9, 2.0), R(3.0, 0.9, 2.0),
                            R(4.0, 0.5, 2.0), R(5.0, 0.4, 2.0), R(6.0, 0.3, 2.0)};
    search_of(r, 6, 1, "a");
    search_of(r, 6, 2, "ab");
    search_of(r, 6, 3, "abc");
    search_of(r, 6, 4, "abfc");
    search_of(r, 6, 5, "abcfd");
    counts(5, 1, 1, 0);
    /* the smaller one of a family of which the larger one fails holds: it is found when half of the simulations found nothing, behind
     * what is not excluded, by promise */
    static const row caches[] = {R(1.0, 0.9, 2.0, .family = 7, .replicas = 3),
                                 R(2.0, 0.95, 0.9, .family = 7, .replicas = 2),
                                 R(1.1, 0.9, 2.0),
                                 R(1.2, 0.9, 2.0),
                                 R(1.3, 0.9, 2.0),
                                 R(5.0, 0.9, 2.0),
                                 R(6.0, 0.8, 2.0)};
    search_of(caches, 7, 8, "acdegfb(b)!");
    search_of(caches, 5, 8, "acdeb(b)!");
}

/* What holds for no other seed is no plan, and so is what is smaller in its family; the next is confirmed in its place. */
static void test_fragile(void **state) {
    (void)state;
    SEARCH(8, "abcd(a)(b)!", R(1.0, 0.9, 0.9, .fragile = true), R(2.0, 0.9, 0.9), R(3.0, 0.9, 0.95),
           R(4.0, 0.9, 0.97), R(5.0, 0.95, 0.97));
    counts(4, 0, 0, 0);
    assert_true(answer.best == 1 && answer.kind_best[0] == 1);
    assert_int_equal(answer.runner_count, 3); /* a, which is fragile, c and d */
    /* b, which is smaller than a, is only tried behind e, which is not */
    SEARCH(16, "acdf(a)eb(b)!", R(1.0, 0.9, 0.9, .family = 7, .replicas = 3, .fragile = true),
           R(5.0, 0.9, 0.9, .family = 7, .replicas = 2), R(2.0, 0.9, 1.5), R(3.0, 0.9, 1.5),
           R(9.0, 0.9, 0.9, .family = 7, .replicas = 4), R(4.0, 0.9, 1.5));
}

/* The chosen one is left when something cheaper that promised less is found to hold. */
static void test_cheaper(void **state) {
    (void)state;
    /* d alone is trusted; a, b and c come with it by what they promise, and b holds; then e, which is cheaper and has hope */
    SEARCH(16, "dcbae(e)!", R(1.0, 2.0, 2.0), R(2.0, 1.5, 0.9), R(3.0, 1.2, 1.1), R(9.0, 0.9, 0.9),
           R(1.5, 4.0, 0.95));
    counts(5, 0, 0, 0);
    assert_int_equal(answer.best, 4);
}

/* Half of 16 go to those that are cheaper than the one that holds and have hope, a quarter to the others; e to i promise ever less, j
 * next to nothing. */
static void test_cheaper_first(void **state) {
    (void)state;
    SEARCH(16, "abcdefghij(a)!", R(10.0, 0.9, 0.9), R(11.0, 0.9, 2.0), R(12.0, 0.9, 2.0),
           R(13.0, 0.9, 2.0), R(1.0, 2.0, 2.0), R(1.0, 2.1, 2.0), R(1.0, 2.2, 2.0),
           R(1.0, 2.3, 2.0), R(1.0, 2.4, 2.0), R(1.0, 5.0, 5.0));
    /* two of eight go to e and f before a is tried with other seeds, and none before b is */
    SEARCH(8, "abcdef(a)(b)g!", R(10.0, 0.9, 0.9, .fragile = true), R(11.0, 0.9, 0.9),
           R(12.0, 0.9, 2.0), R(13.0, 0.9, 2.0), R(1.0, 5.0, 5.0), R(1.0, 6.0, 5.0),
           R(1.0, 7.0, 5.0));
}

/* Of each kind of pools an eighth of the simulations: two of sixteen, one of fourteen and of eight. */
static void test_kinds(void **state) {
    (void)state;
    static const row r[] = {R(1.0, 0.9, 0.9),
                            R(2.0, 1.5, 1.5, .apart = true),
                            R(3.0, 1.4, 1.4, .apart = true),
                            R(4.0, 1.3, 1.3, .apart = true),
                            R(5.0, 1.2, 1.2, .dynamic = true),
                            R(6.0, 1.1, 1.1, .apart = true, .dynamic = true),
                            R(7.0, 1.45, 1.45, .apart = true, .dynamic = true)};
    enum { N = sizeof r / sizeof r[0] };
    /* the first round takes a, and what promises most of the others; of pools apart c and b are left, with dynamic CP g */
    search_of(r, N, 16, "afed(a)cbg!");
    search_of(r, N, 14, "afed(a)cgb!");
    search_of(r, N, 8, "afed(a)cgb!");
    counts(7, 0, 0, 0);
}

/* What is cut is not looked at, and is counted by what cuts it. */
static void test_cuts(void **state) {
    (void)state;
    SEARCH(4, "b(b)!", R(0.5, 0.1, 0.1, .cut = RC_CUT_MEMORY), R(2.0, 0.5, 0.5),
           R(1.0, 0.3, 0.3, .cut = RC_CUT_WORK), R(1.0, 0.2, 0.3, .cut = RC_CUT_WORK));
    counts(1, 0, 0, 0);
    assert_true(answer.cut[RC_CUT_NONE] == 1 && answer.cut[RC_CUT_MEMORY] == 1 &&
                answer.cut[RC_CUT_WORK] == 2 && answer.cut[RC_CUT_LAYOUT] == 0);
    assert_true(answer.least[0] == 0.1); /* of the bounds, whatever is cut */
    SEARCH(4, "",
           R(2.0, 0.5, 0.5, .cut = RC_CUT_DECODE)); /* nothing is left, and nothing is played */
    counts(0, 0, 0, 0);
    assert_int_equal(answer.best, -1);
    for (int k = 0; k < RC_PLAN_KINDS; k++)
        assert_int_equal(answer.kind_best[k], -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stages),        cmocka_unit_test(test_nothing_holds),
        cmocka_unit_test(test_fragile),       cmocka_unit_test(test_cheaper),
        cmocka_unit_test(test_cheaper_first), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_shares),        cmocka_unit_test(test_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
