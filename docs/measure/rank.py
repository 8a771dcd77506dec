"""Singular values of the layer with all diagonals 1, by signal extension: `python docs/measure/rank.py`.

Prints a Markdown table for `docs/theory.md`. Everything in float64, on the CPU, seeds 0, 1 and 2 for the permutation.
"""

import torch

import learnable_wavelets as lw

SEEDS = 3
HAAR6 = "Haar in 6 taps"
CASES = (  # width, wavelet, levels of the zero-padded transform
    (1024, HAAR6, 6),
    (800, HAAR6, 6),
    (512, HAAR6, 4),
    (512, "db3", 8),
    (512, "db6", 4),
    (64, "db6", 4),
)


def bank(name: str) -> lw.FilterBank:
    """Make the float64 bank of a PyWavelets name, or the paper's Haar filter between zeros."""
    start = lw.FilterBank.from_wavelet("haar" if name == HAAR6 else name, dtype=torch.float64)
    return start.pad(6) if name == HAAR6 else start


def singular_values(n: int, wavelet: str, level: int, mode: str, seed: int) -> tuple[int, torch.Tensor]:
    """Return the number of wavelet coefficients and the singular values of `W^-1 P W`."""
    options = {"level": level, "mode": mode, "seed": seed, "lr_multiplier": 1.0, "dtype": torch.float64}
    layer = lw.WaveletLinear(n, n, bias=False, wavelet=bank(wavelet), **options)
    with torch.no_grad():
        layer.diag_out.fill_(1)
        values = torch.linalg.svdvals(layer.to_dense())
    return layer.diag_mid.shape[-1], values


def depth(n: int, level: int) -> int:
    """Return the most levels, up to `level` that `periodization` can take without padding the width."""
    while n % 2**level:
        level -= 1
    return level


def main() -> None:
    """Print the table."""
    header = ("n", "wavelet", "levels", "m", "rank, `zero`", "equal to 1", "below 0.01", "off 1, square")
    print(f"| {' | '.join(header)} |")
    print("|--:|---|--:|--:|---|---|---|--:|")
    for n, wavelet, level in CASES:
        zero = [singular_values(n, wavelet, level, "zero", seed) for seed in range(SEEDS)]
        square = [singular_values(n, wavelet, depth(n, level), "periodization", seed)[1] for seed in range(SEEDS)]
        columns = (
            [(s > 1e-10 * s[0]).sum() for _, s in zero],
            [((s - 1).abs() < 1e-10).sum() for _, s in zero],
            [(s < 0.01).sum() for _, s in zero],
        )
        counts = " | ".join(", ".join(str(int(v)) for v in column) for column in columns)
        off = max(float((s - 1).abs().max()) for s in square)
        print(f"| {n} | {wavelet} | {level} | {zero[0][0]} | {counts} | {off:.0e} |")


if __name__ == "__main__":
    main()
