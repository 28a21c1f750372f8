/* Formats: what each says of its rows, which one a file is by its first line, and what the caller's
 * options change.
 *
 * Whether times are seconds or milliseconds is never guessed: a format says it, or a row shows it,
 * or the caller does. Mooncake and GuideLLM have the same keys, one in milliseconds and the other
 * in seconds; only blocks, sessions or an epoch tell them apart (rc_format_check_unit).
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "sim/trace/reader.h"

typedef struct format {
    rc_trace_format id;
    bool (*row)(rc_reader *r);
    const rc_csv_role *roles; /* NULL: JSON, or columns by name */
    uint32_t block;           /* tokens of a block unless options say; 0: no blocks */
    rc_time_unit unit;        /* of arrivals; auto: the file has to show it, or dates */
    const char *columns;      /* of a format that is a choice of columns */
    bool any_order, any_ids, dates;
    const char *needs; /* what its rows have, for errors */
} format;

static const format formats[] = {
    {.id = RC_TRACE_MOONCAKE,
     .row = rc_row_mooncake,
     .block = 512,
     .needs = "timestamp, input_length, output_length"},
    {.id = RC_TRACE_AZURE,
     .row = rc_row_azure,
     .roles = rc_roles_azure,
     .dates = true,
     .needs = "TIMESTAMP, ContextTokens, GeneratedTokens"},
    {.id = RC_TRACE_VIDUR,
     .row = rc_row_vidur,
     .roles = rc_roles_vidur,
     .unit = RC_UNIT_S,
     .needs = "num_prefill_tokens, num_decode_tokens"},
    {.id = RC_TRACE_BURSTGPT,
     .row = rc_row_burstgpt,
     .roles = rc_roles_burstgpt,
     .unit = RC_UNIT_S,
     .needs = "Timestamp, Request tokens, Response tokens"},
    {.id = RC_TRACE_SESSIONS,
     .row = rc_row_sessions,
     .block = 64,
     .unit = RC_UNIT_S,
     .needs = "id, t, in, out, hash_ranges"},
    {.id = RC_TRACE_TRACELAB,
     .row = rc_row_tracelab,
     .roles = rc_roles_tracelab,
     .block = 64,
     .unit = RC_UNIT_MS,
     .needs = "session_id, arrival_time, round_idx, prefix_len, input_len, output_len"},
    {.id = RC_TRACE_GUIDELLM,
     .row = rc_row_mooncake,
     .block = 512,
     .unit = RC_UNIT_S,
     .any_order = true,
     .needs = "timestamp, input_length, output_length"},
    {.id = RC_TRACE_BAILIAN,
     .row = rc_row_mooncake,
     .block = 16,
     .unit = RC_UNIT_S,
     .any_ids = true,
     .needs = "chat_id, timestamp, input_length, output_length"},
    {.id = RC_TRACE_WEKA,
     .row = rc_row_weka,
     .block = 64,
     .unit = RC_UNIT_S,
     .needs = "id, requests"},
    {.id = RC_TRACE_LLMSERVINGSIM,
     .row = rc_row_llmservingsim,
     .unit = RC_UNIT_NS,
     .columns = "arrival=arrival_time_ns,input=input_toks,output=output_toks",
     .needs = "input_toks, output_toks"},
    {.id = RC_TRACE_SPLITWISE,
     .row = rc_row_own,
     .unit = RC_UNIT_S,
     .columns = "arrival=arrival_timestamp,input=prompt_size,output=token_size",
     .needs = "arrival_timestamp, prompt_size, token_size"},
    {.id = RC_TRACE_VLLM,
     .row = rc_row_vllm,
     .unit = RC_UNIT_S,
     .any_order = true,
     .needs = "input_lens, output_lens"},
    {.id = RC_TRACE_INFERENCE_PERF,
     .row = rc_row_own,
     .unit = RC_UNIT_S,
     .columns = "arrival=start_time,input=info.input_tokens,output=info.output_tokens",
     .any_order = true,
     .needs = "start_time, info"},
    {.id = RC_TRACE_AIPERF_RECORDS,
     .row = rc_row_own,
     .unit = RC_UNIT_NS,
     .columns = "arrival=metadata.request_start_ns,input=metrics.input_sequence_length.value,"
                "output=metrics.output_sequence_length.value",
     .any_order = true,
     .needs = "metadata, metrics"},
    {.id = RC_TRACE_GUIDELLM_REPORT,
     .row = rc_row_guidellm_report,
     .unit = RC_UNIT_S,
     .any_order = true,
     .needs = "benchmarks"},
    {.id = RC_TRACE_BLIS,
     .row = rc_row_blis,
     .roles = rc_roles_blis,
     .block = 16,
     .unit = RC_UNIT_US,
     .any_order = true,
     .any_ids = true,
     .needs = "arrival_time_us, input_tokens, output_tokens"},
    {.id = RC_TRACE_COLUMNS, .row = rc_row_own, .needs = "the columns of --columns"},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

const char *const *rc_trace_format_names(void) {
    static const char *const names[] = {"auto",
                                        "mooncake",
                                        "azure",
                                        "vidur",
                                        "burstgpt",
                                        "sessions",
                                        "tracelab",
                                        "guidellm",
                                        "bailian",
                                        "weka",
                                        "llmservingsim",
                                        "splitwise",
                                        "vllm",
                                        "inference-perf",
                                        "aiperf-records",
                                        "guidellm-report",
                                        "blis",
                                        "blis-spec",
                                        "guidellm-synthetic",
                                        "columns",
                                        NULL};
    return names;
}

const char *const *rc_time_unit_names(void) {
    static const char *const names[] = {"auto", "s", "ms", "us", "ns", NULL};
    return names;
}

const char *const *rc_zero_output_names(void) {
    static const char *const names[] = {"format", "one", "drop", NULL};
    return names;
}

/* ---------------------------------------------------------------- the format -------------- */
static int role_count(const format *f) {
    int n = 0;
    while (f->roles[n].name)
        n++;
    return n;
}

static const format *by_id(rc_trace_format id) {
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].id == id)
            return &formats[i];
    return NULL;
}

static bool json_row(const rc_reader *r) {
    const char *p = r->row;
    while (p < r->end && (*p == ' ' || *p == '\t'))
        p++;
    return p < r->end && *p == '{';
}

/* By the keys of the first object; NULL when it has those of no format, or is no object. */
static const format *by_keys(rc_reader *r) {
    static const struct {
        const char *key, *other; /* both are there; NULL: the first is enough */
        rc_trace_format id;
    } tells[] = {{"hash_ranges", "id", RC_TRACE_SESSIONS},
                 {"requests", "id", RC_TRACE_WEKA},
                 {"chat_id", "input_length", RC_TRACE_BAILIAN},
                 {"input_length", "output_length", RC_TRACE_MOONCAKE},
                 {"input_toks", "output_toks", RC_TRACE_LLMSERVINGSIM},
                 {"sub_requests", "session_id", RC_TRACE_LLMSERVINGSIM},
                 {"input_lens", "output_lens", RC_TRACE_VLLM},
                 {"start_time", "info", RC_TRACE_INFERENCE_PERF},
                 {"metadata", "metrics", RC_TRACE_AIPERF_RECORDS},
                 {"benchmarks", NULL, RC_TRACE_GUIDELLM_REPORT}};
    enum { TELLS = sizeof tells / sizeof tells[0] };
    for (int i = 0; i < TELLS; i++) {
        rc_member m[] = {{tells[i].key, {0}}, {tells[i].other, {0}}};
        if (!rc_json_line(r, m, tells[i].other ? 2 : 1))
            return NULL;
        if (m[0].value.kind != RC_VALUE_NONE &&
            (!tells[i].other || m[1].value.kind != RC_VALUE_NONE))
            return by_id(tells[i].id);
    }
    return NULL;
}

/* The columns of a format that is a choice of them, when the row in hand has all. */
static rc_status own_roles(rc_reader *r, const format *f, bool *all) {
    rc_csv_role roles[RC_OWN_ROLES];
    RC_TRY(rc_own_columns(r, f->columns ? f->columns : r->opt.columns, r->err));
    for (int k = 0; k < RC_OWN_ROLES; k++)
        roles[k] = (rc_csv_role){r->own[k], r->own[k][0] != '\0'};
    *all = json_row(r) || (rc_csv_split(r) && rc_csv_roles(r, roles, RC_OWN_ROLES));
    return RC_OK;
}

static rc_status by_header(rc_reader *r, const format **f) {
    *f = NULL;
    if (!rc_csv_split(r))
        return RC_OK;
    for (int i = 0; i < FORMATS && !*f; i++) {
        bool all = formats[i].roles && rc_csv_roles(r, formats[i].roles, role_count(&formats[i]));
        if (formats[i].id == RC_TRACE_SPLITWISE)
            RC_TRY(own_roles(r, &formats[i], &all));
        *f = all ? &formats[i] : NULL;
    }
    return RC_OK;
}

static rc_status refuse(rc_reader *r, const char *why) {
    return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, r->col, "%s", why);
}

static rc_status check_options(rc_reader *r, const format *f) {
    const char *name = rc_trace_format_names()[f->id];
    if (r->opt.columns[0] && f->id != RC_TRACE_COLUMNS)
        return rc_fail_file(r->err, RC_E_USAGE, "columns",
                            "columns are named by the format %s already", name);
    if (!r->opt.columns[0] && f->id == RC_TRACE_COLUMNS)
        return rc_fail_file(r->err, RC_E_USAGE, "columns", "the format columns needs them named");
    if (r->opt.unit != RC_UNIT_AUTO && f->dates)
        return rc_fail_file(r->err, RC_E_USAGE, "time-unit", "the times of %s are dates", name);
    if (r->opt.sort && (f->id == RC_TRACE_SESSIONS || f->id == RC_TRACE_TRACELAB))
        return rc_fail_file(
            r->err, RC_E_USAGE, "sort",
            "rows of %s build on those before them in their session: they cannot come "
            "in any order",
            name);
    if (r->opt.zero_output == RC_ZERO_DROP &&
        (f->id == RC_TRACE_SESSIONS || f->id == RC_TRACE_TRACELAB || f->id == RC_TRACE_WEKA))
        return rc_fail_file(r->err, RC_E_USAGE, "zero-output",
                            "rows of %s build on those before them in their session: none can be "
                            "dropped",
                            name);
    return RC_OK;
}

int rc_units_per_second(rc_time_unit unit) {
    static const int per_s[] = {[RC_UNIT_AUTO] = 0,
                                [RC_UNIT_S] = 1,
                                [RC_UNIT_MS] = 1000,
                                [RC_UNIT_US] = 1000000,
                                [RC_UNIT_NS] = 1000000000};
    assert(unit <= RC_UNIT_NS);
    return per_s[unit];
}

/* Sets what the format and the options decide for all rows. */
static void apply(rc_reader *r, const format *f) {
    rc_time_unit unit = r->opt.unit != RC_UNIT_AUTO ? r->opt.unit : f->unit;
    if (unit == RC_UNIT_AUTO && f->id == RC_TRACE_COLUMNS)
        unit = rc_unit_by_name(r->own[RC_OWN_ARRIVAL]);
    r->unit_told = unit != RC_UNIT_AUTO || f->dates;
    r->per_s = rc_units_per_second(
        unit != RC_UNIT_AUTO ? unit : RC_UNIT_MS); /* open: settled at the end */
    if (f->dates)
        r->per_s = 0;
    r->sort = r->opt.sort || f->any_order;
    r->opt.any_ids = r->opt.any_ids || f->any_ids;
    r->local_ids = f->id == RC_TRACE_SESSIONS || f->id == RC_TRACE_WEKA;
    r->chain_ids = f->id == RC_TRACE_BAILIAN;
    if (r->opt.block == 0)
        r->opt.block = f->block;
    r->t->block = f->block ? r->opt.block : 0;
    r->t->format = f->id;
    r->parse_row = f->row;
}

/* The columns or keys of the line in hand, for an error. */
static void describe(rc_reader *r, bool json, char *out, size_t size) {
    if (json) {
        snprintf(out, size, "the keys ");
        rc_json_keys(r, out + 9, size - 9);
    } else {
        int n = (int)(r->end - r->row);
        snprintf(out, size, "the columns %.*s", n < 200 ? n : 200, r->row);
    }
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

/* What no format fits: names what was found, and how a column is named. */
static rc_status unknown(rc_reader *r, bool json) {
    char found[260], list[300] = "";
    size_t n = 0;
    describe(r, json, found, sizeof found);
    for (int i = 0; i < FORMATS; i++) {
        bool csv = formats[i].roles || formats[i].id == RC_TRACE_SPLITWISE;
        if (csv == json || formats[i].id == RC_TRACE_COLUMNS || formats[i].id == RC_TRACE_GUIDELLM)
            continue;
        int more = snprintf(list + n, sizeof list - n, "%s%s (%s)", n ? "; " : "",
                            rc_trace_format_names()[formats[i].id], formats[i].needs);
        if (more < 0 || n + (size_t)more >= sizeof list)
            break;
        n += (size_t)more;
    }
    return rc_fail_at(r->err, RC_E_INPUT, r->name, (int)r->line, 0,
                      "no known trace: found %s; formats have %.*s. Others are named by "
                      "--columns arrival=NAME,input=NAME,output=NAME (arrivals.columns)",
                      found, (int)n, list);
}

rc_status rc_format_detect(rc_reader *r, bool *used) {
    const format *found = NULL, **f = &found;
    bool json = json_row(r), all = true;
    rc_trace_format asked = r->opt.format;
    if (asked == RC_TRACE_AUTO && r->opt.columns[0])
        asked = RC_TRACE_COLUMNS;
    *f = by_id(asked);
    if (asked == RC_TRACE_AUTO && json)
        *f = by_keys(r);
    else if (asked == RC_TRACE_AUTO)
        RC_TRY(by_header(r, f));
    r->col = 0;
    if (!*f)
        return unknown(r, json);
    RC_TRY(check_options(r, *f));
    if ((*f)->columns || (*f)->id == RC_TRACE_COLUMNS) {
        RC_TRY(own_roles(r, *f, &all));
        *used = !json;
    } else {
        *used = (*f)->roles != NULL;
        all = !*used || (rc_csv_split(r) && rc_csv_roles(r, (*f)->roles, role_count(*f)));
    }
    if (!all)
        return refuse(r, r->why);
    r->header = *used ? r->fields : 0;
    apply(r, *f);
    return RC_OK;
}

/* Mooncake's times are whole milliseconds. Fractions of them with a mean gap below this look like
 * seconds under the same keys. */
#define FAST_GAP_MS 10.0

/* A file whose times nothing explains is refused, with what either reading would make of it. */
rc_status rc_format_check_unit(rc_reader *r) {
    double ms = 0;
    size_t timed = 0;
    for (size_t i = 0; i < r->t->count; i++) {
        if (r->t->at[i].arrival == RC_NO_ARRIVAL)
            continue;
        timed++;
        ms = fmax(ms, (double)r->t->at[i].arrival / (1e-3 * RC_PS_PER_S));
    }
    bool fast = r->fractions && timed > 2 && ms < FAST_GAP_MS * (double)(timed - 1);
    bool open = r->t->format == RC_TRACE_MOONCAKE || r->t->format == RC_TRACE_COLUMNS;
    if (!open || r->opt.unit != RC_UNIT_AUTO || r->opt.redrawn || !(ms > 0) ||
        (r->unit_told && !(fast && r->t->format == RC_TRACE_MOONCAKE && r->per_s == 1000)))
        return RC_OK;
    return rc_fail_file(
        r->err, RC_E_INPUT, r->name,
        "are the times seconds or milliseconds? %zu requests over %.6g: nothing in the "
        "file says which (Mooncake and AIPerf write milliseconds, GuideLLM seconds, "
        "with the same keys). Say it with --time-unit s or ms (arrivals.time_unit)",
        timed, ms);
}
