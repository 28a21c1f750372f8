/* Which sequences the groups of attention data parallelism have, and which group decides.
 *
 * In every layer the groups meet where tokens go to their experts, and wait for the one that comes last:
 * it comes last in every layer alike, so that a pass takes as long as the pass of that group with all
 * tokens among the experts. A group without sequences joins the collectives.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/forward/forward.h"
#include "sim/schedule/totals.h"

typedef struct dealt {
    rc_sequence s;
    double flops;
    size_t at; /* in the order given */
    int group;
} dealt;

double rc_forward_flops(const rc_model *m, rc_sequence s) {
    return rc_model_gemm_flops(m, s.t) + rc_model_attention_flops(m, s.t, s.p);
}

static bool all_equal(const rc_sequence *seqs, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (seqs[i].t != seqs[0].t || seqs[i].p != seqs[0].p)
            return false;
    return true;
}

static int by_flops(const void *x, const void *y) {
    const dealt *a = x, *b = y;
    if (a->flops != b->flops)
        return a->flops < b->flops ? 1 : -1;
    return (a->at > b->at) - (a->at < b->at);
}

/* Those of group `first` before the others, each in the order given. */
static int by_place(const void *x, const void *y) {
    const dealt *a = x, *b = y;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* The least loaded is at the top of a heap of groups; its load has grown. */
static void sink(int *heap, const double *load, int groups) {
    for (int i = 0, k; (k = 2 * i + 1) < groups; i = k) {
        k += k + 1 < groups && load[heap[k + 1]] < load[heap[k]];
        if (load[heap[i]] <= load[heap[k]])
            return;
        int moved = heap[i];
        heap[i] = heap[k];
        heap[k] = moved;
    }
}

static int deal(dealt *d, size_t count, double *load, int *heap, int groups) {
    int most = 0;
    qsort(d, count, sizeof *d, by_flops);
    for (int g = 0; g < groups; g++)
        load[g] = 0.0, heap[g] = g;
    for (size_t i = 0; i < count; i++) {
        d[i].group = heap[0];
        load[heap[0]] += d[i].flops;
        sink(heap, load, groups);
    }
    for (int g = 1; g < groups; g++)
        most = load[g] > load[most] ? g : most;
    return most;
}

static void sum_rest(const rc_model *m, const rc_sequence *rest, size_t count, rc_elsewhere *out,
                     double *flops) {
    double one = 0.0;
    *out = (rc_elsewhere){.sequences = (int64_t)count};
    *flops = 0.0;
    for (size_t i = 0; i < count; i++) {
        bool new = i == 0 || rest[i].t != rest[i - 1].t || rest[i].p != rest[i - 1].p;
        one = new ? rc_forward_flops(m, rest[i]) : one;
        out->tokens += rest[i].t;
        *flops += one;
    }
}

rc_status rc_spread_sequences(const rc_model *m, int groups, rc_sequence *seqs, size_t count,
                              size_t *own, rc_elsewhere *elsewhere, double *flops, rc_error *err) {
    assert(groups >= 1 && count >= 1);
    *own = (count + (size_t)groups - 1) / (size_t)groups;
    if (groups > 1 && !all_equal(seqs, count)) {
        dealt *d = calloc(count, sizeof *d);
        double *load = calloc((size_t)groups, sizeof *load);
        int *heap = calloc((size_t)groups, sizeof *heap);
        bool room = d && load && heap;
        for (size_t i = 0; room && i < count; i++)
            d[i] = (dealt){.s = seqs[i], .flops = rc_forward_flops(m, seqs[i]), .at = i};
        int busiest = room ? deal(d, count, load, heap, groups) : 0;
        *own = 0;
        for (size_t i = 0; room && i < count; i++) {
            *own += d[i].group == busiest;
            d[i].group = d[i].group == busiest ? 0 : 1;
        }
        if (room)
            qsort(d, count, sizeof *d, by_place);
        for (size_t i = 0; room && i < count; i++)
            seqs[i] = d[i].s;
        free(d);
        free(load);
        free(heap);
        if (!room)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu sequences", count);
    }
    sum_rest(m, seqs + *own, count - *own, elsewhere, flops);
    return RC_OK;
}
