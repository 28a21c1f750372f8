# What tests/mutate does with a small project: which changes it finds, draws, proves equal, sees killed and survive.
# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import io
import os
import re
import sys
import tempfile
import unittest
from unittest import mock

import judge
import mutants
import mutate
import reach
import sanitizers

SOURCE = """/* a < b + 1 */
#define LESS 1 < 2
#include <assert.h>
static const char *text = "a + b";
int add(int a, int b);
int add(int a, int b) {
    assert(a < 100);
    if (a == 7)
        return b + 7;
    return a + b;
}
unsigned never(unsigned a);
unsigned never(unsigned a) {
    return a < 0U ? 5 : 3;
}
int alone(int a);
int alone(int a) {
    return a + 1;
}
"""
PROJECT_HEAD = """cmake_minimum_required(VERSION 3.25)
project(toy C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(RC_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
"""
PROJECT = PROJECT_HEAD + """add_library(rc_toy SHARED sim/toy/toy.c)
enable_testing()
add_executable(test_toy_add test.c)
target_link_libraries(test_toy_add rc_toy)
add_test(NAME test_toy_add COMMAND test_toy_add)
"""
# What only a sanitizer sees: room for one less, which malloc gives nevertheless.
HEAP = """#include <stdlib.h>
int last(int n);
int last(int n) {
    int *v = malloc(((size_t)n + 1) * sizeof *v);
    if (!v)
        return -1;
    for (int i = 0; i <= n; i++)
        v[i] = i + 7;
    int at = v[n];
    free(v);
    return at;
}
"""
HEAP_CHANGE = """- int *v = malloc(((size_t)n + 1) * sizeof *v);
+ int *v = malloc(((size_t)n + 0) * sizeof *v);
"""
PRESETS = """{"version": 6, "configurePresets": [{"name": "sanitize", "generator": "Ninja", "binaryDir": "build", "cacheVariables": {
"CMAKE_BUILD_TYPE": "Debug", "CMAKE_C_COMPILER": "clang", "RC_SANITIZE": "address,undefined"}}]}
"""
# Sources alike in three libraries, of each one test: test_clean is without fault, test_leaks leaks without a change, too, and
# test_once, run by a script, passes but once.
HEAPS_PROJECT = PROJECT_HEAD + """if(RC_SANITIZE)
  add_compile_options(-fsanitize=${RC_SANITIZE})
  add_link_options(-fsanitize=${RC_SANITIZE})
endif()
enable_testing()
foreach(name clean leaks once)
  add_library(rc_${name} SHARED sim/${name}/${name}.c)
  add_executable(test_${name} test_${name}.c)
  target_link_libraries(test_${name} rc_${name})
endforeach()
add_test(NAME test_clean COMMAND test_clean)
add_test(NAME test_leaks COMMAND test_leaks)
add_test(NAME test_once COMMAND sh ${CMAKE_SOURCE_DIR}/once.sh $<TARGET_FILE:test_once> "${RC_SANITIZE}" ${CMAKE_BINARY_DIR}/ran)
"""
ONCE = """if [ -n "$2" ] && [ -e "$3" ]; then exit 1; fi
: >"$3"
"$1"
"""
HEAP_TEST = "#include <stdlib.h>\nint last(int);\nvoid *kept;\nint main(void) { return last(3) != 10; }\n"
LEAKS_TEST = HEAP_TEST.replace("return", "kept = malloc(9);\n    kept = NULL;\n    return")
TEST = "int add(int, int);\nunsigned never(unsigned);\nint main(void) { return add(1, 2) != 3 || never(1) != 3; }\n"


def found(text):
    return {(c.kind, c.line, text[c.start:c.end], c.new) for c in mutants.changes(text)}


class Changes(unittest.TestCase):
    def test_code_alone(self):
        self.assertEqual({line for _, line, _, _ in found(SOURCE)}, {8, 9, 10, 14, 18})

    def test_kinds(self):
        some = found(SOURCE)
        for one in [("bound", 8, "==", "!="), ("operator", 10, "+", "-"), ("constant", 9, "7", "8"), ("constant", 9, "7", "6"),
                    ("operator", 8, "a == 7", "!(a == 7)"), ("bound", 14, "<", "<="), ("bound", 14, "<", ">=")]:
            self.assertIn(one, some)

    def test_calls(self):
        text = "void f(void) {\n    count(x);\n    free(x);\n    y = fmin(a, 0.5);\n    return g(true);\n}\n"
        self.assertEqual(found(text), {("call", 2, "count(x);", ";"), ("call", 4, "fmin", "fmax"),
                                       ("constant", 4, "0.5", "0.75"), ("constant", 5, "true", "false")})

    def test_places(self):
        text = 'void f(void) {\n    x = rc_fail_at(err, 1, "f", 0, 0, "no line");\n    x = rc_fail_at(err, 1, "f", n, 0, "a line");\n}\n'
        self.assertEqual({(line, old) for kind, line, old, _ in found(text) if kind == "constant" and old == "0"},
                         {(2, "0"), (3, "0")})
        self.assertEqual(len([1 for c in mutants.changes(text) if c.line == 2 and text[c.start] == "0"]), 1)

    def test_first_room(self):
        text = "void f(void) {\n    size_t room = x->cap ? 2 * x->cap : 256;\n}\n"
        self.assertEqual({new for _, _, old, new in found(text)}, {"1", "3", "/"})
        self.assertEqual({new for _, _, _, new in found("void f(void) {\n    p = malloc(n + 1);\n}\n")}, {"0", "-"})

    def test_first_rooms(self):
        """However the list's room is called and the doubling is written; a room that does not grow stays drawn."""
        for grows in ("r->row_room ? 2 * r->row_room", "step_room ? step_room * 2", "*room ? *room * 2", "a->room > 0 ? 2 * a->room"):
            drawn = {new for _, _, _, new in found(f"void f(void) {{\n    n = {grows} : 64;\n}}\n")}
            self.assertEqual(drawn & {"63", "65"}, set(), grows)
            self.assertIn("3", drawn, grows)
        self.assertIn("65", {new for _, _, _, new in found("void f(void) {\n    n = broom_of ? 2 * broom : 64;\n}\n")})
        named = "enum { FIRST = 8, LAST = 9 };\nvoid f(void) {\n    n = x->run_room ? 2 * x->run_room : FIRST;\n}\n"
        self.assertEqual({(line, new) for kind, line, _, new in found(named) if line == 1}, {(1, "10"), (1, "8")})

    def test_of_two(self):
        text = "void f(void) {\n    x = a->n < most ? a->n : (int)most;\n    y = a < b ? a : c;\n    z = f(x, i) > z ? f(x, i) : z;\n}\n"
        self.assertEqual({(line, new) for kind, line, _, new in found(text) if kind == "bound"}, {(2, ">="), (3, "<="), (3, ">="), (4, "<=")})

    def test_of_two_sums(self):
        text = ("void f(void) {\n    x = n < r->input - 1 ? (int)n : r->input - 1;\n    y = b < BINS ? b : BINS - 1;\n"
                "    if (v > h->most)\n        h->most = v;\n    if (v > h->most) {\n        h->most = v;\n        at = i;\n    }\n}\n")
        self.assertEqual({(line, new) for kind, line, _, new in found(text) if kind == "bound"},
                         {(2, ">="), (3, "<="), (3, ">="), (4, "<="), (6, "<="), (6, ">=")})

    def test_buffers_and_zero(self):
        self.assertEqual(found("void f(void) {\n    char name[64];\n    x[0] = 0;\n}\n"),
                         {("constant", 3, "0", "1")})


class Project(unittest.TestCase):
    """A project in a folder of its own, made of `files`."""

    files = {}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = os.path.join(self.folder.name, "toy")
        for name, text in {**self.files, "lists/equivalents": "", "lists/known": ""}.items():
            self.write(name, text)
        cwd = os.getcwd()
        os.chdir(self.root)
        self.addCleanup(os.chdir, cwd)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def run_it(self, *args):
        out = io.StringIO()
        with mock.patch.object(mutate, "ROOT", self.root), mock.patch.object(mutate, "HERE", os.path.join(self.root, "lists")), \
                mock.patch.object(sys, "argv", ["mutate", *args]), contextlib.redirect_stdout(out):
            status = mutate.main()
        return status, out.getvalue()


@unittest.skipUnless(sanitizers.available(), "no clang with sanitizers")
class Heaps(Project):
    files = {"CMakeLists.txt": HEAPS_PROJECT, "CMakePresets.json": PRESETS, "once.sh": ONCE, "test_clean.c": HEAP_TEST,
             "test_leaks.c": LEAKS_TEST, "test_once.c": HEAP_TEST,
             **{f"sim/{name}/{name}.c": HEAP for name in ("clean", "leaks", "once")}}

    def test_sanitizers(self):
        self.write("lists/known", "\n".join(f"sim/{name}/{name}.c\n{HEAP_CHANGE}room for one less\n" for name in ("clean", "leaks", "once")))
        said = self.run_it("--known")[1]
        fates = {line.split(": ")[1].split("/")[1]: line.split(" (")[0] for line in said.split("\n") if "  ->  " in line}
        self.assertEqual(fates, {"clean": "by sanitizers", "leaks": "survived", "once": "survived"})
        self.assertRegex(said, r"\n  all +3 +0 +0 +1 +0 +0 +2 +33\.3 %")
        self.assertRegex(said, r"\nasked under sanitizers: 3, \d")


class Toy(Project):
    files = {"sim/toy/toy.c": SOURCE, "CMakeLists.txt": PROJECT, "test.c": TEST}

    def test_all(self):
        status, said = self.run_it("sim/toy", "--count", "100", "--plain")
        self.assertEqual(status, 0)
        lines = said.split("\n")
        self.assertIn("killed (test_toy_add): sim/toy/toy.c:10: return a + b;  ->  return a - b;", lines)
        self.assertIn("survived (1 test reaches it): sim/toy/toy.c:9: return b + 7;  ->  return b - 7;", lines)
        self.assertIn("survived (no test reaches it): sim/toy/toy.c:18: return a + 1;  ->  return a - 1;", lines)
        self.assertIn("survived (1 test reaches it): sim/toy/toy.c:8: if (a == 7)  ->  if (a == 8)", lines)
        self.assertIn("proved equal: sim/toy/toy.c:14: return a < 0U ? 5 : 3;  ->  return a < 0U ? 6 : 3;", lines)
        with open(os.path.join(self.root, "sim/toy/toy.c")) as f:
            self.assertEqual(f.read(), SOURCE) # nothing is changed but in the copy
        with open(os.path.join(self.root, "build/mutate/tree/sim/toy/toy.c")) as f:
            self.assertEqual(f.read(), SOURCE) # and there it is put back
        self.assertEqual(self.run_it("sim/toy", "--count", "3", "--list", "--seed", "4"),
                         self.run_it("sim/toy", "--count", "3", "--list", "--seed", "4"))
        entry = "sim/toy/toy.c\n- return b + 7;\n+ return b - 7;\nnobody adds to seven\n"
        self.write("lists/known", entry)
        self.assertEqual(self.run_it("--known", "--plain")[0], 1)
        self.write("lists/equivalents", entry)
        status, said = self.run_it("--known", "--plain")
        self.assertEqual(status, 0)
        self.assertIn("named equal (nobody adds to seven)", said)

    def test_reached(self):
        functions = [(3, 5, 0), (7, 9, 2)]
        self.assertEqual([reach.reached_from(functions, l) for l in (1, 3, 5, 6, 7, 9, 20)],
                         [True, False, False, True, True, True, True])
        self.assertFalse(reach.reached_from([(3, 5, 0)], 1))

    def test_beside(self):
        counted = object.__new__(reach.Reach)
        counted.known = {("calls", "a.c"): [[(1, 5, 0), (7, 9, 3)]], ("loads", "a.c"): [[(1, 5, 0), (7, 9, 0)]], ("calls", "b.c"): []}
        self.assertEqual(counted.beside(["calls", "loads", "neither"], "a.c"), ["calls"])
        self.assertEqual(counted.beside(["calls"], "b.c"), [])

    def test_few_under_sanitizers(self):
        """The nearest first, then the quickest; no slow one, none that is left out there, none that fails there without a change."""
        s = object.__new__(sanitizers.Sanitized)
        s.but, s.targets, s.place = re.compile("^(test_long|test_calls)$"), set(), mock.Mock(made=set())
        tests = {n: {"command": ["true"], "cwd": "/", "env": {}, "skip": 77} for n in
                 ["test_calls", "test_slow", "test_long", "test_x_heap", "test_fails", *(f"test_{i}" for i in range(20))]}
        with tempfile.TemporaryDirectory() as folder:
            s.judge = judge.Judge({**tests, "test_fails": {**tests["test_fails"], "command": ["false"]}}, os.path.join(folder, "t"), 9, 9, 2)
            plain = mock.Mock(tests=tests, times={n: ["passed", 2.5 if n == "test_slow" else 0.1] for n in tests})
            asked = s._candidates(["test_calls", "test_slow", "test_fails", *(f"test_{i}" for i in range(20)), "test_long", "test_x_heap"],
                                  "sim/x/heap.c", plain)
        self.assertEqual(sorted(asked), sorted(["test_x_heap", *(f"test_{i}" for i in range(sanitizers.MOST_TESTS - 2))]))

    def test_slow_and_failing(self):
        quick = {"command": ["true"], "cwd": "/", "env": {}, "skip": 77}
        self.assertEqual(judge.Asked().ask(quick, 5)[0], "passed")
        self.assertEqual(judge.Asked().ask({**quick, "command": ["false"]}, 5)[0], "failed")
        self.assertEqual(judge.Asked().ask({**quick, "command": ["sh", "-c", "exit 77"]}, 5)[0], "skipped")
        self.assertEqual(judge.Asked().ask({**quick, "command": ["sleep", "30"]}, 0.1)[0], "timeout")


if __name__ == "__main__":
    unittest.main()
