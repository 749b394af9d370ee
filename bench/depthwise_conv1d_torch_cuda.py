"""The depthwise convolution on a GPU beside PyTorch's and causal-conv1d's, in one process, by turns.

    cmake --preset cuda -DCROCUTA_BENCH=ON && cmake --build build/cuda
    python3 bench/depthwise_conv1d_torch_cuda.py build/cuda/bench/libbench_depthwise_conv1d_cuda_peer.so

Peers: PyTorch's conv1d with padding on both sides, cut to length; pad + conv1d, with the weights
expanded where channels share them; the same through torch.compile; causal-conv1d where it is
installed and takes the shape; and as "elementwise" PyTorch's kernels that move the same bytes, 2 x
for forward and x + dy for backward. A ratio of 2 means that we take half the time. Forward is without
gradients; "both" is forward and backward, with all gradients. Operands are used in turn, four times
as many as the L2 cache holds; --warm uses one set.

Calls are captured in CUDA graphs and replayed, so that Python's time does not count; those that
cannot be captured are called one by one, and their names end in *.
"""

import argparse
import ctypes
import os
import statistics
import sys

# B, C, L, K, G, dtype
CASES = [
    (8, 4096, 8192, 4, 4096, "bfloat16"),
    (2, 4096, 32768, 3, 4096, "bfloat16"),
    (1, 1536, 131072, 7, 1536, "bfloat16"),
    (4, 768, 2048, 3, 768, "float32"),
    (32, 512, 512, 4, 512, "bfloat16"),
    (8, 4096, 8191, 4, 4096, "bfloat16"),
    (8, 4096, 8192, 4, 256, "bfloat16"),
    (2, 4096, 8192, 4, 4096, "float32"),
    (2, 384, 1024, 31, 384, "float32"),
    (1, 384, 32768, 128, 384, "float32"),
    (2, 4096, 8192, 128, 4096, "bfloat16"),
]
TOLERANCE = {"float32": 1e-4, "bfloat16": 3e-2, "float16": 4e-3}  # of the largest magnitude


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", help="libbench_depthwise_conv1d_cuda_peer.so")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.02, help="per candidate and round")
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--no-graphs", action="store_true", help="call everything one by one")
    parser.add_argument("--case", type=int, nargs="+", help="only these, from 0")
    return parser.parse_args()


class Ours:
    """Our kernels on PyTorch's tensors and stream."""

    def __init__(self, torch, library, case):
        self.torch, self.library, self.dtype = torch, library, case[5].encode()
        self.sizes = (ctypes.c_int64 * 5)(*case[:5])
        bytes_needed = library.crocuta_cuda_conv_workspace_bytes(self.sizes, self.dtype)
        self.workspace = torch.empty(bytes_needed // 8 + 1, dtype=torch.float64, device="cuda")

    def call(self, function, *tensors):
        stream = ctypes.c_void_p(self.torch.cuda.current_stream().cuda_stream)
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in tensors]
        if function(self.sizes, self.dtype, *pointers, stream) != 0:
            sys.exit("our kernel failed")

    def forward(self, x, weight, bias):
        y = self.torch.empty_like(x)
        self.call(self.library.crocuta_cuda_conv_forward, x, weight, bias, y)
        return y

    def backward(self, x, weight, bias, dy):
        dx, dweight, dbias = (self.torch.empty_like(t) for t in (x, weight, bias))
        self.call(self.library.crocuta_cuda_conv_backward, x, weight, dy, dx, dweight, dbias,
                  self.workspace)
        return dx, dweight, dbias


def peers(torch, case, arguments):
    """Functions of (x, weight, bias), by name; those that are not to be had are left out."""
    _, C, L, K, G, dtype = case
    functional = torch.nn.functional

    def expanded(weight, bias):
        if G != C:
            weight, bias = weight.repeat_interleave(C // G, 0), bias.repeat_interleave(C // G, 0)
        return weight.unsqueeze(1), bias

    def conv1d(x, weight, bias):
        weight, bias = expanded(weight, bias)
        return functional.conv1d(x, weight, bias, padding=K - 1, groups=C)[..., :L]

    def pad_conv1d(x, weight, bias):
        weight, bias = expanded(weight, bias)
        return functional.conv1d(functional.pad(x, (K - 1, 0)), weight, bias, groups=C)

    found = {"conv1d": conv1d, "pad+conv1d": pad_conv1d}
    if not arguments.no_compile and hasattr(torch, "compile"):
        found["compiled"] = torch.compile(pad_conv1d)
    try:
        from causal_conv1d import causal_conv1d_fn
        if 2 <= K <= 4:
            found["causal-conv1d"] = lambda x, weight, bias: causal_conv1d_fn(
                x, expanded(weight, bias)[0].squeeze(1), expanded(weight, bias)[1])
    except ImportError:
        pass
    return found


class Calls:
    """A callable of the GPU, called a few times per graph."""

    def __init__(self, torch, run, count, graphs):
        self.torch, self.run, self.graph = torch, run, None
        self.count = count * -(-8 // count)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # as capturing wants it: what happens once has happened
            for _ in range(3):
                run()
        torch.cuda.synchronize()
        if not graphs:
            return
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                for _ in range(self.count):
                    run()
            graph.replay()
            torch.cuda.synchronize()
            self.graph = graph
        except RuntimeError:
            torch.cuda.synchronize()

    def time(self, repetitions):
        start, stop = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repetitions):
            if self.graph:
                self.graph.replay()
            else:
                for _ in range(self.count):
                    self.run()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) * 1e-3 / repetitions


def compare(torch, candidates, count, arguments):
    """The median time of a call of each, and whether it was captured; all take turns in every round.
    They use `count` sets of operands in turn."""
    calls = [Calls(torch, run, count, not arguments.no_graphs) for run in candidates]
    repetitions = [max(1, min(10000, int(arguments.seconds / c.time(1)))) for c in calls]
    times = [[] for _ in calls]
    for _ in range(arguments.rounds):
        for i, c in enumerate(calls):
            times[i].append(c.time(repetitions[i]) / c.count)
    return [(statistics.median(t), c.graph is not None) for t, c in zip(times, calls)]


def check_same(case, name, got, want):
    for a, b in zip(got, want):
        a, b = a.double(), b.double()
        if not float((a - b).abs().max()) <= TOLERANCE[case[5]] * float(b.abs().max()):
            sys.exit(f"{case}: our results differ from those of {name}")


def measure(torch, library, case, arguments):
    B, C, L, K, G, dtype = case
    options = {"device": "cuda", "dtype": getattr(torch, dtype)}
    l2 = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 64 << 20)
    size = B * C * L * torch.empty(0, **options).element_size()
    count = 1 if arguments.warm else max(1, min(64, -(-4 * l2 // (2 * size))))
    sets = [(torch.randn(B, C, L, **options).requires_grad_(), torch.randn(B, C, L, **options))
            for _ in range(count)]
    weight = torch.randn(G, K, **options).requires_grad_()
    bias = torch.randn(G, **options).requires_grad_()
    ours = Ours(torch, library, case)
    turn = [0]

    def next_set():
        turn[0] += 1
        return sets[turn[0] % count]

    def ours_forward():
        return ours.forward(next_set()[0].detach(), weight, bias)

    def ours_both():
        x, dy = next_set()
        ours.forward(x, weight, bias)
        return ours.backward(x, weight, bias, dy)

    def forward_of(peer):
        def run():
            with torch.no_grad():
                return peer(next_set()[0], weight, bias)
        return run

    def both_of(peer):
        def run():
            x, dy = next_set()
            return torch.autograd.grad(peer(x, weight, bias), (x, weight, bias), dy)
        return run

    def elementwise_forward():
        return torch.mul(next_set()[0].detach(), 2)

    def elementwise_both():
        x, dy = next_set()
        return torch.mul(x.detach(), 2), torch.add(x.detach(), dy)

    names, forwards, boths = ["ours", "elementwise"], [ours_forward], [ours_both]
    forwards.append(elementwise_forward)
    boths.append(elementwise_both)
    for name, peer in peers(torch, case, arguments).items():
        x, dy = sets[0]
        try:  # a peer that cannot do this shape is left out
            y = peer(x, weight, bias)
            gradients = torch.autograd.grad(y, (x, weight, bias), dy)
        except Exception as error:  # compilers and kernels raise what they like
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"    {name} left out: {reason[:120]}", flush=True)
            torch.cuda.synchronize()
            continue
        # The same numbers first, or the times mean nothing.
        check_same(case, name, (ours.forward(x, weight, bias),), (y,))
        check_same(case, name, ours.backward(x, weight, bias, dy), gradients)
        names.append(name)
        forwards.append(forward_of(peer))
        boths.append(both_of(peer))
        del y, gradients
    forward = compare(torch, forwards, count, arguments)
    both = compare(torch, boths, count, arguments)
    ours_time, ours_both_time = forward[0][0], both[0][0]
    ratios = [f"{name}{'' if a[1] and b[1] or arguments.no_graphs else '*'} "
              f"{a[0] / ours_time:.2f} {b[0] / ours_both_time:.2f}"
              for name, a, b in zip(names, forward, both)]
    print(f"{B:3} {C:5} {L:7} {K:4} {G:5} {dtype:8} | {ours_time * 1e6:9.1f} "
          f"| {ours_both_time * 1e6:9.1f} | {'; '.join(ratios[1:])}", flush=True)


def main():
    arguments = parse_arguments()
    try:
        import torch
    except ImportError:
        print(f"no PyTorch for {sys.executable}: nothing to compare with")
        return 77
    if not torch.cuda.is_available():
        print("no GPU that this PyTorch can use")
        return 77
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True  # its fastest algorithm
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    library = ctypes.CDLL(os.path.abspath(arguments.library))
    for function in ("forward", "backward", "workspace_bytes"):
        getattr(library, f"crocuta_cuda_conv_{function}").restype = ctypes.c_int64
    try:
        import causal_conv1d
        installed = getattr(causal_conv1d, "__version__", "of unknown version")
    except ImportError:
        installed = "not installed"
    print(f"causal depthwise convolution on {torch.cuda.get_device_name(0)}, medians of "
          f"{arguments.rounds} interleaved rounds, microseconds\nPyTorch {torch.__version__}, cuDNN "
          f"{torch.backends.cudnn.version()}, causal-conv1d {installed}; "
          f"{'warm' if arguments.warm else 'cold'} operands"
          f"{'' if hasattr(torch, 'compile') else '; this PyTorch has no torch.compile'}\n\n"
          "  B     C       L    K     G dtype    |   forward |      both "
          "| times as fast as the peers, forward and both")
    for i, case in enumerate(CASES):
        if arguments.case is None or i in arguments.case:
            measure(torch, library, case, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
