#!/usr/bin/env python3
"""Writes tests/golden/hyena/*.safetensors: outputs and gradients of the Hyena layers in float64,
from a second implementation of their formulas, in PyTorch.

    python3 tests/golden/make_hyena_golden.py

Checking the files needs no PyTorch (tests/layers/test_hyena_golden.cpp). They have the names that
run_layer uses, and the layer's name and configuration as metadata. Made with PyTorch 1.13 on a CPU;
other versions may differ in the last bits.
"""
import json
import math
import pathlib
import struct

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
OUT = pathlib.Path(__file__).parent / "hyena"


def write_safetensors(path, tensors, metadata):
    names = {torch.float64: "F64", torch.int64: "I64"}
    header, data = {"__metadata__": metadata}, b""
    for name in sorted(tensors):
        t = tensors[name].detach().contiguous()
        raw = t.numpy().tobytes()
        header[name] = {"dtype": names[t.dtype], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# ---- the model, as functions of a dictionary of parameters ----

def implicit_filter(p, o, length):
    bands = (o["emb_dim"] - 1) // 2
    t = torch.linspace(0, 1, o["l_max"])[:length, None]
    w = 2 * math.pi * torch.arange(o["l_max"], dtype=torch.float64)[:length, None] / o["l_max"]
    z = torch.exp(-1j * torch.linspace(1e-4, bands - 1, bands)[None] * w)
    a = torch.cat([t, z.real, z.imag], dim=-1)
    for i in range(3):
        a = torch.sin(p["freq"] * F.linear(a, p[f"layers.{i}.weight"], p[f"layers.{i}.bias"]))
    k = F.linear(a, p["layers.3.weight"])
    fast, slow = math.log(0.01) / 0.3, math.log(0.01) / 1.5
    deltas = torch.linspace(slow, fast, o["d_model"])[None]
    return (k * torch.exp(-t * deltas.abs())).T


def sub(p, prefix):
    return {n[len(prefix) + 1:]: v for n, v in p.items() if n.startswith(prefix + ".")}


def hyena_operator(p, o, x):
    d, length = o["d_model"], x.shape[1]
    u = F.linear(x, p["in_proj.weight"], p["in_proj.bias"]).transpose(1, 2)
    u = F.conv1d(F.pad(u, (2, 0)), p["short_conv.weight"][:, None], p["short_conv.bias"],
                 groups=3 * d)
    x0, x1, v = u[:, 0::3], u[:, 1::3], u[:, 2::3]
    z = x1 * v
    k, n = implicit_filter(sub(p, "filter"), o, length), 2 * length
    h = torch.fft.irfft(torch.fft.rfft(z, n) * torch.fft.rfft(k, n), n)[..., :length]
    h = h + p["filter.skip"][:, None] * z
    return F.linear((x0 * h).transpose(1, 2), p["out_proj.weight"], p["out_proj.bias"])


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def mlp(p, o, x):
    return F.linear(gelu_tanh(F.linear(x, p["fc1.weight"], p["fc1.bias"])), p["fc2.weight"],
                    p["fc2.bias"])


def layer_norm(p, x):
    return F.layer_norm(x, x.shape[-1:], p["weight"], p["bias"], 1e-5)


def block(p, o, x):
    r = x + hyena_operator(sub(p, "mixer"), o, layer_norm(sub(p, "norm1"), x))
    return r + mlp(sub(p, "mlp"), o, layer_norm(sub(p, "norm2"), r))


def model(p, o, ids):
    r = F.embedding(ids, p["embedding.weight"])
    for i in range(o["n_layers"]):
        r = block(sub(p, f"blocks.{i}"), o, r)
    return F.linear(layer_norm(sub(p, "norm"), r), p["embedding.weight"])


# ---- random parameters, far enough from their initial values to exercise everything ----

def normal(*shape, scale=0.4):
    return torch.randn(*shape) * scale


def filter_params(o):
    E, M, d = o["emb_dim"], o["filter_order"], o["d_model"]
    p = {"freq": o["w"] * (1 + normal(M, scale=0.1)), "skip": normal(d, scale=1)}
    for i, (n_in, n_out) in enumerate([(E, M), (M, M), (M, M), (M, d)]):
        p[f"layers.{i}.weight"] = normal(n_out, n_in, scale=0.3)
        if i < 3:
            p[f"layers.{i}.bias"] = normal(n_out, scale=0.3)
    return p


def with_prefix(prefix, p):
    return {f"{prefix}.{n}": v for n, v in p.items()}


def operator_params(o):
    d = o["d_model"]
    return {"in_proj.weight": normal(3 * d, d), "in_proj.bias": normal(3 * d),
            "short_conv.weight": normal(3 * d, 3), "short_conv.bias": normal(3 * d),
            "out_proj.weight": normal(d, d), "out_proj.bias": normal(d),
            **with_prefix("filter", filter_params(o))}


def norm_params(d):
    return {"weight": 1 + normal(d, scale=0.2), "bias": normal(d, scale=0.2)}


def block_params(o):
    d, inner = o["d_model"], o.get("d_inner", 4 * o["d_model"])
    return {**with_prefix("norm1", norm_params(d)), **with_prefix("norm2", norm_params(d)),
            **with_prefix("mixer", operator_params(o)),
            "mlp.fc1.weight": normal(inner, d), "mlp.fc1.bias": normal(inner),
            "mlp.fc2.weight": normal(d, inner), "mlp.fc2.bias": normal(d)}


def model_params(o):
    p = {"embedding.weight": normal(o["vocab_size"], o["d_model"]),
         **with_prefix("norm", norm_params(o["d_model"]))}
    for i in range(o["n_layers"]):
        p.update(with_prefix(f"blocks.{i}", block_params(o)))
    return p


def golden(name, layer, options, params, x, run):
    """One file: `run(params, x)`, its gradients for a random grad_output, and what went in."""
    for p in params.values():
        p.requires_grad_()
    floating = x is not None and x.is_floating_point()
    if floating:
        x.requires_grad_()
    y = run(params, x)
    dy = torch.randn_like(y)
    y.backward(dy)
    out = {"output": y, "grad_output": dy}
    if x is not None:
        out["input.0"] = x
    if floating:
        out["grad.input.0"] = x.grad
    for n, p in params.items():
        out[f"param.{n}"] = p
        out[f"grad.param.{n}"] = torch.zeros_like(p) if p.grad is None else p.grad
    write_safetensors(OUT / f"{name}.safetensors", out,
                      {"layer": layer, "config": json.dumps({**options, "dtype": "float64"})})


def main():
    torch.manual_seed(20230221)
    OUT.mkdir(exist_ok=True)

    def options(d_model, l_max, filter_order=6, emb_dim=5, w=10.0, **more):
        return {"d_model": d_model, "l_max": l_max, "filter_order": filter_order,
                "emb_dim": emb_dim, "w": w, **more}

    for name, o, length in [
            ("filter_full", options(6, 16), 16),
            ("filter_part", options(5, 33, filter_order=7, emb_dim=9, w=1.5), 20),
            ("filter_one_channel_one_band", options(1, 7, emb_dim=3), 7),
            ("filter_one_tap", options(4, 1), 1)]:
        golden(name, "HyenaFilter", {**o, "length": length}, filter_params(o), None,
               lambda p, x, o=o, n=length: implicit_filter(p, o, n))
    for name, o, shape in [
            ("operator", options(6, 16), (2, 16, 6)),
            ("operator_prime_length", options(4, 32, emb_dim=7, w=3.0), (3, 13, 4)),
            ("operator_length_one", options(3, 8), (2, 1, 3))]:
        golden(name, "HyenaOperator", o, operator_params(o), torch.randn(*shape),
               lambda p, x, o=o: hyena_operator(p, o, x))
    for name, o, shape in [
            ("block", options(6, 12), (2, 12, 6)),
            ("block_d_inner", options(4, 20, d_inner=10), (1, 11, 4))]:
        golden(name, "HyenaBlock", o, block_params(o), torch.randn(*shape),
               lambda p, x, o=o: block(p, o, x))
    for name, o, shape in [
            ("model", options(6, 24, n_layers=2, vocab_size=7), (2, 24)),
            ("model_three_blocks", options(4, 32, n_layers=3, vocab_size=5, d_inner=6), (3, 17))]:
        golden(name, "HyenaLM", o, model_params(o), torch.randint(0, o["vocab_size"], shape),
               lambda p, x, o=o: model(p, o, x))


if __name__ == "__main__":
    main()
