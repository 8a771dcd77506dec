"""What the two layers have in common: parameters, state, checks, the contract of `nn.Linear`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from .._checks import check_int
from ..filters._base import fast_parameter as held
from ..functional._bank import FilterBank
from ..functional._transform import keep_in_graph as without_effect
from ..kernels import _calls as kernels
from ..kernels._layout import Layout
from ..kernels._precision import compute_dtype
from ._state import contents, misfits, permutation_problem, put_back, replace

STARTS = ("ones", "signs", "gaussian")

Banks = dict[nn.Module, FilterBank]  # made already, by the module that makes them


class Operands(NamedTuple):
    """The arguments of `kernels.sandwich` after x."""

    diag_in: Tensor
    permutation: Tensor
    diag_mid: Tensor
    diag_out: Tensor
    bias: Tensor | None
    bank: kernels.Bank
    layout: Layout
    mode: str
    level: int


class SandwichLayer(nn.Module, ABC):
    """Base of `WaveletLinear` and `Fastfood`; subclasses give the layout and the two transforms."""

    permutation: Tensor
    diag_in: Tensor
    diag_mid: Tensor
    diag_out: Tensor

    def __init__(
        self,
        layout: Layout,
        coefficients: int,
        *,
        bias: bool,
        dropout: float,
        trainable: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = layout.in_features, layout.out_features
        self.dropout = dropout
        self._layout = layout
        shape = (layout.blocks, coefficients)
        for name, size in (("diag_in", layout.diag_in_shape), ("diag_mid", shape), ("diag_out", (self.out_features,))):
            values = torch.empty(size, device=device, dtype=dtype)
            if trainable:
                self.register_parameter(name, nn.Parameter(values))
            else:
                self.register_buffer(name, values)
        self.register_buffer("permutation", torch.empty(shape, device=device, dtype=torch.int64))
        self.bias = nn.Parameter(torch.empty(self.out_features, device=device, dtype=dtype)) if bias else None

    @abstractmethod
    def _transform(self, x: Tensor, banks: Banks | None = None) -> tuple[kernels.Bank, str, int]:
        """The filters in the dtype in which x is computed (none for Hadamard), the mode and the level."""

    def _shares_transform(self, other: SandwichLayer) -> bool:
        """Whether `_transform` of the two is the same, filter bank included."""
        return type(self) is type(other)

    def _gains(self) -> tuple[float, float]:
        """Mean square of the coefficients of N(0, 1) inputs, and of the samples made from N(0, 1) coefficients.

        These are those of an orthonormal transform: the energy of the inputs spreads over all coefficients.
        """
        readers = 1 if self._layout.reduce else self._layout.blocks
        return readers * self.in_features / self.diag_mid.numel(), 1.0

    @torch.no_grad()
    def reset_parameters(self, start: str = "ones") -> None:
        """Draw a new permutation and start the diagonals again; the wavelet filters are not touched.

        All starts give outputs of variance 1 for N(0, 1) inputs, whatever the shape, and `nn.Linear`'s bias.

        Args:
            start: `ones`: with an orthonormal bank a random-looking orthogonal matrix, the best start measured.
                `signs`: random signs in place of the ones. `gaussian`: signs, N(0, 1) and the matching scales of
                Le, Sarlos and Smola: a stand-in for a dense Gaussian matrix.

        Raises:
            ValueError: unknown `start`.
        """
        if start not in STARTS:
            raise ValueError(f"`start` must be one of {', '.join(STARTS)}; got {start!r}")
        if self.permutation.is_meta:
            return  # nothing to fill
        for row in self.permutation:
            torch.randperm(row.shape[0], out=row, device=row.device)
        for diagonal in (self.diag_in, self.diag_mid):
            diagonal.fill_(1) if start == "ones" else _random_signs_(diagonal)
        if start == "gaussian":
            self.diag_mid.normal_()
        summed = self._layout.contributions() * (self._layout.blocks if self._layout.reduce else 1)
        self.diag_out.copy_((math.prod(self._gains()) * summed).rsqrt())
        if start == "gaussian":
            self.diag_out.mul_(_row_lengths(self.diag_mid, self._layout))
        if self.bias is not None:
            bound = self.in_features**-0.5
            self.bias.uniform_(-bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """`(..., in_features)` to `(..., out_features)`."""
        diagonals = self._drawn_diagonals()
        out_dtype = self._check_input(x, diagonals[2])
        if x.dtype not in (out_dtype, diagonals[2].dtype):  # under autocast; its range may be neither's
            x = x.to(diagonals[2].dtype)
        y = self._compute(x, diagonals, held(self, "bias"))
        return y if y.dtype == out_dtype else y.to(out_dtype)

    def to_dense(self) -> Tensor:
        """The matrix `(out_features, in_features)` that the layer applies before the bias; dropout is left out."""
        diagonals = (self.diag_in, self.diag_mid, self.diag_out)
        dtype = self.diag_out.dtype
        eye = torch.eye(self.in_features, device=self.diag_out.device, dtype=compute_dtype(dtype))
        return self._compute(eye, diagonals, None).T.to(dtype)

    def _drawn_diagonals(self) -> tuple[Tensor, Tensor, Tensor]:
        """B, G and S under dropout: one mask per call for the whole batch, as published."""
        diagonals = (held(self, "diag_in"), held(self, "diag_mid"), held(self, "diag_out"))
        if self.training and self.dropout:
            return tuple(dropout(d, self.dropout) for d in diagonals)  # type: ignore[return-value]
        return diagonals

    def _compute(self, x: Tensor, diagonals: tuple[Tensor, Tensor, Tensor], bias: Tensor | None) -> Tensor:
        return kernels.sandwich(x, *self._operands(x, diagonals, bias))

    def _operands(
        self, x: Tensor, diagonals: tuple[Tensor, Tensor, Tensor], bias: Tensor | None, banks: Banks | None = None
    ) -> Operands:
        """What `kernels.sandwich` takes beside an x like this one; the filter bank is made here, if not in `banks`."""
        diag_in, diag_mid, diag_out = diagonals
        if diag_out.dtype in (torch.float16, torch.bfloat16):
            diag_in, diag_mid, diag_out = (d.float() for d in diagonals)
            bias = None if bias is None else bias.float()
        bank, mode, level = self._transform(x, banks)
        if level == 0 and bank[0] is not None:  # a wavelet transform without a scale
            diag_mid = without_effect(diag_mid, *(f for f in bank if f is not None))
        return Operands(diag_in, self.permutation, diag_mid, diag_out, bias, bank, self._layout, mode, level)

    def _check_input(self, x: Tensor, own: Tensor) -> torch.dtype:
        """The dtype of the output, or the error that says what is wrong with x beside the parameter `own`."""
        if not isinstance(x, Tensor):
            raise TypeError(f"`x` must be a torch.Tensor, got {type(x).__name__}")
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"`x` must have a last dimension of {self.in_features}, got shape {tuple(x.shape)}")
        if x.device != own.device:
            raise ValueError(f"`x` must be on the layer's device {own.device}, got {x.device}")
        if not x.is_floating_point():
            raise TypeError(f"`x` must be real floating point, got {x.dtype}")
        if x.layout != torch.strided:
            raise TypeError(f"`x` must be a dense tensor, got layout {x.layout}")
        kind = x.device.type
        if kind != "meta" and torch.is_autocast_enabled(kind) and torch.float64 not in (x.dtype, own.dtype):
            return torch.get_autocast_dtype(kind)
        if x.dtype != own.dtype:
            raise TypeError(f"`x` must have the layer's dtype {own.dtype}, got {x.dtype}")
        return x.dtype

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As for every module, but all or nothing: a checkpoint that does not fit leaves the layer as it was.

        Loaded as part of a model, the layer refuses entries that do not fit as a whole too; that entries are missing
        or too many torch tells only after it has loaded the others, as for every module.
        """
        before = [contents(module) for module in self.modules()]
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except BaseException:
            for part in before:
                put_back(part)
            raise

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, metadata: Any, *args: Any) -> None:
        key, problems = f"{prefix}permutation", args[-1]
        assign = bool(metadata.get("assign_to_params_buffers", False))
        own = self.state_dict(prefix=prefix, keep_vars=True)
        before, count, seen = contents(self), len(problems), key in state_dict
        problems.extend(misfits(own, state_dict, key, assign))
        if len(problems) > count:
            replace(state_dict, own)  # or torch would tell of it once more
        super()._load_from_state_dict(state_dict, prefix, metadata, *args)
        if not seen and key in state_dict and (wrong := permutation_problem(key, self.permutation, assign)):
            problems.append(wrong)  # a hook has renamed it since
        if len(problems) > count:
            put_back(before)
            replace(state_dict, own)

    def extra_repr(self) -> str:
        text = f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        return text + (f", dropout={self.dropout}" if self.dropout else "")


def check_size(name: str, value: int) -> int:
    value = check_int(name, value)
    if value < 1:
        raise ValueError(f"`{name}` must be at least 1, got {value}")
    return value


def check_dropout(value: float) -> float:
    if not isinstance(value, (int, float, np.floating, np.integer)):
        raise TypeError(f"`dropout` must be a number, got {type(value).__name__}")
    if not 0 <= value < 1:
        raise ValueError(f"`dropout` must be at least 0 and less than 1, got {value}")
    return float(value)


def _random_signs_(tensor: Tensor) -> Tensor:
    return tensor.bernoulli_(0.5).mul_(2).sub_(1)


def _row_lengths(gaussian: Tensor, layout: Layout) -> Tensor:
    """Lengths of independent Gaussian vectors over that of the diagonal they share: Fastfood's S, one per output."""
    dtype = compute_dtype(gaussian.dtype)
    freedom = torch.full((layout.out_features,), gaussian.shape[-1], device=gaussian.device, dtype=dtype)
    lengths: Tensor = torch.distributions.Chi2(freedom).sample().sqrt()
    shared = gaussian.to(dtype).norm(dim=-1)
    several = layout.wrap or layout.reduce  # outputs of several blocks add up
    shared = shared.square().mean().sqrt() if several else shared.repeat_interleave(layout.n)[: layout.out_features]
    return lengths.div(shared).to(gaussian.dtype)
