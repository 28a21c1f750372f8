/* Files that are broken below the level of rows, and rows that are broken in each format: what is
 * said, where, how it is counted, and that the rest is read when asked for.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>
#include "sim/trace/trace.h"

#define HEAD "arrived_at,num_prefill_tokens,num_decode_tokens\n"
static const rc_trace_options skip = {.on_bad_row = RC_BAD_ROW_SKIP};

typedef struct packed {
    unsigned char *data;
    size_t size;
} packed;

static packed gz_of(const char *text, size_t size) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, (uLong)size);
    packed p = {malloc(room), 0};
    assert_non_null(p.data);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (uInt)size;
    z.next_out = p.data;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    p.size = z.total_out;
    (void)deflateEnd(&z);
    return p;
}

static packed xz_of(const char *text, size_t size) {
    size_t room = lzma_stream_buffer_bound(size), used = 0;
    packed p = {malloc(room), 0};
    assert_non_null(p.data);
    assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text, size,
                                             p.data, &used, room),
                     LZMA_OK);
    p.size = used;
    return p;
}

/* Rows of a Vidur trace, one a second. */
static char *rows(int count, size_t *size) {
    char *text = malloc(64 + 32 * (size_t)count);
    assert_non_null(text);
    int n = sprintf(text, "%s", HEAD);
    for (int i = 0; i < count; i++)
        n += sprintf(text + n, "%d,%d,7\n", i, 100 + i % 800);
    *size = (size_t)n;
    return text;
}

static void refused(const void *data, size_t size, const char *says) {
    rc_trace *t = NULL;
    rc_error e = {0};
    assert_int_equal(rc_trace_parse("t", data, size, NULL, &t, &e), RC_E_INPUT);
    if (!strstr(e.msg, says))
        fail_msg("'%s' does not say '%s'", e.msg, says);
}

/* Half of the file is there: the rows before the cut are kept, the cut is counted. */
static void cut_file(packed p, const char *says) {
    rc_trace *t = NULL;
    rc_error e = {0};
    refused(p.data, p.size / 2, says);
    assert_int_equal(rc_trace_parse("t", p.data, p.size / 2, &skip, &t, &e), RC_OK);
    assert_int_equal(t->faults[RC_FAULT_CUT], 1);
    assert_true(t->count > 1000 && t->count < 50000);
    for (size_t i = 0; i < t->count; i++) /* whole rows only */
        assert_true(t->at[i].input == 100 + i % 800 && t->at[i].output == 7);
    rc_trace_free(t);
}

/* A dictionary of 3 GiB, which a header of few bytes asks for. At 12 is the header of the first block: its size in words of four,
 * flags, two sizes where the flags say so, the filter, the size of what it is told, and that; a checksum at the end. */
static void greedy(void **state) {
    (void)state;
    size_t size;
    char *text = rows(5, &size);
    packed xz = xz_of(text, size);
    unsigned char *header = (unsigned char *)xz.data + 12;
    const size_t length = (size_t)(header[0] + 1) * 4;
    size_t at = 2;
    for (int flag = 0x40; flag <= 0x80; flag *= 2)
        for (bool more = header[1] & flag; more; at++)
            more = header[at] & 0x80; /* seven bits a byte, but for the last */
    assert_true(header[at] == 0x21 && header[at + 1] == 1);
    header[at + 2] = 39;
    const uint32_t sum = lzma_crc32(header, length - 4, 0);
    for (size_t i = 0; i < 4; i++)
        header[length - 4 + i] = (unsigned char)(sum >> 8 * i);
    rc_trace *t = NULL;
    rc_error e = {0};
    assert_int_equal(rc_trace_parse("t", xz.data, xz.size, NULL, &t, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "the xz data ask for more than 512 MiB of memory"));
    free(text);
    free(xz.data);
}

static void truncated(void **state) {
    (void)state;
    size_t size;
    char *text = rows(50000, &size);
    packed gz = gz_of(text, size), xz = xz_of(text, size);
    cut_file(gz, "the gz data end early");
    cut_file(xz, "the xz data end early");
    for (size_t n = 0; n < 12; n++) { /* not much more than the first bytes */
        rc_trace *t = NULL;
        assert_int_not_equal(rc_trace_parse("t", gz.data, n, &skip, &t, NULL), RC_OK);
        assert_int_not_equal(rc_trace_parse("t", xz.data, n, &skip, &t, NULL), RC_OK);
    }
    free(text);
    free(gz.data);
    free(xz.data);
}

static void corrupt(void **state) {
    (void)state;
    size_t size;
    char *text = rows(50000, &size);
    packed all[] = {gz_of(text, size), xz_of(text, size)};
    static const char *const says[] = {"the gz data are corrupt", "the xz data are corrupt"};
    for (int k = 0; k < 2; k++) {
        rc_trace *t = NULL;
        rc_error e = {0};
        all[k].data[all[k].size - 6] ^= 0x10; /* a check sum, a footer */
        refused(all[k].data, all[k].size, says[k]);
        memset(all[k].data + all[k].size * 3 / 4, 0xFF, 64); /* perhaps a bad row comes first */
        refused(all[k].data, all[k].size, "");
        assert_int_equal(rc_trace_parse("t", all[k].data, all[k].size, &skip, &t, &e), RC_OK);
        assert_int_equal(t->faults[RC_FAULT_CUT], 1);
        rc_trace_free(t);
        free(all[k].data);
    }
    free(text);
}

/* Compressed files one behind the other are one file; what follows a .gz is not let pass. */
static void several_streams(void **state) {
    (void)state;
    const char *a = HEAD "1,5,5\n2,6", *b = ",6\n3,7,7\n";
    packed parts[2][2] = {{gz_of(a, strlen(a)), gz_of(b, strlen(b))},
                          {xz_of(a, strlen(a)), xz_of(b, strlen(b))}};
    for (int k = 0; k < 2; k++) {
        rc_trace *t = NULL;
        packed *p = parts[k];
        unsigned char *both = malloc(p[0].size + p[1].size + 16);
        assert_non_null(both);
        memcpy(both, p[0].data, p[0].size);
        memcpy(both + p[0].size, p[1].data, p[1].size);
        assert_int_equal(rc_trace_parse("t", both, p[0].size + p[1].size, NULL, &t, NULL), RC_OK);
        assert_int_equal(t->count, 3);
        assert_int_equal(t->at[1].output, 6);
        rc_trace_free(t);
        memcpy(both + p[0].size + p[1].size, "junkjunkjunkjunk", 16);
        refused(both, p[0].size + p[1].size + 16, "corrupt");
        free(both);
        free(p[0].data);
        free(p[1].data);
    }
}

/* A line of 2 GiB: a member of 1 MiB of digits, 2048 times. Refused after the first 16 MiB of it;
 * never in memory as a whole. The whole of it is gone through when bad rows are to be skipped. */
static void line_of_two_gib(void **state) {
    (void)state;
    const size_t mib = (size_t)1 << 20, members = 2048;
    const char *first = HEAD "1,5,5\n", *last = "\n3,5,5\n";
    char *digits = malloc(mib);
    assert_non_null(digits);
    memset(digits, '7', mib);
    packed head = gz_of(first, strlen(first)), body = gz_of(digits, mib),
           tail = gz_of(last, strlen(last));
    unsigned char *all = malloc(head.size + members * body.size + tail.size), *to = all;
    assert_non_null(all);
    memcpy(to, head.data, head.size);
    to += head.size;
    for (size_t i = 0; i < members; i++, to += body.size)
        memcpy(to, body.data, body.size);
    memcpy(to, tail.data, tail.size);
    to += tail.size;
    rc_trace *t = NULL;
    rc_error e = {0};
    assert_int_equal(rc_trace_parse("t.gz", all, (size_t)(to - all), NULL, &t, &e), RC_E_INPUT);
    assert_int_equal(e.line, 3);
    assert_non_null(strstr(e.msg, "a line of more than 16777216 bytes"));
    assert_int_equal(rc_trace_parse("t.gz", all, (size_t)(to - all), &skip, &t, &e), RC_OK);
    assert_int_equal(t->count, 2);
    assert_int_equal(t->rows, 3);
    assert_int_equal(t->faults[RC_FAULT_LONG], 1);
    assert_int_equal(t->first_fault_line, 3);
    rc_trace_free(t);
    free(digits);
    free(head.data);
    free(body.data);
    free(tail.data);
    free(all);
}

/* The longest line that is read, and one byte more. */
static void longest_line(void **state) {
    (void)state;
    const size_t most = RC_TRACE_MAX_LINE - 1; /* with its end it fills the buffer */
    char *text = malloc(most + 64);
    assert_non_null(text);
    size_t n =
        (size_t)sprintf(text, "{\"timestamp\":1,\"input_length\":5,\"output_length\":5,\"x\":\"");
    memset(text + n, 'x', most + 8 - n);
    memcpy(text + most - 2, "\"}\n", 3);
    rc_trace *t = NULL;
    rc_error e = {0};
    assert_int_equal(rc_trace_parse("t", text, most + 1, NULL, &t, &e), RC_OK);
    rc_trace_free(t);
    memset(text + most - 2, 'x', 16);
    memcpy(text + most, "\"}\n", 3);
    assert_int_equal(rc_trace_parse("t", text, most + 3, NULL, &t, &e), RC_E_INPUT);
    assert_non_null(strstr(e.msg, "a line of more than"));
    free(text);
}

static void files(void **state) {
    (void)state;
    rc_trace *t = NULL;
    rc_error e = {0};
    char path[] = "/tmp/ringcast-trace-XXXXXX";
    assert_int_equal(rc_trace_read("no/such.jsonl.xz", NULL, &t, &e), RC_E_IO);
    assert_string_equal(e.file, "no/such.jsonl.xz");
    assert_int_equal(rc_trace_read("/", NULL, &t, &e), RC_E_IO);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    packed gz = gz_of(HEAD "1,5,5\n", strlen(HEAD) + 6);
    assert_int_equal(write(fd, gz.data, gz.size), (ssize_t)gz.size);
    (void)close(fd);
    assert_int_equal(rc_trace_read(path, NULL, &t, &e), RC_OK); /* whatever it is called */
    assert_int_equal(t->count, 1);
    rc_trace_free(t);
    free(gz.data);
    (void)unlink(path);
}

/* ---- rows of each format ---------------------------------------------------------------- */

#define AZURE "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define BURST "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
#define LAB "session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"
#define MOON(time, in, ...)                                                                        \
    "{\"timestamp\":" #time ",\"input_length\":" #in                                               \
    ",\"output_length\":2,\"hash_ids\":" #__VA_ARGS__ "}\n"
#define WEKA(t, in, think, ...)                                                                    \
    "{\"id\":\"s\",\"t\":" #t ",\"in\":" #in ",\"out\":5,\"think_time\":" #think                   \
    ",\"hash_ranges\":" #__VA_ARGS__ "}\n"

static const struct {
    const char *text;
    rc_fault fault;
    int line, col;
} bad[] = {
    {AZURE "2023-11-16 18:15:46.68,374,44\n2023-11-16,3,4\n", RC_FAULT_SYNTAX, 3, 1},
    {AZURE "2023-11-16 18:15:46.68,374,44\n2023-02-29 18:15:46,3,4\n", RC_FAULT_SYNTAX, 3, 1},
    {AZURE "2023-11-16 18:15:46.68,374,44\n,3,4\n", RC_FAULT_MISSING, 3, 1},
    {AZURE "2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:46.67,3,4\n", RC_FAULT_BACKWARDS, 3, 1},
    {AZURE "2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:47+00:00,0,4\n", RC_FAULT_ZERO, 3, 27},
    {AZURE "2023-11-16 18:15:46.68,374,44\n2025-11-16 18:15:47,3,4\n", RC_FAULT_ABSURD, 3, 1},
    {AZURE "2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:47,3,4,5\n", RC_FAULT_SYNTAX, 3, 1},
    {BURST "5,A,3,4,7,x\n6,A,-3,4,7,x\n", RC_FAULT_NEGATIVE, 3, 5},
    {BURST "5,A,3,4,7,x\n4,A,3,4,7,x\n", RC_FAULT_BACKWARDS, 3, 1},
    {BURST "5,A,3,4,7,x\n4,A,0,0,0,x\n", RC_FAULT_BACKWARDS, 3, 1},
    {BURST "5,A,3,4,7,x\n6,\"A,3,4,7,x\n", RC_FAULT_SYNTAX, 3, 3},
    {BURST "5,A,3,4,7,x\n6,A,200000000,4,7,x\n", RC_FAULT_ABSURD, 3, 5},
    {LAB "s,0,0,0,640,10,5\nu,8640001000,0,0,64,10,0\n", RC_FAULT_ABSURD, 3, 3},
    {LAB "s,0,0,0,640,10,5\ns,8640001000,1,640,64,10,0\n", RC_FAULT_ABSURD, 3, 3},
    {LAB "s,0,0,0,640,10,5\ns,9,2,640,64,10,0\n", RC_FAULT_IDS, 3, 5},
    {LAB "s,7,0,0,640,10,5\ns,6,1,640,64,10,0\n", RC_FAULT_BACKWARDS, 3, 3},
    {LAB "s,0,0,0,640,10,5\ns,9,1,640,64,10,-1\n", RC_FAULT_NEGATIVE, 3, 17},
    {LAB "s,0,0,0,640,10,5\n,9,1,640,64,10,0\n", RC_FAULT_MISSING, 3, 1},
    {LAB "s,0,0,0,640,10,5\ns,9,1,640,0,10,0\n", RC_FAULT_ZERO, 3, 11},
    {MOON(0, 600, [0, 1]) MOON(-1, 600, [0, 1]), RC_FAULT_NEGATIVE, 2, 14},
    {MOON(0, 600, [0, 1]) MOON(1, 600, [0, -1]), RC_FAULT_NEGATIVE, 2, 68},
    {MOON(0, 600, [0, 1]) MOON(1, 600, [0, 0]), RC_FAULT_IDS, 2, 64},
    {MOON(0, 600, [0, 1]) MOON(1, 600, [3, 2]), RC_FAULT_IDS, 2, 64},
    {MOON(0, 600, [0, 1]) MOON(1, 600, [0, 1.5]), RC_FAULT_ABSURD, 2, 67},
    {MOON(0, 600, [0, 1]) MOON(1, 600, [0, 99999999999999999999999]), RC_FAULT_ABSURD, 2, 67},
    {MOON(0, 600, [0, 1]) MOON(1, 5000, [0, 1]), RC_FAULT_ABSURD, 2, 65},
    {MOON(0, 600, [0, 1]) MOON(null, 600, [0, 1]), RC_FAULT_MISSING, 2, 14},
    {MOON(0, 600, [0, 1]) MOON("0", 600, [0, 1]), RC_FAULT_SYNTAX, 2, 15},
    {MOON(0, 600, [0, 1]) MOON(01, 600, [0, 1]), RC_FAULT_SYNTAX, 2, 15},
    {MOON(0, 600, [0, 1]) MOON(1, 600, [0, 1]]), RC_FAULT_SYNTAX, 2, 70},
    {WEKA(0, 130, 0, [[1, 2]]) WEKA(1, 130, -2, [[1, 2]]), RC_FAULT_NEGATIVE, 2, 47},
    {WEKA(5, 130, 0, [[1, 2]]) WEKA(1, 130, 0, [[1, 2]]), RC_FAULT_BACKWARDS, 2, 15},
    {WEKA(0, 130, 0, [[1, 2]]) WEKA(1, 130, 0, [[1, 0]]), RC_FAULT_ZERO, 2, 64},
    {WEKA(0, 130, 0, [[1, 2]]) WEKA(1, 130, 0, [[1, 2, 3]]), RC_FAULT_SYNTAX, 2, 64},
    {WEKA(0, 130, 0, [[1, 2]]) WEKA(1, 130, 0, [[2, 1], [1, 2]]), RC_FAULT_IDS, 2, 63},
    {WEKA(0, 130, 0, [[1, 2]]) WEKA(1, 130, 0, [[1, 4000000000]]), RC_FAULT_ABSURD, 2, 64},
    {WEKA(0, 130, 0, [[1, 2]]) "{\"id\":\"s\",\"in\":1,\"out\":1,\"hash_ranges\":[]}\n",
     RC_FAULT_MISSING, 2, 0},
};

static void rows_of_each_format(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rc_trace *t = NULL;
        rc_error e = {0};
        size_t n = strlen(bad[i].text);
        assert_int_equal(rc_trace_parse("t", bad[i].text, n, NULL, &t, &e), RC_E_INPUT);
        if (e.line != bad[i].line || e.col != bad[i].col)
            fail_msg("case %zu: %d:%d: %s", i, e.line, e.col, e.msg);
        assert_int_equal(rc_trace_parse("t", bad[i].text, n, &skip, &t, &e), RC_OK);
        assert_int_equal(t->count, 1);
        assert_int_equal(rc_trace_refused(t), 1);
        if (t->faults[bad[i].fault] != 1)
            fail_msg("case %zu is not counted as '%s': %s", i, rc_fault_name(bad[i].fault),
                     t->first_fault);
        rc_trace_free(t);
    }
}

/* Ids that a skipped row brought in are not out of order in the rows behind it. */
static void ids_behind_a_skipped_row(void **state) {
    (void)state;
    const char *text = MOON(0, 600, [ 0, 1 ]) MOON(0, -1, [ 2, 3 ]) MOON(1, 600, [ 4, 5 ])
        MOON(2, 600, [ 2, 3 ]) MOON(3, 600, [ 9, 8 ]);
    rc_trace *t = NULL;
    rc_error e = {0};
    assert_int_equal(rc_trace_parse("t", text, strlen(text), &skip, &t, &e), RC_OK);
    assert_int_equal(t->count, 3);
    assert_int_equal(t->faults[RC_FAULT_NEGATIVE], 1);
    assert_int_equal(t->faults[RC_FAULT_IDS], 1);
    assert_int_equal(t->blocks, 6);
    rc_trace_free(t);
    const rc_trace_options any = {.any_ids = true};
    const char *free_order = MOON(0, 600, [ 7, 3 ]) MOON(1, 600, [ 18446744073709551615, 3 ]);
    assert_int_equal(rc_trace_parse("t", free_order, strlen(free_order), &any, &t, &e), RC_OK);
    assert_int_equal(t->blocks, 3);
    assert_int_equal(t->spans[t->at[1].span].first, 2);
    rc_trace_free(t);
}

static void line_ends(void **state) {
    (void)state;
    const char *text = "\xEF\xBB\xBF" HEAD "\r\n  \n1,5,\"5\"\r\n2,6,6"; /* and no last line end */
    rc_trace *t = NULL;
    rc_error e = {0};
    if (rc_trace_parse("t", text, strlen(text), NULL, &t, &e) != RC_OK)
        fail_msg("%d: %s", e.line, e.msg);
    assert_int_equal(t->count, 2);
    assert_int_equal(t->at[1].output, 6);
    rc_trace_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy),
        cmocka_unit_test(truncated),
        cmocka_unit_test(corrupt),
        cmocka_unit_test(several_streams),
        cmocka_unit_test(line_of_two_gib),
        cmocka_unit_test(longest_line),
        cmocka_unit_test(files),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(rows_of_each_format),
        cmocka_unit_test(ids_behind_a_skipped_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
