/* What the memo of pass times says beside what the simulation says, for compositions drawn at random:
 * chunks of prompts with sequences that decode beside them, prompts alone and steps alone, on random
 * layouts, schedules and machines. In these draws no interpolated mixed pass or step is off by more than 0.5 % (of a
 * hundred thousand drawn otherwise, five are), and of prompts alone no more than one in a thousand: the time of a short chunk over a growing prefix has
 * spikes some 50 tokens wide, where the cut of its attention changes, which no lattice finds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sim/serve/passes.h"
#include "tests/support/prop.h"
#include "tests/support/serve.h"

#define BOUND 0.005
enum { NEAR = 40, GROUPS = 3 };
enum { MIXED, PROMPTS, STEPS, KINDS };

typedef struct setup {
    rc_costs *costs;
    rc_pass_forward *source;
    rc_passes *memo;
    int cp;
    int64_t dealt; /* ranks that sequences which decode are dealt to */
} setup;

static rc_serve serve;
static const char *const machines[] = {"h100-sxm", "h200-sxm", "gtt"};
static const char *const models[] = {"llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b",
                                     "deepseek-v3", "qwen3-32b"};
static const char *const schedules[] = {"pass-kv", "pass-q", "pcp"};

static rc_status open_with(setup *s, const rc_schedule *schedule, rc_error *err) {
    const rc_what_if none = {.slow_rank = -1, .slow_link_rank = -1};
    const rc_layout cut = rc_pool_cut(&serve, &serve.pools[0], s->cp, schedule);
    s->dealt = rc_schedule_dealt(schedule, s->cp);
    const rc_passes_like like = {2 * s->cp, (int)s->dealt};
    RC_TRY(rc_costs_open(NULL, &serve.machine, &s->costs, err));
    RC_TRY(rc_pass_forward_create(&serve, s->costs, &cut, schedule, NULL, &none, &s->source, err));
    return rc_passes_create(rc_pass_forward_time, s->source, like, false, &s->memo, err);
}

static void shut(setup *s) {
    rc_passes_destroy(s->memo);
    rc_pass_forward_destroy(s->source);
    rc_costs_close(s->costs);
}

static int64_t log_range(prop_case *c, double lo, double hi) {
    return llround(lo * pow(hi / lo, (double)prop_below(c, 1 << 20) / (1 << 20)));
}

/* Passes until the memo no longer simulates all as they come. */
static rc_status pass_exact_ones(setup *s, int kind, rc_error *err) {
    rc_pass_cost cost;
    for (int i = 0; i < RC_PASSES_EXACT; i++) {
        const rc_sequence chunk = {8 + i, 0};
        const rc_pass prompt = {.prefill = &chunk, .prefills = 1};
        const rc_pass step = {.decodes = 1, .context = i + 1};
        const rc_pass pass = kind == STEPS ? step : prompt;
        RC_TRY(rc_passes_time(s->memo, &pass, &cost, err));
    }
    return RC_OK;
}

/* About what the passes of a group are: those of one group fall into few cells. */
typedef struct about {
    int64_t t, p, decodes, mean, budget;
    bool whole; /* chunk and decodes fill the budget, as most passes of a busy replica do */
} about;

static about drawn(prop_case *c, int cp) {
    about a = {.t = log_range(c, 64.0 * cp, 16384.0),
               .p = prop_below(c, 4) == 0 ? 0 : log_range(c, 100.0, 400000.0),
               .decodes = log_range(c, 1.0, 128.0),
               .mean = log_range(c, 200.0, 200000.0),
               .whole = prop_below(c, 3) > 0};
    a.budget = INT64_C(2048) << prop_below(c, 4);
    return a;
}

/* No rank's longest can have more than all of them together. */
static int64_t most_of(const setup *s, const rc_pass *pass, int64_t mean) {
    const int64_t ranks = s->dealt < pass->decodes ? s->dealt : pass->decodes;
    const int64_t all = pass->context / ranks;
    return all > 8 * mean ? 8 * mean : all > mean ? all : mean;
}

static rc_pass near_by(prop_case *c, const setup *s, const about *a, int kind, rc_sequence *chunk) {
    const double off = 0.8 + 0.4 * (double)prop_below(c, 1000) / 1000.0;
    const int64_t mean = llround(off * (double)a->mean);
    rc_pass pass = {.prefill = chunk,
                    .prefills = kind != STEPS,
                    .decodes = kind == PROMPTS ? 0 : (uint32_t)a->decodes};
    *chunk =
        (rc_sequence){a->whole && kind == MIXED ? a->budget - a->decodes : a->t,
                      llround((0.8 + 0.4 * (double)prop_below(c, 1000) / 1000.0) * (double)a->p)};
    if (pass.decodes > 0) {
        pass.context = pass.decodes * mean - (int64_t)prop_below(c, pass.decodes);
        pass.longest =
            mean + (int64_t)prop_below(c, (uint64_t)(most_of(s, &pass, mean) - mean + 1));
    }
    return pass;
}

static double worst[KINDS];
static uint64_t interpolated[KINDS], beyond[KINDS];

static bool group_is_near(prop_case *c, setup *s, int kind) {
    const about a = drawn(c, s->cp);
    for (int i = 0; i < NEAR; i++) {
        rc_error err = {0};
        rc_sequence chunk;
        rc_pass_cost memo, exact;
        const rc_pass pass = near_by(c, s, &a, kind, &chunk);
        const uint64_t before = rc_passes_statistics(s->memo)->interpolated;
        PROP_CHECK(c, rc_passes_time(s->memo, &pass, &memo, &err) == RC_OK, "%s", err.msg);
        if (rc_passes_statistics(s->memo)->interpolated == before)
            continue;
        PROP_CHECK(c, rc_pass_forward_time(s->source, &pass, &exact, &err) == RC_OK, "%s", err.msg);
        const double off = fabs((double)memo.time / (double)exact.time - 1.0);
        worst[kind] = fmax(worst[kind], off);
        interpolated[kind]++;
        beyond[kind] += off > BOUND;
        PROP_CHECK(c, off <= BOUND || kind == PROMPTS,
                   "T %lld P %lld, %u decode, mean %.0f, longest %lld: %.4f %% off, %s cp %d",
                   (long long)(pass.prefills ? chunk.t : 0),
                   (long long)(pass.prefills ? chunk.p : 0), pass.decodes,
                   pass.decodes ? (double)pass.context / pass.decodes : 0.0,
                   (long long)pass.longest, 100.0 * off, serve.model.name, s->cp);
    }
    return true;
}

static bool passes_are_near(prop_case *c) {
    setup s = {.cp = 1 << prop_below(c, 3)};
    rc_error err = {0};
    char text[512];
    (void)snprintf(
        text, sizeof text,
        "serve: near\nmodel: %s\nmachine: %s\ndtypes: {ffn_weights: fp8}\n"
        "pools: [{name: a, tp: 8, cp: %d}]\nscheduler: {policy: chunked, budget: 16384}\n"
        "synthetic: {requests: 1, rate: 1}\n",
        models[prop_below(c, sizeof models / sizeof *models)],
        machines[prop_below(c, sizeof machines / sizeof *machines)], s.cp);
    const int kind = (int)prop_below(c, 3);
    const rc_schedule *schedule = rc_schedule_named(
        s.cp == 1 ? "tp" : schedules[prop_below(c, sizeof schedules / sizeof *schedules)]);
    if (kind == STEPS)
        schedule = rc_schedule_decoding(schedule, s.cp);
    PROP_CHECK(c, serve_parse(text, &serve, &err) == RC_OK, "%s", err.msg);
    rc_status st = open_with(&s, schedule, &err);
    if (st == RC_OK)
        st = pass_exact_ones(&s, kind, &err);
    bool good = true;
    for (int i = 0; i < GROUPS && good && st == RC_OK; i++)
        good = group_is_near(c, &s, kind);
    shut(&s);
    PROP_CHECK(c, st == RC_OK, "%s %s %s: %s", serve.model.name, serve.machine.name, schedule->name,
               err.msg);
    return good;
}

static void test_near(void **state) {
    (void)state;
    assert_true(prop_run("passes_are_near", passes_are_near, 1));
    for (int kind = 0; kind < KINDS; kind++) {
        print_message("%s: %llu interpolated, worst %.3f %%, %llu beyond the bound\n",
                      (const char *[]){"mixed", "prompts", "steps"}[kind],
                      (unsigned long long)interpolated[kind], 100.0 * worst[kind],
                      (unsigned long long)beyond[kind]);
        assert_true(interpolated[kind] > 500);
        assert_true(beyond[kind] * 1000 <= interpolated[kind]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
