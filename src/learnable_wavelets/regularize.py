"""The wavelet loss of a whole model: pure functions of its modules, without hooks or state."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .filters import WaveletFilter


def wavelet_regularizer(model: nn.Module) -> Tensor:
    r"""Sum the wavelet losses of all filter banks in `model`; add the result to the training loss.

    The paper gives it weight 1. It keeps filters near a bank with an inverse; long filters in layers that need none are
    more accurate [with less of it](../choosing-a-filter.md#loss).
    A bank that several layers share counts once. Exact banks (orthogonal, biorthogonal) contribute a true zero.
    Works on compiled and on wrapped models (`DistributedDataParallel`, `DataParallel`, `AveragedModel`), and on a
    filter itself.

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
    terms = [module.regularizer() for _, module in named_banks(model)]
    if not terms:
        some = next(model.parameters(), next(model.buffers(), None))
        return torch.zeros((), device=None if some is None else some.device)
    total = terms[0]
    for term in terms[1:]:
        total = total + term.to(total.device)  # a model spread over devices: summed on the first bank's
    return total


def wavelet_losses(model: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Return the terms of `wavelet_regularizer` by the filter's module name and the term's name, for logging.

    Args:
        model: any module.

    Returns:
        For each distinct bank its terms, `perfect_reconstruction` and `alias_cancellation`, under the name it has in
        `model.named_modules()`, without the `_orig_mod` of a compiled and the `module` of a wrapped or averaged model.

    Raises:
        TypeError: `model` is not an `nn.Module`.

    Examples:
        >>> import torch, learnable_wavelets as lw
        >>> model = torch.nn.Sequential(lw.WaveletLinear(64, 64), torch.nn.ReLU())
        >>> {name: list(terms) for name, terms in lw.wavelet_losses(model).items()}
        {'0.filter': ['perfect_reconstruction', 'alias_cancellation']}
    """
    return {name: module.losses() for name, module in named_banks(model)}


_WRAPPERS = (nn.parallel.DistributedDataParallel, nn.DataParallel, AveragedModel)
_TRANSPARENT = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")  # torch.compile, FSDP, checkpointing


def named_banks(model: nn.Module) -> list[tuple[str, WaveletFilter]]:
    """Find each distinct bank, under the name that it has without wrappers."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"`model` must be a torch.nn.Module, got {type(model).__name__}")
    found: list[tuple[str, WaveletFilter]] = []
    seen: set[nn.Module] = set()
    stack: list[tuple[tuple[str, ...], nn.Module]] = [((), model)]
    while stack:
        path, module = stack.pop()
        if module in seen:
            continue
        seen.add(module)
        if isinstance(module, WaveletFilter):
            found.append((".".join(path), module))
        wrapper = isinstance(module, _WRAPPERS)
        for name, child in reversed([*module.named_children()]):
            hidden = name in _TRANSPARENT or (wrapper and name == "module")
            stack.append((path if hidden else (*path, name), child))
    return found
