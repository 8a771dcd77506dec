"""The wavelet loss of a whole model: pure functions of its modules, without hooks or state."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .filters import WaveletFilter


def wavelet_regularizer(model: nn.Module) -> Tensor:
    r"""Sum of the wavelet losses of all filter banks in `model`; add it to the training loss.

    A bank that several layers share counts once. Exact banks (orthogonal, biorthogonal) contribute a true zero.
    Works on compiled and on wrapped models (`DistributedDataParallel`, `DataParallel`), and on a bank itself.

    Args:
        model: any module.

    Returns:
        A scalar, differentiable in the filters; a zero on the model's device if there is no bank, so that a dense
        baseline trains with the same loop.

    Raises:
        TypeError: `model` is not an `nn.Module`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(lw.WaveletLinear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
        >>> loss = model(torch.randn(8, 64)).square().mean() + lw.wavelet_regularizer(model)
        >>> loss.backward()

    References:
        Wolter, Lin and Yao, 2020, [arXiv 2004.09569](https://arxiv.org/abs/2004.09569).
    """
    terms = [module.regularizer() for _, module in _banks(model)]
    if not terms:
        some = next(model.parameters(), next(model.buffers(), None))
        return torch.zeros((), device=None if some is None else some.device)
    total = terms[0]
    for term in terms[1:]:
        total = total + term.to(total.device)  # a model spread over devices: summed on the first bank's
    return total


def wavelet_losses(model: nn.Module) -> dict[str, dict[str, Tensor]]:
    """The terms of `wavelet_regularizer` by the bank's module name and the term's name, for logging.

    Args:
        model: any module.

    Returns:
        For each distinct bank its terms, `perfect_reconstruction` and `alias_cancellation`, under the name it has in
        `model.named_modules()` without the `_orig_mod` of a compiled and the `module` of a wrapped model.

    Raises:
        TypeError: `model` is not an `nn.Module`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(lw.WaveletLinear(64, 64), torch.nn.ReLU())
        >>> {name: list(terms) for name, terms in lw.wavelet_losses(model).items()}
        {'0.filter': ['perfect_reconstruction', 'alias_cancellation']}
    """
    return {name: module.losses() for name, module in _banks(model)}


def _banks(model: nn.Module) -> list[tuple[str, WaveletFilter]]:
    """Each distinct bank once, under the name that it has without wrappers."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    return [(".".join(path), module) for path, module in _walk(model, (), set()) if isinstance(module, WaveletFilter)]


def _walk(
    module: nn.Module, path: tuple[str, ...], seen: set[nn.Module]
) -> Iterator[tuple[tuple[str, ...], nn.Module]]:
    if module in seen:
        return
    seen.add(module)
    yield path, module
    wrapper = isinstance(module, (nn.parallel.DistributedDataParallel, nn.DataParallel))
    for name, child in module.named_children():
        inside = name == "_orig_mod" or (wrapper and name == "module")
        yield from _walk(child, path if inside else (*path, name), seen)
