/* Fuzz target: files of points. What is accepted has sizes that a suite can reckon with, in words of
 * its lists.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/catalog.c"
#include "calib/gpu_needs.c"
#include "kernels/capability.c"
#include "calib/point_lists.c"
#undef COUNT
#include "calib/point_lists_gemm.c"
#undef COUNT
#undef KI
#include "calib/point_lists_experts.c"
#include "calib/point_lists_node.c"
#include "calib/point_set.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    rc_point_set s;
    rc_error e = {0};
    rc_status st = rc_point_set_parse("fuzz.csv", (const char *)data, size, &s, &e);
    if (st != RC_OK && (e.msg[0] == '\0' || e.status != st))
        abort();
    for (int id = 0; id < RC_SUITE_COUNT; id++) {
        if (st != RC_OK && s.of[id].n != 0)
            abort();
        for (size_t i = 0; i < s.of[id].n; i++) {
            const rc_point *p = &s.of[id].v[i];
            if (!rc_op_has_rows(p->op) || p->a < 0 || p->b < 0 || p->c < 0 || p->d < 0 ||
                p->a > BYTES_MAX || !(rc_point_bytes(p) >= 0))
                abort();
        }
    }
    rc_point_set_free(&s);
    return 0;
}
