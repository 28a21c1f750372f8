/* Every key of the table acts.
 *
 * For each key there is a case in which it matters (keys_cases.h). The program is run with two or
 * three values of the key. A key with a direction must move the stated result that way at every
 * step, down from and up to the middle value, which is its half and its double; a key without order
 * must change what is printed, or be refused by name. A key without a case fails the test, so that
 * no key can be documented without being tried.
 *
 * And no number, however absurd, may end as a fault of ours: each number is set to both ends of its
 * range and beyond them, and the exit status must be 0 or 2 each time, or 1 where the answer is
 * that nothing holds or nobody is served. With RC_SHORT set every eighth key is run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/keys/keys.h"
#include "tests/support/keys_cases.h"

enum { MOST_WORDS = 48, TEXT = 1 << 22, VALUES = 3 };

static char folder[64], program[512];

/* ---- running the program -------------------------------------------------------------------- */

typedef struct answer {
    int status;
    char *text; /* what it printed, without wall times */
    char error[2048];
} answer;

static void read_all(int fd, char *out, size_t size) {
    size_t n = 0;
    ssize_t got;
    while (n + 1 < size && (got = read(fd, out + n, size - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    (void)close(fd);
}

/* Lines that tell how long the run took are not an answer. */
static void drop_clocks(char *text) {
    char *to = text;
    for (char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        n += line[n] == '\n';
        char *next = line + n, last = *next;
        *next = '\0';
        bool clock = strstr(line, "wall") || strstr(line, "seconds\"");
        *next = last;
        if (!clock) {
            memmove(to, line, n);
            to += n;
        }
        line = next;
    }
    *to = '\0';
}

static void run(char *const *words, answer *out) {
    int to[2], err[2];
    assert_int_equal(pipe(to) + pipe(err), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(to[1], STDOUT_FILENO);
        (void)dup2(err[1], STDERR_FILENO);
        for (int i = 0; i < 2; i++)
            (void)close(to[i]), (void)close(err[i]);
        execv(words[0], words);
        _exit(127);
    }
    (void)close(to[1]);
    (void)close(err[1]);
    read_all(to[0], out->text, TEXT);
    read_all(err[0], out->error, sizeof out->error);
    int status = 0;
    (void)waitpid(child, &status, 0);
    out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    /* That no cluster holds, or that no request could be served, is an answer, too. */
    if (out->status == 1 && (strcmp(words[1], "plan") == 0 || strstr(out->error, "was served:")))
        out->status = 0;
    drop_clocks(out->text);
}

/* ---- a case ---------------------------------------------------------------------------------- */

/* The rows of a sweep, and its picture when it has one, in place of what it printed. */
static void add_rows(const char *db, const char *select, char *text) {
    sqlite3 *d = NULL;
    sqlite3_stmt *s = NULL;
    size_t n = strlen(text);
    if (sqlite3_open_v2(db, &d, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(d, select, -1, &s, NULL) == SQLITE_OK)
        while (sqlite3_step(s) == SQLITE_ROW)
            for (int i = 0; i < sqlite3_column_count(s) && n + 64 < TEXT; i++) {
                const unsigned char *cell = sqlite3_column_text(s, i);
                n += (size_t)snprintf(text + n, 64, "%.60s,", cell ? (const char *)cell : "");
            }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(d);
}

static void add_file(const char *path, char *text) {
    size_t n = strlen(text);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    size_t got = fread(text + n, 1, TEXT - 1 - n, f);
    text[n + got] = '\0';
    (void)fclose(f);
}

/* "a;b" cut in place into words with "--set" before each. */
static size_t add_sets(char *sets, char **words, size_t n) {
    char *rest = NULL;
    for (char *at = strtok_r(sets, ";", &rest); at; at = strtok_r(NULL, ";", &rest)) {
        words[n++] = (char *)(uintptr_t) "--set";
        words[n++] = at;
    }
    return n;
}

static char *word(const char *s) {
    return (char *)(uintptr_t)s;
}

/* Run the case with one value; "-" leaves the key out. */
static void play(const keys_case *c, const char *value, answer *out) {
    char base[128], sets[1024], own[512], db[128], dir[128], svg[160], *words[MOST_WORDS];
    size_t n = 0;
    bool machine = c->file == RC_KEYS_MACHINE;
    const bool served = machine && strcmp(c->base, "warm") == 0;
    (void)snprintf(base, sizeof base, "%s/%s.yaml", folder, c->base);
    (void)snprintf(db, sizeof db, "%s/out.db", folder);
    (void)snprintf(dir, sizeof dir, "%s/plots", folder);
    (void)snprintf(svg, sizeof svg, "%s/w.svg", dir);
    (void)snprintf(sets, sizeof sets, "%s", c->extra);
    words[n++] = program;
    words[n++] = word(served ? "serve" : machine ? "forward" : rc_keys_file_name(c->file));
    words[n++] = base;
    words[n++] = word("--json");
    if (strcmp(c->base, "meet") == 0) {
        words[n++] = word("--store");
        words[n++] = word("meet.db");
    }
    n = add_sets(sets, words, n);
    if (strcmp(value, "-") != 0) {
        char path[256];
        size_t used = 0;
        for (const char *p = c->path; *p && used + 2 < sizeof path; p++) {
            path[used++] = *p;
            if (*p == '[')
                path[used++] = '0';
        }
        path[used] = '\0';
        (void)snprintf(own, sizeof own, "%s%s=%s", machine ? "machine." : "", path, value);
        words[n++] = word("--set");
        words[n++] = own;
    }
    if ((machine && !served) || c->file == RC_KEYS_FORWARD) {
        words[n++] = word("--draws");
        words[n++] = word(strcmp(c->observe, "p95") == 0 ? "40" : "0");
    }
    if (c->file == RC_KEYS_PLAN)
        words[n++] = word("--quiet");
    if (c->file == RC_KEYS_SWEEP) {
        (void)unlink(db);
        (void)unlink(svg);
        words[n++] = word("--out");
        words[n++] = db;
        words[n++] = word("--overwrite");
    }
    if (strncmp(c->path, "plot.", 5) == 0) {
        words[n++] = word("--plot");
        words[n++] = dir;
    }
    words[n] = NULL;
    run(words, out);
    if (c->file == RC_KEYS_SWEEP) {
        out->text[0] = '\0';
        add_rows(db, c->observe[0] ? c->observe : "SELECT * FROM point", out->text);
        if (strncmp(c->path, "plot.", 5) == 0)
            add_file(svg, out->text);
    }
}

/* The number at "a.b.0.c" of the answer's JSON; a sweep's is the only cell. */
static double number_of(const keys_case *c, const answer *a) {
    if (c->file == RC_KEYS_SWEEP)
        return strtod(a->text, NULL);
    json_error_t why;
    json_t *root = json_loads(a->text, 0, &why), *at = root;
    char path[128], *rest = NULL;
    (void)snprintf(path, sizeof path, "%s", c->observe);
    for (char *key = strtok_r(path, ".", &rest); key && at; key = strtok_r(NULL, ".", &rest))
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(key, NULL, 10))
                               : json_object_get(at, key);
    double v = at && json_is_number(at) ? json_number_value(at) : NAN;
    json_decref(root);
    return v;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static int failures;

static void complain(const keys_case *c, const char *what, const char *detail) {
    failures++;
    print_message("DEAD %s %s: %s%s%.300s\n", rc_keys_file_name(c->file), c->path, what,
                  detail[0] ? ": " : "", detail);
}

static void check_direction(const keys_case *c, const rc_key *k, const answer *a, size_t count) {
    double v[VALUES] = {0};
    char seen[128];
    for (size_t i = 0; i < count; i++) {
        if (a[i].status != 0) {
            complain(c, "does not run", a[i].error);
            return;
        }
        v[i] = number_of(c, &a[i]);
    }
    (void)snprintf(seen, sizeof seen, "%s was %.9g, %.9g, %.9g", c->observe, v[0], v[1], v[2]);
    for (size_t i = 1; i < count; i++)
        if (!(k->direction * (v[i] - v[i - 1]) > 0.0)) {
            complain(c, "does not move its result as stated", seen);
            return;
        }
}

static bool refused_by_name(const keys_case *c, const answer *a) {
    const char *dot = strrchr(c->path, '.');
    return a->status == 2 && strstr(a->error, dot ? dot + 1 : c->path) != NULL;
}

static void check_change(const keys_case *c, const answer *a, size_t count) {
    if (a[0].status != 0) {
        complain(c, "does not run", a[0].error);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(c->observe, "refused") == 0 && a[i].status == 2)
            continue;
        if (a[i].status != 0 && !refused_by_name(c, &a[i]))
            complain(c, "is refused without its name", a[i].error);
        else if (a[i].status == 0 && strcmp(a[i].text, a[0].text) == 0)
            complain(c, "changes nothing", "");
    }
}

static size_t cut_values(const char *text, char out[VALUES][256]) {
    size_t n = 0;
    while (n < VALUES) {
        size_t length = strcspn(text, "|");
        (void)snprintf(out[n++], 256, "%.*s", (int)length, text);
        text += length;
        if (*text++ == '\0')
            break;
    }
    return n;
}

static void try_key(const keys_case *c, const rc_key *k, answer *a) {
    char values[VALUES][256];
    size_t count = cut_values(c->values, values);
    for (size_t i = 0; i < count; i++)
        play(c, values[i], &a[i]);
    if (k->direction != 0)
        check_direction(c, k, a, count);
    else
        check_change(c, a, count);
}

static const keys_case *case_of(rc_key_file f, const char *path) {
    for (const keys_case *c = keys_cases; c->path; c++)
        if (c->file == f && strcmp(c->path, path) == 0)
            return c;
    return NULL;
}

static bool has_value(const rc_key *k) {
    return k->kind != RC_KEY_SECTION && k->kind != RC_KEY_ENTRIES;
}

static answer *answers(void) {
    answer *a = calloc(VALUES, sizeof *a);
    assert_non_null(a);
    for (int i = 0; i < VALUES; i++)
        assert_non_null(a[i].text = malloc(TEXT));
    return a;
}

static void forget(answer *a) {
    for (int i = 0; i < VALUES; i++)
        free(a[i].text);
    free(a);
}

/* Whether the key is run: KEYS_ONLY asks for those with a word in their path, RC_SHORT for a share.
 */
static bool is_run(const rc_key *k, size_t number) {
    const char *only = getenv("KEYS_ONLY");
    if (only)
        return strstr(k->path, only) != NULL;
    return getenv("RC_SHORT") == NULL || number % 8 == 0;
}

static void every_key_acts(void **state) {
    (void)state;
    int keys = 0;
    answer *a = answers();
    failures = 0;
    for (int f = 0; f < RC_KEYS_FILES; f++) {
        size_t count;
        const rc_key *k = rc_keys_of((rc_key_file)f, &count);
        for (size_t i = 0; i < count; i++) {
            const keys_case *c = case_of((rc_key_file)f, k[i].path);
            if (!has_value(&k[i]) || (c && !is_run(&k[i], i)))
                continue;
            keys++;
            if (c)
                try_key(c, &k[i], a);
            else
                complain(&(keys_case){.file = (rc_key_file)f, .path = k[i].path}, "has no case",
                         "");
        }
    }
    forget(a);
    print_message("keys: %d, of which act: %d, dead: %d\n", keys, keys - failures, failures);
    assert_int_equal(failures, 0);
}

/* ---- absurd numbers -------------------------------------------------------------------------- */

static void edge_of(const rc_key *k, double v, char *out, size_t size) {
    const char *unit = k->kind == RC_KEY_WHOLE ? "" : rc_dim_unit(k->dim);
    (void)snprintf(out, size, k->kind == RC_KEY_WHOLE ? "%.0f%s" : "%.17g%s", v,
                   strcmp(unit, "1") == 0 ? "" : unit);
}

static void no_number_is_our_fault(void **state) {
    (void)state;
    int tried = 0, wrong = 0;
    answer *a = answers();
    for (int f = 0; f < RC_KEYS_FILES; f++) {
        size_t count;
        const rc_key *k = rc_keys_of((rc_key_file)f, &count);
        for (size_t i = 0; i < count; i++) {
            const keys_case *c = case_of((rc_key_file)f, k[i].path);
            if (!c || c->slow || !is_run(&k[i], i) ||
                (k[i].kind != RC_KEY_WHOLE && k[i].kind != RC_KEY_NUMBER))
                continue;
            char edges[4][64];
            edge_of(&k[i], k[i].lo, edges[0], sizeof edges[0]);
            edge_of(&k[i], k[i].hi, edges[1], sizeof edges[1]);
            edge_of(&k[i], -1e300, edges[2], sizeof edges[2]);
            (void)snprintf(edges[3], sizeof edges[3], "1e9999");
            for (size_t e = c->wide ? 2 : 0; e < 4; e++) {
                play(c, edges[e], &a[0]);
                tried++;
                if (a[0].status == 0 || a[0].status == 2)
                    continue;
                wrong++;
                print_message("WRONG %s %s=%s: exit %d, %s\n", rc_keys_file_name((rc_key_file)f),
                              k[i].path, edges[e], a[0].status, a[0].error);
            }
        }
    }
    forget(a);
    print_message("absurd numbers: %d tried, %d ended otherwise than 0 or 2\n", tried, wrong);
    assert_int_equal(wrong, 0);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/* The rows of an H100, and a few more. */
static int make_store(void) {
    const char *source = getenv("RC_SOURCE_DIR");
    char command[1024];
    (void)snprintf(command, sizeof command,
                   "%s calibration build %s/results/calibration/h100-sxm/all.csv meet.csv --out "
                   "meet.db >/dev/null",
                   program, source ? source : ".");
    return system(command) == 0 ? 0 : -1;
}

static int make_files(void **state) {
    (void)state;
    const char *build = getenv("RC_BINARY_DIR");
    (void)snprintf(program, sizeof program, "%s/ringcast", build ? build : "build");
    (void)snprintf(folder, sizeof folder, "/tmp/ringcast-keys-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    (void)mkdir("plots", 0700);
    for (const keys_file *f = keys_files; f->name; f++) {
        FILE *out = fopen(f->name, "w");
        if (!out || fputs(f->text, out) < 0 || fclose(out) != 0)
            return -1;
    }
    return make_store();
}

static int remove_files(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") == 0 ? system(command) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_acts),
        cmocka_unit_test(no_number_is_our_fault),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
