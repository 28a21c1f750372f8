/* JSON, one object a line, as traces have it: RFC 8259 without a tree. Most of what is read are a
 * million lines of a few dozen block ids each, so the known members are found in one pass and lists
 * of numbers go straight into runs. A library's tree takes several times as long:
 * tests/bench/bench_trace.c measures both.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "sim/trace/reader.h"

enum { DEPTH = 32 };

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static void blanks(rc_cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
        c->p++;
}

static bool wrong(rc_cursor *c, const char *expected) {
    if (c->p == c->end)
        return rc_bad(c->r, RC_FAULT_SYNTAX, c->p, "the line ends, expected %s", expected);
    unsigned char found = (unsigned char)*c->p;
    if (found < 0x20 || found > 0x7e)
        return rc_bad(c->r, RC_FAULT_SYNTAX, c->p, "found byte 0x%02x, expected %s", found,
                      expected);
    return rc_bad(c->r, RC_FAULT_SYNTAX, c->p, "found '%c', expected %s", found, expected);
}

static bool hex(char c) {
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool escape(rc_cursor *c) {
    if (c->p == c->end)
        return wrong(c, "an escape");
    char e = *c->p;
    if (e == 'u') {
        for (int i = 1; i <= 4; i++)
            if (c->p + i >= c->end || !hex(c->p[i]))
                return wrong(c, "four hexadecimal digits after u");
        c->p += 5;
        return true;
    }
    if (e == '\0' || !strchr("\"\\/bfnrt", e))
        return wrong(c, "an escape");
    c->p++;
    return true;
}

static bool text(rc_cursor *c, rc_slice *out) {
    if (c->p == c->end || *c->p != '"')
        return wrong(c, "a text in quotes");
    const char *from = ++c->p;
    while (c->p < c->end && *c->p != '"') {
        if ((unsigned char)*c->p < 0x20)
            return wrong(c, "text without control characters");
        if (*c->p++ == '\\' && !escape(c))
            return false;
    }
    if (c->p == c->end)
        return wrong(c, "the closing quote");
    *out = (rc_slice){from, (size_t)(c->p - from)};
    c->p++;
    return true;
}

static bool some_digits(rc_cursor *c) {
    const char *from = c->p;
    while (c->p < c->end && digit(*c->p))
        c->p++;
    return c->p > from || wrong(c, "a digit");
}

static bool number(rc_cursor *c, rc_slice *out) {
    const char *from = c->p;
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (!some_digits(c))
        return false;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (!some_digits(c))
            return false;
    }
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        c->p++;
        if (c->p < c->end && (*c->p == '-' || *c->p == '+'))
            c->p++;
        if (!some_digits(c))
            return false;
    }
    *out = (rc_slice){from, (size_t)(c->p - from)};
    return true;
}

static bool word(rc_cursor *c, const char *w) {
    size_t n = strlen(w);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, w, n) != 0)
        return wrong(c, "a value");
    c->p += n;
    return true;
}

static bool scalar(rc_cursor *c, rc_value *out) {
    blanks(c);
    out->text.p = c->p;
    if (c->p == c->end)
        return wrong(c, "a value");
    if (*c->p == '"') {
        out->kind = RC_VALUE_TEXT;
        return text(c, &out->text);
    }
    if (*c->p == '-' || digit(*c->p)) {
        out->kind = RC_VALUE_NUMBER;
        return number(c, &out->text);
    }
    out->kind = *c->p == 'n' ? RC_VALUE_NULL : RC_VALUE_OTHER;
    bool ok = word(c, *c->p == 'n' ? "null" : *c->p == 't' ? "true" : "false");
    out->text.n = (size_t)(c->p - out->text.p);
    return ok;
}

/* Anything, nested or not; without recursion, the open brackets on a small stack. */
static bool any(rc_cursor *c, rc_value *out) {
    char open[DEPTH] = {0};
    int depth = 0;
    rc_value inner;
    blanks(c);
    if (c->p == c->end || (*c->p != '[' && *c->p != '{'))
        return scalar(c, out);
    *out = (rc_value){RC_VALUE_NESTED, {c->p, 0}};
    for (bool value = true;;) { /* value: one may start here */
        blanks(c);
        char x = c->p < c->end ? *c->p : '\0';
        if (value && (x == '[' || x == '{')) {
            if (depth == DEPTH)
                return wrong(c, "at most 32 brackets deep");
            open[depth++] = x;
            c->p++;
            blanks(c);
            bool empty = c->p < c->end && *c->p == (x == '[' ? ']' : '}');
            value = !empty;
        } else if (value) {
            if (!scalar(c, &inner))
                return false;
            value = false;
        } else if (depth > 0 && x == (open[depth - 1] == '[' ? ']' : '}')) {
            c->p++;
            if (--depth == 0)
                break;
            continue;
        } else if (x == ',') {
            c->p++;
            value = true;
        } else {
            return wrong(c, "',' or a closing bracket");
        }
        if (value && depth > 0 && open[depth - 1] == '{') { /* a key comes first */
            rc_slice key;
            blanks(c);
            if (!text(c, &key))
                return false;
            blanks(c);
            if (c->p == c->end || *c->p != ':')
                return wrong(c, "':'");
            c->p++;
        }
    }
    out->text.n = (size_t)(c->p - out->text.p);
    return true;
}

static rc_member *find(rc_member *known, size_t count, rc_slice key) {
    for (size_t i = 0; i < count; i++)
        if (strlen(known[i].name) == key.n && memcmp(known[i].name, key.p, key.n) == 0)
            return &known[i];
    return NULL;
}

static bool member(rc_cursor *c, rc_member *known, size_t count) {
    rc_slice key;
    rc_value skipped;
    blanks(c);
    if (!text(c, &key))
        return false;
    rc_member *m = find(known, count, key);
    if (m && m->value.kind != RC_VALUE_NONE)
        return rc_bad(c->r, RC_FAULT_SYNTAX, key.p, "'%s' is there twice", m->name);
    blanks(c);
    if (c->p == c->end || *c->p != ':')
        return wrong(c, "':'");
    c->p++;
    return any(c, m ? &m->value : &skipped);
}

bool rc_json_line(rc_reader *r, rc_member *known, size_t count) {
    return rc_json_members(r, (rc_slice){r->row, (size_t)(r->end - r->row)}, known, count);
}

bool rc_json_members(rc_reader *r, rc_slice object, rc_member *known, size_t count) {
    assert(known != NULL || count == 0);
    rc_cursor cursor = {object.p, object.p + object.n, r}, *c = &cursor;
    for (size_t i = 0; i < count; i++)
        known[i].value = (rc_value){RC_VALUE_NONE, {NULL, 0}};
    blanks(c);
    if (c->p == c->end || *c->p != '{')
        return wrong(c, "'{': one JSON object a line");
    c->p++;
    blanks(c);
    if (c->p < c->end && *c->p == '}') {
        c->p++;
    } else {
        for (bool more = true; more;) {
            if (!member(c, known, count))
                return false;
            blanks(c);
            more = c->p < c->end && *c->p == ',';
            if (!more && (c->p == c->end || *c->p != '}'))
                return wrong(c, "',' or '}'");
            c->p++;
        }
    }
    blanks(c);
    return c->p == c->end || wrong(c, "nothing behind the object");
}

void rc_json_keys(rc_reader *r, char *out, size_t size) {
    assert(size > 0);
    assert(r->row < r->end);
    rc_cursor cursor = {r->row, r->end, r}, *c = &cursor;
    size_t n = 0;
    rc_value skipped;
    rc_slice key;
    out[0] = '\0';
    blanks(c);
    for (c->p++; n + 8 < size; c->p++) { /* '{' or ',' */
        blanks(c);
        if (!text(c, &key))
            return;
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", n ? ", " : "",
                              (int)(key.n < size - n - 8 ? key.n : size - n - 8), key.p);
        blanks(c);
        if (c->p == c->end || *c->p++ != ':' || !any(c, &skipped))
            return;
        blanks(c);
        if (c->p == c->end || *c->p != ',')
            return;
    }
}

bool rc_json_value(rc_reader *r, const char **p, const char *end, rc_value *out) {
    assert(*p <= end);
    rc_cursor c = {*p, end, r};
    if (!any(&c, out))
        return false;
    blanks(&c);
    *p = c.p;
    return true;
}

bool rc_json_item(rc_reader *r, const char **p, const char *end, rc_value *out, bool *more) {
    assert(*p <= end);
    rc_cursor c = {*p, end, r};
    bool first = c.p < end && *c.p == '[';
    blanks(&c);
    if (c.p < end && *c.p == ']') {
        *more = false;
        *p = c.p + 1;
        return true;
    }
    if (c.p == end || (*c.p != ',' && !first))
        return wrong(&c, "',' or ']'");
    c.p++;
    blanks(&c);
    *more = !(first && c.p < end && *c.p == ']');
    if (*more && !any(&c, out))
        return false;
    *p = *more ? c.p : c.p + 1;
    return true;
}

bool rc_json_path(rc_reader *r, rc_slice object, const char *path, rc_value *out) {
    assert(path[0] != '\0');
    assert(object.n > 0);
    char name[64];
    rc_value at = {RC_VALUE_NESTED, object};
    for (;;) {
        const char *dot = strchr(path, '.');
        size_t n = dot ? (size_t)(dot - path) : strlen(path);
        rc_member m = {name, {0}};
        if (n >= sizeof name || at.kind != RC_VALUE_NESTED || at.text.p[0] != '{') {
            *out = (rc_value){RC_VALUE_NONE, {at.text.p, 0}};
            return true;
        }
        memcpy(name, path, n);
        name[n] = '\0';
        if (!rc_json_members(r, at.text, &m, 1))
            return false;
        at = m.value;
        if (!dot)
            break;
        path = dot + 1;
    }
    *out = at;
    return true;
}

bool rc_json_need(rc_reader *r, const rc_member *m, rc_value_kind kind) {
    assert(kind == RC_VALUE_NUMBER || kind == RC_VALUE_TEXT || kind == RC_VALUE_NESTED);
    if (m->value.kind == kind)
        return true;
    if (rc_member_absent(m))
        return rc_bad(r, RC_FAULT_MISSING, m->value.text.p, "'%s' is missing", m->name);
    return rc_bad(r, RC_FAULT_SYNTAX, m->value.text.p, "'%s' is not %s", m->name,
                  kind == RC_VALUE_NUMBER ? "a number"
                  : kind == RC_VALUE_TEXT ? "a text"
                                          : "a list");
}

/* ---------------------------------------------------------------- lists of blocks --------- */
/* A block id: a whole number of up to 64 bits. The text is known to be a list of JSON, which ends behind it. */
static bool block_id(rc_cursor *c, const char *what, uint64_t *out) {
    const char *from = c->p;
    blanks(c);
    if (*c->p == '-')
        return rc_bad(c->r, RC_FAULT_NEGATIVE, c->p, "a block %s below zero", what);
    if (!digit(*c->p))
        return rc_bad(c->r, RC_FAULT_SYNTAX, c->p, "a block %s that is no number", what);
    *out = 0;
    for (; digit(*c->p); c->p++) {
        uint64_t d = (uint64_t)(*c->p - '0');
        if (*out > (UINT64_MAX - d) / 10)
            return rc_bad(c->r, RC_FAULT_ABSURD, from, "a block %s of more than 64 bits", what);
        *out = *out * 10 + d;
    }
    if (*c->p == '.' || *c->p == 'e' || *c->p == 'E')
        return rc_bad(c->r, RC_FAULT_ABSURD, from, "a block %s that is not whole", what);
    blanks(c);
    return true;
}

static bool push_raw(rc_reader *r, uint64_t first, uint32_t count) {
    if (!rc_reader_room(r, &r->raw, &r->raw_room, r->raws + 1, sizeof *r->raw))
        return false;
    r->raw[r->raws++] = (rc_raw_span){first, count};
    return true;
}

static bool list_empty(rc_cursor *c) {
    c->p++; /* '[' */
    blanks(c);
    return *c->p == ']';
}

bool rc_json_ids(rc_reader *r, rc_slice list) {
    assert(list.n > 0); /* a value that was found */
    rc_cursor cursor = {list.p, list.p + list.n, r}, *c = &cursor;
    r->raws = 0;
    if (*c->p != '[')
        return rc_bad(r, RC_FAULT_SYNTAX, list.p, "blocks are not in a list");
    if (list_empty(c))
        return true;
    for (;;) {
        uint64_t id;
        if (!block_id(c, "id", &id))
            return false;
        rc_raw_span *last = r->raws > 0 ? &r->raw[r->raws - 1] : NULL;
        if (last && id == last->first + last->count && id > last->first)
            last->count++;
        else if (!push_raw(r, id, 1))
            return false;
        if (*c->p == ']')
            return true;
        c->p++; /* ',' */
    }
}

bool rc_json_ranges(rc_reader *r, rc_slice list) {
    assert(list.n > 0); /* a value that was found */
    rc_cursor cursor = {list.p, list.p + list.n, r}, *c = &cursor;
    r->raws = 0;
    if (*c->p != '[')
        return rc_bad(r, RC_FAULT_SYNTAX, list.p, "ranges of blocks are not in a list");
    if (list_empty(c))
        return true;
    for (;;) {
        uint64_t first = 0, count = 0;
        blanks(c);
        const char *at = c->p;
        if (*c->p != '[' || list_empty(c))
            return rc_bad(r, RC_FAULT_SYNTAX, at, "a range is not [first, count]");
        if (!block_id(c, "id", &first))
            return false;
        if (*c->p++ != ',' || !block_id(c, "count", &count))
            return r->why[0] != '\0'
                       ? false
                       : rc_bad(r, RC_FAULT_SYNTAX, at, "a range is not [first, count]");
        if (*c->p++ != ']')
            return rc_bad(r, RC_FAULT_SYNTAX, at, "a range is not [first, count]");
        if (count == 0)
            return rc_bad(r, RC_FAULT_ZERO, at, "a range of 0 blocks");
        if (count > RC_TRACE_MAX_INPUT || first > RC_TRACE_MAX_INPUT)
            return rc_bad(r, RC_FAULT_ABSURD, at, "a range beyond block %d", RC_TRACE_MAX_INPUT);
        if (!push_raw(r, first, (uint32_t)count))
            return false;
        blanks(c);
        if (*c->p == ']')
            return true;
        c->p++; /* ',' */
    }
}
