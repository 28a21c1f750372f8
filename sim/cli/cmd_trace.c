/* ringcast trace: what a request trace holds, and what a cache that forgets nothing makes of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include "sim/base/find.h"
#include "sim/base/json.h"
#include "sim/cli/flags.h"
#include "sim/cli/form.h"
#include "sim/trace/trace_options.h"

typedef struct trace_flags {
    const char *file, *format, *bad, *unit, *columns, *zero, *block;
    bool json, csv, any_ids, sort;
} trace_flags;

/* The flag of a key: "time_unit" as "--time-unit". */
static rc_status set(rc_trace_options *o, const char *key, const char *text, rc_error *err) {
    char flag[32];
    rc_error why = {0};
    if (!text || rc_trace_option_set(o, key, text, &why) == RC_OK)
        return RC_OK;
    snprintf(flag, sizeof flag, "--%s", key);
    for (char *p = flag; *p; p++)
        *p = *p == '_' ? '-' : *p;
    return rc_fail_file(err, RC_E_USAGE, flag, "%s", why.msg);
}

static rc_status options_of(const trace_flags *f, rc_trace_options *o, rc_error *err) {
    *o = (rc_trace_options){.any_ids = f->any_ids, .sort = f->sort};
    RC_TRY(set(o, "format", f->format, err));
    RC_TRY(set(o, "on_bad_row", f->bad, err));
    RC_TRY(set(o, "time_unit", f->unit, err));
    RC_TRY(set(o, "columns", f->columns, err));
    RC_TRY(set(o, "zero_output", f->zero, err));
    return set(o, "block", f->block, err);
}

static void print_text(const rc_trace *t, const rc_trace_stats *s) {
    printf("# %s: %zu requests", rc_trace_format_names()[t->format], s->requests);
    if (s->sessions > 0)
        printf(" in %u sessions", s->sessions);
    if (s->span_s > 0.0)
        printf(" over %.1f s", s->span_s);
    if (t->unit != RC_UNIT_AUTO && s->span_s > 0.0)
        printf(" (arrivals in %s)", rc_time_unit_names()[t->unit]);
    if (t->timeless)
        printf(", lengths only: no arrival times");
    printf("; rows %llu, dropped %llu, refused %llu\n", (unsigned long long)t->rows,
           (unsigned long long)t->dropped, (unsigned long long)rc_trace_refused(t));
    for (int i = 0; i < RC_FAULTS; i++)
        if (t->faults[i] > 0)
            printf("refused: %s %llu\n", rc_fault_name((rc_fault)i),
                   (unsigned long long)t->faults[i]);
    if (t->first_fault_line > 0)
        printf("the first refused, line %u: %s\n", t->first_fault_line, t->first_fault);
    if (t->raised + t->derived > 0)
        printf("replies of 0 tokens read as 1: %llu; think times left out or cut, taken from the "
               "clock: "
               "%llu\n",
               (unsigned long long)t->raised, (unsigned long long)t->derived);
    printf("input  p50 %u, p90 %u, p99 %u, max %u tokens; sum %llu\n", s->input_p50, s->input_p90,
           s->input_p99, s->input_max, (unsigned long long)s->input);
    printf("output p50 %u, p90 %u, p99 %u, max %u tokens; sum %llu\n", s->output_p50, s->output_p90,
           s->output_p99, s->output_max, (unsigned long long)s->output);
    printf(
        "unlimited cache: T/(T+P) p50 %.3f, p90 %.3f; sum T / sum input %.3f; %.1f %% of requests "
        "at most 5 %%\n",
        s->miss_p50, s->miss_p90, s->miss_sum, 100.0 * s->at_most_5pct);
}

static rc_status print_json(const rc_trace *t, const rc_trace_stats *s, rc_form form,
                            rc_error *err) {
    rc_json *j = rc_form_json("trace-1");
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "format", rc_trace_format_names()[t->format]);
    rc_json_int(j, root, "requests", (int64_t)s->requests);
    rc_json_int(j, root, "sessions", s->sessions);
    rc_json_text(j, root, "time_unit", rc_time_unit_names()[t->unit]);
    rc_json_bool(j, root, "lengths_only", t->timeless);
    rc_json_int(j, root, "rows", (int64_t)t->rows);
    rc_json_int(j, root, "dropped", (int64_t)t->dropped);
    rc_json_int(j, root, "raised", (int64_t)t->raised);
    rc_json_int(j, root, "derived", (int64_t)t->derived);
    json_t *refused = rc_json_object(j, root, "refused");
    for (int i = 0; i < RC_FAULTS; i++)
        rc_json_int(j, refused, rc_fault_name((rc_fault)i), (int64_t)t->faults[i]);
    rc_json_real(j, root, "span_s", s->span_s);
    rc_json_int(j, root, "input_tokens", (int64_t)s->input);
    rc_json_int(j, root, "output_tokens", (int64_t)s->output);
    rc_json_int(j, root, "input_p50", s->input_p50);
    rc_json_int(j, root, "input_p90", s->input_p90);
    rc_json_int(j, root, "input_p99", s->input_p99);
    rc_json_int(j, root, "output_p50", s->output_p50);
    rc_json_int(j, root, "output_p90", s->output_p90);
    rc_json_int(j, root, "output_p99", s->output_p99);
    rc_json_int(j, root, "cached_tokens", (int64_t)s->cached);
    rc_json_real(j, root, "miss_rate_p50", s->miss_p50);
    rc_json_real(j, root, "miss_rate_p90", s->miss_p90);
    rc_json_real(j, root, "miss_share", s->miss_sum);
    rc_json_real(j, root, "share_at_most_5pct", s->at_most_5pct);
    return form == RC_FORM_CSV ? rc_form_pairs(j, err) : rc_json_finish(j, stdout, err);
}

rc_status rc_cmd_trace(int argc, char **argv, rc_error *err) {
    trace_flags f = {0};
    const rc_flag flags[] = {
        {"--format", RC_FLAG_TEXT, &f.format, "NAME",
         "of scenarios/traces/README.md (default: by the first line)"},
        {"--time-unit", RC_FLAG_TEXT, &f.unit, "UNIT",
         "of arrival times: s, ms, us or ns (default: what the format says)"},
        {"--columns", RC_FLAG_TEXT, &f.columns, "MAP",
         "arrival=A,input=B,output=C,session=D: columns of a CSV file, or keys of JSON objects"},
        {"--sort", RC_FLAG_BOOL, &f.sort, NULL, "rows in any order of arrival"},
        {"--zero-output", RC_FLAG_TEXT, &f.zero, "WHAT",
         "a reply of 0 tokens is read as one, or drop (default: as the format has it)"},
        {"--on-bad-row", RC_FLAG_TEXT, &f.bad, "WHAT", "refuse (default) or skip, and count"},
        {"--any-ids", RC_FLAG_BOOL, &f.any_ids, NULL, "block ids in any order"},
        {"--block", RC_FLAG_TEXT, &f.block, "TOKENS", "of a block (default: the format's own)"},
        {"--json", RC_FLAG_BOOL, &f.json, NULL, "as JSON"},
        {"--csv", RC_FLAG_BOOL, &f.csv, NULL, "as CSV: a key and its value a line"},
    };
    size_t count;
    bool helped;
    rc_trace *t = NULL;
    rc_trace_stats stats;
    rc_trace_options o;
    rc_form form;
    char path[1024];
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast trace FILE [flags]", &f.file, 1, &count, &helped, err));
    if (helped)
        return RC_OK;
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "trace needs a file");
    RC_TRY(rc_form_of(f.json, f.csv, &form, err));
    RC_TRY(options_of(&f, &o, err));
    RC_TRY(rc_trace_read(rc_scenario_path(f.file, path, sizeof path), &o, &t, err));
    rc_status st = rc_trace_statistics(t, NULL, &stats, err);
    if (st == RC_OK && form != RC_FORM_TEXT)
        st = print_json(t, &stats, form, err);
    else if (st == RC_OK)
        print_text(t, &stats);
    rc_trace_free(t);
    return st;
}
