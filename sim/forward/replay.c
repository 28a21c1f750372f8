/* Evaluating sections of a template, layer after layer, until they repeat.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/replay.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static inline rc_time later(rc_time a, rc_time b) {
    return a > b ? a : b;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

static inline void tasks(const rc_replay *r, const rc_piece *x, uint32_t waits) {
    const uint32_t *wait = r->waits + x->wait, *task = r->order + x->task;
    rc_time *value = r->value;
    const rc_time *duration = r->duration;
    for (uint32_t i = 0; i < x->count; i++, wait += waits) {
        rc_time t = 0;
        for (uint32_t k = 0; k < waits; k++)
            t = later(t, value[wait[k]]);
        value[task[i]] = t + duration[task[i]];
    }
}

/* The compiler unrolls the loops over so many waits. */
static void task_piece(const rc_replay *r, const rc_piece *x) {
    switch (x->waits) {
    case 1:
        tasks(r, x, 1);
        break;
    case 2:
        tasks(r, x, 2);
        break;
    case 3:
        tasks(r, x, 3);
        break;
    default:
        tasks(r, x, x->waits);
    }
}

/* All begin when the last has nothing more to wait for, and take as long as the longest. */
static void rendezvous(const rc_replay *r, const rc_piece *x) {
    rc_time start = 0, longest = 0;
    for (uint32_t k = 0; k < x->waits; k++)
        start = later(start, r->value[r->waits[x->wait + k]]);
    for (uint32_t i = 0; i < x->count; i++)
        longest = later(longest, r->duration[r->order[x->task + i]]);
    for (uint32_t i = 0; i < x->count; i++)
        r->value[r->order[x->task + i]] = start + longest;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void fetch(const rc_replay *r, const uint32_t *ids, rc_time *x) {
    for (uint32_t g = 0; g < r->gpus; g++)
        x[1 + g] = r->value[ids[g]];
}

static void store(const rc_replay *r, const uint32_t *ids, const rc_time *x) {
    for (uint32_t g = 0; g < r->gpus; g++)
        r->value[ids[g]] = x[1 + g];
}

/* Messages begin when their sender's compute lane is ready, or later: then an exchange before them
 * must have left the links. */
static bool links_free(const rc_replay *r, const rc_time *compute) {
    uint32_t n = r->gpus;
    const rc_time *out = r->busy, *in = r->busy + n;
    for (uint32_t g = 0; g < n; g++)
        if (compute[1 + g] < out[g] || compute[1 + g] < in[(g + 1) % n])
            return false;
    return true;
}

static void occupy_links(const rc_replay *r, const rc_time *msg) {
    uint32_t n = r->gpus;
    for (uint32_t g = 0; g < n; g++)
        r->busy[g] = r->busy[n + (g + 1) % n] = msg[1 + g];
}

static bool ring(rc_replay *r, uint32_t b) {
    const rc_template *t = r->one.layers_of;
    const uint32_t *in = t->ids + t->blocks[b].in, *out = t->ids + t->blocks[b].out;
    rc_ring_state *s = &r->ring;
    uint32_t n = r->gpus;
    fetch(r, in + RC_LEFT_HOST * n, s->host);
    fetch(r, in + RC_LEFT_COMPUTE * n, s->compute);
    fetch(r, in + RC_LEFT_COMM * n, s->comm);
    fetch(r, in + RC_LEFT_MESSAGE * n, s->msg);
    fetch(r, in + RC_LEFT_ATTENTION * n, s->att);
    if (r->exchanges && !links_free(r, s->compute))
        return false;
    rc_ring_run(&r->rings[b], s, r->tracing ? &r->traces[b] : NULL);
    r->first[2 * b] = s->first_attention;
    r->first[2 * b + 1] = s->first_message;
    store(r, out + RC_LEFT_HOST * n, s->host);
    store(r, out + RC_LEFT_COMPUTE * n, s->compute);
    store(r, out + RC_LEFT_COMM * n, s->comm);
    store(r, out + RC_LEFT_MESSAGE * n, s->msg);
    store(r, out + RC_LEFT_ATTENTION * n, s->att);
    if (r->exchanges)
        occupy_links(r, s->msg);
    return true;
}

static bool exchange(rc_replay *r, uint32_t b) {
    const rc_template *t = r->one.layers_of;
    const uint32_t *in = t->ids + t->blocks[b].in, *out = t->ids + t->blocks[b].out;
    const rc_exchange *x = &r->exchange[b];
    rc_exchange_state *s = &r->exchanged[b];
    uint32_t n = r->gpus;
    for (uint32_t g = 0; g < n; g++) {
        s->open[g] = r->value[in[g]];
        if (s->open[g] + x->latency < later(r->busy[g], r->busy[n + g]))
            return false;
    }
    if (!rc_exchange_ends(x, s))
        return false;
    for (uint32_t g = 0; g < n; g++)
        r->value[out[g]] = r->busy[g] = r->busy[n + g] = s->close;
    return true;
}

bool rc_replay_section(rc_replay *r, size_t section) {
    const rc_template *t = r->one.layers_of;
    assert(r->works && section < t->section_count);
    const rc_template_section *s = &t->sections[section];
    size_t ports = (size_t)RC_LEFT_COUNT * r->gpus;
    memcpy(r->value + s->first, r->state, ports * sizeof *r->state);
    for (size_t i = r->section_piece[section]; i < r->section_piece[section + 1]; i++) {
        const rc_piece *x = &r->pieces[i];
        if (x->kind == RC_PIECE_TASKS)
            task_piece(r, x);
        else if (x->kind == RC_PIECE_RENDEZVOUS)
            rendezvous(r, x);
        else if (!(r->rings[x->task].n > 0 ? ring(r, x->task) : exchange(r, x->task)))
            return false;
    }
    for (size_t k = 0; k < ports; k++)
        r->state[k] = r->value[t->ids[s->left + k]];
    return true;
}

/* ---- states --------------------------------------------------------------------------------- */

void rc_replay_rewind(rc_replay *r) {
    memset(r->state, 0, r->width * sizeof *r->state);
}

rc_time rc_replay_end(const rc_replay *r) {
    const rc_template *t = r->one.layers_of;
    const rc_template_section *head = &t->sections[t->section_count - 1];
    rc_time end = 0;
    for (uint32_t i = head->first; i < head->end; i++)
        end = later(end, r->value[i]);
    return end;
}

bool rc_replay_reserve(rc_replay *r, size_t rows) {
    assert(rows > 0 && r->width > 0);
    if (rows <= r->history_room)
        return true;
    free(r->history);
    free(r->digest);
    r->history = malloc(rows * r->width * sizeof *r->history);
    r->digest = malloc(rows * sizeof *r->digest);
    r->history_room = r->history && r->digest ? rows : 0;
    return r->history_room > 0;
}

rc_time *rc_replay_row(const rc_replay *r, int row) {
    assert(row >= 0 && (size_t)row < r->history_room);
    return r->history + (size_t)row * r->width;
}

/* ---- what repeats --------------------------------------------------------------------------- */

/* The parts of a state: what rc_left lists, then links out and links in. */
enum { LINKS_OUT = RC_LEFT_COUNT, LINKS_IN, PARTS };

typedef struct walk { /* over the repetitions of one pattern */
    rc_replay *r;
    const rc_layer_run *run;
    rc_record *record;  /* NULL: nobody wants one */
    size_t part[PARTS]; /* the parts that some layer of the pattern touches: where they stand */
    size_t parts;
    int rows; /* of the history: what each repetition left */
} walk;

/* Whether a section leaves this part as it found it. */
static bool passes_on(const rc_replay *r, const rc_template_section *s, uint32_t part) {
    const rc_template *t = r->one.layers_of;
    for (uint32_t k = part * r->gpus; k < (part + 1) * r->gpus; k++)
        if (t->ids[s->left + k] != s->first + k)
            return false;
    return true;
}

static void begin_walk(walk *w) {
    const rc_replay *r = w->r;
    bool touched[PARTS] = {false};
    for (int i = 0; i < w->run->length; i++) {
        const rc_template_section *s = &r->one.layers_of->sections[w->run->kind[i]];
        bool links = r->exchanges && s->block < s->block_end;
        touched[LINKS_OUT] = touched[LINKS_IN] = touched[LINKS_OUT] || links;
        for (uint32_t part = 0; part < RC_LEFT_COUNT; part++)
            touched[part] = touched[part] || !passes_on(r, s, part);
    }
    for (size_t part = 0; part < PARTS; part++)
        if (touched[part])
            w->part[w->parts++] = part * r->gpus;
}

/* A digest of the state but for a constant: of how far all of it is from its first time. */
static uint64_t digest(const walk *w) {
    const rc_time *x = w->r->state;
    uint64_t h = 0;
    for (size_t part = 0; part < w->parts; part++)
        for (size_t i = w->part[part]; i < w->part[part] + w->r->gpus; i++)
            h = (h ^ (uint64_t)(x[i] - x[w->part[0]])) * 0x9e3779b97f4a7c15u;
    return h;
}

static void keep_row(walk *w) {
    memcpy(rc_replay_row(w->r, w->rows), w->r->state, w->r->width * sizeof *w->r->state);
    w->r->digest[w->rows++] = digest(w);
}

/* Two rows differ by a constant. */
static bool alike(const walk *w, int before, int after) {
    const rc_time *a = rc_replay_row(w->r, before), *b = rc_replay_row(w->r, after);
    for (size_t part = 0; part < w->parts; part++)
        for (size_t i = w->part[part]; i < w->part[part] + w->r->gpus; i++)
            if (b[i] - a[i] != b[w->part[0]] - a[w->part[0]])
                return false;
    return true;
}

/* The number of repetitions after which the last one repeats; 0: not yet. */
static int period(const walk *w) {
    const uint64_t *digests = w->r->digest;
    for (int p = 1; p < w->rows; p++)
        if (digests[w->rows - 1 - p] == digests[w->rows - 1] &&
            alike(w, w->rows - 1 - p, w->rows - 1))
            return p;
    return 0;
}

/* Hosts wait for nothing but hosts. */
static bool hosts_run_free(const rc_replay *r) {
    for (size_t i = 0; i < r->one.shape_count; i++)
        if (r->one.shapes[i].kind == RC_T_RING_STEP)
            return false;
    return !r->exchanges;
}

/* From row `a` to `b` and from `b` to `c` each host gains as much, and all else one constant, which
 * is more than any host gains. */
static bool hosts_run_ahead(const walk *w, int a, int b, int c) {
    const rc_time *x = rc_replay_row(w->r, a), *y = rc_replay_row(w->r, b);
    const rc_time *z = rc_replay_row(w->r, c);
    size_t n = w->r->gpus, first = RC_LEFT_COMPUTE * n;
    rc_time gain = z[first] - y[first];
    for (size_t i = first; i < w->r->width; i++)
        if (z[i] - y[i] != gain || y[i] - x[i] != gain)
            return false;
    for (size_t i = RC_LEFT_HOST * n; i < (RC_LEFT_HOST + 1) * n; i++)
        if (z[i] - y[i] != y[i] - x[i] || z[i] - y[i] >= gain)
            return false;
    return true;
}

/* The number of repetitions after which all repeats but for hosts that run ahead; 0: not yet. Where
 * messages wait for attention, what the ranks gain goes round the ring, and comes back after as many
 * repetitions as there are ranks.
 *
 * It goes on for good: had a host been what came last anywhere on the way to what gained the
 * constant, that would have gained no more than the host did. So the way begins at a GPU, and gains
 * the constant again; and no way gains more. */
static int period_behind_hosts(const walk *w) {
    int last = w->rows - 1;
    for (int p = 2; 2 * p <= last && p <= (int)w->r->gpus; p++)
        if (hosts_run_ahead(w, last - 2 * p, last - p, last))
            return p;
    return 0;
}

/* What is left after `rest` more repetitions, which repeat every `p`. */
static void repeat(const walk *w, int p, int rest) {
    rc_replay *r = w->r;
    int whole = rest / p + (rest % p != 0), last = w->rows - 1;
    const rc_time *from = rc_replay_row(r, last - (whole * p - rest));
    const rc_time *now = rc_replay_row(r, last), *then = rc_replay_row(r, last - p);
    if (w->record)
        rc_record_repeat(w->record, now, then, p, rest);
    for (size_t i = 0; i < r->width; i++)
        r->state[i] = from[i] + whole * (now[i] - then[i]);
}

/* Everything gained as much in the last repetition as in the one before. */
static bool drifts(const walk *w) {
    if (w->rows < 3 || w->r->exchanges)
        return w->rows == 2 && !w->r->exchanges;
    const rc_time *a = rc_replay_row(w->r, w->rows - 3), *b = a + w->r->width;
    const rc_time *c = b + w->r->width;
    for (size_t i = 0; i < w->r->width; i++)
        if (c[i] - b[i] != b[i] - a[i])
            return false;
    return true;
}

static bool evaluate_pattern(const walk *w) {
    for (int i = 0; i < w->run->length; i++) {
        if (!rc_replay_section(w->r, w->run->kind[i]))
            return false;
    }
    return true;
}

/* One repetition, and a leap over as many as go on alike; how many in all. 0: to the engine. */
static int advance(walk *w, bool watching, int left) {
    int leapt = 0, rep = w->record ? rc_record_evaluated(w->record, w->r->state) : 0;
    if (watching)
        leapt = (int)rc_replay_leap(w->r, w->run, rc_replay_row(w->r, w->rows - 2), left - 1);
    if (leapt > 0 && w->record) /* the rows still hold what this repetition began with */
        rc_record_leap(w->record, rep, rc_replay_row(w->r, w->rows - 1),
                       rc_replay_row(w->r, w->rows - 2), leapt);
    if (leapt > 0)
        w->rows = 0;
    else if (!evaluate_pattern(w))
        return 0;
    return 1 + leapt;
}

static bool evaluate_run(rc_replay *r, const rc_layer_run *run, rc_record *record, int *evaluated) {
    walk w = {.r = r, .run = run, .record = record};
    bool watching = false, free_hosts = hosts_run_free(r);
    begin_walk(&w);
    for (int done = 0; done < run->times;) {
        int more = advance(&w, watching, run->times - done);
        if (more == 0)
            return false;
        done += more;
        *evaluated += run->length;
        if (done == run->times)
            return true;
        keep_row(&w);
        int p = period(&w);
        if (p == 0 && free_hosts)
            p = period_behind_hosts(&w);
        if (p > 0) {
            repeat(&w, p, run->times - done);
            return true;
        }
        watching = drifts(&w);
    }
    return true;
}

bool rc_replay_run(rc_replay *r, const rc_model *m, rc_record *record, rc_time *ticks,
                   int *evaluated) {
    assert((size_t)m->kinds + 1 == r->one.layers_of->section_count);
    size_t rows = 1;
    for (int i = 0; i < rc_model_runs(m); i++) {
        const rc_layer_run run = rc_model_run(m, i);
        rows = (size_t)run.times > rows ? (size_t)run.times : rows;
    }
    if (!rc_replay_reserve(r, rows))
        return false;
    *evaluated = 0;
    rc_replay_rewind(r);
    for (int i = 0; i < rc_model_runs(m); i++) {
        const rc_layer_run run = rc_model_run(m, i);
        if (!evaluate_run(r, &run, record, evaluated))
            return false;
    }
    if (!rc_replay_section(r, r->one.layers_of->section_count - 1))
        return false;
    *ticks = rc_replay_end(r);
    return true;
}
