/* ringcast trace: what a request trace holds, and what a cache that forgets nothing makes of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include "sim/base/json.h"
#include "sim/cli/flags.h"
#include "sim/trace/trace.h"

typedef struct trace_flags {
    const char *file, *format, *bad;
    bool json, any_ids;
} trace_flags;

static rc_status index_of(const char *flag, const char *text, const char *const *names, int *out,
                          rc_error *err) {
    for (*out = 0; names[*out]; ++*out)
        if (strcmp(names[*out], text) == 0)
            return RC_OK;
    const char *near = rc_nearest(text, names);
    return rc_fail_at(err, RC_E_USAGE, flag, 0, 0, "unknown '%s'%s%s%s", text,
                      near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static void print_text(const rc_trace *t, const rc_trace_stats *s) {
    printf("# %s: %zu requests", rc_trace_format_names()[t->format], s->requests);
    if (s->sessions > 0)
        printf(" in %u sessions", s->sessions);
    if (s->span_s > 0.0)
        printf(" over %.1f s", s->span_s);
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

static rc_status print_json(const rc_trace *t, const rc_trace_stats *s, rc_error *err) {
    rc_json *j = rc_json_create();
    json_t *root = rc_json_root(j);
    rc_json_text(j, root, "format", rc_trace_format_names()[t->format]);
    rc_json_int(j, root, "requests", (int64_t)s->requests);
    rc_json_int(j, root, "sessions", s->sessions);
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
    rc_status st = rc_json_write(j, stdout, err);
    rc_json_destroy(j);
    return st;
}

rc_status rc_cmd_trace(int argc, char **argv, rc_error *err) {
    trace_flags f = {.format = "auto", .bad = "refuse"};
    const rc_flag flags[] = {
        {"--format", RC_FLAG_TEXT, &f.format, "NAME",
         "mooncake, azure, vidur, burstgpt, sessions, tracelab (default: by the first line)"},
        {"--on-bad-row", RC_FLAG_TEXT, &f.bad, "WHAT", "refuse (default) or skip, and count"},
        {"--any-ids", RC_FLAG_BOOL, &f.any_ids, NULL, "block ids in any order"},
        {"--json", RC_FLAG_BOOL, &f.json, NULL, "as JSON"},
    };
    size_t count;
    bool helped;
    int format, bad;
    rc_trace *t = NULL;
    rc_trace_stats stats;
    RC_TRY(rc_flags_parse(argc, argv, flags, sizeof flags / sizeof flags[0],
                          "usage: ringcast trace FILE [flags]", &f.file, 1, &count, &helped, err));
    if (helped)
        return RC_OK;
    if (count == 0)
        return rc_fail(err, RC_E_USAGE, "trace needs a file");
    RC_TRY(index_of("--format", f.format, rc_trace_format_names(), &format, err));
    RC_TRY(index_of("--on-bad-row", f.bad, rc_bad_row_names(), &bad, err));
    const rc_trace_options o = {
        .format = (rc_trace_format)format, .on_bad_row = (rc_bad_row)bad, .any_ids = f.any_ids};
    RC_TRY(rc_trace_read(f.file, &o, &t, err));
    rc_status st = rc_trace_statistics(t, NULL, &stats, err);
    if (st == RC_OK && f.json)
        st = print_json(t, &stats, err);
    else if (st == RC_OK)
        print_text(t, &stats);
    rc_trace_free(t);
    return st;
}
