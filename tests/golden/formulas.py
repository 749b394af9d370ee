"""The layers' formulas a second time, in PyTorch and float64, as functions of a dictionary of
parameters; used by make_golden.py.
"""
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def depthwise_conv1d(p, o, x):
    C, K = o["hidden_dim"], o["kernel_size"]
    G = o.get("num_groups", C)
    left = K - 1 if o.get("causal") else (K - 1) // 2
    expand = lambda t: t.repeat_interleave(C // G, dim=0)
    bias = expand(p["bias"]) if "bias" in p else None
    return F.conv1d(F.pad(x, (left, K - 1 - left)), expand(p["weight"])[:, None], bias, groups=C)


def causal_conv(z, k):
    """Directly, without a Fourier transform: z [B, C, L], k [C, L]."""
    return F.conv1d(F.pad(z, (z.shape[2] - 1, 0)), k.flip(-1)[:, None], groups=z.shape[1])


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


def mlp_params(o):
    d, inner = o["d_model"], o.get("d_inner", 4 * o["d_model"])
    return {"fc1.weight": normal(inner, d), "fc1.bias": normal(inner),
            "fc2.weight": normal(d, inner), "fc2.bias": normal(d)}


def block_params(o):
    d = o["d_model"]
    return {**with_prefix("norm1", norm_params(d)), **with_prefix("norm2", norm_params(d)),
            **with_prefix("mixer", operator_params(o)), **with_prefix("mlp", mlp_params(o))}


def model_params(o):
    p = {"embedding.weight": normal(o["vocab_size"], o["d_model"]),
         **with_prefix("norm", norm_params(o["d_model"]))}
    for i in range(o["n_layers"]):
        p.update(with_prefix(f"blocks.{i}", block_params(o)))
    return p
