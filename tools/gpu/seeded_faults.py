#!/usr/bin/env python3
"""Seeds faults into the CUDA kernels, one at a time, and shows which of them the tests catch.

    tools/gpu/seeded_faults.py                   all faults; about a minute each on two cores
    tools/gpu/seeded_faults.py --list            what they are
    tools/gpu/seeded_faults.py --only barrier    those with a word in their description
    tools/gpu/seeded_faults.py --sanitize        under AddressSanitizer and UBSan, and with those
                                                 faults that only these see

Needs no GPU: the kernels run by emulation (docs/emulation.md). The tree is copied to
build/seeded-faults/, so nothing is changed here. Prints a table as Markdown, and exits with 1 if a
fault was missed, or if a test fails without any fault.
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
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Fault(NamedTuple):
    what: str
    file: str
    before: str  # stands there once
    after: str
    test: str
    harmless: bool = False  # to the results: only a sanitizer sees it


K = "kernels/cuda/"
F, B = K + "depthwise_conv1d_forward.cu", K + "depthwise_conv1d_backward.cu"
CONV = "test_depthwise_conv1d_cuda"
FAULTS = [
    Fault("block_reduce: dropped barrier after the warps' results", K + "reduce.h",
          "partial[warp] = value;\n  __syncthreads();\n", "partial[warp] = value;\n",
          "test_cuda_rows"),
    Fault("block_reduce: no barrier between two reductions", K + "reduce.h",
          "  __syncthreads();  // a second reduction", "  // a second reduction",
          "test_cuda_rows"),
    Fault("block_reduce: reads words that no warp wrote", K + "reduce.h",
          "lane < warps ? partial[lane] : empty", "partial[lane]", "test_cuda_rows"),
    Fault("warp_reduce: mask of half a warp", K + "reduce.h",
          "__shfl_xor_sync(0xffffffffu, value", "__shfl_xor_sync(0x0000ffffu, value",
          "test_cuda_rows"),
    Fault("warp_reduce: too narrow a shuffle", K + "reduce.h",
          "__shfl_xor_sync(0xffffffffu, value, lanes)",
          "__shfl_xor_sync(0xffffffffu, value, lanes, 16)", "test_cuda_rows"),
    Fault("rows: a team without a row takes part", K + "row.h",
          "f(row, row < rows);", "f(row, true);", "test_cuda_rows"),
    Fault("layer_norm: the team's missing rows write their mean", K + "layer_norm.cu",
          "if (here && threadIdx.x == 0) {", "if (threadIdx.x == 0) {", "test_cuda_rows"),
    Fault("cross_entropy: returns before the reductions", K + "cross_entropy.cu",
          "    const std::int64_t target = here ? targets[index] : ignored;\n",
          "    if (!here) return;\n"
          "    const std::int64_t target = here ? targets[index] : ignored;\n", "test_cuda_rows"),
    Fault("max: of equals, the last", K + "max.cu",
          "return a.index < b.index ? a : b;", "return a.index < b.index ? b : a;",
          "test_cuda_rows"),
    Fault("sum: dropped barrier before shared memory is read", K + "sum.h",
          "shared[thread] = total;\n      __syncthreads();\n", "shared[thread] = total;\n",
          "test_cuda_reduce"),
    Fault("sum: tail one too long", K + "sum.h",
          "if (j + u * plan.rows >= end) continue;", "if (j + u * plan.rows > end) continue;",
          "test_cuda_reduce"),
    Fault("sum: columns beyond the last", K + "sum.h",
          " && group < plan.groups;", " && group <= plan.groups;", "test_cuda_reduce"),
    Fault("chunks: tail one too short", K + "chunks.h",
          "if (i < n) body", "if (i < n - 1) body", "test_cuda_elementwise"),
    Fault("chunks: a thread stores its first chunk twice", K + "chunks.h",
          "* N, loaded[k]);", "* N, loaded[0]);", "test_cuda_elementwise"),
    Fault("transpose: dropped barrier", K + "copy.cu",
          "  __syncthreads();\n", "", "test_cuda_copy"),
    Fault("transpose: a tile of too few words", K + "copy.cu",
          "CROCUTA_SHARED(Bits, tile, kTile * (kTile + 1));",
          "CROCUTA_SHARED(Bits, tile, kTile * kTile);", "test_cuda_copy"),
    Fault("embedding: too small a workspace", K + "embedding.cu",
          "bytes(ceil_div(n, kTile) * 2 * dim)", "bytes(ceil_div(n, kTile) * dim)",
          "test_cuda_embedding"),
    Fault("embedding: a run's parts in one tile added up twice", K + "embedding.cu",
          "sorted.first[id + 1] <= end", "sorted.first[id + 1] < end", "test_cuda_embedding"),
    Fault("sort: dropped barrier", K + "sort.cu",
          "run[thread] = keys[begin + thread];\n    __syncthreads();\n",
          "run[thread] = keys[begin + thread];\n", "test_cuda_embedding"),
    Fault("dropout: the number of an element in 32 bits", K + "dropout.cu",
          "const std::int64_t number = (outer * global_rows + row) * inner",
          "const std::int32_t number = (outer * global_rows + row) * inner", "test_cuda_random"),
    Fault("fft: reads a row past its end", K + "fft_conv_kernels.h",
          "    if (j < piece.L) {\n", "    if (j <= piece.L) {\n", "test_cuda_fft_conv"),
    Fault("conv forward: the filter of the channel, not of its group", F,
          "shape.by_group_dim.divide_small(shape.channel_offset + channel)",
          "shape.channel_offset + channel", CONV),
    Fault("conv forward: vectors whether aligned or not", F,
          "is_aligned(x, 16) && is_aligned(y, 16), x", "true, x", CONV),
    Fault("conv forward: on CUDA's default stream", F,
          "row_launch(tiling, rows), stream,", "row_launch(tiling, rows), nullptr,",
          "test_ops_depthwise_conv1d"),
    Fault("conv forward: samples past the end of the tensor", F,
          "if (aligned && s.at + (U - 1) * stride + Samples::kReach <= shape.total) {",
          "if (aligned) {", CONV, harmless=True),
    Fault("conv forward: the halo of the row before", F,
          "if (at_end && shape.skewed) clear_outside(samples, s, first);", "",
          CONV),
    Fault("conv: the halo before a vector not loaded", K + "depthwise_conv1d_row.h",
          "data, s, p + (i - kLefts) * kLeft);", "data, s, p + i * kLeft);", CONV),
    Fault("conv: the last block's rows forgotten in the grid", K + "depthwise_conv1d_row.h",
          "ceil_div(rows, tiling.rows) * tiling.tiles", "rows / tiling.rows * tiling.tiles", CONV),
    Fault("conv: a row's tail one sample too long", K + "depthwise_conv1d_row.h",
          "if (s.holds(p + i)) data[s.at + p + i] = results[i];",
          "if (p + i >= s.low && p + i <= s.high) data[s.at + p + i] = results[i];", CONV),
    Fault("conv: the last vector of a row writes into the next", K + "depthwise_conv1d_row.h",
          "p >= s.low && p + V <= s.high", "p >= s.low && p < s.high",
          CONV),
    Fault("conv backward: dropped barrier", B,
          "  __syncthreads();\n  if (thread > K) return;\n", "  if (thread > K) return;\n",
          CONV),
    Fault("conv backward: returns before a barrier", B,
          "  __syncthreads();\n  if (thread > K) return;\n",
          "  if (thread > K) return;\n  __syncthreads();\n", CONV),
    Fault("conv backward: the last part of the workspace not added", B,
          "unit < last * parts; unit += lanes", "unit < last * parts - 1; unit += lanes", CONV),
    Fault("conv backward: sums of the group's first channel only", B,
          "const std::int64_t to = from + shape.group_dim;", "const std::int64_t to = from + 1;",
          CONV),
    Fault("long conv: no barrier between two chunks", K + "depthwise_conv1d_long.cu",
          "    __syncthreads();  // nobody still reads the chunk before\n", "",
          CONV),
    Fault("long conv: rows that do not exist return", K + "depthwise_conv1d_long.cu",
          "if (!exists) r = 0;", "if (!exists) return;", CONV),
    Fault("long conv: reads the filter past its end", K + "depthwise_conv1d_long.cu",
          "tap >= 0 && tap < K ?", "tap >= 0 ?", CONV, harmless=True),
    Fault("long conv: blocks counted from 1", K + "depthwise_conv1d_tile.h",
          "return static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x;",
          "return blockIdx.x + 1;", CONV),
]


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
            shutil.copyfile(ROOT / name, to)
    for old in tree.rglob("*"):
        if old.is_file() and str(old.relative_to(tree)) not in files:
            old.unlink()


class Scratch:
    def __init__(self, folder, sanitize):
        self.tree, self.build = folder / "tree", folder / ("sanitized" if sanitize else "build")
        copy_tree(self.tree)
        options = ["-DCROCUTA_CUDA=emulated", "-DCROCUTA_TESTS=ON", "-DCROCUTA_MPI=OFF",
                   "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -g1"]
        if shutil.which("ccache"):  # what a fault is taken out of need not be compiled again
            options.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        if sanitize:
            options.append("-DCROCUTA_SANITIZE=address,undefined")
        result = run(["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", *options])
        if result.returncode != 0:
            stop("cmake failed", result.stdout)

    def make(self, tests):
        return run(["ninja", "-C", self.build, *tests])

    def test(self, name):
        environment = dict(os.environ, CROCUTA_TEST_DEVICE="cuda", CROCUTA_CUDA_CACHE="0",
                           OMP_WAIT_POLICY="passive",
                           ASAN_OPTIONS="detect_stack_use_after_return=1")
        try:
            return run([self.build / "tests" / name, "--abort"], env=environment, timeout=1800)
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
    parser.add_argument("--list", action="store_true", help="say what the faults are")
    parser.add_argument("--only", metavar="WORD", default="", help="those described with it")
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UBSan")
    arguments = parser.parse_args()
    faults = [fault for fault in FAULTS
              if arguments.only in fault.what and (arguments.sanitize or not fault.harmless)]
    if not faults:
        stop(f"no fault has '{arguments.only}' in its description; see --list")
    if arguments.list:
        for fault in faults:
            print(f"{fault.what}  [{fault.file}, {fault.test}]")
        return 0

    for fault in faults:
        if (count := (ROOT / fault.file).read_text(encoding="utf-8").count(fault.before)) != 1:
            stop(f"'{fault.what}': its text stands {count} times in {fault.file}: adapt the fault")

    scratch = Scratch(ROOT / "build" / "seeded-faults", arguments.sanitize)
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
        print(f"| {fault.what} | `{fault.file.removeprefix(K)}` | `{fault.test}` | "
              f"{words.replace('|', '/')} |", flush=True)
        print(f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"\n{caught} of {len(faults)} faults caught")
    return 0 if caught == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
