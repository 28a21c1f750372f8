/* Replays a corpus through a fuzz target without a fuzzer.
 *
 * Every parser has a libFuzzer target (tests/fuzz/fuzz_<parser>.c) and a folder of inputs that once
 * mattered. A fuzzer needs clang and minutes; this main() makes the same inputs a unit test that
 * any compiler runs in milliseconds, so a crash that was found stays found. An empty or missing
 * folder fails: a test that replays nothing proves nothing.
 *
 * usage: fuzz_<parser> CORPUS-FOLDER-OR-FILE...
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "sim/base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input in a block of exactly its size, so that a sanitizer sees one byte too far. */
static bool replay_file(const char *path) {
    char *text = NULL;
    size_t size = 0;
    rc_error e = {0};
    if (rc_file_read(path, &text, &size, &e) != RC_OK) {
        (void)fprintf(stderr, "%s: %s\n", path, e.msg);
        return false;
    }
    uint8_t *exact = malloc(size ? size : 1);
    if (exact) {
        memcpy(exact, text, size);
        (void)LLVMFuzzerTestOneInput(exact, size);
    }
    free(text);
    free(exact);
    return exact != NULL;
}

/* Files in the folder, in name order, so that a crash is found at the same place each time. */
static int replay_folder(const char *path) {
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort), done = 0;
    if (n < 0) {
        perror(path);
        return -1;
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        struct stat st;
        int w = snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        bool regular =
            w > 0 && (size_t)w < sizeof file && stat(file, &st) == 0 && S_ISREG(st.st_mode);
        if (regular && done >= 0)
            done = replay_file(file) ? done + 1 : -1;
        free(names[i]);
    }
    free(names);
    return done;
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        int n = folder ? replay_folder(argv[i]) : replay_file(argv[i]) ? 1 : -1;
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%s: %d inputs replayed\n", argc > 0 ? argv[0] : "fuzz", total);
    if (total == 0) {
        (void)fprintf(stderr, "usage: fuzz_<parser> CORPUS-FOLDER...: no input was found\n");
        return 1;
    }
    return 0;
}
