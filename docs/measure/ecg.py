"""Print the table of the gallery's ECG: `python -m docs.measure.ecg` (four minutes of processor time).

Fixed: every discrete wavelet of PyWavelets with thresholds that are trained; the best four on the minute to choose,
after a short training, are trained in full for each seed, and the best of these is the one reported. Learned: start and
number of taps are chosen on the same minute. The last minute decides nothing.
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


class Runs:
    """Denoisers at one noise level: pairs of ratios, on the minutes to choose and to test."""

    def __init__(self, decibels):
        self.train_on, self.choose_on, self.test_on = read()
        self.sigma = noise_of(decibels, self.train_on)

    def scan(self):
        """Return the ratio on the minute to choose of each fixed wavelet after a short training."""
        return {name: self.fit(name, SHORT, 0)[0] for name in FIXED}

    def fit(self, wavelet, steps, seed):
        model = train(denoiser(wavelet, self.sigma), self.train_on, self.sigma, steps, seed)
        return tuple(ratio(model, minute, self.sigma, seed) for minute in (self.choose_on, self.test_on))

    def over_seeds(self, make):
        return [self.fit(make(), LONG, seed) for seed in SEEDS]

    def fixed(self, names):
        """Return the best of these and the pairs of all."""
        pairs = {name: self.over_seeds(lambda name=name: name) for name in names}
        return max(pairs, key=lambda name: mean(choose for choose, _ in pairs[name])), pairs

    def learned(self, kind, starts):
        """Return start and taps with the best ratio for the first seed, and the pairs for all seeds."""
        trials = {}
        for start in starts:
            length = pywt.Wavelet(start).dec_len
            if kind is free or pywt.Wavelet(start).orthogonal:
                for taps in (length, length + 8):
                    trials[start, taps] = self.fit(kind(start, taps), LONG, SEEDS[0])[0]
        if not trials:
            return None
        start, taps = max(trials, key=trials.get)
        return start, taps, self.over_seeds(lambda: kind(start, taps))


def measure(decibels):
    runs = Runs(decibels)
    scan = runs.scan()
    names = sorted(scan, key=scan.get)[:-5:-1]
    best, pairs = runs.fixed(names)
    learned = {kind.__name__: runs.learned(kind, names[:2]) for kind in (free, lattice)}
    return {"decibels": decibels, "scan": scan, "best": best, "fixed": pairs, "learned": learned}


def row(result):
    best = [test for _, test in result["fixed"][result["best"]]]
    cells = [f"{result['decibels']:g}", f"{result['best']} {mean(best):.2f}"]
    for found in result["learned"].values():
        if found is None:
            cells.append("no orthogonal start")
            continue
        gains = [test - fixed for (_, test), fixed in zip(found[2], best, strict=True)]
        cells.append(
            f"{found[0]}, {found[1]} taps {mean(best) + mean(gains):.2f}, {mean(gains):+.2f} ({stdev(gains):.2f})"
        )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "`level`", UserWarning)  # the long filters
    torch.set_num_threads(1)
    print("| noise, dB | best fixed | learned, free | learned, lattice |\n|--:|---|---|---|")
    for decibels in map(float, sys.argv[1:] or (0, 6, 12, 18)):
        result = measure(decibels)
        print(row(result), flush=True)
        print("<!--", json.dumps(result), "-->", flush=True)
