/* The few calls of MPI that hand out points of a sweep, for a test that plays the other ranks itself.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef RC_TESTS_PLAYED_MPI_H
#define RC_TESTS_PLAYED_MPI_H

typedef int MPI_Comm, MPI_Datatype;
typedef struct MPI_Status {
    int MPI_SOURCE;
} MPI_Status;
enum { MPI_COMM_WORLD = 1, MPI_BYTE = 2, MPI_ANY_SOURCE = -1 };
#define MPI_STATUS_IGNORE ((MPI_Status *)0)

int MPI_Send(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm);
int MPI_Recv(void *buf, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status);
int MPI_Iprobe(int from, int tag, MPI_Comm comm, int *waiting, MPI_Status *status);

#endif
