/* ringcast sweep: a forward pass at every point of a grid or sample, into SQLite; also under
 * mpirun.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include "sim/base/json.h"
#include "sim/base/style.h"
#include "sim/base/parallel.h"
#include "sim/base/find.h"
#include "sim/base/file.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/cli/wanted_report.h"
#include "sim/cost/basis.h"
#include "sim/model/notes.h"
#include "sim/sweep/sweep.h"

typedef struct sweep_flags {
    const char *file, *store, *wanted;
    rc_many sets;
    rc_sweep_options run;
    int64_t threads;
    bool json, csv;
    rc_form form;
} sweep_flags;

static rc_status parse(int argc, char **argv, sweep_flags *f, bool *helped, rc_error *err) {
    const rc_flag flags[] = {
        {"--out", RC_FLAG_TEXT, &f->run.out, "FILE.db",
         "the database; one of the same sweep is gone on with"},
        {"--plot", RC_FLAG_TEXT, &f->run.plot, "DIR", "draw the file's plot as DIR/NAME.png, .svg"},
        {"--overwrite", RC_FLAG_BOOL, &f->run.overwrite, NULL,
         "replace a database of another sweep, and pictures"},
        {"--set", RC_FLAG_MANY, &f->sets, "KEY=VALUE",
         "override a key ('parallel.cp=[1, 2, 4]', machine.peer_rate=20GB/s); see `ringcast keys "
         "sweep`"},
        {"--store", RC_FLAG_TEXT, &f->store, "FILE.db",
         "costs from this calibration store, not the embedded one"},
        RC_WANTED_FLAG(&f->wanted),
        {"--threads", RC_FLAG_INT, RC_WHOLE(&f->threads, 1, RC_PARALLEL_MAX), "N",
         "of one process (default: one a core); a rank under mpirun has one"},
        {"--batch", RC_FLAG_INT, RC_WHOLE(&f->run.batch, 1, 1 << 20), "N",
         "rows a transaction (default: about four transactions a second)"},
        {"--json", RC_FLAG_BOOL, &f->json, NULL, "the summary, as JSON"},
        {"--csv", RC_FLAG_BOOL, &f->csv, NULL, "all rows of the database, as CSV"},
        {"--quiet", RC_FLAG_BOOL, &f->run.quiet, NULL, "neither progress nor summary"},
    };
    const char *args[1];
    size_t count;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: [mpirun -n K] ringcast sweep SCENARIO.yaml --out FILE.db [flags]",
                          args, 1, &count, helped, err));
    if (*helped)
        return RC_OK;
    if (count == 0 || !f->run.out)
        return rc_fail(err, RC_E_USAGE, "sweep needs a scenario file and --out FILE.db");
    size_t n = strlen(f->run.out);
    if (n > 4 && strcmp(f->run.out + n - 4, ".csv") == 0)
        return rc_fail_file(err, RC_E_USAGE, "--out",
                            "'%.200s' would be a database: name it .db; --csv prints its rows",
                            f->run.out);
    f->run.threads = (int)f->threads;
    f->file = args[0];
    RC_TRY(rc_form_of(f->json, f->csv, &f->form, err));
    return rc_output_check(f->wanted, false, err);
}

static double rate(const rc_sweep_report *r) {
    return r->wall > 0.0 ? (double)(r->points - r->present) / r->wall : 0.0;
}

static rc_status print_json(const rc_sweep *s, const sweep_flags *f, const rc_ranks *ranks,
                            const rc_sweep_report *r, const rc_notes *notes, rc_error *err) {
    rc_json *j = rc_form_json("sweep-1");
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "sweep", rc_sweep_name(s));
    rc_json_textf(j, root, "hash", "%016llx", (unsigned long long)rc_sweep_hash(s));
    rc_json_text(j, root, "database", f->run.out);
    rc_json_int(j, root, "points", r->points);
    rc_json_int(j, root, "present", r->present);
    rc_json_int(j, root, "ok", r->ok);
    rc_json_int(j, root, "nofit", r->nofit);
    rc_json_int(j, root, "refused", r->refused);
    rc_basis_json(j, root, r->rests);
    rc_json_int(j, root, "ranks", ranks->size);
    rc_json_real(j, root, "wall_s", r->wall);
    rc_json_real(j, root, "points_per_s", rate(r));
    rc_notes_json(j, root, notes);
    return rc_json_finish(j, stdout, err);
}

static void print_text(const rc_sweep *s, const sweep_flags *f, const rc_ranks *ranks,
                       const rc_sweep_report *r) {
    char library[128], text[RC_BASIS_TEXT];
    printf("%spoints %lld: ok %lld, do not fit %lld, refused %lld%s\n",
           rc_style_on(stdout, RC_STYLE_ANSWER), (long long)r->points, (long long)r->ok,
           (long long)r->nofit, (long long)r->refused, rc_style_on(stdout, RC_STYLE_END));
    printf("# sweep %s (%016llx) -> %s\n", rc_sweep_name(s), (unsigned long long)rc_sweep_hash(s),
           f->run.out);
    printf("costs of these times: %s\n", rc_basis_text(r->rests, text, sizeof text));
    printf("# %lld were there; %lld now in %.2f s, %.0f points/s", (long long)r->present,
           (long long)(r->points - r->present), r->wall, rate(r));
    if (ranks->mpi)
        printf(", %d rank%s, %s", ranks->size, ranks->size > 1 ? "s" : "",
               rc_ranks_library(library, sizeof library));
    printf("\n");
    if (r->held > 0)
        printf("# %d shard%s beside it in use by another process: those rows were computed again\n",
               r->held, r->held > 1 ? "s are" : " is");
    if (f->run.plot && r->drawn)
        printf("# drawn: %s/%s.png, .svg\n", f->run.plot, rc_sweep_name(s));
    else if (f->run.plot)
        printf("# not drawn: gnuplot is not installed\n");
}

/* ---- --wanted ------------------------------------------------------------------------------- */

enum { WANTED_PASSES = 16 };

/* Points evenly spread over the sweep that can be run, on the machine of the first of them: each
 * stands where a worker of its own does. */
static rc_status pick_passes(const rc_sweep *s, int64_t points, rc_sweep_worker **workers,
                             rc_spec *passes, size_t *count, rc_error *err) {
    int64_t tried = points < 4 * WANTED_PASSES ? points : 4 * WANTED_PASSES;
    for (int64_t i = 0; i < tried && *count < WANTED_PASSES; i++) {
        rc_sweep_row row;
        if (!workers[*count])
            RC_TRY(rc_sweep_worker_create(s, &workers[*count], err));
        int64_t turn = i * WANTED_PASSES % tried + i * WANTED_PASSES / tried; /* far apart first */
        RC_TRY(rc_sweep_eval(workers[*count], turn % tried * points / tried, &row, err));
        if (row.status != RC_SWEEP_OK)
            continue;
        passes[*count] = rc_sweep_pass(workers[*count]);
        *count += passes[*count].costs == passes->costs;
    }
    return *count > 0 ? RC_OK : rc_fail(err, RC_E_INPUT, "--wanted: no point of the sweep runs");
}

static rc_status report_wanted(const rc_sweep *s, int64_t points, const sweep_flags *f,
                               rc_error *err) {
    rc_sweep_worker *workers[WANTED_PASSES] = {NULL};
    rc_spec passes[WANTED_PASSES];
    size_t n = 0;
    rc_status st = pick_passes(s, points, workers, passes, &n, err);
    if (st == RC_OK)
        st = rc_wanted_report(passes, n, f->wanted, f->form == RC_FORM_TEXT && !f->run.quiet, err);
    for (int i = 0; i < WANTED_PASSES; i++)
        rc_sweep_worker_free(workers[i]);
    return st;
}

static rc_status run(const sweep_flags *f, const rc_ranks *ranks, rc_error *err) {
    rc_sweep *s = NULL;
    rc_sweep_report report = {0};
    rc_notes notes;
    char path[RC_PATH_SIZE];
    rc_status st = rc_sweep_load(rc_scenario_path(f->file, path, sizeof path), f->sets.values,
                                 f->sets.count, f->store, &s, err);
    st = rc_ranks_agree(ranks, st, 0, err);
    if (st == RC_OK)
        st = rc_sweep_run(s, ranks, &f->run, &report, err);
    if (st == RC_OK && ranks->rank == 0) {
        rc_sweep_notes(s, &notes);
        rc_notes_print(&notes, stderr);
    }
    if (st == RC_OK && ranks->rank == 0 && !f->run.quiet) {
        if (f->form == RC_FORM_JSON)
            st = print_json(s, f, ranks, &report, &notes, err);
        else if (f->form == RC_FORM_CSV)
            st = rc_sweep_csv(f->run.out, stdout, err);
        else
            print_text(s, f, ranks, &report);
    }
    if (st == RC_OK && ranks->rank == 0 && f->wanted)
        st = report_wanted(s, report.points, f, err);
    rc_sweep_free(s);
    return st;
}

rc_status rc_cmd_sweep(int argc, char **argv, rc_error *err) {
    sweep_flags f = {0};
    rc_ranks ranks;
    bool helped;
    RC_TRY(parse(argc, argv, &f, &helped, err));
    if (helped)
        return RC_OK;
    RC_TRY(rc_ranks_start(&ranks, err));
    rc_status st = run(&f, &ranks, err);
    rc_ranks_stop(&ranks);
    return ranks.rank == 0 ? st : RC_OK; /* see rc_ranks_agree */
}
