/* What a pass asks of its schedule, and whether it can be asked for at all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/forward/internal.h"
#include "sim/schedule/layer.h"
#include "sim/schedule/pass_memory.h"
#include "sim/schedule/totals.h"

/* A ring step with prompts in it synchronises the host to learn how large its messages are, and no
 * graph does that for it. A decode step knows its sizes; on a machine without this work they are
 * known as well: there the host runs ahead, however it launches. */
static bool sizes_messages(const rc_spec *spec, const rc_machine *m) {
    return (spec->eager || spec->phase != RC_DECODE) &&
           (m->ring_step > 0.0 || m->ring_step_cached > 0.0);
}

static double quantised_from(const rc_machine *m, int tp) {
    double limit = rc_machine_own_limit(m, tp);
    if (m->quantise == RC_QUANTISE_FUSED)
        return 0.0;
    return m->quantise == RC_QUANTISE_REDUCED && limit > 0.0 ? limit : -1.0;
}

rc_request rc_spec_request(const rc_spec *spec, int repeats) {
    const rc_machine *m = rc_costs_machine(spec->costs);
    rc_request rq = {.model = spec->model,
                     .schedule = spec->schedule,
                     .layout = spec->layout,
                     .phase = spec->phase,
                     .seqs = spec->seqs,
                     .seq_count = spec->seq_count,
                     .elsewhere = spec->elsewhere,
                     .repeats = repeats,
                     .head = !spec->model->without_head,
                     .unfold_tp = spec->unfold,
                     .eager = spec->eager,
                     .ring_host = sizes_messages(spec, m),
                     .serial_ring = spec->serial_ring,
                     .messages_wait = rc_contention_of(spec).waits,
                     .rotary_by_chunk = spec->rotary_by_chunk,
                     .plain_first_norm = spec->plain_first_norm,
                     .verified = spec->verified,
                     .stripes = m->ring_stripes,
                     .copies_pages = m->ring_copies,
                     .quantised_from = quantised_from(m, spec->layout.tp),
                     .stand_in = spec->stand_in};
    rq.nodes_per_rank = (int)rc_ceil_div(spec->layout.tp, m->gpus_per_node);
    rq.ranks_per_node = m->gpus_per_node / spec->layout.tp;
    return rq;
}

static int64_t sum_tokens(const rc_spec *spec, bool cached) {
    int64_t n = 0;
    for (size_t i = 0; i < spec->seq_count; i++)
        n += cached ? spec->seqs[i].p : spec->seqs[i].t;
    return n;
}

static rc_status check_tokens(const rc_spec *spec, rc_error *err) {
    int64_t fresh = sum_tokens(spec, false), cached = sum_tokens(spec, true);
    if (fresh <= RC_TOKENS_MAX && cached <= RC_TOKENS_MAX - fresh)
        return RC_OK;
    return rc_fail(err, RC_E_INPUT,
                   "%lld new and %lld cached tokens in one pass, expected at most %lld together",
                   (long long)fresh, (long long)cached, (long long)RC_TOKENS_MAX);
}

/* Groups of sequences lie alike: whole ones in a node, or each over whole nodes. */
static rc_status check_groups(const rc_layout *l, const rc_machine *m, rc_error *err) {
    const int own = l->tp * l->cp, node = m->gpus_per_node;
    if (rc_layout_dp(l) == 1 || node % own == 0 || own % node == 0)
        return RC_OK;
    return rc_fail(
        err, RC_E_INPUT,
        "with dp_attention, tp %d x cp %d GPUs are a part of a node of %d or whole nodes", l->tp,
        l->cp, node);
}

rc_status rc_forward_check(const rc_spec *spec, rc_memory *memory, rc_error *err) {
    assert(spec->model != NULL && spec->costs != NULL && spec->schedule != NULL);
    assert(spec->seqs != NULL || spec->seq_count == 0);
    const rc_machine *m = rc_costs_machine(spec->costs);
    const int64_t gpus = (int64_t)spec->layout.tp * spec->layout.cp * rc_layout_dp(&spec->layout);
    RC_TRY(rc_schedule_fits(spec->schedule, spec->model, &spec->layout, err));
    RC_TRY(check_tokens(spec, err));
    RC_TRY(rc_layout_check_types(&spec->layout, err));
    if (gpus > m->gpus_per_node && m->nic_rate <= 0.0)
        return rc_fail(
            err, RC_E_INPUT,
            "tp %d x cp %d needs %lld GPUs, but machine '%s' is one node of %d with no network",
            spec->layout.tp, spec->layout.cp, (long long)gpus, m->name, m->gpus_per_node);
    RC_TRY(check_groups(&spec->layout, m, err));
    int nodes = rc_machine_nodes(m, spec->layout.tp, spec->layout.cp * rc_layout_dp(&spec->layout));
    if (m->max_nodes > 0 && nodes > m->max_nodes)
        return rc_fail(err, RC_E_INPUT,
                       "tp %d x cp %d takes %d nodes: machine '%s' has at most %d (max_nodes)",
                       spec->layout.tp, spec->layout.cp, nodes, m->name, m->max_nodes);
    if (rc_what_if_slows_link(&spec->what_if) && spec->layout.cp > 1 && !spec->schedule->message)
        return rc_fail(err, RC_E_UNMODELLED,
                       "a slow link is modelled under messages from rank to rank, of which variant "
                       "'%s' has none",
                       spec->schedule->name);
    const rc_request rq = rc_spec_request(spec, 0);
    RC_TRY(rc_schedule_check(&rq, err));
    const int64_t rows = spec->verified > 1 ? spec->verified : 1; /* of one sequence's cache */
    RC_TRY(rc_pass_memory(spec->schedule, spec->model, &spec->layout, sum_tokens(spec, false),
                          sum_tokens(spec, true) / rows, (int64_t)spec->seq_count / rows,
                          rc_machine_usable(m), memory, err));
    return rc_memory_check(memory, spec->model, &spec->layout, err);
}
