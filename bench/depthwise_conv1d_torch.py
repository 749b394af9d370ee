"""The depthwise convolution beside PyTorch's, in one process, taking turns.

    cmake --preset cpu -DCROCUTA_BENCH=ON && cmake --build build/cpu
    python3 bench/depthwise_conv1d_torch.py build/cpu/bench/libbench_depthwise_conv1d_peer.so

PyTorch is measured fairly: its allocator keeps large blocks (without that every call pays for fresh
pages), an OpenBLAS that shares its OpenMP threads is found first, and the baseline is pad + valid
convolution, several times faster than conv1d(padding=K-1)[..., :L]. --as-installed leaves the
environment alone. A ratio of 2 means that we take half the time.
"""

import argparse
import ctypes
import os
import statistics
import sys
import time

FAIR = {
    "MALLOC_MMAP_THRESHOLD_": "8589934592",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu/openblas-openmp",
}
# B, C, L, K, G
CASES = [
    (1, 768, 2048, 3, 768),
    (4, 768, 2048, 4, 768),
    (4, 768, 2048, 4, 48),
    (2, 1536, 8192, 3, 1536),
    (8, 256, 1024, 7, 256),
    (2, 384, 1024, 31, 384),
    (1, 384, 32768, 128, 384),
    (3, 96, 2047, 3, 96),
    (32, 512, 512, 4, 512),
    (1, 64, 262144, 4, 64),
]


def parse_arguments(description, library):
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("library", help=library)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.02, help="per candidate and round")
    parser.add_argument("--as-installed", action="store_true", help="PyTorch without the help")
    return parser.parse_args()


def restart_fairly(arguments):
    """The allocator and the loader read their settings once, when a process starts."""
    wanted = {"OMP_NUM_THREADS": str(arguments.threads)}
    if not arguments.as_installed:
        wanted.update(FAIR)
    if any(os.environ.get(key) != value for key, value in wanted.items()):
        os.execve(sys.executable, [sys.executable] + sys.argv, {**os.environ, **wanted})


def compare(candidates, rounds, seconds):
    """The median time of each callable; all take turns in every round."""

    def time_of(run, calls):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - start) / calls

    calls = []
    for run in candidates:
        run()
        calls.append(max(1, min(10000, int(seconds / time_of(run, 1)))))
    times = [[] for _ in candidates]
    for _ in range(rounds):
        for i, run in enumerate(candidates):
            times[i].append(time_of(run, calls[i]))
    return [statistics.median(t) for t in times]


def measure(torch, library, case, arguments):
    B, C, L, K, G = case
    sizes = (ctypes.c_int64 * 5)(*case)
    functional = torch.nn.functional
    x = torch.randn(B, C, L, requires_grad=True)
    weight = torch.randn(G, K, requires_grad=True)
    bias = torch.randn(G, requires_grad=True)
    dy = torch.randn(B, C, L)

    def torch_conv():
        w, b = weight, bias
        if G != C:
            w, b = w.repeat_interleave(C // G, 0), b.repeat_interleave(C // G, 0)
        return functional.conv1d(functional.pad(x, (K - 1, 0)), w.unsqueeze(1), b, groups=C)

    y, dx = torch.empty_like(dy), torch.empty_like(dy)
    dweight, dbias = torch.empty(G, K), torch.empty(G)
    workspace = torch.empty(library.crocuta_conv_workspace_bytes(sizes) // 8, dtype=torch.float64)

    def pointer(tensor):
        return ctypes.c_void_p(tensor.data_ptr())

    forward_arguments = (sizes, pointer(x), pointer(weight), pointer(bias), pointer(y))
    backward_arguments = (sizes, pointer(x), pointer(weight), pointer(dy), pointer(dx),
                          pointer(dweight), pointer(dbias), pointer(workspace))

    def ours_forward():
        library.crocuta_conv_forward(*forward_arguments)

    def ours_backward():
        library.crocuta_conv_backward(*backward_arguments)

    def torch_forward():
        with torch.no_grad():
            torch_conv()

    expected = torch_conv()

    def torch_backward():
        return torch.autograd.grad(expected, (x, weight, bias), dy, retain_graph=True)

    # The same numbers first, or the times mean nothing.
    ours_forward()
    ours_backward()
    for got, want in zip((y, dx, dweight, dbias), (expected.detach(),) + torch_backward()):
        scale = float(want.abs().max())
        if float((got - want).abs().max()) > 1e-4 * scale:
            sys.exit(f"{case}: results differ from PyTorch's")

    a, b, c, d = compare([ours_forward, torch_forward, ours_backward, torch_backward],
                         arguments.rounds, arguments.seconds)
    print(f"{B:2} {C:5} {L:7} {K:4} {G:5} | {a * 1e6:9.0f} {b * 1e6:9.0f} {b / a:6.1f} "
          f"| {c * 1e6:9.0f} {d * 1e6:9.0f} {d / c:6.1f} | {(b + d) / (a + c):6.1f}", flush=True)


def main():
    arguments = parse_arguments(__doc__, "libbench_depthwise_conv1d_peer.so")
    restart_fairly(arguments)
    import torch  # after the restart: it is what the settings are for

    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    library = ctypes.CDLL(os.path.abspath(arguments.library))
    library.crocuta_conv_workspace_bytes.restype = ctypes.c_int64
    print(f"causal depthwise convolution, float32, {arguments.threads} threads, medians of "
          f"{arguments.rounds} interleaved rounds, microseconds\nPyTorch {torch.__version__}, "
          + ("as installed" if arguments.as_installed
             else ", ".join(f"{key}={value}" for key, value in FAIR.items())))
    print(" B     C       L    K     G |   forward     torch  ratio |  backward     torch  ratio "
          "|   both")
    for case in CASES:
        measure(torch, library, case, arguments)


if __name__ == "__main__":
    main()
