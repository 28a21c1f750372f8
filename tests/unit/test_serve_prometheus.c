/* The metrics of a run: a model's name of any bytes stands in their labels.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/serve/serve_report.h"

static rc_serve serve;
static rc_serve_result result;

/* The longest name there is room for, all of it quotes, which take two bytes each. */
static void test_longest_label(void **state) {
    char dir[] = "/tmp/ringcast-prometheus-XXXXXX", path[64], line[1024], want[1024];
    rc_error err = {0};
    size_t found = 0,
           n = (size_t)snprintf(want, sizeof want, "vllm:num_preemptions_total{model_name=\"");
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/metrics", dir);
    memset(serve.model.name, '"', sizeof serve.model.name - 1);
    for (size_t i = 0; i < strlen(serve.model.name); i++)
        n += (size_t)snprintf(want + n, sizeof want - n, "\\\"");
    (void)snprintf(want + n, sizeof want - n, "\"} 7\n");
    result.preempted = 7;
    if (rc_serve_prometheus(&serve, &result, path, false, &err) != RC_OK)
        fail_msg("%s", err.msg);
    FILE *f = fopen(path, "r");
    if (!f)
        fail();
    while (fgets(line, sizeof line, f))
        found += strcmp(line, want) == 0;
    (void)fclose(f);
    (void)unlink(path);
    (void)rmdir(dir);
    assert_int_equal(found, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_longest_label)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
