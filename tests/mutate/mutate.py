#!/usr/bin/env python3
# What the tests do not see: changes one place of the source at a time and asks the tests that run it.
#
# usage: mutate.py [FOLDER-OR-FILE ...] [--seed N] [--count K] [--skip K] [--known] [--only TEXT] [--list] [--longest SECONDS]
#                  [--budget SECONDS] [--minutes M] [--jobs N] [--option -DX=Y] [--plain] [--sanitize-but PATTERN]
#
# FOLDER is of sim/ or calib/ (all of both by default). Of all changes that mutants.py knows in the files there, K are
# drawn, each folder and of it each kind (operator, bound, constant, call) as often as the others. A change that does not compile is drawn
# again. One that makes the same object code is equivalent by proof. One that every test passes has survived, unless the
# file `equivalents` says, with a reason, that it changes nothing that anybody could see, or one of these tests fails under
# sanitizers (sanitizers.py).
#
# --known tries the changes of the file `known` instead, which survived once; the exit status is 1 when one still does.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import argparse
import fcntl
import glob
import itertools
import os
import random
import signal
import sys
import time

import judge
import mutants
import reach
import sanitizers
import scratch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# No source that is counted, nor what one is made of.
NOT_RUN = ("dev", "README.md", "tests/unit/", "tests/property/", "tests/golden/", "tests/mutate/", "docs/", "schema/")
FATES = ("killed", "timeout", "by sanitizers", "proved equal", "named equal", "survived")
SEEN = ("killed", "timeout", "by sanitizers")


def read_equivalents(path):
    """{(file, line before, line after): reason}; an entry is `file`, the two lines and the reason, one a line, then a blank."""
    entries = {}
    with open(path) as f:
        for block in f.read().split("\n\n"):
            lines = [l.strip() for l in block.split("\n") if l.strip() and not l.startswith("#")]
            if not lines:
                continue
            if len(lines) < 4:
                sys.exit(f"{path}: an entry has a file, two lines and a reason: {lines}")
            entries[(lines[0], lines[1].removeprefix("- ").strip(), lines[2].removeprefix("+ ").strip())] = " ".join(lines[3:])
    return entries


def known_changes(root, path, files, only):
    """(file, text, change) of each entry of `known`."""
    for file, before, after in read_equivalents(path):
        if file not in files or (only and only not in before):
            continue
        with open(os.path.join(root, file)) as f:
            text = f.read()
        lines = text.split("\n")
        at = [i for i, l in enumerate(lines) if l.strip() == before]
        if not at:
            sys.exit(f"{path}: {file} has no line `{before}`")
        start = sum(len(l) + 1 for l in lines[:at[0]])
        yield file, text, mutants.Change("known", start, start + len(lines[at[0]]), after, at[0] + 1)


def files_of(root, wanted, built):
    found = []
    for w in wanted:
        path = os.path.join(root, w)
        names = [path] if os.path.isfile(path) else glob.glob(os.path.join(path, "**", "*.c"), recursive=True)
        found += [os.path.relpath(n, root) for n in names]
    return sorted(f for f in set(found) if f.endswith(".c") and f in built and not f.startswith("sim/cost/embed/"))


def folder_of(file):
    return os.path.dirname(file) if file.startswith("sim/") else "calib"


def draws(root, files, seed, only):
    """A seeded sequence of (file, text, change) without repetition: folders in turn, of each the kinds in turn."""
    left = {}  # folder -> kind -> changes
    for f in files:
        with open(os.path.join(root, f)) as handle:
            text = handle.read()
        for c in mutants.changes(text):
            if not only or only in mutants.line_of(text, c.line):
                left.setdefault(folder_of(f), {}).setdefault(c.kind, []).append((f, text, c))
    order = random.Random(seed)
    turn = {}
    for folder in sorted(left):
        for kind in sorted(left[folder]):
            order.shuffle(left[folder][kind])
        turn[folder] = sorted(left[folder])
        order.shuffle(turn[folder])
    while left:
        for folder in sorted(left):
            kind = turn[folder].pop(0)
            yield left[folder][kind].pop()
            if left[folder][kind]:
                turn[folder].append(kind)
            if not turn[folder]:
                del left[folder]


def lines_changed(text, change):
    """The source's line before and after the change; of several lines, the first that differs."""
    new = mutants.apply(text, change)
    return mutants.line_of(text, change.line), mutants.line_of(new, change.line)


def told(text, change):
    before, after = lines_changed(text, change)
    return f"{before}  ->  {after}"


def table(counts, seconds):
    print("# folder         drawn  killed  by time  by sanitizers  proved equal  named equal  survived  killed of those that differ"
          "  CPU s each")
    total = {f: 0 for f in FATES}
    for folder in sorted(counts) + ["all"]:
        c = counts.get(folder, total)
        drawn = sum(c.values())
        if folder != "all":
            for f in FATES:
                total[f] += c[f]
        seen = sum(c[f] for f in SEEN)
        share = f"{100.0 * seen / (seen + c['survived']):.1f} %" if seen + c["survived"] else "-"
        cpu = sum(seconds.values()) if folder == "all" else seconds[folder]
        print(f"  {folder:14s} {drawn:6d} {c['killed']:7d} {c['timeout']:8d} {c['by sanitizers']:14d} {c['proved equal']:13d}"
              f" {c['named equal']:12d} {c['survived']:9d} {share:>28s} {cpu / max(drawn, 1):11.1f}")


def one(place, judge_, sanitized, tests, equivalents, file, text, change):
    """The fate of a change, and what to say of it; (None, None) when it does not compile."""
    new = mutants.apply(text, change)
    try:
        made = place.replace(file, new)
        if made == "broken":
            return None, None
        if made == "same":
            return "proved equal", None
        seen = judge_.verdict(tests, file)
    finally:
        place.restore()
    if seen:
        return "timeout" if seen[1] == "timeout" else "killed", seen[0]
    reason = equivalents.get((file, *lines_changed(text, change)))
    if reason:
        return "named equal", reason
    seen = sanitized.verdict(tests, file, new, judge_) if sanitized else None
    return ("by sanitizers", seen) if seen else ("survived", None)


def tests_for(quick, place, reach_, file, line):
    """Those that run the line, and those that hold the source themselves, which nobody counts; and how many these are. Where there
    are none, those that run what stands beside it: a child of theirs may run the line."""
    made = place.targets_of(file)
    own = {target for _, target in made}
    reaching = set(reach_.choose(quick, file, [o for o, _ in made], line))
    tests = [n for n in quick if n in own or n in reaching]
    return tests or reach_.beside(quick, file), len(tests)


def main():
    p = argparse.ArgumentParser(prog="./dev mutate", description="What the tests do not see.")
    p.add_argument("folders", nargs="*")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--count", type=int, default=20)
    p.add_argument("--skip", type=int, default=0, help="go on behind so many changes of the seed's sequence")
    p.add_argument("--longest", type=float, default=10.0, help="leave out tests that take more processor seconds than this")
    p.add_argument("--budget", type=float, default=40.0,
                   help="ask no further test of a change after so many processor seconds (0: all are asked)")
    p.add_argument("--known", action="store_true", help="the changes of the file `known`")
    p.add_argument("--only", help="changes of lines that hold this text")
    p.add_argument("--list", action="store_true", help="say what would be changed, and run nothing")
    p.add_argument("--option", action="append", default=[], help="an option for CMake")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="of the builds, and how many tests are asked at once")
    p.add_argument("--plain", action="store_true", help="ask nothing under sanitizers")
    p.add_argument("--sanitize-but", help="a pattern of tests that are not run under sanitizers")
    p.add_argument("--minutes", type=float, help="stop drawing after so many minutes")
    a = p.parse_args()
    every = [f for f in ("sim", "calib") if os.path.isdir(os.path.join(ROOT, f))]
    folders = [os.path.relpath(os.path.abspath(f), ROOT) for f in a.folders] or every
    for f in folders:
        if not os.path.exists(os.path.join(ROOT, f)):
            sys.exit(f"mutate: no folder or file {f}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # puts back what is changed
    tree = os.path.join(ROOT, "build", "mutate", "tree")
    os.makedirs(tree, exist_ok=True)
    alone = open(os.path.join(ROOT, "build", "mutate", "lock"), "w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("mutate: another one works in build/mutate")
    place = scratch.prepare(ROOT, tree, a.option, a.jobs)
    files = files_of(tree, folders, {f for f in place.objects if place.targets_of(f)} |
                     {f for f in place.including if not f.startswith("sim/")})
    judge_ = judge.Judge(judge.list_tests(place.build), os.path.join(ROOT, "build", "mutate", "times.json"), a.longest, a.budget,
                         a.jobs)
    reach_, sanitized, quick = None, None, []
    if not a.list:
        stamp = scratch.stamp_of(tree, NOT_RUN)
        reach_ = reach.Reach(reach.build_of(tree, a.option, a.jobs), os.path.join(ROOT, "build", "mutate", "reach"), stamp,
                             a.longest, a.jobs)
        quick = judge_.quick(judge_.tests)
        reach_.count(quick)
        if not a.plain and sanitizers.available():
            sanitized = sanitizers.Sanitized(place, os.path.join(ROOT, "build", "mutate"), a.option, stamp, a.jobs, a.sanitize_but)
    equivalents = read_equivalents(os.path.join(HERE, "equivalents"))
    counts, seconds, done, broken = {}, {}, 0, 0
    until = time.monotonic() + a.minutes * 60 if a.minutes else None
    if a.known:
        chosen, a.count = known_changes(tree, os.path.join(HERE, "known"), files, a.only), 1000
    else:
        chosen = itertools.islice(draws(tree, files, a.seed, a.only), a.skip, None)
    for file, text, change in chosen:
        if done == a.count or (until and time.monotonic() > until):
            break
        if a.list:
            print(f"{file}:{change.line}: {change.kind}: {told(text, change)}")
            done += 1
            continue
        folder = folder_of(file)
        tests, reach_it = tests_for(quick, place, reach_, file, change.line)
        start = sanitizers.cpu_of_children()
        fate, what = one(place, judge_, sanitized, tests, equivalents, file, text, change)
        if fate is None:
            if a.known:
                print(f"does not compile: {file}:{change.line}: {told(text, change)}", flush=True)
            broken += 1
            continue
        done += 1
        counts.setdefault(folder, {f: 0 for f in FATES})[fate] += 1
        seconds[folder] = seconds.get(folder, 0.0) + sanitizers.cpu_of_children() - start
        if fate == "survived":
            what = f"{reach_it} tests reach it" if reach_it > 1 else "1 test reaches it" if reach_it else "no test reaches it"
        by = f" ({what})" if what else ""
        print(f"{fate}{by}: {file}:{change.line}: {told(text, change)}", flush=True)
    if not a.list:
        print(f"seed {a.seed}: {done} changes, {broken} more did not compile")
        print(sanitized.cost() if sanitized else "none was asked under sanitizers")
        table(counts, seconds)
    return 1 if a.known and (broken or any(c["survived"] for c in counts.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
