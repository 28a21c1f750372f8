/* The timeline of a run: what each replica did, what moved between them, and the life of each request.
 *
 * Process 0 holds the requests: of each a phase "queued", "prefill" and "decode", and the numbers of
 * the whole cluster. Replica i (of a replica with groups of its own: group i) is process i + 1: its
 * passes on one thread, or one for each stage, KV that it sends and receives on others, as many as transfers are under way
 * at a time, and as counters its queue, its running sequences, the KV that they hold and the load of
 * its links.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/serve/cluster.h"
#include "sim/serve/fair_links.h"

enum { T_PASSES = 1, T_SEND = 10, T_RECEIVE = 100000, T_STAGES = 200000, REQUESTS = 0 };

typedef struct open_pass {
    const char *name;
    rc_time start;
    rc_span_args args;
} open_pass;

typedef struct open_move { /* KV on its way */
    uint32_t job, from, to;
    uint32_t lane[2]; /* of the sender, of the receiver */
    rc_time start;
    double bytes;
} open_move;

typedef struct last_counts { /* told last of a replica */
    uint32_t queued, running, blocks;
} last_counts;

struct serve_spans {
    rc_spans *out;
    open_pass *pass;   /* [microbatches] */
    last_counts *last; /* [replicas] */
    uint32_t *lanes;   /* [replicas][2]: that have been named */
    open_move *moves;
    size_t move_count, move_room;
    double *load[2]; /* [replicas]: bytes/s of the link out and in, now and as told last */
    double *told[2];
    uint64_t flow;
    uint32_t waiting, running; /* of the cluster, told last */
};

static uint32_t number_of(const cluster *c, const replica *r) {
    return (uint32_t)(r - c->replicas);
}

static void name_replica(const cluster *c, uint32_t i) {
    const replica *r = &c->replicas[i];
    const rc_pool *p = c->pools[r->pool].spec;
    char name[128], stages[16] = "";
    if (r->stages > 1)
        (void)snprintf(stages, sizeof stages, " x PP%u", r->stages);
    (void)snprintf(name, sizeof name, "%s %u (%s, CP%d x TP%d%s)", p->name, r->index,
                   rc_pool_role_name(p->role), p->cp, p->tp, stages);
    rc_spans_process(c->spans->out, i + 1, name);
    if (r->stages == 1)
        rc_spans_thread(c->spans->out, (rc_track){i + 1, T_PASSES}, "passes");
    for (uint32_t s = 0; s < r->stages && r->stages > 1; s++) {
        (void)snprintf(name, sizeof name, "passes, stage %u", s);
        rc_spans_thread(c->spans->out, (rc_track){i + 1, T_STAGES + s}, name);
    }
}

rc_status spans_create(cluster *c, rc_error *err) {
    if (!c->options->spans)
        return RC_OK;
    struct serve_spans *s = calloc(1, sizeof *s);
    c->spans = s;
    if (s) {
        s->out = c->options->spans;
        s->pass = calloc(c->mb_count, sizeof *s->pass);
        s->last = calloc(c->replica_count, sizeof *s->last);
        s->lanes = calloc(2 * (size_t)c->replica_count, sizeof *s->lanes);
    }
    for (int side = 0; s && side < 2; side++) {
        s->load[side] = calloc(c->replica_count, sizeof *s->load[side]);
        s->told[side] = calloc(c->replica_count, sizeof *s->told[side]);
    }
    if (!s || !s->pass || !s->last || !s->lanes || !s->load[0] || !s->load[1] || !s->told[0] ||
        !s->told[1])
        return rc_fail(err, RC_E_NOMEM, "out of memory for a timeline");
    rc_spans_process(s->out, REQUESTS, "requests");
    for (uint32_t i = 0; i < c->replica_count; i++)
        name_replica(c, i);
    return RC_OK;
}

void spans_destroy(cluster *c) {
    if (!c->spans)
        return;
    free(c->spans->pass);
    free(c->spans->last);
    free(c->spans->lanes);
    free(c->spans->moves);
    for (int side = 0; side < 2; side++) {
        free(c->spans->load[side]);
        free(c->spans->told[side]);
    }
    free(c->spans);
    c->spans = NULL;
}

/* ---- passes --------------------------------------------------------------------------- */

static void describe_prompts(const cluster *c, const replica *r, const rc_pass *pass,
                             rc_span_args *a) {
    const condition *k = &c->pools[r->pool].conditions[r->health.condition];
    int64_t t = 0, p = 0;
    for (uint32_t i = 0; i < pass->prefills; i++) {
        t += pass->prefill[i].t;
        p += pass->prefill[i].p;
    }
    rc_args_int(a, "prompts", pass->prefills);
    rc_args_int(a, "T", t);
    rc_args_int(a, "P", p);
    rc_args_text(a, "variant", k->prefill[r->layout].schedule->name);
    rc_args_int(a, "cp", k->prefill[r->layout].cp);
}

static void describe_basis(const rc_pass_cost *cost, rc_span_args *a) {
    int most = 0;
    for (int b = 1; b < RC_BASIS_COUNT; b++)
        most = cost->rests[b] > cost->rests[most] ? b : most;
    rc_args_text(a, "rests_on", rc_basis_name((rc_basis)most));
    rc_args_real(a, "share", (double)cost->rests[most]);
}

void spans_pass_begins(cluster *c, const microbatch *m, const rc_pass *pass,
                       const rc_pass_cost *cost, rc_time now) {
    if (!c->spans)
        return;
    const replica *r = m->home;
    open_pass *x = &c->spans->pass[m - c->mb];
    x->name = pass->prefills == 0 ? "decode" : pass->decodes == 0 ? "prefill" : "mixed";
    x->start = now;
    x->args.size = 0;
    if (pass->prefills > 0)
        describe_prompts(c, r, pass, &x->args);
    if (pass->decodes > 0) {
        rc_args_int(&x->args, "decodes", pass->decodes);
        rc_args_int(&x->args, "context", pass->context);
    }
    describe_basis(cost, &x->args);
}

/* Through every stage that it has come to. */
static void staged_spans(cluster *c, const microbatch *m, const open_pass *x, rc_time now) {
    for (uint32_t s = 0; s < m->home->stages; s++) {
        const stage_span *in = &m->pass.span[s];
        if (in->start < now)
            rc_spans_span(c->spans->out, (rc_track){number_of(c, m->home) + 1, T_STAGES + s},
                          x->name, "pass", in->start, in->end < now ? in->end : now, &x->args);
    }
}

void spans_pass_ends(cluster *c, const microbatch *m, rc_time now) {
    if (!c->spans)
        return;
    open_pass *x = &c->spans->pass[m - c->mb];
    if (x->name && m->pass.span)
        staged_spans(c, m, x, now);
    else if (x->name) /* else this group of the replica had nothing to do */
        rc_spans_span(c->spans->out, (rc_track){number_of(c, m->home) + 1, T_PASSES}, x->name,
                      "pass", x->start, now, &x->args);
    x->name = NULL;
}

/* ---- counters ------------------------------------------------------------------------- */

void spans_counts(cluster *c, const replica *r, rc_time now) {
    struct serve_spans *s = c->spans;
    if (!s)
        return;
    uint32_t i = number_of(c, r);
    const last_counts is = {.queued = r->queue.waiting.count,
                            .running = replica_running(r),
                            .blocks = rc_kv_pinned_blocks(r->kv)};
    if (is.queued != s->last[i].queued)
        rc_spans_counter(s->out, i + 1, "queued requests", now, is.queued);
    if (is.running != s->last[i].running)
        rc_spans_counter(s->out, i + 1, "running sequences", now, is.running);
    if (is.blocks != s->last[i].blocks)
        rc_spans_counter(s->out, i + 1, "KV in use, tokens", now, (double)is.blocks * c->block);
    s->last[i] = is;
    if (c->counts.waiting != s->waiting)
        rc_spans_counter(s->out, REQUESTS, "waiting requests", now, c->counts.waiting);
    if (c->counts.running != s->running)
        rc_spans_counter(s->out, REQUESTS, "running requests", now, c->counts.running);
    s->waiting = c->counts.waiting;
    s->running = c->counts.running;
}

/* ---- requests ------------------------------------------------------------------------- */

void spans_request(cluster *c, uint32_t j) {
    if (!c->spans)
        return;
    const rc_served *row = &c->rows[j];
    const char *outcome = rc_outcome_name((rc_outcome)row->outcome);
    const rc_time at[] = {row->arrived, row->started, row->first, row->end};
    static const char *const names[] = {"queued", "prefill", "decode"};
    rc_span_args a = {.size = 0};
    rc_args_int(&a, "input", row->input);
    rc_args_int(&a, "cached", row->cached);
    rc_args_int(&a, "output", row->output);
    if (row->session != RC_NO_SESSION) {
        rc_args_int(&a, "session", row->session);
        rc_args_int(&a, "turn", row->turn);
    }
    rc_args_text(&a, "outcome", outcome);
    for (int i = 0; i < 3; i++) {
        bool last = i == 2 || at[i + 1] < 0;
        rc_spans_phase(c->spans->out, REQUESTS, "request", c->jobs[j].number, names[i], at[i],
                       last ? row->end : at[i + 1], i == 0 ? &a : NULL);
        if (last)
            return;
    }
}

/* ---- KV that moves -------------------------------------------------------------------- */

static uint32_t end_of_move(const open_move *m, int side) {
    return side == 0 ? m->from : m->to;
}

/* The first lane of that end of the move on which no other one is under way. */
static uint32_t free_lane(const struct serve_spans *s, const open_move *m, int side) {
    for (uint32_t lane = 0;; lane++) {
        bool taken = false;
        for (size_t i = 0; i < s->move_count && !taken; i++)
            taken = end_of_move(&s->moves[i], side) == end_of_move(m, side) &&
                    s->moves[i].lane[side] == lane;
        if (!taken)
            return lane;
    }
}

static rc_track track_of(const open_move *m, int side) {
    return (rc_track){end_of_move(m, side) + 1, (side == 0 ? T_SEND : T_RECEIVE) + m->lane[side]};
}

static void name_lane(struct serve_spans *s, const open_move *m, int side) {
    uint32_t *named = &s->lanes[2 * end_of_move(m, side) + (uint32_t)side];
    char name[32];
    if (m->lane[side] < *named)
        return;
    const char *what = side == 0 ? "send KV" : "receive KV";
    (void)snprintf(name, sizeof name, *named == 0 ? "%s" : "%s %u", what, *named + 1);
    rc_spans_thread(s->out, track_of(m, side), name);
    ++*named;
}

/* A transfer that begins or ends may change the rate of any other one. */
static void count_links(cluster *c, rc_time now) {
    static const char *const names[] = {"link out, GB/s", "link in, GB/s"};
    struct serve_spans *s = c->spans;
    for (int side = 0; side < 2; side++)
        memset(s->load[side], 0, c->replica_count * sizeof *s->load[side]);
    for (size_t i = 0; i < s->move_count && c->status == RC_OK; i++) {
        const open_move *m = &s->moves[i];
        double rate = fair_links_rate(c->net.links, m->from, c->replica_count + m->to);
        s->load[0][m->from] += rate;
        s->load[1][m->to] += rate;
    }
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < c->replica_count; i++) {
            if (s->load[side][i] == s->told[side][i])
                continue;
            rc_spans_counter(s->out, i + 1, names[side], now, s->load[side][i] / 1e9);
            s->told[side][i] = s->load[side][i];
        }
}

void spans_move_begins(cluster *c, uint32_t j, uint32_t from, uint32_t to, double bytes,
                       rc_time now) {
    struct serve_spans *s = c->spans;
    if (!s)
        return;
    if (s->move_count == s->move_room) {
        size_t room = s->move_room ? 2 * s->move_room : 64;
        open_move *more = realloc(s->moves, room * sizeof *more);
        if (!more) {
            cluster_fail(c, rc_fail(c->err, RC_E_NOMEM, "out of memory for a timeline"));
            return;
        }
        s->moves = more;
        s->move_room = room;
    }
    open_move m = {.job = j, .from = from, .to = to, .start = now, .bytes = bytes};
    for (int side = 0; side < 2; side++) {
        m.lane[side] = free_lane(s, &m, side);
        name_lane(s, &m, side);
    }
    s->moves[s->move_count++] = m;
    count_links(c, now);
}

void spans_move_ends(cluster *c, uint32_t j, bool arrived, rc_time now) {
    struct serve_spans *s = c->spans;
    size_t i = 0;
    while (s && i < s->move_count && s->moves[i].job != j)
        i++;
    if (!s || i == s->move_count)
        return;
    const open_move m = s->moves[i];
    rc_span_args a = {.size = 0};
    rc_args_int(&a, "request", (int64_t)c->jobs[j].number);
    rc_args_real(&a, "bytes", m.bytes);
    if (!arrived)
        rc_args_int(&a, "dropped", 1);
    for (int side = 0; side < 2; side++)
        rc_spans_span(s->out, track_of(&m, side), "KV", "message", m.start, now, &a);
    rc_spans_flow(s->out, s->flow++, "KV", track_of(&m, 0), m.start, track_of(&m, 1), now);
    s->moves[i] = s->moves[--s->move_count];
    count_links(c, now);
}
