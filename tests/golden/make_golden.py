#!/usr/bin/env python3
"""Writes tests/golden/*.safetensors: results and gradients in float64, made by PyTorch.

    python3 tests/golden/make_golden.py

Checking the files needs no PyTorch (tests/golden/test_golden.cpp). A file holds one family.
The metadata map a case to its configuration, as JSON; its tensors are "<case>/<name>", with the
names that run_layer uses: input.<i>, param.<name>, output, grad_output, grad.input.<i> and
grad.param.<name>. Each case has its own seed, so that adding one leaves the others as they are. The
same PyTorch writes the same bytes. Made with PyTorch 1.13 on a CPU; others may differ in the last
bits.
"""
import json
import pathlib
import struct
import zlib

import torch
import torch.nn.functional as F

import formulas as f

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


class Family:
    """One file: cases are added one by one, then written."""

    def __init__(self, name):
        self.name, self.cases, self.tensors = name, {}, {}

    def start(self, name, config):
        assert name not in self.cases, name
        self.cases[name] = json.dumps(config)
        torch.manual_seed(zlib.crc32(f"{self.name}/{name}".encode()))

    def add(self, case, tensors):
        self.tensors.update({f"{case}/{n}": t.detach().contiguous() for n, t in tensors.items()})

    def write(self):
        names = {torch.float64: "F64", torch.int64: "I64"}
        header, data = {"__metadata__": self.cases}, b""
        for name in sorted(self.tensors):
            t = self.tensors[name]
            raw = t.numpy().tobytes()
            header[name] = {"dtype": names[t.dtype], "shape": list(t.shape),
                            "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = pathlib.Path(__file__).parent / f"{self.name}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        print(f"{path.name}: {len(self.cases)} cases, {path.stat().st_size} bytes")
        return len(self.cases), path.stat().st_size


def evaluate(family, name, config, draw, run):
    """A case: run(params, inputs), its gradients for a random grad_output, and what went in."""
    family.start(name, config)
    params, inputs = draw()
    leaves = {f"param.{n}": p for n, p in params.items()}
    leaves.update({f"input.{i}": x for i, x in enumerate(inputs)})
    for leaf in leaves.values():
        leaf.requires_grad_(leaf.is_floating_point())
    y = run(params, inputs)
    dy = torch.randn_like(y)
    y.backward(dy)
    out = {"output": y, "grad_output": dy, **leaves}
    for n, leaf in leaves.items():
        if leaf.requires_grad:
            out[f"grad.{n}"] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    family.add(name, out)


# ---- ops ----

def elementwise_and_rows():
    gelu, softmax, log_softmax, norm = map(Family, ["gelu", "softmax", "log_softmax", "layer_norm"])
    for name, shape, scale in [("one", (1,), 1), ("small", (7,), 0.01), ("matrix", (3, 5), 1),
                               ("odd", (2, 3, 13), 2), ("large", (33,), 30), ("tiny", (9,), 1e-9),
                               ("no_elements", (0, 4), 1), ("four_dims", (2, 1, 3, 4), 3)]:
        evaluate(gelu, name, {}, lambda: ({}, [torch.randn(*shape) * scale]),
                 lambda p, x: F.gelu(x[0], approximate="tanh"))
    for name, shape, scale in [("one_class", (3, 1), 1), ("two", (4, 2), 1), ("vector", (17,), 1),
                               ("three_dims", (2, 3, 9), 3), ("peaked", (3, 8), 200),
                               ("flat", (2, 33), 1e-6), ("no_rows", (0, 5), 1),
                               ("wide", (2, 129), 2)]:
        for family, op in [(softmax, F.softmax), (log_softmax, F.log_softmax)]:
            evaluate(family, name, {}, lambda: ({}, [torch.randn(*shape) * scale]),
                     lambda p, x: op(x[0], dim=-1))
    for name, shape, scale, shift, eps in [
            ("vector", (8,), 1, 0, 1e-5), ("matrix", (5, 6), 2, 0, 1e-5),
            ("three_dims", (2, 3, 7), 1, 1, 1e-5), ("two_features", (4, 2), 1, 0, 1e-3), ("far_from_zero", (3, 9), 1, 1e3, 1e-5),
            ("small_variance", (3, 9), 1e-3, 0, 1e-5), ("large_eps", (3, 9), 1, 0, 1.0),
            ("small_eps", (3, 9), 1, 0, 1e-12), ("wide", (2, 129), 1, -2, 1e-5),
            ("no_rows", (0, 4), 1, 0, 1e-5), ("four_dims", (2, 2, 2, 5), 3, 0, 1e-6)]:
        n = shape[-1]
        evaluate(norm, name, {"dim": n, "eps": eps},
                 lambda: (f.norm_params(n), [torch.randn(*shape) * scale + shift]),
                 lambda p, x: F.layer_norm(x[0], (n,), p["weight"], p["bias"], eps))
    return [gelu, softmax, log_softmax, norm]


def cross_entropy():
    family = Family("cross_entropy")
    for name, shape, classes, config, ignored in [
            ("mean", (6,), 5, {}, 0), ("sum", (6,), 5, {"reduction": "sum"}, 0),
            ("two_dims", (2, 7), 4, {}, 0), ("one_class", (3,), 1, {}, 0),
            ("one_position", (1,), 9, {}, 0), ("some_ignored", (12,), 4, {}, 0.5),
            ("some_ignored_sum", (12,), 4, {"reduction": "sum"}, 0.5),
            ("all_ignored_sum", (4,), 3, {"reduction": "sum"}, 1),
            ("other_index", (12,), 4, {"ignore_index": 2}, 0),
            ("divisor", (2, 5), 6, {"divisor": 37.0}, 0.2),
            ("divisor_sum", (5,), 6, {"divisor": 3.0, "reduction": "sum"}, 0),
            ("peaked", (5,), 7, {"scale": 100}, 0), ("flat", (5,), 7, {"scale": 1e-5}, 0),
            ("wide", (3,), 130, {}, 0), ("three_dims", (2, 2, 3), 5, {}, 0.3),
            ("two_classes", (9,), 2, {}, 0)]:
        def draw():
            targets = torch.randint(0, classes, shape)
            targets[torch.rand(shape) < ignored] = -100
            return {}, [torch.randn(*shape, classes) * config.get("scale", 1), targets]

        def run(p, x):
            loss = F.cross_entropy(x[0].reshape(-1, classes), x[1].reshape(-1),
                                   ignore_index=config.get("ignore_index", -100),
                                   reduction="sum" if "divisor" in config else
                                   config.get("reduction", "mean"))
            return loss / config.get("divisor", 1)
        evaluate(family, name, config, draw, run)
    return [family]


def convolutions():
    fft, gated = Family("fft_conv"), Family("hyena_conv")
    for B, C, L in [(1, 1, 1), (1, 1, 2), (2, 3, 5), (1, 2, 7), (3, 1, 8), (2, 2, 13), (1, 4, 16),
                    (2, 1, 17), (1, 2, 31), (1, 1, 64), (1, 1, 97), (0, 2, 4)]:
        for skip in [False, True]:
            def draw():
                inputs = [torch.randn(B, C, L), torch.randn(C, L)]
                return {}, inputs + [torch.randn(C)] * skip

            def run(p, x):
                y = f.causal_conv(x[0], x[1]) if B > 0 else 0 * x[0] * x[1]
                return y + x[2][:, None] * x[0] if skip else y
            evaluate(fft, f"b{B}_c{C}_l{L}" + "_skip" * skip, {}, draw, run)
    for B, C, L in [(1, 1, 1), (2, 1, 3), (1, 3, 5), (2, 2, 8), (1, 2, 13), (3, 2, 11), (1, 1, 40),
                    (2, 3, 16)]:
        def run(p, x):
            x0, x1, v = x[0][:, 0::3], x[0][:, 1::3], x[0][:, 2::3]
            z = x1 * v
            return x0 * (f.causal_conv(z, x[1]) + x[2][:, None] * z)
        evaluate(gated, f"b{B}_c{C}_l{L}", {},
                 lambda: ({}, [torch.randn(B, 3 * C, L), torch.randn(C, L), torch.randn(C)]), run)
    return [fft, gated]


# ---- layers ----

def depthwise_conv1d():
    family = Family("depthwise_conv1d")
    for i, (B, C, G, K, L) in enumerate([
            (1, 1, 1, 1, 1), (1, 1, 1, 4, 5), (2, 3, 3, 3, 7), (2, 4, 2, 3, 9), (1, 6, 3, 5, 12),
            (2, 4, 1, 2, 6), (1, 2, 2, 9, 4), (1, 3, 1, 16, 5), (3, 2, 2, 7, 11), (1, 4, 4, 8, 33),
            (1, 2, 1, 33, 40), (2, 1, 1, 64, 70), (1, 12, 4, 6, 8), (4, 2, 1, 1, 10),
            (1, 1, 1, 129, 20), (2, 5, 5, 4, 1)]):
        for causal in [True, False]:
            for bias in [True, False]:
                config = {"hidden_dim": C, "kernel_size": K, "causal": causal, "bias": bias}
                if G != C:
                    config["num_groups"] = G

                def draw():
                    p = {"weight": torch.randn(G, K), **({"bias": torch.randn(G)} if bias else {})}
                    return p, [torch.randn(B, C, L)]
                evaluate(family, f"{i:02d}" + "_causal" * causal + "_bias" * bias, config, draw,
                         lambda p, x: f.depthwise_conv1d(p, config, x[0]))
    return [family]


def simple_layers():
    linear, embedding, mlp = Family("linear"), Family("embedding"), Family("mlp")
    for name, shape, n_out in [("one", (1, 1), 1), ("vector", (3,), 2), ("matrix", (4, 3), 5),
                               ("three_dims", (2, 3, 4), 6), ("wide", (2, 40), 3)]:
        for bias in [True, False]:
            n = shape[-1]
            evaluate(linear, name + "_bias" * bias,
                     {"in_features": n, "out_features": n_out, "bias": bias},
                     lambda: ({"weight": f.normal(n_out, n),
                               **({"bias": f.normal(n_out)} if bias else {})},
                              [torch.randn(*shape)]),
                     lambda p, x: F.linear(x[0], p["weight"], p.get("bias")))
    for name, shape, rows, dim in [("one", (1,), 1, 1), ("repeated", (9,), 2, 3),
                                   ("matrix", (2, 5), 7, 4), ("unused_rows", (3,), 20, 2),
                                   ("three_dims", (2, 2, 3), 5, 3), ("no_ids", (0,), 3, 2)]:
        evaluate(embedding, name, {"num_embeddings": rows, "embedding_dim": dim},
                 lambda: ({"weight": torch.randn(rows, dim)}, [torch.randint(0, rows, shape)]),
                 lambda p, x: F.embedding(x[0], p["weight"]))
    for name, shape, inner in [("default", (2, 3, 4), None), ("narrow", (5, 6), 2),
                               ("vector", (3,), 7), ("one", (1, 1), 1)]:
        config = {"d_model": shape[-1], **({"d_inner": inner} if inner else {})}
        evaluate(mlp, name, config,
                 lambda: (f.mlp_params(config), [torch.randn(*shape)]),
                 lambda p, x: f.mlp(p, config, x[0]))
    return [linear, embedding, mlp]


def options(d_model, l_max, filter_order=6, emb_dim=5, w=10.0, **more):
    return {"d_model": d_model, "l_max": l_max, "filter_order": filter_order, "emb_dim": emb_dim,
            "w": w, **more}


# Widths below 3 are avoided where LayerNorm is at work: of two features it makes nearly +1 and -1,
# whatever they were, and its gradients are differences that rounding dominates.

def hyena_layers():
    taps, operator, block = Family("hyena_filter"), Family("hyena_operator"), Family("hyena_block")
    for i, (o, length) in enumerate([
            (options(6, 16), 16), (options(5, 33, filter_order=7, emb_dim=9, w=1.5), 20),
            (options(1, 7, emb_dim=3), 7), (options(4, 1), 1), (options(2, 2), 2),
            (options(2, 2), 1), (options(3, 50, emb_dim=3), 13), (options(8, 9, w=1.0), 9),
            (options(2, 31, filter_order=1), 31), (options(3, 12, emb_dim=13), 12),
            (options(2, 24, filter_order=12), 17), (options(1, 40, w=20.0), 40)]):
        config = {**o, "length": length}
        evaluate(taps, f"{i:02d}", config, lambda: (f.filter_params(o), []),
                 lambda p, x: f.implicit_filter(p, o, length))
    for i, (o, shape) in enumerate([
            (options(6, 16), (2, 16, 6)), (options(4, 32, emb_dim=7, w=3.0), (3, 13, 4)),
            (options(3, 8), (2, 1, 3)), (options(1, 5, emb_dim=3), (2, 5, 1)),
            (options(2, 40), (1, 37, 2)), (options(5, 9, filter_order=3), (1, 8, 5)),
            (options(4, 6, filter_order=9), (4, 6, 4)), (options(8, 4), (1, 3, 8)),
            (options(2, 64, w=1.0), (1, 2, 2)), (options(3, 20, emb_dim=9), (2, 19, 3)),
            (options(4, 16, n_layers=5), (1, 16, 4)), (options(2, 1), (3, 1, 2))]):
        evaluate(operator, f"{i:02d}", o, lambda: (f.operator_params(o), [torch.randn(*shape)]),
                 lambda p, x: f.hyena_operator(p, o, x[0]))
    for i, (o, shape) in enumerate([
            (options(6, 12), (2, 12, 6)), (options(4, 20, d_inner=10), (1, 11, 4)),
            (options(4, 9, filter_order=3), (2, 9, 4)), (options(3, 16, d_inner=1), (1, 16, 3)),
            (options(3, 33, emb_dim=3), (1, 31, 3)), (options(5, 4), (3, 4, 5)),
            (options(4, 8, n_layers=3), (1, 7, 4)), (options(3, 3, w=2.0), (2, 1, 3))]):
        evaluate(block, f"{i:02d}", o, lambda: (f.block_params(o), [torch.randn(*shape)]),
                 lambda p, x: f.block(p, o, x[0]))
    return [taps, operator, block]


def model():
    family = Family("hyena_lm")
    for i, (o, shape) in enumerate([
            (options(6, 24, n_layers=2, vocab_size=7), (2, 24)),
            (options(4, 32, n_layers=3, vocab_size=5, d_inner=6), (3, 17)),
            (options(3, 8, n_layers=1, vocab_size=2), (1, 8)),
            (options(3, 16, n_layers=1, vocab_size=11, emb_dim=3), (2, 13)),
            (options(4, 20, n_layers=4, vocab_size=4, filter_order=3), (1, 20)),
            (options(4, 12, n_layers=2, vocab_size=6, d_inner=4), (4, 5)),
            (options(5, 9, n_layers=1, vocab_size=3, w=3.0), (1, 1)),
            (options(4, 40, n_layers=1, vocab_size=9), (1, 37))]):
        evaluate(family, f"{i:02d}", o,
                 lambda: (f.model_params(o), [torch.randint(0, o["vocab_size"], shape)]),
                 lambda p, x: f.model(p, o, x[0]))
    return [family]


# ---- optimizers and training ----

def optimizers():
    """Twenty steps: gradients [20, n] in, the parameter after each step [20, n] out."""
    adamw, sgd = Family("adamw"), Family("sgd")
    decay = {"weight_decay": 0.1}
    cases = [(adamw, torch.optim.AdamW, "defaults", {}), (adamw, torch.optim.AdamW, "decay", decay),
             (adamw, torch.optim.AdamW, "no_decay", {"weight_decay": 0.0}),
             (adamw, torch.optim.AdamW, "hyena", {"learning_rate": 5e-4, "beta2": 0.98, **decay}),
             (adamw, torch.optim.AdamW, "large_rate", {"learning_rate": 0.5, **decay}),
             (adamw, torch.optim.AdamW, "no_memory", {"beta1": 0.0, "beta2": 0.0}),
             (adamw, torch.optim.AdamW, "large_eps", {"eps": 0.1}),
             (adamw, torch.optim.AdamW, "tiny_gradients", {"size": 1e-9}),
             (adamw, torch.optim.AdamW, "scaled", {"grad_scale": 0.25}),
             (sgd, torch.optim.SGD, "plain", {"learning_rate": 0.1}),
             (sgd, torch.optim.SGD, "momentum", {"learning_rate": 0.1, "momentum": 0.9}),
             (sgd, torch.optim.SGD, "decay", {"learning_rate": 0.1, "momentum": 0.5, **decay}),
             (sgd, torch.optim.SGD, "scaled", {"learning_rate": 0.1, "grad_scale": 0.25})]
    for family, optimizer, name, config in cases:
        family.start(name, config)
        keys = {k: config[k] for k in ("eps", "weight_decay", "momentum") if k in config}
        keys["lr"] = config.get("learning_rate", 1e-3)
        if family is adamw:
            keys["betas"] = (config.get("beta1", 0.9), config.get("beta2", 0.999))
        p, grads = torch.randn(7).requires_grad_(), torch.randn(20, 7) * config.get("size", 1)
        start, steps, optimizer = p.detach().clone(), [], optimizer([p], **keys)
        for grad in grads:
            p.grad = grad * config.get("grad_scale", 1)
            optimizer.step()
            steps.append(p.detach().clone())
        family.add(name, {"param.p": start, "grads": grads, "output": torch.stack(steps)})
    return [adamw, sgd]


def training():
    """Ten steps of a whole model: AdamW with decay for linear maps, clipped, on one batch each."""
    family = Family("training")
    for i, (o, shape, clip) in enumerate([
            (options(4, 16, n_layers=1, vocab_size=5, filter_order=4), (2, 16), 1.0),
            (options(4, 11, n_layers=2, vocab_size=4, filter_order=3), (3, 11), 0.1),
            (options(5, 8, n_layers=1, vocab_size=6, d_inner=5), (1, 7), 1e6)]):
        name = f"{i:02d}"
        family.start(name, {**o, "learning_rate": 1e-3, "weight_decay": 0.1, "clip_norm": clip})
        params = {n: p.requires_grad_() for n, p in f.model_params(o).items()}
        start = {f"param.{n}": p.detach().clone() for n, p in params.items()}
        ids = torch.randint(0, o["vocab_size"], (10, *shape))
        targets = torch.randint(0, o["vocab_size"], (10, *shape))
        targets[torch.rand(targets.shape) < 0.3] = -100
        linear = (".in_proj.weight", ".out_proj.weight", ".fc1.weight", ".fc2.weight")
        groups = [{"params": [p for n, p in params.items() if n.endswith(linear) == decay],
                   "weight_decay": 0.1 * decay} for decay in (True, False)]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
        losses, norms = [], []
        for x, t in zip(ids, targets):
            optimizer.zero_grad()
            logits = f.model(params, o, x)
            loss = F.cross_entropy(logits.reshape(-1, o["vocab_size"]), t.reshape(-1))
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(params.values(), clip))
            losses.append(loss.detach())
            optimizer.step()
        family.add(name, {**start, "ids": ids, "targets": targets, "losses": torch.stack(losses),
                          "norms": torch.stack(norms)})
    return [family]


def main():
    families = (elementwise_and_rows() + cross_entropy() + convolutions() + depthwise_conv1d() +
                simple_layers() + hyena_layers() + model() + optimizers() + training())
    counts, sizes = zip(*(family.write() for family in families))
    print(f"{sum(counts)} cases, {sum(sizes)} bytes")


if __name__ == "__main__":
    main()
