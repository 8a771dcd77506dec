"""Time one row through a layer, in microseconds beside `nn.Linear`, in one thread.

    python tools/time_row.py                          # the checkout that holds this script
    python tools/time_row.py --compare ../other/src   # both, in turns: the other is "before", this one "after"

Every round starts a new process for each checkout, the order changing from round to round, and times each case in it.
The table shows medians over the rounds and in brackets the quartiles; the last column compares the two processes of a
round.
In `backward` the row needs a gradient too, as inside a network, and gradients of parameters add up in place.
"""

import argparse
import json
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SIZES = (256, 1024)
LAYERS = ("nn.Linear", "WaveletLinear", "Fastfood")
PASSES = ("no_grad", "grad", "backward")
Case = tuple[int, str, str]
Times = dict[Case, float]


def make_step(make: Callable[[int, int], Any], n: int, step: str) -> Callable[[], object]:
    import torch

    layer, row, gradient = make(n, n), torch.randn(1, n), torch.randn(1, n)

    def infer() -> None:
        with torch.no_grad():
            layer(row)

    if step == "no_grad":
        return infer
    if step == "grad":
        return lambda: layer(row)
    row.requires_grad_()
    return lambda: layer(row).backward(gradient)


def time_here(source: Path, seconds: float) -> Iterator[tuple[Case, float]]:
    """Yield the median time of a call in microseconds, of about `seconds` of calls a case."""
    sys.path.insert(0, str(source))
    import torch

    import learnable_wavelets as lw

    if Path(lw.__file__).parent != source / "learnable_wavelets":
        raise SystemExit(f"`--source` must hold the package, got {source}; {lw.__file__} was imported")
    torch.set_num_threads(1)
    makers = dict(zip(LAYERS, (torch.nn.Linear, lw.WaveletLinear, lw.Fastfood), strict=True))
    for n in SIZES:
        for layer in LAYERS:
            for step in PASSES:
                timer = timeit.Timer(make_step(makers[layer], n, step))
                timer.timeit(100)
                calls = max(1, round(seconds / 20 / (timer.timeit(100) / 100)))
                yield (n, layer, step), 1e6 * statistics.median(timer.repeat(20, calls)) / calls


def time_apart(source: Path, seconds: float) -> Times:
    command = [sys.executable, str(HERE), "--json", "--source", str(source), "--seconds", str(seconds)]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {(n, layer, step): time for (n, layer, step), time in answer}


def run_rounds(sources: dict[str, Path], rounds: int, seconds: float) -> dict[str, list[Times]]:
    times: dict[str, list[Times]] = {name: [] for name in sources}
    for i in range(rounds):
        for name in list(sources)[:: -1 if i % 2 else 1]:
            times[name].append(time_apart(sources[name], seconds))
        print(f"round {i + 1} of {rounds}", file=sys.stderr)
    return times


def show(values: list[float], digits: int) -> str:
    """Write the median and, of more than one value, the quartiles."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle} ({low:.{digits}f} to {high:.{digits}f})"


def table(times: dict[str, list[Times]]) -> str:
    """Write one line a case; `nn.Linear` is timed in the processes of each checkout as well."""
    names = list(times)
    titles = ["n", "layer", "pass", *(f"{name}, us" for name in names), *(["after / before"] if len(names) > 1 else [])]
    lines = [f"| {' | '.join(titles)} |", "|--:|---|---|" + "--:|" * (len(titles) - 3)]
    for case in times[names[0]][0]:
        columns = [[times_[case] for times_ in times[name]] for name in names]
        cells = [show(column, 1) for column in columns]
        if len(names) > 1:
            cells.append(show([after / before for before, after in zip(*columns, strict=True)], 3))
        lines.append(f"| {' | '.join([*map(str, case), *cells])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=HERE.parents[1] / "src", help="the folder src of a checkout")
    parser.add_argument("--compare", type=Path, help="that of another, timed in the same rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.1, help="of a case in a round")
    parser.add_argument("--json", action="store_true", help="time in this process, print JSON")
    options = parser.parse_args()
    source = options.source.resolve()
    if options.json:
        print(json.dumps(list(time_here(source, options.seconds))))
        return
    sources = {"time": source}
    if options.compare:
        sources = {"before": options.compare.resolve(), "after": source}
    print(table(run_rounds(sources, options.rounds, options.seconds)))


if __name__ == "__main__":
    main()
