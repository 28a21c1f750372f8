/* Flags of a command: strict, with the nearest name on a mistake.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_CLI_FLAGS_H
#define RC_CLI_FLAGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/base/error.h"

typedef enum rc_flag_kind { RC_FLAG_BOOL, RC_FLAG_TEXT, RC_FLAG_INT, RC_FLAG_MANY } rc_flag_kind;

enum { RC_MAX_MANY = 64 };
typedef struct rc_many { /* a flag given several times */
    const char *values[RC_MAX_MANY];
    size_t count;
} rc_many;

typedef struct rc_whole { /* a whole number and the range it may have */
    int64_t *out, lo, hi;
} rc_whole;
#define RC_WHOLE(out, lo, hi) (&(rc_whole){out, lo, hi})

typedef struct rc_flag {
    const char *name; /* "--out" */
    rc_flag_kind kind;
    void *out;         /* bool *, const char **, rc_whole * (RC_WHOLE), rc_many * */
    const char *value; /* name of the value in the help, NULL for a bool */
    const char *help;
} rc_flag;

enum { RC_MAX_FLAGS = 64 };

#define RC_MOST_DRAWS 4096 /* behind p5 and p95 */
#define RC_MOST_SEED (INT64_C(1) << 40)

/* Parse argv[1..]; what is not a flag goes to args (at most max_args, else an error). `--` ends
 * flags; both `--out X` and `--out=X` are taken. `--help` prints `usage` and the flags and sets
 * *helped. */
rc_status rc_flags_parse(int argc, char **argv, const rc_flag *flags, size_t count,
                         const char *usage, const char **args, size_t max_args, size_t *arg_count,
                         bool *helped, rc_error *err);

/* While a reader is set, --help hands it the flags in place of printing them: so completion and
 * manual pages are made of the same lists. NULL ends it. */
void rc_flags_read_by(void (*read)(void *to, const char *usage, const rc_flag *flags, size_t count),
                      void *to);

/* Commands: one file each. */
rc_status rc_cmd_forward(int argc, char **argv, rc_error *err);
rc_status rc_cmd_paper(int argc, char **argv, rc_error *err);
rc_status rc_cmd_validate(int argc, char **argv, rc_error *err);
rc_status rc_cmd_choose(int argc, char **argv, rc_error *err);
rc_status rc_cmd_tune(int argc, char **argv, rc_error *err);
rc_status rc_cmd_serve(int argc, char **argv, rc_error *err);
rc_status rc_cmd_trace(int argc, char **argv, rc_error *err);
rc_status rc_cmd_calibration(int argc, char **argv, rc_error *err);
rc_status rc_cmd_sweep(int argc, char **argv, rc_error *err);
rc_status rc_cmd_model(int argc, char **argv, rc_error *err);
rc_status rc_cmd_keys(int argc, char **argv, rc_error *err);
rc_status rc_cmd_plan(int argc, char **argv, rc_error *err);
rc_status rc_cmd_models(int argc, char **argv, rc_error *err);
rc_status rc_cmd_machines(int argc, char **argv, rc_error *err);
rc_status rc_cmd_init(int argc, char **argv, rc_error *err);
rc_status rc_cmd_report(int argc, char **argv, rc_error *err);

#endif
