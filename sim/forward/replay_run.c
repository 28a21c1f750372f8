/* A pass: the layers of a model evaluated one after the other, until they repeat.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/forward/replay.h"

/* Before all beginnings, and far enough from the end of the range. */
#define LONG_AGO ((rc_time)1 << 61)

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
    return true;
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

static bool evaluate_pattern(const walk *w) {
    for (int i = 0; i < w->run->length; i++) {
        if (!rc_replay_section(w->r, w->run->kind[i]))
            return false;
    }
    return true;
}

/* Whether a kind stands twice in the pattern: then only its last exchange is known. */
static bool kind_twice(const rc_layer_run *run) {
    for (int i = 0; i < run->length; i++)
        for (int j = 0; j < i; j++)
            if (run->kind[i] == run->kind[j])
                return true;
    return false;
}

/* When each rank opened each exchange of the pattern, in the order of its sections: kept in `kept`,
 * or held against it. */
static bool same_opens(const walk *w, rc_time *kept, bool keep) {
    const rc_replay *r = w->r;
    bool same = true;
    for (int i = 0; i < w->run->length; i++) {
        const rc_template_section *s = &r->one.layers_of->sections[w->run->kind[i]];
        for (uint32_t b = s->block; b < s->block_end; b++) {
            size_t bytes = r->gpus * sizeof *kept;
            if (r->one.layers_of->blocks[b].kind != RC_BLOCK_EXCHANGE)
                continue;
            if (keep)
                memcpy(kept + (size_t)b * r->gpus, r->exchanged[b].open, bytes);
            same = same && memcmp(kept + (size_t)b * r->gpus, r->exchanged[b].open, bytes) == 0;
        }
    }
    return same;
}

/* Whether the last repetition, to row `last`, would have come to anything else with hosts that are
 * through with all their work. If not, every wait for a host was in vain, as it is for hosts that are
 * ahead by more than they were. The repetition is evaluated a second time; the state stays. */
static bool hosts_decide(const walk *w, int last) {
    rc_replay *r = w->r;
    const size_t n = r->gpus, first = RC_LEFT_HOST * n;
    const rc_time *end = rc_replay_row(r, last);
    if (kind_twice(w->run))
        return true;
    same_opens(w, r->opens, true);
    memcpy(r->state, rc_replay_row(r, last - 1), r->width * sizeof *r->state);
    for (size_t i = first; i < first + n; i++)
        r->state[i] = -LONG_AGO;
    bool same = evaluate_pattern(w) && same_opens(w, r->opens, false);
    for (size_t i = 0; i < r->width; i++)
        same = same && ((i >= first && i < first + n) || r->state[i] == end[i]);
    memcpy(r->state, end, r->width * sizeof *r->state);
    return !same;
}

/* The number of repetitions after which all repeats but for hosts that run ahead; 0: not yet. Where
 * messages wait for attention, what the ranks gain goes round the ring, and comes back after as many
 * repetitions as there are ranks.
 *
 * It goes on for good: had a host been what came last anywhere on the way to what gained the
 * constant, that would have gained no more than the host did. So the way begins at a GPU, and gains
 * the constant again; and no way gains more. That is said of maxima of sums. What an exchange makes of
 * the times at which ranks open it is none, so it is asked which of them a host decides. */
static int period_behind_hosts(const walk *w) {
    int last = w->rows - 1;
    if (w->r->exchanges)
        return last >= 2 && hosts_run_ahead(w, last - 2, last - 1, last) && !hosts_decide(w, last);
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
