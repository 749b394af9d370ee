#!/usr/bin/env python3
"""Holds the machine code of the CUDA kernels that matter to tools/gpu/sass.tsv.

    tools/gpu/sass.py [--objects FOLDER] [--update]

Takes the code for sm_90 from the objects of a build (FOLDER: kernels/CMakeFiles/crocuta_kernels.dir/cuda
below the build folder) or else compiles the files itself, disassembles it, and prints for each kernel of
the table:

  loads      the widest reads of memory, and how many of them a thread has under way before it uses one,
             as NUMBERxBITS; where code reads and uses in turn, a GPU's memory is idle
  store      the widest write to memory, in bits
  registers  of a thread
  local      bytes of local memory, to which registers spill
  loop       instructions in the innermost loop around those loads; of the whole kernel where there is none

Exits with 1 if a kernel has fewer or narrower loads, a narrower store, more local memory, or over a tenth
more registers or instructions than its row says (compilers differ a little); with 77 and a reason where nvcc, cuobjdump or nvdisasm is missing. The last two come with the
CUDA Toolkit or from PyPI: nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm. --update writes what is there
into the table.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "tools" / "gpu" / "sass.tsv"
COLUMNS = ["file", "kernel", "loads", "store", "registers", "local", "loop"]
ARCHITECTURE = "sm_90"


class Code(NamedTuple):
    loads: str
    store: int
    registers: int
    local: int
    loop: int


class Instruction(NamedTuple):
    address: int
    operation: str  # with its predicate taken off
    operands: str


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def find_tool(name):
    """In PATH, in the toolkit's folder, or where the packages from PyPI put it."""
    folders = ["/usr/local/cuda/bin"]
    for site in {sysconfig.get_path("purelib"), *sys.path}:
        folders += [str(path) for path in pathlib.Path(site or ".").glob("nvidia/*/bin")]
    found = shutil.which(name) or shutil.which(name, path=":".join(folders))
    return found or skip(f"no {name} (from the CUDA Toolkit, or nvidia-cuda-{name} from PyPI)")


def run(command, **more):
    result = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, check=False, **more)
    if result.returncode != 0:
        sys.exit(f"sass.py: {' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def compiled(source):
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin") or skip("no nvcc")
    cubin = ROOT / "build" / "sass" / (source + ".cubin")
    cubin.parent.mkdir(parents=True, exist_ok=True)
    run([nvcc, "-std=c++17", "-O3", f"-arch={ARCHITECTURE}", "-cubin", "-I", ROOT, "-o", cubin,
         ROOT / "kernels" / "cuda" / source])
    return cubin


def short_names(mangled):
    """As in the source, without namespaces and parameters."""
    names = {}
    plain = run(["c++filt"], input="\n".join(mangled)).splitlines()
    for name, text in zip(mangled, plain):
        text = re.sub(r"\(anonymous namespace\)::|_GLOBAL__N_\w+::|crocuta::|kernels::", "", text)
        text = re.sub(r"^void ", "", text)
        depth = 0
        for end, letter in enumerate(text):
            depth += {"<": 1, ">": -1}.get(letter, 0)
            if letter == "(" and depth == 0:
                text = text[:end]
                break
        names[name] = text.replace("> >", ">>").replace("> >", ">>")
    return names


def disassembled(binary):
    """(instructions, registers, local) of each kernel, by its short name."""
    cuobjdump, nvdisasm = find_tool("cuobjdump"), find_tool("nvdisasm")
    environment = {"PATH": f"{pathlib.Path(nvdisasm).parent}:/usr/bin:/bin"}
    usage = {}
    text = run([cuobjdump, "-arch", ARCHITECTURE, "-res-usage", binary], env=environment)
    for name, registers, stack, local in re.findall(
            r"Function (\S+):\s+REG:(\d+) STACK:(\d+) \S+ LOCAL:(\d+)", text):
        usage[name] = (int(registers), int(stack) + int(local))
    instructions = {}
    for line in run([cuobjdump, "-arch", ARCHITECTURE, "-sass", binary],
                    env=environment).splitlines():
        if function := re.search(r"Function : (\S+)", line):
            current = instructions.setdefault(function[1], [])
        elif found := re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+ )?\s*(\S+)\s*(.*?)\s*;", line):
            current.append(Instruction(int(found[1], 16), found[2], found[3]))
    names = short_names(list(instructions))
    return {names[name]: (code, *usage[name]) for name, code in instructions.items()}


def width(operation):
    """Of a read or write of memory, in bits."""
    for bits in ("128", "64"):
        if f".{bits}" in operation:
            return int(bits)
    if re.search(r"\.[US]16", operation):
        return 16
    return 8 if re.search(r"\.[US]8", operation) else 32


def registers_of(text):
    numbers = set()
    for number, pair in re.findall(r"\bR(\d+)(\.64)?", text):
        numbers |= {int(number), int(number) + 1} if pair else {int(number)}
    return numbers


def most_loads(code):
    """Of the widest loads, the largest run of which none is waited for: (number, bits, address)."""
    loads = [i for i in code if i.operation.startswith("LDG")]
    widest = max((width(load.operation) for load in loads), default=0)
    best, waiting, run_of_widest = (0, 0), set(), []
    for instruction in code:
        target = set()
        if instruction.operation.startswith("LDG"):
            start = int(re.match(r"R(\d+)", instruction.operands)[1])
            target = set(range(start, start + max(1, width(instruction.operation) // 32)))
        if waiting & (registers_of(instruction.operands) | target):
            waiting, run_of_widest = set(), []
        waiting |= target
        if target and width(instruction.operation) == widest:
            run_of_widest.append(instruction.address)
            best = max(best, (len(run_of_widest), run_of_widest[0]))
    return best[0], widest, best[1]


def innermost_loop(code, address):
    """Instructions of the shortest backward branch around an address."""
    shortest = len(code)
    for instruction in code:
        if instruction.operation.startswith("BRA"):
            target = re.search(r"0x([0-9a-f]+)", instruction.operands)
            if target and int(target[1], 16) <= address <= instruction.address:
                inside = (instruction.address - int(target[1], 16)) // 16 + 1
                shortest = min(shortest, inside)
    return shortest


def measured(code, registers, local):
    number, bits, address = most_loads(code)
    stores = [width(i.operation) for i in code if i.operation.startswith("STG")]
    return Code(f"{number}x{bits}", max(stores, default=0), registers, local,
                innermost_loop(code, address))


def worse(code, limit):
    """What of `code` its row does not allow."""
    number, bits = map(int, code.loads.split("x"))
    least_number, least_bits = map(int, limit.loads.split("x"))
    found = []
    if bits < least_bits or number < least_number:
        found.append("loads")
    found += ["store"] * (code.store < limit.store) + ["local"] * (code.local > limit.local)
    return found + [name for name in ("registers", "loop")
                    if getattr(code, name) > 1.1 * getattr(limit, name)]


def read_table():
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
    assert rows[0] == COLUMNS
    return [(row[0], row[1], Code(row[2], *map(int, row[3:]))) for row in rows[1:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=pathlib.Path, help="where a build has its objects")
    parser.add_argument("--update", action="store_true", help="write the table anew")
    arguments = parser.parse_args()
    table = read_table()
    kernels = {}
    for source in dict.fromkeys(row[0] for row in table):
        binary = arguments.objects / (source + ".o") if arguments.objects else compiled(source)
        kernels[source] = disassembled(binary)
    failed, rows = 0, []
    for source, kernel, limit in table:
        if kernel not in kernels[source]:
            sys.exit(f"sass.py: {source} has no kernel {kernel}; it has\n  " +
                     "\n  ".join(sorted(kernels[source])))
        code = measured(*kernels[source][kernel])
        bad = worse(code, limit)
        failed += bool(bad)
        values = ", ".join(f"{name} {value}" + (f" (table: {getattr(limit, name)})"
                                                if name in bad else "")
                           for name, value in code._asdict().items())
        print(f"{'WORSE ' if bad else ''}{kernel}: {values}")
        rows.append("\t".join(map(str, (source, kernel, *code))))
    if arguments.update:
        comments = [line for line in TABLE.read_text(encoding="utf-8").splitlines()
                    if line.startswith("#")]
        TABLE.write_text("\n".join([*comments, "\t".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
        return 0
    print(f"{len(table) - failed} of {len(table)} kernels as in {TABLE.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
