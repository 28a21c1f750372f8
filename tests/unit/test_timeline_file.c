/* The writer of timelines: what is written reads back, compressed or not; hostile names stay names;
 * what a strict reader would refuse is seen to be refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/support/utf8.h"
#include "sim/timeline/span_file.h"
#include "tests/support/span_check.h"

static char folder[] = "/tmp/test_timeline_XXXXXX";
static char plain[64], packed[64];
static rc_error err;
static const rc_span_args nothing = {.size = 0};

static int setup(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(plain, sizeof plain, "%s/a.json", folder);
    snprintf(packed, sizeof packed, "%s/a.json.gz", folder);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    (void)unlink(plain);
    (void)unlink(packed);
    return rmdir(folder);
}

static const char hostile[] = "</script>\"\\\n\x01\xff\xc3\xa9\xed\xa0\x80";

static rc_spans *begin(const char *path) {
    rc_spans *s = NULL;
    rc_span_args head = {.size = 0};
    rc_args_text(&head, "kind", hostile);
    assert_int_equal(rc_spans_open(path, true, &head, &s, &err), RC_OK);
    return s;
}

static void finish(rc_spans *s) {
    if (rc_spans_close(s, RC_OK, &err) != RC_OK)
        fail_msg("%s", err.msg);
}

/* Two GPUs, a message between them, a request, a counter. */
static void sample(const char *path) {
    rc_spans *s = begin(path);
    rc_span_args a = {.size = 0};
    const rc_track send = {0, 10}, receive = {1, 20};
    rc_args_int(&a, "bytes", INT64_MIN);
    rc_args_real(&a, "rate", 1.5e300);
    rc_args_real(&a, "never", NAN);
    rc_args_text(&a, "op", hostile);
    for (uint32_t p = 0; p < 2; p++)
        rc_spans_process(s, p, hostile);
    rc_spans_thread(s, send, "send");
    rc_spans_thread(s, receive, "receive");
    rc_spans_span(s, send, hostile, "message", 1999, 3001, &a);
    rc_spans_span(s, send, "next", "message", 3001, 3001, NULL);
    rc_spans_span(s, receive, "receive", "message", 2000, INT64_C(86400000000000000), &a);
    rc_spans_flow(s, 7, "message", send, 1999, receive, INT64_C(86400000000000000));
    rc_spans_counter(s, 1, "load", 0, 0.25);
    rc_spans_counter(s, 1, "load", 5, 3.0);
    rc_spans_phase(s, 0, "request", 3, "life", 0, 10000, &a);
    rc_spans_phase(s, 0, "request", 3, "next life", 10000, 20000, NULL);
    finish(s);
}

static void test_round_trip(void **state) {
    (void)state;
    sample(plain);
    json_t *root = spans_of(plain);
    span_totals x = spans_check(root);
    assert_int_equal(x.spans, 3);
    assert_int_equal(x.flows, 1);
    assert_int_equal(x.counters, 2);
    assert_int_equal(x.phases, 2);
    assert_int_equal(x.end, INT64_C(86400000000000)); /* a day */
    const json_t *e = NULL, *args;
    size_t i;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        if (strcmp(span_string(e, "ph"), "X") == 0)
            break;
    }
    args = json_object_get(e, "args");
    /* From 1.999 ns to 3.001 ns: rounded down, from 1 to 3. */
    assert_int_equal(span_ns(e, "ts"), 1);
    assert_int_equal(span_dur(e), 2);
    assert_int_equal(span_int(args, "ps"), 1002);
    assert_int_equal(span_int(args, "bytes"), INT64_MIN);
    assert_true(json_number_value(json_object_get(args, "rate")) == 1.5e300);
    assert_null(json_object_get(args, "never"));
    /* Bytes that are no character are replaced one by one; the others are as they were. */
    assert_string_equal(span_string(e, "name"), "</script>\"\\\n\x01?\xc3\xa9???");
    assert_string_equal(span_string(args, "op"), span_string(e, "name"));
    json_decref(root);
}

/* Every first byte at its ends, surrogates and what is longer than need be: a character stays, of the rest each byte is
 * replaced. */
static void test_characters(void **state) {
    (void)state;
    static const struct {
        const char *written, *read;
    } texts[] = {
        {"\xc2\x80", "\xc2\x80"},
        {"\xdf\xbf", "\xdf\xbf"},
        {"\xe0\xa0\x80", "\xe0\xa0\x80"},
        {"\xec\xbf\xbf", "\xec\xbf\xbf"},
        {"\xed\x9f\xbf", "\xed\x9f\xbf"},
        {"\xee\x80\x80", "\xee\x80\x80"},
        {"\xef\xbf\xbf", "\xef\xbf\xbf"},
        {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"~", "~"},
        {"\x80", "?"},
        {"\xc1\xbf", "??"},
        {"\xe0\x9f\xbf", "???"},
        {"\xed\xa0\x80", "???"},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf5\x80\x80\x80", "????"},
        {"\xc2", "?"},
        {"\xe2\x82!", "??"
                      "!"},
        {"\xf0\x90\x80", "???"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rc_spans *s = begin(plain);
        rc_spans_process(s, 0, "p");
        rc_spans_span(s, (rc_track){0, 1}, texts[i].written, "message", 0, 1000, NULL);
        finish(s);
        json_t *root = spans_of(plain);
        const json_t *e;
        size_t k, seen = 0;
        json_array_foreach(json_object_get(root, "traceEvents"), k, e) {
            if (strcmp(span_string(e, "ph"), "X") != 0)
                continue;
            assert_string_equal(span_string(e, "name"), texts[i].read);
            seen++;
        }
        assert_int_equal(seen, 1);
        json_decref(root);
    }
}

static void test_packed_is_the_same(void **state) {
    (void)state;
    size_t n[3];
    sample(plain);
    sample(packed);
    char *a = span_text(plain, &n[0]), *b = span_text(packed, &n[1]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(a, b, n[0]);
    struct stat at;
    assert_int_equal(stat(packed, &at), 0);
    assert_true((size_t)at.st_size < n[0]);
    sample(plain);
    char *again = span_text(plain, &n[2]);
    assert_int_equal(n[0], n[2]);
    assert_memory_equal(a, again, n[0]);
    free(a);
    free(b);
    free(again);
}

/* Many times the buffer. */
static void test_many(void **state) {
    (void)state;
    enum { MANY = 40000 };
    for (int pass = 0; pass < 2; pass++) {
        rc_spans *s = begin(pass ? packed : plain);
        rc_spans_process(s, 0, "GPU");
        rc_spans_thread(s, (rc_track){0, 1}, "compute");
        for (int i = 0; i < MANY; i++)
            rc_spans_span(s, (rc_track){0, 1}, "op", "compute", i * INT64_C(1234567),
                          (i + 1) * INT64_C(1234567), NULL);
        finish(s);
        json_t *root = spans_of(pass ? packed : plain);
        span_totals x = spans_check(root);
        assert_int_equal(x.spans, MANY);
        assert_int_equal(x.end, MANY * INT64_C(1234567) / 1000);
        assert_int_equal(spans_sum(root, 0, "op"), MANY * INT64_C(1234567));
        json_decref(root);
    }
}

/* What does not fit is left out, and the file stays whole. */
static void test_long_arguments(void **state) {
    (void)state;
    char name[1000];
    memset(name, '"', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    rc_span_args a = {.size = 0};
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        rc_args_int(&a, key, INT64_MIN);
    }
    rc_span_args b = {.size = 0};
    rc_args_text(&b, "a", name);
    rc_args_text(&b, "b", name);
    rc_args_text(&b, "c", name);
    rc_spans *s = begin(plain);
    rc_spans_process(s, 0, name);
    rc_spans_thread(s, (rc_track){0, 1}, name);
    for (int i = 0; i < 100; i++)
        rc_spans_span(s, (rc_track){0, 1}, name, name, i, i, i % 2 ? &a : &b);
    rc_spans_phase(s, 0, name, 1, name, 0, 1, &a);
    finish(s);
    json_t *root = spans_of(plain);
    assert_int_equal(spans_check(root).spans, 100);
    json_decref(root);
}

/* What is packed is named by the end of its name; an end alone is a name. */
static void test_named_by_an_end(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool packed;
    } names[] = {
        {".gz", false}, {"a.gz", true}, {"gz", false}, {"a.gz.json", false}, {"agz", false}};
    char *was = getcwd(NULL, 0);
    assert_true(was && chdir(folder) == 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        finish(begin(names[i].name));
        FILE *f = fopen(names[i].name, "r");
        assert_non_null(f);
        assert_int_equal(fgetc(f), names[i].packed ? 0x1f : '{');
        (void)fclose(f);
        assert_int_equal(unlink(names[i].name), 0);
    }
    assert_int_equal(chdir(was), 0);
    free(was);
}

static void test_nothing(void **state) {
    (void)state;
    finish(begin(plain));
    json_t *root = spans_of(plain);
    assert_int_equal(spans_check(root).spans, 0);
    json_decref(root);
}

static void test_failures(void **state) {
    (void)state;
    rc_spans *s = NULL;
    sample(plain);
    assert_int_equal(rc_spans_open(plain, false, &nothing, &s, &err), RC_E_IO);
    assert_null(s);
    assert_int_equal(rc_spans_close(NULL, RC_E_INPUT, &err), RC_E_INPUT);
    (void)unlink(plain);
    assert_int_equal(rc_spans_close(begin(plain), RC_E_INPUT, &err), RC_E_INPUT);
    assert_int_equal(access(plain, F_OK), -1);
}

/* Numbers as they are, nothing for what is none; a control character that is plain for JSON is an escape, too. */
static void test_numbers(void **state) {
    (void)state;
    rc_span_args a = {.size = 0};
    rc_args_real(&a, "a", 1.0);
    rc_args_real(&a, "b", -0.0);
    rc_args_real(&a, "c", 0.1234567);
    rc_args_real(&a, "d", (double)INFINITY);
    rc_args_int(&a, "e", -12);
    rc_args_text(&a, "f", "~\x7f");
    rc_args_text(&a, "g", "\xc2\xb5\x7f");
    assert_int_equal(a.size, strlen("\"a\":1,\"b\":0,\"c\":0.123457,\"e\":-12,\"f\":\"~\\u007f\","
                                    "\"g\":\"\xc2\xb5\\u007f\""));
    assert_memory_equal(
        a.text,
        "\"a\":1,\"b\":0,\"c\":0.123457,\"e\":-12,\"f\":\"~\\u007f\",\"g\":\"\xc2\xb5\\u007f\"",
        a.size);
}

/* A text of arguments reads back as it was: every character; a byte that is none becomes a question mark. */
static void reads_back(const char *text, const char *want) {
    rc_span_args a = {.size = 0};
    char whole[128];
    rc_args_text(&a, "k", text);
    (void)snprintf(whole, sizeof whole, "{%.*s}", (int)a.size, a.text);
    json_t *o = json_loads(whole, 0, NULL);
    if (!o || strcmp(json_string_value(json_object_get(o, "k")), want) != 0)
        fail_msg("%s", whole);
    json_decref(o);
}

static void test_every_character(void **state) {
    (void)state;
    for (uint32_t u = 1; u <= 0x1fffff;
         u += u < 0x3000 || (u & 0xfff) > 0xff0 || (u & 0xfff) < 4 ? 1 : 97) {
        char text[8] = "a", want[8] = "a?";
        size_t n = utf8_encoded(u, text + 1);
        text[n + 1] = '.';
        if (!utf8_is_character(u)) /* of its bytes none is a character */
            memset(want + 1, '?', n);
        else
            memcpy(want + 1, text + 1, n);
        want[n + 1] = '.';
        want[n + 2] = '\0';
        reads_back(text, want);
    }
    for (unsigned byte = 0x80; byte < 0x100; byte++) /* alone, and cut off */
        for (int more = 0; more < 2; more++) {
            const char text[] = {'a', (char)byte, more ? (char)0x80 : '\0', '\0'};
            if (!(byte >= 0xc2 && byte < 0xe0 && more))
                reads_back(text, more ? "a??" : "a?");
        }
}

/* A whole file, to the byte: ends rounded down to a nanosecond, lengths a tenth of one short, the arrow's head a nanosecond
 * before its span ends, whole counters without a fraction. */
static void test_every_byte(void **state) {
    (void)state;
    static const char want[] =
        "{\"displayTimeUnit\":\"ns\",\"ringcast\":{\"kind\":\"x\"},\n\"traceEvents\":[\n"
        "{\"ph\":\"M\",\"pid\":9,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"GPU\"}},"
        "\n"
        "{\"ph\":\"M\",\"pid\":9,\"tid\":0,\"name\":\"process_sort_index\",\"args\":{\"sort_"
        "index\":9}},\n"
        "{\"ph\":\"M\",\"pid\":9,\"tid\":10,\"name\":\"thread_name\",\"args\":{\"name\":\"send\"}},"
        "\n"
        "{\"ph\":\"M\",\"pid\":9,\"tid\":10,\"name\":\"thread_sort_index\",\"args\":{\"sort_"
        "index\":10}},\n"
        "{\"ph\":\"X\",\"pid\":9,\"tid\":10,\"ts\":0.999,\"dur\":0.0009,\"name\":\"a\",\"cat\":"
        "\"c\",\"args\":{"
        "\"ps\":1}},\n"
        "{\"ph\":\"X\",\"pid\":99,\"tid\":100,\"ts\":1.001,\"dur\":0.000,\"name\":\"b\",\"cat\":"
        "\"c\",\"args\":{"
        "\"ps\":998,\"n\":-1}},\n"
        "{\"ph\":\"X\",\"pid\":101,\"tid\":4294967295,\"ts\":0.000,\"dur\":9223372036854.7749,"
        "\"name\":\"c\",\"cat\":"
        "\"d\",\"args\":{\"ps\":9223372036854775807}},\n"
        "{\"ph\":\"s\",\"pid\":1,\"tid\":2,\"ts\":0.010,\"id\":18446744073709551615,\"cat\":"
        "\"flow\",\"name\":\"m\"},\n"
        "{\"ph\":\"f\",\"pid\":3,\"tid\":4,\"ts\":0.010,\"id\":18446744073709551615,\"cat\":"
        "\"flow\",\"name\":\"m\","
        "\"bp\":\"e\"},\n"
        "{\"ph\":\"s\",\"pid\":1,\"tid\":2,\"ts\":0.010,\"id\":8,\"cat\":\"flow\",\"name\":\"m\"},"
        "\n"
        "{\"ph\":\"f\",\"pid\":3,\"tid\":4,\"ts\":0.010,\"id\":8,\"cat\":\"flow\",\"name\":\"m\","
        "\"bp\":\"e\"},\n"
        "{\"ph\":\"s\",\"pid\":1,\"tid\":2,\"ts\":0.010,\"id\":9,\"cat\":\"flow\",\"name\":\"m\"},"
        "\n"
        "{\"ph\":\"f\",\"pid\":3,\"tid\":4,\"ts\":0.011,\"id\":9,\"cat\":\"flow\",\"name\":\"m\","
        "\"bp\":\"e\"},\n"
        "{\"ph\":\"s\",\"pid\":1,\"tid\":2,\"ts\":0.010,\"id\":10,\"cat\":\"flow\",\"name\":\"m\"},"
        "\n"
        "{\"ph\":\"f\",\"pid\":3,\"tid\":4,\"ts\":0.011,\"id\":10,\"cat\":\"flow\",\"name\":\"m\","
        "\"bp\":\"e\"},\n"
        "{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0.001,\"name\":\"n\",\"args\":{\"value\":0}},\n"
        "{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0.002,\"name\":\"n\",\"args\":{\"value\":"
        "999999999999999}},\n"
        "{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0.002,\"name\":\"n\",\"args\":{\"value\":1e+15}},"
        "\n"
        "{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0.002,\"name\":\"n\",\"args\":{\"value\":-3}},\n"
        "{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0.002,\"name\":\"n\",\"args\":{\"value\":0."
        "333333}},\n"
        "{\"ph\":\"b\",\"pid\":0,\"tid\":0,\"ts\":12.345,\"id\":5,\"cat\":\"life\",\"name\":\"l\","
        "\"args\":{\"n\":-1}},\n"
        "{\"ph\":\"e\",\"pid\":0,\"tid\":0,\"ts\":12.346,\"id\":5,\"cat\":\"life\",\"name\":\"l\"},"
        "\n"
        "{\"ph\":\"b\",\"pid\":0,\"tid\":0,\"ts\":0.000,\"id\":6,\"cat\":\"life\",\"name\":\"l\"},"
        "\n"
        "{\"ph\":\"e\",\"pid\":0,\"tid\":0,\"ts\":0.000,\"id\":6,\"cat\":\"life\",\"name\":\"l\"}\n"
        "]}\n";
    rc_span_args head = {.size = 0}, a = {.size = 0};
    rc_spans *s = NULL;
    const rc_track left = {1, 2}, came = {3, 4};
    size_t n;
    rc_args_text(&head, "kind", "x");
    rc_args_int(&a, "n", -1);
    assert_int_equal(rc_spans_open(plain, true, &head, &s, &err), RC_OK);
    rc_spans_process(s, 9, "GPU");
    rc_spans_thread(s, (rc_track){9, 10}, "send");
    rc_spans_span(s, (rc_track){9, 10}, "a", "c", 999999, 1000000, NULL);
    rc_spans_span(s, (rc_track){99, 100}, "b", "c", 1001001, 1001999, &a);
    rc_spans_span(s, (rc_track){101, UINT32_MAX}, "c", "d", 0, INT64_MAX, &(rc_span_args){0});
    rc_spans_flow(s, UINT64_MAX, "m", left, 10999, came, 10999);
    rc_spans_flow(s, 8, "m", left, 10999, came, 11998);
    rc_spans_flow(s, 9, "m", left, 10999, came, 12000);
    rc_spans_flow(s, 10, "m", left, 10999, came, 12999);
    rc_spans_counter(s, 1, "n", 1999, 0.0);
    rc_spans_counter(s, 1, "n", 2000, 999999999999999.0);
    rc_spans_counter(s, 1, "n", 2000, 1e15);
    rc_spans_counter(s, 1, "n", 2000, -3.0);
    rc_spans_counter(s, 1, "n", 2000, 1.0 / 3.0);
    rc_spans_counter(s, 1, "n", 2000, (double)INFINITY);
    rc_spans_phase(s, 0, "life", 5, "l", 12345678, 12346789, &a);
    rc_spans_phase(s, 0, "life", 6, "l", 0, 0, &(rc_span_args){0});
    finish(s);
    char *text = span_text(plain, &n);
    if (n != sizeof want - 1 || memcmp(text, want, n) != 0)
        fail_msg("%.*s", (int)n, text);
    free(text);
}

/* Digits come in pairs: every count of them, at its ends. */
static void test_digits(void **state) {
    (void)state;
    for (int64_t ten = 1; ten <= INT64_C(1000000000000000000); ten *= 10) {
        const int64_t at[] = {ten - 1, ten, ten + 1, ten + ten / 2 + 37, -ten};
        for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
            rc_span_args a = {.size = 0};
            char want[40];
            rc_args_int(&a, "k", at[i]);
            (void)snprintf(want, sizeof want, "\"k\":%lld", (long long)at[i]);
            assert_int_equal(a.size, strlen(want));
            assert_memory_equal(a.text, want, a.size);
        }
        if (ten == INT64_C(1000000000000000000))
            break;
    }
}

/* Arguments with `size` bytes in them. */
static rc_span_args filled(size_t size) {
    rc_span_args a = {.size = size};
    memset(a.text, 'x', size);
    return a;
}

/* What one more argument of a key of one character takes: a comma, two quotes, the key and a colon; 21 bytes for any whole
 * number, 24 for any real one, 16 at the least for a text. It is written where so much is left, and left out otherwise. */
static void test_room_of_arguments(void **state) {
    (void)state;
    enum { INT = 5 + 21, REAL = 5 + 24, TEXT = 5 + 16 };
    rc_span_args a = filled(RC_SPAN_ARGS - INT);
    rc_args_int(&a, "k", INT64_MIN);
    assert_memory_equal(a.text + RC_SPAN_ARGS - INT, ",\"k\":-9223372036854775808", INT - 1);
    assert_int_equal(a.size, RC_SPAN_ARGS - 1);
    a = filled(RC_SPAN_ARGS - INT + 1);
    rc_args_int(&a, "k", 1);
    assert_int_equal(a.size, RC_SPAN_ARGS - INT + 1);
    a = filled(RC_SPAN_ARGS - REAL);
    rc_args_real(&a, "k", -1.23456e-300);
    assert_memory_equal(a.text + RC_SPAN_ARGS - REAL, ",\"k\":-1.23456e-300", 18);
    assert_int_equal(a.size, RC_SPAN_ARGS - REAL + 18);
    a = filled(RC_SPAN_ARGS - REAL + 1);
    rc_args_real(&a, "k", 1.0);
    assert_int_equal(a.size, RC_SPAN_ARGS - REAL + 1);
    /* a text is cut to what is left, between characters */
    a = filled(RC_SPAN_ARGS - TEXT);
    rc_args_text(&a, "k", "abcdefghij");
    assert_memory_equal(a.text + RC_SPAN_ARGS - TEXT, ",\"k\":\"abcdefg\"", 14);
    assert_int_equal(a.size, RC_SPAN_ARGS - TEXT + 14);
    a = filled(RC_SPAN_ARGS - TEXT);
    rc_args_text(&a, "k", "\x01\x02\x03");
    assert_memory_equal(a.text + RC_SPAN_ARGS - TEXT, ",\"k\":\"\\u0001\\u0002\"", 19);
    assert_int_equal(a.size, RC_SPAN_ARGS - TEXT + 19);
    a = filled(RC_SPAN_ARGS - TEXT + 1);
    rc_args_text(&a, "k", "");
    assert_int_equal(a.size, RC_SPAN_ARGS - TEXT + 1);
}

/* Long names are cut after 231 bytes between their quotes: arguments, spans and threads alike. */
static void test_room_of_names(void **state) {
    (void)state;
    enum { CUT = 231 };
    char name[400], want[CUT + 8];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    rc_span_args a = {.size = 0};
    rc_args_text(&a, "k", name);
    (void)snprintf(want, sizeof want, "\"k\":\"%.*s\"", CUT, name);
    assert_int_equal(a.size, CUT + 6);
    assert_memory_equal(a.text, want, a.size);
    a = filled(RC_SPAN_ARGS -
               245); /* so much is left that the name's own end decides, then one less */
    rc_args_text(&a, "k", name);
    assert_int_equal(a.size, RC_SPAN_ARGS - 245 + 1 + CUT + 6);
    a = filled(RC_SPAN_ARGS - 244);
    rc_args_text(&a, "k", name);
    assert_int_equal(a.size, RC_SPAN_ARGS - 244 + 1 + CUT - 1 + 6);
    rc_spans *s = begin(plain);
    rc_spans_process(s, 0, name);
    rc_spans_thread(s, (rc_track){0, 1}, "t");
    rc_spans_span(s, (rc_track){0, 1}, name, "c", 0, 1000, NULL);
    finish(s);
    json_t *root = spans_of(plain);
    size_t i, seen = 0;
    const json_t *e;
    json_array_foreach(json_object_get(root, "traceEvents"), i, e) {
        const char *ph = span_string(e, "ph"), *what = span_string(e, "name");
        if (strcmp(ph, "M") == 0 && strcmp(what, "process_name") == 0)
            seen += strlen(span_string(json_object_get(e, "args"), "name"));
        else if (strcmp(ph, "X") == 0)
            seen += strlen(what);
    }
    assert_int_equal(seen, 2 * CUT);
    json_decref(root);
}

/* A disk that is full: a file of at most a page, which is left behind in no case. */
static void test_no_room_on_the_disk(void **state) {
    (void)state;
    struct rlimit was, page = {4096, 4096};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    page.rlim_max = was.rlim_max;
    for (int i = 0; i < 2; i++)
        for (int many = 100; many <= 10000; many *= 100) {
            const char *path = i ? packed : plain;
            (void)unlink(path);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &page), 0);
            rc_spans *s = begin(path);
            for (int64_t k = 0; k < many; k++)
                rc_spans_span(s, (rc_track){0, 1}, "span", "c", k * k * 7919,
                              k * k * 7919 + k * 977, NULL);
            rc_status st = rc_spans_close(s, RC_OK, &err);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
            const bool fits = i == 1 && many == 100;
            assert_int_equal(st, fits ? RC_OK : RC_E_IO);
            assert_int_equal(access(path, F_OK), fits ? 0 : -1);
            if (!fits && !strstr(err.msg, "cannot"))
                fail_msg("%s", err.msg);
        }
    (void)signal(SIGXFSZ, before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_room_of_arguments),
        cmocka_unit_test(test_room_of_names),
        cmocka_unit_test(test_no_room_on_the_disk),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_packed_is_the_same),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_arguments),
        cmocka_unit_test(test_named_by_an_end),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
