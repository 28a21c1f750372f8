# Which tests reach a line of the source: a build for gcov beside the scratch one, in which each test is run once with a folder
# of counts to itself.
#
# A line is reached by the tests that call its function: counts of lines would leave out what a child runs before it ends by
# _exit or a signal. A function that a child alone calls is counted by nobody: the tests that call another of its file are asked
# of it. A line of no function (a table, a constant) is reached by the tests that call any function of the file; of
# a file without functions, which is a table that others read, nobody can say who does, and all tests are asked.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import concurrent.futures
import gzip
import json
import os
import shutil
import subprocess

import judge
from scratch import must

FLAGS = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O0 -fprofile-update=prefer-atomic", "-DCMAKE_C_COMPILER=gcc",
         "-DRC_COVERAGE=ON", "-DRC_SHARED_ROOMS=ON", "-DRC_CUDA=OFF"]


FEW = {"RC_SHORT": "1", "PROP_CASES": "20"}  # enough cases to come by every function that a test calls
HEAD = 32  # bytes of a file of counts that tell versions and the whole program's largest count


def build_of(tree, options, jobs):
    """The build for gcov of the copy of the sources."""
    build = os.path.join(tree, "build", "reach")
    os.makedirs(build, exist_ok=True)
    must(["cmake", "-S", tree, "-B", build, "-G", "Ninja", *FLAGS, *options], tree)
    must(["cmake", "--build", build, "-j", str(jobs)], tree)
    return build


def reached_from(functions, line):
    """Whether a line is reached, by [(first line, last line, calls)] of the functions of its file."""
    around = [calls for first, last, calls in functions if first <= line <= last]
    return any(around or [calls for _, _, calls in functions])


def read(path):
    if not os.path.isfile(path):
        return None
    with open(path) as f:
        return f.read()


class Reach:
    """Counts of a test are kept in `folder` until the test or the sources that it runs change."""

    def __init__(self, build, folder, stamp, longest_s, jobs):
        self.build, self.folder, self.stamp, self.longest_s, self.jobs = build, folder, stamp, longest_s, jobs
        self.tests = judge.list_tests(build)
        self.known, self.read = {}, {}
        os.makedirs(folder, exist_ok=True)

    def _counts_of(self, test):
        """The folder of a test's counts."""
        to = os.path.join(self.folder, test)
        stamp, mark = self.stamp + judge.own_stamp(self.tests[test]), to + ".stamp"
        if read(mark) != stamp:
            shutil.rmtree(to, ignore_errors=True)
            os.makedirs(to)
            t = self.tests[test]
            env = {**t["env"], **FEW, "GCOV_PREFIX": to, "GCOV_PREFIX_STRIP": str(self.build.strip("/").count("/") + 1)}
            judge.Asked().ask({**t, "env": env}, 20 * self.longest_s + 20)
            with open(mark, "w") as f:
                f.write(stamp)
        return to

    def count(self, names):
        """Makes the counts of these tests, several at once."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(self._counts_of, [n for n in names if n in self.tests]))

    def _data_of(self, test, object_):
        """The counts of an object by this test, of the build as it is; None: it was not loaded."""
        name = os.path.join(self.folder, test, object_[:-2] + ".gcda")
        notes = os.path.join(self.build, object_[:-2] + ".gcno")
        if not os.path.isfile(notes):
            return None
        with open(notes, "rb") as f:
            built = f.read(HEAD)[8:12]
        for again in (False, True):
            if not os.path.isfile(name):
                return None
            with open(name, "rb") as f:
                data = f.read()
            if data[8:12] == built or again:
                break
            os.remove(os.path.join(self.folder, test + ".stamp"))  # the object was made anew since
            self._counts_of(test)
        return data

    def _functions(self, test, object_, source):
        """[(first line, last line, calls)] of the source's functions in this object, by this test; None: it was not loaded."""
        data = self._data_of(test, object_)
        if data is None:
            return None
        key = (object_, source, data[HEAD:])  # most tests call nothing of most files: the same counts behind the head
        if key not in self.read:
            self.read[key] = self._functions_in(os.path.join(self.folder, test, object_[:-2] + ".gcda"), object_, source)
        return self.read[key]

    def _functions_in(self, data, object_, source):
        notes = os.path.join(self.build, object_[:-2] + ".gcno")
        beside = data[:-5] + ".gcno"
        if not os.path.isfile(beside):
            os.symlink(notes, beside)
        said = subprocess.run(["gcov", "--json-format", "--stdout", data], cwd=os.path.dirname(data), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        if said[:2] == b"\x1f\x8b":
            said = gzip.decompress(said)
        functions = []
        for text in said.decode().splitlines():
            for f in json.loads(text)["files"] if text.startswith("{") else []:
                if f["file"].endswith(source):
                    functions += [(g["start_line"], g["end_line"], g["execution_count"]) for g in f["functions"]]
        return functions

    def choose(self, names, source, objects, line):
        """Of the tests `names` those that reach the line, in one of the objects that hold the source."""
        found, any_function = [], False
        for test in names:
            key = (test, source)
            if test not in self.tests:
                continue
            if key not in self.known:
                self.known[key] = [f for f in (self._functions(test, o, source) for o in objects) if f]
            any_function = any_function or bool(self.known[key])
            if any(reached_from(f, line) for f in self.known[key]):
                found.append(test)
        return found if any_function else list(names)

    def beside(self, names, source):
        """Of the tests `names`, of which none reaches a line of the source, those that call any function of it."""
        return [t for t in names if any(calls for f in self.known.get((t, source), []) for _, _, calls in f)]
