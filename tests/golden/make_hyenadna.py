#!/usr/bin/env python3
"""Writes tests/golden/hyenadna/: two small models in HyenaDNA's format, and what PyTorch computes.

    python3 tests/golden/make_hyenadna.py

The model is written here from its formulas (Nguyen et al. 2023, arXiv 2306.15794; Poli et al. 2023,
arXiv 2302.10866) and shares nothing with Crocuta. Weights are random; the first model's are float64
and its head is the embedding, the second's are float32 with a head of its own. results.safetensors
holds, in float64: ids, logits of A, C, G, T, hidden means, gradients, and losses and parameters of 20
steps of AdamW.
"""
import json
import math
import pathlib
import struct

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
FOLDER = pathlib.Path(__file__).parent / "hyenadna"
ROOT = "hyena.backbone."
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64"}


def write(path, tensors):
    header, data = {}, b""
    for name in sorted(tensors):
        raw = tensors[name].detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": NAMES[tensors[name].dtype], "shape": list(tensors[name].shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def positions(length, emb_dim):
    t = torch.linspace(0, 1, length, dtype=torch.float64)[:, None]
    bands = (emb_dim - 1) // 2
    angle = 2 * math.pi * torch.arange(length, dtype=torch.float64)[:, None] / length
    f = torch.linspace(1e-4, bands - 1, bands, dtype=torch.float64)[None]
    return t, torch.cat([t, torch.cos(f * angle), -torch.sin(f * angle)], 1)


def draw(c, dtype):
    """The parameters by their names, as they are stored."""
    d, inner, order = c["d_model"], c["d_inner"], c["filter_order"]
    p = {}

    def add(name, shape, scale=1.0, shift=0.0):
        p[name] = (torch.randn(*shape, dtype=torch.float64) * scale + shift).to(dtype)

    add(ROOT + "embeddings.word_embeddings.weight", (16, d), 0.5)
    for i in range(c["n_layer"]):
        at = f"{ROOT}layers.{i}."
        for norm in ("norm1", "norm2"):
            add(at + norm + ".weight", (d,), 0.2, 1.0)
            add(at + norm + ".bias", (d,), 0.2)
        for name, rows, columns in (("mixer.in_proj", 3 * d, d), ("mixer.out_proj", d, d),
                                    ("mlp.fc1", inner, d), ("mlp.fc2", d, inner)):
            add(at + name + ".weight", (rows, columns), 0.4)
            add(at + name + ".bias", (rows,), 0.2)
        add(at + "mixer.short_filter.weight", (3 * d, 1, 3), 0.5)
        add(at + "mixer.short_filter.bias", (3 * d,), 0.2)
        filters = at + "mixer.filter_fn."
        add(filters + "bias", (d,))
        add(filters + "implicit_filter.1.freq", (1, order), 0.3, c["activation_freq"])
        for layer, columns in ((0, c["emb_dim"]), (2, order), (4, order)):
            add(f"{filters}implicit_filter.{layer}.weight", (order, columns), 0.2)
            add(f"{filters}implicit_filter.{layer}.bias", (order,), 0.2)
        add(filters + "implicit_filter.6.weight", (d, order), 0.3)
    add(ROOT + "ln_f.weight", (d,), 0.2, 1.0)
    add(ROOT + "ln_f.bias", (d,), 0.2)
    return p


def constants(c):
    low, high = math.log(0.01) / 0.3, math.log(0.01) / 1.5
    t, z = positions(c["max_seq_len"], c["emb_dim"])
    deltas = torch.linspace(high, low, c["d_model"], dtype=torch.float64)
    return {"modulation.deltas": deltas[None, None], "pos_emb.t": t[None], "pos_emb.z": z[None]}


def hyena(p, c, at, x, shift):
    length, d = x.shape[1], c["d_model"]
    u = F.linear(x, p[at + "in_proj.weight"], p[at + "in_proj.bias"]).transpose(1, 2)
    u = F.conv1d(F.pad(u, (2, 0)), p[at + "short_filter.weight"], p[at + "short_filter.bias"],
                 groups=3 * d)
    x0, x1, v = u.split(d, dim=1)
    fixed = constants(c)
    f = at + "filter_fn."
    freq = p[f + "implicit_filter.1.freq"]
    a = fixed["pos_emb.z"][0, :length]
    for layer in (0, 2, 4):
        a = torch.sin(freq * F.linear(a, p[f"{f}implicit_filter.{layer}.weight"],
                                      p[f"{f}implicit_filter.{layer}.bias"]))
    k = F.linear(a, p[f + "implicit_filter.6.weight"])
    t = fixed["pos_emb.t"][0, :length]
    k = (k * (torch.exp(-t * fixed["modulation.deltas"][0].abs()) + shift)).T
    z = x1 * v
    whole = torch.zeros_like(z)
    for s in range(length):  # the sum that defines it
        whole = whole + F.pad(z[:, :, :length - s], (s, 0)) * k[None, :, s:s + 1]
    y = x0 * (whole + p[f + "bias"][None, :, None] * z)
    return F.linear(y.transpose(1, 2), p[at + "out_proj.weight"], p[at + "out_proj.bias"])


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], 1e-5)


def model(p, c, ids, shift):
    r = p[ROOT + "embeddings.word_embeddings.weight"][ids]
    for i in range(c["n_layer"]):
        at = f"{ROOT}layers.{i}."
        r = r + hyena(p, c, at + "mixer.", norm(p, at + "norm1", r), shift)
        h = F.linear(norm(p, at + "norm2", r), p[at + "mlp.fc1.weight"], p[at + "mlp.fc1.bias"])
        h = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h ** 3)))
        r = r + F.linear(h, p[at + "mlp.fc2.weight"], p[at + "mlp.fc2.bias"])
    hidden = norm(p, ROOT + "ln_f", r)
    head = p.get("lm_head.weight", p[ROOT + "embeddings.word_embeddings.weight"])
    return hidden, F.linear(hidden, head)[..., 7:11]


def make(name, c, dtype, tied, shift, ids, results):
    stored = draw(c, dtype)
    embedding = stored[ROOT + "embeddings.word_embeddings.weight"]
    if not tied:
        stored["lm_head.weight"] = (torch.randn(16, c["d_model"], dtype=torch.float64) * 0.5).to(dtype)
    p = {n: t.to(torch.float64).clone().requires_grad_() for n, t in stored.items()}
    hidden, logits = model(p, c, ids, shift)
    dy = torch.randn_like(logits)
    logits.backward(dy)
    results.update({f"{name}/ids": ids, f"{name}/logits": logits, f"{name}/dlogits": dy,
                    f"{name}/hidden_mean": hidden.mean(1)})
    for n, t in p.items():
        results[f"{name}/grad.{n}"] = t.grad.clone()
    optimizer = torch.optim.AdamW(p.values(), lr=1e-3, betas=(0.9, 0.98), eps=1e-4,
                                  weight_decay=0.0)
    targets = torch.randint(0, 4, ids.shape)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(p, c, ids, shift)[1].flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    results[f"{name}/targets"] = targets
    results[f"{name}/losses"] = torch.stack(losses)
    for n, t in p.items():
        results[f"{name}/trained.{n}"] = t.detach().clone()
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(c["n_layer"]):
        for n, t in constants(c).items():
            stored[f"{ROOT}layers.{i}.mixer.filter_fn.{n}"] = t.to(dtype)
    stored.setdefault("lm_head.weight", embedding)
    write(folder / "model.safetensors", stored)
    fixed = {"hyena_order": 2, "layer_norm_epsilon": 1e-5, "num_inner_mlps": 2,
             "pad_vocab_size_multiple": 8, "short_filter_order": 3, "vocab_size": 12,
             "model_type": "hyenadna", "use_bias": True, "torch_dtype": str(dtype)[6:]}
    (folder / "config.json").write_text(json.dumps({**c, **fixed}, indent=2, sort_keys=True) + "\n")


def main():
    torch.manual_seed(2306)
    results = {}
    small = {"d_model": 6, "n_layer": 2, "d_inner": 8, "max_seq_len": 34, "emb_dim": 5,
             "filter_order": 8, "activation_freq": 10}
    wide = {"d_model": 10, "n_layer": 1, "d_inner": 40, "max_seq_len": 50, "emb_dim": 3,
            "filter_order": 12, "activation_freq": 1.5}
    make("small", small, torch.float64, True, 0.05, torch.randint(7, 12, (2, 21)), results)
    make("wide", wide, torch.float32, False, 0.0, torch.randint(7, 12, (1, 50)), results)
    write(FOLDER / "results.safetensors", results)
    for path in sorted(FOLDER.rglob("*.*")):
        print(path.relative_to(FOLDER), path.stat().st_size)


if __name__ == "__main__":
    main()
