"""Run all checks of the Triton kernels that need a GPU: tests, measurements, targets. Takes minutes.

    pip install -e ".[dev]" && python tools/gpu_check.py [--out results/gpu]

Ends with a table of the targets, met or missed, and a status of 1 if a test failed; a missed target is no failure.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]
ROOT = Path(__file__).parents[1]
LAYERS = "fastfood,haar,db6"


class Target(NamedTuple):
    """A requirement on the layers in one pass and precision at some sizes."""

    what: str
    step: str
    precision: str
    sizes: tuple[int, ...]
    measure: str  # `speedup` over nn.Linear, or `bandwidth` as a part of that of `x.clone()`
    least: float


BATCH = 8192
TARGETS = (
    *(Target("part of the bandwidth of clone", "forward", p, (1024, 2048, 4096, 8192), "bandwidth", 0.7)
      for p in ("float32", "bfloat16")),
    Target("times nn.Linear", "forward", "bfloat16", (4096,), "speedup", 4),
    Target("times nn.Linear", "training", "bfloat16", (4096,), "speedup", 3),
    Target("times nn.Linear", "forward", "float32", (4096,), "speedup", 15),
    Target("times nn.Linear", "training", "float32", (4096,), "speedup", 15),
    *(Target("times nn.Linear", step, p, (1024,), "speedup", 1)
      for step in ("forward", "training") for p in ("float32", "tf32", "bfloat16")),
)  # fmt: skip


def judge(records: list[Record]) -> Iterator[tuple[Target, Record, float]]:
    """Yield each target with every record that it applies to, and the measured value."""
    for target in TARGETS:
        for record in records:
            place = (record["step"], record["precision"], record["batch"])
            if place != (target.step, target.precision, BATCH) or record["n"] not in target.sizes:
                continue
            if record["layer"] not in ("nn.Linear", "x.clone()"):
                speedup, copies = record["speedup"]["median"], record["copies"]["median"]
                yield target, record, speedup if target.measure == "speedup" else 1 / copies


def table(records: list[Record]) -> str:
    lines = ["| layer | n | pass | dtype | what | asked | measured | met |", "|---|--:|---|---|---|--:|--:|---|"]
    for target, record, value in judge(records):
        place = f"| {record['layer']} | {record['n']} | {target.step} | {target.precision} "
        lines.append(
            f"{place}| {target.what} | {target.least:g} | {value:.2f} | {'yes' if value >= target.least else 'no'} |"
        )
    return "\n".join(lines)


def run(*command: str) -> int:
    print("$", *command, flush=True)
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/gpu"))
    parser.add_argument("--sizes", default="1024,2048,4096,8192")
    parser.add_argument("--seconds", default="0.1")
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print("There is no CUDA device: nothing was checked or measured.")
        return 1
    failed = run("pytest", "-q", "-m", "gpu", "tests/kernels")
    settings = ["--device", "cuda", "--layers", LAYERS, "--sizes", options.sizes, "--batch", f"64,{BATCH}"]
    extras = ["--transforms", "--memory", "--seconds", options.seconds, "--out", str(options.out)]
    if run("tools.bench", *settings, *extras):
        return 1
    results = json.loads((ROOT / options.out / "results.json").read_text(encoding="utf-8"))
    text = f"{torch.cuda.get_device_name()}, torch {torch.__version__}, batch {BATCH}\n\n{table(results['layers'])}\n"
    (ROOT / options.out / "targets.md").write_text(text, encoding="utf-8")
    print(text)
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
