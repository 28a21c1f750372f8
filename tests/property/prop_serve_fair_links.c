/* Flows that come, go and are dropped at random, against rates by water-filling over all of them at
 * every moment: each flow ends when the fluid says, within what the levels leave open.
 * SPDX-License-Identifier: GPL-3.0-or-later */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <math.h>
#include <stdlib.h>
#include "sim/serve/fair_links.h"
#include "tests/support/prop.h"

enum { LINKS = 5, MOST = 120 }; /* of each side */

typedef struct fluid { /* one flow */
    fair_flow f;
    double left, rate;
    rc_time end;
    bool open, rises;
} fluid;

/* All flows rise together; one stops when its cap or one of its links is reached. */
static void fill(fluid *all, int n, const double *rate) {
    double left[2 * LINKS];
    int rising = 0;
    for (int l = 0; l < 2 * LINKS; l++)
        left[l] = rate[l];
    for (int i = 0; i < n; i++) {
        all[i].rises = all[i].open;
        rising += all[i].open;
        all[i].rate = 0.0;
    }
    while (rising > 0) {
        double step = INFINITY;
        int users[2 * LINKS] = {0};
        for (int i = 0; i < n; i++)
            if (all[i].rises) {
                users[all[i].f.from]++;
                users[all[i].f.to]++;
                step = fmin(step, all[i].f.cap - all[i].rate);
            }
        for (int l = 0; l < 2 * LINKS; l++)
            if (users[l] > 0)
                step = fmin(step, left[l] / users[l]);
        for (int l = 0; l < 2 * LINKS; l++)
            left[l] -= step * users[l];
        for (int i = 0; i < n; i++) {
            fluid *x = &all[i];
            if (!x->rises)
                continue;
            x->rate += step;
            if (x->rate >= x->f.cap * (1 - 1e-12) || left[x->f.from] <= 1e-9 * rate[x->f.from] ||
                left[x->f.to] <= 1e-9 * rate[x->f.to]) {
                x->rises = false;
                rising--;
            }
        }
    }
}

static void flow_on(fluid *all, int n, rc_time from, rc_time to) {
    for (int i = 0; i < n; i++) {
        rc_time since = all[i].f.starts > from ? all[i].f.starts : from;
        if (all[i].open && to > since)
            all[i].left -= all[i].rate * (double)(to - since) / RC_PS_PER_S;
    }
}

static double draw_rate(prop_case *c) {
    return 1e9 * (double)prop_range(c, 1, 40);
}

static bool like_the_fluid(prop_case *c) {
    double rate[2 * LINKS], caps[LINKS][LINKS];
    fluid *all = calloc(MOST, sizeof *all);
    fair_links *n = NULL;
    rc_error err;
    int count = 0, open = 0, most = 3 + (int)c->size;
    rc_time now = 0;
    bool good = all != NULL;
    for (int l = 0; l < 2 * LINKS; l++)
        rate[l] = draw_rate(c);
    for (int i = 0; i < LINKS * LINKS; i++)
        caps[i / LINKS][i % LINKS] = draw_rate(c);
    PROP_CHECK(c, fair_links_create(rate, 2 * LINKS, &n, &err) == RC_OK, "no memory");
    while (good && (count < most || open > 0)) {
        rc_time next = fair_links_next(n), comes = now + (rc_time)prop_range(c, 0, 2000000000);
        bool add = count < most && (open == 0 || comes < next);
        rc_time at = add ? comes : next;
        flow_on(all, count, now, at);
        now = at;
        if (add) {
            fluid *x = &all[count];
            uint32_t from = (uint32_t)prop_below(c, LINKS), to = (uint32_t)prop_below(c, LINKS);
            x->f = (fair_flow){.from = from,
                               .to = LINKS + to,
                               .cap = caps[from][to],
                               .bytes = 1e6 * (double)prop_range(c, 1, 400),
                               .starts = now + (rc_time)prop_range(c, 0, 1) * 1000000,
                               .arg = (uint32_t)count++};
            x->left = x->f.bytes;
            x->open = true;
            open++;
            good = fair_links_add(n, &x->f, now, &err) == RC_OK;
        } else if (prop_below(c, 12) == 0) { /* one goes before its end */
            uint32_t k = (uint32_t)prop_below(c, (uint64_t)count);
            good = fair_links_drop(n, k, now) == all[k].open;
            open -= all[k].open;
            all[k].open = false;
        } else {
            fluid *x = &all[fair_links_take(n, now)];
            good = x->open && fabs(x->left) <= 1e-3 * x->f.bytes;
            x->open = false;
            open--;
        }
        fill(all, count, rate);
        for (int i = 0; i < count && good; i++)
            good = !all[i].open || fabs(fair_links_rate(n, all[i].f.from, all[i].f.to) -
                                        all[i].rate) <= 1e-3 * all[i].rate;
    }
    fair_links_destroy(n);
    free(all);
    PROP_CHECK(c, good, "flow %d of %d: not as the fluid", count, most);
    return true;
}

static void test_fluid(void **state) {
    (void)state;
    assert_true(prop_run("like_the_fluid", like_the_fluid, 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fluid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
