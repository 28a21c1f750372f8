/* What the readers of nccl-tests' text and of its JSON share: the names of the tests, the list of
 * ranks, and the row that a size becomes. Private to the import.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_COST_IMPORT_NCCL_H
#define RC_COST_IMPORT_NCCL_H
#include "sim/cost/import_rows.h"
#include "sim/cost/import_words.h"

/* ---- lines of a launcher -------------------------------------------------------------------- */
/* The line without labels. *label is what names the stream ("" for none), *words how many words of
 * a label that is not understood are left in front of a '#'. */
rc_piece rc_nccl_payload(rc_piece line, rc_piece *label, int *words);
/* Is it, without its '#', a line that nccl-tests print above or below a table? */
bool rc_nccl_head_word(rc_piece t);

/* ---- tests ---------------------------------------------------------------------------------- */
enum { RC_NCCL_NO_TEST = -1, RC_NCCL_SEVERAL = -2 }; /* instead of the index of a test */
/* The test that a text names ("mpirun ... ./all_reduce_perf -b 8", "all_reduce_perf"), by index;
 * RC_NCCL_SEVERAL when it names different ones. */
int rc_nccl_test_in(rc_piece text);
const char *rc_nccl_test_name(int test); /* "all_reduce_perf" */
const char *rc_nccl_test_op(int test);   /* NULL: a test whose collective has no op here */

/* ---- ranks ---------------------------------------------------------------------------------- */
typedef struct rc_nccl_rank { /* one line "#  Rank  0 Group  0 Pid 123 on host device  0 ..." */
    int64_t rank, group, pid;
    rc_piece host;
} rc_nccl_rank;
typedef struct rc_nccl_ranks { /* all zero: empty */
    rc_nccl_rank *at;
    size_t count, room;
} rc_nccl_ranks;
rc_status rc_nccl_ranks_add(rc_nccl_ranks *r, const rc_nccl_rank *rank, rc_error *err);
void rc_nccl_ranks_free(rc_nccl_ranks *r);
/* How many ranks one communicator had, and on how many nodes. A list that does not say it (only
 * some of its lines are there, or lists of different jobs are mixed) is refused unless --ranks and
 * --nodes tell; a list that contradicts them is refused, too. `line`: where in the file, 0 when
 * unknown. */
rc_status rc_nccl_ranks_settle(const rc_importer *m, const rc_nccl_ranks *r, int line, int *ranks,
                               int *nodes, rc_error *err);

/* ---- rows ----------------------------------------------------------------------------------- */
typedef struct rc_nccl_run {
    int ranks, nodes;
    const char *op;
    char gpu[64], nccl[24]; /* "" when unknown */
    int64_t iters;
    bool sockets; /* NCCL said that it talks over sockets between nodes */
} rc_nccl_run;
/* One size of a run; `us` its out-of-place time. */
rc_status rc_nccl_row(rc_importer *m, const rc_nccl_run *run, double bytes, double us,
                      rc_piece dtype, rc_error *err);

#endif
