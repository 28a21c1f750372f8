/* Pages: every kind of result becomes a section with its answer first; whatever stands in a result stays
 * text; whatever is missing or of another kind is left out; what is no result is refused.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "sim/page/html.h"
#include "sim/page/json_values.h"
#include "sim/page/page.h"

static rc_error err;

/* A result of each kind, as its command writes it, but for what is not needed here. */
#define BASIS "\"cost_sources\":{\"measured\":0.4,\"modelled\":0.6},\"notes\":[\"mind the gap\"]"
static const struct {
    const char *kind, *json, *answer;
} kinds[] = {
    {"forward",
     "{\"scenario\":\"cp4\",\"model\":\"m\",\"machine\":\"gtt\",\"description\":\"d\",\"variant\":"
     "\"pass-kv\",\"tp\":8,\"cp\":4,\"ttft_ms\":11025.3,\"p5\":10340.8,\"p95\":11845.3,"
     "\"breakdown\":{\"norm\":{\"critical_ms\":464.2,\"busy_ms\":464.2}},\"exposed_comm_ms\":1,"
     "\"hidden_comm_ms\":2,\"mfu\":0.5,\"memory_bytes\":{\"weights\":1e9,\"total\":2e9,"
     "\"capacity\":3e9},\"alternatives\":[{\"variant\":\"pass-q\",\"tp\":8,\"cp\":4,\"ttft_ms\":"
     "9999}]," BASIS "}",
     "The prompt takes 11.03 s (TTFT) with CP4 x TP8 and pass-kv on gtt."},
    {"choose",
     "{\"answer\":\"pass-q\",\"rule\":\"oracle\",\"margin_ms\":4.8,\"margin_pct\":0.44,"
     "\"fastest\":{\"cp\":4,\"variant\":\"pass-q\",\"ttft_ms\":1088.8},\"alternatives\":[{\"cp\":4,"
     "\"variant\":\"pass-q\",\"ttft_ms\":1088.8,\"over_fastest_pct\":0,\"gpu_s\":3,\"note\":null}],"
     "\"tests\":[{\"rule\":\"r\",\"rates\":\"nominal\",\"test\":\"t\",\"left\":\"1\",\"right\":"
     "\"2\",\"holds\":\"yes\",\"picks\":null}]," BASIS "}",
     "Use pass-q."},
    {"tune",
     "{\"tune\":\"gtt\",\"description\":\"d\",\"lines\":80,\"rules\":[{\"name\":\"tuned\","
     "\"split\":"
     "\"test\",\"hit_rate\":0.98,\"expected_regret_pct\":0.01,\"fit_error_p95_pct\":0,"
     "\"fit_error_worst_pct\":0.7,\"points\":247}],\"thresholds\":[{\"cp\":4,\"length\":64,\"t_"
     "star\":"
     "12,\"low\":11,\"high\":13},{\"cp\":4,\"length\":1e6,\"t_star\":9000}],\"requests\":[{"
     "\"file\":"
     "\"f\",\"policies\":[{\"policy\":\"tuned\",\"price\":0}]}]," BASIS "}",
     "The tuned rule is expected to cost 0.01&nbsp;% of the time over always knowing the faster "
     "variant, and "
     "picks it in 98.0&nbsp;% of the cells."},
    {"serve",
     "{\"serve\":\"mooncake\",\"description\":\"d\",\"requests\":10,\"done\":10,\"rejected\":0,"
     "\"lost\":0,\"ttft_ms\":{\"mean\":2,\"p50\":1,\"p90\":3,\"p95\":4,\"p99\":5},\"ttit_ms\":"
     "{\"p95\":23},\"goodput\":3.39,\"within_slo\":0.9994,\"kv_hit_rate\":0.28,\"slo\":["
     "{\"objective\":\"TTFT p95 <= 5 s\",\"met\":true,\"value_s\":0.6,\"limit_s\":5,\"kept\":10,"
     "\"asked\":10}],\"pools\":[{\"name\":\"main\",\"gpus\":64}]," BASIS "}",
     "99.94&nbsp;% of the requests stay within all objectives, 3.39 a second."},
    {"rates",
     "{\"curves\":[{\"serve\":\"a\",\"knee\":0.01,\"points\":[{\"rate\":0.002,\"within_slo\":1,"
     "\"ttft_ms\":{\"p95\":9}," BASIS "}]},{\"serve\":\"b\",\"knee\":null,\"knee_is\":\"below\"}]}",
     "b keeps its objectives at no rate that was tried."},
    {"plan",
     "{\"plan\":\"p\",\"description\":\"d\",\"considered\":7,\"simulated\":3,\"best\":{\"plan\":"
     "\"1 x CP8\",\"gpus\":72,\"price_per_hour\":144,\"margin\":0.225,\"ttft_p95_s\":8,"
     "\"objectives\":[{\"objective\":\"TTFT p95 <= 10 s\",\"limit_s\":10}]," BASIS "},"
     "\"best_of_kind\":{\"mixed\":{\"plan\":\"3 x CP4\"}},\"runners_up\":[{\"plan\":\"q\"}],"
     "\"pareto\":[{\"plan\":\"q\",\"price_per_hour\":9,\"ttft_p95_s\":7}],\"other_seeds\":"
     "{\"seeds\":10,\"met\":1},\"binding\":\"prefill\",\"flips\":[{\"assumption\":\"a\",\"margin\":"
     "0.1,\"then\":null}]}",
     "Rent 1 x CP8: 72 GPUs, 144.00 an hour."},
    {"paper",
     "{\"rows\":[{\"table\":\"4\",\"config\":\"CP4\",\"context\":\"128K\",\"variant\":\"pass-kv\","
     "\"metric\":\"ttft\",\"unit\":\"ms\",\"paper\":1023,\"predicted\":955,\"p5\":839,\"p95\":1162,"
     "\"error_pct\":-6.7,\"fitted\":false}],\"summary\":{\"ttft_mape_predicted\":2.34,"
     "\"ttft_rows_predicted\":31},\"fitted\":[{\"machine\":\"gtt\",\"name\":\"n\",\"value\":0.65}]"
     "}",
     "Times to first token that nothing was fitted to are off by 2.3&nbsp;% on average, over 31 "
     "rows."},
    {"validate",
     "{\"sets\":{\"unseen\":{\"n\":24,\"median_abs_error_pct\":2.01,\"p95_abs_error_pct\":8.5,"
     "\"inside\":23,\"drawn\":24}},\"baselines\":{},\"cases\":[{\"case\":\"c\",\"machine\":\"h\","
     "\"set\":\"unseen\",\"measured_s\":0.02,\"simulation\":0.021,\"p5\":0.019,\"p95\":0.022}]}",
     "Half of the forecasts of runs that nobody looked at are within 2.0&nbsp;%."},
    {"sweep",
     "{\"sweep\":\"tcp\",\"database\":\"tcp.db\",\"points\":544,\"present\":0,\"ok\":540,\"nofit\":"
     "4,\"refused\":0," BASIS "}",
     "540 of 544 points have a time."},
    {"timeline",
     "{\"ringcast\":{\"kind\":\"forward\",\"variant\":\"pass-kv\",\"scenario\":\"s\",\"cp\":2,"
     "\"layers\":2,\"time_ps\":"
     "1e12},\"traceEvents\":[{\"ph\":\"X\",\"pid\":0,\"tid\":2,\"ts\":1.5,\"dur\":2,\"name\":"
     "\"attention\",\"cat\":\"compute\",\"args\":{\"layer\":1}},{\"ph\":\"X\",\"pid\":0,\"tid\":10,"
     "\"ts\":1.5,\"dur\":1,\"name\":\"send-recv\",\"cat\":\"message\",\"args\":{\"layer\":1,"
     "\"critical\":1}},{\"ph\":\"s\",\"pid\":0,\"tid\":10,\"ts\":1.5,\"id\":1},{\"ph\":\"f\","
     "\"pid\":1,\"tid\":20,\"ts\":1.5,\"id\":1},{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":0,\"dur\":"
     "3,\"name\":\"host\",\"cat\":\"host\",\"args\":{\"layer\":1}}]}",
     "The pass by pass-kv takes 1.00 s."},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };
static const char grid[] = "T,P,batch,cp,half,pass_kv_ms,pass_q_ms\n64,64,1,4,train,2.5,1.25\n";

static rc_page *page_of(const char *text) {
    rc_page *p = NULL;
    assert_int_equal(rc_page_create(&p, &err), RC_OK);
    if (rc_page_add_text(p, "test", text, strlen(text), &err) != RC_OK)
        fail_msg("%s", err.msg);
    return p;
}

/* The page as text; the caller frees it. */
/* Apart, for gcc 12 takes what open_memstream has made for the pointer to it. */
__attribute__((noinline)) static char *written(rc_page *p, const char *title) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    rc_page_write(p, title, f);
    assert_int_equal(fclose(f), 0);
    rc_page_destroy(p);
    return text;
}

static size_t count(const char *text, const char *what) {
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)) != NULL; s++)
        n++;
    return n;
}

static void test_answers_come_first(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        rc_page *p = page_of(kinds[i].json);
        assert_int_equal(strncmp(rc_page_title(p, 0), kinds[i].kind, strlen(kinds[i].kind)), 0);
        char *text = written(p, NULL), sought[512];
        snprintf(sought, sizeof sought, "<p class=\"answer\">%s</p>", kinds[i].answer);
        if (!strstr(text, sought))
            fail_msg("%s: no %s", kinds[i].kind, sought);
        static const char next[] = "</h2>\n<p class=\"answer\">";
        const char *end = strstr(text, "</h2>");
        assert_non_null(end);
        assert_int_equal(strncmp(end, next, sizeof next - 1), 0);
        assert_null(strstr(text, ">nan"));
        free(text);
    }
}

/* A page of its own title has it at its head and is called so; one without is called by its only section, and by none of several. */
static void test_titles(void **state) {
    (void)state;
    for (size_t sections = 1; sections <= 2; sections++)
        for (int own = 0; own < 2; own++) {
            rc_page *p = page_of(kinds[0].json);
            char called[256] = "<title>Ringcast</title>";
            if (own)
                (void)snprintf(called, sizeof called, "<title>mine</title>");
            else if (sections == 1)
                (void)snprintf(called, sizeof called, "<title>Ringcast, %s</title>",
                               rc_page_title(p, 0));
            if (sections == 2)
                assert_int_equal(
                    rc_page_add_text(p, "second", kinds[1].json, strlen(kinds[1].json), &err),
                    RC_OK);
            char *text = written(p, own ? "mine" : NULL);
            if (!strstr(text, called))
                fail_msg("%zu sections: no %s", sections, called);
            assert_int_equal(count(text, "<nav aria"), sections - 1);
            free(text);
        }
}

/* Numbers stand to the right, each below a name that does, too; and no other name does. */
static void check_columns(const char *kind, const char *table) {
    bool right[32] = {false}, numbers[32] = {false};
    size_t columns = 0, cells = 0;
    const char *body = strstr(table, "<tbody>"), *end = strstr(table, "</table>");
    assert_true(body && end && body < end);
    for (const char *s = table; (s = strstr(s, "<th ")) != NULL && s < body; s++) {
        const char *close = strchr(s, '>'), *mark = strstr(s, "class=\"n\"");
        assert_true(close && columns < 32);
        right[columns++] = mark && mark < close;
    }
    for (const char *s = body; (s = strstr(s, "<td")) != NULL && s < end; s++) {
        assert_true(columns > 0);
        numbers[cells++ % columns] |= strncmp(s, "<td class=\"n\"", 13) == 0;
    }
    for (size_t i = 0; i < columns && cells > 0; i++)
        if (right[i] != numbers[i])
            fail_msg("%s: column %zu of %.160s", kind, i, table);
    assert_true(columns > 0 && cells % columns == 0);
}

static void test_columns(void **state) {
    (void)state;
    size_t tables = 0;
    for (int i = 0; i < KINDS; i++) {
        char *text = written(page_of(kinds[i].json), NULL);
        for (const char *s = text; (s = strstr(s, "<table>")) != NULL; s++, tables++)
            check_columns(kinds[i].kind, s);
        free(text);
    }
    assert_true(tables > 10);
}

/* ---- hostile text --------------------------------------------------------------------------- */

#define EVIL "</script><img src=x onerror=alert(1)>&\"'<!--"

/* Every text of a tree, keys of maps whose keys are names too. */
static json_t *poisoned(const json_t *v) {
    const char *key;
    json_t *o, *item;
    size_t i;
    if (json_is_string(v))
        return json_string(EVIL);
    if (json_is_array(v)) {
        o = json_array();
        json_array_foreach(v, i, item) json_array_append_new(o, poisoned(item));
        return o;
    }
    if (!json_is_object(v))
        return json_deep_copy(v);
    o = json_object();
    json_object_foreach((json_t *)(uintptr_t)v, key, item) {
        json_object_set_new(o, key, poisoned(item));
    }
    json_t *parts = json_object_get(o, "breakdown");
    if (parts)
        json_object_set_new(parts, EVIL, json_pack("{s:f}", "critical_ms", 1.0));
    if ((parts = json_object_get(o, "cost_sources")) != NULL)
        json_object_set_new(parts, EVIL, json_real(1.0));
    return o;
}

static void test_hostile(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        json_t *root = json_loads(kinds[i].json, 0, NULL);
        json_t *evil = poisoned(root);
        /* what a kind is told by */
        const json_t *events = json_object_get(evil, "traceEvents"), *e;
        size_t k;
        json_array_foreach(events, k, e) {
            json_t *own = json_array_get(json_object_get(root, "traceEvents"), k);
            json_object_set((json_t *)(uintptr_t)e, "ph", json_object_get(own, "ph"));
            if (json_object_get(own, "cat"))
                json_object_set((json_t *)(uintptr_t)e, "cat", json_object_get(own, "cat"));
        }
        json_t *head = json_object_get(evil, "ringcast");
        if (head)
            json_object_set_new(head, "kind", json_string("forward"));
        char *json = json_dumps(evil, 0), *plain = written(page_of(kinds[i].json), NULL);
        rc_page *p = page_of(json);
        char *text = written(p, EVIL);
        assert_null(strstr(text, "<img"));
        assert_null(strstr(text, "<!--"));
        assert_int_equal(count(text, "<script"), count(plain, "<script"));
        assert_int_equal(count(text, "</script"), count(text, "<script"));
        assert_true(count(text, "&lt;img") > 1);
        free(json);
        free(plain);
        free(text);
        json_decref(root);
        json_decref(evil);
    }
}

/* ---- what nobody promised ------------------------------------------------------------------- */

/* The tree with its value number `n` replaced, counted in depth. */
static json_t *changed(const json_t *v, int *n, const json_t *by) {
    const char *key;
    json_t *o, *item;
    size_t i;
    if ((*n)-- == 0)
        return json_deep_copy(by);
    if (json_is_array(v)) {
        o = json_array();
        json_array_foreach(v, i, item) json_array_append_new(o, changed(item, n, by));
        return o;
    }
    if (!json_is_object(v))
        return json_deep_copy(v);
    o = json_object();
    json_object_foreach((json_t *)(uintptr_t)v, key, item) {
        json_object_set_new(o, key, changed(item, n, by));
    }
    return o;
}

static void test_other_kinds_of_values(void **state) {
    (void)state;
    static const char *const others[] = {"null", "true", "\"x\"", "[]", "{}", "-1e300"};
    size_t made = 0, refused = 0;
    for (int i = 0; i < KINDS; i++)
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
            json_t *root = json_loads(kinds[i].json, 0, NULL);
            json_t *by = json_loads(others[k], JSON_DECODE_ANY, NULL);
            for (int at = 1;; at++) {
                int n = at;
                json_t *other = changed(root, &n, by);
                if (n >= 0) { /* there are no more values */
                    json_decref(other);
                    break;
                }
                char *json = json_dumps(other, 0);
                rc_page *p = NULL;
                assert_int_equal(rc_page_create(&p, &err), RC_OK);
                rc_status st = rc_page_add_text(p, "test", json, strlen(json), &err);
                assert_true(st == RC_OK || st == RC_E_INPUT);
                free(written(p, NULL));
                made += st == RC_OK;
                refused += st != RC_OK;
                free(json);
                json_decref(other);
            }
            json_decref(root);
            json_decref(by);
        }
    assert_true(made > 500 && refused > 0);
}

/* ---- inputs --------------------------------------------------------------------------------- */

static void test_tune_and_grid_are_one_map(void **state) {
    (void)state;
    rc_page *p = page_of(kinds[2].json);
    assert_int_equal(rc_page_add_text(p, "grid.csv", grid, strlen(grid), &err), RC_OK);
    assert_int_equal(rc_page_sections(p), 1);
    char *text = written(p, NULL);
    assert_non_null(strstr(text, "\"cells\":{\"4\":[[64.0,64.0,2.5,1.25]]}"));
    free(text);
    p = page_of(grid);
    assert_string_equal(rc_page_title(p, 0), "grid");
    text = written(p, "A title");
    assert_non_null(strstr(text, "<title>A title</title>"));
    assert_non_null(strstr(text, "1 cells"));
    free(text);
}

static void test_timelines_stand_together(void **state) {
    (void)state;
    const char *json = kinds[KINDS - 1].json;
    rc_page *p = page_of(json);
    assert_int_equal(rc_page_add_text(p, "b", json, strlen(json), &err), RC_OK);
    assert_int_equal(rc_page_sections(p), 1);
    char *text = written(p, NULL);
    assert_non_null(strstr(text, "Of these 2 passes pass-kv is the fastest: 1.00 s."));
    /* the message's receiver, and what the host did before the layer began cut off */
    assert_int_equal(count(text, "[0.0,3,0.0,1.0,\"send-recv\",-1.0,1,1.0]"), 2);
    assert_int_equal(count(text, "[1.0,0,0.0,1.5,\"host\",-1.0,0,-1.0]"), 2);
    free(text);
}

static rc_status refused(const char *text) {
    rc_page *p = NULL;
    assert_int_equal(rc_page_create(&p, &err), RC_OK);
    rc_status st = rc_page_add_text(p, "test", text, strlen(text), &err);
    assert_int_equal(rc_page_sections(p), 0);
    rc_page_destroy(p);
    return st;
}

static void test_refused(void **state) {
    (void)state;
    assert_int_equal(refused(""), RC_E_INPUT);
    assert_int_equal(refused("{"), RC_E_INPUT);
    assert_int_equal(refused("[1, 2]"), RC_E_INPUT);
    assert_int_equal(refused("{\"a\": 1, \"a\": 2}"), RC_E_INPUT);
    assert_int_equal(refused("{\"a\": 1}"), RC_E_INPUT);
    assert_int_equal(refused("a,b\n1,2\n"), RC_E_INPUT);
    assert_int_equal(refused("{\"ringcast\":{\"kind\":\"serve\"},\"traceEvents\":[]}"), RC_E_INPUT);
    assert_non_null(strstr(err.msg, "ui.perfetto.dev"));
}

static void test_too_many(void **state) {
    (void)state;
    rc_page *p = page_of(kinds[0].json);
    const char *ring = kinds[KINDS - 1].json, *one = kinds[1].json;
    for (int i = 0; i < 8; i++)
        assert_int_equal(rc_page_add_text(p, "r", ring, strlen(ring), &err), RC_OK);
    assert_int_equal(rc_page_add_text(p, "r", ring, strlen(ring), &err), RC_E_INPUT);
    for (int i = 2; i < 64; i++)
        assert_int_equal(rc_page_add_text(p, "o", one, strlen(one), &err), RC_OK);
    assert_int_equal(rc_page_add_text(p, "o", one, strlen(one), &err), RC_E_INPUT);
    rc_page_destroy(p);
}

static void test_files(void **state) {
    (void)state;
    char folder[] = "/tmp/test_page_XXXXXX", path[64], out[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/summary.json", folder);
    snprintf(out, sizeof out, "%s/page.html", folder);
    rc_page *p = NULL;
    assert_int_equal(rc_page_create(&p, &err), RC_OK);
    assert_int_equal(rc_page_add(p, folder, &err), RC_E_INPUT);
    assert_int_equal(rc_page_add(p, path, &err), RC_E_IO);
    gzFile f = gzopen(path, "wb"); /* packed, whatever it is called */
    assert_true(gzwrite(f, kinds[2].json, (unsigned)strlen(kinds[2].json)) > 0);
    assert_int_equal(gzclose(f), Z_OK);
    assert_int_equal(rc_page_add(p, folder, &err), RC_OK);
    assert_int_equal(rc_page_sections(p), 1);
    assert_int_equal(rc_page_save(p, NULL, out, false, &err), RC_OK);
    assert_int_equal(rc_page_save(p, NULL, out, false, &err), RC_E_IO);
    rc_page_destroy(p);
    struct stat at;
    assert_int_equal(stat(path, &at), 0);
    assert_int_equal(truncate(path, at.st_size - 12), 0);
    assert_int_equal(rc_page_create(&p, &err), RC_OK);
    assert_true(rc_page_add(p, path, &err) != RC_OK);
    rc_page_destroy(p);
    (void)unlink(path);
    (void)unlink(out);
    assert_int_equal(rmdir(folder), 0);
}

/* What nobody knows is a question mark, with its sign; words that hold the same letters stay; a number keeps its per cent sign. */
static void test_sentences(void **state) {
    (void)state;
    static const char *const of[][2] = {
        {"nan", "?"},          {"-nan", "?"},         {"takes nan s", "takes ? s"},
        {"at -nan.", "at ?."}, {"nan nan", "? ?"},    {"a banana", "a banana"},
        {"nano", "nano"},      {"xnan", "xnan"},      {"3 %, 4 %", "3&nbsp;%, 4&nbsp;%"},
        {"nan %", "?&nbsp;%"}, {"<nan>", "&lt;?&gt;"}};
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        char *text = NULL, want[64];
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        assert_non_null(f);
        html_say(f, "k", "%s", of[i][0]);
        assert_int_equal(fclose(f), 0);
        (void)snprintf(want, sizeof want, "<p class=\"k\">%s</p>\n", of[i][1]);
        assert_string_equal(text, want);
        free(text);
    }
}

static void test_times(void **state) {
    (void)state;
    char buf[TIME_TEXT];
    assert_string_equal(time_text(12.34e-6, buf), "12.3 us");
    assert_string_equal(time_text(0.9999996e-3, buf), "1.0 ms");
    assert_string_equal(time_text(0.99994e-3, buf), "999.9 us");
    assert_string_equal(time_text(0.99996e-3, buf), "1.0 ms");
    assert_string_equal(time_text(0.99994, buf), "999.9 ms");
    assert_string_equal(time_text(0.99996, buf), "1.00 s");
    assert_string_equal(time_text(119.99, buf), "119.99 s");
    assert_string_equal(time_text(120.0, buf), "2.0 min");
    assert_string_equal(time_text(7199.0, buf), "120.0 min");
    assert_string_equal(time_text(7200.0, buf), "2.0 h");
    assert_string_equal(time_text(-0.0821, buf), "-82.1 ms");
    assert_string_equal(time_text(0.0821, buf), "82.1 ms");
    assert_string_equal(time_text(11.0253, buf), "11.03 s");
    assert_string_equal(time_text(300.0, buf), "5.0 min");
    assert_string_equal(time_text(7300.0, buf), "2.0 h");
    assert_string_equal(time_text((double)NAN, buf), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_come_first),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_titles),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_other_kinds_of_values),
        cmocka_unit_test(test_tune_and_grid_are_one_map),
        cmocka_unit_test(test_timelines_stand_together),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
