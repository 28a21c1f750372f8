/* All figures as JSON: schema/validate-serving-1.json.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/beside/server_runs.h"

#include <string.h>

#include "sim/base/json.h"

static const char *const ways[] = {"measured", "forecast", "host_measured", "gpu_measured",
                                   "taught"};

static void put_metrics(const rc_beside_run *r, rc_json *j, json_t *parent) {
    json_t *all = rc_json_object(j, parent, "metrics");
    for (int m = 0; m < RC_BESIDE_METRICS; m++) {
        const rc_beside_metric x = (rc_beside_metric)m;
        json_t *o = rc_json_object(j, all, rc_beside_metric_key(x));
        rc_json_text(j, o, "unit", rc_beside_metric_unit(x));
        for (int way = 0; way < RC_BESIDE_WAYS; way++)
            rc_json_real(j, o, ways[way], rc_beside_value(r, (rc_beside_way)way, x));
        rc_json_real(j, o, "error_pct", rc_beside_error(r, RC_BESIDE_FORECAST, x));
        rc_json_real(j, o, "host_measured_error_pct", rc_beside_error(r, RC_BESIDE_HOST_MEAN, x));
        rc_json_real(j, o, "gpu_measured_error_pct", rc_beside_error(r, RC_BESIDE_GPU_MEAN, x));
        rc_json_real(j, o, "taught_error_pct", rc_beside_error(r, RC_BESIDE_TAUGHT, x));
    }
}

static void put_spread(rc_json *j, json_t *o, const rc_beside_spread *s) {
    rc_json_int(j, o, "passes", (int64_t)s->passes);
    rc_json_real(j, o, "measured_s", s->measured_s);
    rc_json_real(j, o, "model_s", s->model_s);
    rc_json_real(j, o, "bias_pct", s->bias);
    rc_json_real(j, o, "median_abs_error_pct", s->median);
    rc_json_real(j, o, "p95_abs_error_pct", s->p95);
}

static rc_status put_kinds(const rc_beside_run *r, rc_json *j, json_t *parent, rc_error *err) {
    json_t *all = rc_json_object(j, parent, "kinds");
    rc_beside_spread s;
    for (int k = 0; k < RC_BESIDE_KINDS; k++) {
        RC_TRY(rc_beside_kind_spread(r, (rc_beside_kind)k, &s, err));
        put_spread(j, rc_json_object(j, all, rc_beside_kind_name((rc_beside_kind)k)), &s);
    }
    RC_TRY(rc_beside_spread_of(r, NULL, NULL, &s, err));
    put_spread(j, rc_json_object(j, all, "all"), &s);
    return RC_OK;
}

static rc_status put_run(const rc_beside_run *r, rc_json *j, json_t *list, rc_error *err) {
    json_t *o = rc_json_object(j, list, NULL);
    const rc_beside_play *a = &r->play[RC_BESIDE_MEASURED], *b = &r->play[RC_BESIDE_FORECAST];
    rc_json_text(j, o, "run", r->name);
    rc_json_text(j, o, "scenario", r->scenario);
    rc_json_text(j, o, "machine", r->machine);
    rc_json_text(j, o, "set", rc_run_set_name(r->set));
    rc_json_int(j, o, "passes", (int64_t)r->log.count);
    rc_json_int(j, o, "requests", (int64_t)a->requests);
    rc_json_int(j, o, "served", (int64_t)a->done);
    rc_json_int(j, o, "served_forecast", (int64_t)b->done);
    rc_json_int(j, o, "hit_tokens", (int64_t)a->hit_tokens);
    rc_json_int(j, o, "hit_tokens_forecast", (int64_t)b->hit_tokens);
    rc_json_real(j, o, "host_s", r->host_mean);
    rc_json_real(j, o, "host_stated_s", r->host_stated);
    put_metrics(r, j, o);
    return put_kinds(r, j, o, err);
}

static void put_sets(const rc_beside_run *runs, size_t count, rc_json *j, json_t *root) {
    json_t *sets = rc_json_object(j, root, "sets");
    for (int set = 0; set < RC_SET_COUNT; set++) {
        json_t *of_set = rc_json_object(j, sets, rc_run_set_name((rc_run_set)set));
        for (int m = 0; m < RC_BESIDE_METRICS; m++) {
            const rc_beside_summary s =
                rc_beside_summarise(runs, count, set, RC_BESIDE_FORECAST, (rc_beside_metric)m);
            json_t *o = rc_json_object(j, of_set, rc_beside_metric_key((rc_beside_metric)m));
            rc_json_int(j, o, "runs", (int64_t)s.runs);
            rc_json_real(j, o, "mean_abs_error_pct", s.mean);
            rc_json_real(j, o, "most_abs_error_pct", s.most);
        }
    }
}

rc_status rc_beside_json(const rc_beside_run *runs, size_t count, const char *path, bool overwrite,
                         rc_error *err) {
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "schema", "validate-serving-1");
    put_sets(runs, count, j, root);
    json_t *list = rc_json_list(j, root, "runs");
    rc_status st = RC_OK;
    for (size_t i = 0; st == RC_OK && i < count; i++)
        st = put_run(&runs[i], j, list, err);
    if (st != RC_OK) {
        rc_json_destroy(j);
        return st;
    }
    if (strcmp(path, "-") == 0)
        return rc_json_finish(j, stdout, err);
    return rc_json_finish_as(j, path, overwrite, err);
}
