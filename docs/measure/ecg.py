"""Print the table of the gallery's ECG: `python -m docs.measure.ecg` (about half an hour on one thread).

Fixed: every discrete wavelet of PyWavelets with thresholds that are trained; the best four on the minute to choose,
after a short training, are trained in full for each seed, and the best of these is the one reported. Learned: starts,
numbers of taps and kinds of filters are chosen on the same minute. The last minute is looked at once.
"""

import json
import sys
import warnings
from statistics import mean, stdev

import pywt
import torch

import learnable_wavelets as lw

from ..gallery.ecg import denoiser, noise_of, ratio, read, train

SHORT, LONG, SEEDS = 60, 300, (0, 1, 2)
FIXED = [name for name in pywt.wavelist(kind="discrete") if name not in ("db1", "bior1.1", "rbio1.1")]  # haar, thrice


def free(start, taps):
    return lw.LearnableWaveletFilter(start, taps=taps)


def lattice(start, taps):
    return lw.OrthogonalWaveletFilter(start, taps=taps)


def fixed_ones(train_on, choose_on, sigma):
    """Return the four best names on the minute to choose after a short training, and all ratios."""
    scan = {name: ratio(train(denoiser(name, sigma), train_on, sigma, SHORT), choose_on, sigma) for name in FIXED}
    return sorted(scan, key=scan.get)[:-5:-1], scan


def measure(decibels):
    """Return names and ratios on the minutes to choose and to test, for each seed."""
    train_on, choose_on, test_on = read()
    sigma = noise_of(decibels, train_on)

    def run(make, seed):
        torch.manual_seed(seed)
        model = train(denoiser(make(), sigma), train_on, sigma, LONG, seed)
        return ratio(model, choose_on, sigma, seed), ratio(model, test_on, sigma, seed)

    def over_seeds(make, first=None):
        return [first if first and seed == 0 else run(make, seed) for seed in SEEDS]

    names, scan = fixed_ones(train_on, choose_on, sigma)
    fixed = {name: over_seeds(lambda name=name: name) for name in names}
    best = max(fixed, key=lambda name: mean(c for c, _ in fixed[name]))
    result = {"decibels": decibels, "scan": scan, "fixed": fixed, "best": best, "learned": {}}
    for kind in (free, lattice):
        trials = {}
        for start in names[:2]:
            length = pywt.Wavelet(start).dec_len
            if kind is lattice and not pywt.Wavelet(start).orthogonal:
                continue
            for taps in {length, max(length, 16), length + 8}:
                make = lambda start=start, taps=taps: kind(start, taps)  # noqa: E731
                trials[start, taps] = (run(make, 0), make)
        if trials:
            chosen = max(trials, key=lambda key: trials[key][0][0])
            runs = over_seeds(trials[chosen][1], trials[chosen][0])
            result["learned"][kind.__name__] = [*chosen, runs, {str(k): v[0] for k, v in trials.items()}]
    return result


def row(result):
    def cell(runs):
        tests = [t for _, t in runs]
        return f"{mean(tests):.2f} ({stdev(tests):.2f})"

    cells = [f"{result['best']} {cell(result['fixed'][result['best']])}"]
    for kind in ("free", "lattice"):
        found = result["learned"].get(kind)
        cells.append(f"{found[0]}, {found[1]} taps {cell(found[2])}" if found else "")
    return f"| {result['decibels']:g} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "`level`", UserWarning)  # the long filters
    torch.set_num_threads(1)
    print("| noise, dB | best fixed | learned, free | learned, lattice |\n|--:|---|---|---|")
    for decibels in map(float, sys.argv[1:] or (0, 6, 12, 18)):
        result = measure(decibels)
        print(row(result), flush=True)
        print("<!--", json.dumps(result), "-->", flush=True)
