/* ringcast_select.h: the tuned rule as one C header without dependencies.
 * The functions are those of sim/choose/select.c; the numbers are written to the last bit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include "sim/base/quote.h"
#include "sim/tune/tune_internal.h"

static const char code[] =
    "/* Where x lies in the rising v[0..n-1]: f of the way from i to j. */\n"
    "typedef struct ringcast_place {\n"
    "    int i, j;\n"
    "    double f;\n"
    "} ringcast_place;\n"
    "\n"
    "static inline ringcast_place ringcast_find(const double *v, int n, double x) {\n"
    "    ringcast_place p;\n"
    "    int k = 0;\n"
    "    while (k < n - 1 && x >= v[k + 1])\n"
    "        k++;\n"
    "    p.i = p.j = k;\n"
    "    p.f = 0.0;\n"
    "    if (k < n - 1 && x > v[k]) {\n"
    "        p.j = k + 1;\n"
    "        p.f = (x - v[k]) / (v[k + 1] - v[k]);\n"
    "    }\n"
    "    return p;\n"
    "}\n"
    "\n"
    "static inline double ringcast_at(const double (*t)[RINGCAST_KNOTS], ringcast_place l,\n"
    "                                 ringcast_place b) {\n"
    "    double low = t[b.i][l.i] + l.f * (t[b.i][l.j] - t[b.i][l.i]), high;\n"
    "    if (b.i == b.j)\n"
    "        return low;\n"
    "    high = t[b.j][l.i] + l.f * (t[b.j][l.j] - t[b.j][l.i]);\n"
    "    return low + b.f * (high - low);\n"
    "}\n"
    "\n"
    "/* New tokens from which on pass-KV is the better one, at a length of T + P tokens. */\n"
    "static inline double ringcast_threshold(double length, double batch, int n) {\n"
    "    ringcast_place l = ringcast_find(ringcast_length, RINGCAST_KNOTS, length);\n"
    "    ringcast_place b = ringcast_find(ringcast_batch, RINGCAST_BATCHES, batch);\n"
    "    ringcast_place d = ringcast_find(ringcast_degree + RINGCAST_FIRST,\n"
    "                                     RINGCAST_DEGREES - RINGCAST_FIRST, (double)n);\n"
    "    double low = ringcast_at(ringcast_pass_kv_from[d.i + RINGCAST_FIRST], l, b), high;\n"
    "    if (d.i == d.j)\n"
    "        return low;\n"
    "    high = ringcast_at(ringcast_pass_kv_from[d.j + RINGCAST_FIRST], l, b);\n"
    "    return low + d.f * (high - low);\n"
    "}\n"
    "\n"
    "/* t new and p cached tokens of each of `batch` equal sequences, n CP ranks. */\n"
    "static inline int ringcast_select_variant(double t, double p, double batch, int n) {\n"
    "    if (n <= 1)\n"
    "        return RINGCAST_PASS_KV;\n"
    "    return t >= ringcast_threshold(t + p, batch, n) ? RINGCAST_PASS_KV : RINGCAST_PASS_Q;\n"
    "}\n"
    "\n"
    "/* CP ranks to use of the `ranks` at hand, at least `least` (what fits into memory; 1 when\n"
    "   that is not known); price: index into ringcast_price. */\n"
    "static inline int ringcast_select_degree(int price, double t, double p, double batch,\n"
    "                                         int least, int ranks) {\n"
    "    ringcast_place l = ringcast_find(ringcast_length, RINGCAST_KNOTS, t + p);\n"
    "    ringcast_place b = ringcast_find(ringcast_batch, RINGCAST_BATCHES, batch);\n"
    "    int i = 0;\n"
    "    while (i + 1 < RINGCAST_DEGREES && ringcast_degree[i] < (double)least &&\n"
    "           ringcast_degree[i + 1] <= (double)ranks)\n"
    "        i++;\n"
    "    while (i + 1 < RINGCAST_DEGREES && ringcast_degree[i + 1] <= (double)ranks &&\n"
    "           t >= ringcast_at(ringcast_more_from[price][i], l, b))\n"
    "        i++;\n"
    "    return (int)ringcast_degree[i];\n"
    "}\n";

static void put_row(FILE *f, const char *indent, const double *v, int n, const char *end) {
    (void)fprintf(f, "%s{", indent);
    for (int i = 0; i < n; i++)
        (void)fprintf(f, "%s%.17g", i == 0 ? "" : i % 8 ? ", " : ",\n      ", v[i]);
    (void)fprintf(f, "}%s", end);
}

static void put_degree(const rc_select_table *s, FILE *f, const double (*table)[RC_SELECT_KNOTS],
                       const char *indent, const char *note) {
    (void)fprintf(f, "%s{%s\n", indent, note);
    for (int b = 0; b < s->batches; b++)
        put_row(f, "     ", table[b], s->knots, b + 1 < s->batches ? ",\n" : "},\n");
}

static void put_ints(FILE *f, const char *name, const int *v, int n) {
    (void)fprintf(f, "static const double %s[%d] = {", name, n);
    for (int i = 0; i < n; i++)
        (void)fprintf(f, "%s%d", i ? ", " : "", v[i]);
    (void)fprintf(f, "};\n");
}

static void put_tables(const rc_select_table *s, FILE *f) {
    char note[64];
    (void)fprintf(f, "static const double ringcast_length[RINGCAST_KNOTS] =\n");
    put_row(f, "    ", s->length, s->knots, ";\n");
    put_ints(f, "ringcast_degree", s->degree, s->degrees);
    put_ints(f, "ringcast_batch", s->batch, s->batches);
    (void)fprintf(f,
                  "/* Degrees are compared by time * ranks^price. */\n"
                  "static const double ringcast_price[%d] =\n",
                  s->prices);
    put_row(f, "    ", s->price, s->prices, ";\n");
    (void)fprintf(f, "\nstatic const double\n    ringcast_pass_kv_from[RINGCAST_DEGREES]"
                     "[RINGCAST_BATCHES][RINGCAST_KNOTS] = {\n");
    for (int d = 0; d < s->degrees; d++) {
        (void)snprintf(note, sizeof note, " /* %d ranks */", s->degree[d]);
        put_degree(s, f, s->variant[d], "    ", note);
    }
    (void)fprintf(f, "};\n\nstatic const double ringcast_more_from[RINGCAST_PRICES]"
                     "[RINGCAST_DEGREES][RINGCAST_BATCHES][RINGCAST_KNOTS] = {\n");
    for (int w = 0; w < s->prices; w++) {
        (void)fprintf(f, "  { /* price %g */\n", s->price[w]);
        for (int d = 0; d < s->degrees; d++) {
            (void)snprintf(note, sizeof note,
                           d + 1 < s->degrees ? " /* from %d to the next */" : " /* unused */",
                           s->degree[d]);
            put_degree(s, f, s->more[w][d], "    ", note);
        }
        (void)fprintf(f, "  },\n");
    }
    (void)fprintf(f, "};\n\n");
}

static const rc_tune_rule *tuned_of(const rc_tune *t) {
    for (int i = 0; i < t->rules; i++)
        if (t->rule[i].origin == RC_TUNE_TABLE)
            return &t->rule[i];
    return NULL;
}

static void put_provenance(const rc_tune *t, FILE *f) {
    const rc_tune_rule *r = tuned_of(t);
    (void)fputs("/* Which context-parallel variant and degree for a prefill.\n"
                " * Written by `ringcast tune` from scenario ",
                f);
    rc_quote_c_comment(f, t->s.name);
    (void)fputs(": model ", f);
    rc_quote_c_comment(f, t->s.model.name);
    (void)fputs(" on machine ", f);
    rc_quote_c_comment(f, t->s.machine.name);
    (void)fprintf(
        f,
        ", TP%d.\n"
        " * T %lld..%lld, T+P %lld..%lld; %zu cells, seed %llu, half of them fitted on.\n",
        t->s.layout.tp, (long long)t->s.fresh.from, (long long)t->s.fresh.to,
        (long long)t->s.total.from, (long long)t->s.total.to, t->count,
        (unsigned long long)t->s.seed);
    if (r)
        (void)fprintf(f,
                      " * Variant, on the other half (%zu comparisons): right in %.2f %%, regret "
                      "mean %.4f %%,\n * p95 %.3f %%, worst %.2f %%.\n",
                      r->score[RC_TUNE_TEST].points, 100.0 * r->score[RC_TUNE_TEST].hit_rate,
                      r->score[RC_TUNE_TEST].mean_pct, r->score[RC_TUNE_TEST].p95_pct,
                      r->score[RC_TUNE_TEST].worst_pct);
    (void)fprintf(f, " * C99 or C++; needs no library. Thresholds are joined by straight lines and "
                     "held beyond\n * their ends. Whether it fits into memory is the caller's to "
                     "check. */\n");
}

void rc_tune_header(const rc_tune *t, FILE *f) {
    const rc_select_table *s = &t->table;
    assert(s->knots >= 1 && s->degrees >= 1 && s->batches >= 1 && s->prices >= 1);
    put_provenance(t, f);
    (void)fprintf(f,
                  "#ifndef RINGCAST_SELECT_H\n#define RINGCAST_SELECT_H\n/* clang-format off */\n\n"
                  "enum { RINGCAST_PASS_KV = 0, RINGCAST_PASS_Q = 1 };\n"
                  "enum {\n    RINGCAST_KNOTS = %d,\n    RINGCAST_DEGREES = %d,\n"
                  "    RINGCAST_FIRST = %d, /* the first degree above 1 */\n"
                  "    RINGCAST_BATCHES = %d,\n    RINGCAST_PRICES = %d\n};\n\n",
                  s->knots, s->degrees, s->degree[0] == 1 && s->degrees > 1 ? 1 : 0, s->batches,
                  s->prices);
    put_tables(s, f);
    (void)fputs(code, f);
    (void)fputs("\n#endif\n", f);
}
