# In what order tests are asked, and what they say of a changed program.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import resource
import signal
import subprocess
import time

from scratch import run

FLOOR_S, TIMES_BASE = 3.0, 6.0  # a test that takes longer than this with a change is killed, and the change with it
MEMORY = 6 << 30


def list_tests(build):
    listed = run(["ctest", "--test-dir", build, "--show-only=json-v1"], build)
    tests = {}
    for t in json.loads(listed.stdout)["tests"]:
        props = {p["name"]: p["value"] for p in t.get("properties", [])}
        if "command" not in t or props.get("DISABLED"):
            continue
        tests[t["name"]] = {
            "command": t["command"],
            "cwd": props.get("WORKING_DIRECTORY", build),
            "env": dict(e.split("=", 1) for e in props.get("ENVIRONMENT", [])),
            "skip": props.get("SKIP_RETURN_CODE"),
        }
    return tests


def ask(test, limit_s):
    """ "passed", "skipped", "failed" or "timeout", and the processor time it took."""

    def limits():
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.Popen(test["command"], cwd=test["cwd"], env={**os.environ, **test["env"]}, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=limits)
    said = None
    try:
        p.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        said = "timeout"
    try:
        os.killpg(p.pid, signal.SIGKILL)  # also what the test has left running
    except ProcessLookupError:
        pass
    p.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if said is None:
        said = "passed" if p.returncode == 0 else "skipped" if p.returncode == test["skip"] else "failed"
    return said, cpu


class Judge:
    """Asks tests from the quickest to the slowest until one fails."""

    def __init__(self, tests, times_file, longest_s, budget_s):
        self.tests, self.times_file = tests, times_file
        self.longest_s, self.budget_s = longest_s, budget_s
        self.times = {}
        if os.path.isfile(times_file):
            with open(times_file) as f:
                self.times = json.load(f)

    def _time(self, name):
        """Processor seconds and wall seconds of the test without a change; None when it does not pass or takes too long."""
        if name not in self.times:
            start = time.monotonic()
            said, cpu = ask(self.tests[name], 4 * self.longest_s + 20)
            self.times[name] = [said, cpu, time.monotonic() - start]
            with open(self.times_file, "w") as f:
                json.dump(self.times, f, indent=0)
        said, cpu, wall = self.times[name]
        return (cpu, wall) if said == "passed" and cpu <= self.longest_s else None

    def quick(self):
        """The tests that pass without a change and take no longer than `longest_s`, the quickest first."""
        return sorted((n for n in self.tests if self._time(n)), key=lambda n: (self.times[n][1], n))

    def verdict(self, names):
        """(test, how it failed) of the first that fails, or None when the change is not seen; and processor seconds."""
        total = 0.0
        for n in names:
            if self.budget_s and total + self.times[n][1] > self.budget_s:
                break
            said, cpu = ask(self.tests[n], max(FLOOR_S, TIMES_BASE * self.times[n][2]))
            total += cpu
            if said in ("failed", "timeout"):
                return (n, said), total
        return None, total
