/* Runs on real GPUs, from the files that `ringcast-calib ring` writes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/csv.h"
#include "sim/base/file.h"
#include "sim/base/quote.h"
#include "sim/validate/validate.h"

static const char *const sets[] = {"seen", "unseen"};
static const char *const methods[] = {"simulation", "roofline", "alpha_beta"};

const char *rc_run_set_name(rc_run_set s) {
    assert((unsigned)s < RC_SET_COUNT);
    return sets[s];
}

const char *rc_method_name(rc_method m) {
    assert((unsigned)m < RC_METHODS);
    return methods[m];
}

const char *rc_run_regime(const rc_measured_run *x) {
    if (x->decode)
        return "decode";
    return x->schedule->many_ranks ? "prefill" : x->schedule->name;
}

rc_pass_kind rc_run_kind(const rc_measured_run *x) {
    if (x->decode)
        return RC_PASS_DECODE;
    return x->schedule->many_ranks ? RC_PASS_PREFILL : RC_PASS_TP;
}

const char *const rc_run_regimes[RC_RUN_REGIMES] = {"prefill", "decode", "tp"};

size_t rc_runs_transports(const rc_runs *r, const char **out) {
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        size_t k = 0;
        while (k < n && strcmp(out[k], r->v[i].transport) != 0)
            k++;
        if (k == n && n < RC_RUN_TRANSPORTS)
            out[n++] = r->v[i].transport;
    }
    return n;
}

bool rc_run_is(const rc_measured_run *x, const rc_schedule *s) {
    assert(s != NULL);
    return !x->decode && x->schedule == s;
}

void rc_runs_free(rc_runs *r) {
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i].parts);
    free(r->v);
    memset(r, 0, sizeof *r);
}

static const char *const columns[] = {
    "case",   "schedule", "cp",     "tp",      "t",     "p",       "batch",     "hq",     "hkv",
    "width",  "ffn",      "layers", "launch",  "sms",   "ctas",    "transport", "part",   "rank",
    "p10_s",  "p50_s",    "p90_s",  "samples", "check", "machine", "gpu",       "sm_mhz", "power_w",
    "temp_c", "date",     "driver", "cuda",    "nccl",  "kernel",  "commit",    NULL};
enum {
    CASE,
    SCHEDULE,
    CP,
    TP,
    T,
    P,
    BATCH,
    HQ,
    HKV,
    WIDTH,
    FFN,
    LAYERS,
    LAUNCH,
    SMS,
    CTAS,
    TRANSPORT,
    PART,
    RANK,
    P10,
    P50,
    P90,
    SAMPLES,
    CHECK,
    MACHINE,
    GPU,
    SM_MHZ,
    COLUMNS = 34
};

static rc_status text(const rc_csv *csv, size_t row, size_t col, char *out, size_t size,
                      rc_error *err) {
    const char *s = rc_csv_text(csv, row, col);
    if (*s == '\0' || strlen(s) >= size)
        return rc_csv_fail(csv, row, col, err, RC_E_INPUT,
                           "\"%.40s\": expected 1 to %zu characters", s, size - 1);
    if (rc_text_has_control(s))
        return rc_csv_fail(csv, row, col, err, RC_E_INPUT,
                           "the text holds a line break or another control character");
    memcpy(out, s, strlen(s) + 1);
    return RC_OK;
}

/* What a column may count at the most; a column that is not here counts nothing. */
#define MANY (INT64_C(1) << 40)
static const int64_t most[COLUMNS] = {
    [CP] = 1024,  [TP] = 1024,    [T] = MANY,   [P] = MANY,      [BATCH] = MANY, [HQ] = 1024,
    [HKV] = 1024, [WIDTH] = MANY, [FFN] = MANY, [LAYERS] = 1000, [SMS] = 1024,   [CTAS] = 1024};

static rc_status numbers(const rc_csv *csv, size_t row, const size_t *at, rc_measured_run *x,
                         rc_error *err) {
    int64_t v[COLUMNS] = {0};
    for (int i = 0; i < COLUMNS; i++)
        if (most[i] > 0 && at[i] != SIZE_MAX)
            RC_TRY(rc_csv_int(csv, row, at[i], i == P || i == SMS || i == CTAS ? 0 : 1, most[i],
                              &v[i], err));
    x->cp = (int)v[CP], x->tp = (int)v[TP], x->t = v[T], x->p = v[P], x->batch = v[BATCH];
    x->hq = (int)v[HQ], x->hkv = (int)v[HKV], x->width = v[WIDTH], x->ffn = v[FFN];
    x->layers = (int)v[LAYERS], x->sms = (int)v[SMS], x->ctas = (int)v[CTAS];
    RC_TRY(rc_csv_quantity(csv, row, at[P10], RC_DIM_TIME, 1e-9, 1e5, &x->p10, err));
    RC_TRY(rc_csv_quantity(csv, row, at[P50], RC_DIM_TIME, 1e-9, 1e5, &x->measured, err));
    return rc_csv_quantity(csv, row, at[P90], RC_DIM_TIME, 1e-9, 1e5, &x->p90, err);
}

/* The name of a schedule, with "decode-" before it where decode steps were measured. */
static rc_status schedule_of(const rc_csv *csv, size_t row, size_t column, rc_measured_run *x,
                             rc_error *err) {
    static const char prefix[] = "decode-";
    const char *name = rc_csv_text(csv, row, column);
    rc_error why = {0};
    x->decode = strncmp(name, prefix, sizeof prefix - 1) == 0;
    if (rc_schedule_find(name + (x->decode ? sizeof prefix - 1 : 0), &x->schedule, &why) != RC_OK)
        return rc_csv_fail(csv, row, column, err, RC_E_INPUT, "%.300s", why.msg);
    return RC_OK;
}

static rc_status read_run(const rc_csv *csv, size_t row, const size_t *at, rc_measured_run *x,
                          rc_error *err) {
    memset(x, 0, sizeof *x);
    RC_TRY(text(csv, row, at[CASE], x->name, sizeof x->name, err));
    RC_TRY(schedule_of(csv, row, at[SCHEDULE], x, err));
    RC_TRY(text(csv, row, at[TRANSPORT], x->transport, sizeof x->transport, err));
    RC_TRY(text(csv, row, at[MACHINE], x->machine, sizeof x->machine, err));
    const char *launch = rc_csv_text(csv, row, at[LAUNCH]);
    x->graph = strcmp(launch, "graph") == 0;
    if (!x->graph && strcmp(launch, "eager") != 0)
        return rc_csv_fail(csv, row, at[LAUNCH], err, RC_E_INPUT,
                           "\"%.40s\": expected eager or graph", launch);
    RC_TRY(numbers(csv, row, at, x, err));
    x->p5 = x->p95 = NAN;
    x->forecast_mhz = x->sm_mhz = NAN; /* of a short run nobody could read the clock */
    if (rc_csv_text(csv, row, at[SM_MHZ])[0] != '\0')
        RC_TRY(rc_csv_quantity(csv, row, at[SM_MHZ], RC_DIM_RATIO, 1.0, 1e5, &x->sm_mhz, err));
    for (int m = 0; m < RC_METHODS; m++)
        x->time[m] = NAN;
    return RC_OK;
}

/* The folder that is being read; 0 when files are parsed by themselves. */
static int folder_now(const rc_runs *r) {
    return r->folders > 0 ? r->folders - 1 : 0;
}

static rc_status add(rc_runs *r, const rc_csv *csv, size_t row, size_t col,
                     const rc_measured_run *x, rc_error *err) {
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].folder == x->folder && strcmp(r->v[i].name, x->name) == 0 &&
            strcmp(r->v[i].transport, x->transport) == 0 &&
            strcmp(r->v[i].machine, x->machine) == 0)
            return rc_csv_fail(csv, row, col, err, RC_E_INPUT,
                               "case \"%s\" over %s on %s is there twice", x->name, x->transport,
                               x->machine);
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        rc_measured_run *v = realloc(r->v, room * sizeof *v);
        if (!v)
            return rc_fail(err, RC_E_NOMEM, "out of memory for %zu runs", room);
        r->v = v;
        r->room = room;
    }
    r->v[r->n] = *x;
    r->v[r->n].parts = calloc(2, sizeof *x->parts);
    if (!r->v[r->n].parts)
        return rc_fail(err, RC_E_NOMEM, "out of memory for %zu runs", r->n);
    r->n++;
    return RC_OK;
}

/* The run that a row is of: most often that of the row before, `guess`. NULL: none. */
static rc_measured_run *run_of(rc_runs *r, const rc_csv *csv, size_t row, const size_t *at,
                               size_t *guess) {
    const char *name = rc_csv_text(csv, row, at[CASE]);
    const char *transport = rc_csv_text(csv, row, at[TRANSPORT]);
    const char *machine = rc_csv_text(csv, row, at[MACHINE]);
    for (size_t k = 0; k < r->n; k++) {
        size_t i = (*guess + k) % r->n;
        rc_measured_run *x = &r->v[i];
        if (x->folder == folder_now(r) && strcmp(x->name, name) == 0 &&
            strcmp(x->transport, transport) == 0 && strcmp(x->machine, machine) == 0) {
            *guess = i;
            return x;
        }
    }
    return NULL;
}

/* The rows of parts, each of one rank. A run that was cut off has parts and no whole. */
static rc_status read_parts(rc_runs *r, const rc_csv *csv, const size_t *at, rc_error *err) {
    size_t guess = 0;
    for (size_t row = 0; row < rc_csv_rows(csv); row++) {
        const char *part = rc_csv_text(csv, row, at[PART]);
        rc_over_ranks *o = NULL;
        double seconds = 0;
        if (strcmp(part, "whole") == 0)
            continue;
        rc_measured_run *x = run_of(r, csv, row, at, &guess);
        if (!x)
            continue;
        if (!rc_run_part_find(&x->parts[0], part, &o))
            return rc_csv_fail(csv, row, at[PART], err, RC_E_INPUT, "\"%.40s\" is no part", part);
        RC_TRY(rc_csv_quantity(csv, row, at[P50], RC_DIM_TIME, 1e-9, 1e5, &seconds, err));
        rc_over_ranks_add(o, seconds);
    }
    return RC_OK;
}

rc_status rc_runs_parse(rc_runs *r, const char *name, const char *body, size_t size,
                        rc_error *err) {
    size_t at[COLUMNS];
    rc_csv *csv = NULL;
    RC_TRY(rc_csv_parse(name, body, size, &csv, err));
    rc_status st = rc_csv_known(csv, columns, err);
    for (int i = 0; i < COLUMNS && st == RC_OK; i++)
        if (i != CTAS)
            st = rc_csv_column(csv, columns[i], &at[i], err);
        else if (!rc_csv_find(csv, columns[i], &at[i])) /* files that leave NCCL's CTAs to NCCL */
            at[i] = SIZE_MAX;
    for (size_t row = 0; st == RC_OK && row < rc_csv_rows(csv); row++) {
        rc_measured_run x;
        if (strcmp(rc_csv_text(csv, row, at[PART]), "whole") != 0 ||
            strcmp(rc_csv_text(csv, row, at[RANK]), "-1") != 0)
            continue;
        st = read_run(csv, row, at, &x, err);
        x.folder = folder_now(r);
        if (st == RC_OK)
            st = add(r, csv, row, at[CASE], &x, err);
    }
    if (st == RC_OK)
        st = read_parts(r, csv, at, err);
    rc_csv_close(csv);
    return st;
}

static int is_csv(const struct dirent *e) {
    size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".csv") == 0;
}

/* The last part of a path, for tables. */
static void name_folder(rc_runs *r, const char *folder) {
    const char *name = strrchr(folder, '/');
    name = name && name[1] != '\0' ? name + 1 : folder;
    snprintf(r->folder[r->folders++], sizeof r->folder[0], "%.40s", name);
}

rc_status rc_runs_read(rc_runs *r, const char *folder, rc_error *err) {
    struct dirent **names = NULL;
    size_t before = r->n;
    if (r->folders == RC_RUN_FOLDERS)
        return rc_fail(err, RC_E_USAGE, "more than %d folders of runs", RC_RUN_FOLDERS);
    name_folder(r, folder);
    int n = scandir(folder, &names, is_csv, alphasort);
    if (n < 0)
        return rc_fail_file(err, RC_E_IO, folder, "cannot be read: no such folder?");
    rc_status st = RC_OK;
    for (int i = 0; i < n; i++) {
        char path[1280], *body = NULL;
        size_t size = 0;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (st == RC_OK)
            st = rc_file_read(path, &body, &size, err);
        if (st == RC_OK)
            st = rc_runs_parse(r, path, body, size, err);
        free(body);
        free(names[i]);
    }
    free(names);
    if (st == RC_OK && r->n == before)
        return rc_fail_file(err, RC_E_INPUT, folder, "holds no run of a whole pass");
    return st;
}

/* ---- sets ------------------------------------------------------------------------------------ */

/* Mark in `in` the runs that a list names. */
static rc_status mark(const rc_runs *r, const char *path, bool *in, rc_error *err) {
    rc_csv *csv = NULL;
    size_t col;
    RC_TRY(rc_csv_open(path, &csv, err));
    rc_status st = rc_csv_column(csv, "case", &col, err);
    for (size_t row = 0; st == RC_OK && row < rc_csv_rows(csv); row++)
        for (size_t i = 0; i < r->n; i++)
            in[i] = in[i] || strcmp(rc_csv_text(csv, row, col), r->v[i].name) == 0;
    rc_csv_close(csv);
    return st;
}

static rc_status decide(rc_runs *r, const bool *seen, const bool *unseen, rc_error *err) {
    for (size_t i = 0; i < r->n; i++) {
        if (seen[i] == unseen[i])
            return rc_fail(err, RC_E_INPUT, "case \"%s\" is in %s of the lists of cases",
                           r->v[i].name, seen[i] ? "both" : "neither");
        r->v[i].set = unseen[i] ? RC_SET_UNSEEN : RC_SET_SEEN;
    }
    return RC_OK;
}

rc_status rc_runs_assign(rc_runs *r, const char *const *seen, size_t seen_count,
                         const char *const *unseen, size_t unseen_count, rc_error *err) {
    assert(seen != NULL || seen_count == 0);
    assert(unseen != NULL || unseen_count == 0);
    bool *in = calloc(2 * r->n + 1, sizeof *in);
    if (!in)
        return rc_fail(err, RC_E_NOMEM, "out of memory");
    rc_status st = RC_OK;
    for (size_t i = 0; i < seen_count && st == RC_OK; i++)
        st = mark(r, seen[i], in, err);
    for (size_t i = 0; i < unseen_count && st == RC_OK; i++)
        st = mark(r, unseen[i], in + r->n, err);
    if (st == RC_OK)
        st = decide(r, in, in + r->n, err);
    free(in);
    return st;
}
