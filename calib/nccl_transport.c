/* The transports of one node.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "calib/nccl_transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const rc_nccl_transports[] = {"nvlink", "shm", "socket", NULL};

rc_status rc_nccl_transport_set(const char *transport, rc_error *err) {
    static const struct {
        int level; /* set from this transport on */
        const char *name, *value;
    } settings[] = {{0, "NCCL_NVLS_ENABLE", "0"}, {1, "NCCL_P2P_DISABLE", "1"},
                    {2, "NCCL_SHM_DISABLE", "1"}, {2, "NCCL_NET", "Socket"},
                    {2, "NCCL_IB_DISABLE", "1"},  {2, "NCCL_SOCKET_IFNAME", "lo"}};
    int level = 0, bad = 0;
    while (rc_nccl_transports[level] && strcmp(rc_nccl_transports[level], transport) != 0)
        level++;
    if (!rc_nccl_transports[level])
        return rc_fail_file(err, RC_E_USAGE, "--child", "no transport is called \"%s\"", transport);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].level <= level)
            bad |= setenv(settings[i].name, settings[i].value, 1);
    return bad ? rc_fail(err, RC_E_NOMEM, "cannot set NCCL's environment: %s", strerror(errno))
               : RC_OK;
}
