#!/usr/bin/env python3
"""The training step of bench/train_step.cpp in PyTorch, written as one would for speed: see
bench/train_step.sh, which also sets the environment that makes the comparison fair.

    train_step_torch.py [--device cuda] [--dtype bfloat16] [--compile]
                        [d_model n_layers length batch vocabulary steps]
"""
import argparse
import contextlib
import math
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    sys.exit(f"train_step_torch.py: no PyTorch for {sys.executable}")

WARM_UP = 3


class Filter(nn.Module):
    def __init__(self, d, l_max, order=64, emb_dim=5, w=10.0):
        super().__init__()
        bands = (emb_dim - 1) // 2
        t = torch.linspace(0, 1, l_max)[:, None]
        angle = 2 * math.pi * torch.arange(l_max)[:, None] / l_max
        z = angle * torch.linspace(1e-4, bands - 1, bands)[None]
        self.register_buffer("z", torch.cat([t, z.cos(), -z.sin()], dim=1))
        deltas = torch.linspace(math.log(0.01) / 1.5, math.log(0.01) / 0.3, d)
        self.register_buffer("decay", torch.exp(-t * deltas.abs()).T.contiguous())
        self.layers = nn.ModuleList([nn.Linear(emb_dim, order), nn.Linear(order, order),
                                     nn.Linear(order, order), nn.Linear(order, d, bias=False)])
        self.freq = nn.Parameter(w * torch.ones(order))
        self.skip = nn.Parameter(torch.randn(d))

    def forward(self, length):
        a = self.z[:length]
        for layer in self.layers[:3]:
            a = torch.sin(self.freq * layer(a))
        return (self.layers[3].weight @ a.T) * self.decay[:, :length]


class Operator(nn.Module):
    def __init__(self, d, l_max):
        super().__init__()
        self.d = d
        self.in_proj = nn.Linear(d, 3 * d)
        self.short_conv = nn.Conv1d(3 * d, 3 * d, 3, groups=3 * d)
        self.out_proj = nn.Linear(d, d)
        self.filter = Filter(d, l_max)

    def forward(self, x):
        length = x.shape[1]
        u = self.short_conv(F.pad(self.in_proj(x).transpose(1, 2), (2, 0)))
        x0, x1, v = u.split(self.d, dim=1)
        z, n = x1 * v, 2 * length
        k = self.filter(length)
        spectrum = torch.fft.rfft(z.float(), n) * torch.fft.rfft(k.float(), n)
        h = torch.fft.irfft(spectrum, n)[..., :length]
        h = (h + self.filter.skip[:, None] * z).to(z.dtype)
        return self.out_proj((x0 * h).transpose(1, 2))


class Block(nn.Module):
    def __init__(self, d, l_max):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mixer = Operator(d, l_max)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU("tanh"), nn.Linear(4 * d, d))

    def forward(self, x):
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    def __init__(self, vocabulary, d, n_layers, l_max):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, d)
        self.blocks = nn.ModuleList(Block(d, l_max) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d)
        for m in self.modules():
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.normal_(m.weight, std=0.02)
                if getattr(m, "bias", None) is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, ids):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.embedding.weight)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", help="d_model n_layers length batch ...")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--check", action="store_true", help="only say whether all of it is there")
    arguments = parser.parse_args()
    if arguments.compile and not hasattr(torch, "compile"):
        sys.exit(f"train_step_torch.py: PyTorch {torch.__version__} has no torch.compile")
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit(f"train_step_torch.py: no GPU that PyTorch {torch.__version__} can use")
    if arguments.check:
        print(f"PyTorch {torch.__version__}{', compiled' if arguments.compile else ''}")
        return
    sizes = [128, 2, 1024, 8, 16, 7]
    sizes[:len(arguments.sizes)] = arguments.sizes
    d, n, length, batch, vocabulary, steps = sizes
    device = torch.device(arguments.device)
    torch.backends.cudnn.allow_tf32 = False  # float32 is to be float32, as it is here
    torch.manual_seed(0)
    model = Model(vocabulary, d, n, length).to(device)
    assert (d, n, vocabulary) != (128, 2, 16) or sum(
        p.numel() for p in model.parameters()) == 436096
    on_gpu = device.type == "cuda"
    fused = {"fused": True} if on_gpu else {}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, **fused)
    ids = torch.randint(0, vocabulary, (batch, length), device=device)
    targets = torch.randint(0, vocabulary, (batch, length), device=device)
    run = torch.compile(model) if arguments.compile else model

    def precision():
        if arguments.dtype == "float32":
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)

    times = []
    for step in range(WARM_UP + steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with precision():
            loss = F.cross_entropy(run(ids).flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if on_gpu:
            torch.cuda.synchronize()
        if step >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
    print(f"{sorted(times)[len(times) // 2]:.3f} ms, loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
