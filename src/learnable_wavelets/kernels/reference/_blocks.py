"""The wavelet transform as few large matrix products, for programs that leave PyTorch (ONNX).

A block of S coefficients, of J levels at once, is one product of a window of the signal with a constant matrix: S
outputs from S + 2o samples, o = (taps/2 - 1) (2^J - 1). The levels below `DENSE` samples are one dense matrix. Runtimes
fold both matrices when they load a program. Several times as many multiplications as level by level, and several times
faster there: runtimes multiply matrices well, and slice, interleave and convolve one channel badly.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from ._boundary import extend
from ._wavelet import coeff_length

DENSE = 128
SMALLEST_BLOCK, MOST_OVERLAP = 32, 16
COPY = 60  # multiplications that take as long as a copy of a sample: 44 to 115, measured in onnxruntime


def decompose(x: Tensor, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """Return `[cA_n, cD_n, ..., cD_1]` on the last axis."""
    details: list[Tensor] = []
    while level and x.shape[-1] > DENSE:
        if mode == "periodization" and x.shape[-1] % 2:
            x = torch.cat([x, x[..., -1:]], dim=-1)
        depth = levels_at_once(x.shape[-1], lo.shape[0], mode, level)
        x, *found = _analyse(x, lo, hi, mode, depth)
        details, level = found + details, level - depth
    if level:
        parts = _dense(x.shape[-1], lo, hi, mode, level)
        x, *found = torch.split(x @ torch.cat(parts, dim=-1), [part.shape[-1] for part in parts], dim=-1)
        details = found + details
    return [x, *details]


def reconstruct(coeffs: Sequence[Tensor], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Invert `decompose`; an odd length gets one trailing sample more."""
    x, *details = coeffs
    small = [detail for detail in details if 2 * detail.shape[-1] <= DENSE]
    if small:
        x, details = _dense_inverse([x, *small], lo, hi, mode), details[len(small) :]
    while details:
        if x.shape[-1] == details[0].shape[-1] + 1:
            x = x[..., :-1]  # the sample by which the previous level overshot an odd length
        n = 2 * x.shape[-1] if mode == "periodization" else 0
        depth = 1
        most = _most_levels(lo.shape[0]) if n else 1
        while depth < min(most, len(details)) and details[depth].shape[-1] == 2 * details[depth - 1].shape[-1]:
            depth += 1
        x, details = _synthesise([x, *details[:depth]], lo, hi, mode), details[depth:]
    return x


def levels_at_once(n: int, taps: int, mode: str, level: int) -> int:
    """Return J: more than one level only in `periodization`, where extension once serves every level."""
    depth = 1
    most = min(level, _most_levels(taps)) if mode == "periodization" else 1
    while depth < most and n % (2 << depth) == 0:
        depth += 1
    return depth


def cost(n: int, taps: int, mode: str, level: int) -> float:
    """Return what a transform costs, in multiplications for each sample: those of its first product, and its copies."""
    if n <= DENSE:
        return n
    overlap = _overlap(taps, levels_at_once(n, taps, mode, level))
    size = _block_size(overlap)
    window = size + 2 * overlap
    return window + COPY * window / size


def _most_levels(taps: int) -> int:
    most = 1
    while _overlap(taps, most + 1) <= MOST_OVERLAP and 2 << most <= SMALLEST_BLOCK:
        most += 1
    return most


def _overlap(taps: int, depth: int) -> int:
    """Return o: the samples on each side of a block that its coefficients read as well."""
    return (taps // 2 - 1) * ((1 << depth) - 1)


def _block_size(overlap: int) -> int:
    """Return S: long overlaps take longer blocks, or windows would copy each sample many times."""
    return max(SMALLEST_BLOCK, 1 << (overlap // 2).bit_length())


def _matrix(lo: Tensor, hi: Tensor, depth: int, size: int) -> Tensor:
    """Return `(S + 2o, S)`, from a window to the coefficients `[A_J, D_J, ..., D_1]` of its block."""
    overlap = _overlap(lo.shape[0], depth)
    x = torch.eye(size + 2 * overlap, dtype=lo.dtype, device=lo.device)
    pair, parts = torch.stack([lo, hi]).flip(-1)[:, None], []
    for step in range(1, depth + 1):
        x, detail = conv1d(x[:, None], pair, stride=2).unbind(1)
        own = size >> step
        beside = (detail.shape[-1] - own) // 2
        parts.append(detail[:, beside : beside + own])
    return torch.cat([x, *reversed(parts)], dim=-1)


def _sizes(size: int, depth: int) -> list[int]:
    """Return the widths of `[A_J, D_J, ..., D_1]` in a block."""
    return [size >> depth, *(size >> step for step in range(depth, 0, -1))]


def _analyse(x: Tensor, lo: Tensor, hi: Tensor, mode: str, depth: int) -> list[Tensor]:
    n, taps = x.shape[-1], lo.shape[0]
    overlap = _overlap(taps, depth)
    size = _block_size(overlap)
    if mode == "periodization":
        extended, lengths = extend(x, overlap, overlap, mode), [n >> depth, *(n >> s for s in range(depth, 0, -1))]
    else:
        extended, lengths = extend(x, taps - 2, taps - 2 + n % 2, mode), [coeff_length(n, taps, mode)] * 2
    count = -(-2 * lengths[-1] // size)
    y = _windows(extended, count, size, size + 2 * overlap) @ _matrix(lo, hi, depth, size)
    parts = torch.split(y, _sizes(size, depth), dim=-1)
    return [part.flatten(-2)[..., :length] for part, length in zip(parts, lengths, strict=True)]


def _synthesise(coeffs: Sequence[Tensor], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Add the overlapping contributions of blocks: each block of samples from a window of coefficient blocks."""
    depth, taps = len(coeffs) - 1, lo.shape[0]
    overlap = _overlap(taps, depth)
    size = _block_size(overlap)
    width = size + 2 * overlap
    reach = -(-width // size) - 1  # blocks before that reach into this one
    m = coeffs[-1].shape[-1]
    start, length = (overlap, 2 * m) if mode == "periodization" else (2 * overlap, 2 * m - 2 * overlap)
    count = -(-(start + length) // size)
    blocks = torch.cat(
        [
            _split(_padded(c, reach * own, count * own, mode), own)
            for c, own in zip(coeffs, _sizes(size, depth), strict=True)
        ],
        dim=-1,
    )
    windows = torch.cat([blocks[..., i : i + count, :] for i in range(reach + 1)], dim=-1)
    matrix = pad(_matrix(lo.flip(0), hi.flip(0), depth, size), (0, 0, 0, (reach + 1) * size - width))
    matrix = matrix.view(reach + 1, size, size).flip(0).transpose(1, 2).flatten(0, 1)
    return (windows @ matrix).flatten(-2)[..., start : start + length]


def _padded(c: Tensor, left: int, total: int, mode: str) -> Tensor:
    """Put `left` coefficients before `total`: their periodic continuation, or zeros."""
    right = total - c.shape[-1]
    if mode != "periodization":
        return pad(c, (left, right))
    return extend(c, left, right, mode) if right >= 0 else extend(c, left, 0, mode)[..., : left + total]


def _split(x: Tensor, size: int) -> Tensor:
    """Return x in rows of `size`."""
    return x.reshape(*x.shape[:-1], x.shape[-1] // size, size)


def _windows(x: Tensor, count: int, size: int, width: int) -> Tensor:
    """Return `count` windows of x, `size` apart and `width` long, in one copy; zeros beyond the end."""
    blocks = -(-width // size)
    rows = _split(pad(x, (0, (count + blocks - 1) * size - x.shape[-1])), size)
    last = width - (blocks - 1) * size
    parts = [rows[..., i : i + count, : size if i < blocks - 1 else last] for i in range(blocks)]
    return torch.cat(parts, dim=-1) if blocks > 1 else rows


def _dense(n: int, lo: Tensor, hi: Tensor, mode: str, level: int) -> list[Tensor]:
    """Return the columns of the matrix of `level` levels, by coefficients `[cA_n, cD_n, ..., cD_1]`."""
    x, details = torch.eye(n, dtype=lo.dtype, device=lo.device), []
    for _ in range(level):
        x, detail = _analyse_level(x, lo, hi, mode)
        details.append(detail)
    return [x, *reversed(details)]


def _dense_inverse(coeffs: Sequence[Tensor], lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    lengths = [c.shape[-1] for c in coeffs]
    x, *details = torch.split(torch.eye(sum(lengths), dtype=lo.dtype, device=lo.device), lengths, dim=-1)
    for detail in details:
        x = _synthesise_level(x[..., : detail.shape[-1]], detail, lo, hi, mode)
    return torch.cat(list(coeffs), dim=-1) @ x


def _analyse_level(x: Tensor, lo: Tensor, hi: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Do as `_wavelet.decompose_level`, in few operators: an exporter takes its time for each."""
    taps, n = lo.shape[0], x.shape[-1]
    if mode == "periodization":
        x = extend(torch.cat([x, x[..., -1:]], dim=-1) if n % 2 else x, taps // 2 - 1, taps // 2 - 1, mode)
    else:
        x = extend(x, taps - 2, taps - 2 + n % 2, mode)
    low, high = conv1d(x[:, None], torch.stack([lo, hi]).flip(-1)[:, None], stride=2).unbind(1)
    return low, high


def _synthesise_level(cA: Tensor, cD: Tensor, lo: Tensor, hi: Tensor, mode: str) -> Tensor:
    """Do as `_wavelet.reconstruct_level`: the even and the odd samples are the two channels of a convolution."""
    taps, start, length = lo.shape[0], 0, 2 * cA.shape[-1] - lo.shape[0] + 2
    both = torch.stack([cA, cD], dim=1)
    if mode == "periodization":
        both, length = extend(both, taps // 4, taps // 4, mode), 2 * cA.shape[-1]
        start = 2 * (taps // 4) - taps // 2 + 1
    phases = torch.stack([lo, hi]).view(2, -1, 2).permute(2, 0, 1).flip(-1)
    return conv1d(both, phases).transpose(1, 2).flatten(1)[:, start : start + length]
