/* The neutral values of what was fitted to the paper or chosen by looking at its rows.
 *
 * They are what one would write down who had never seen the paper's tables: rates
 * of the measured kernels and of NCCL as it is, no host work at ring steps, and the network as others
 * published it of 400 Gb/s a GPU. Two of them are choices of a kind rather than numbers, made by
 * looking at the paper's rows all the same, and count as fitted.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim/base/find.h"
#include "sim/report/paper_internal.h"

static const rc_paper_neutral neutrals[] = {
    {"fp8_matrix", "1", "as the library's best", true, NULL},
    {"fp8_stream", "1", "as the library's best", true, NULL},
    {"ring_step", "0s", "no host work", true, NULL},
    {"ring_step_cached", "0s", "no host work", true, NULL},
    /* send_recv between two nodes of a DGX H100, 400 Gb/s a GPU (scenarios/machines/h100-sxm.yaml) */
    {"peer_rate", "36GB/s", "published of DGX H100", false, NULL},
    {"hop_latency", "17us", "published of DGX H100", false, NULL},
    {"engine.attention", "split", "as the measured kernel", true, "5"},
    {"network.all_reduce", "auto", "NCCL's own choice", false, "7"},
};
enum { NEUTRALS = sizeof neutrals / sizeof neutrals[0] };

size_t rc_paper_neutral_count(void) {
    return NEUTRALS;
}

const rc_paper_neutral *rc_paper_neutral_at(size_t i) {
    assert(i < NEUTRALS);
    return &neutrals[i];
}

int rc_paper_choices(void) {
    int n = 0;
    for (size_t i = 0; i < NEUTRALS; i++)
        n += neutrals[i].table != NULL;
    return n;
}

rc_status rc_paper_load(const char *name, const char *const *sets, size_t set_count,
                        rc_machine *out, rc_error *err) {
    assert(name != NULL && out != NULL);
    char path[1024];
    RC_TRY(rc_share_path("scenarios/machines", name, ".yaml", path, sizeof path, err));
    return rc_machine_load_set(path, sets, set_count, out, err);
}

rc_status rc_paper_load_neutral(const rc_paper *p, const char *name, rc_paper_takes takes,
                                const void *ctx, size_t set_count, rc_machine *out, rc_error *err) {
    assert(takes != NULL && set_count <= p->options.set_count);
    const char **sets = calloc(NEUTRALS + set_count, sizeof *sets);
    char text[NEUTRALS][80];
    size_t count = 0;
    if (!sets)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    for (size_t i = 0; i < NEUTRALS; i++) {
        if (!takes(&neutrals[i], ctx))
            continue;
        (void)snprintf(text[i], sizeof text[i], "machine.%s=%s", neutrals[i].key,
                       neutrals[i].value);
        sets[count++] = text[i];
    }
    for (size_t i = 0; i < set_count; i++)
        sets[count++] = p->options.sets[i];
    rc_status st = rc_paper_load(name, sets, count, out, err);
    free((void *)sets);
    return st;
}
