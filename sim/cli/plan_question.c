/* Flags of a plan as the text of a plan file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/plan_question.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/base/find.h"
#include "sim/base/quantity.h"
#include "sim/base/quote.h"
#include "sim/machine/machine.h"

enum { MOST_TP = 8, MOST_CP = 8 };

typedef struct offer {
    char machine[256], price[32];
    int64_t gpus;
    int node; /* GPUs of one */
} offer;

bool rc_plan_is_asked(const rc_plan_question *q) {
    return q->model || q->trace || q->ttft || q->ttit || q->rate || q->save || q->requests > 0 ||
           q->gpus.count > 0;
}

static rc_status bad_offer(const char *text, rc_error *err) {
    return rc_fail_file(
        err, RC_E_USAGE, "--gpus",
        "found '%.200s', expected MACHINE:COUNT@PRICE, such as h100-sxm:64@2.0 (price "
        "of a GPU-hour; without one every GPU costs 1)",
        text);
}

static rc_status flag_fail(const char *flag, const rc_error *why, rc_error *err) {
    return rc_fail_file(err, RC_E_USAGE, flag, "%.700s", why->msg);
}

static rc_status read_offer(const char *text, offer *o, rc_error *err) {
    char count[32], path[1024];
    rc_error why = {0};
    rc_machine m;
    double price;
    const char *at = strrchr(text, '@'), *end = at ? at : text + strlen(text);
    const char *colon = text;
    for (const char *c = text; c < end; c++)
        colon = *c == ':' ? c : colon;
    if (colon == text || (size_t)(colon - text) >= sizeof o->machine ||
        (size_t)(end - colon) >= sizeof count || (at && strlen(at) > sizeof o->price))
        return bad_offer(text, err);
    (void)snprintf(o->machine, sizeof o->machine, "%.*s", (int)(colon - text), text);
    (void)snprintf(count, sizeof count, "%.*s", (int)(end - colon - 1), colon + 1);
    (void)snprintf(o->price, sizeof o->price, "%s", at ? at + 1 : "1");
    if (rc_quantity_int(count, 1, 1 << 20, &o->gpus, &why) != RC_OK ||
        rc_quantity_parse(o->price, RC_DIM_RATIO, &price, &why) != RC_OK || !(price > 0.0))
        return bad_offer(text, err);
    if (rc_find_file(NULL, "scenarios/machines", o->machine, ".yaml", path, sizeof path, &why) !=
            RC_OK ||
        rc_machine_load(path, &m, &why) != RC_OK)
        return flag_fail("--gpus", &why, err);
    o->node = m.gpus_per_node;
    return RC_OK;
}

static void powers(FILE *f, const char *key, int64_t most) {
    (void)fprintf(f, "  %s: [1", key);
    for (int64_t n = 2; n <= most; n *= 2)
        (void)fprintf(f, ", %lld", (long long)n);
    (void)fputs("]\n", f);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void write_limit(FILE *f, const char *key, const char *value) {
    if (!value)
        return;
    (void)fprintf(f, "  - {%s: ", key);
    rc_quote_yaml(f, value);
    (void)fputs("}\n", f);
}

static void write_arrivals(FILE *f, const rc_plan_question *q, const char *trace) {
    (void)fputs("arrivals:\n  trace: ", f);
    rc_quote_yaml(f, trace);
    (void)fputc('\n', f);
    if (q->requests > 0)
        (void)fprintf(f, "  requests: %lld\n", (long long)q->requests);
    if (q->rate) {
        (void)fputs("  process: poisson\n  rate: ", f);
        rc_quote_yaml(f, q->rate);
        (void)fputc('\n', f);
    }
}

static void write_plan(FILE *f, const rc_plan_question *q, const offer *offers, const char *trace) {
    int64_t tp = 1, gpus = 1;
    (void)fputs("# Written by `ringcast plan`; `ringcast keys plan` has what else may stand here.\n"
                "plan: by-flags\nmodel: ",
                f);
    rc_quote_yaml(f, q->model);
    (void)fputs("\noffers:\n", f);
    for (size_t i = 0; i < q->gpus.count; i++) {
        (void)fputs("  - {machine: ", f);
        rc_quote_yaml(f, offers[i].machine);
        (void)fprintf(f, ", price: %s, gpus: %lld}\n", offers[i].price, (long long)offers[i].gpus);
        int64_t own = least(offers[i].node, offers[i].gpus);
        tp = own > tp ? own : tp;
        gpus = offers[i].gpus > gpus ? offers[i].gpus : gpus;
    }
    (void)fputs("slo:\n", f);
    write_limit(f, "ttft", q->ttft);
    write_limit(f, "ttit", q->ttit);
    write_arrivals(f, q, trace);
    (void)fputs("space:\n", f);
    powers(f, "tp", least(tp, MOST_TP));
    powers(f, "cp", least(gpus, MOST_CP));
    (void)fputs("  pools: [mixed, disaggregated]\n  scheduler: [prefill-first, chunked]\n"
                "  max_batch: [64, 256]\n  replicas: {from: 1, to: 16}\n",
                f);
}

static rc_status check(const rc_plan_question *q, rc_error *err) {
    if (!q->model || !q->trace || q->gpus.count == 0 || (!q->ttft && !q->ttit))
        return rc_fail(err, RC_E_USAGE,
                       "plan needs a plan file, or --model, --trace, --gpus and one of --ttft and "
                       "--ttit");
    return RC_OK;
}

static rc_status save(const char *path, bool overwrite, const char *text, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fputs(text, o.f);
    return rc_outfile_commit(&o, err);
}

rc_status rc_plan_question_doc(const rc_plan_question *q, bool overwrite, rc_doc **out,
                               rc_error *err) {
    static const char flags[] = "the flags";
    char path[RC_PATH_SIZE], *text = NULL;
    size_t size = 0;
    assert(out != NULL);
    RC_TRY(check(q, err));
    offer *offers = calloc(q->gpus.count, sizeof *offers);
    FILE *f = open_memstream(&text, &size);
    rc_status st = offers && f ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    for (size_t i = 0; i < q->gpus.count && st == RC_OK; i++)
        st = read_offer(q->gpus.values[i], &offers[i], err);
    if (st == RC_OK)
        write_plan(f, q, offers, rc_scenario_path(q->trace, path, sizeof path));
    bool whole = f && fclose(f) == 0;
    if (st == RC_OK && !whole)
        st = rc_fail(err, RC_E_NOMEM, "out of memory for a plan");
    if (st == RC_OK && q->save)
        st = save(q->save, overwrite, text, err);
    if (st == RC_OK)
        st = rc_doc_parse(flags, text, size, out, err);
    free(offers);
    free(text);
    return st;
}
