/* Which GPU a point needs. No GPU is needed to tell.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CALIB_GPU_NEEDS_H
#define RC_CALIB_GPU_NEEDS_H
#include "calib/catalog.h"
#include "kernels/capability.h"

/* Compute capabilities that the point's kernels run on. */
rc_capability_range rc_point_needs(const rc_point *p);

enum { RC_NEEDS_MAX = 96, RC_LACKS_MAX = 224 };

/* What n points need, for people: "8.0+", "9.0 only", "8.0+, fp8 8.9+". */
void rc_points_needs_text(const rc_point *p, size_t n, char *out, size_t size);
/* "needs compute capability 9.0 only, and NVIDIA A100-SXM4-80GB has 8.0" */
void rc_lacks_text(const char *gpu, int capability, const char *needs, char *out, size_t size);
/* What a suite's own list needs, and whether any of it can be measured on that capability. */
rc_status rc_suite_needs(rc_suite_id id, int capability, bool *any, char *out, size_t size,
                         rc_error *err);

#endif
