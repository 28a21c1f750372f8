/* Which GPU a point needs: that of the kernel it launches, or of the pickiest of several.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/gpu_needs.h"

#include <string.h>

/* Ops that launch other ops' kernels name them in their variant ("attention+send_recv"); of those
 * attention alone is picky. Products of experts are of one kernel, or of cuBLASLt. */
static const char *family(const rc_point *p) {
    bool streams = p->cond && !strcmp(p->cond, "streams");
    if (!strcmp(p->op, "grouped_gemm") || !strcmp(p->op, "moe_ffn"))
        return streams ? "gemm" : "grouped";
    if (!strcmp(p->op, "gemm") && !strcmp(p->dtype, "fp8-block"))
        return p->dtype; /* the library has them for Hopper alone */
    if (!strcmp(p->op, "mla_decode"))
        return "mla";
    return strstr(p->variant, "attention") || !strcmp(p->op, "mla_prefill") ? "attention" : p->op;
}

static bool fp8(const rc_point *p) {
    return !strcmp(p->dtype, "fp8");
}

rc_capability_range rc_point_needs(const rc_point *p) {
    return rc_capability_of(family(p), fp8(p));
}

static bool same(rc_capability_range a, rc_capability_range b) {
    return a.least == b.least && a.most == b.most;
}

/* What the most lenient point needs: the first part of the text. */
static rc_capability_range base_of(const rc_point *p, size_t n) {
    rc_capability_range base = {RC_CAPABILITY_LEAST, 0};
    for (size_t i = 0; i < n; i++) {
        rc_capability_range r = rc_point_needs(&p[i]);
        if (i == 0 || r.least < base.least || (r.least == base.least && r.most == 0))
            base = r;
    }
    return base;
}

void rc_points_needs_text(const rc_point *p, size_t n, char *out, size_t size) {
    rc_capability_range seen[4] = {base_of(p, n)};
    size_t known = 1, at = strlen(rc_capability_text(seen[0], out, size));
    for (size_t i = 0; i < n && known < 4 && at < size; i++) {
        rc_capability_range r = rc_point_needs(&p[i]);
        char text[24];
        bool is_new = true;
        for (size_t k = 0; k < known; k++)
            is_new = is_new && !same(seen[k], r);
        if (!is_new)
            continue;
        seen[known++] = r;
        bool by_type = fp8(&p[i]) && !same(r, rc_capability_of(family(&p[i]), false));
        at += (size_t)snprintf(out + at, size - at, ", %s %s", by_type ? "fp8" : family(&p[i]),
                               rc_capability_text(r, text, sizeof text));
    }
}

void rc_lacks_text(const char *gpu, int capability, const char *needs, char *out, size_t size) {
    snprintf(out, size, "needs compute capability %s, and %s has %d.%d", needs, gpu,
             capability / 10, capability % 10);
}

rc_status rc_suite_needs(rc_suite_id id, int capability, bool *any, char *out, size_t size,
                         rc_error *err) {
    rc_points p = {0};
    *any = false;
    rc_status st = rc_suite_info_of(id)->points(&p, 8, err);
    for (size_t i = 0; i < p.n && !*any; i++)
        *any = rc_capability_in(rc_point_needs(&p.v[i]), capability);
    if (st == RC_OK)
        rc_points_needs_text(p.v, p.n, out, size);
    rc_points_free(&p);
    return st;
}
