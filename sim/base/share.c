/* Where the data folder is. What is installed may be moved as a whole, so it is looked for from where
 * the code itself lies: PREFIX/bin/ringcast, or PREFIX/lib/libringcast.so, or a folder below lib.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE /* dladdr */
#include "sim/base/share.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef RC_SHARE_DIR
#define RC_SHARE_DIR "."
#endif
#ifndef RC_INSTALLED_SHARE
#define RC_INSTALLED_SHARE "/usr/share/ringcast"
#endif

enum { FOLDERS_UP = 3, PATH_LENGTH = 768 };

static char installed[PATH_LENGTH]; /* "" where nothing is */

static bool holds_code(const char *folder) {
    const char *slash = strrchr(folder, '/'), *name = slash ? slash + 1 : folder;
    return strcmp(name, "bin") == 0 || strcmp(name, "lib") == 0 || strcmp(name, "lib64") == 0;
}

/* PREFIX/share/ringcast of a file below PREFIX/bin or PREFIX/lib. */
static bool beside(const char *file) {
    char folder[PATH_LENGTH];
    (void)snprintf(folder, sizeof folder, "%s", file);
    for (int i = 0; i < FOLDERS_UP; i++) {
        char *slash = strrchr(folder, '/');
        if (!slash)
            break;
        *slash = '\0';
        if (!holds_code(folder))
            continue;
        int n = snprintf(installed, sizeof installed, "%s/../share/ringcast", folder);
        if (n > 0 && (size_t)n < sizeof installed && access(installed, F_OK) == 0)
            return true;
    }
    installed[0] = '\0';
    return false;
}

/* The shared library that this code is in, else the program: by its own name where /proc is not
 * mounted. */
static void look(void) {
    char exe[PATH_LENGTH];
    Dl_info info;
    if (dladdr((const void *)&installed, &info) != 0 && info.dli_fname &&
        strstr(info.dli_fname, ".so") && beside(info.dli_fname))
        return;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    if (beside(exe))
        return;
    const char *name = (const char *)getauxval(AT_EXECFN);
    if (name && beside(name))
        return;
    if (access(RC_INSTALLED_SHARE "/models", F_OK) == 0 && access(RC_SHARE_DIR, F_OK) != 0)
        (void)snprintf(installed, sizeof installed, "%s", RC_INSTALLED_SHARE);
}

const char *rc_share_folder(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *share = getenv("RINGCAST_SHARE");
    if (share != NULL && share[0] != '\0')
        return share;
    (void)pthread_once(&once, look);
    return installed[0] != '\0' ? installed : RC_SHARE_DIR;
}
