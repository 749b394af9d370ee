#!/usr/bin/env python3
"""Seeds faults into the sources, one at a time, and shows which of them the tests catch.

    tools/seeded_faults/run.py core                  layer, graph, ranks, training, files
    tools/seeded_faults/run.py cuda                  CUDA kernels, emulated (docs/emulation.md)
    tools/seeded_faults/run.py cuda --list           what the faults are
    tools/seeded_faults/run.py cuda --only barrier   those with a word in their description
    tools/seeded_faults/run.py cuda --sanitize       under AddressSanitizer and UBSan, and with those
                                                     faults that only these see

A fault takes up to a minute on two cores, and no GPU. The tree is copied to build/seeded-faults/, so
nothing is changed here. Prints a table as Markdown, and exits with 1 if a fault was missed, or if a
test fails without any fault.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import core
import cuda
import decoding

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Faults, options of the build, and the environment of the tests.
SUITES = {
    "core": (core.FAULTS + decoding.FAULTS, ["-DCROCUTA_MARCH=native"], {"CROCUTA_TEST_DEVICE": "cpu"}),
    "cuda": (cuda.FAULTS, ["-DCROCUTA_CUDA=emulated", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -g1"],
             {"CROCUTA_TEST_DEVICE": "cuda", "CROCUTA_CUDA_CACHE": "0"}),
}


def run(command, timeout=3600, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=timeout, check=False, **more)


def stop(message, log=""):
    print(log[-4000:], file=sys.stderr)
    print(f"seeded_faults: error: {message}", file=sys.stderr)
    sys.exit(1)


def copy_tree(tree):
    """All files that git would not ignore, as they are now; unchanged ones keep their times."""
    listed = run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT)
    files = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    if listed.returncode != 0 or not files:
        stop("cannot list the files of the repository", listed.stdout)
    for name in files:
        to = tree / name
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists() or to.read_bytes() != (ROOT / name).read_bytes():
            shutil.copy(ROOT / name, to)
    for old in tree.rglob("*"):
        if old.is_file() and str(old.relative_to(tree)) not in files:
            old.unlink()


class Scratch:
    def __init__(self, suite, sanitize):
        _, options, environment = SUITES[suite]
        folder = ROOT / "build" / "seeded-faults"
        self.tree, self.build = folder / "tree", folder / (suite + "-sanitized" * sanitize)
        self.environment = dict(os.environ, ASAN_OPTIONS="detect_stack_use_after_return=1", **environment)
        copy_tree(self.tree)
        command = ["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCROCUTA_TESTS=ON",
                   "-DCROCUTA_MPI=OFF", "-DCMAKE_BUILD_TYPE=Release", *options]
        if shutil.which("ccache"):  # what a fault is taken out of need not be compiled again
            command.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        if sanitize:
            command.append("-DCROCUTA_SANITIZE=address,undefined")
        result = run(command)
        if result.returncode != 0:
            stop("cmake failed", result.stdout)

    def make(self, tests):
        return run(["ninja", "-C", self.build, *tests])

    def test(self, name):
        try:
            return run([self.build / "tests" / name, "--abort"], env=self.environment, timeout=1800)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(name, 124, "ran for half an hour")


def case_of(result):
    """The title of the test case that failed, which Catch2 prints between two lines."""
    title = re.search(r"^-{79}\n(.*?)\n-{79}$", result.stdout, re.DOTALL | re.MULTILINE)
    return " ".join(title[1].split()) if title else "?"


def how(result):
    """In a few words, how a test that failed did so."""
    text = result.stdout
    if report := re.search(r"ERROR: AddressSanitizer: (\S+)|runtime error: ([^\n]{1,60})", text):
        return f"sanitizer: {report[1] or report[2]}"
    # Catch2 breaks lines where it likes.
    flat = re.sub(r"\S*/tree/", "", " ".join(text.split()))
    if fault := re.search(r"(?:launch failure|illegal memory access was encountered|misaligned "
                          r"address|invalid argument|invalid resource handle): (.{1,400})", flat):
        words = re.sub(r"^(after )?kernel '([^']*)'(, block [^)]*\))?(, thread [^)]*\))?: ",
                       r"\2: ", fault[1]).split(" (cuda")[0]
        return "fault: " + (words if len(words) <= 120 else words[:117].rstrip() + "...")
    if result.returncode < 0:
        return f"died by {signal.Signals(-result.returncode).name}"
    if "nan" in flat.lower():
        return "wrong results (NaN)"
    return "wrong results"


def try_fault(scratch, fault):
    path = scratch.tree / fault.file
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace(fault.before, fault.after), encoding="utf-8")
    try:
        built = scratch.make([fault.test])
        if built.returncode != 0:
            return False, "does not compile: adapt the fault"
        result = scratch.test(fault.test)
        if result.returncode == 0:
            return False, "**missed**"
        return True, f"\"{case_of(result)}\": {how(result)}"
    finally:
        path.write_text(right, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", choices=SUITES, help="where the faults are")
    parser.add_argument("--list", action="store_true", help="say what the faults are")
    parser.add_argument("--only", metavar="WORD", default="", help="those described with it")
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UBSan")
    arguments = parser.parse_args()
    faults = [fault for fault in SUITES[arguments.suite][0]
              if arguments.only in fault.what and (arguments.sanitize or not fault.harmless)]
    if not faults:
        stop(f"no fault has '{arguments.only}' in its description; see --list")
    for fault in faults:
        path = ROOT / fault.file
        count = path.read_text(encoding="utf-8").count(fault.before) if path.is_file() else 0
        if count != 1:
            stop(f"'{fault.what}': its text stands {count} times in {fault.file}: adapt the fault")
    if arguments.list:
        for fault in faults:
            print(f"{fault.what}  [{fault.file}, {fault.test}]")
        return 0

    scratch = Scratch(arguments.suite, arguments.sanitize)
    tests = sorted({fault.test for fault in faults})
    print(f"building {', '.join(tests)} without a fault", file=sys.stderr, flush=True)
    built = scratch.make(tests)
    if built.returncode != 0:
        stop("the build failed without any fault", built.stdout)
    for test in tests:
        result = scratch.test(test)
        if result.returncode != 0:
            stop(f"{test} fails without any fault", result.stdout)

    caught = 0
    print("| fault | file | test | case that fails, and how |\n"
          "| --- | --- | --- | --- |", flush=True)
    for fault in faults:
        start = time.monotonic()
        found, words = try_fault(scratch, fault)
        caught += found
        print(f"| {fault.what} | `{fault.file}` | `{fault.test}` | "
              f"{words.replace('|', '/')} |", flush=True)
        print(f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"\n{caught} of {len(faults)} faults caught")
    return 0 if caught == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
