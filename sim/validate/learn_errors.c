/* How far forecasts of whole passes are off, learnt from runs that were looked at.
 *
 * A run's need is what must be added to the interval of its forecast, as an independent error, so
 * that it holds the run. Classes are a transport and a kind of pass. Of long layers the need is a
 * share of the time, and of short ones what the share leaves is a time a layer; of each the class
 * takes what nine of ten of its runs need. Where a class has too few runs it takes the figure of its
 * transport, or else of all runs.
 *
 * Nine of ten runs of the hosts that were looked at are fewer of another host, which differs from
 * them. So the figures of a transport are made wider by one factor, the lowest at which its runs of
 * every host are held nine times out of ten by what the other hosts teach, cases that this host ran
 * left out of them; where no host ran enough to tell, by the factor of all runs. A factor, since a higher quantile would rest on the two or three oddest runs of a class.
 * Nothing here moves a forecast.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "sim/base/file.h"
#include "sim/base/quantile.h"
#include "sim/base/table.h"
#include "sim/validate/learn_errors.h"

#define LONG_LAYER 0.8e-3 /* s: launches and gaps of a layer are some tens of microseconds */
#define HELD 0.9          /* of the runs of a class, and of those of a host that is left out */
#define WIDEST 10.0       /* factors that are tried, and how finely */
#define FINER 0.05
enum {
    ENOUGH = 10,      /* runs that a quantile needs */
    TELLING_HOST = 30 /* runs of a host whose share held says something */
};

typedef struct sample {
    const rc_measured_run *run;
    rc_pass_kind kind;
    int host;
    double layer;     /* s, forecast */
    double off, half; /* log of measured over forecast, and the interval's own half on that side */
    bool out;         /* left out of what is learnt */
} sample;

typedef struct lesson {
    sample *v;
    size_t n;
    double *room; /* for n numbers */
} lesson;

/* ---- a table --------------------------------------------------------------------------------- */

/* Beyond what is known already, in quadrature. */
static double beyond(double off, double known) {
    return sqrt(fmax(off * off - known * known, 0.0));
}

static bool is_of(const sample *s, const char *transport, int kind) {
    return !s->out && (transport == NULL || strcmp(s->run->transport, transport) == 0) &&
           (kind < 0 || (int)s->kind == kind);
}

/* Below which the next number of their kind lies nine times of ten. */
static double nine_of_ten(double *v, size_t n) {
    rc_sort(v, n);
    double rank = ceil((double)(n + 1) * HELD);
    return v[rank < (double)n ? (size_t)rank - 1 : n - 1];
}

/* False when there are too few. *share NAN: shares are asked for, of long layers. */
static bool quantile(const lesson *l, const char *transport, int kind, double share, double *out,
                     int *runs) {
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const sample *s = &l->v[i];
        bool is_long = s->layer >= LONG_LAYER;
        if (!is_of(s, transport, kind) || is_long != !isfinite(share))
            continue;
        l->room[n++] =
            is_long ? beyond(s->off, s->half) : s->layer * beyond(s->off, hypot(s->half, share));
    }
    *runs = (int)n;
    if (n < ENOUGH)
        return false;
    *out = nine_of_ten(l->room, n);
    return true;
}

static double first_known(const lesson *l, const char *transport, int kind, double share,
                          int *runs) {
    double v = 0.0;
    int others;
    if (!quantile(l, transport, kind, share, &v, runs) &&
        !quantile(l, transport, -1, share, &v, &others))
        (void)quantile(l, NULL, -1, share, &v, &others);
    return v;
}

static void learn(const lesson *l, rc_model_errors *out, int (*runs)[2]) {
    out->n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const sample *s = &l->v[i];
        int k[2];
        if (!is_of(s, NULL, -1) || out->n == RC_MODEL_ERRORS ||
            rc_model_error_find(out, s->run->transport, s->kind) != NULL)
            continue;
        rc_model_error *e = &out->of[out->n];
        snprintf(e->transport, sizeof e->transport, "%.15s", s->run->transport);
        e->kind = s->kind;
        e->share = first_known(l, e->transport, (int)e->kind, NAN, &k[0]);
        e->layer = first_known(l, e->transport, (int)e->kind, e->share, &k[1]);
        if (runs != NULL)
            memcpy(runs[out->n], k, sizeof k);
        out->n++;
    }
}

/* ---- hosts left out -------------------------------------------------------------------------- */

static void leave_out(lesson *l, int host) {
    for (size_t i = 0; i < l->n; i++) {
        l->v[i].out = l->v[i].host == host;
        for (size_t k = 0; k < l->n && !l->v[i].out; k++)
            l->v[i].out = l->v[k].host == host && strcmp(l->v[i].run->name, l->v[k].run->name) == 0;
    }
}

/* Of the runs of a host over a transport (NULL: any), by the table of the others. */
static void count_held(const lesson *l, const rc_model_errors *e, const char *transport,
                       double factor, int host, rc_learnt_host *out) {
    out->runs = out->held = out->held_before = 0;
    for (size_t i = 0; i < l->n; i++) {
        const sample *s = &l->v[i];
        const char *own = s->run->transport;
        if (s->host != host || (transport != NULL && strcmp(own, transport) != 0))
            continue;
        const rc_model_error *of = rc_model_error_find(e, own, s->kind);
        if (of == NULL)
            continue;
        out->runs++;
        out->held_before += fabs(s->off) <= s->half;
        out->held += fabs(s->off) <= hypot(s->half, factor * rc_model_error_half(of, s->layer));
    }
}

/* The lowest factor at which enough of the runs of each host are held. Where a host is content it
 * stays so at a higher one. 0: no host has enough runs to tell. */
static double find_factor(const lesson *l, const rc_model_errors *others, const char *transport,
                          int hosts) {
    double factor = 1.0;
    bool told = false;
    for (int h = 0; h < hosts; h++)
        for (;; factor += FINER) {
            rc_learnt_host host;
            count_held(l, &others[h], transport, factor, h, &host);
            if (host.runs < TELLING_HOST)
                break;
            told = true;
            if (factor >= WIDEST || host.held >= HELD * host.runs)
                break;
        }
    return told ? factor : 0.0;
}

/* Each class's factor, and the table made wider by it. */
static void widen(const lesson *l, const rc_model_errors *others, rc_learnt *out) {
    double all = find_factor(l, others, NULL, out->hosts);
    for (int i = 0; i < out->errors.n; i++) {
        rc_model_error *e = &out->errors.of[i];
        double own = find_factor(l, others, e->transport, out->hosts);
        out->factor[i] = own > 0.0 ? own : fmax(all, 1.0);
        e->share *= out->factor[i];
        e->layer *= out->factor[i];
    }
}

/* How many runs of each host the others hold at these factors. */
static void count_hosts(const lesson *l, const rc_model_errors *others, rc_learnt *out) {
    for (int h = 0; h < out->hosts; h++) {
        rc_learnt_host *host = &out->host[h];
        host->runs = host->held_before = host->held = 0;
        for (int i = 0; i < out->errors.n; i++) {
            rc_model_errors one = {.n = 0};
            rc_learnt_host more;
            const rc_model_error *e = &out->errors.of[i];
            const rc_model_error *of = rc_model_error_find(&others[h], e->transport, e->kind);
            if (of != NULL)
                one.of[one.n++] = *of;
            count_held(l, &one, e->transport, out->factor[i], h, &more);
            host->runs += more.runs;
            host->held_before += more.held_before;
            host->held += more.held;
        }
    }
}

/* From hosts to tables of the others. */
static void learn_all(lesson *l, rc_learnt *out, rc_model_errors *others) {
    for (int h = 0; h < out->hosts; h++) {
        leave_out(l, h);
        learn(l, &others[h], NULL);
    }
    leave_out(l, -1);
    learn(l, &out->errors, out->runs);
    widen(l, others, out);
    count_hosts(l, others, out);
    out->n = l->n;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Runs on some cards of a host are in a folder of their own, NAME-gpuK. */
static int host_of(const rc_runs *r, const rc_measured_run *x, rc_learnt *out) {
    char name[sizeof out->host[0].name];
    snprintf(name, sizeof name, "%s", r->folder[x->folder]);
    char *cards = strstr(name, "-gpu");
    if (cards != NULL)
        *cards = '\0';
    for (int h = 0; h < out->hosts; h++)
        if (strcmp(out->host[h].name, name) == 0)
            return h;
    memcpy(out->host[out->hosts].name, name, sizeof name);
    return out->hosts++;
}

static void take(const rc_runs *r, lesson *l, rc_learnt *out) {
    for (size_t i = 0; i < r->n; i++) {
        const rc_measured_run *x = &r->v[i];
        double t = x->time[RC_BY_SIMULATION];
        if (x->set != RC_SET_SEEN || !isfinite(t) || !isfinite(x->p5) || !isfinite(x->p95))
            continue;
        double off = log(x->measured / t);
        l->v[l->n++] = (sample){.run = x,
                                .kind = rc_run_kind(x),
                                .host = host_of(r, x, out),
                                .layer = t / x->layers,
                                .off = off,
                                .half = fmax(off > 0 ? log(x->p95 / t) : log(t / x->p5), 0.0)};
    }
}

rc_status rc_runs_learn_errors(const rc_runs *r, rc_learnt *out, rc_error *err) {
    assert(r != NULL && out != NULL);
    lesson l = {calloc(r->n + 1, sizeof *l.v), 0, calloc(r->n + 1, sizeof *l.room)};
    memset(out, 0, sizeof *out);
    rc_status st =
        l.v && l.room ? RC_OK : rc_fail(err, RC_E_NOMEM, "out of memory for %zu runs", r->n);
    if (st == RC_OK)
        take(r, &l, out);
    if (st == RC_OK && (l.n < ENOUGH || out->hosts < 2))
        st = rc_fail(err, RC_E_INPUT,
                     "%zu seen runs of %d hosts with intervals: %d runs of two hosts are the least "
                     "to learn from",
                     l.n, out->hosts, ENOUGH);
    rc_model_errors *others = calloc(RC_RUN_FOLDERS, sizeof *others);
    if (st == RC_OK && others == NULL)
        st = rc_fail(err, RC_E_NOMEM, "out of memory for %d hosts", out->hosts);
    if (st == RC_OK)
        learn_all(&l, out, others);
    free(others);
    free(l.v);
    free(l.room);
    return st;
}

/* ---- what was learnt ------------------------------------------------------------------------- */

rc_status rc_learnt_write(const rc_learnt *l, const char *path, bool overwrite, rc_error *err) {
    assert(l != NULL && path != NULL);
    rc_outfile o;
    RC_TRY(rc_outfile_open(&o, path, overwrite, err));
    (void)fprintf(o.f,
                  "# how far forecasts of whole passes are off beyond their costs' intervals: "
                  "ringcast validate --learn, %zu seen runs of %d hosts\n"
                  "transport,kind,share,layer_s,factor,long_runs,short_runs\n",
                  l->n, l->hosts);
    for (int i = 0; i < l->errors.n; i++) {
        const rc_model_error *e = &l->errors.of[i];
        (void)fprintf(o.f, "%s,%s,%.4f,%.3g,%.2f,%d,%d\n", e->transport, rc_pass_kind_name(e->kind),
                      e->share, e->layer, l->factor[i], l->runs[i][0], l->runs[i][1]);
    }
    return rc_outfile_end(&o, RC_OK, err);
}

static rc_status print_classes(const rc_learnt *l, FILE *f, rc_error *err) {
    static const rc_column columns[] = {
        {"transport", "transport", "", RC_LEFT},    {"kind", "kind", "", RC_LEFT},
        {"share_pct", "share", "%", RC_RIGHT},      {"layer_us", "a layer", "us", RC_RIGHT},
        {"factor", "factor", "", RC_RIGHT},         {"long_runs", "long runs", "", RC_RIGHT},
        {"short_runs", "short runs", "", RC_RIGHT},
    };
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t,
                  "error of the model by class, of %zu seen runs; classes of under %d "
                  "runs take what their transport or all runs say",
                  l->n, ENOUGH);
    for (int i = 0; i < l->errors.n; i++) {
        const rc_model_error *e = &l->errors.of[i];
        rc_table_text(t, e->transport);
        rc_table_text(t, rc_pass_kind_name(e->kind));
        rc_table_real(t, 100.0 * e->share, 2);
        rc_table_real(t, 1e6 * e->layer, 1);
        rc_table_real(t, l->factor[i], 2);
        rc_table_int(t, l->runs[i][0]);
        rc_table_int(t, l->runs[i][1]);
    }
    return rc_table_finish(t, false, f, err);
}

rc_status rc_learnt_print(const rc_learnt *l, FILE *f, rc_error *err) {
    assert(l != NULL && f != NULL);
    static const rc_column columns[] = {
        {"host", "host", "", RC_LEFT},
        {"runs", "runs", "", RC_RIGHT},
        {"before_pct", "before", "%", RC_RIGHT},
        {"held_pct", "in p5..p95", "%", RC_RIGHT},
    };
    RC_TRY(print_classes(l, f, err));
    rc_table *t = RC_TABLE_WITH(columns);
    rc_table_note(t, "each host by what the others teach, without the cases that it ran");
    for (int h = 0; h < l->hosts; h++) {
        const rc_learnt_host *x = &l->host[h];
        rc_table_text(t, x->name);
        rc_table_int(t, x->runs);
        rc_table_real(t, x->runs > 0 ? 100.0 * x->held_before / x->runs : NAN, 0);
        rc_table_real(t, x->runs > 0 ? 100.0 * x->held / x->runs : NAN, 0);
    }
    return rc_table_finish(t, false, f, err);
}
