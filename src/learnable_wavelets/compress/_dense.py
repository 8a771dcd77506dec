"""Dense layers in a model: which modules they are, and why one cannot be replaced."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from .._checks import REAL_DTYPES
from ..nn import Adapter, SandwichLayer, Stack
from ._pointwise import Pointwise
from ._source import weights_read

CONVERTED = (SandwichLayer, Stack, Pointwise, Adapter)


class Dense(NamedTuple):
    """A dense layer, or a module that stands for one."""

    name: str
    """The first of its names in the model."""
    module: nn.Module
    in_features: int
    out_features: int
    spatial: int
    """Dimensions after the channels of a 1x1 convolution, or 0."""
    places: list[tuple[nn.Module, str]]
    """Each parent, with the name of the module in it."""
    refusal: str | None
    """Why it must stay."""


def find_dense(model: nn.Module) -> list[Dense]:
    """Return every dense layer of a model, each once, in the order of `named_modules`."""
    paths: dict[nn.Module, list[str]] = defaultdict(list)
    modules = dict(model.named_modules(remove_duplicate=False))
    for path, module in modules.items():
        paths[module].append(path)
    owners = _owners(model)
    inside = {
        part for module in paths if isinstance(module, CONVERTED) for part in module.modules() if part is not module
    }
    found = []
    for module, names in paths.items():
        shape = None if module in inside else _shape(module)
        if shape is None:
            continue
        places = [(modules[parent], child) for parent, _, child in (name.rpartition(".") for name in names) if child]
        refusal = (
            _own_refusal(module)
            or _tied(module, owners)
            or next(filter(None, (_weight_reader(modules, name) for name in names)), None)
            or (None if places else "it is `model` itself, which has no parent to replace it in")
        )
        found.append(Dense(names[0], module, *shape, list(dict.fromkeys(places)), refusal))
    return found


def find_compressed(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module, str, Any]]:
    """Return name, parent, own name and module of each compressed layer, the outermost ones, in every place."""
    found: list[tuple[str, nn.Module, str, Any]] = []
    for child, part in module._modules.items():
        if isinstance(part, CONVERTED):
            found.append((prefix + child, module, child, part))
        elif part is not None:
            found.extend(find_compressed(part, f"{prefix}{child}."))
    return found


def _shape(module: Any) -> tuple[int, int, int] | None:
    """Return the sizes and the spatial dimensions of what may be a dense layer."""
    if isinstance(module, Adapter):
        return _shape(module.update)
    if isinstance(module, Pointwise):
        return module.layer.in_features, module.layer.out_features, module.spatial
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        spatial = len(module.kernel_size)
        return (module.in_channels, module.out_channels, spatial) if set(module.kernel_size) == {1} else None
    if is_transposed(module):
        weight = module.weight
        return (int(weight.shape[0]), int(module.nf), 0) if isinstance(weight, Tensor) and weight.dim() == 2 else None
    linear = isinstance(module, (nn.Linear, *CONVERTED)) or "linear" in type(module).__name__.lower()
    sizes = getattr(module, "in_features", None), getattr(module, "out_features", None)
    return (*sizes, 0) if linear and all(isinstance(size, int) for size in sizes) else None  # type: ignore[return-value]


def is_transposed(module: nn.Module) -> bool:
    """Recognise `transformers.pytorch_utils.Conv1D`, whose weight is `(in_features, out_features)`."""
    return type(module).__name__ == "Conv1D" and hasattr(module, "nf") and hasattr(module, "weight")


def _own_refusal(module: Any) -> str | None:
    """Return why the module by itself cannot be replaced."""
    kind = type(module).__name__
    if isinstance(module, Adapter):
        return "it has an adapter: merge that first"
    if isinstance(module, CONVERTED):
        return f"already compressed, a {kind if not isinstance(module, Pointwise) else type(module.layer).__name__}"
    own = module._parameters
    weight, bias = own.get("weight"), own.get("bias")
    if isinstance(weight, UninitializedParameter) or isinstance(bias, UninitializedParameter):
        return "lazy: its shape is known after the first batch"
    plain = type(module).forward in _FORWARDS or is_transposed(module)
    replaced = getattr(module, "weight", None) is not weight or getattr(module, "bias", None) is not bias
    strided = isinstance(module, (nn.Conv1d, nn.Conv2d)) and (
        set(module.stride) != {1} or module.padding not in _NO_PADDING or module.groups != 1
    )
    checks = {
        f"a {kind}, which is quantised or has a forward of its own": not plain,
        "pruned, parametrised or weight-normed: remove that first": replaced,
        "it has hooks, which would be lost: remove them first": _has_hooks(module),
        "a convolution that strides, pads or has groups": strided,
    }
    reason = next((text for text, true in checks.items() if true), None)
    return reason or next(filter(None, (_refuse_tensor(p) for p in (weight, bias) if p is not None)), None)


_FORWARDS = (nn.Linear.forward, nn.Conv1d.forward, nn.Conv2d.forward)
_NO_PADDING = ("valid", "same", (0,), (0, 0))


def _has_hooks(module: nn.Module) -> bool:
    """Tell a module with hooks, or with the `forward` of accelerate; hooks of all modules are not its own."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or "forward" in vars(module)


def _refuse_tensor(parameter: Tensor) -> str | None:
    if type(parameter.data) is not Tensor:
        return f"its weight is a {type(parameter.data).__name__}"
    if parameter.layout != torch.strided:
        return f"its weight has layout {parameter.layout}"
    return None if parameter.dtype in REAL_DTYPES else f"its weight is {parameter.dtype}"


def _owners(model: nn.Module) -> dict[int, list[str]]:
    """Return the names of the modules that hold each parameter, by its id."""
    owners: dict[int, list[str]] = defaultdict(list)
    for name, module in model.named_modules():
        for parameter in module._parameters.values():
            owners[id(parameter)].append(name)
    return owners


def _tied(module: nn.Module, owners: dict[int, list[str]]) -> str | None:
    """Return which modules hold the weight, if several do; a module in two places holds it once."""
    holders = owners[id(module._parameters.get("weight"))]
    shown = " and ".join(repr(name) if name else "the model itself" for name in holders)
    return f"tied: its weight is held by {shown}" if len(holders) > 1 else None


def _weight_reader(modules: dict[str, nn.Module], name: str) -> str | None:
    """Return which module above reads `.weight` as it runs, so that it needs a dense one."""
    parts = name.split(".") if name else []
    parents = [modules[".".join(parts[:depth])] for depth in range(len(parts))]
    steps = [_step(parent, part) for parent, part in zip(parents, parts, strict=True)]
    for depth, parent in enumerate(parents):
        if isinstance(parent, nn.TransformerEncoderLayer):
            continue  # only its fast path does, which can be turned off
        kind: Any = type(parent)
        pattern = rf"\w+{''.join(steps[depth:])}\.weight"
        if any(re.fullmatch(pattern, text) for text in weights_read(kind)):
            return f"{kind.__name__} reads its `weight`"
    return None


def _step(parent: nn.Module, name: str) -> str:
    """Return a pattern for code that goes from a module to a child: by attribute, key, or index from either end."""
    key, place = re.escape(name), [*parent._modules].index(name)
    return rf"(?:\.{key}|\[(?:'{key}'|{place}|{place - len(parent._modules)})\])"
