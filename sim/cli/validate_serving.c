/* ringcast validate --serving: reads the folders, shows them in the form that is asked for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/validate_serving.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/file.h"
#include "sim/beside/server_runs.h"

static bool to_terminal(const rc_validate_serving *o) {
    return o->json && strcmp(o->json, "-") == 0;
}

/* Before the runs are played: two pictures of one name would be one. */
static rc_status check_plots(const rc_validate_serving *o, rc_error *err) {
    char stems[RC_MAX_MANY][RC_PLOT_STEM], name[96];
    const char *list[RC_MAX_MANY + 1] = {NULL};
    for (size_t i = 0; i < o->folders->count; i++) {
        RC_TRY(rc_beside_name(o->folders->values[i], name, err));
        rc_beside_stem(name, stems[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(stems[k], stems[i]) == 0)
                return rc_fail_file(err, RC_E_USAGE, "--plot",
                                    "two runs are called '%s', and so are their pictures", name);
        list[i] = stems[i];
    }
    return rc_plot_check(list, o->plot, o->overwrite, err);
}

static rc_status check_outputs(const rc_validate_serving *o, rc_error *err) {
    RC_TRY(rc_output_check(to_terminal(o) ? NULL : o->json, o->overwrite, err));
    return o->plot ? check_plots(o, err) : RC_OK;
}

static rc_status explain(const rc_validate_serving *o, const rc_beside_run *runs, size_t count,
                         rc_error *err) {
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(o->explain, "all") != 0 && fnmatch(o->explain, runs[i].name, 0) != 0)
            continue;
        if (shown++ > 0)
            (void)putchar('\n');
        RC_TRY(rc_beside_explain(&runs[i], stdout, err));
    }
    return shown > 0 ? RC_OK
                     : rc_fail(err, RC_E_INPUT, "no run has a name like \"%s\"", o->explain);
}

static rc_status draw(const rc_validate_serving *o, const rc_beside_run *runs, size_t count,
                      rc_error *err) {
    for (size_t i = 0; i < count; i++) {
        char stem[RC_PLOT_STEM];
        bool drawn = false;
        RC_TRY(rc_beside_plot(&runs[i], o->plot, o->overwrite, &drawn, err));
        rc_beside_stem(runs[i].name, stem);
        if (o->csv || to_terminal(o))
            continue;
        if (drawn)
            printf("# wrote %s/%s.png and .svg\n", o->plot, stem);
        else
            printf("# no picture in %s: gnuplot is not there\n", o->plot);
    }
    return RC_OK;
}

static rc_status show(const rc_validate_serving *o, const rc_beside_run *runs, size_t count,
                      rc_error *err) {
    if (o->explain)
        RC_TRY(explain(o, runs, count, err));
    else if (o->csv)
        RC_TRY(rc_beside_csv(runs, count, stdout, err));
    else if (!to_terminal(o))
        RC_TRY(rc_beside_print(runs, count, stdout, err));
    if (o->json)
        RC_TRY(rc_beside_json(runs, count, o->json, o->overwrite, err));
    return o->plot ? draw(o, runs, count, err) : RC_OK;
}

rc_status rc_validate_serving_run(const rc_validate_serving *o, rc_error *err) {
    const size_t count = o->folders->count;
    RC_TRY(check_outputs(o, err));
    rc_beside_run *runs = calloc(count, sizeof *runs);
    if (!runs)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu runs", count);
    rc_status st = RC_OK;
    for (size_t i = 0; st == RC_OK && i < count; i++)
        st = rc_beside_read(o->folders->values[i], o->store, &runs[i], err);
    if (st == RC_OK)
        st = rc_beside_teach(runs, count, o->folders->values, o->store, err);
    if (st == RC_OK)
        st = show(o, runs, count, err);
    for (size_t i = 0; i < count; i++)
        rc_beside_free(&runs[i]);
    free(runs);
    return st;
}
