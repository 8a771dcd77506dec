"""Count Python calls, files and switches of file on the common journeys through the package.

    python tools/count_calls.py                          # the checkout that holds this script
    python tools/count_calls.py --source ../other/src    # another one
    python tools/count_calls.py --compare ../other/src   # both, side by side: this one's figures come last

Definitions, by `sys.setprofile` in one thread, after warm-up calls:

- a call is an event `call` of a frame whose code lies in a file of the package; each resumption of a generator counts.
  Functions written in C, generated code (`NamedTuple.__new__`) and torch's own frames do not;
- files are the different files of these frames;
- a switch of file is a pair of consecutive counted calls in different files; returns are left out.

The counts depend on the version of Python (since 3.12 a comprehension is no call) and on the back ends that are built:
the first line names them. The training step is the trainer's own, on the sample of MNIST in the package.
"""

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).resolve()
WARM_UP = 5
Counts = dict[str, tuple[int, int, int]]


def count(journey: Callable[[], object], root: str) -> tuple[int, int, int]:
    """Return calls, files and switches of file of one `journey()` within the folder `root`."""
    for _ in range(WARM_UP):
        journey()
    places: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root):
            places.append(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        journey()
    finally:
        sys.setprofile(None)
    switches = sum(before != after for before, after in itertools.pairwise(places))
    return len(places), len(set(places)), switches


def journeys(lw: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    import torch

    layer, x = lw.WaveletLinear(64, 64), torch.randn(8, 64)
    signal = torch.randn(8, 32)
    yield "`WaveletLinear(64, 64)(x)`", lambda: layer(x)
    yield "forward and backward", lambda: layer(x).sum().backward()
    yield '`functional.wavedec(x, "db2")`', lambda: lw.functional.wavedec(signal, "db2")
    yield '`functional.dwt(x, "db2")`', lambda: lw.functional.dwt(signal, "db2")
    yield '`WaveletLinear(64, 64, wavelet="db4")`', lambda: lw.WaveletLinear(64, 64, wavelet="db4")
    yield "`wavelet_regularizer(layer)`", lambda: lw.wavelet_regularizer(layer)
    yield "a training step of `reproduce mnist`", training_step()


def training_step() -> Callable[[], object]:
    """Return one step of the trainer of `reproduce mnist --data sample`, in the middle of its first epoch.

    The parts are found by their names anywhere in the package of the experiments, so they may move between its files.
    """
    import importlib
    import pkgutil

    import torch

    from learnable_wavelets import experiments

    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(experiments.__path__, f"{experiments.__name__}."):
        members = vars(importlib.import_module(module.name))
        found |= {name: members[name] for name in ("Trainer", "cases", "parse") if name in members}
        spec = members.get("EXPERIMENT")
        if getattr(spec, "name", None) == "mnist":
            found["mnist"] = spec
    mnist = found["mnist"]
    choices = found["parse"](mnist, {"data": "sample"})
    task = mnist.load(choices, torch.device("cpu"))
    (case,) = found["cases"](mnist, choices, task)
    advance: Callable[[], object] = found["Trainer"](case.network(0), task, case.recipe(), 0).advance
    return advance


def count_here(source: Path) -> dict[str, Any]:
    """Import the package from `source` and count all journeys."""
    sys.path.insert(0, str(source))
    import torch

    import learnable_wavelets as lw

    root = Path(lw.__file__).parent
    if root != source / "learnable_wavelets":
        raise SystemExit(f"`--source` must hold the package, got {source}; {root} was imported")
    torch.set_num_threads(1)
    counts = {name: count(journey, str(root)) for name, journey in journeys(lw)}
    backends = ", ".join(lw.kernels.available_backends())
    return {"counts": counts, "setting": f"Python {sys.version.split()[0]}, torch {torch.__version__}, {backends}"}


def count_apart(source: Path) -> dict[str, Any]:
    command = [sys.executable, str(HERE), "--json", "--source", str(source)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return answer


def table(columns: dict[str, Counts]) -> str:
    """Write calls / files / switches by journey, and by version if there are two."""
    lines = [f"| journey | {' | '.join(columns)} |", "|---|" + "--:|" * len(columns)]
    for name in next(iter(columns.values())):
        cells = (" / ".join(map(str, counts[name])) for counts in columns.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=HERE.parents[1] / "src", help="the folder src of a checkout")
    parser.add_argument("--compare", type=Path, help="that of another, whose figures come first")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    source = options.source.resolve()
    if options.json:
        print(json.dumps(count_here(source)))
        return
    here = count_apart(source)
    columns = {"calls / files / switches": here["counts"]}
    if options.compare:
        columns = {"before": count_apart(options.compare.resolve())["counts"], "after": here["counts"]}
    print(f"Calls, files and switches of file; {here['setting']}\n\n{table(columns)}")


if __name__ == "__main__":
    main()
