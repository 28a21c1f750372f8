/* A pass as the GPUs run it: filled up with sequences that nobody asked for, and, where a ring decodes unlike
 * batches on its ranks, with what holds up its steps.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/cost/tiles.h"
#include "sim/schedule/shard.h"
#include "sim/serve/passes.h"

/* Sequences of a batch that decodes alone as a CUDA graph: of the next size that there is in which a rank has
 * `rows` of them. 0: no graph has room. */
static int64_t graph_of(const rc_serve *s, const rc_pass *pass, int64_t ranks) {
    const int64_t most = s->max_batch > pass->decodes ? s->max_batch : pass->decodes;
    for (int i = 0; i < s->graph_count; i++) {
        const int64_t size = s->graphs[i] < most ? s->graphs[i] : most;
        if (size >= pass->decodes && rc_ceil_div(size, ranks) >= pass->rows)
            return size;
    }
    return 0;
}

/* Whether what a rank sends on waits for its attention: that takes all SMs before a message has any, and it has
 * enough keys to fill the chip. */
static bool waits(const rc_serve *s, const rc_pass *pass, int64_t ranks, int hkv) {
    const rc_machine *m = &s->machine;
    return pass->prefills == 0 && m->ring_gives_way &&
           rc_tiles_decode_fills(rc_ceil_div(pass->heaviest.context, ranks), hkv, m->sms);
}

/* Where messages wait, the rank whose sequences have most keys holds up every step of the ring, and all ranks
 * count as it. Else each rank meets each other's sequences once, so that all take what they take in the mean, and
 * some ranks may have none. That mean is taken beside prompts as well, where a step is long for their attention and
 * decode is a small part of it. */
static void as_ring(const rc_serve *s, const rc_pass *pass, int64_t ranks, int hkv, rc_pass *out) {
    const int64_t mean = rc_ceil_div(pass->context, ranks);
    if (waits(s, pass, ranks, hkv)) {
        const int64_t rows = rc_ceil_div(out->decodes, ranks); /* of a rank */
        out->context = rc_ceil_div(pass->heaviest.context * out->decodes, rows);
        out->longest = pass->heaviest.longest;
    } else {
        out->longest = pass->longest < mean ? pass->longest : mean;
    }
    out->contexts = NULL;
}

rc_pass rc_pass_launched(const rc_serve *s, const rc_pass *pass, int64_t ranks, int hkv) {
    assert(ranks >= 1);
    assert(pass->rows == 0 || pass->heaviest.rows >= 1);
    rc_pass out = *pass;
    int64_t size = pass->prefills > 0 ? 0 : graph_of(s, pass, ranks);
    if (size == 0)
        size = (int64_t)pass->rows * ranks;
    if (size > pass->decodes) {
        out.decodes = (uint32_t)size;
        out.contexts = NULL;
    }
    if (pass->rows > 0)
        as_ring(s, pass, ranks, hkv, &out);
    return out;
}
