/* Fuzz target: calibration databases. A file of any bytes is a store or one error; what is read
 * from it answers look-ups or says why not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cost/cost.h"
#include "sim/cost/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const rc_costs *c) {
    rc_cost out;
    rc_error e = {0};
    if (rc_cost_attention(c, RC_BF16, 0, 1000, 5000, (rc_heads){16, 1, 128, 128}, &out, &e) ==
            RC_OK &&
        !isfinite(out.p50))
        abort();
    if (rc_cost_attention(c, RC_BF16, 1, 1000, 5000, (rc_heads){16, 1, 128, 128}, &out, &e) ==
            RC_OK &&
        !isfinite(out.p50))
        abort();
    if (rc_cost_gemm(c, RC_BF16, 1000, 5000, 16, &out, &e) == RC_OK && !isfinite(out.p50))
        abort();
    if (rc_cost_collective(c, "all_reduce", &(rc_transfer){.bytes = 1e6, .ranks = 8, .nodes = 1},
                           &out, &e) == RC_OK &&
        !isfinite(out.p50))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[128];
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%.80s/fuzz_store.%ld", tmp ? tmp : "/tmp", (long)getpid());
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return 0;
    size_t written = fwrite(data, 1, size, f);
    if (fclose(f) != 0 || written != size)
        return unlink(path);
    rc_machine m = {.name = "h200-sxm",
                    .base = "h200-sxm",
                    .collectives = "h200-sxm",
                    .state = "sustained",
                    .gpu = "g",
                    .gpus_per_node = 8,
                    .nvlink_rate = 450e9,
                    .nvls = true,
                    .intra_transport = "nvlink",
                    .gemm_ratio = 1,
                    .attention_ratio = 1,
                    .hbm_ratio = 1,
                    .base_bf16_rate = 1e15,
                    .base_fp8_rate = 2e15,
                    .base_hbm_rate = 4.8e12};
    rc_costs *c = NULL;
    rc_error e = {0};
    rc_status st = rc_costs_open(path, &m, &c, &e);
    if (st != RC_OK && (e.msg[0] == '\0' || e.status != st))
        abort();
    if (st == RC_OK)
        look_up(c);
    rc_costs_close(c);
    (void)unlink(path);
    return 0;
}
