/* The JSON that nccl-tests write with -J FILE: one object a run, with its command (`args`), its
 * ranks (`config.devices`) and a result a size. A file is one run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cost/import_formats.h"
#include "sim/cost/import_nccl.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static rc_piece text_of(const json_t *v) {
    const char *s = json_string_value(v);
    return s ? (rc_piece){s, strlen(s)} : (rc_piece){"", 0};
}

static rc_status read_ranks(const json_t *root, rc_nccl_ranks *ranks, rc_nccl_run *run,
                            rc_error *err) {
    const json_t *list = json_object_get(json_object_get(root, "config"), "devices"), *d;
    size_t i;
    json_array_foreach(list, i, d) {
        const rc_nccl_rank r = {.rank = json_integer_value(json_object_get(d, "rank")),
                                .group = json_integer_value(json_object_get(d, "group")),
                                .pid = json_integer_value(json_object_get(d, "pid")),
                                .host = text_of(json_object_get(d, "hostname"))};
        const char *gpu = json_string_value(json_object_get(d, "device_info"));
        if (gpu && !run->gpu[0])
            snprintf(run->gpu, sizeof run->gpu, "%s", gpu);
        RC_TRY(rc_nccl_ranks_add(ranks, &r, err));
    }
    return RC_OK;
}

static rc_status find_op(const rc_importer *m, const json_t *root, rc_nccl_run *run,
                         rc_error *err) {
    const json_t *args = json_object_get(root, "args"), *arg;
    int test = RC_NCCL_NO_TEST;
    size_t i;
    json_array_foreach(args, i, arg) if (test == RC_NCCL_NO_TEST) test =
        rc_nccl_test_in(text_of(arg));
    run->op = test >= 0 ? rc_nccl_test_op(test) : m->how->op;
    if (test >= 0 && !run->op)
        return rc_fail_at(err, RC_E_INPUT, m->name, 0, 0, "%s is a collective without an op here",
                          rc_nccl_test_name(test));
    if (!run->op)
        return rc_fail_at(err, RC_E_INPUT, m->name, 0, 0,
                          "its 'args' do not name the collective: say it with --op");
    if (m->how->op && strcmp(m->how->op, run->op) != 0)
        return rc_fail_at(err, RC_E_INPUT, m->name, 0, 0, "this run is %s, --op says %s",
                          rc_nccl_test_name(test), m->how->op);
    return RC_OK;
}

static rc_status one_result(rc_importer *m, rc_nccl_run *run, const json_t *x, rc_error *err) {
    const json_t *size = json_object_get(x, "size"), *out = json_object_get(x, "out_of_place");
    const json_t *time = json_object_get(out, "time"), *wrong = json_object_get(out, "nwrong");
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return rc_fail_at(err, RC_E_INPUT, m->name, 0, 0, "a result without a whole 'size'");
    if (!json_is_number(time)) {
        rc_import_skip(m, json_object_get(out, "cpu_time")
                              ? "times of the host's side of a call (-C)"
                              : "a result without an out-of-place time");
        return RC_OK;
    }
    if (json_number_value(wrong) > 0) {
        rc_import_skip(m, "a row whose results were wrong");
        return RC_OK;
    }
    run->iters = json_integer_value(json_object_get(x, "actual_iterations"));
    return rc_nccl_row(m, run, json_number_value(size), json_number_value(time),
                       text_of(json_object_get(x, "type")), err);
}

static rc_status read_root(rc_importer *m, const json_t *root, rc_nccl_ranks *ranks,
                           rc_error *err) {
    rc_nccl_run run = {0};
    long long v = json_integer_value(json_object_get(root, "nccl_version"));
    const json_t *results = json_object_get(root, "results"), *x;
    size_t i;
    if (!json_is_array(results) || json_array_size(results) == 0)
        return rc_fail_at(err, RC_E_INPUT, m->name, 0, 0, "holds no row of nccl-tests ('results')");
    if (v > 10000 && v < 1000000)
        snprintf(run.nccl, sizeof run.nccl, "%lld.%lld.%lld", v / 10000, v / 100 % 100, v % 100);
    RC_TRY(read_ranks(root, ranks, &run, err));
    RC_TRY(rc_nccl_ranks_settle(m, ranks, 0, &run.ranks, &run.nodes, err));
    RC_TRY(find_op(m, root, &run, err));
    json_array_foreach(results, i, x) RC_TRY(one_result(m, &run, x, err));
    return RC_OK;
}

rc_status rc_import_nccl_json(rc_importer *m, const char *text, size_t size, rc_error *err) {
    json_error_t why;
    rc_nccl_ranks ranks = {0};
    json_t *root = json_loadb(text, size, 0, &why);
    if (!root)
        return rc_fail_at(err, RC_E_INPUT, m->name, why.line > 0 ? why.line : 0, 0,
                          "JSON that cannot be read: %s", why.text);
    rc_status st = read_root(m, root, &ranks, err);
    rc_nccl_ranks_free(&ranks);
    json_decref(root);
    return st;
}
