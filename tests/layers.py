"""Layers to test with, and the dense matrices that they stand for, built from PyWavelets and loops."""

import numpy as np
import pywt
import torch

from learnable_wavelets import (
    BiorthogonalWaveletFilter,
    Fastfood,
    OrthogonalWaveletFilter,
    WaveletLinear,
)

from .functional.test_fwht import sylvester

# Every kind of layer; shapes and the keywords of nn.Linear are left to the test.
LAYERS = {
    "wavelet": WaveletLinear,
    "wavelet zero": lambda *size, **kw: WaveletLinear(*size, wavelet="bior2.2", mode="zero", level=2, **kw),
    "wavelet symmetric": lambda *size, **kw: WaveletLinear(*size, wavelet="bior1.3", mode="symmetric", **kw),
    "wavelet lattice": lambda *size, **kw: WaveletLinear(
        *size, wavelet=_filter(OrthogonalWaveletFilter, "db3", kw), **kw
    ),
    "wavelet lifting": lambda *size, **kw: WaveletLinear(
        *size, wavelet=_filter(BiorthogonalWaveletFilter, "bior2.2", kw), **kw
    ),
    "fastfood": Fastfood,
    "fastfood fixed": lambda *size, **kw: Fastfood(*size, adaptive=False, **kw),
}
SHAPES = [(16, 16), (13, 13), (12, 31), (31, 12), (1, 5), (5, 1)]


def _filter(kind, name, keywords):
    return kind(name, **{key: keywords[key] for key in ("device", "dtype") if key in keywords})


def scramble(layer: torch.nn.Module) -> torch.nn.Module:
    """Generic values in every diagonal and every filter, so that none of them hides behind a one."""
    with torch.no_grad():
        for module in layer.modules():
            for name, tensor in module.named_parameters(recurse=False):
                scale = 0.3 / module.lr_multiplier if name.startswith("diag_") else 0.3
                tensor.add_(scale * torch.randn_like(tensor))
    return layer


def identity(layer: WaveletLinear | Fastfood) -> WaveletLinear | Fastfood:
    """The layer, made with `seed=None`, with effective diagonals of ones."""
    assert layer.seed is None
    with torch.no_grad():
        for diagonal in (layer.diag_in, layer.diag_mid, layer.diag_out):
            diagonal.fill_(1 / layer.lr_multiplier)
    return layer


def dense(layer: WaveletLinear | Fastfood) -> np.ndarray:
    """The layer's matrix from the formula alone: `y = S W^-1 G P W B x`, block by block."""
    diag_in, diag_mid, diag_out = (d.detach().double().numpy() for d in layer.diagonals())
    blocks, m = diag_mid.shape
    wide = isinstance(layer, Fastfood) or layer.out_features > layer.in_features
    if isinstance(layer, Fastfood):
        n = m
        analysis = synthesis = sylvester(n) / np.sqrt(n)
    else:
        share = layer.in_features if wide else -(-layer.in_features // (layer.in_features // layer.out_features))
        n = m if layer.mode == "periodization" else share
        analysis, synthesis = wavelet_matrices(layer.filter.to_pywt(), layer.mode, layer.level, n)
    made, rows = [], layer.permutation.numpy()
    for block in range(blocks):
        permutation = np.eye(m)[rows[block]]
        made.append(synthesis @ np.diag(diag_mid[block]) @ permutation @ analysis)
    if wide:  # every block reads the whole input
        rows = np.concatenate([b[:, : layer.in_features] * d for b, d in zip(made, diag_in, strict=True)])
    else:  # the blocks share the input out
        rows = np.concatenate(made, axis=1)[:, : layer.in_features] * diag_in
    matrix = np.zeros((layer.out_features, layer.in_features))
    cut = isinstance(layer, Fastfood) or layer.out_features == 1
    for i, row in enumerate(rows):
        if i < layer.out_features or not cut:  # else surplus outputs are wrapped round and added
            matrix[i % layer.out_features] += row
    return diag_out[:, None] * matrix


def wavelet_matrices(wavelet: pywt.Wavelet, mode: str, level: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """W, `(m, n)`, and W^-1, `(n, m)`."""
    approximation, details = np.eye(n), []
    for _ in range(level):
        single = len(approximation) == 1 and "reflect" in mode  # a single sample, which pywt refuses to reflect
        approximation, detail = pywt.dwt(approximation, wavelet, "constant" if single else mode, axis=0)
        details.insert(0, detail)
    analysis = np.concatenate([approximation, *details])
    cuts = np.cumsum([len(approximation), *(len(d) for d in details)])[:-1]
    return analysis, pywt.waverec(np.split(np.eye(len(analysis)), cuts), wavelet, mode, axis=0)[:n]
