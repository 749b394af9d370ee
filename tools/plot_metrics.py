#!/usr/bin/env python3
"""Plots the loss and accuracy of one or more train_hyena runs.

    tools/plot_metrics.py runs/recall                      writes runs/recall/metrics.png
    tools/plot_metrics.py runs/a runs/b --out compare.png

Needs matplotlib: of the Debian or Ubuntu package python3-matplotlib, or from pip.
"""
import argparse
import json
import os
import shlex
import shutil
import sys


def stop(message, status):
    print(f"plot_metrics: error: {message}", file=sys.stderr)
    sys.exit(status)


def install_command():
    """What installs matplotlib for the Python that runs this: the system's own takes a package."""
    systems = sys.prefix == sys.base_prefix and sys.executable.startswith(("/usr/bin/", "/bin/"))
    if systems and shutil.which("apt-get"):
        return ("" if os.geteuid() == 0 else "sudo ") + "apt-get install python3-matplotlib"
    return f"{shlex.quote(sys.executable)} -m pip install matplotlib"


def read_run(path):
    """The metrics as {key: {step: value}}; a resumed run's later lines replace earlier ones."""
    name = os.path.join(path, "metrics.jsonl") if os.path.isdir(path) else path
    series = {}
    try:
        with open(name, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = json.loads(line)
                    step = record.pop("step")
                except (ValueError, KeyError, AttributeError):
                    stop(f"{name}: line {number}: expected a JSON object with a step", 1)
                for key, value in record.items():
                    if isinstance(value, (int, float)):
                        series.setdefault(key, {})[step] = value
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{name}: {error}", 1)
    if not series:
        stop(f"{name}: holds no metrics", 1)
    return series


def draw(axis, series, key, label, **style):
    points = sorted(series.get(key, {}).items())
    if points:
        axis.plot(*zip(*points), label=label, **style)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="a run's directory, or its metrics.jsonl")
    parser.add_argument("--out", help="PNG to write (default: metrics.png in the first run)")
    arguments = parser.parse_args()
    runs = [(os.path.basename(os.path.abspath(run)), read_run(run)) for run in arguments.runs]

    try:
        import matplotlib
    except ImportError:
        stop(f"matplotlib is missing; install it with: {install_command()}", 1)
    matplotlib.use("Agg")  # needs no display
    from matplotlib import pyplot

    figure, (loss, result) = pyplot.subplots(1, 2, figsize=(11, 4.2))
    bits = any("bits" in series for _, series in runs)
    for i, (name, series) in enumerate(runs):
        color = f"C{i}"
        draw(loss, series, "loss", f"{name}, training", color=color, alpha=0.5)
        draw(loss, series, "heldout_loss", f"{name}, held out", color=color, marker="o", markersize=3)
        draw(result, series, "bits" if bits else "accuracy", name, color=color, marker="o", markersize=3)
        draw(result, series, "best_markov_bits" if bits else "chance",
             f"{name}, " + ("best Markov model" if bits else "chance"), color=color, linestyle="--")
    loss.set(xlabel="step", ylabel="loss (nats per target)", title="Loss")
    result.set(xlabel="step", ylabel="bits per token" if bits else "accuracy",
               title="Held-out " + ("bits per token" if bits else "accuracy"))
    if not bits:
        result.set_ylim(0, 1.02)
    for axis in (loss, result):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()

    first = arguments.runs[0]
    folder = first if os.path.isdir(first) else os.path.dirname(first)
    out = arguments.out or os.path.join(folder, "metrics.png")
    try:
        figure.savefig(out, dpi=120)
    except OSError as error:
        stop(f"{out}: {error}", 1)
    try:
        print(f"wrote {out}", flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes what is left when it ends
        stop(f"standard output: {error}", 1)


if __name__ == "__main__":
    main()
