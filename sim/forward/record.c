/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/forward/record.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

void rc_record_free(rc_record *r) {
    free(r->rows);
    free(r->reps);
    *r = (rc_record){.width = r->width};
}

/* One more row: a, or a - b. */
static size_t add_row(rc_record *r, const rc_time *a, const rc_time *b) {
    if (r->row_count == r->row_room) {
        size_t room = r->row_room ? 2 * r->row_room : 16;
        rc_time *more = realloc(r->rows, room * r->width * sizeof *more);
        if (!more) {
            r->failed = true;
            return 0;
        }
        r->rows = more;
        r->row_room = room;
    }
    rc_time *row = r->rows + r->row_count * r->width;
    for (size_t i = 0; i < r->width; i++)
        row[i] = a[i] - (b ? b[i] : 0);
    return r->row_count++;
}

static void add(rc_record *r, rc_repetition rep) {
    if (r->count == r->room) {
        int room = r->room ? 2 * r->room : 64;
        rc_repetition *more = realloc(r->reps, (size_t)room * sizeof *more);
        if (!more) {
            r->failed = true;
            return;
        }
        r->reps = more;
        r->room = room;
    }
    r->reps[r->count++] = rep;
}

int rc_record_evaluated(rc_record *r, const rc_time *state) {
    assert(r->width > 0);
    add(r, (rc_repetition){.row = add_row(r, state, NULL), .like = r->count});
    return r->count - 1;
}

/* Between the first and the last of a leap whatever comes last comes alone, or for good; at its
 * last another one may come at the same time. */
void rc_record_leap(rc_record *r, int rep, const rc_time *state, const rc_time *before, int more) {
    if (r->failed)
        return;
    assert(rep == r->count - 1 && r->reps[rep].times == 0 && more >= 1);
    size_t gain = add_row(r, state, before), row = r->reps[rep].row;
    int first = r->count;
    for (int t = 1; t <= more; t++)
        add(r, (rc_repetition){
                   .row = row, .gain = gain, .times = t, .like = t < more ? first : r->count});
}

void rc_record_repeat(rc_record *r, const rc_time *now, const rc_time *then, int period, int more) {
    if (r->failed)
        return;
    assert(period >= 1 && period <= r->count);
    size_t gain = add_row(r, now, then);
    int last = r->count - 1;
    for (int i = 1; i <= more; i++) {
        int whole = (i + period - 1) / period, like = last + i - whole * period;
        add(r,
            (rc_repetition){.row = r->reps[like].row, .gain = gain, .times = whole, .like = like});
    }
}

void rc_record_begin(const rc_record *r, int rep, rc_time *state) {
    assert(!r->failed && rep >= 0 && rep < r->count);
    const rc_repetition *x = &r->reps[rep];
    const rc_time *row = r->rows + x->row * r->width, *gain = r->rows + x->gain * r->width;
    for (size_t i = 0; i < r->width; i++)
        state[i] = row[i] + (x->times > 0 ? x->times * gain[i] : 0);
}
