/* The list of temporaries, and the renaming of a whole set.
 *
 * A set of files cannot be renamed in one step on POSIX. It is done so that a failure can be taken
 * back: a file about to be replaced is first linked to a temporary name, and restored from there
 * when a later rename fails. Files were flushed to the disk before, so the renames take
 * microseconds; a process killed exactly there leaves whole files, some old and some new.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/outputs.h"
#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX ".ringcast-tmp."
enum { HOST_SIZE = 64, MAX_CHILDREN = 64, MAX_TRIES = 1000 };

typedef enum entry_kind {
    UNDER_WAY, /* a temporary being written */
    WAITS,     /* a finished one, for rc_outputs_end */
    MADE       /* a folder that this command created under its final name */
} entry_kind;

typedef struct entry {
    entry_kind kind;
    bool folder, overwrite;
    char *name;   /* the temporary, or the folder made */
    char *final;  /* of WAITS */
    char *backup; /* link to the file that was replaced; NULL: none was */
    bool replaces, placed;
} entry;

static struct {
    pthread_mutex_t lock;
    entry *entries;
    size_t count, room;
    unsigned long next;
    bool collecting;
    pid_t children[MAX_CHILDREN]; /* 0: free */
    int expected;                 /* children being started, whose numbers are not known yet */
    pthread_cond_t known;         /* `expected` fell */
    bool has_swept;
    char swept[RC_PATH_SIZE]; /* the folder that was swept last, when has_swept */
} outputs = {.lock = PTHREAD_MUTEX_INITIALIZER, .known = PTHREAD_COND_INITIALIZER};

static void lock(void) {
    (void)pthread_mutex_lock(&outputs.lock);
}

static void unlock(void) {
    (void)pthread_mutex_unlock(&outputs.lock);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The host, as far as it can stand in a file name between dots. */
static void host_name(char *out) {
    if (gethostname(out, HOST_SIZE) != 0)
        (void)snprintf(out, HOST_SIZE, "unknown");
    out[HOST_SIZE - 1] = '\0';
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '_';
}

/* Folder of `path` with its slash, "" for the current one. */
static int folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

/* Process of a temporary's name on this host; 0 when the name is not one. */
static pid_t owner_of(const char *name) {
    char host[HOST_SIZE], *end;
    host_name(host);
    size_t n = strlen(PREFIX), h = strlen(host);
    if (strncmp(name, PREFIX, n) != 0 || strncmp(name + n, host, h) != 0 || name[n + h] != '.')
        return 0;
    const char *digits = name + n + h + 1;
    if (!isdigit((unsigned char)*digits))
        return 0;
    long pid = strtol(digits, &end, 10);
    return *end == '.' && pid > 0 ? (pid_t)pid : 0;
}

/* ---- removing -------------------------------------------------------------------------------- */

/* A temporary folder holds files only; links are not followed. */
static bool empty_folder(const char *name) {
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        (void)unlinkat(fd, e->d_name, 0);
    (void)closedir(dir);
    return true;
}

/* When a signal ends the command, another thread may be writing files in there; once the folder is
 * gone it can begin no more of them. */
static void remove_folder(const char *name) {
    int tries = 0;
    while (tries++ < MAX_TRIES && empty_folder(name))
        if (rmdir(name) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
            return;
}

static void remove_any(const char *name) {
    if (unlink(name) != 0 && (errno == EISDIR || errno == EPERM))
        remove_folder(name);
}

static void sweep(const char *folder) {
    char name[RC_TEMP_SIZE + 256];
    DIR *dir = opendir(*folder ? folder : ".");
    if (!dir)
        return;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        pid_t pid = owner_of(e->d_name);
        if (pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        (void)snprintf(name, sizeof name, "%s%s", folder, e->d_name);
        remove_any(name);
    }
    (void)closedir(dir);
}

/* ---- the list -------------------------------------------------------------------------------- */

static void drop(size_t i) {
    entry *e = &outputs.entries[i];
    free(e->name);
    free(e->final);
    free(e->backup);
    outputs.count--;
    memmove(e, e + 1, (outputs.count - i) * sizeof *e);
}

static bool add(entry_kind kind, const char *name, bool folder) {
    if (outputs.count == outputs.room) {
        size_t room = outputs.room ? 2 * outputs.room : 16;
        entry *larger = realloc(outputs.entries, room * sizeof *larger);
        if (!larger)
            return false;
        outputs.entries = larger;
        outputs.room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return false;
    outputs.entries[outputs.count++] = (entry){.kind = kind, .name = copy, .folder = folder};
    return true;
}

static size_t find(const char *name) {
    size_t i = 0;
    while (i < outputs.count && strcmp(outputs.entries[i].name, name) != 0)
        i++;
    return i;
}

/* The name under the lock: sweeps the folder when it is another one than before. */
static rc_status fresh_name(const char *path, char *temp, rc_error *err) {
    char host[HOST_SIZE], here[RC_PATH_SIZE];
    size_t length = strlen(path);
    if (length == 0)
        return rc_fail(err, RC_E_IO, "the name of the output file is empty");
    if (length >= RC_PATH_SIZE)
        return rc_fail_file(err, RC_E_IO, path, "the path is longer than %d bytes",
                            RC_PATH_SIZE - 1);
    host_name(host);
    (void)snprintf(here, sizeof here, "%.*s", folder_length(path), path);
    if (!outputs.has_swept || strcmp(here, outputs.swept) != 0) {
        sweep(here);
        outputs.has_swept = true;
        memcpy(outputs.swept, here, sizeof here);
    }
    (void)snprintf(temp, RC_TEMP_SIZE, "%s" PREFIX "%s.%ld.%lu", here, host, (long)getpid(),
                   ++outputs.next);
    return RC_OK;
}

/* Created and recorded under one lock, so that a signal finds it. */
static rc_status create(const char *path, bool folder, char *temp, int *fd, rc_error *err) {
    assert(path != NULL && temp != NULL);
    int made = -1;
    lock();
    rc_status st = fresh_name(path, temp, err);
    if (st == RC_OK && folder)
        made = mkdir(temp, 0777);
    else if (st == RC_OK)
        made = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (st == RC_OK && made < 0)
        st = rc_fail_file(err, RC_E_IO, path, "cannot write: %s", strerror(errno));
    if (st == RC_OK && !add(UNDER_WAY, temp, folder)) {
        st = rc_fail(err, RC_E_NOMEM, "out of memory for an output");
        remove_any(temp);
    }
    unlock();
    if (!folder && made >= 0 && (!fd || st != RC_OK))
        (void)close(made);
    else if (fd)
        *fd = made;
    return st;
}

rc_status rc_temp_file(const char *path, char *temp, int *fd, rc_error *err) {
    return create(path, false, temp, fd, err);
}

rc_status rc_temp_folder(const char *path, char *temp, rc_error *err) {
    return create(path, true, temp, NULL, err);
}

static void remove_entry(size_t i) {
    const entry *e = &outputs.entries[i];
    if (e->folder)
        remove_folder(e->name);
    else
        (void)unlink(e->name);
    drop(i);
}

void rc_temp_remove(const char *temp) {
    lock();
    size_t i = find(temp);
    if (i < outputs.count)
        remove_entry(i);
    unlock();
}

rc_status rc_temp_fill(const char *temp, const char *from, rc_error *err) {
    rc_status st = RC_OK;
    lock();
    if (rename(from, temp) != 0)
        st = rc_fail_file(err, RC_E_IO, temp, "cannot write: %s", strerror(errno));
    unlock();
    return st;
}

static bool waits(const char *path) {
    for (size_t i = 0; i < outputs.count; i++)
        if (outputs.entries[i].kind == WAITS && strcmp(outputs.entries[i].final, path) == 0)
            return true;
    return false;
}

int rc_output_folder(const char *path) {
    lock();
    int done = mkdir(path, 0777);
    int code = errno;
    if (done == 0 && outputs.collecting)
        (void)add(MADE, path, true);
    unlock();
    errno = code;
    return done;
}

static void change_child(pid_t from, pid_t to) {
    int i = 0;
    while (i < MAX_CHILDREN && outputs.children[i] != from)
        i++;
    if (i < MAX_CHILDREN)
        outputs.children[i] = to;
}

void rc_outputs_child_begins(void) {
    lock();
    outputs.expected++;
    unlock();
}

void rc_outputs_child_began(pid_t child) {
    lock();
    assert(outputs.expected > 0);
    outputs.expected--;
    if (child > 0)
        change_child(0, child);
    (void)pthread_cond_signal(&outputs.known);
    unlock();
}

void rc_outputs_child_ended(pid_t child) {
    assert(child > 0);
    lock();
    change_child(child, 0);
    unlock();
}

/* ---- renaming -------------------------------------------------------------------------------- */

/* The rename itself is only durable once the folder is; a failure here loses nothing we promised.
 */
static void sync_folder(const char *path) {
    char dir[RC_PATH_SIZE];
    int n = folder_length(path);
    (void)snprintf(dir, sizeof dir, "%.*s", n > 0 ? n : 1, n > 0 ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

/* 0, or -1 with errno. link(2) fails where rename(2) would replace a file that appeared since. */
static int move_into_place(const char *temp, const char *path, bool overwrite) {
    if (overwrite)
        return rename(temp, path);
    if (link(temp, path) == 0)
        return unlink(temp);
    if (errno == EEXIST)
        return -1;
    return rename(temp, path); /* a file system without hard links */
}

static rc_status cannot_place(const char *path, int code, rc_error *err) {
    if (code == EEXIST)
        return rc_fail_file(err, RC_E_IO, path,
                            "already exists and is not overwritten (--overwrite replaces it)");
    return rc_fail_file(err, RC_E_IO, path, "cannot write: %s", strerror(code));
}

rc_status rc_temp_place(const char *temp, const char *path, bool overwrite, rc_error *err) {
    rc_status st = RC_OK;
    lock();
    size_t i = find(temp);
    assert(i < outputs.count && outputs.entries[i].kind == UNDER_WAY);
    entry *e = &outputs.entries[i];
    if (!outputs.collecting) {
        if (move_into_place(temp, path, overwrite) != 0)
            st = cannot_place(path, errno, err);
        else
            sync_folder(path);
    } else if (waits(path)) {
        st = rc_fail_file(err, RC_E_USAGE, path, "two outputs of this command have this name");
    } else {
        e->final = strdup(path);
        e->overwrite = overwrite;
        e->kind = WAITS;
        if (!e->final)
            st = rc_fail(err, RC_E_NOMEM, "out of memory for an output");
    }
    if (st != RC_OK)
        remove_entry(i);
    else if (!outputs.collecting)
        drop(i);
    unlock();
    return st;
}

/* A second name for the file that `e` is about to replace. A file system without hard links has
 * none: then the new file stays where a later rename fails. */
static void back_up(entry *e) {
    char name[RC_TEMP_SIZE];
    e->replaces = access(e->final, F_OK) == 0;
    if (e->replaces && fresh_name(e->final, name, NULL) == RC_OK && link(e->final, name) == 0)
        e->backup = strdup(name);
}

static void take_back(const entry *e) {
    if (e->backup)
        (void)rename(e->backup, e->final);
    else if (!e->replaces)
        (void)unlink(e->final);
}

static rc_status place_all(rc_error *err) {
    rc_status st = RC_OK;
    size_t i = 0;
    for (; i < outputs.count && st == RC_OK; i++) {
        entry *e = &outputs.entries[i];
        if (e->kind != WAITS)
            continue;
        if (e->overwrite)
            back_up(e);
        if (move_into_place(e->name, e->final, e->overwrite) != 0)
            st = cannot_place(e->final, errno, err);
        else
            e->placed = true;
    }
    while (st != RC_OK && i-- > 0)
        if (outputs.entries[i].placed)
            take_back(&outputs.entries[i]);
    for (i = 0; i < outputs.count; i++) {
        if (outputs.entries[i].backup)
            (void)unlink(outputs.entries[i].backup);
        if (st == RC_OK && outputs.entries[i].placed)
            sync_folder(outputs.entries[i].final);
    }
    return st;
}

/* Folders last, the inner ones first: they were recorded after the outer ones. */
static void clear(bool keep_folders) {
    for (int i = 0; i < MAX_CHILDREN; i++) {
        if (outputs.children[i] <= 0)
            continue;
        (void)kill(outputs.children[i], SIGKILL);
        (void)waitpid(outputs.children[i], NULL, 0); /* it may be creating a file just now */
    }
    for (size_t i = outputs.count; i-- > 0;)
        if (outputs.entries[i].kind != MADE)
            remove_entry(i);
    while (outputs.count > 0) {
        if (!keep_folders)
            (void)rmdir(outputs.entries[outputs.count - 1].name);
        drop(outputs.count - 1);
    }
}

void rc_outputs_begin(void) {
    lock();
    assert(!outputs.collecting); /* a process runs one command */
    outputs.collecting = true;
    unlock();
}

rc_status rc_outputs_end(bool keep, rc_error *err) {
    lock();
    rc_status st = keep ? place_all(err) : RC_OK;
    clear(keep && st == RC_OK);
    free(outputs.entries);
    outputs.entries = NULL;
    outputs.room = 0;
    outputs.collecting = outputs.has_swept = false;
    unlock();
    return st;
}

void rc_outputs_give_up(void) {
    lock();
    while (outputs.expected > 0)
        (void)pthread_cond_wait(&outputs.known, &outputs.lock);
    clear(false);
}

void rc_outputs_lock(void) {
    lock();
}

void rc_outputs_unlock(void) {
    unlock();
}

void rc_outputs_forget(void) {
    while (outputs.count > 0)
        drop(outputs.count - 1);
    memset(outputs.children, 0, sizeof outputs.children);
    outputs.expected = 0;
    outputs.collecting = false;
    unlock();
}
