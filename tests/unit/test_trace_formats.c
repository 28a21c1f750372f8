/* What people in the field have: each format gives the requests, the span in seconds and the tokens
 * that its publisher means; what could be read in two ways is refused until the caller says which;
 * and a file of no format is told what was found in it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "sim/trace/reader.h"
#include "sim/trace/trace_options.h"
#include "tests/support/trace_check.h"

#define S INT64_C(1000000000000) /* ps */

typedef struct sample {
    const char *name; /* of the format that is found */
    size_t requests;
    double span; /* s */
    uint64_t input, output;
    const char *text;
    const char *key, *value; /* an option, or NULL */
} sample;

static rc_status parse(const char *text, const rc_trace_options *o, rc_trace **t, rc_error *e) {
    *t = NULL;
    *e = (rc_error){0};
    return rc_trace_parse("t", text, strlen(text), o, t, e);
}

static rc_trace_options with(const char *key, const char *value) {
    rc_trace_options o = {0};
    rc_error e = {0};
    if (key && rc_trace_option_set(&o, key, value, &e) != RC_OK)
        fail_msg("%s", e.msg);
    return o;
}

static void check(const sample *s) {
    rc_trace *t;
    rc_error e;
    rc_trace_stats stats;
    const rc_trace_options o = with(s->key, s->value);
    if (parse(s->text, &o, &t, &e) != RC_OK)
        fail_msg("%s: %d:%d: %s", s->name, e.line, e.col, e.msg);
    if (trace_fault(t))
        fail_msg("%s: %s", s->name, trace_fault(t));
    assert_int_equal(rc_trace_statistics(t, NULL, &stats, &e), RC_OK);
    assert_string_equal(rc_trace_format_names()[t->format], s->name);
    assert_int_equal(stats.requests, s->requests);
    assert_int_equal(stats.input, s->input);
    assert_int_equal(stats.output, s->output);
    assert_true(fabs(stats.span_s - s->span) < 1e-9);
    rc_trace_free(t);
}

static void refuse(const char *text, const rc_trace_options *o, const char *word) {
    rc_trace *t;
    rc_error e;
    if (parse(text, o, &t, &e) == RC_OK)
        fail_msg("read: %s", text);
    if (!strstr(e.msg, word))
        fail_msg("refused with other words than \"%s\": %s", word, e.msg);
}

#define GUIDE                                                                                      \
    "{\"timestamp\": 0.5, \"input_length\": 100, \"output_length\": 5}\n"                          \
    "{\"timestamp\": 0.0, \"input_length\": 100, \"output_length\": 5}\n"                          \
    "{\"timestamp\": 29.5, \"input_length\": 100, \"output_length\": 5}\n"
#define PLAIN                                                                                      \
    "{\"timestamp\": 0, \"input_length\": 100, \"output_length\": 5}\n"                            \
    "{\"timestamp\": 3000, \"input_length\": 100, \"output_length\": 5}\n"

static const sample samples[] = {
    {"guidellm", 3, 29.5, 300, 15, GUIDE, "format", "guidellm"},
    {"mooncake", 2, 3000, 200, 10, PLAIN, "time_unit", "s"},
    {"mooncake", 2, 3, 200, 10, PLAIN, "time_unit", "ms"},
    {"mooncake", 2, 0.003, 200, 10, PLAIN, "time_unit", "us"},
    /* AIPerf's documentation: blocks show Mooncake's format, so milliseconds */
    {"mooncake", 2, 10.535, 1327, 78,
     "{\"timestamp\": 0, \"input_length\": 655, \"output_length\": 52, \"hash_ids\": [46, 47]}\n"
     "{\"timestamp\": 10535.0, \"input_length\": 672, \"output_length\": 26}\n",
     NULL, NULL},
    /* an epoch shows its unit */
    {"mooncake", 2, 1, 200, 20,
     "{\"timestamp\": 1777142984578, \"input_length\": 100, \"output_length\": 10}\n"
     "{\"timestamp\": 1777142985578, \"input_length\": 100, \"output_length\": 10}\n",
     NULL, NULL},
    {"mooncake", 2, 1, 200, 20,
     "{\"timestamp\": 1777142984578000000, \"input_length\": 100, \"output_length\": 10}\n"
     "{\"timestamp\": 1777142985578000000, \"input_length\": 100, \"output_length\": 10}\n",
     NULL, NULL},
    {"bailian", 2, 1.136, 537, 145,
     "{\"chat_id\": 159, \"parent_chat_id\": -1, \"timestamp\": 61.114, \"input_length\": 521, "
     "\"output_length\": 132, \"type\": \"text\", \"turn\": 1, \"hash_ids\": "
     "[1089,7,8,9,10,11,12,13,"
     "14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,7]}\n"
     "{\"chat_id\": 160, \"parent_chat_id\": 159, \"timestamp\": 62.25, \"input_length\": 16, "
     "\"output_length\": 13, \"type\": \"text\", \"turn\": 2, \"hash_ids\": [1]}\n",
     NULL, NULL},
    {"llmservingsim", 2, 1.5, 30, 140,
     "{\"input_toks\":10,\"output_toks\":70,\"arrival_time_ns\":46926808}\n"
     "{\"input_toks\":20,\"output_toks\":70,\"arrival_time_ns\":1546926808,\"input_tok_ids\":[1,2]}"
     "\n",
     NULL, NULL},
    {"splitwise", 2, 0.5, 300, 30,
     "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"
     "0,2,0,0.25,1,100,10\n1,2,0,0.75,1,200,20\n",
     NULL, NULL},
    {"vidur", 2, 0, 300, 30, "num_prefill_tokens,num_decode_tokens,pd\n100,10,1\n200,20,1\n", NULL,
     NULL},
    {"vllm", 2, 4, 300, 30,
     "{\n \"date\": \"20260101\", \"request_rate\": 2.0, \"input_lens\": [200, 50, 100],\n"
     " \"output_lens\": [20, 0, 10], \"start_times\": [1004.5, 1003, 1000.5], \"ttfts\": [0.1]}\n",
     NULL, NULL},
    {"vllm", 2, 0, 300, 30, "{\"input_lens\":[200,100],\"output_lens\":[20,10],\"x\":{}}", NULL,
     NULL},
    {"inference-perf", 2, 1.25, 300, 30,
     "[\n{\"start_time\": 7.5, \"end_time\": 9, \"info\": {\"input_tokens\": 100, "
     "\"output_tokens\": 10}},\n{\"start_time\": 6.25, \"info\": {\"input_tokens\": 200, "
     "\"output_tokens\": 20}}]",
     NULL, NULL},
    {"aiperf-records", 2, 0.25, 300, 30,
     "{\"metadata\":{\"request_start_ns\":1777142984578000000},\"metrics\":{\"input_sequence_"
     "length\":"
     "{\"value\":100,\"unit\":\"tokens\"},\"output_sequence_length\":{\"value\":10}}}\n"
     "{\"metadata\":{\"request_start_ns\":1777142984828000000},\"metrics\":{\"input_sequence_"
     "length\":"
     "{\"value\":200},\"output_sequence_length\":{\"value\":20}}}\n",
     NULL, NULL},
    {"guidellm-report", 2, 1.25, 300, 30,
     "{\"metadata\": {\"version\": 1}, \"args\": {\"data\": [\"prompt_tokens=100\"]},\n "
     "\"benchmarks\": "
     "[{\"config\": {\"strategy\": {\"rate\": 2.0}},\n \"requests\": {\"successful\": [\n"
     "{\"request_id\": \"b\", \"info\": {\"timings\": {}}, \"request_start_time\": 1764000001.5, "
     "\"prompt_tokens\": 200, \"output_tokens\": 20},\n"
     "{\"request_start_time\": 1764000000.25, \"prompt_tokens\": 100, \"output_tokens\": 10}],\n"
     "\"incomplete\": [{\"prompt_tokens\": 100, \"output_tokens\": null}], \"errored\": [], "
     "\"total\": null}}]}",
     NULL, NULL},
    {"guidellm-report", 1, 0, 100, 10,
     "{\"benchmarks\":[{\"requests\":{\"successful\":[{\"start_time\":17.5,\"prompt_tokens\":100,"
     "\"output_tokens\":10}]}}]}",
     NULL, NULL},
    /* 48 tokens of a prefix are three blocks; the last row has failed */
    {"blis", 3, 1.5, 696, 90,
     "request_id,slo_class,session_id,prefix_group,prefix_length,input_tokens,output_tokens,"
     "arrival_time_us,status,error_message\n"
     "0,standard,,sys,48,100,20,1000000,ok,\n1,standard,,sys,48,200,30,2500000,ok,\n"
     "2,standard,,,0,300,40,2000000,ok,\n3,standard,,,0,300,0,3000000,timeout,late\n",
     NULL, NULL},
    {"blis-spec", 4, 0.75, 400, 40,
     "version: \"2\"\naggregate_rate: 4.0\nnum_requests: 4\nclients:\n"
     "  - {id: a, rate_fraction: 1.0, arrival: {process: constant},\n"
     "     input_distribution: {type: constant, params: {value: 100}},\n"
     "     output_distribution: {type: constant, params: {value: 10}}}\n",
     NULL, NULL},
    {"guidellm-synthetic", 4, 0, 400, 40, "prompt_tokens: 100\noutput_tokens: 10\nsamples: 4\n",
     NULL, NULL},
    {"columns", 2, 2, 300, 30,
     "when_ms,who,prompt_tokens,completion_tokens\n500,a,100,10\n2500,b,"
     "200,20\n",
     "columns", "arrival=when_ms,input=prompt_tokens,output=completion_tokens,session=who"},
    {"columns", 2, 86400, 300, 30,
     "at,in,out\n2025-01-01 00:00:00,100,10\n2025-01-02T00:00:00Z,200,"
     "20\n",
     "columns", "arrival=at,input=in,output=out"},
    {"columns", 2, 2, 300, 30,
     "{\"u\":{\"in\":100,\"out\":10},\"start_s\":1}\n"
     "{\"u\":{\"in\":200,\"out\":20},\"start_s\":3}\n",
     "columns", "arrival=start_s,input=u.in,output=u.out"},
    {"columns", 2, 0, 300, 30, "in,out\n100,10\n200,20\n", "columns", "input=in,output=out"},
    /* a list of Mooncake's rows, and rows over several lines */
    {"mooncake", 2, 3, 200, 10,
     "[{\"timestamp\": 0, \"input_length\": 100, \"output_length\": 5, \"hash_ids\": [0]},\n"
     " {\"timestamp\": 3000, \"input_length\": 100, \"output_length\": 5}]",
     NULL, NULL},
    {"mooncake", 2, 0, 200, 10,
     "{\n \"input_length\": 100,\n \"output_length\": 5\n}\n{\n \"input_length\": 100,\n "
     "\"output_length\": 5\n}\n",
     NULL, NULL},
};

/* A moment of our time shows its unit by its size: ms, then us, then ns. */
static void epochs(void **state) {
    (void)state;
    static const struct {
        const char *first, *then; /* 1000 apart */
        double span;              /* s */
    } at[] = {{"100000000000", "100000001000", 1.0},
              {"99999999998999", "99999999999999", 1.0},
              {"100000000000000", "100000000001000", 1e-3},
              {"99999999999998999", "99999999999999999", 1e-3},
              {"100000000000000000", "100000000000001000", 1e-6}};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        char text[512];
        const char *row = "{\"timestamp\": %s, \"input_length\": 100, \"output_length\": 10}\n";
        int n = snprintf(text, sizeof text, row, at[i].first);
        (void)snprintf(text + n, sizeof text - (size_t)n, row, at[i].then);
        check(&(sample){"mooncake", 2, at[i].span, 200, 20, text, NULL, NULL});
    }
}

static void formats(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check(&samples[i]);
}

/* Seconds or milliseconds: never guessed. */
static void units(void **state) {
    rc_trace *t;
    rc_error e;
    (void)state;
    rc_trace_options o = {0};
    refuse(PLAIN, &o, "are the times seconds or milliseconds");
    refuse(PLAIN, &o, "--time-unit s or ms (arrivals.time_unit)");
    refuse(GUIDE, &(rc_trace_options){.sort = true}, "3 requests over 29.5");
    /* with blocks, but fractions that make a thousand requests a second of milliseconds */
    refuse("{\"timestamp\": 0.5, \"input_length\": 9, \"output_length\": 5, \"hash_ids\": [1]}\n"
           "{\"timestamp\": 1.25, \"input_length\": 9, \"output_length\": 5, \"hash_ids\": [1]}\n"
           "{\"timestamp\": 2.0, \"input_length\": 9, \"output_length\": 5, \"hash_ids\": [1]}\n",
           &o, "are the times seconds or milliseconds");
    refuse("t,in,out\n1,2,3\n5,2,3\n",
           &(rc_trace_options){.columns = "arrival=t,input=in,output=out"},
           "are the times seconds or milliseconds");
    /* it does not matter when all come at once, or arrivals are drawn anew */
    assert_int_equal(
        parse("{\"timestamp\": 7, \"input_length\": 9, \"output_length\": 5}\n", &o, &t, &e),
        RC_OK);
    rc_trace_free(t);
    assert_int_equal(parse(PLAIN, &(rc_trace_options){.redrawn = true}, &t, &e), RC_OK);
    rc_trace_free(t);
    refuse("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00,1,1\n",
           &(rc_trace_options){.unit = RC_UNIT_S}, "the times of azure are dates");
}

static void order(void **state) {
    rc_trace *t;
    rc_error e;
    (void)state;
    rc_trace_options o = {.unit = RC_UNIT_S};
    refuse(GUIDE, &o, "time goes backwards");
    refuse("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00,\"2\"x,3\n", NULL,
           "text after a closing quote");
    refuse("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00,\"2,3\n", NULL,
           "an open quote");
    refuse(GUIDE, &o, "--sort");
    o.sort = true;
    assert_int_equal(parse(GUIDE, &o, &t, &e), RC_OK);
    assert_true(t->at[0].arrival == 0 && t->at[1].arrival == S / 2 &&
                t->at[2].arrival == INT64_C(59) * S / 2);
    rc_trace_free(t);
    refuse("{\"id\":\"a\",\"t\":0,\"in\":5,\"out\":5,\"hash_ranges\":[]}\n", &o,
           "cannot come in any");
}

static void lengths(void **state) {
    rc_trace *t;
    rc_error e;
    (void)state;
    assert_int_equal(
        parse("{\"input_length\": 655, \"output_length\": 52, \"hash_ids\": [46, 47]}\n"
              "{\"input_length\": 672, \"output_length\": 26}\n",
              NULL, &t, &e),
        RC_OK);
    assert_true(t->timeless && !t->closed_loop && t->at[0].arrival == RC_NO_ARRIVAL);
    rc_trace_free(t);
    refuse("{\"input_length\": 655, \"output_length\": 52}\n"
           "{\"timestamp\": 5, \"input_length\": 672, \"output_length\": 26}\n",
           NULL, "the rows above have none");
    refuse("{\"timestamp\": 5, \"input_length\": 672, \"output_length\": 26}\n"
           "{\"input_length\": 655, \"output_length\": 52}\n",
           NULL, "'timestamp' is missing, the rows above have it");
}

static void empty_replies(void **state) {
    static const char azure[] = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                "2024-05-10 00:00:00,10,0\n2024-05-10 00:00:01,10,5\n";
    static const char burst[] = "Timestamp,Session ID,Request tokens,Response tokens\n"
                                "1,nan,10,5\n2,NaN,10,0\n3,7,10,5\n4,7,0,5\n5,None,10,5\n";
    rc_trace *t;
    rc_error e;
    (void)state;
    refuse(azure, NULL, "GeneratedTokens is 0");
    refuse(azure, NULL, "--zero-output");
    rc_trace_options o = {.zero_output = RC_ZERO_ONE};
    assert_int_equal(parse(azure, &o, &t, &e), RC_OK);
    assert_true(t->count == 2 && t->raised == 1 && t->at[0].output == 1);
    rc_trace_free(t);
    o.zero_output = RC_ZERO_DROP;
    assert_int_equal(parse(azure, &o, &t, &e), RC_OK);
    assert_true(t->count == 1 && t->dropped == 1);
    rc_trace_free(t);
    assert_int_equal(parse(burst, NULL, &t, &e), RC_OK); /* 'nan' is nobody's session */
    assert_true(t->count == 3 && t->dropped == 2 && t->sessions == 1);
    assert_true(t->at[0].session == RC_NO_SESSION && t->at[1].session == 0);
    rc_trace_free(t);
    o.zero_output = RC_ZERO_ONE;
    assert_int_equal(parse(burst, &o, &t, &e), RC_OK);
    assert_true(t->count == 4 && t->dropped == 1 && t->raised == 1);
    rc_trace_free(t);
}

/* Sub-agents of sub-agents: eight in each other are read, nine are refused. */
static void sub_agents(void **state) {
    (void)state;
    for (int deep = 7; deep <= 9; deep++) {
        char text[1024], *at = text;
        rc_trace *t;
        rc_error e;
        at += sprintf(at, "{\"id\":\"a\",\"block_size\":64,\"requests\":[");
        for (int i = 0; i < deep; i++)
            at += sprintf(at, "{\"t\":0,\"type\":\"subagent\",\"requests\":[");
        at += sprintf(at, "{\"t\":0,\"in\":64,\"out\":1,\"hash_ids\":[1]}");
        for (int i = 0; i < deep; i++)
            at += sprintf(at, "]}");
        (void)sprintf(at, "]}\n");
        assert_int_equal(parse(text, NULL, &t, &e), deep > 8 ? RC_E_INPUT : RC_OK);
        if (deep > 8)
            assert_non_null(strstr(e.msg, "'requests' is no list, or too deep"));
        else
            assert_int_equal(t->count, 1);
        rc_trace_free(t);
    }
}

/* A GuideLLM report is of one benchmark, with lists of requests; each other form is refused by the name of what is wrong. */
static void benchmark_reports(void **state) {
#define REPORT(LISTS) "{\"benchmarks\":[{\"requests\":{" LISTS "}}]}\n"
#define REQUEST "{\"prompt_tokens\":100,\"output_tokens\":10}"
    static const struct {
        const char *text, *word;
    } bad[] = {
        {"{\"benchmarks\":{}}", "'benchmarks' is no list"},
        {"{\"benchmarks\":[[]]}", "a benchmark is no object"},
        {"{\"benchmarks\":[7]}", "a benchmark is no object"},
        {"{\"benchmarks\":[{}]}", "requests"},
        {"{\"benchmarks\":[{\"requests\":{}},{\"requests\":{}}]}", "several benchmarks"},
        {REPORT("\"successful\":[" REQUEST "]") REPORT("\"successful\":[" REQUEST "]"),
         "several benchmarks"},
        {REPORT("\"successful\":{}"), "'successful' is no list"},
        {REPORT("\"errored\":7"), "'errored' is no list"},
        {REPORT("\"incomplete\":{}"), "'incomplete' is no list"},
        {REPORT("\"successful\":[[]]"), "a request is no object"},
        {REPORT("\"errored\":[7]"), "a request is no object"},
        {REPORT("\"successful\":[{\"prompt_tokens\":100}]"), "output_tokens"},
        {REPORT("\"successful\":[{\"output_tokens\":10}]"), "prompt_tokens"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse(bad[i].text, &(rc_trace_options){.format = RC_TRACE_GUIDELLM_REPORT}, bad[i].word);
    /* a report without requests is followed by one that has some; what failed is no request, nor is what made no token */
    rc_trace *t;
    rc_error e;
    const rc_trace_options o = {.format = RC_TRACE_GUIDELLM_REPORT, .zero_output = RC_ZERO_DROP};
    const char *two = REPORT("\"errored\":[" REQUEST "]")
        REPORT("\"successful\":[" REQUEST ",{\"prompt_tokens\":5,\"output_tokens\":0}]");
    assert_int_equal(parse(two, &o, &t, &e), RC_OK);
    assert_true(t->count == 1 && t->rows == 3 && t->dropped == 2 && t->timeless);
    rc_trace_free(t);
}

/* Conversations with sub-agents, in a document of several lines and two objects. */
static const char weka[] =
    "{\"id\":\"a\",\"block_size\":64,\"hash_id_scope\":\"local\",\n \"requests\":[\n"
    "  {\"t\":0.0,\"type\":\"n\",\"in\":192,\"out\":10,\"hash_ids\":[1,2,3],\"think_time\":0.0},\n"
    "  {\"t\":2.0,\"type\":\"subagent\",\"agent_id\":\"x\",\"requests\":[\n"
    "    {\"t\":2.5,\"type\":\"s\",\"in\":64,\"out\":4,\"hash_ids\":[9]},\n"
    "    "
    "{\"t\":8.0,\"type\":\"s\",\"in\":128,\"out\":4,\"hash_ids\":[9,10],\"think_time\":1.5}]},\n"
    "  {\"t\":5.0,\"type\":\"s\",\"in\":256,\"out\":0,\"hash_ids\":[1,2,3,4],\"api_time\":1.0,"
    "\"think_time\":2.0}]}\n"
    "{\"id\":\"b\",\"block_size\":64,\"requests\":[{\"t\":0.0,\"in\":64,\"out\":1,\"hash_ids\":[1]}"
    "]}\n";

static void conversations(void **state) {
    rc_trace *t;
    rc_error e;
    (void)state;
    if (parse(weka, NULL, &t, &e) != RC_OK)
        fail_msg("%d:%d %s", e.line, e.col, e.msg);
    assert_null(trace_fault(t));
    assert_true(t->count == 5 && t->sessions == 2 && t->closed_loop && t->block == 64 &&
                t->rows == 5 && t->raised == 1);
    const rc_req *q = t->at; /* by time: main, sub-agent, main, sub-agent; then the other */
    assert_true(q[1].after == 0 && q[1].think == 5 * S / 2);
    assert_true(q[2].after == 0 && q[2].think == 2 * S && q[2].output == 1);
    assert_true(q[3].after == 1 && q[3].think == 3 * S / 2);
    assert_true(q[4].after == RC_NO_REQUEST && q[4].session == 1);
    /* block 1 of both conversations is not the same */
    assert_true(t->spans[q[0].span].first != t->spans[q[4].span].first);
    assert_true(t->spans[q[2].span].first == t->spans[q[0].span].first);
    rc_trace_free(t);
    refuse("{\"id\":\"a\",\"requests\":[{\"t\":0,\"in\":64,\"hash_ids\":[1]}]}", NULL,
           "'out' is missing");
    refuse("{\"id\":\"a\",\"requests\":[{\"t\":0,\"in\":64,\"out\":1,\"hash_ids\":[1,2,3]}]}", NULL,
           "3 blocks of 64 tokens do not make an input of 64");
    static const char simulated[] =
        "{\"session_id\":\"s\",\"arrival_time_ns\":5000000000,\"sub_requests\":[{\"input_toks\":10,"
        "\"output_toks\":2,\"tool_duration_ns\":1500000000},{\"input_toks\":20,\"output_toks\":3}]}"
        "\n"
        "{\"session_id\":\"u\",\"arrival_time_ns\":6000000000,\"sub_requests\":[{\"input_toks\":7,"
        "\"output_toks\":2}]}\n";
    assert_int_equal(parse(simulated, NULL, &t, &e), RC_OK);
    assert_true(t->count == 3 && t->sessions == 2 && t->at[1].after == 0 &&
                t->at[1].think == 3 * S / 2 && t->at[2].arrival == S);
    rc_trace_free(t);
}

/* Where a turn does not say how long its user thought, it is the time from the turn before less what that took: 10 - 3, then 2 as
 * said, then 30 - 20 - 4. A sub-agent waits for the turn that was under way, whatever it says. */
static void times_of_turns(void **state) {
    static const char text[] = "{\"id\":\"a\",\"block_size\":64,\"requests\":[{\"t\":0,\"in\":64,"
                               "\"out\":1,\"api_time\":3},"
                               "{\"t\":10,\"in\":64,\"out\":1},{\"t\":20,\"in\":64,\"out\":1,"
                               "\"think_time\":2,\"api_time\":4},"
                               "{\"t\":25,\"type\":\"subagent\",\"requests\":[{\"t\":25,\"in\":64,"
                               "\"out\":1,\"think_time\":9}]},"
                               "{\"t\":30,\"in\":64,\"out\":1}]}\n";
    rc_trace *t;
    rc_error e;
    (void)state;
    assert_int_equal(parse(text, NULL, &t, &e), RC_OK);
    assert_int_equal(t->count, 5);
    const rc_req *q = t->at;
    assert_true(q[1].after == 0 && q[1].think == 7 * S);
    assert_true(q[2].after == 1 && q[2].think == 2 * S);
    assert_true(q[3].after == 2 && q[3].think == 1 * S);
    assert_true(q[4].after == 2 && q[4].think == 6 * S);
    assert_int_equal(t->derived, 3);
    rc_trace_free(t);
}

/* As many rows as are asked for, wherever they stand in a document. */
static void limits(void **state) {
    rc_trace *t;
    rc_error e;
    (void)state;
    for (uint64_t limit = 0; limit <= 6; limit++) {
        const rc_trace_options o = {.limit = limit};
        const size_t want = limit == 0 || limit > 5 ? 5 : (size_t)limit;
        assert_int_equal(parse(weka, &o, &t, &e), RC_OK);
        assert_int_equal(t->count, want);
        assert_int_equal(t->rows, want);
        rc_trace_free(t);
    }
}

/* Bailian hashes a block by its own tokens: the same block behind another one is another prefix. */
static void prefixes(void **state) {
    static const char text[] = "{\"chat_id\":1,\"timestamp\":0,\"input_length\":48,\"output_"
                               "length\":1,\"hash_ids\":[5,6,5]}\n"
                               "{\"chat_id\":2,\"timestamp\":1,\"input_length\":32,\"output_"
                               "length\":1,\"hash_ids\":[5,6]}\n"
                               "{\"chat_id\":3,\"timestamp\":2,\"input_length\":32,\"output_"
                               "length\":1,\"hash_ids\":[6,5]}\n";
    uint32_t p[3];
    rc_trace *t;
    rc_error e;
    rc_trace_stats stats;
    (void)state;
    assert_int_equal(parse(text, NULL, &t, &e), RC_OK);
    assert_int_equal(rc_trace_statistics(t, p, &stats, &e), RC_OK);
    assert_true(t->block == 16 && t->blocks == 5 && p[0] == 0 && p[1] == 31 && p[2] == 0);
    rc_trace_free(t);
}

static void messages(void **state) {
    (void)state;
    refuse("timestamp,prompt_tokens,completion_tokens\n1,2,3\n", NULL,
           "found the columns timestamp,prompt_tokens,completion_tokens");
    refuse("timestamp,prompt_tokens,completion_tokens\n1,2,3\n", NULL,
           "azure (TIMESTAMP, ContextTokens, GeneratedTokens)");
    refuse("{\"prompt\":\"x\",\"n\":{\"a\":[1]}}\n", NULL, "found the keys prompt, n;");
    refuse("{\"prompt\":\"x\"}\n", NULL, "--columns arrival=NAME,input=NAME,output=NAME");
    refuse("a,b\n1,2\n", &(rc_trace_options){.format = RC_TRACE_VIDUR},
           "no column 'num_prefill_tokens'; found a,b");
    refuse("a,b\n1,2\n", &(rc_trace_options){.columns = "input=a,output=c"},
           "no column 'c'; found a,b");
    refuse("a,b\n1,2\n", &(rc_trace_options){.columns = "input=a"}, "expected arrival=NAME");
    refuse("a,b\n1,2\n", &(rc_trace_options){.columns = "inputs=a,output=b"},
           "expected arrival=NAME");
    refuse("{\"a\":{\"n\":1}}\n", &(rc_trace_options){.columns = "input=a.n,output=a.m"},
           "a.m is missing");
    rc_trace_options o = {0};
    rc_error e = {0};
    assert_int_equal(rc_trace_option_set(&o, "time_unit", "sec", &e), RC_E_USAGE);
    assert_non_null(strstr(e.msg, "auto, s, ms, us, ns"));
    assert_int_equal(rc_trace_option_set(&o, "format", "mooncak", &e), RC_E_USAGE);
    assert_non_null(strstr(e.msg, "did you mean 'mooncake'"));
    assert_int_equal(rc_trace_option_set(&o, "block", "0", &e), RC_E_USAGE);
    assert_int_equal(rc_trace_option_set(&o, "sort", "yes", &e), RC_E_USAGE);
}

/* The unit that a column's name ends with; a name that is the ending alone, or has none, says nothing. */
static void units_by_name(void **state) {
    static const struct {
        const char *name;
        rc_time_unit unit;
    } t[] = {{"start_ns", RC_UNIT_NS},   {"start_us", RC_UNIT_US},     {"start_ms", RC_UNIT_MS},
             {"start_s", RC_UNIT_S},     {"start_seconds", RC_UNIT_S}, {"start_sec", RC_UNIT_S},
             {"start (ms)", RC_UNIT_MS}, {"start (s)", RC_UNIT_S},     {"start (us)", RC_UNIT_US},
             {"start (ns)", RC_UNIT_NS}, {"start", RC_UNIT_AUTO},      {"_ms", RC_UNIT_AUTO},
             {"arrivals", RC_UNIT_AUTO}};
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (rc_unit_by_name(t[i].name) != t[i].unit)
            fail_msg("%s is %d", t[i].name, (int)rc_unit_by_name(t[i].name));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_by_name), cmocka_unit_test(formats),
        cmocka_unit_test(epochs),        cmocka_unit_test(units),
        cmocka_unit_test(order),         cmocka_unit_test(lengths),
        cmocka_unit_test(empty_replies), cmocka_unit_test(times_of_turns),
        cmocka_unit_test(limits),        cmocka_unit_test(conversations),
        cmocka_unit_test(sub_agents),    cmocka_unit_test(prefixes),
        cmocka_unit_test(messages),      cmocka_unit_test(benchmark_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
