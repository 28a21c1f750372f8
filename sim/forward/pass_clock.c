/* The clock of a pass whose costs have a power model: where the mean power of GPU 0 over the pass
 * is what the board may draw (sim/cost/power.h). The pass is gone through once at the boost clock,
 * for its time and what GPU 0 does in it, and once at the clock that follows from these.
 *
 * The load is a sum of whole numbers and the clock a whole number of MHz, so that the evaluator and
 * the engine, which agree on the time to the tick, agree on the clock.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include "sim/forward/pass_clock.h"

/* Passes of several GPUs wait for the slowest card. Of cards that nobody has measured it is the one
 * expected to need most power, and the load is what it would draw. */
static rc_load on_slowest(const rc_load *load, const rc_layout *layout) {
    double more = rc_power_thirstiest(rc_layout_gpus(layout));
    rc_load x = *load;
    for (int c = 0; c < RC_POWER_CLASSES; c++) {
        x.core[c] = llround(more * (double)load->core[c]);
        x.core_bound[c] = llround(more * (double)load->core_bound[c]);
    }
    return x;
}

/* The pace of a card with this load that takes t seconds at the boost clock. */
static rc_pace pace_of(const rc_spec *spec, const rc_power *card, const rc_load *load, double t,
                       rc_clock *out) {
    double limit = rc_costs_power_limit(spec->costs, card);
    rc_power_point at = rc_power_solve(card, load, t, limit);
    const double wanted = rc_power_solve(card, load, t, INFINITY).watts;
    *out = (rc_clock){at.clock * card->boost, card->boost, at.watts, limit, wanted};
    return (rc_pace){at.clock, card};
}

/* Of cards with rows of their own: the one whose limiter lengthens the pass most. Which card has the
 * lowest clock does not tell, for the laws by which times follow the clock differ, too. */
static rc_pace slowest_card(const rc_spec *spec, const rc_power *cards, int n, const rc_load *load,
                            double t, rc_clock *out) {
    const rc_power *told_by = rc_costs_power(spec->costs);
    rc_pace slowest = {1.0, NULL};
    double most = -1.0;
    for (int k = 0; k < n; k++) {
        rc_clock clock;
        rc_load own = rc_power_load_of(&cards[k], load, told_by);
        rc_pace pace = pace_of(spec, &cards[k], &own, t, &clock);
        double longer = rc_power_longer(&cards[k], &own, pace.clock);
        if (longer > most) {
            most = longer;
            slowest = pace;
            *out = clock;
        }
    }
    return slowest;
}

rc_pace rc_clock_solve(const rc_spec *spec, const rc_load *load, rc_time ticks, rc_clock *out) {
    const rc_power *power = rc_costs_power(spec->costs);
    assert(power != NULL && ticks >= 0);
    double t = (double)ticks / RC_PS_PER_S;
    int known, gpus = rc_layout_gpus(&spec->layout);
    const rc_power *cards = rc_costs_cards(spec->costs, &known);
    if (gpus <= known)
        return slowest_card(spec, cards, gpus, load, t, out);
    rc_load slowest = on_slowest(load, &spec->layout);
    return pace_of(spec, power, &slowest, t, out);
}

void rc_clock_load(const rc_replay *r, const rc_spec *spec, rc_own_work *out) {
    size_t head = r->one.layers_of->section_count - 1;
    for (size_t s = 0; s <= head; s++) {
        rc_time times = s < head ? rc_model_layers_of(spec->model, (int)s) : 1;
        rc_replay_work(r, &spec->what_if, s, times, out);
    }
}

rc_status rc_clock_of_pass(rc_forward_ctx *ctx, const rc_spec *spec, rc_clock *out, rc_pace *pace,
                           rc_error *err) {
    rc_replay *r = NULL;
    rc_time ticks = 0;
    int evaluated;
    *pace = (rc_pace){1.0, NULL};
    if (rc_costs_power(spec->costs) == NULL)
        return RC_OK;
    assert(rc_costs_root(spec->costs) == spec->costs);
    RC_TRY(rc_evaluator_prepare(ctx, spec, &r, err));
    if (r != NULL && rc_replay_run(r, spec->model, NULL, &ticks, &evaluated)) {
        rc_own_work work = {.part = {0}};
        rc_clock_load(r, spec, &work);
        *pace = rc_clock_solve(spec, &work.load, ticks, out);
        return RC_OK;
    }
    rc_forward whole = {0};
    rc_spec s = *spec;
    s.unfold = false;
    RC_TRY(rc_pass_events(&s, &whole, err));
    *pace = rc_clock_solve(spec, &whole.load, whole.ticks, out);
    return RC_OK;
}
