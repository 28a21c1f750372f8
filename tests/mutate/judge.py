# In what order tests are asked, and what they say of a changed program.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import concurrent.futures
import hashlib
import json
import os
import resource
import signal
import subprocess
import threading
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


def own_stamp(test):
    """Changes with the test itself: its program or script, and the files of the folder it is given (a golden's)."""
    sums = hashlib.sha256(" ".join(test["command"]).encode())
    for word in test["command"]:
        path = os.path.join(test["cwd"], word)
        inside = [path]
        if os.path.isdir(path) and "/golden/" in path:
            inside = sorted(os.path.join(path, n) for n in os.listdir(path))
        for name in inside:
            if os.path.isfile(name):
                with open(name, "rb") as f:
                    sums.update(f.read())
    return sums.hexdigest()


class Asked:
    """Tests that run now, each with so much address space (None: any), so that all of them can be ended at once."""

    def __init__(self, memory=MEMORY):
        self.lock, self.running, self.over, self.memory = threading.Lock(), set(), False, memory

    def _end(self, pid):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def end(self):
        with self.lock:
            self.over = True
            for pid in self.running:
                self._end(pid)

    def ask(self, test, limit_s):
        """ "passed", "skipped", "failed" or "timeout", and the processor time it took; "ended" when others ended it."""
        with self.lock:
            if self.over:
                return "ended", 0.0
            p = subprocess.Popen(test["command"], cwd=test["cwd"], env={**os.environ, **test["env"]}, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            self.running.add(p.pid)
        if self.memory:
            resource.prlimit(p.pid, resource.RLIMIT_AS, (self.memory, self.memory))
        resource.prlimit(p.pid, resource.RLIMIT_CORE, (0, 0))
        late = threading.Event()
        timer = threading.Timer(limit_s, lambda: (late.set(), self._end(p.pid)))
        timer.start()
        os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)  # its number stays its own until all it has left running is ended
        timer.cancel()
        with self.lock:
            self._end(p.pid)
            self.running.discard(p.pid)
            _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        if late.is_set():
            said = "timeout"
        elif p.returncode == 0:
            said = "passed"
        elif self.over:
            said = "ended"
        else:
            said = "skipped" if p.returncode == test["skip"] else "failed"
        return said, usage.ru_utime + usage.ru_stime


class Judge:
    """Asks tests one after another, a few at once, until one fails. What a test said without a change is kept in `times_file`
    until the test or `stamp` is another one."""

    def __init__(self, tests, times_file, longest_s, budget_s, jobs, stamp="", memory=MEMORY):
        self.tests, self.times_file, self.stamp, self.memory = tests, times_file, stamp, memory
        self.longest_s, self.budget_s, self.jobs = longest_s, budget_s, jobs
        self.times = {}
        if os.path.isfile(times_file):
            with open(times_file) as f:
                self.times = json.load(f)
        self.timed = set()  # those asked without a change by this judge; one that did not pass is asked anew by the next
        self.seen = {}  # file -> test -> changes that it has seen

    def _time(self, name):
        """Asks the test without a change, unless it is known how long it takes: "passed" or not, processor and wall seconds."""
        stamp = self.stamp + own_stamp(self.tests[name])
        known = name in self.times and self.times[name][3:] == [stamp]
        if not known or (self.times[name][0] != "passed" and name not in self.timed):
            self.timed.add(name)
            start = time.monotonic()
            said, cpu = Asked(self.memory).ask(self.tests[name], 4 * self.longest_s + 20)
            self.times[name] = [said, cpu, time.monotonic() - start, stamp]

    def quick(self, names):
        """Those of the tests `names` that pass without a change and take no longer than `longest_s` of a processor, the quickest
        first."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(self._time, names))
        with open(self.times_file, "w") as f:
            json.dump(self.times, f, indent=0)
        passed = [n for n in names if self.times[n][0] == "passed" and self.times[n][1] <= self.longest_s]
        return sorted(passed, key=lambda n: (self.times[n][1], n))

    def ranked(self, names, file):
        """`names`, which stand by their times: the ones first that have seen most changes of the file, then those that are called
        after it or its folder."""
        seen = self.seen.get(file, {})
        stem, folder = os.path.basename(file)[:-2], os.path.basename(os.path.dirname(file))

        def rank(name):
            words = f"{name}_"
            return -seen.get(name, 0), 0 if f"_{stem}_" in words else 1 if f"_{folder}_" in words else 2

        return sorted(names, key=rank)

    def in_order(self, names, file):
        """Those of `names`, ranked, that the budget allows."""
        total, allowed = 0.0, []
        for n in self.ranked(names, file):
            total += self.times[n][1]
            if self.budget_s and total > self.budget_s:
                break
            allowed.append(n)
        return allowed

    def verdict(self, names, file):
        """(test, how it failed) of one that fails, or None when the change is not seen."""
        asked, found = Asked(self.memory), []

        def one(name):
            said, _ = asked.ask(self.tests[name], max(FLOOR_S, TIMES_BASE * self.times[name][2]))
            if said in ("failed", "timeout"):
                asked.end()
                found.append((name, said))

        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(one, self.in_order(names, file)))
        if not found:
            return None
        by_file = self.seen.setdefault(file, {})
        by_file[found[0][0]] = by_file.get(found[0][0], 0) + 1
        return found[0]
