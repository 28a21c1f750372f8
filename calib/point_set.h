/* Points that a file asks for, in place of a suite's own list: what `ringcast ... --wanted` writes,
 * or any CSV file whose columns name points, a file of measured rows among them.
 *
 * A point is one that some suite measures, at other sizes: its op, variant, type and condition must
 * stand in the lists of that suite (point_lists.h), its sizes are free. So a suite that learns a
 * new op or condition takes it from files as well.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_POINT_SET_H
#define RC_CALIB_POINT_SET_H
#include "calib/calib_options.h"
#include "calib/catalog.h"

enum { RC_POINT_SET_MAX = 20000 }; /* points of one file */

typedef struct rc_point_set {
    rc_points of[RC_SUITE_COUNT];      /* in the order of the file: the most important first */
    double usual_s[RC_SUITE_COUNT][2]; /* about how long they take: burst, sustained */
} rc_point_set;

/* The columns op, variant, dtype, a, b, c, d, head_k, head_v, window, experts and top_k say what a
 * point is, as in a calibration row; only `op` must be there, and what is left out is empty or 0.
 * The other columns of a calibration row and those that tell why a point is wanted are not looked
 * at; a column of another name is refused, and so is a point that nothing here measures, with its
 * line. *out is filled or, on failure, empty. */
rc_status rc_point_set_parse(const char *name, const char *text, size_t size, rc_point_set *out,
                             rc_error *err);
/* Several files, one point of each in turn: what a budget cuts is the tail of all of them. */
rc_status rc_point_set_read(const char *const *paths, size_t n, rc_point_set *out, rc_error *err);
void rc_point_set_free(rc_point_set *s); /* leaves an empty one; a zeroed one is fine */

/* About how long a suite takes in one of the states, seconds: by its own list or, with --points, by
 * what is asked of it. 0 for a suite or a state that is not asked for. */
double rc_usual_s(const rc_calib_options *o, int id, bool sustained);

/* Whether rows of transfers may be called so: nvlink, shm, socket, rdma, tcp. */
bool rc_is_transport(const char *name);
/* Bytes that a call reads and writes at least; 0 for ops that have no work of that kind. */
double rc_point_bytes(const rc_point *p);

#endif
