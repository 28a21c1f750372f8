/* Lists of points about several GPUs, about SMs kept free for them, and about the clock of a chip
 * that waits for them: net, interference, sms, clock.
 *
 * A budget cuts the tail of a list, so points stand in order of worth. For net that is: the largest
 * group first (its rings are what is run), the three ops that rings use before the others, and of
 * the sizes those first that pin down a curve: one bound by the link, one between, one bound by
 * latency, then what lies in between and beyond.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/point_lists.h"

#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))
#define KI ((int64_t)1024)
#define MI (KI * KI)

/* ---- net ------------------------------------------------------------------------------------- */

static const struct {
    const char *op;
    bool parts; /* the buffer is cut into one part a rank */
} net_ops[] = {{"send_recv", false},
               {"all_reduce", false},
               {"all_to_all", true},
               {"all_gather", true},
               {"reduce_scatter", true}};

/* By worth. Below 16 KiB only send_recv and all_reduce are asked for: the tail. */
static const int64_t net_first[] = {16 * MI, 1 * MI, 256 * MI, 64 * KI, 4 * MI};
static const int64_t net_then[] = {64 * MI, 256 * KI, 16 * KI, 1024 * MI};
/* NCCL changes its protocol somewhere between 256 KiB and 8 MiB, and a time may jump there. */
static const int64_t net_between[] = {2 * MI, 8 * MI, 512 * KI, 128 * KI, 32 * MI};
static const int64_t net_last[] = {4 * KI, 256, 1 * KI};

/* Bytes as schema.h counts them; where a buffer is cut into one part a rank, parts are whole
 * multiples of 16 bytes and `a` is what is really moved. */
static rc_status net_point(rc_points *p, size_t op, int64_t bytes, int n, int64_t ctas,
                           rc_error *err) {
    rc_point x = {.op = net_ops[op].op,
                  .variant = "",
                  .dtype = "bf16",
                  .a = net_ops[op].parts ? bytes / n / 16 * 16 * n : bytes,
                  .b = n,
                  .c = 1,
                  .cond = ctas ? "ctas" : NULL,
                  .value = ctas};
    x.quick = !ctas && (bytes == 256 || bytes == 16 * KI || bytes == MI || bytes == 16 * MI ||
                        bytes == 256 * MI);
    return rc_points_add(p, &x, err);
}

static rc_status net_sizes(rc_points *p, size_t from, size_t to, const int64_t *sizes, size_t count,
                           int n, rc_error *err) {
    for (size_t op = from; op < to; op++)
        for (size_t i = 0; i < count; i++)
            RC_TRY(net_point(p, op, sizes[i], n, 0, err));
    return RC_OK;
}

/* What a ring pays for leaving SMs to compute: NCCL's CTAs set to so many. */
static rc_status net_ctas(rc_points *p, int n, rc_error *err) {
    static const int64_t ctas[] = {8, 16, 4, 24, 32}, sizes[] = {16 * MI, 1 * MI, 256 * MI};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t k = 0; k < COUNT(ctas); k++)
            for (size_t op = 0; op < 3; op++)
                RC_TRY(net_point(p, op, sizes[i], n, ctas[k], err));
    return RC_OK;
}

/* The three ops of a ring as they stand in a pass, between compute kernels. */
static rc_status net_apart(rc_points *p, int n, rc_error *err) {
    static const int64_t sizes[] = {1 * MI, 64 * KI, 16 * MI, 256 * KI, 4 * MI, 16 * KI, 64 * MI};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t op = 0; op < 3; op++) {
            int64_t bytes = net_ops[op].parts ? sizes[i] / n / 16 * 16 * n : sizes[i];
            rc_point x = {.op = net_ops[op].op,
                          .variant = "",
                          .dtype = "bf16",
                          .a = bytes,
                          .b = n,
                          .c = 1,
                          .cond = "apart",
                          .quick = i < 3};
            RC_TRY(rc_points_add(p, &x, err));
        }
    return RC_OK;
}

/* All-reduces of our own, and what they and NCCL's take where nothing is in L2, as behind a product whose
 * weights have swept it. Of a few tokens to a chunk: beyond, NCCL is as quick. */
static rc_status net_own(rc_points *p, int n, rc_error *err) {
    static const int64_t sizes[] = {32 * KI, 256 * KI, 1 * MI, 8 * KI,   128 * KI, 4 * MI, 64 * KI,
                                    1 * KI,  8 * MI,   2 * MI, 512 * KI, 16 * KI,  4 * KI, 2 * KI};
    static const char *const conditions[] = {"oneshot", "twoshot", "oneshot-cold", "twoshot-cold",
                                             "cold"};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t k = 0; k < COUNT(conditions); k++) {
            bool one = !strncmp(conditions[k], "oneshot", 7);
            rc_point x = {.op = "all_reduce",
                          .variant = "",
                          .dtype = "bf16",
                          .a = sizes[i],
                          .b = n,
                          .c = 1,
                          .cond = conditions[k],
                          .quick = i < 3};
            if (!one || sizes[i] <= 1 * MI)
                RC_TRY(rc_points_add(p, &x, err));
        }
    for (int64_t bytes = 16 * MI; bytes <= 64 * MI; bytes *= 2) {
        rc_point x = {.op = "all_reduce",
                      .variant = "",
                      .dtype = "bf16",
                      .a = bytes,
                      .b = n,
                      .c = 1,
                      .cond = "cold"};
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

bool rc_point_reads_peers(const rc_point *p) {
    return p->cond && (!strncmp(p->cond, "oneshot", 7) || !strncmp(p->cond, "twoshot", 7));
}

/* All ranks, then powers of two downwards: half of a node, a quarter of eight. */
static int next_group(int n) {
    int half = 1;
    while (2 * half < n)
        half *= 2;
    return half;
}

rc_status rc_points_net(rc_points *p, int ranks, rc_error *err) {
    const size_t rings = 3, all = COUNT(net_ops);
    if (ranks < 2)
        return RC_OK;
    RC_TRY(net_sizes(p, 0, rings, net_first, COUNT(net_first), ranks, err));
    for (int n = next_group(ranks); n >= 2; n = next_group(n))
        RC_TRY(net_sizes(p, 0, rings, net_first, COUNT(net_first), n, err));
    for (int n = ranks; n >= 2; n = next_group(n))
        RC_TRY(net_apart(p, n, err));
    for (int n = ranks; n >= 2; n = next_group(n))
        if (n <= 8)
            RC_TRY(net_own(p, n, err));
    RC_TRY(net_ctas(p, ranks, err));
    for (int n = ranks; n >= 2; n = next_group(n)) {
        RC_TRY(net_sizes(p, 0, rings, net_between, COUNT(net_between), n, err));
        RC_TRY(net_sizes(p, 0, rings, net_then, COUNT(net_then), n, err));
        RC_TRY(net_sizes(p, rings, all, net_first, COUNT(net_first), n, err));
    }
    for (int n = ranks; n >= 2; n = next_group(n)) {
        RC_TRY(net_sizes(p, rings, all, net_then, COUNT(net_then), n, err));
        RC_TRY(net_sizes(p, 0, 2, net_last, COUNT(net_last), n, err));
    }
    return RC_OK;
}

/* ---- interference ---------------------------------------------------------------------------- */

/* SMs for the compute and CTAs for NCCL that are tried together; 0: all, and as NCCL chooses. The
 * first gives way, the others carve SMs out. */
static const struct { int64_t sms, ctas; } settings[] = {{0, 0}, {124, 8}, {116, 16}, {0, 8}};

static rc_status beside(rc_points *p, const char *op, const char *variant, int64_t bytes,
                        int64_t sms, int ranks, int64_t ctas, bool quick, rc_error *err) {
    rc_point x = {.op = op,
                  .variant = variant,
                  .dtype = "bf16",
                  .a = bytes,
                  .b = sms,
                  .c = ranks,
                  .d = ctas,
                  .quick = quick};
    return rc_points_add(p, &x, err);
}

static rc_status pair(rc_points *p, const char *variant, int64_t bytes, int ranks, bool quick,
                      rc_error *err) {
    for (size_t k = 0; k < COUNT(settings); k++) {
        int64_t ctas = strstr(variant, "copy") ? 0 : settings[k].ctas;
        RC_TRY(
            beside(p, "compute_beside", variant, bytes, settings[k].sms, ranks, ctas, quick, err));
        RC_TRY(
            beside(p, "transfer_beside", variant, bytes, settings[k].sms, ranks, ctas, quick, err));
    }
    return RC_OK;
}

/* What each side takes alone: the base that a loss is counted from. */
static rc_status alone(rc_points *p, const char *transfer, int64_t bytes, int ranks,
                       rc_error *err) {
    static const char *const compute[] = {"attention", "gemm", "merge"};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < COUNT(compute); i++)
            RC_TRY(
                beside(p, "compute_beside", compute[i], 0, settings[k].sms, ranks, 0, true, err));
    for (size_t k = 0; k < 3; k++)
        RC_TRY(
            beside(p, "transfer_beside", transfer, bytes, 0, ranks, settings[k].ctas, true, err));
    return RC_OK;
}

/* What runs beside what. Variant: compute+transfer; the row tells of what is named by the op:
 * `compute_beside` the time of one attention, product or merge call, `transfer_beside` that of one
 * transfer. a = message bytes, b = SMs that the compute may take (0: all), c = ranks, d = NCCL's
 * CTAs (0: as it chooses). A variant of one word is that alone. One GPU has no other to send to: a
 * device copy takes the transfer's place. */
rc_status rc_points_interference(rc_points *p, int ranks, rc_error *err) {
    if (ranks < 2) {
        RC_TRY(alone(p, "copy", 16 * MI, ranks, err));
        RC_TRY(pair(p, "attention+copy", 16 * MI, ranks, true, err));
        RC_TRY(pair(p, "gemm+copy", 16 * MI, ranks, false, err));
        return pair(p, "merge+copy", 16 * MI, ranks, false, err);
    }
    RC_TRY(alone(p, "send_recv", 16 * MI, ranks, err));
    RC_TRY(pair(p, "attention+send_recv", 16 * MI, ranks, true, err));
    RC_TRY(pair(p, "gemm+send_recv", 16 * MI, ranks, false, err));
    for (size_t k = 0; k < 3; k++)
        RC_TRY(beside(p, "transfer_beside", "all_reduce", 16 * MI, 0, ranks, settings[k].ctas,
                      false, err));
    RC_TRY(pair(p, "gemm+all_reduce", 16 * MI, ranks, false, err));
    RC_TRY(pair(p, "merge+send_recv", 16 * MI, ranks, false, err));
    RC_TRY(beside(p, "transfer_beside", "send_recv", 64 * MI, 0, ranks, 0, false, err));
    return pair(p, "attention+send_recv", 64 * MI, ranks, false, err);
}

/* ---- sms ------------------------------------------------------------------------------------- */

/* One compute op on fewer and fewer SMs. 132 is a whole Hopper chip: the base. */
static rc_status on_sms(rc_points *p, rc_point x, rc_error *err) {
    static const int64_t sms[] = {132, 124, 116, 108, 100, 128};
    for (size_t i = 0; i < COUNT(sms); i++) {
        x.cond = "sms";
        x.value = sms[i];
        x.quick = sms[i] == 132 || sms[i] == 124;
        RC_TRY(rc_points_add(p, &x, err));
    }
    return RC_OK;
}

rc_status rc_points_sms(rc_points *p, int ranks, rc_error *err) {
    static const rc_point all[] = {
        {.op = "attention",
         .variant = "full",
         .dtype = "bf16",
         .a = 3200,
         .b = 32000,
         .c = 16,
         .d = 1},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 4096, .b = 13312, .c = 16384},
        {.op = "decode", .variant = "", .dtype = "bf16", .a = 8, .b = 64 * KI, .c = 16, .d = 1},
        {.op = "merge", .variant = "step", .dtype = "bf16", .a = 3200 * 16, .b = 2},
        {.op = "attention",
         .variant = "causal",
         .dtype = "bf16",
         .a = 32768,
         .b = 32768,
         .c = 16,
         .d = 1},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 512, .b = 16384, .c = 6656},
        {.op = "attention",
         .variant = "full",
         .dtype = "bf16",
         .a = 320,
         .b = 32000,
         .c = 16,
         .d = 1},
        {.op = "decode", .variant = "", .dtype = "bf16", .a = 1, .b = 128 * KI, .c = 16, .d = 1},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 16, .b = 13312, .c = 16384},
        {.op = "merge", .variant = "step", .dtype = "bf16", .a = 320 * 16, .b = 2},
    };
    (void)ranks;
    for (size_t i = 0; i < COUNT(all); i++)
        RC_TRY(on_sms(p, all[i], err));
    return RC_OK;
}

/* ---- clock ----------------------------------------------------------------------------------- */

static rc_status add_clock(rc_points *p, rc_point x, const char *cond, int64_t percent, bool quick,
                           rc_error *err) {
    x.cond = cond;
    x.value = percent;
    x.sustained = true;
    x.quick = quick;
    return rc_points_add(p, &x, err);
}

/* Of layers of Llama 3.1 8B over prompts of 2,048 tokens: what their kernels take at the clock that dense
 * work leaves them (`hot`), for the fifth of the time that they are at work, and at the boost clock. */
static rc_status add_hot(rc_points *p, rc_error *err) {
    static const rc_point ops[] = {
        {.op = "rmsnorm", .variant = "", .dtype = "bf16", .a = 2048, .b = 4096},
        {.op = "swiglu", .variant = "", .dtype = "bf16", .a = 2048, .b = 14336},
        {.op = "rotary_kv", .variant = "", .dtype = "bf16", .a = 2048, .c = 32, .d = 8},
        {.op = "merge", .variant = "", .dtype = "bf16", .a = 2048 * 32, .b = 2},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 2048, .b = 28672, .c = 4096},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 2048, .b = 4096, .c = 14336},
        {.op = "attention",
         .variant = "causal",
         .dtype = "bf16",
         .a = 2048,
         .b = 2048,
         .c = 32,
         .d = 8},
        {.op = "attention",
         .variant = "full",
         .dtype = "bf16",
         .a = 2048,
         .b = 32768,
         .c = 32,
         .d = 8},
        {.op = "copy", .variant = "", .dtype = "", .a = 64 * MI},
        {.op = "decode", .variant = "", .dtype = "bf16", .a = 16, .b = 32768, .c = 32, .d = 8},
    };
    for (size_t i = 0; i < COUNT(ops); i++) {
        RC_TRY(add_clock(p, ops[i], "hot", 20, false, err));
        RC_TRY(add_clock(p, ops[i], "duty", 20, false, err));
    }
    return RC_OK;
}

/* Ops that load a chip differently, at work for so many per cent of the time: from rest (`fresh`),
 * as rings are timed, then for long (`duty`). */
rc_status rc_points_clock(rc_points *p, int ranks, rc_error *err) {
    static const rc_point ops[] = {
        {.op = "attention",
         .variant = "full",
         .dtype = "bf16",
         .a = 3200,
         .b = 32000,
         .c = 16,
         .d = 1},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 4096, .b = 4096, .c = 16384},
        {.op = "copy", .variant = "", .dtype = "", .a = 2048 * MI},
    };
    static const rc_point others[] = {
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 2048, .b = 13312, .c = 16384},
        {.op = "gemm", .variant = "", .dtype = "bf16", .a = 2048, .b = 2304, .c = 16384},
        {.op = "decode", .variant = "", .dtype = "bf16", .a = 16, .b = 32768, .c = 32, .d = 8},
    };
    static const int64_t duty_percent[] = {100, 50, 75, 25, 90};
    static const int64_t fresh_percent[] = {90, 75, 50};
    (void)ranks;
    for (size_t i = 0; i < COUNT(ops); i++)
        RC_TRY(add_clock(p, ops[i], "fresh", 100, true, err));
    for (size_t i = 0; i < COUNT(others); i++)
        RC_TRY(add_clock(p, others[i], "fresh", 100, false, err));
    for (size_t k = 0; k < COUNT(fresh_percent); k++)
        for (size_t i = 0; i < 2; i++) /* attention and the first product */
            RC_TRY(add_clock(p, ops[i], "fresh", fresh_percent[k], false, err));
    for (size_t k = 0; k < COUNT(duty_percent); k++)
        for (size_t i = 0; i < COUNT(ops); i++)
            RC_TRY(add_clock(p, ops[i], "duty", duty_percent[k],
                             duty_percent[k] == 100 || duty_percent[k] == 50, err));
    return add_hot(p, err);
}
