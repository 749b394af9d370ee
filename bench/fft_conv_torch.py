"""Hyena's gated long convolution beside the same in PyTorch, in one process, taking turns.

    cmake --preset cpu -DCROCUTA_BENCH=ON && cmake --build build/cpu
    python3 bench/fft_conv_torch.py build/cpu/bench/libbench_fft_conv_peer.so

PyTorch computes x0 * (irfft(rfft(x1 * v, 2L) rfft(k, 2L))[:L] + skip x1 v) from the interleaved
streams, as a Hyena model does, with the allocator settings of depthwise_conv1d_torch.py. A ratio of
2 means that we take half the time.
"""

import ctypes
import os

from depthwise_conv1d_torch import compare, parse_arguments, restart_fairly

# B, C, L
CASES = [(2, 256, 1024), (8, 128, 1024), (1, 256, 8192), (1, 64, 65536), (1, 64, 3000), (32, 64, 64)]


def pointer(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def measure(torch, library, case, arguments):
    B, C, L = case
    sizes = (ctypes.c_int64 * 3)(*case)
    u = torch.randn(B, 3 * C, L, requires_grad=True)
    k = torch.randn(C, L, requires_grad=True)
    skip = torch.randn(C, requires_grad=True)
    dy = torch.randn(B, C, L)

    def torch_conv():
        x0, x1, v = u.view(B, C, 3, L).unbind(2)
        z = x1 * v
        spectrum = torch.fft.rfft(z, n=2 * L) * torch.fft.rfft(k, n=2 * L)
        return x0 * (torch.fft.irfft(spectrum, n=2 * L)[..., :L] + skip[:, None] * z)

    y, du, dk, dskip = (torch.empty_like(t) for t in (dy, u, k, skip))
    memory = torch.empty(library.crocuta_hyena_workspace_bytes(sizes) // 8 + 8, dtype=torch.float64)
    workspace = ctypes.c_void_p((memory.data_ptr() + 63) // 64 * 64)
    operands = (sizes, pointer(u), pointer(k), pointer(skip))
    results = (pointer(du), pointer(dk), pointer(dskip))

    def ours_forward():
        library.crocuta_hyena_forward(*operands, pointer(y), workspace)

    def ours_both():
        ours_forward()
        library.crocuta_hyena_backward(*operands, pointer(dy), *results, workspace)

    def torch_forward():
        with torch.no_grad():
            return torch_conv()

    def torch_both():
        return torch.autograd.grad(torch_conv(), (u, k, skip), dy)

    # The same numbers first, or the times mean nothing.
    ours_both()
    for ours, theirs in zip((y, du, dk, dskip), (torch_forward(), *torch_both())):
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()

    times = compare(
        (ours_forward, torch_forward, ours_both, torch_both), arguments.rounds, arguments.seconds
    )
    forward, torch_forward_time, both, torch_both_time = (1e3 * t for t in times)
    print(
        f"{B:3} {C:5} {L:6} | {forward:9.3f} {torch_forward_time:9.3f} "
        f"{torch_forward_time / forward:6.2f} | {both:9.3f} {torch_both_time:9.3f} "
        f"{torch_both_time / both:6.2f}",
        flush=True,
    )


def main():
    arguments = parse_arguments(__doc__, "libbench_fft_conv_peer.so")
    restart_fairly(arguments)
    import torch  # after the environment is settled

    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    library = ctypes.CDLL(os.path.abspath(arguments.library))
    library.crocuta_hyena_workspace_bytes.restype = ctypes.c_int64
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads, milliseconds\n")
    print("  B     C      L |   forward   PyTorch  ratio |      both   PyTorch  ratio")
    for case in CASES:
        measure(torch, library, case, arguments)


if __name__ == "__main__":
    main()
