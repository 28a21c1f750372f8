/* `ringcast paper --fit`: the parameters that the refit finds, as a machine file has them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <string.h>
#include "sim/base/quote.h"
#include "sim/report/paper_internal.h"

static void print_rows(FILE *f, const char *rows) {
    char list[sizeof((rc_fitted *)0)->rows], *save = NULL;
    const char *gap = "";
    (void)snprintf(list, sizeof list, "%s", rows);
    (void)fputs("    rows: [", f);
    for (char *id = strtok_r(list, ", ", &save); id; id = strtok_r(NULL, ", ", &save), gap = ", ")
        (void)fprintf(f, "%s\"%s\"", gap, id);
    (void)fputs("]\n", f);
}

static rc_status print_fit(const rc_refit *f, FILE *out, rc_error *err) {
    const rc_machine *m = &f->machine;
    (void)fprintf(out,
                  "# %d parameters on %zu rows: root mean square error %.2f %%, %d evaluations\n",
                  m->fitted_count, f->rows, 100.0 * f->rms, f->evaluations);
    (void)fputs("# value and 90 % interval (Gauss-Newton covariance, Student's t)\n", out);
    for (int k = 0; k < m->fitted_count; k++) {
        const rc_fitted *p = &m->fitted[k];
        if (k == 0 || p->of_engine != m->fitted[k - 1].of_engine)
            (void)fprintf(out, "# scenarios/%s/%s.yaml\nfitted:\n",
                          p->of_engine ? "engines" : "machines",
                          p->of_engine ? m->engine : m->name);
        (void)fprintf(out, "  - name: %s\n    meaning: ", p->name);
        rc_quote_yaml(out, p->meaning);
        (void)fputs("\n    unit: ", out);
        rc_quote_yaml(out, p->unit);
        (void)fputc('\n', out);
        print_rows(out, p->rows);
        (void)fprintf(out, "    value: %.4g\n    interval: [%.4g, %.4g]\n", p->value, p->lo, p->hi);
    }
    return ferror(out) ? rc_fail(err, RC_E_IO, "cannot write the fit") : RC_OK;
}

rc_status rc_paper_fit(rc_paper *p, FILE *out, rc_error *err) {
    rc_refit found;
    assert(out != NULL);
    RC_TRY(rc_paper_refit(p, &p->machine[RC_PAPER_GTT], NULL, &found, err));
    return print_fit(&found, out, err);
}
