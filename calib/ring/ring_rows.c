/* Rows of a ring run on their way to a file. FILE.part is CSV from its first line on and grows by
 * whole cases, flushed; FILE appears at the end. A case that a kill tore is measured again: its
 * rows are dropped when FILE.part is taken up, which shows in that its last row, rank -1 of
 * `whole`, is missing.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/ring/ring_rows.h"
#include "calib/cost_row.h"
#include "kernels/kernels.h"
#include "sim/base/csv.h"
#include "sim/base/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const columns[] = {RC_RING_CASE_COLUMNS, RC_RING_ROW_COLUMNS, NULL};

static rc_status io(const rc_ring_file *f, rc_error *err) {
    return rc_fail_file(err, RC_E_IO, f->part, "cannot be written: %s", strerror(errno));
}

static void put_header(FILE *f) {
    for (int i = 0; columns[i]; i++)
        fprintf(f, "%s%s", i ? "," : "", columns[i]);
    fputc('\n', f);
}

/* The first line of a case's name and transport: "NAME,". */
static bool same_case(const char *line, const rc_ring_case *c) {
    size_t n = strlen(c->name);
    return !strncmp(line, c->name, n) && line[n] == ',';
}

bool rc_ring_file_has(const rc_ring_file *f, const rc_ring_case *c) {
    char end[64];
    snprintf(end, sizeof end, ",%s,whole,-1,", f->transport);
    for (const char *line = f->there; line && *line;) {
        size_t n = strcspn(line, "\n");
        const char *at = strstr(line, end);
        if (same_case(line, c) && at && at < line + n && line[n] == '\n')
            return true;
        line += n + (line[n] == '\n');
    }
    return false;
}

/* Rows of cases that are whole, back to back, under a fresh header. */
static rc_status write_part(rc_ring_file *f, rc_error *err) {
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, f->part, true, err));
    put_header(o.f);
    for (const char *line = f->there; line && *line;) {
        size_t n = strcspn(line, "\n"), name = strcspn(line, ",");
        rc_ring_case c;
        memset(&c, 0, sizeof c);
        if (name < sizeof c.name)
            memcpy(c.name, line, name);
        if (line[0] != '#' && strcmp(c.name, "case") != 0 && rc_ring_file_has(f, &c))
            fprintf(o.f, "%.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    return rc_outfile_commit(&o, err);
}

rc_status rc_ring_file_open(rc_ring_file *f, const rc_ring_options *o, rc_error *err) {
    size_t size = 0;
    memset(f, 0, sizeof *f);
    f->transport = o->transport ? o->transport : "nvlink";
    if (!o->out)
        return RC_OK;
    if (strlen(o->out) >= sizeof f->path)
        return rc_fail_file(err, RC_E_USAGE, "--out", "the name is too long");
    snprintf(f->path, sizeof f->path, "%s", o->out);
    snprintf(f->part, sizeof f->part, "%s.part", o->out);
    bool part = access(f->part, F_OK) == 0;
    if (!o->force && access(f->path, F_OK) == 0)
        return rc_fail_file(err, RC_E_IO, f->path, "exists already (--force replaces it)");
    if (!o->force && !o->resume && part)
        return rc_fail_file(
            err, RC_E_IO, f->part,
            "is left from an interrupted run: --resume goes on, --force starts anew");
    if (o->resume && part)
        RC_TRY(rc_file_read(f->part, &f->there, &size, err));
    return write_part(f, err);
}

rc_status rc_ring_file_finish(rc_ring_file *f, bool force, rc_error *err) {
    if (!f->path[0])
        return RC_OK;
    if (!force && access(f->path, F_OK) == 0)
        return rc_fail_file(err, RC_E_IO, f->path, "appeared while measuring; it is left alone");
    return rename(f->part, f->path) == 0 ? RC_OK : io(f, err);
}

bool rc_ring_file_drop_empty(const rc_ring_file *f) {
    char *text = NULL;
    size_t size = 0;
    if (rc_file_read(f->part, &text, &size, NULL) != RC_OK)
        return true;
    const char *end = strchr(text, '\n');
    bool empty = !end || end[1] == '\0';
    free(text);
    if (empty)
        (void)remove(f->part);
    return empty;
}

void rc_ring_file_close(rc_ring_file *f) {
    free(f->there);
    memset(f, 0, sizeof *f);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_real(FILE *f, double v) {
    fputc(',', f);
    if (isfinite(v))
        fprintf(f, "%.9g", v);
}

static void put_text(FILE *f, const char *s) {
    fputc(',', f);
    rc_csv_put(f, s);
}

static void put_case(FILE *f, const rc_ring_case *c) {
    fprintf(f, "%s,%s,%d,%d,%lld,%lld,%lld,%d,%d,%d,%d,%d,%s,%d,%d", c->name,
            rc_ring_schedule_name(c->schedule), c->cp, c->tp, (long long)c->t, (long long)c->p,
            (long long)c->batch, c->hq, c->hkv, c->width, c->ffn, c->layers,
            c->graph ? "graph" : "eager", c->sms, c->ctas);
}

static void put_row(FILE *f, const rc_ring_case *c, const rc_ring_source *s, const char *part,
                    int rank, const rc_result *r, const rc_ring_errors *e) {
    char kernel[48], date[24] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(kernel, sizeof kernel, "%s %s", rc_kernel_version("attention"),
             rc_kernel_version("decode"));
    put_case(f, c);
    put_text(f, c->cp * c->tp == 1 ? "none" : s->transport);
    put_text(f, part);
    fprintf(f, ",%d", rank);
    put_real(f, r->p10_s);
    put_real(f, r->p50_s);
    put_real(f, r->p90_s);
    fprintf(f, ",%lld", (long long)r->samples);
    put_real(f, e->attention > e->hidden ? e->attention : e->hidden);
    put_text(f, s->machine);
    put_text(f, s->gpu->name);
    put_real(f, r->health.sm_mhz);
    put_real(f, r->health.power_w);
    put_real(f, r->health.temp_c);
    put_text(f, date);
    put_text(f, s->gpu->driver);
    put_text(f, s->gpu->cuda);
    put_text(f, c->cp * c->tp == 1 ? "" : s->nccl);
    put_text(f, kernel);
    put_text(f, s->commit);
    fputc('\n', f);
}

static void put_parts(FILE *out, const rc_ring_case *c, const rc_ring_source *s,
                      const rc_ring_times *t, int rank) {
    rc_health none = {(double)NAN, (double)NAN, (double)NAN, 0};
    for (int p = 0; p < RC_RING_PARTS; p++) {
        double v = t->part[rank][p];
        rc_result r = {.p10_s = v, .p50_s = v, .p90_s = v, .samples = 3, .health = none};
        if (isfinite(v))
            put_row(out, c, s, rc_ring_part_name((rc_ring_part)p), rank, &r, &t->errors);
    }
    for (int j = 0; j < c->cp; j++)
        for (int k = 0; k < 2; k++) {
            static const char *const names[] = {"attention", "send-recv"};
            double v = t->alone[rank][j][k];
            rc_result r = {.p10_s = v, .p50_s = v, .p90_s = v, .samples = 3, .health = none};
            char name[40];
            snprintf(name, sizeof name, "%s-alone-%d", names[k], j);
            if (v > 0)
                put_row(out, c, s, name, rank, &r, &t->errors);
        }
}

rc_status rc_ring_file_add(const rc_ring_file *f, const rc_ring_case *c, const rc_ring_source *s,
                           const rc_ring_times *t, rc_error *err) {
    FILE *out = fopen(f->part, "a");
    if (!out)
        return io(f, err);
    for (int r = 0; r < c->cp * c->tp; r++) {
        rc_result rank = t->rank[r];
        rank.health = (rc_health){(double)NAN, (double)NAN, (double)NAN, 0};
        put_parts(out, c, s, t, r);
        put_row(out, c, s, "whole", r, &rank, &t->errors);
    }
    put_row(out, c, s, "whole", -1, &t->whole, &t->errors);
    bool bad = fflush(out) != 0 || fsync(fileno(out)) != 0;
    bad = fclose(out) != 0 || bad;
    return bad ? io(f, err) : RC_OK;
}
