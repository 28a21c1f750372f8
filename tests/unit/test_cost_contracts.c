/* What the cost room assumes of its callers (tests/support/trips.h). Values that must be wrong
 * stand in variables, so that no compiler sees through the call.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/support/trips.h"
#include "sim/cost/embed/book_text.c"
#include "sim/cost/asks.h"
#include "sim/cost/basis.h"
#include "sim/cost/builtin.h"
#include "sim/cost/carry.h"
#include "sim/cost/class_errors.h"
#include "sim/cost/gemm_plan.h"
#include "sim/cost/import.h"
#include "sim/cost/import_formats.h"
#include "sim/cost/import_nccl.h"
#include "sim/cost/leave_out.h"
#include "sim/cost/nccl.h"
#include "sim/cost/field_fit.h"
#include "sim/cost/constants_fit.h"
#include "sim/cost/surface_fit.h"
#include "sim/cost/rules.h"
#include "sim/cost/settle.h"
#include "sim/cost/tiles.h"
#include "sim/cost/store_tools.h"
#include "tests/support/cost_store.h"

static const char *volatile no_text = NULL;
static rc_rows *volatile no_rows = NULL;
static rc_costs *volatile no_costs = NULL;
static const rc_book *volatile no_book = NULL;
static double *volatile no_numbers = NULL;
static volatile int none = 0;
static rc_costs *costs;
static rc_rows *rows;
static rc_error err;
static rc_cost cost;

static int setup(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    (void)snprintf(m.state, sizeof m.state, "sustained");
    if (rc_rows_create(&rows, NULL) != RC_OK)
        return -1;
    return rc_costs_open(NULL, &m, &costs, NULL) == RC_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    rc_costs_close(costs);
    rc_rows_free(rows);
    return 0;
}

static void test_experts(void **state) {
    (void)state;
    volatile double nothing = 0.0;
    const rc_expert_transfer *volatile no_transfer = NULL;
    trips("rows >= 0.0 && experts >= 1.0", (void)rc_experts_hit(1.0, nothing));
    trips("ranks >= 1.0 && top_k >= 1.0 && experts >= top_k",
          (void)rc_expert_ranks(8.0, 2.0, nothing));
    volatile int64_t no_window = 0;
    trips("window >= 1", (void)rc_cost_attention_within(costs, RC_BF16, 1, 1, no_window,
                                                        SYN_HEADS(1, 1), &cost, &err));
    trips("c != NULL && op != NULL && x != NULL && out != NULL",
          (void)rc_cost_expert_transfer(costs, "ep_combine", no_transfer, &cost, &err));
}

static void test_asks(void **state) {
    (void)state;
    rc_asks *asks = rc_asks_create(), *volatile no_asks = NULL;
    rc_costs *out;
    rc_row row;
    rc_axes at = {{0}};
    const rc_ask *volatile no_ask = NULL;
    volatile double faster = 0.5;
    trips("a != NULL", (void)rc_asks_count(no_asks));
    trips("i < a->n", (void)rc_asks_at(asks, 0));
    trips("factor >= 1.0", rc_asks_slow(asks, 0, faster));
    trips("a != NULL", (void)rc_costs_listen(costs, no_asks, &out, &err));
    trips("ask != NULL && out != NULL", rc_ask_row(no_ask, &row));
    trips("c != NULL && ask != NULL", (void)rc_ask_measured_spread(costs, no_ask));
    trips("a != NULL && op < rc_op_count() && at != NULL && answer != NULL",
          (void)rc_asks_hear(no_asks, RC_COST_GEMM, RC_BF16, &at, "", &cost, &err));
    rc_asks_destroy(asks);
}

static void test_sharing(void **state) {
    (void)state;
    const rc_machine m = syn_machine();
    const rc_tile_call call = {128, 128, false};
    rc_tiles t;
    trips("rows != NULL && m != NULL", (void)rc_beside_of(no_rows, &m));
    trips("c != NULL", (void)rc_cost_beside(no_costs));
    const rc_launched beyond = RC_LAUNCHED_KINDS;
    trips("rows != NULL && base != NULL", (void)rc_launch_gaps_of(no_rows, "h200-sxm"));
    trips("c != NULL && kind < RC_LAUNCHED_KINDS", (void)rc_cost_eager_gap(costs, beyond));
    trips("n >= 1 && n <= RC_TILE_CALLS", rc_tiles_plan(&call, none, 1, 1, 1, &t));
    trips("hkv >= 1 && hq >= hkv && sms >= 1", rc_tiles_plan(&call, 1, 1, 1, none, &t));
    rc_tiles_plan(&call, 1, 1, 1, 2, &t);
    trips("sms >= 1 && held >= 0 && held < sms", (void)rc_tiles_time(&t, 2, 2, 1.0, 1, NULL));
    trips("most >= 1 && most <= sms", (void)rc_tiles_time(&t, 2, 0, 0.0, none, NULL));
    rc_tile_decode d = {.batch = none, .keys = 1, .row = 256, .hq = 1, .hkv = 1};
    trips("d->batch >= 1 && d->keys >= 1 && d->row >= 1", (void)rc_tiles_decode_left(&d, 1, 1, 1));
    d.batch = 1;
    trips("d->hkv >= 1 && d->hq >= d->hkv && sms >= 1 && sms <= all",
          (void)rc_tiles_decode_left(&d, 2, 1, 1));
    trips("keys >= 0 && hkv >= 1 && sms >= 1", (void)rc_tiles_decode_fills(1, 0, 132));
}

static void test_table_of_ops(void **state) {
    (void)state;
    rc_axes negative = {{[RC_AXIS_TOKENS] = -1}};
    rc_work work;
    const char **volatile no_names = NULL;
    volatile rc_axis beyond = RC_AXIS_COUNT;
    trips("axis < RC_AXIS_COUNT", (void)rc_axis_name(beyond));
    trips("op < OPS", (void)rc_op_info_of(rc_op_count() + (rc_op)none));
    trips("name != NULL", (void)rc_op_named(no_text));
    trips("names != NULL", rc_op_row_names(no_names));
    trips("op != NULL && axis > RC_AXIS_NONE && axis < RC_AXIS_COUNT",
          (void)rc_op_has_axis(rc_op_info_of(RC_COST_GEMM), beyond));
    const rc_op_info *gemm = rc_op_info_of(RC_COST_GEMM);
    trips("at->at[axis] >= 0", gemm->work(gemm, &negative, 2.0, &work));
}

static void test_rows(void **state) {
    (void)state;
    rc_row nameless = {.machine = "m", .op = "copy", .variant = ""}, unnamed = {.op = ""};
    rc_axes at;
    rc_rows *out = NULL;
    rc_rows *const *volatile no_sets = NULL;
    size_t *volatile nowhere = NULL;
    rc_importer importer = {0};
    trips("r != NULL && row != NULL", (void)rc_rows_add(no_rows, &nameless, &err));
    trips("row->machine != NULL && row->op != NULL && row->variant != NULL && row->source != NULL",
          (void)rc_rows_add(rows, &nameless, &err));
    trips("(sets != NULL || n == 0) && out != NULL", (void)rc_rows_merge(no_sets, 1, &out, &err));
    trips("(sets != NULL || n == 0) && dropped != NULL",
          (void)rc_rows_supersede(no_sets, 0, nowhere, &err));
    trips("rows != NULL && f != NULL", (void)rc_rows_write_csv(no_rows, stderr, &err));
    trips("rows != NULL && machine != NULL && machine[0] != '\\0'",
          (void)rc_rows_rename(rows, "", &out, &err));
    trips("a != NULL && b != NULL && out != NULL && n != NULL",
          (void)rc_rows_diff(rows, no_rows, NULL, NULL, &err));
    trips("r != NULL && at != NULL", (void)rc_row_op(&nameless, (rc_axes *)(uintptr_t)none));
    trips("row->op[0] != '\\0' && row->machine[0] != '\\0'",
          (void)rc_import_add(&importer, &unnamed, &err));
    (void)at;
}

static void test_files(void **state) {
    (void)state;
    rc_rows *out = NULL;
    rc_rows **volatile nowhere = NULL;
    trips("name != NULL && (text != NULL || size == 0) && out != NULL",
          (void)rc_store_parse_csv("x.csv", no_text, 1, &out, &err));
    trips("path != NULL && out != NULL", (void)rc_store_read_csv(no_text, &out, &err));
    trips("out != NULL", (void)rc_store_rows(NULL, NULL, nowhere, &err));
    trips("path != NULL && path[0] != '\\0'", (void)rc_store_may_write("", &err));
    trips("f != NULL && (books != NULL || n == 0)",
          (void)rc_book_write_text(stderr, NULL, 1, &err));
}

static void test_imports(void **state) {
    (void)state;
    rc_import how = {.machine = NULL};
    rc_import_count count;
    volatile rc_import_format beyond = RC_IMPORT_FORMATS;
    rc_nccl_run run = {.ranks = 2, .nodes = 1};
    rc_importer importer = {0};
    trips("f < RC_IMPORT_FORMATS",
          (void)rc_import_parse(beyond, "x", "", 0, &how, rows, &count, &err));
    rc_import *volatile unsaid = NULL;
    trips("how != NULL && rows != NULL && count != NULL",
          (void)rc_import_parse(RC_IMPORT_VIDUR, "x", "", 0, unsaid, rows, &count, &err));
    trips("n <= t.n", (void)rc_piece_behind((rc_piece){"ab", 2}, 3));
    trips("test >= 0 && test < TESTS", (void)rc_nccl_test_name(RC_NCCL_NO_TEST));
    trips("test >= 0 && test < TESTS", (void)rc_nccl_test_op(RC_NCCL_NO_TEST));
    trips("run->op && run->ranks > 0 && run->nodes > 0",
          (void)rc_nccl_row(&importer, &run, 1.0, 1.0, (rc_piece){"", 0}, &err));
}

static void test_building(void **state) {
    (void)state;
    rc_built_book *built = NULL;
    rc_built_book *volatile no_built = NULL;
    rc_cost_point *points = NULL;
    rc_cost_point *volatile no_points = NULL;
    size_t n = 0;
    trips("rows != NULL && base != NULL && state != NULL && out != NULL",
          (void)rc_book_build(rows, no_text, "burst", &built, &err));
    trips("b != NULL", (void)rc_built_book_of(no_built));
    trips("rows != NULL && base != NULL && state != NULL",
          (void)rc_points_of(rows, "m", no_text, &points, &n, &err));
    trips("p != NULL && n != NULL", (void)rc_points_settle(no_points, &n, &err));
    trips("base != NULL && state != NULL", (void)rc_builtin_book(no_text, "burst"));
    trips("(y != NULL && room != NULL) || n == 0", rc_isotonic(no_numbers, NULL, 1, NULL));
}

static void test_curves(void **state) {
    (void)state;
    rc_series empty = {.n = 0};
    rc_curves no_curves = {.series = &empty, .n = 0};
    rc_axes at = {{0}};
    rc_basis basis;
    rc_probe p;
    size_t n;
    const rc_book *book = rc_builtin_book("h200-sxm", "sustained");
    trips("s->n >= 1", rc_series_at(&empty, 0.0, &p));
    trips("s->n >= 1", rc_series_rest(&empty, 0.0, &p));
    trips("s->n >= 1", (void)rc_series_reaches(&empty, 0.0));
    trips("c->n >= 1 && c->n <= RC_GRID_MAX", rc_grid_at(&no_curves, 0.0, 0.0, &p));
    trips("c->n >= 1 && c->n <= RC_GRID_MAX", rc_curves_separate(&no_curves));
    trips("op < rc_op_count()", (void)rc_book_grids(book, rc_op_count(), &n));
    trips("b != NULL && n != NULL", (void)rc_book_grids(no_book, RC_COST_GEMM, &n));
    trips("info->bound != RC_BOUND_LINK",
          (void)rc_book_find(book, RC_COST_ALL_REDUCE, RC_BF16, &at));
    const rc_book empty_book = {.base = "m", .state = "burst"};
    trips("b->grids != NULL", (void)rc_book_heads(&empty_book, RC_COST_FULL, RC_BF16, &at, &basis));
    trips("hq >= 1.0 && hkv >= 1.0", (void)rc_book_heads(book, RC_COST_FULL, RC_BF16, &at, &basis));
    trips("c->n >= 1 && c->n <= RC_GRID_MAX", rc_grid_trust(&no_curves, 0.0, 0.0, &p));
    trips("b != NULL && at != NULL", (void)rc_book_field(no_book, true, RC_BF16, &at));
}

static void test_fields(void **state) {
    (void)state;
    const rc_plan_kind *volatile no_kind = NULL;
    const rc_field *volatile no_field = NULL;
    const rc_cost_point *volatile no_points = NULL;
    rc_plan_kind kind = {.element = 2.0, .head_k = 128, .head_v = 128};
    rc_plan_call call = {.tq = 1, .sequences = 1, .hq = 1, .hkv = 1};
    rc_tile_plan plan;
    double place[RC_FIELD_AXES];
    rc_field *fields;
    size_t n;
    trips("kind != NULL && call != NULL && out != NULL", rc_plan_of(no_kind, &call, &plan));
    trips("call->tk >= 1 && call->sequences >= 1 && call->hkv >= 1 && call->hq >= call->hkv",
          rc_plan_of(&kind, &call, &plan));
    trips("f != NULL && c != NULL && at != NULL", rc_field_place(no_field, &call, place));
    trips("(p != NULL || n == 0) && arena != NULL && out != NULL && count != NULL",
          (void)rc_fields_of(no_points, 1, false, NULL, &fields, &n, &err));
}

static void test_prices(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_TOKENS] = 1, [RC_AXIS_OUTPUTS] = 1, [RC_AXIS_INPUTS] = 1}},
            zero = {{0}};
    rc_asked int4 = {RC_COST_GEMM, RC_COST_GEMM, RC_INT4, &at};
    rc_asked bf16 = {RC_COST_GEMM, RC_COST_GEMM, RC_BF16, &at};
    rc_asked nothing = {RC_COST_GEMM, RC_COST_GEMM, RC_BF16, &zero};
    rc_op norm = rc_op_named("rmsnorm");
    rc_asked empty = {norm, norm, RC_BF16, &zero};
    rc_probe p = {0.0, 0.0, RC_MEASURED};
    const rc_machine *m = rc_costs_machine(costs);
    trips("rc_product_type_of(a->d) < RC_PRODUCT_TYPES",
          (void)rc_price_product(costs, &int4, &cost, &err));
    trips("s.m >= 1.0 && s.n >= 1.0 && s.k >= 1.0",
          (void)rc_price_product(costs, &nothing, &cost, &err));
    trips("a->d != RC_BF16 && a->d != RC_FP8 && a->d != RC_FP32",
          (void)rc_price_quantised(costs, &bf16, &cost, &err));
    trips("a->d == RC_INT4", (void)rc_price_packed(costs, RC_PRICE_DECODE, &bf16, &cost, &err));
    trips("a->at->at[RC_AXIS_TOKENS] >= 1 && info->width(a->at) >= 1.0",
          (void)rc_price_width(costs, &empty, &cost, &err));
    trips("d == RC_BF16 || d == RC_FP8 || d == RC_FP8_BLOCK",
          (void)rc_carry(m, &p, RC_COST_GEMM, RC_INT4, &at, &cost, &err));
    trips("info->work != NULL && info->bound != RC_BOUND_LINK",
          (void)rc_carry(m, &p, RC_COST_SEND_RECV, RC_BF16, &at, &cost, &err));
    trips("nodes > 1 && ranks >= nodes && ranks % nodes == 0 && bytes >= 0.0",
          (void)rc_nccl_between_nodes(m, RC_COST_ALL_REDUCE, 1.0, 8, 1 + none, &cost, &err));
}

static void test_costs(void **state) {
    (void)state;
    rc_axes at = {{0}};
    rc_costs *out = NULL;
    rc_p2p message;
    const rc_machine *volatile no_machine = NULL;
    const rc_row *volatile no_row = NULL;
    const rc_cost *volatile no_cost = NULL;
    trips("m != NULL && out != NULL", (void)rc_costs_open(NULL, no_machine, &out, &err));
    trips("c != NULL && m != NULL && out != NULL",
          (void)rc_costs_view(costs, no_machine, &out, &err));
    trips("rows != NULL",
          (void)rc_costs_view_over(costs, rc_costs_machine(costs), no_rows, &out, &err));
    trips("c != NULL", (void)rc_costs_machine(no_costs));
    trips("c != NULL", (void)rc_cost_has_products(no_costs, RC_BF16));
    trips("c != NULL && at != NULL && out != NULL && op < rc_op_count()",
          (void)rc_cost_op(costs, rc_op_count(), RC_BF16, &at, &cost, &err));
    trips("c != NULL && row != NULL", (void)rc_cost_row(costs, no_row, &cost, &err));
    trips("c != NULL && name != NULL && at != NULL",
          (void)rc_cost_named(costs, no_text, RC_BF16, &at, &cost, &err));
    trips(
        "longest != NULL && rows >= 1 && entries >= 0",
        (void)rc_cost_attention_fused(costs, RC_BF16, 1, 1, no_cost, SYN_HEADS(1, 1), &cost, &err));
    trips("sequences >= 1",
          (void)rc_cost_attention_alike(costs, RC_BF16, 1, 0, 1, 1, SYN_HEADS(1, 1), &cost, &err));
    trips("longest >= context",
          (void)rc_cost_decode_ragged(costs, RC_BF16, 1, 2, 1, SYN_HEADS(1, 1), &cost, &err));
    trips("c != NULL && op != NULL && x != NULL && out != NULL",
          (void)rc_cost_collective(
              costs, no_text, &(rc_transfer){.bytes = 1.0, .ranks = 2, .nodes = 1}, &cost, &err));
    trips("ranks >= 2 && ctas >= 0 && bytes >= 0.0", (void)rc_nccl_channels(true, 1, 0, 1.0));
    trips("c != NULL && x != NULL && out != NULL",
          (void)rc_cost_p2p(no_costs, &(rc_transfer){.bytes = 1.0, .ranks = 2, .nodes = 1},
                            &message, &err));
}

static void test_bases(void **state) {
    (void)state;
    double share[RC_BASIS_COUNT] = {0.0};
    char text[RC_BASIS_TEXT];
    volatile rc_basis beyond = RC_BASIS_COUNT;
    trips("b < RC_BASIS_COUNT", (void)rc_basis_name(beyond));
    trips("b < RC_BASIS_COUNT", (void)rc_basis_words(beyond));
    trips("amount != NULL && share != NULL", rc_basis_share(share, no_numbers));
    trips("buf != NULL && size >= RC_BASIS_TEXT",
          (void)rc_basis_text(share, text, sizeof text - 1 + (size_t)none));
}

static void test_nearness(void **state) {
    (void)state;
    rc_axes at = {{[RC_AXIS_BYTES] = 1}};
    rc_nearness near;
    rc_class_errors *volatile no_errors = NULL;
    rc_built_book *volatile no_built = NULL;
    trips("b != NULL && at != NULL && out != NULL",
          rc_nearness_of(no_book, RC_COST_COPY, RC_BF16, &at, RC_MEASURED, &near));
    trips("info->along != RC_AXIS_NONE && info->bound != RC_BOUND_LINK",
          rc_nearness_of(costs->book, RC_COST_SEND_RECV, RC_BF16, &at, RC_MEASURED, &near));
    trips("e != NULL && near != NULL && op < rc_op_count()",
          (void)rc_class_spread(no_errors, RC_COST_COPY, RC_BF16, &near));
    trips("b != NULL && e != NULL", rc_built_book_set_errors(no_built, &costs->book->errors));
    trips("b != NULL && rows != NULL", (void)rc_book_learn(no_built, rows, 5, &err));
    rc_built_book *built = NULL;
    assert_int_equal(rc_book_build(rows, "h100-sxm", "burst", &built, &err), RC_OK);
    trips("most >= FEWEST", (void)rc_book_learn(built, rows, 4, &err));
    rc_built_book_free(built);
}

static void test_plans(void **state) {
    (void)state;
    const rc_product_rates rates = {.flops = 8e14, .bytes = 3e12, .sms = 132.0}, none_known = {0};
    volatile double nothing = 0.0;
    trips("gpu != NULL", (void)rc_gpu_sms(no_text));
    trips("r != NULL && r->flops > 0.0 && r->bytes > 0.0 && r->sms >= 1.0",
          (void)rc_gemm_plan(&none_known, RC_BF16, 1.0, 1.0, 1.0));
    trips("m >= 1.0 && n >= 1.0 && k >= 1.0",
          (void)rc_gemm_plan(&rates, RC_BF16, nothing, 1.0, 1.0));
    trips("rc_product_type_of(d) < RC_PRODUCT_TYPES",
          (void)rc_gemm_plan(&rates, RC_INT4, 1.0, 1.0, 1.0));
    trips("b != NULL", (void)rc_book_products(no_book, RC_BF16));
}

static void test_leaving_out(void **state) {
    (void)state;
    rc_machine m = syn_machine();
    rc_left_out *out;
    rc_left_out_errors errors;
    rc_machine *volatile no_machine = NULL;
    const rc_left_out *const *volatile no_points = NULL;
    volatile rc_left_out_by beyond = RC_LEFT_OUT_COUNT;
    size_t n;
    trips("by < RC_LEFT_OUT_COUNT", (void)rc_left_out_name(beyond));
    trips("name != NULL && state != NULL && out != NULL",
          rc_machine_of_rows("x", "burst", no_machine));
    const rc_leaving how = {.by = RC_LEFT_OUT_ROW}, no_way = {.by = beyond};
    trips("rows != NULL && m != NULL && how != NULL && out != NULL && n != NULL",
          (void)rc_leave_out(no_rows, &m, &how, &out, &n, &err));
    trips("how->by < RC_LEFT_OUT_COUNT", (void)rc_leave_out(rows, &m, &no_way, &out, &n, &err));
    trips("out != NULL && (at != NULL || n == 0)",
          (void)rc_left_out_errors_of(no_points, 1, &errors, &err));
}

static void test_power(void **state) {
    (void)state;
    rc_power p = {.known = true, .boost = 2000.0};
    const rc_power dark = {.known = false};
    rc_load load = {.memory = 0};
    rc_call_load call = {.class = RC_POWER_OTHER};
    rc_costs *slower;
    volatile double stopped = 0.0;
    trips("c != NULL", (void)rc_costs_power(no_costs));
    trips("c != NULL && count != NULL", (void)rc_costs_cards(costs, NULL));
    trips("c != NULL && p != NULL", (void)rc_costs_power_limit(costs, NULL));
    trips("pace.clock > 0.0 && pace.clock <= 1.0",
          rc_costs_at_pace(costs, (rc_pace){stopped, NULL}, &slower, &err));
    trips("x > 0.0 && x <= 1.0", (void)rc_power_longer(&p, &load, stopped));
    trips("rows != NULL && base != NULL && cards != NULL",
          rc_power_cards(no_rows, "h200-sxm", NULL, &err));
    trips("x > 0.0 && x <= 1.0 && class < RC_POWER_CLASSES",
          (void)rc_power_slows(&p, RC_POWER_GEMM, 1.0, stopped));
    trips("x->class < RC_POWER_CLASSES && times >= 0", rc_load_add(&load, &call, -1));
    trips("rows != NULL && card >= 0 && out != NULL", rc_rows_of_card(no_rows, 0, NULL, &err));
    trips("n >= 1", (void)rc_power_thirstiest(none));
    trips("p->known && t >= 0.0", (void)rc_power_solve(&dark, &load, 1.0, 700.0));
    trips("rows != NULL && base != NULL && out != NULL",
          rc_power_of_rows(no_rows, "h200-sxm", RC_NO_CARD, &p, &err));
}

static void test_surfaces(void **state) {
    (void)state;
    const rc_surface *volatile no_surface = NULL;
    const rc_call_plan *volatile no_plan = NULL;
    const rc_call_kind *volatile no_kind = NULL;
    rc_call_plan plan;
    const rc_constants_fit *volatile no_fit = NULL;
    const rc_row *volatile no_row = NULL;
    const rc_constants_fit empty = {.constants = (size_t)none};
    const rc_axes at = {{0}};
    rc_surface s = {.n = 0}, *out;
    rc_surface_answer a;
    rc_dtype d;
    double theta[RC_FIT_CONSTANTS] = {0.0};
    size_t n;
    trips("p != NULL && c != NULL && c[RATE] > 0.0", (void)rc_call_time(no_plan, theta));
    trips("kind != NULL && at != NULL && out != NULL",
          rc_call_scaled(no_kind, &at, RC_BF16, &plan));
    trips("f != NULL && theta != NULL", rc_fit_constants(no_fit, theta));
    trips("f->constants >= 1 && f->constants <= RC_FIT_CONSTANTS", rc_fit_constants(&empty, theta));
    trips("s != NULL && at != NULL && out != NULL", rc_surface_at(no_surface, &at, &a));
    trips("s != NULL && left < s->n && out != NULL", rc_surface_without(&s, (size_t)none, &a));
    trips("b != NULL && at != NULL && out != NULL",
          (void)rc_surface_near(no_book, 0, RC_BF16, NULL, &at, &a));
    trips("rows != NULL && base != NULL && state != NULL && arena != NULL",
          (void)rc_surfaces_of(no_rows, "x", "burst", NULL, &out, &n, &err));
    rc_arena *arena = rc_arena_create();
    size_t *volatile nowhere = NULL;
    trips("out != NULL && count != NULL",
          (void)rc_surfaces_of(rows, "x", "burst", arena, &out, nowhere, &err));
    rc_arena_destroy(arena);
    trips("r != NULL && op < rc_op_count() && out != NULL", (void)rc_row_type(no_row, 0, &d));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_experts),      cmocka_unit_test(test_asks),
        cmocka_unit_test(test_table_of_ops), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_imports),
        cmocka_unit_test(test_building),     cmocka_unit_test(test_curves),
        cmocka_unit_test(test_prices),       cmocka_unit_test(test_costs),
        cmocka_unit_test(test_bases),        cmocka_unit_test(test_leaving_out),
        cmocka_unit_test(test_plans),        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_power),        cmocka_unit_test(test_nearness),
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_surfaces),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
