/* Attention.
 *
 * Full (every query sees every key) is a grid over Tq and Tk: along Tk by the measured curves,
 * across Tq straight in log time. Log time, not log rate: time is what must not fall as either
 * grows, and along a straight line the two are the same interpolation, for their difference, log
 * FLOPs, is linear in log Tq and in log Tk.
 *
 * Heads. What the chip sees are rows: tokens times query heads, in tiles, each against all keys. So
 * heads that were not measured are the same as more or fewer tokens of heads that were,
 * Tq * Hq / Hq0. (Keys and values are then read for another number of KV heads; that traffic is
 * small beside the arithmetic except for a handful of queries, which is decode's business.)
 *
 * Causal with Tq = Tk (square) is a curve over T. With other heads it is the square of equal work,
 * T * sqrt(Hq / Hq0).
 *
 * Causal behind a prefix of P keys (bottom-right: Tk = P + Tq) costs the square and what P more
 * keys cost a kernel that already works. With F the full grid,
 *     causal(Tq, P) = square(Tq) + F(Tq, Tq/2 + P) - F(Tq, Tq/2),
 * for a square does the work of Tq/2 keys a query. Fixed overheads cancel in the difference, and at
 * P = 0 it is the square exactly. Measured rows with a prefix correct it: log(measured / model) is
 * interpolated straight over log(Tk/Tq), from 0 at P = 0, and over log Tq, and held beyond the
 * ends. Without such rows the answer is `modelled`.
 *
 * Continuous everywhere. Full is monotone in Tq and Tk; causal in Tk at fixed Tq and in Tq at fixed
 * P as far as the model and the corrections are (tests/property/prop_cost_lookup.c).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>

#include "sim/cost/book.h"

enum { TQ = 2 }; /* which key of full and prefix series is Tq */
static const double HEAD_DIM = 128.0;

/* F(tq, tk) for these heads. */
static bool full_at(const rc_book *b, double tq, double tk, int hq, int hkv, rc_probe *out) {
    const rc_series *from = NULL, *to = NULL;
    int64_t k[2] = {0, 0};
    rc_basis heads = RC_MEASURED;
    if (!rc_nearest_heads(b, OP_FULL, hq, hkv, k, &heads) ||
        !rc_book_range(b, OP_FULL, k, 2, &from, &to))
        return false;
    rc_grid_at(from, to, TQ, log(tq * hq / (double)k[0]), log(tk), out);
    out->basis = rc_worse(out->basis, heads);
    return true;
}

static bool square_at(const rc_book *b, double t, int hq, int hkv, rc_probe *out) {
    const rc_series *from = NULL, *to = NULL;
    int64_t k[2] = {0, 0};
    rc_basis heads = RC_MEASURED;
    if (!rc_nearest_heads(b, OP_SQUARE, hq, hkv, k, &heads) ||
        !rc_book_range(b, OP_SQUARE, k, 2, &from, &to)) {
        if (!full_at(b, t, 0.5 * t, hq, hkv, out))
            return false;
        out->basis = RC_MODELLED;
        return true;
    }
    rc_series_at(from, log(t) + 0.5 * log(hq / (double)k[0]), out);
    out->basis = rc_worse(out->basis, heads);
    return true;
}

bool rc_prefix_model(const rc_book *b, double tq, double prefix, int hq, int hkv, rc_probe *out) {
    rc_probe more, less;
    if (!square_at(b, tq, hq, hkv, out))
        return false;
    if (prefix <= 0.0)
        return true;
    out->basis = RC_MODELLED;
    if (!full_at(b, tq, 0.5 * tq + prefix, hq, hkv, &more) ||
        !full_at(b, tq, 0.5 * tq, hq, hkv, &less)) {
        out->y += log1p(2.0 * prefix / tq); /* no full rows: as the work */
        return true;
    }
    out->y = log(exp(out->y) + (exp(more.y) - exp(less.y)));
    out->spread = fmax(out->spread, more.spread);
    return true;
}

/* log(measured / model) of one Tq at x = log(Tk/Tq), 0 at x = 0; *inside when not beyond its rows.
 */
static double correction_of(const rc_series *s, double x, rc_probe *p, bool *inside) {
    double x0 = 0.0, y0 = 0.0;
    for (size_t i = 0; i < s->n; i++) {
        p->spread = s->spread[i];
        p->basis = rc_worse(p->basis, s->basis[i]);
        if (x <= s->x[i])
            return y0 + (s->y[i] - y0) * (x - x0) / (s->x[i] - x0);
        x0 = s->x[i];
        y0 = s->y[i];
    }
    *inside = *inside && x <= x0 + 1e-9;
    return y0;
}

/* Correct a modelled prefix by the measured rows nearest to it. */
static void correct(const rc_book *b, double tq, double tk, int hq, int hkv, rc_probe *out) {
    const rc_series *from = NULL, *to = NULL;
    int64_t k[2] = {0, 0};
    rc_probe p = {.basis = RC_MEASURED};
    if (!rc_nearest_heads(b, OP_PREFIX, hq, hkv, k, &p.basis) ||
        !rc_book_range(b, OP_PREFIX, k, 2, &from, &to))
        return;
    double u = log(tq * hq / (double)k[0]), x = log(tk / tq);
    const rc_series *hi = from;
    while (hi + 1 < to && log((double)hi->k[TQ]) < u)
        hi++;
    const rc_series *lo = hi > from && log((double)hi->k[TQ]) > u ? hi - 1 : hi;
    double ul = log((double)lo->k[TQ]), uh = log((double)hi->k[TQ]);
    bool inside = u >= log((double)from->k[TQ]) - 1e-9 && u <= uh + 1e-9;
    double cl = correction_of(lo, x, &p, &inside), ch = correction_of(hi, x, &p, &inside);
    double f = uh > ul ? fmin(fmax((u - ul) / (uh - ul), 0.0), 1.0) : 0.0;
    out->y += cl + f * (ch - cl);
    out->spread = p.spread;
    if (inside)
        out->basis = p.basis;
}

/* The book of a type, and bytes of an element of Q, K and V; O is bf16 in either. */
static rc_status book_of(const rc_costs *c, rc_dtype d, const rc_book **book, double *e,
                         rc_error *err) {
    *e = rc_dtype_bytes(d);
    *book = d == RC_FP8 ? c->fp8 : c->book;
    if (d == RC_BF16 || d == RC_FP8)
        return RC_OK;
    return rc_fail(err, RC_E_UNMODELLED, "attention in %s has not been measured: bf16 or fp8",
                   rc_dtype_name(d));
}

static rc_status no_rows(const rc_costs *c, rc_dtype d, const char *what, rc_error *err) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s in %s", what, rc_dtype_name(d));
    return rc_cost_no_rows(c, d == RC_BF16 ? what : text, err);
}

rc_status rc_cost_attention(const rc_costs *c, rc_dtype d, int causal, int64_t tq, int64_t tk,
                            int hq, int hkv, rc_cost *out, rc_error *err) {
    const rc_book *book;
    double e;
    RC_TRY(book_of(c, d, &book, &e, err));
    RC_TRY(rc_cost_domain("attention", "tq", tq, 0, err));
    RC_TRY(rc_cost_domain("attention", "tk", tk, 0, err));
    RC_TRY(rc_cost_heads("attention", hq, hkv, err));
    if (tq == 0 || tk == 0)
        return rc_cost_nothing(out);
    bool blind = causal && tk < tq; /* the first queries see no key */
    if (blind)
        tq = tk;
    double q = (double)tq, k = (double)tk;
    double entries = causal ? q * (k - q) + q * (q + 1.0) / 2.0 : q * k;
    rc_probe p;
    if (!causal) {
        if (!full_at(book, q, k, hq, hkv, &p))
            return no_rows(c, d, "attention (full)", err);
    } else {
        if (!rc_prefix_model(book, q, k - q, hq, hkv, &p))
            return no_rows(c, d, "attention (causal)", err);
        if (tk > tq)
            correct(book, q, k, hq, hkv, &p);
        if (blind)
            p.basis = RC_MODELLED;
    }
    rc_work w = {.engine = ENGINE_ATTENTION,
                 .dtype = d,
                 .flops = 4.0 * HEAD_DIM * hq * entries,
                 .bytes = HEAD_DIM * ((e + 2.0) * q * hq + 2.0 * e * k * hkv)};
    return rc_cost_finish(c, &p, &w, out, err);
}

rc_status rc_cost_attention_fused(const rc_costs *c, rc_dtype d, int64_t rows, int64_t entries,
                                  const rc_cost *longest, int hq, int hkv, rc_cost *out,
                                  rc_error *err) {
    RC_TRY(rc_cost_domain("attention", "rows", rows, 1, err));
    RC_TRY(rc_cost_domain("attention", "entries", entries, 0, err));
    int64_t keys = entries / rows + (entries % rows != 0);
    RC_TRY(rc_cost_attention(c, d, 0, rows, keys > 0 ? keys : 1, hq, hkv, out, err));
    out->p50 = fmax(out->p50, longest->p50);
    out->basis = rc_worse(out->basis, RC_MODELLED);
    return RC_OK;
}

rc_status rc_cost_decode_mean(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context, int hq,
                              int hkv, rc_cost *out, rc_error *err) {
    RC_TRY(rc_cost_decode(c, d, batch, context, hq, hkv, out, err));
    out->basis = rc_worse(out->basis, RC_MODELLED);
    return RC_OK;
}

rc_status rc_cost_decode(const rc_costs *c, rc_dtype d, int64_t batch, int64_t context, int hq,
                         int hkv, rc_cost *out, rc_error *err) {
    const rc_series *from = NULL, *to = NULL;
    const rc_book *book;
    int64_t k[2] = {0, 0};
    rc_basis heads = RC_MEASURED;
    rc_probe p;
    double e;
    RC_TRY(book_of(c, d, &book, &e, err));
    RC_TRY(rc_cost_domain("decode", "batch", batch, 0, err));
    RC_TRY(rc_cost_domain("decode", "context", context, 0, err));
    RC_TRY(rc_cost_heads("decode", hq, hkv, err));
    if (batch == 0 || context == 0)
        return rc_cost_nothing(out);
    if (!rc_nearest_heads(book, OP_DECODE, hq, hkv, k, &heads) ||
        !rc_book_range(book, OP_DECODE, k, 2, &from, &to))
        return no_rows(c, d, "decode", err);
    /* KV heads are streams of their own, as sequences are. */
    rc_grid_at(from, to, TQ, log((double)batch * hkv / (double)k[1]), log((double)context), &p);
    p.basis = rc_worse(p.basis, heads);
    double keys = (double)batch * (double)context;
    rc_work w = {.engine = ENGINE_ATTENTION,
                 .dtype = d,
                 .flops = 4.0 * HEAD_DIM * hq * keys,
                 .bytes = HEAD_DIM * (2.0 * e * hkv * keys + (e + 2.0) * (double)batch * hq)};
    return rc_cost_finish(c, &p, &w, out, err);
}
