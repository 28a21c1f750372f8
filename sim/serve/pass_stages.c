/* When a pass is through the stages of its replica.
 *
 * A replica of one stage has one pass at a time, which takes as long as the pass does. One of several stages
 * has as many passes under way, which follow one another through the stages as the chunks of a prompt do
 * (sim/forward/staged.h): stages and links between them take passes in the order in which these were formed,
 * so that it is known when a pass is formed when it will be through. The host forms one pass after the
 * other, while earlier ones are in the stages.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/engine/ticks.h"
#include "sim/serve/cluster.h"

static rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

rc_status stages_create(replica *r, rc_error *err) {
    bool room = true;
    r->stage.clock = calloc(r->stages, sizeof *r->stage.clock);
    r->stage.busy = calloc(r->stages, sizeof *r->stage.busy);
    for (uint32_t i = 0; i < r->stages && r->stages > 1; i++) {
        r->mb[i].pass.span = calloc(r->stages, sizeof *r->mb[i].pass.span);
        room = room && r->mb[i].pass.span;
    }
    return room && r->stage.clock && r->stage.busy
               ? RC_OK
               : rc_fail(err, RC_E_NOMEM, "out of memory for the stages of a replica");
}

void stages_destroy(replica *r) {
    for (uint32_t i = 0; i < r->stages; i++)
        free(r->mb[i].pass.span);
    free(r->stage.clock);
    free(r->stage.busy);
}

static rc_time enter_many(cluster *c, microbatch *m, const rc_pass *pass, rc_time now) {
    replica *r = m->home;
    rc_time send[RC_SERVE_STAGES] = {0}, end[RC_SERVE_STAGES];
    rc_status st = pool_send_times(c, pool_of(c, r), pass, send, c->err);
    if (st != RC_OK) {
        cluster_fail(c, st);
        return now;
    }
    r->stage.formed = rc_ticks_add(later(r->stage.formed, now), pool_host_time(c->spec, pass));
    const rc_time out = rc_pipeline_pass(r->stage.clock, (int)r->stages, r->stage.formed,
                                         c->scratch.work, send, 1, end);
    for (uint32_t s = 0; s < r->stages; s++)
        m->pass.span[s] = (stage_span){end[s] - c->scratch.work[s], end[s]};
    return out;
}

rc_time stages_enter(cluster *c, microbatch *m, const rc_pass *pass, const rc_pass_cost *cost,
                     rc_time now) {
    return m->pass.span ? enter_many(c, m, pass, now)
                        : stride_plan(c, m, pass, rc_ticks_add(now, cost->time));
}

void stages_left(microbatch *m, rc_time now) {
    replica *r = m->home;
    if (!m->pass.span) {
        r->stage.busy[0] += now - m->pass.start;
        return;
    }
    for (uint32_t s = 0; s < r->stages; s++) {
        const stage_span *x = &m->pass.span[s];
        if (x->start < now)
            r->stage.busy[s] += (x->end < now ? x->end : now) - x->start;
    }
}

void stages_reset(replica *r, rc_time now) {
    for (uint32_t s = 0; s < r->stages; s++)
        r->stage.clock[s] = (rc_stage_clock){now, now};
    r->stage.formed = now;
}

double stages_busy(const replica *r) {
    rc_time most = 0;
    for (uint32_t s = 0; s < r->stages; s++)
        most = later(most, r->stage.busy[s]);
    return (double)most / RC_PS_PER_S;
}
