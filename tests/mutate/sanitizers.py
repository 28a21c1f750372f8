# What the plain tests do not see of a change, asked of the same tests under sanitizers: a read one beyond an array, memory that
# is written too short or never given back, bits that mean nothing. Every test is run so before it counts (`./dev ci`), hence
# what fails there is seen.
#
# A build of the copy by the preset `sanitize`, with the rooms as shared libraries: a change costs one object and one small link.
# The rooms and programs are made once; a test is made when it is asked first. What a test says there without a change is kept,
# and one that does not pass is not asked. One that fails with a change is asked again without it, for a failure that comes
# and goes is no answer.
#
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sanitized.verdict() asks a few of the tests that reach a change."""
import os
import re
import resource
import shutil
import tempfile

import judge
import scratch

MOST_TESTS = 12  # that are asked of a change
QUICK_S = 2.0  # those asked take no longer than this without sanitizers, which cost several times that
LONGEST_S, BUDGET_S = 15.0, 30.0  # of a processor under sanitizers: of one test, and of all that are asked of a change
# Rooms that are shared libraries and tests that hold a source of theirs have the same names twice, which is no fault here.
SETTINGS = {"ASAN_OPTIONS": "detect_leaks=1:detect_odr_violation=0"}


def available():
    """Whether the preset's compiler is here, and what it links."""
    if shutil.which("clang") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "empty.c"), "w") as f:
            f.write("int main(void) { return 0; }\n")
        return scratch.run(["clang", "-fsanitize=address,undefined", "empty.c", "-o", "empty"], folder).returncode == 0


def cpu_of_children():
    u = resource.getrusage(resource.RUSAGE_CHILDREN)
    return u.ru_utime + u.ru_stime


class Sanitized:
    """`but` is a pattern of tests that are not run under sanitizers."""

    def __init__(self, plain, folder, options, stamp, jobs, but=None):
        build = os.path.join(plain.tree, "build", "sanitize")
        self.jobs, self.but = jobs, re.compile(but) if but else None
        # A warning of this compiler alone would keep a change from being asked.
        scratch.must(["cmake", "--preset", "sanitize", "-S", plain.tree, "-B", build, "-DRC_SHARED_ROOMS=ON", "-DRC_WERROR=OFF",
                      *options], plain.tree)
        tests = judge.list_tests(plain.build)
        rooms = {t for f in plain.objects if f.startswith(("sim/", "calib/")) for _, t in plain.targets_of(f)} - set(tests)
        self.place = scratch.Scratch(plain.tree, build, set())
        self.judge = judge.Judge({}, os.path.join(folder, "sanitize.json"), LONGEST_S, BUDGET_S, jobs, stamp, memory=None)
        self.place.read_build()
        self.targets = {scratch.target_of(o) for o in self.place.command_of}
        self._make(rooms)
        self.asked, self.cpu = 0, 0.0  # changes asked, and their processor time

    def _make(self, targets):
        new = sorted((targets & self.targets) - self.place.made)
        if not new:
            return
        scratch.must(["cmake", "--build", self.place.build, "-j", str(self.jobs), "--target", *new], self.place.tree)
        self.place.made.update(new)
        self.place.read_build()
        tests = judge.list_tests(self.place.build)
        self.judge.tests = {n: {**t, "env": {**t["env"], **SETTINGS}} for n, t in tests.items()}

    def _programs_of(self, test):
        """The programs that a test names: itself, or those of the words of its script and of a golden's folder."""
        named = set()
        for word in test["command"]:
            path = os.path.join(test["cwd"], word)
            named.add(os.path.basename(word))
            inside = [os.path.join(path, "cmd")] if os.path.isdir(path) else [path] if path.endswith(".sh") else []
            for name in inside:
                if os.path.isfile(name):
                    with open(name) as f:
                        named.update(re.findall(r"\w+", f.read()))
        return named

    def _candidates(self, names, file, plain):
        """The few of `names` that are asked, made: those of the file and its folder first, then the quickest."""
        few = [n for n in self.judge.ranked(names, file)
               if plain.times[n][1] <= QUICK_S and not (self.but and self.but.search(n))][:MOST_TESTS]
        self._make(set().union(*(self._programs_of(plain.tests[n]) for n in few)))
        return self.judge.quick([n for n in few if n in self.judge.tests])

    def _ask(self, names, file, text):
        try:
            if self.place.replace(file, text) != "made":
                return None
            return self.judge.verdict(names, file)
        finally:
            self.place.restore()

    def verdict(self, names, file, text, plain):
        """The test of `names` that fails under sanitizers when the source is `text`, or None. One that only takes too long says
        nothing: it did not without sanitizers."""
        start = cpu_of_children()
        names = self._candidates(names, file, plain)
        seen = self._ask(names, file, text) if names else None
        if seen and (seen[1] != "failed" or judge.Asked(None).ask(self.judge.tests[seen[0]], 60)[0] != "passed"):
            seen = None
        self.asked += 1
        self.cpu += cpu_of_children() - start
        return seen[0] if seen else None

    def cost(self):
        each = f", {self.cpu / self.asked:.1f} CPU s each" if self.asked else ""
        return f"asked under sanitizers: {self.asked}{each}"
