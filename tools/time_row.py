"""Time a few rows through small layers, in microseconds beside `nn.Linear`, in one thread.

    python tools/time_row.py                                                # the checkout that holds this script
    python tools/time_row.py --compare ../other/src                         # both: the other is "before", this "after"
    python tools/time_row.py --sizes 32,64,128,256 --rows 1,8,64,256,1024   # more cases, for docs/speed.md

Every round starts a new process for each checkout, the order changing from round to round, and times each case in it
by its own processor time: others disturb that less. The table shows medians over the rounds, in brackets the quartiles;
the time of `nn.Linear` over that of the layer in a process; and with two checkouts the processes of a round compared.
In `backward` the rows need a gradient too, as inside a network, and gradients of parameters add up in place.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
SIZES = "256,1024"
LAYERS = ("nn.Linear", "WaveletLinear", "Fastfood")
PASSES = ("no_grad", "grad", "backward")
Case = tuple[int, int, str, str]
Times = dict[Case, float]


def make_step(make: Callable[[int, int], Any], n: int, rows: int, step: str) -> Callable[[], object]:
    import torch

    layer, row, gradient = make(n, n), torch.randn(rows, n), torch.randn(rows, n)

    def infer() -> None:
        with torch.no_grad():
            layer(row)

    if step == "no_grad":
        return infer
    if step == "grad":
        return lambda: layer(row)
    row.requires_grad_()
    return lambda: layer(row).backward(gradient)


def time_here(source: Path, seconds: float, sizes: list[int], rows: list[int]) -> Iterator[tuple[Case, float]]:
    """Yield the median time of a call in microseconds, of about `seconds` of calls a case."""
    sys.path.insert(0, str(source))
    import torch

    import learnable_wavelets as lw

    if Path(lw.__file__).parent != source / "learnable_wavelets":
        raise SystemExit(f"`--source` must hold the package, got {source}; {lw.__file__} was imported")
    torch.set_num_threads(1)
    makers = dict(zip(LAYERS, (torch.nn.Linear, lw.WaveletLinear, lw.Fastfood), strict=True))
    for n, batch, layer, step in itertools.product(sizes, rows, LAYERS, PASSES):
        timer = timeit.Timer(make_step(makers[layer], n, batch, step), timer=time.process_time)
        timer.timeit(20)
        calls = max(1, round(seconds / 20 / (timer.timeit(20) / 20)))
        yield (n, batch, layer, step), 1e6 * statistics.median(timer.repeat(20, calls)) / calls


def time_apart(source: Path, cases: list[str]) -> Times:
    command = [sys.executable, str(HERE), "--json", "--source", str(source), *cases]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {(n, rows, layer, step): value for (n, rows, layer, step), value in answer}


def run_rounds(sources: dict[str, Path], rounds: int, cases: list[str]) -> dict[str, list[Times]]:
    times: dict[str, list[Times]] = {name: [] for name in sources}
    for i in range(rounds):
        for name in list(sources)[:: -1 if i % 2 else 1]:
            times[name].append(time_apart(sources[name], cases))
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
    titles = ["n", "rows", "layer", "pass", *(f"{name}, us" for name in names)]
    titles += ["`nn.Linear` / it", *(["after / before"] if len(names) > 1 else [])]
    lines = [f"| {' | '.join(titles)} |", "|--:|--:|---|---|" + "--:|" * (len(titles) - 4)]
    for case in times[names[0]][0]:
        columns = [[times_[case] for times_ in times[name]] for name in names]
        cells = [show(column, 1) for column in columns]
        dense = (*case[:2], LAYERS[0], case[3])
        cells.append(show([times_[dense] / times_[case] for times_ in times[names[-1]]], 2))
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
    parser.add_argument("--sizes", default=SIZES, help="widths, separated by commas")
    parser.add_argument("--rows", default="1", help="rows of the inputs, likewise")
    parser.add_argument("--json", action="store_true", help="time in this process, print JSON")
    options = parser.parse_args()
    source = options.source.resolve()
    if options.json:
        sizes, rows = ([int(value) for value in text.split(",")] for text in (options.sizes, options.rows))
        print(json.dumps(list(time_here(source, options.seconds, sizes, rows))))
        return
    sources = {"time": source}
    if options.compare:
        sources = {"before": options.compare.resolve(), "after": source}
    cases = ["--seconds", str(options.seconds), "--sizes", options.sizes, "--rows", options.rows]
    print(table(run_rounds(sources, options.rounds, cases)))


if __name__ == "__main__":
    main()
