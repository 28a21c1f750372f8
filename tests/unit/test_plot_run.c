/* What gnuplot is given and what is made of what it leaves, word for word: a script of the test's stands in for it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sim/plot/gnuplot.h"

static char folder[64], plots_folder[96], *search;

static void in_folder(char *out, size_t size, const char *name) {
    (void)snprintf(out, size, "%s/%s", folder, name);
}

static void written(const char *name, const char *text) {
    char path[256];
    in_folder(path, sizeof path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static const char *text_of(const char *name) {
    static char text[4096];
    char path[256];
    in_folder(path, sizeof path, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("no %s", path);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    (void)fclose(f);
    return text;
}

static int make_folder(void **state) {
    (void)state;
    (void)strcpy(folder, "/tmp/test-plot-run-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    char path[1024];
    in_folder(path, sizeof path, "bin");
    (void)mkdir(path, 0777);
    in_folder(plots_folder, sizeof plots_folder, "plots");
    search = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    (void)snprintf(path, sizeof path, "%s/bin:%s", folder, search);
    (void)setenv("KEPT", folder, 1);
    return setenv("PATH", path, 1);
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    (void)setenv("PATH", search, 1);
    free(search);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* What stands in for gnuplot: these lines of a shell. */
static void gnuplot_is(const char *lines) {
    char path[256], text[1024];
    (void)snprintf(text, sizeof text, "#!/bin/sh\nstem=${1%%.gp}\n%s\n", lines);
    written("bin/gnuplot", text);
    in_folder(path, sizeof path, "bin/gnuplot");
    assert_int_equal(chmod(path, 0755), 0);
}

#define DRAWS "echo \"a picture of $stem\" >$stem.png; echo \"lines of $stem\" >$stem.svg"

static void draw_line(const void *ctx, FILE *script, FILE *data) {
    (void)fprintf(data, "1 %s\n", (const char *)ctx);
    (void)fputs("plot 'line.dat' using 1:2 with lines\n", script);
}

static const rc_plot two[] = {{"line", 300, 200, draw_line}, {"other", 640, 480, draw_line}};

static rc_status draw(size_t count, bool overwrite, bool *drawn, rc_error *err) {
    return rc_gnuplot(two, count, "2", plots_folder, overwrite, drawn, err);
}

/* Names in the folder of pictures, in order of the alphabet, a blank behind each. */
static const char *names(void) {
    static char all[512];
    struct dirent **found = NULL;
    int n = scandir(plots_folder, &found, NULL, alphasort);
    all[0] = '\0';
    for (int i = 0; i < n; i++) {
        if (found[i]->d_name[0] != '.' || strlen(found[i]->d_name) > 2)
            (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s ", found[i]->d_name);
        free(found[i]);
    }
    free(found);
    return all;
}

static void no_pictures(void) {
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", plots_folder);
    assert_int_equal(system(command), 0);
}

/* Each picture's script sets the terminal and the output of a PNG and of an SVG of its size around the same body, which reads
 * the data; gnuplot is started where these are, with the script's name alone and nothing to read. */
static void test_given(void **state) {
    (void)state;
    bool drawn = false;
    rc_error err = {0};
    no_pictures();
    gnuplot_is("for end in gp body dat; do cp \"$stem.$end\" \"$KEPT/$stem.$end\"; done\n"
               "echo \"$#\" >\"$KEPT/$stem.args\"; wc -c >\"$KEPT/$stem.stdin\"\n" DRAWS);
    const int kept = dup(STDIN_FILENO); /* what this program may read is nothing to gnuplot */
    assert_true(kept >= 0 && freopen("/proc/self/exe", "r", stdin) != NULL);
    assert_int_equal(draw(2, false, &drawn, &err), RC_OK);
    assert_true(dup2(kept, STDIN_FILENO) == STDIN_FILENO && close(kept) == 0);
    assert_true(drawn);
    assert_string_equal(names(), "line.png line.svg other.png other.svg ");
    assert_string_equal(text_of("plots/line.png"), "a picture of line\n");
    assert_string_equal(text_of("plots/line.svg"), "lines of line\n");
    assert_string_equal(text_of("plots/other.png"), "a picture of other\n");
    assert_string_equal(text_of("plots/other.svg"), "lines of other\n");
    assert_string_equal(text_of("line.body"), "plot 'line.dat' using 1:2 with lines\n");
    assert_string_equal(text_of("line.dat"), "1 2\n");
    assert_string_equal(text_of("line.args"), "1\n");
    assert_string_equal(text_of("line.stdin"), "0\n");
    const char *script = text_of("other.gp");
    static const char font[] = "font 'Sans,14' background '#ffffff'\n";
    const char *at = script;
    char png[128], svg[128];
    (void)snprintf(png, sizeof png, "set terminal pngcairo size 640,480 %s", font);
    (void)snprintf(svg, sizeof svg, "set terminal svg size 640,480 %s", font);
    const char *const parts[] = {"set encoding utf8\n",
                                 png,
                                 "set output 'other.png'\nload 'other.body'\nset output\n",
                                 "reset\nset encoding utf8\n",
                                 svg,
                                 "set output 'other.svg'\nload 'other.body'\nset output\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        at = strstr(at, parts[i]);
        if (!at)
            fail_msg("no '%s' in its place of\n%s", parts[i], script);
        at += strlen(parts[i]);
    }
    assert_true(*at == '\0' && strncmp(script, parts[0], strlen(parts[0])) == 0);
}

/* What it says is told, of both of its streams, up to 400 bytes; the first plot that failed is the one that is named. Nothing
 * is left: no picture, no script. */
static void test_complaints(void **state) {
    (void)state;
    bool drawn = false;
    rc_error err = {0};
    no_pictures();
    gnuplot_is("echo 'to stdout'; echo \"to stderr of $stem\" >&2; exit 3");
    assert_int_equal(draw(2, false, &drawn, &err), RC_E_INTERNAL);
    assert_string_equal(err.msg, "gnuplot failed on plot 'line': to stdout\nto stderr of line\n");
    assert_string_equal(names(), "");
    gnuplot_is("[ $stem = line ] || { echo 'the second'; exit 1; }\n" DRAWS);
    assert_int_equal(draw(2, false, &drawn, &err), RC_E_INTERNAL);
    assert_string_equal(err.msg, "gnuplot failed on plot 'other': the second\n");
    gnuplot_is("i=0; while [ $i -lt 50 ]; do printf 'ten bytes.'; i=$((i + 1)); done; exit 1");
    assert_int_equal(draw(1, false, &drawn, &err), RC_E_INTERNAL);
    assert_int_equal(strlen(err.msg), strlen("gnuplot failed on plot 'line': ") + 400);
    static const int codes[] = {1, 126, 128, 255};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char ends[32];
        (void)snprintf(ends, sizeof ends, "exit %d", codes[i]);
        gnuplot_is(ends);
        assert_int_equal(draw(1, false, &drawn, &err), RC_E_INTERNAL);
    }
    gnuplot_is("exit 127"); /* as a shell says that there is no such command */
    assert_int_equal(draw(1, false, &drawn, &err), RC_OK);
    assert_false(drawn);
    gnuplot_is("rm \"$stem.log\"; exit 1");
    assert_int_equal(draw(1, false, &drawn, &err), RC_E_INTERNAL);
    assert_string_equal(err.msg, "gnuplot failed on plot 'line'");
    assert_string_equal(names(), "");
    assert_int_equal(rc_gnuplot(two, 0, "2", plots_folder, false, &drawn, &err), RC_OK);
    assert_true(drawn); /* none is asked for */
}

/* A signal ends it: a failure. One that this process ignores, a pipe that nobody reads, is not ignored there. */
static void test_signals(void **state) {
    (void)state;
    bool drawn = false;
    rc_error err = {0};
    void (*kept)(int) = signal(SIGPIPE, SIG_IGN);
    no_pictures();
    gnuplot_is("kill -PIPE $$\n" DRAWS);
    assert_int_equal(draw(1, false, &drawn, &err), RC_E_INTERNAL);
    (void)signal(SIGPIPE, kept);
    assert_string_equal(names(), "");
}

static void draw_much(const void *ctx, FILE *script, FILE *data) {
    for (int i = 0; i < 20000; i++)
        (void)fputs("# a comment\n", ctx ? script : data);
}

/* Each of the three files of a picture may not fit on the disk: files may be no longer here than 64 KiB, or 512 bytes, which the
 * commands around the script's body are longer than. Then there is no picture. */
static void test_no_room(void **state) {
    (void)state;
    static const rc_plot much = {"much", 300, 200, draw_much};
    const struct {
        const rc_plot *plot;
        const char *ctx;
        rlim_t longest;
    } t[] = {{&much, "", 65536}, {&much, NULL, 65536}, {&two[0], "2", 512}};
    struct rlimit kept, small;
    bool drawn = false;
    no_pictures();
    gnuplot_is(DRAWS);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    small = kept;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rc_error err = {0};
        small.rlim_cur = t[i].longest;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        rc_status st = rc_gnuplot(t[i].plot, 1, t[i].ctx, plots_folder, false, &drawn, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
        assert_int_equal(st, RC_E_IO);
        assert_string_equal(err.msg, "cannot write a plot script");
        assert_true(err.line == 0 && !drawn);
        assert_string_equal(names(), "");
    }
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(rc_gnuplot(&much, 1, "", plots_folder, false, &drawn, NULL), RC_OK);
}

/* Nor is there one where a file more cannot be opened. */
static void test_no_files(void **state) {
    (void)state;
    struct rlimit kept, small;
    const int next = dup(0);
    assert_true(next > 2);
    (void)close(next);
    no_pictures();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
    small = kept;
    for (rlim_t more = 1; more < 3; more++) {
        rc_error err = {0};
        bool drawn = false;
        small.rlim_cur = (rlim_t)next + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
        rc_status st = draw(1, false, &drawn, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
        assert_int_equal(st, RC_E_IO);
        assert_string_equal(err.msg, "cannot write a plot script");
        assert_string_equal(names(), "");
    }
}

/* As many as are drawn at once, each by a gnuplot of its own, of names of the greatest length. */
static void test_most(void **state) {
    (void)state;
    enum { MOST = 32 };
    static rc_plot all[MOST];
    static char called[MOST][RC_PLOT_STEM];
    bool drawn = false;
    rc_error err = {0};
    no_pictures();
    gnuplot_is(DRAWS);
    for (int i = 0; i < MOST; i++) {
        (void)memset(called[i], 'x', RC_PLOT_STEM - 1);
        called[i][0] = (char)('a' + i % 26);
        called[i][1] = (char)('a' + i / 26);
        all[i] = (rc_plot){called[i], 10, 10, draw_line};
    }
    assert_int_equal(rc_gnuplot(all, MOST, "2", plots_folder, false, &drawn, &err), RC_OK);
    assert_true(drawn);
    for (int i = 0; i < MOST; i++) {
        char path[256], want[128];
        (void)snprintf(path, sizeof path, "plots/%s.svg", called[i]);
        (void)snprintf(want, sizeof want, "lines of %s\n", called[i]);
        assert_string_equal(text_of(path), want);
    }
}

/* None to be found is no failure, and leaves no picture. */
static void test_absent(void **state) {
    (void)state;
    bool drawn = true;
    rc_error err = {0};
    char path[256];
    no_pictures();
    in_folder(path, sizeof path, "bin/gnuplot");
    (void)unlink(path);
    char *with = strdup(getenv("PATH"));
    (void)setenv("PATH", folder, 1);
    assert_int_equal(draw(2, false, &drawn, &err), RC_OK);
    (void)setenv("PATH", with, 1);
    free(with);
    assert_false(drawn);
    assert_string_equal(names(), "");
}

/* Of both pictures each may stand in the way; with leave both are put in their places. A picture that gnuplot did not make is an
 * error. */
static void test_in_the_way(void **state) {
    (void)state;
    static const char *const stems[] = {"line", "other", NULL};
    bool drawn = false;
    rc_error err = {0};
    gnuplot_is(DRAWS);
    for (int i = 0; i < 4; i++) {
        static const char *const there[] = {"plots/line.png", "plots/line.svg", "plots/other.png",
                                            "plots/other.svg"};
        no_pictures();
        assert_int_equal(rc_plot_check(stems, plots_folder, false, &err), RC_OK);
        written(there[i], "kept");
        assert_int_equal(rc_plot_check(stems, plots_folder, false, &err), RC_E_IO);
        assert_non_null(strstr(err.file, there[i]));
        assert_int_equal(rc_plot_check(stems, plots_folder, true, &err), RC_OK);
        assert_int_equal(draw(2, false, &drawn, &err), RC_E_IO);
        assert_string_equal(text_of(there[i]), "kept");
        assert_int_equal(draw(2, true, &drawn, &err), RC_OK);
        assert_true(drawn && strstr(text_of(there[i]), " of ") != NULL);
        assert_string_equal(names(), "line.png line.svg other.png other.svg ");
    }
    no_pictures();
    gnuplot_is("echo >$stem.png");
    assert_int_not_equal(draw(1, false, &drawn, &err), RC_OK);
    assert_string_equal(names(), "line.png ");
}

/* Where this process is killed gnuplot ends, too. */
static void test_ends_with_its_parent(void **state) {
    (void)state;
#ifdef __linux__
    static const struct timespec moment = {0, 20000000};
    char path[256], line[256] = "", status = '?';
    no_pictures();
    gnuplot_is("echo $$ >\"$KEPT/number.new\"; mv \"$KEPT/number.new\" \"$KEPT/number\"\n"
               "exec sleep 60");
    pid_t own = fork();
    assert_true(own >= 0);
    if (own == 0) {
        bool drawn;
        (void)draw(1, false, &drawn, NULL);
        _exit(0);
    }
    in_folder(path, sizeof path, "number");
    for (int i = 0; i < 500 && access(path, R_OK) != 0; i++)
        (void)nanosleep(&moment, NULL);
    const long number = strtol(text_of("number"), NULL, 10);
    assert_true(number > 1);
    assert_int_equal(kill(own, SIGKILL), 0);
    assert_true(waitpid(own, NULL, 0) == own);
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", number);
    for (int i = 0; i < 250 && status != 'Z' && status != 'X'; i++) {
        FILE *f = fopen(path, "r");
        if (!f || !fgets(line, sizeof line, f))
            status = 'X'; /* gone */
        else
            (void)sscanf(line, "%*d %*s %c", &status);
        if (f)
            (void)fclose(f);
        (void)nanosleep(&moment, NULL);
    }
    if (status != 'Z' && status != 'X') {
        (void)kill((pid_t)number, SIGKILL);
        fail_msg("gnuplot goes on without its parent");
    }
#endif
}

/* Letters, digits, underscores and bytes of other languages stay, dots and signs inside; a name is cut at 96 bytes, never within
 * a character. */
static void test_stems(void **state) {
    (void)state;
    static const char *const of[][2] = {
        {"a-b.c_D9", "a-b.c_D9"},   {".a", "_a"}, {"-a", "_a"},         {"a/b c'd\"", "a_b_c_d_"},
        {"\xc2\xb5s", "\xc2\xb5s"}, {"", ""},     {"\x7f\x80", "_\x80"}};
    char stem[RC_PLOT_STEM], name[128];
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        rc_plot_stem(of[i][0], stem);
        assert_string_equal(stem, of[i][1]);
    }
    for (size_t n = 95; n <= 98; n++) {
        (void)memset(name, 'x', n);
        name[n] = '\0';
        rc_plot_stem(name, stem);
        assert_int_equal(strlen(stem), n < 96 ? n : 96);
    }
    for (size_t n = 94; n <= 97; n++) { /* a character of two bytes behind so many */
        (void)memset(name, 'x', n);
        (void)strcpy(name + n, "\xc2\xb5y");
        rc_plot_stem(name, stem);
        assert_int_equal(strlen(stem), n == 94 ? 96 : n == 95 ? 95 : 96);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_no_files),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_in_the_way),
        cmocka_unit_test(test_ends_with_its_parent),
        cmocka_unit_test(test_stems),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
