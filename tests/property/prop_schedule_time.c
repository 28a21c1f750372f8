/* Closed forms of the time of a pass, to the tick: programs played on the engine with made-up
 * times, the same on every rank. Notation: pre, post the sums of the ops before and after
 * attention; a[j] the attention and r[j] the SendRecv of ring step j.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/support/programs.h"

typedef struct pace {
    rc_time part[RC_P_COUNT];          /* compute ops */
    rc_time attention[PROGRAMS_RANKS]; /* by ring step */
    rc_time message[PROGRAMS_RANKS]; /* by ring step: all of a message, or its latency when wired */
    rc_time copy, launch, ring_step;
    rc_time exchange; /* an all-to-all message takes this + its bytes */
    bool wired;
} pace;

static rc_time ticks_of(void *ctx, const rc_program *p, size_t task) {
    const pace *k = ctx;
    const rc_shape *s = programs_shape(p, task);
    int step = p->tasks[task].step;
    switch (s->kind) {
    case RC_T_ATTENTION:
    case RC_T_DECODE:
        return k->attention[step];
    case RC_T_MESSAGE:
        if (s->part == RC_P_ALL2ALL)
            return k->exchange + (k->wired ? 0 : (rc_time)s->bytes);
        return k->message[step];
    case RC_T_COPY:
        return k->copy;
    case RC_T_MARK:
        return 0;
    case RC_T_LAUNCH:
        return k->launch;
    case RC_T_RING_STEP:
        return k->ring_step;
    default:
        return k->part[s->part];
    }
}

/* Every op takes at least `least`. */
static pace draw_pace(prop_case *c, rc_time least) {
    pace k = {.wired = prop_one_in(c, 2), .exchange = prop_range(c, 0, 1000)};
    k.copy = least + prop_range(c, 0, 500);
    for (int i = 0; i < RC_P_COUNT; i++)
        k.part[i] = least + prop_range(c, 0, 500);
    for (int j = 0; j < PROGRAMS_RANKS; j++) {
        k.attention[j] = least + prop_range(c, 0, 3000);
        k.message[j] = least + prop_range(c, 0, 3000);
    }
    return k;
}

/* ---- the parts of a layer ---- */

static rc_time before(const pace *k) {
    return k->part[RC_P_NORM] + k->part[RC_P_QKV] + k->part[RC_P_ROTARY];
}

static rc_time after(const pace *k, const programs_case *x) {
    rc_time reduce = x->rq.layout.tp > 1 ? 2 * k->part[RC_P_ALL_REDUCE] : 0;
    return k->part[RC_P_OUT] + k->part[RC_P_NORM] + k->part[RC_P_GATE_UP] + k->part[RC_P_SWIGLU] +
           k->part[RC_P_DOWN] + reduce;
}

static rc_time head(const pace *k, const programs_case *x) {
    return x->rq.head ? k->part[RC_P_NORM] + k->part[RC_P_LM_HEAD] : 0;
}

static int64_t padded_tokens(const programs_case *x) {
    int64_t n = x->rq.layout.cp, tokens = 0;
    if (x->rq.phase == RC_DECODE)
        return ((int64_t)x->rq.seq_count + n - 1) / n;
    for (size_t i = 0; i < x->rq.seq_count; i++)
        tokens += (x->seqs[i].t + n - 1) / n;
    return tokens;
}

static rc_time send(const pace *k, const programs_case *x, int step) {
    int64_t n = x->rq.layout.cp, tp = x->rq.layout.tp, dh = x->model.kind[0].head_dim, bytes = 0;
    int64_t kv = x->model.kind[0].kv_heads > tp ? x->model.kind[0].kv_heads / tp : 1;
    if (!k->wired)
        return k->message[step];
    if (strcmp(x->variant, "pass-q") == 0)
        return k->message[step] + padded_tokens(x) * (x->model.kind[0].heads / tp) * dh * 2;
    for (size_t i = 0; i < x->rq.seq_count; i++)
        bytes += ((x->seqs[i].t + n - 1) / n + (x->seqs[i].p + n - 1) / n) * 4 * kv * dh;
    return k->message[step] + bytes;
}

/* One all-to-all of messages of `bytes`: N-1 of them share a way out. */
static rc_time exchange(const pace *k, const programs_case *x, int64_t bytes) {
    return k->exchange + bytes * (k->wired ? x->rq.layout.cp - 1 : 1);
}

static rc_time exchanges(const pace *k, const programs_case *x) {
    int64_t rows = padded_tokens(x) * (x->model.kind[0].heads / x->rq.layout.tp);
    return exchange(k, x, rows * x->model.kind[0].head_dim * 2) + exchange(k, x, rows * 4);
}

static rc_time max_of(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* ---- graph mode: sums and maxima ---- */

static rc_time attention_part(const pace *k, const programs_case *x) {
    int n = x->rq.layout.cp;
    rc_time time = 0;
    if (n == 1)
        return k->attention[0];
    if (strcmp(x->variant, "all-gather-kv") == 0) {
        for (int j = 0; j < n - 1; j++)
            time += send(k, x, j);
        return k->copy + time + k->attention[0];
    }
    for (int j = 0; j < n - 1; j++)
        time += max_of(send(k, x, j), k->attention[j]);
    time += k->attention[n - 1];
    if (strcmp(x->variant, "pass-q") == 0)
        time += exchanges(k, x);
    return time + k->part[RC_P_MERGE];
}

static bool play(prop_case *c, const programs_case *x, pace *k, rc_time *end) {
    rc_program p;
    rc_error err = {0};
    PROP_CHECK(c, rc_schedule_build(&x->rq, &p, &err) == RC_OK, "%.300s", err.msg);
    rc_sim *sim = programs_play(&p, ticks_of, k, k->wired);
    if (sim)
        *end = rc_sim_end(sim);
    rc_sim_destroy(sim);
    rc_program_free(&p);
    PROP_CHECK(c, sim != NULL, "%s did not run", x->variant);
    return true;
}

static bool graph_closed_form(prop_case *c) {
    programs_case x;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &x);
    pace k = draw_pace(c, 0);
    rc_time end = 0;
    rc_time want =
        x.model.layers * (before(&k) + attention_part(&k, &x) + after(&k, &x)) + head(&k, &x);
    if (!play(c, &x, &k, &end))
        return false;
    PROP_CHECK(c, end == want, "%s N %d wired %d: %ld, not %ld", x.variant, x.rq.layout.cp, k.wired,
               (long)end, (long)want);
    return true;
}

/* ---- eager mode, host always ahead ----
 * Every op lasts at least three launches l, so that the host is late only after it synchronised: in
 * step j it works w, launches the message (which starts l later) and the attention (2 l later), and
 * waits for both; in the last step it launches the attention alone. The very first launch shows,
 * too. */
static rc_time eager_attention_part(const pace *k, const programs_case *x) {
    int n = x->rq.layout.cp;
    rc_time l = k->launch, w = k->ring_step, time = 0;
    if (n == 1)
        return k->attention[0];
    if (strcmp(x->variant, "all-gather-kv") == 0) {
        for (int j = 0; j < n - 1; j++)
            time += send(k, x, j);
        return w + l + k->copy + time + k->attention[0];
    }
    for (int j = 0; j < n - 1; j++)
        time += w + max_of(l + send(k, x, j), 2 * l + k->attention[j]);
    time += w + l + k->attention[n - 1];
    if (strcmp(x->variant, "pass-q") == 0)
        time += exchanges(k, x);
    return time + k->part[RC_P_MERGE];
}

static bool eager_closed_form(prop_case *c) {
    programs_case x;
    programs_draw(c, RC_PREFILL, NULL, &x);
    x.rq.eager = x.rq.ring_host = true;
    rc_time launch = prop_range(c, 0, 100), end = 0;
    pace k = draw_pace(c, 4 * launch);
    k.launch = launch;
    k.ring_step = prop_range(c, 0, 2000);
    rc_time layer = before(&k) + eager_attention_part(&k, &x) + after(&k, &x);
    rc_time want = launch + x.model.layers * layer + head(&k, &x);
    if (!play(c, &x, &k, &end))
        return false;
    PROP_CHECK(c, end == want, "%s N %d launch %ld: %ld, not %ld", x.variant, x.rq.layout.cp,
               (long)launch, (long)end, (long)want);
    return true;
}

/* ---- eager mode, any host: one rank followed op by op ---- */

typedef struct rank {
    const pace *k;
    rc_time host, compute, comm; /* when each is free */
} rank;

static void op(rank *r, rc_time ticks) {
    r->host += r->k->launch;
    r->compute = max_of(r->compute, r->host) + ticks;
}

/* A SendRecv that may not start before `ready`. */
static void message(rank *r, rc_time ready, rc_time ticks) {
    r->host += r->k->launch;
    r->comm = max_of(max_of(r->comm, r->host), ready) + ticks;
}

static void synchronise(rank *r, const programs_case *x) {
    if (x->rq.ring_host && x->rq.layout.cp > 1)
        r->host = max_of(r->host, max_of(r->compute, r->comm)) + r->k->ring_step;
}

/* A mark is launched and opens the exchange; it closes `ticks` later on the communication side. */
static void open_and_close(rank *r, rc_time ticks) {
    message(r, r->compute, 0);
    r->comm += ticks;
}

static void follow_gather(rank *r, const programs_case *x) {
    rc_time ready = r->compute;
    synchronise(r, x);
    if (x->rq.layout.cp > 1)
        message(r, ready, r->k->copy);
    for (int j = 0; j < x->rq.layout.cp - 1; j++)
        message(r, ready, send(r->k, x, j));
    r->host += r->k->launch;
    r->compute =
        max_of(max_of(r->compute, r->host), x->rq.layout.cp > 1 ? r->comm : 0) + r->k->attention[0];
}

static void follow_ring(rank *r, const programs_case *x) {
    int n = x->rq.layout.cp;
    rc_time rows = padded_tokens(x) * (x->model.kind[0].heads / x->rq.layout.tp);
    rc_time arrived = 0;
    for (int j = 0; j < n; j++) {
        rc_time ready = r->compute;
        synchronise(r, x);
        if (j < n - 1)
            message(r, ready, send(r->k, x, j));
        r->host += r->k->launch;
        r->compute = max_of(max_of(r->compute, r->host), arrived) + r->k->attention[j];
        arrived = r->comm;
    }
    if (n > 1 && strcmp(x->variant, "pass-q") == 0) {
        open_and_close(r, exchange(r->k, x, rows * x->model.kind[0].head_dim * 2));
        open_and_close(r, exchange(r->k, x, rows * 4));
        r->compute = max_of(r->compute, r->comm);
    }
    if (n > 1)
        op(r, r->k->part[RC_P_MERGE]);
}

static rc_time follow(const pace *k, const programs_case *x) {
    static const rc_part first[] = {RC_P_NORM, RC_P_QKV, RC_P_ROTARY};
    static const rc_part second[] = {RC_P_OUT,    RC_P_ALL_REDUCE, RC_P_NORM,      RC_P_GATE_UP,
                                     RC_P_SWIGLU, RC_P_DOWN,       RC_P_ALL_REDUCE};
    rank r = {.k = k};
    for (int l = 0; l < x->model.layers; l++) {
        for (size_t i = 0; i < 3; i++)
            op(&r, k->part[first[i]]);
        if (strcmp(x->variant, "all-gather-kv") == 0)
            follow_gather(&r, x);
        else
            follow_ring(&r, x);
        for (size_t i = 0; i < 7; i++)
            if (second[i] != RC_P_ALL_REDUCE || x->rq.layout.tp > 1)
                op(&r, k->part[second[i]]);
    }
    if (x->rq.head) {
        op(&r, k->part[RC_P_NORM]);
        op(&r, k->part[RC_P_LM_HEAD]);
    }
    return max_of(r.compute, max_of(r.comm, r.host));
}

static bool any_host(prop_case *c) {
    programs_case x;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &x);
    x.rq.eager = true;
    x.rq.ring_host = !prop_one_in(c, 3);
    pace k = draw_pace(c, 0);
    rc_time end = 0;
    k.launch = prop_range(c, 0, 1000);
    k.ring_step = prop_range(c, 0, 3000);
    if (!play(c, &x, &k, &end))
        return false;
    PROP_CHECK(c, end == follow(&k, &x), "%s N %d launch %ld ring host %d: %ld, not %ld", x.variant,
               x.rq.layout.cp, (long)k.launch, x.rq.ring_host, (long)end, (long)follow(&k, &x));
    return true;
}

/* ---- folding a TP group ---- */

static bool unfolded_is_folded(prop_case *c) {
    programs_case x;
    programs_draw(c, prop_one_in(c, 4) ? RC_DECODE : RC_PREFILL, NULL, &x);
    x.rq.eager = prop_one_in(c, 2);
    x.rq.ring_host = prop_one_in(c, 2);
    pace k = draw_pace(c, 0);
    rc_time folded = 0, unfolded = 0;
    k.launch = prop_range(c, 0, 500);
    k.ring_step = prop_range(c, 0, 500);
    x.rq.unfold_tp = false;
    if (!play(c, &x, &k, &folded))
        return false;
    x.rq.unfold_tp = true;
    if (!play(c, &x, &k, &unfolded))
        return false;
    PROP_CHECK(c, folded == unfolded, "%s N %d tp %d eager %d: %ld folded, %ld unfolded", x.variant,
               x.rq.layout.cp, x.rq.layout.tp, x.rq.eager, (long)folded, (long)unfolded);
    return true;
}

static void run(const char *name, prop_fn fn) {
    assert_true(prop_run(name, fn, 24));
}

static void test_graph(void **state) {
    (void)state;
    run("graph_closed_form", graph_closed_form);
}

static void test_eager(void **state) {
    (void)state;
    run("eager_closed_form", eager_closed_form);
}

static void test_any_host(void **state) {
    (void)state;
    run("any_host", any_host);
}

static void test_unfolded(void **state) {
    (void)state;
    run("unfolded_is_folded", unfolded_is_folded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_any_host),
        cmocka_unit_test(test_unfolded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
