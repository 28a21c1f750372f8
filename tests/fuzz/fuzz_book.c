/* Fuzz target: the cost book. The input is the rows of a store, sizes and times of a few ops, and then the sizes that are
 * asked for. The book of the same rows in the other order says the same; every answer is a time, or has words.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/cost_store.h"
#include "tests/support/fuzz_file.h"
#include "tests/support/prop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_ROWS = 40, QUESTIONS = 8 };

static int64_t some(prop_case *c, unsigned bits) {
    return 1 + (int64_t)prop_below(c, UINT64_C(1) << prop_below(c, bits));
}

static rc_row draw_row(prop_case *c) {
    static const char *const states[] = {"burst", "sustained"}, *const causal[] = {"full",
                                                                                   "causal"};
    rc_row r = {.machine = "h200-sxm",
                .gpu = "H200 SXM5 141GB",
                .state = states[prop_below(c, 2)],
                .variant = "",
                .dtype = prop_one_in(c, 2) ? "bf16" : "fp8",
                .samples = 20,
                .sm_mhz = 1700.0,
                .power_w = NAN,
                .temp_c = NAN,
                .date = "2025-01-01",
                .driver = "580",
                .cuda = "13.0",
                .nccl = "",
                .kernel = "drawn",
                .commit = "0",
                .source = "measured"};
    switch (prop_below(c, 4)) {
    case 0:
        r.op = "gemm", r.a = some(c, 18), r.b = some(c, 15), r.c = some(c, 15);
        break;
    case 1:
        r.op = "attention", r.variant = causal[prop_below(c, 2)], r.a = some(c, 18),
        r.b = some(c, 20);
        r.b = r.variant == causal[1] ? r.a : r.b;
        r.c = 16, r.d = 1;
        break;
    case 2:
        r.op = "decode", r.a = some(c, 7), r.b = some(c, 20), r.c = 16, r.d = 1;
        break;
    default:
        r.op = "copy", r.dtype = "", r.a = some(c, 33);
        break;
    }
    r.p50 = 1e-6 * (double)some(c, 24);
    r.p10 = r.p50 * (0.5 + 0.5 * prop_unit(c));
    r.p90 = r.p50 * (1.0 + prop_unit(c));
    return r;
}

/* The book of the rows, those at the end first when `turned`; NULL, or *st says why not. */
static rc_costs *book_of(const rc_row *rows, int n, bool turned, rc_status *st) {
    char path[128];
    rc_rows *set = NULL;
    rc_costs *costs = NULL;
    rc_error e = {0};
    const rc_machine m = syn_machine();
    *st = RC_E_IO;
    if (!fuzz_file(path, "book", (const uint8_t *)"", 0) || unlink(path) != 0 ||
        rc_rows_create(&set, &e) != RC_OK)
        return NULL;
    *st = RC_OK;
    for (int i = 0; i < n && *st == RC_OK; i++)
        *st = rc_rows_add(set, &rows[turned ? n - 1 - i : i], &e);
    if (*st == RC_OK)
        *st = rc_store_write(path, &set, 1, &e);
    if (*st == RC_OK)
        *st = rc_costs_open(path, &m, &costs, &e);
    fuzz_check_error(*st, &e);
    rc_rows_free(set);
    (void)unlink(path);
    return costs;
}

static rc_status ask(prop_case *c, const rc_costs *costs, rc_cost *out, rc_error *e) {
    const rc_dtype type = prop_one_in(c, 2) ? RC_BF16 : RC_FP8;
    const int64_t a = some(c, 18), b = some(c, 18), k = some(c, 14);
    switch (prop_below(c, 4)) {
    case 0:
        return rc_cost_gemm(costs, type, a, b, k, out, e);
    case 1:
        return rc_cost_attention(costs, type, 0, a, b, SYN_HEADS(16, 1), out, e);
    case 2:
        return rc_cost_attention(costs, type, 1, a, a + b, SYN_HEADS(16, 1), out, e);
    default:
        return syn_copy(costs, a * b, out, e);
    }
}

static bool any_order(prop_case *c) {
    rc_row rows[MOST_ROWS];
    const int n = (int)prop_range(c, 1, MOST_ROWS);
    rc_status st, turned;
    for (int i = 0; i < n; i++)
        rows[i] = draw_row(c);
    rc_costs *one = book_of(rows, n, false, &st), *other = book_of(rows, n, true, &turned);
    PROP_CHECK(c, st == turned, "status %d, in the other order %d", (int)st, (int)turned);
    for (int i = 0; one && other && i < QUESTIONS; i++) {
        prop_case same = *c;
        rc_cost x = {0}, y = {0};
        rc_error e = {0}, f = {0};
        st = ask(c, one, &x, &e);
        turned = ask(&same, other, &y, &f);
        fuzz_check_error(st, &e);
        PROP_CHECK(c, st == turned, "question %d: status %d and %d", i, (int)st, (int)turned);
        if (st != RC_OK)
            continue;
        PROP_CHECK(c, isfinite(x.p50) && x.p50 > 0.0 && x.spread >= 0.0, "question %d: %g +- %g", i,
                   x.p50, x.spread);
        PROP_CHECK(c, x.p50 == y.p50 && x.basis == y.basis, "question %d: %.17g and %.17g", i,
                   x.p50, y.p50);
    }
    rc_costs_close(one);
    rc_costs_close(other);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    prop_fuzz("any_order", any_order, data, size, 1);
    return 0;
}
