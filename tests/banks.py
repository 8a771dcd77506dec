"""Filter banks to test with, and the comparison that every test uses."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import pywt
import torch

from learnable_wavelets import BiorthogonalWaveletFilter, FilterBank, OrthogonalWaveletFilter

DISCRETE = pywt.wavelist(kind="discrete")
EXACT = [name for name in DISCRETE if name != "dmey"]  # dmey is a truncated series: 3e-5 off
ORTHOGONAL = [name for name in EXACT if pywt.Wavelet(name).orthogonal]
BIORTHOGONAL = [name for name in EXACT if not pywt.Wavelet(name).orthogonal]
MODES = pywt.Modes.modes


def long_ones_slow(names: list[str]) -> list:
    """Parameters of a test: the wavelets of more than 6 taps are left to the whole run, except for the two longest."""
    quick = [name for name in names if pywt.Wavelet(name).dec_len <= 6] + ["db38", "dmey"]
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def random_bank(taps: int = 6, seed: int = 3) -> FilterBank:
    """Four unrelated, asymmetric filters: a swap, a flip or a sign among them changes every result."""
    generator = torch.Generator().manual_seed(seed)
    return FilterBank(*torch.randn(4, taps, generator=generator, dtype=torch.float64))


def exact_banks() -> dict[str, FilterBank]:
    """Banks with perfect reconstruction, far from every tabulated wavelet."""
    generator = torch.Generator().manual_seed(5)
    orthogonal = OrthogonalWaveletFilter("db4", dtype=torch.float64)
    biorthogonal = BiorthogonalWaveletFilter("bior3.5", dtype=torch.float64)
    for parameter in (*orthogonal.parameters(), *biorthogonal.parameters()):
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return {
        "random lattice": orthogonal.filter_bank.detach(),
        "random lifting": biorthogonal.filter_bank.detach(),
        "haar in 4 taps": FilterBank.from_wavelet("haar", dtype=torch.float64).pad(4),
        "bior2.4 in 14 taps": FilterBank.from_wavelet("bior2.4", dtype=torch.float64).pad(14),
    }


def signal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_same(ours: object, theirs: object, tolerance: float = 1e-10) -> None:
    """Equal shapes, and values within `tolerance` of the largest value (or of 1, if that is more)."""
    a, b = (np.asarray(v.detach() if isinstance(v, torch.Tensor) else v, dtype=np.float64) for v in (ours, theirs))
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max(initial=0)))


def whole_graph(function: Callable, backend: str = "aot_eager") -> Callable:
    """Compiled without a graph break, and without the caches of other tests, which count against torch's limit."""
    torch.compiler.reset()
    return torch.compile(function, fullgraph=True, backend=backend)


def quietly(function: Callable, *args: object, **kwargs: object) -> object:
    """The call without the warning that both libraries give above `dwt_max_level`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[lL]evel.*", category=UserWarning)
        return function(*args, **kwargs)
