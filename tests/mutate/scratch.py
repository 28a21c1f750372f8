# A copy of the sources with a build of its own, in which one file at a time is changed.
#
# The rooms are shared libraries there (RC_SHARED_ROOMS), so that a change costs one compilation and the link of one
# library, and every test and the program run with it. Commands are those of the build, taken from CMake and Ninja.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys


def run(command, cwd, quiet=True, **more):
    return subprocess.run(command, cwd=cwd, shell=isinstance(command, str), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT, text=True, **more)


def sources_of(root):
    """What git tracks or would, else every file that is not of a build."""
    listed = run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"], root)
    if listed.returncode == 0:
        return [f for f in listed.stdout.split("\n") if f and os.path.isfile(os.path.join(root, f))]
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if not n.startswith(("build", ".git"))]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return found


def same_file(a, b):
    if not os.path.isfile(b) or os.path.getsize(a) != os.path.getsize(b):
        return False
    with open(a, "rb") as x, open(b, "rb") as y:
        return x.read() == y.read()


def copy_tree(root, to):
    """Only what differs, so that nothing else is built again. What is gone from the sources goes from the copy."""
    wanted = set(sources_of(root))
    for f in wanted:
        target = os.path.join(to, f)
        if not same_file(os.path.join(root, f), target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(root, f), target)
    for folder, names, files in os.walk(to):
        names[:] = [n for n in names if not n.startswith(("build", ".git"))]
        for f in files:
            if os.path.relpath(os.path.join(folder, f), to) not in wanted:
                os.remove(os.path.join(folder, f))


def stamp_of(tree, but=()):
    """Changes with any file of the copy that does not stand below a folder of `but`."""
    names = sorted(os.path.join(folder, f) for folder, names, files in os.walk(tree)
                   if "/build" not in folder[len(tree):] for f in files)
    names = [n for n in names if not os.path.relpath(n, tree).startswith(but)]
    sums = run(["sha256sum", *names], tree).stdout
    return hashlib.sha256(sums.encode()).hexdigest()


def target_of(object_):
    return re.search(r"CMakeFiles/([^/]+)\.dir/", object_).group(1)


class Scratch:
    """tree is the copy, build its build. replace() puts another text in the place of one source; restore() undoes it. Of a build
    in which not everything is made, `made` names the targets that are."""

    def __init__(self, tree, build, made=None):
        self.tree, self.build, self.made = os.path.abspath(tree), os.path.abspath(build), made
        self.linked = {}  # target's link command, by target
        self.saved = []

    def read_build(self):
        self.objects = {}  # source -> [(object, command)]
        with open(os.path.join(self.build, "compile_commands.json")) as f:
            for c in json.load(f):
                out = re.search(r" -o (\S+)", c["command"]).group(1)
                source = os.path.relpath(os.path.join(c["directory"], c["file"]), self.tree)
                # Without its cache: a changed source is compiled once.
                command = re.sub(r"^\S*ccache ", "", c["command"])
                self.objects.setdefault(source, []).append((out, command))
        self.including = {}  # source -> objects of other sources that include it
        by_object = {o: s for s, all_ in self.objects.items() for o, _ in all_}
        current = None
        for line in run(["ninja", "-t", "deps"], self.build).stdout.split("\n"):
            if line and not line.startswith(" "):
                current = line.split(":")[0]
            elif line.endswith(".c") and current in by_object:
                f = os.path.relpath(os.path.join(self.build, line.strip()), self.tree)
                if f != by_object[current]:
                    self.including.setdefault(f, []).append(current)
        self.command_of = {o: c for all_ in self.objects.values() for o, c in all_}

    def targets_of(self, source):
        """(object, target) of all that must be made again when source changes: the room's library or the program, and
        tests that hold the source itself. Of tests of contracts, which hold it for its asserts, only calib's, whose
        sources are in no library."""
        made = [o for o, _ in self.objects.get(source, [])] + self.including.get(source, [])
        if source.startswith("sim/"):
            made = [o for o in made if not re.search(r"_contracts\.dir/|/ringcast_extended\.dir/|/calib_fake\.dir/", o)]
        made = [o for o in made if "/rc_embed.dir/" not in o]
        return [(o, target_of(o)) for o in made if self.made is None or target_of(o) in self.made]

    def link_command(self, target):
        if target not in self.linked:
            for name in (target, f"lib{target}.so"):
                commands = run(["ninja", "-t", "commands", name], self.build)
                if commands.returncode == 0:
                    self.linked[target] = commands.stdout.strip().split("\n")[-1]
                    break
            else:
                sys.exit(f"mutate: no target {target} in {self.build}")
        return self.linked[target]

    def _keep(self, path):
        shutil.copy2(path, path + ".kept")
        self.saved.append(path)

    def restore(self):
        for path in reversed(self.saved):
            os.replace(path + ".kept", path)
        self.saved = []

    def replace(self, source, text):
        """"same": the object code is equal; "broken": does not compile; "made": everything runs with the new text."""
        path = os.path.join(self.tree, source)
        made = self.targets_of(source)
        self._keep(path)
        with open(path, "w") as f:
            f.write(text)
        for o, _ in made:
            self._keep(os.path.join(self.build, o))
        for o, _ in made:
            if run(self.command_of[o], self.build).returncode != 0:
                return "broken"
        if all(same_file(os.path.join(self.build, o), os.path.join(self.build, o) + ".kept") for o, _ in made):
            return "same"
        for target in dict.fromkeys(t for _, t in made):
            command = self.link_command(target)
            self._keep(os.path.join(self.build, re.search(r" -o (\S+)", command).group(1)))
            linked = run(command, self.build)
            if linked.returncode != 0:
                return "broken"
        return "made"


def must(step, cwd):
    """Runs a step of a build; an error ends the program with the log."""
    done = run(step, cwd)
    if done.returncode != 0:
        sys.exit(f"mutate: {' '.join(step)} failed\n{done.stdout[-4000:]}")


def prepare(root, tree, options, jobs):
    """Copy, configure, build; returns the Scratch."""
    copy_tree(root, tree)
    build = os.path.join(tree, "build", "shared")
    os.makedirs(build, exist_ok=True)
    must(["cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O2",
          "-DRC_SHARED_ROOMS=ON", "-DRC_CUDA=OFF", "-DRC_TEST_OPTIONS=-O1", *options], root)
    must(["cmake", "--build", build, "-j", str(jobs)], root)
    scratch = Scratch(tree, build)
    scratch.read_build()
    return scratch
