/* What fitting is worth: `ringcast paper --unfitted` and `--worth`.
 *
 * The neutral values below are what one would write down who had never seen the paper's tables: rates
 * of the measured kernels and of NCCL as it is, no host work at ring steps, and the network as others
 * published it of 400 Gb/s a GPU. Two of them are choices of a kind rather than numbers, made by
 * looking at the paper's rows all the same, and count as fitted.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/table.h"
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

int rc_paper_choices(void) {
    int n = 0;
    for (size_t i = 0; i < NEUTRALS; i++)
        n += neutrals[i].table != NULL;
    return n;
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

/* ---- one after the other --------------------------------------------------------------------- */

static void columns_of(rc_table *t) {
    static const rc_column columns[] = {
        {"without", "at its neutral value", "", RC_LEFT},
        {"neutral", "neutral", "", RC_LEFT},
        {"why", "which is", "", RC_LEFT},
        {"ttft_pct", "TTFT", "%", RC_RIGHT},
        {"ttit_pct", "TTIT", "%", RC_RIGHT},
        {"table5_pct", "Table 5", "%", RC_RIGHT},
        {"table8_pct", "Table 8", "%", RC_RIGHT},
        {"tie", "tie", "T", RC_RIGHT},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        rc_table_column(t, columns[i].key, columns[i].name, columns[i].unit, columns[i].align);
}

/* The line of p's rows as they now are. */
static void line(const rc_paper *p, const char *what, const char *neutral, const char *why,
                 rc_table *t) {
    const rc_paper_summary *s = &p->summary;
    int tie = rc_paper_find(p, "pt:tipping_T");
    rc_table_text(t, what);
    rc_table_text(t, neutral);
    rc_table_text(t, why);
    rc_table_real(t, s->ttft_mape_all, 2);
    rc_table_real(t, s->ttit_mape_all, 2);
    rc_table_real(t, s->table5_mape, 2);
    rc_table_real(t, s->table8_mape, 2);
    rc_table_real(t, tie < 0 ? NAN : p->rows[tie].predicted, 0);
}

static bool is_this(const rc_paper_neutral *n, const void *ctx) {
    return ctx == NULL || n == ctx;
}

/* `n` NULL: all of them. */
static rc_status line_without(rc_paper *p, const rc_paper_neutral *n, rc_table *t, rc_error *err) {
    rc_machine m;
    RC_TRY(rc_paper_load_neutral(p, "gtt", is_this, n, p->options.set_count, &m, err));
    RC_TRY(rc_paper_evaluate_as(p, &m, err));
    if (n)
        line(p, n->key, n->value, n->why, t);
    else
        line(p, "all of them", "", "nothing fitted", t);
    return RC_OK;
}

static rc_status lines(rc_paper *p, rc_table *t, rc_error *err) {
    line(p, "none", "", "as shipped", t);
    for (size_t i = 0; i < NEUTRALS; i++)
        RC_TRY(line_without(p, &neutrals[i], t, err));
    return line_without(p, NULL, t, err);
}

rc_status rc_paper_worth(rc_paper *p, bool csv, FILE *f, rc_error *err) {
    assert(f != NULL);
    rc_table *t = rc_table_create();
    rc_table_note(t,
                  "what each fitted number and choice is worth: mean absolute errors over all rows "
                  "with it at its neutral value,");
    rc_table_note(t,
                  "the others as shipped; tie: T at which pass-KV and pass-Q take as long (paper: "
                  "6400)");
    columns_of(t);
    rc_status st = lines(p, t, err);
    if (st == RC_OK)
        return rc_table_finish(t, csv, f, err);
    rc_table_destroy(t);
    return st;
}
