#!/usr/bin/env python3
"""Compares the gated FFT convolution of two builds, forward and backward, by turns.

    bench/fft_conv_builds.py OLD/bench/libbench_fft_conv_peer.so NEW/bench/libbench_fft_conv_peer.so

One thread each, in a process of its own. What is compared is the time of the processor, which other
programs disturb less than that of the clock. Prints medians of 9 rounds, and old over new.
"""
import ctypes
import os
import statistics
import subprocess
import sys
import time

CASES = [(2, 256, 1024), (8, 128, 1024), (1, 256, 8192), (1, 64, 65536), (1, 64, 3000)]
ROUNDS = 9


def array(count):
    """`count` floats between -1 and 1, aligned to 64 bytes, and what keeps them alive."""
    memory = (ctypes.c_float * (count + 16))()
    offset = -ctypes.addressof(memory) % 64 // 4
    pattern = (ctypes.c_float * 997)(*[(7919 * i % 997) / 498.5 - 1 for i in range(997)])
    for begin in range(0, count, 997):
        size = min(997, count - begin)
        ctypes.memmove(ctypes.addressof(memory) + 4 * (offset + begin), pattern, 4 * size)
    return memory, ctypes.c_void_p(ctypes.addressof(memory) + 4 * offset)


def work(path):
    """Answers each case's number on standard input with the seconds that one call took."""
    library = ctypes.CDLL(path)
    library.crocuta_hyena_workspace_bytes.restype = ctypes.c_int64
    prepared = {}
    for line in sys.stdin:
        batch, channels, length = CASES[int(line)]
        rows = batch * channels * length
        if line not in prepared:
            sizes = (ctypes.c_int64 * 3)(batch, channels, length)
            counts = [3 * rows, channels * length, channels, rows, rows, 3 * rows,
                      channels * length, channels,
                      library.crocuta_hyena_workspace_bytes(sizes) // 4]
            prepared[line] = sizes, [array(count) for count in counts]
        sizes, arrays = prepared[line]
        u, k, skip, y, dy, du, dk, dskip, scratch = [pointer for _, pointer in arrays]
        calls = max(1, 4000000 // rows)
        begin = time.process_time()
        for _ in range(calls):
            library.crocuta_hyena_forward(sizes, u, k, skip, y, scratch)
            library.crocuta_hyena_backward(sizes, u, k, skip, dy, du, dk, dskip, scratch)
        print((time.process_time() - begin) / calls, flush=True)


def main():
    environment = dict(os.environ, CROCUTA_NUM_THREADS="1")
    workers = [subprocess.Popen([sys.executable, __file__, "--work", path], env=environment,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
               for path in sys.argv[1:]]

    def ask(worker, case):
        print(case, file=worker.stdin, flush=True)
        return float(worker.stdout.readline())

    print("B, C, L           old ms   new ms   old / new")
    for number, case in enumerate(CASES):
        for worker in workers:
            ask(worker, number)
        times = [[ask(worker, number) for worker in workers] for _ in range(ROUNDS)]
        old, new = (statistics.median(column) for column in zip(*times))
        print(f"{', '.join(map(str, case)):16} {old * 1e3:8.2f} {new * 1e3:8.2f} {old / new:8.2f}",
              flush=True)
    for worker in workers:
        worker.stdin.close()
        worker.wait()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--work":
        work(sys.argv[2])
    else:
        main()
