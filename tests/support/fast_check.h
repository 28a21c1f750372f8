/* rc_forward_time takes as many ticks as every layer simulated as events, whatever the costs, the
 * sequences, the host, slow ranks and links, overlap, and what meets in a ring; one context serves all kinds of
 * passes. Used by properties and by a fuzz target.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_SUPPORT_FAST_CHECK_H
#define RC_TESTS_SUPPORT_FAST_CHECK_H
#define PROGRAMS_FAKE_COSTS
#include "tests/support/programs.h"

#include "sim/forward/evaluator.h"

static rc_forward_ctx *ctx; /* the includer makes it and ends it */
static unsigned long passes, replayed;

static bool same_states(prop_case *c, const fake_pass *f);

/* The reference: every layer as events, all GPUs of a TP group where there are few. */
static bool compare(prop_case *c, const fake_pass *f, rc_forward_path *path) {
    rc_forward all;
    rc_forward_timing fast;
    rc_error err = {0};
    rc_spec s = f->spec;
    s.unfold = true;
    rc_forward_ctx_forget(ctx);
    PROP_CHECK(c, rc_forward_run(&s, &all, &err) == RC_OK, "%s: %.300s", s.schedule->name, err.msg);
    for (int again = 0; again < 2; again++) {
        PROP_CHECK(c, rc_forward_time(ctx, &f->spec, &fast, &err) == RC_OK, "%s: %.300s",
                   s.schedule->name, err.msg);
        PROP_CHECK(c, fast.ticks == all.ticks,
                   "%s phase %d N %d tp %d eager %d serial %d layers %d (%d evaluated, path %d): "
                   "%ld fast, %ld simulated",
                   s.schedule->name, s.phase, s.layout.cp, s.layout.tp, s.eager, s.serial_ring,
                   s.model->layers, fast.layers, fast.path, (long)fast.ticks, (long)all.ticks);
    }
    PROP_CHECK(c, fast.memory.total == all.memory.total, "memory %g", fast.memory.total);
    if (fast.path == RC_PATH_REPLAY && rc_model_uniform(f->spec.model) && !same_states(c, f))
        return false;
    passes++;
    replayed += fast.path == RC_PATH_REPLAY;
    if (path)
        *path = fast.path;
    return true;
}

/* What each layer began with, layers that were leapt over or repeat others included, is what it
 * begins with when all are evaluated one by one. */
static bool same_states(prop_case *c, const fake_pass *f) {
    rc_replay *r = NULL;
    rc_error err = {0};
    rc_time ticks, *began;
    int evaluated;
    PROP_CHECK(c, rc_evaluator_prepare(ctx, &f->spec, &r, &err) == RC_OK, "%.300s", err.msg);
    if (!r)
        return true;
    rc_record record = {.width = r->width};
    began = calloc(r->width, sizeof *began);
    bool same = began && rc_replay_run(r, f->spec.model, &record, &ticks, &evaluated);
    int rep = 0;
    rc_replay_rewind(r);
    for (int layer = 0; same && layer < f->spec.model->layers; layer++) {
        rc_record_begin(&record, rep, began);
        same = memcmp(began, r->state, r->width * sizeof *began) == 0 &&
               rc_replay_section(r, (size_t)rc_model_kind_of(f->spec.model, layer));
        rep += same;
    }
    free(began);
    rc_record_free(&record);
    PROP_CHECK(c, same, "%s N %d: layer %d of %d began otherwise", f->spec.schedule->name,
               f->spec.layout.cp, rep, f->spec.model->layers);
    return true;
}

static bool draw(prop_case *c, const char *variant, int gpus, int layers, fake_pass *f) {
    fake_draw(c, variant, gpus, layers, f);
    fake_power(c, &f->costs);
    if (prop_one_in(c, 4))
        f->x.model.layers = (int)prop_range(c, 1, 6);
    f->spec.serial_ring = prop_one_in(c, 3);
    fake_mix_phases(c, f);
    if (prop_one_in(c, 3))
        f->spec.layout.kv = RC_INT4;
    if (f->spec.schedule->packs && prop_one_in(c, 3))
        f->spec.layout.ring_wire = prop_one_in(c, 2) ? RC_FP8 : RC_INT4;
    if (prop_one_in(c, 3))
        f->spec.layout.tp_wire = RC_FP8;
    return true;
}

static bool fast_is_simulated(prop_case *c) {
    fake_pass f;
    return draw(c, NULL, 16, 32, &f) && compare(c, &f, NULL);
}

/* Sixteen ranks, as long a ring as the paper's. */
static bool fast_on_many_ranks(prop_case *c) {
    fake_pass f;
    c->size += 6;
    do
        draw(c, prop_one_in(c, 2) ? "pass-kv" : "pass-q", 400, 24, &f);
    while (f.spec.layout.cp < 6 || f.spec.layout.cp * f.spec.layout.tp > 24);
    return compare(c, &f, NULL);
}

/* All-to-alls among ranks of which some share a node are the engine's. */
static bool exchanges_over_nodes(const fake_pass *f) {
    const rc_spec *s = &f->spec;
    bool exchanges = s->schedule == rc_schedule_named("pass-q");
    for (size_t i = 0; s->phase == RC_MIXED && i < s->seq_count; i++)
        exchanges = exchanges || s->seqs[i].t == 1;
    return exchanges && s->layout.cp > 2 && f->costs.machine.gpus_per_node / s->layout.tp > 1;
}

/* Ranks with the same work are replayed, never left to the engine. */
static bool even_ranks_are_replayed(prop_case *c) {
    fake_pass f;
    rc_forward_path path = RC_PATH_ENGINE;
    draw(c, NULL, 12, 32, &f);
    for (size_t i = 0; i < f.spec.seq_count; i++) {
        f.x.seqs[i].t *= f.x.seqs[i].t > 1 ? 2 * f.spec.layout.cp : 1;
        f.x.seqs[i].p *= f.spec.layout.cp;
    }
    if (!compare(c, &f, &path))
        return false;
    PROP_CHECK(c, path == RC_PATH_REPLAY || exchanges_over_nodes(&f), "%s N %d was simulated",
               f.spec.schedule->name, f.spec.layout.cp);
    return true;
}

static bool fast_with_what_ifs(prop_case *c) {
    fake_pass f;
    draw(c,
         prop_one_in(c, 3)   ? "pass-q"
         : prop_one_in(c, 2) ? "pass-kv"
                             : "all-gather-kv",
         12, 24, &f);
    rc_what_if *w = &f.spec.what_if;
    if (prop_one_in(c, 2)) {
        w->slow_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
        w->slow_speed = 0.125 * (double)prop_range(c, 1, 12);
    }
    if (prop_one_in(c, 2)) {
        w->slow_link_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
        w->slow_link = 0.1 + prop_unit(c);
    }
    if (prop_one_in(c, 4))
        w->overlap_compute = 0.5 + 0.5 * prop_unit(c);
    if (prop_one_in(c, 6))
        w->overlap_comm = 0.5 + 0.5 * prop_unit(c);
    return compare(c, &f, NULL);
}

/* A host about as fast as its GPU: who waits for whom changes for many layers. */
static bool fast_with_a_close_host(prop_case *c) {
    fake_pass f;
    draw(c, prop_one_in(c, 2) ? "tp" : NULL, 12, 40, &f);
    f.spec.eager = true;
    f.costs.machine.launch = (double)prop_range(c, 200, 1000) / RC_PS_PER_S;
    for (int i = 0; i < FAKE_KINDS; i++) {
        f.costs.fixed[i] = prop_range(c, 0, 1600);
        f.costs.slope[i] = prop_one_in(c, 3) ? 1 : 0;
    }
    return compare(c, &f, NULL);
}

/* One all-to-all at ranks that open at different times, messages long and short. */
static bool fast_with_uneven_exchanges(prop_case *c) {
    fake_pass f;
    draw(c, "pass-q", 10, 16, &f);
    f.costs.link_rate = 1e9 * (double)prop_range(c, 1, 2000);
    f.costs.peer_rate = f.costs.link_rate * (0.05 + 1.5 * prop_unit(c));
    if (prop_one_in(c, 3))
        f.costs.latency = 0;
    return compare(c, &f, NULL);
}

/* Attention and messages that take something from each other. Ranks of one node with the same work
 * are never left to the engine. */
static bool fast_where_messages_meet(prop_case *c) {
    fake_pass f;
    rc_forward_path path = RC_PATH_ENGINE;
    draw(c, prop_one_in(c, 2) ? "pass-kv" : "pass-q", 16, 32, &f);
    fake_share(c, &f);
    if (prop_one_in(c, 2))
        f.costs.machine.ring_step = 0.0; /* hosts run ahead */
    if (prop_one_in(c, 4)) {
        f.spec.what_if.slow_rank = (int)prop_below(c, (uint64_t)f.spec.layout.cp);
        f.spec.what_if.slow_speed = 0.125 * (double)prop_range(c, 1, 12);
    }
    if (!compare(c, &f, &path))
        return false;
    PROP_CHECK(c,
               path == RC_PATH_REPLAY || f.spec.schedule != rc_schedule_named("pass-kv") ||
                   f.spec.phase == RC_MIXED,
               "%s N %d was simulated", f.spec.schedule->name, f.spec.layout.cp);
    return true;
}

#endif
