/* Pictures of one run: how long users waited, and what the cluster did meanwhile.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include "sim/plot/gnuplot.h"
#include "sim/serve/serve_report.h"

typedef struct picture {
    const rc_serve *serve;
    const rc_serve_result *result;
    const rc_serve_series *series;
} picture;

static void cumulative(FILE *data, const rc_hist *h) {
    uint64_t seen = 0;
    for (int part = 0; part < RC_HIST_BUCKETS; part++) {
        uint64_t low, high;
        if (h->bucket[part] == 0)
            continue;
        rc_hist_bounds(part, &low, &high);
        seen += h->bucket[part];
        (void)fprintf(data, "%.6g %.6g\n", (double)(low + high) / 2.0 / RC_PS_PER_S,
                      100.0 * (double)seen / (double)h->count);
    }
    if (h->count == 0)
        (void)fputs("1 -\n", data);
    rc_plot_next(data);
}

static void draw_latency(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const rc_serve_result *r = p->result;
    cumulative(data, &r->ttft);
    cumulative(data, &r->ttit);
    cumulative(data, &r->gap);
    cumulative(data, &r->e2e);
    cumulative(data, &r->queue);
    (void)fputs("set title ", script);
    rc_plot_text(script, "%s: %llu requests, %s on %s", p->serve->name,
                 (unsigned long long)r->requests, p->serve->model.name, p->serve->machine.name);
    (void)fputs("\nset logscale x\nset xrange [0.001:*]\nset yrange [0:100]\nset format x '%g'\n"
                "set xlabel 'seconds'\nset ylabel 'at most so long, %'\nset key bottom right\n"
                "plot 'latency.dat' index 0 using 1:2 with lines lt 1 title 'TTFT', "
                "'' index 1 using 1:2 with lines lt 2 title 'TTIT', "
                "'' index 2 using 1:2 with lines lt 2 dt 3 title 'token gaps', "
                "'' index 3 using 1:2 with lines lt 3 title 'end to end', "
                "'' index 4 using 1:2 with lines lt 4 title 'queueing'\n",
                script);
}

static void put(FILE *data, double v) {
    if (isfinite(v))
        (void)fprintf(data, " %.6g", v);
    else
        (void)fputs(" -", data);
}

static void draw_time(const void *ctx, FILE *script, FILE *data) {
    const picture *p = ctx;
    const rc_serve_series *s = p->series;
    for (int i = 0; i < rc_timeline_count(&s->running); i++) {
        (void)fprintf(data, "%.6g", ((double)i + 0.5) * (double)s->running.interval / RC_PS_PER_S);
        put(data, rc_timeline_at(&s->waiting, i));
        put(data, rc_timeline_at(&s->running, i));
        put(data, 100.0 * rc_timeline_at(&s->kv_used, i));
        put(data, 100.0 * rc_serve_hit_rate_at(s, i));
        (void)fputc('\n', data);
    }
    (void)fputs("set multiplot layout 2,1 title ", script);
    rc_plot_text(script, "%s over time", p->serve->name);
    (void)fputs(" font ',17'\nset xlabel 'seconds'\nset ylabel 'requests'\nset yrange [0:*]\nset "
                "offsets 0, 0, "
                "graph 0.25, 0\nset key top left\n"
                "plot 'time.dat' using 1:3 with lines lt 1 title 'decoding', "
                "'' using 1:2 with lines lt 2 title 'waiting'\n"
                "set ylabel '%'\nset offsets 0, 0, 0, 0\nset yrange [0:130]\nset ytics 25\n"
                "plot 'time.dat' using 1:4 with lines lt 3 title 'KV blocks held by requests', "
                "'' using 1:5 with lines lt 4 lw 1 title 'prompt tokens found cached'\n"
                "unset multiplot\n",
                script);
}

const char *const rc_serve_plot_names[] = {"latency", "time", NULL};

rc_status rc_serve_plots(const rc_serve *s, const rc_serve_result *r, const rc_serve_series *series,
                         const char *dir, bool overwrite, bool *drawn, rc_error *err) {
    const picture p = {s, r, series};
    const rc_plot plots[] = {{rc_serve_plot_names[0], 900, 600, draw_latency},
                             {rc_serve_plot_names[1], 900, 800, draw_time}};
    return rc_gnuplot(plots, 2, &p, dir, overwrite, drawn, err);
}
