/* Which points of a sweep are still to be computed, and in what runs of them they are handed out.
 *
 * A run is about 50 ms of work, so that workers end at about the same time and a kill loses little.
 * Towards the end runs get shorter for the same reason.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include "sim/sweep/dispatch.h"

enum {
    RUN_MOST = 256, /* points of a run: what a kill loses at most, however fast they are */
    TAIL = 4        /* a run is at most this part of a worker's share of what is left */
};
#define RUN_S 0.05   /* of work in a run */
#define GUESS_S 0.01 /* of a point, before any was timed */

static bool is_taken(const sweep_points *p, int64_t i) {
    assert(i >= 0 && i < p->count);
    return (p->taken[i / 8] >> (i % 8) & 1) != 0;
}

static rc_status read_rows(sweep_points *p, const sweep_db *d, rc_error *err) {
    sqlite3_stmt *q = NULL;
    int step;
    if (sqlite3_prepare_v2(d->db, "SELECT point FROM point", -1, &q, NULL) != SQLITE_OK)
        return sweep_db_error(d, err);
    while ((step = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t i = sqlite3_column_int64(q, 0);
        if (i < 0 || i >= p->count)
            continue;
        p->taken[i / 8] = (unsigned char)(p->taken[i / 8] | 1u << (i % 8));
        p->present++;
    }
    rc_status st = step == SQLITE_DONE ? RC_OK : sweep_db_error(d, err);
    (void)sqlite3_finalize(q);
    p->left = p->count - p->present;
    return st;
}

/* A bit a point is kept of what is done: more are more than anyone waits for, and memory that few hosts have. */
#define MOST_POINTS INT64_C(10000000000)

rc_status sweep_points_init(sweep_points *p, int64_t count, const sweep_shard *have,
                            rc_error *err) {
    assert(count >= 1);
    *p = (sweep_points){.count = count, .present = have ? 0 : count, .next = have ? 0 : count};
    if (count > MOST_POINTS)
        return rc_fail(err, RC_E_SIZE, "the axes make %lld points; expected at most %lld",
                       (long long)count, (long long)MOST_POINTS);
    if (!have)
        return RC_OK;
    p->taken = calloc(1, (size_t)(count / 8 + 1));
    if (!p->taken)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %lld points", (long long)count);
    return read_rows(p, sweep_shard_db(have), err);
}

void sweep_points_free(sweep_points *p) {
    free(p->taken);
    p->taken = NULL;
}

void sweep_points_took(sweep_points *p, int64_t n, double seconds) {
    if (n > 0 && seconds > 0.0)
        p->per_point = seconds / (double)n;
}

int64_t sweep_points_next(sweep_points *p, int workers, int64_t *first) {
    assert(workers >= 1);
    double fit = RUN_S / (p->per_point > 0.0 ? p->per_point : GUESS_S);
    int64_t most = fit < RUN_MOST ? (int64_t)fit + 1 : RUN_MOST, n = 0, i = p->next;
    int64_t share = p->left / ((int64_t)TAIL * workers) + 1;
    most = most < share ? most : share;
    while (i < p->count && is_taken(p, i))
        i++;
    *first = i;
    for (; n < most && i < p->count && !is_taken(p, i); i++)
        n++;
    p->next = i;
    assert(n <= p->left);
    p->left -= n;
    return n;
}
