/* Which GPUs the kernels and the library products run on, by compute capability: 10 * major +
 * minor, so 80 is A100, 89 is L40S, 90 is H100, H200 and H20, 100 is B200, 103 is B300.
 *
 * What decides (PTX ISA 9.0, "Target ISA Notes" of each instruction): mma.sync of bf16 and cp.async
 * need 8.0, mma.sync of e4m3 needs 8.9, wgmma exists on 9.0 alone (sm_90a).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_KERNELS_CAPABILITY_H
#define RC_KERNELS_CAPABILITY_H
#include <stdbool.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { RC_CAPABILITY_LEAST = 80 }; /* below this nothing here runs */

typedef struct rc_capability_range {
    int least, most; /* both are in it; most 0: no bound */
} rc_capability_range;

/* `family`: attention decode mla merge elementwise gemm grouped, and fp8-block: products by
 * cuBLASLt with scales of blocks; any other needs RC_CAPABILITY_LEAST. `fp8`: its form that multiplies e4m3 (merge and elementwise have none: they
 * only convert). */
rc_capability_range rc_capability_of(const char *family, bool fp8);
bool rc_capability_in(rc_capability_range r, int capability);
/* "8.9+" (or newer), "9.0 only", "8.0 to 9.0"; returns out. */
const char *rc_capability_text(rc_capability_range r, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
