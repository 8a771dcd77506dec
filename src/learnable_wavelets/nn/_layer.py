"""The base of the two layers: parameters, start, state, the contract of `nn.Linear`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from .._checks import check_choice, check_input, check_multiplier, check_seed
from .._configuration import ConfiguredModule
from ..filters._base import copy_into
from ..functional._bank import FilterBank
from ..kernels import _dispatch as kernels
from ..kernels._layout import Layout
from ..kernels._precision import compute_dtype
from ..kernels._prepared import PreparedCall, run
from ..kernels._sandwich import Sandwich, Transform
from ..kernels._sharding import is_distributed, replicate_like
from ._hooks import has_hooks
from ._nested import apply_to_rows
from ._numbering import place
from ._permutation import shared_permutation

STARTS = ("signs", "ones", "gaussian")
LR_MULTIPLIER = 4.0  # the default; `docs/theory.md#rate` has the measurement

Banks = dict[nn.Module, FilterBank]  # read already, by the module that holds them
Diagonals = tuple[Tensor, Tensor, Tensor]


class SandwichLayer(ConfiguredModule, ABC):
    r"""Base of `WaveletLinear` and `Fastfood`: $y = S\, W^{-1}\, G\, P\, W\, B\, x + \text{bias}$.

    Subclasses choose the layout of the square blocks and the pair of transforms. The diagonals are stored divided by
    `lr_multiplier`, which the product puts back as one factor: for an optimiser like Adam their rate is that much
    higher, with every other number unchanged.

    Attributes:
        diag_in: the stored diagonal of B, `(in_features,)` or `(blocks, in_features)`.
        diag_mid: the stored diagonal of G, `(blocks, m)`.
        diag_out: the stored diagonal of S, `(out_features,)`.
        bias: `(out_features,)`, or `None`.
        seed: P follows from it; `None` for P = I. Gate number g of a `GRU` or `LSTM` has the seed it is given plus g.
        lr_multiplier: the factor between stored and effective diagonals.
        dropout: probability of zeroing an entry of the diagonals.
    """

    diag_in: Tensor
    diag_mid: Tensor
    diag_out: Tensor
    bias: Tensor | None

    _CONFIGURATION: tuple[str, ...] = ("seed", "lr_multiplier")
    _signs_on_mid = False  # the start draws random signs for `diag_mid` in place of `diag_out`
    _PLAIN_FILTER: type | None = None  # its parameters are the filters

    def __init__(
        self,
        layout: Layout,
        coefficients: int,
        *,
        bias: bool,
        dropout: float,
        seed: int | None,
        lr_multiplier: float,
        trainable: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = layout.in_features, layout.out_features
        self.dropout = dropout
        self.seed, self._default_start = place(check_seed(seed))
        self._lr_multiplier = check_multiplier("lr_multiplier", lr_multiplier)
        self._layout, self._scale = layout, self.lr_multiplier**3
        self._prepared = PreparedCall()
        shape = (layout.blocks, coefficients)
        for name, size in (("diag_in", layout.diag_in_shape), ("diag_mid", shape), ("diag_out", (self.out_features,))):
            values = torch.empty(size, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(values, requires_grad=trainable))
        start = nn.Parameter(torch.empty(self.out_features, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", start)
        self._permutation = shared_permutation(self.seed, *shape)
        self._permutation.prepare(self.diag_mid.device)

    @abstractmethod
    def _transform(self, like: Tensor, banks: Banks | None = None) -> Transform:
        """Return the pair of transforms for data like a tensor; filters in the dtype in which it is computed."""

    def _shares_transform(self, other: SandwichLayer) -> bool:
        """Return whether the two layers have the same pair of transforms, filter bank included."""
        return type(self) is type(other)

    def _gains(self) -> tuple[float, float]:
        """Return the mean square of the coefficients of N(0, 1) inputs, and of the samples of N(0, 1) coefficients.

        These are those of an orthonormal transform: the energy of the inputs spreads over all coefficients.
        """
        readers = 1 if self._layout.sum_blocks else self._layout.blocks
        return readers * self.in_features / self.diag_mid.numel(), 1.0

    def reset_parameters(self, start: str | None = None) -> None:
        """Start the diagonals, the bias and a filter that the layer made itself again; a shared filter stays.

        All starts give outputs of variance 1 for N(0, 1) inputs, whatever the shape, and the bias of `nn.Linear`.

        Args:
            start: `None`: `signs`, but `ones` for a gate of a `GRU` or `LSTM`, and `gaussian` for a fixed `Fastfood`.
                `signs`: ones, and random signs on `diag_out` (a `Fastfood` with one output: on `diag_mid`): with an
                orthonormal bank a random-looking orthogonal matrix, and layers of one shape differ. `ones`: no signs;
                layers of one shape and seed start equal, and in a sum stay so. `gaussian`: signs, N(0, 1) and the
                matching scales of Le, Sarlos and Smola: a stand-in for a dense Gaussian matrix.

        Raises:
            ValueError: unknown `start`.
        """
        self._reset_diagonals(None if start is None else check_choice("start", start, STARTS))

    @torch.no_grad()
    def _reset_diagonals(self, start: str | None = None) -> None:
        if self.diag_mid.is_meta:
            return  # nothing to fill
        start = self._default_start if start is None else start
        layout = self._layout
        options: Any = {"dtype": self.diag_mid.dtype, "device": self.diag_mid.device}
        diag_in, diag_mid = torch.ones(self.diag_in.shape, **options), torch.ones(self.diag_mid.shape, **options)
        diag_out = torch.ones(self.out_features, **options)
        if start == "gaussian":
            random_signs_(diag_in)
            diag_mid.normal_()
            diag_out.copy_(_row_lengths(diag_mid, layout))
        elif start == "signs":
            random_signs_(diag_mid if self._signs_on_mid else diag_out)
        summed = layout.contributions() * (layout.blocks if layout.sum_blocks else 1)
        diag_out.mul_((math.prod(self._gains()) * summed).rsqrt().to(diag_out))
        for parameter, values in ((self.diag_in, diag_in), (self.diag_mid, diag_mid), (self.diag_out, diag_out)):
            copy_into(parameter, values / self.lr_multiplier)
        if self.bias is not None:
            bound = self.in_features**-0.5
            copy_into(self.bias, torch.empty_like(diag_out).uniform_(-bound, bound))

    def forward(self, input: Tensor) -> Tensor:
        """Return `(..., out_features)` for `(..., in_features)`."""
        if not torch.compiler.is_compiling() and (state := self._prepared.state) is not None:
            y: Tensor | None = run(state, self, input)
            if y is not None:
                return y
        return self._compute(input)

    def _compute(self, input: Tensor) -> Tensor:
        """Return the output for any input, or raise the error that names what is wrong with it."""
        diag_in, diag_mid, diag_out, bias = self._read()
        out_dtype = check_input(input, diag_out)
        if input.is_nested:
            return apply_to_rows(partial(SandwichLayer.forward, self), input)  # hooks see one call
        if input.dim() == 0 or input.shape[-1] != self.in_features:
            raise ValueError(
                f"`input` must have a last dimension of {self.in_features}, got shape {tuple(input.shape)}"
            )
        if input.dtype not in (out_dtype, diag_out.dtype):  # under autocast; its range may be neither's
            input = input.to(diag_out.dtype)
        operands = self._operands(input, diag_in, diag_mid, diag_out, bias, self._transform(input))
        if not torch.compiler.is_compiling() and vars(type(self)).get("_PLAIN"):
            new = self._prepared.prepare(self, self._PLAIN_FILTER, operands, diag_out.dtype)
            if new and not torch.is_grad_enabled() and not any(map(has_hooks, self.children())):
                return SandwichLayer.forward(self, input)  # the first call rounds as the others do; a patch sees one
        y = kernels.sandwich(input, operands)
        return y if y.dtype == out_dtype else y.to(out_dtype)

    @property
    def lr_multiplier(self) -> float:
        """The factor between stored and effective diagonals; of the constructor alone, for the stored ones hold it."""
        return self._lr_multiplier

    def diagonals(self) -> Diagonals:
        """Return the effective diagonals of B, G and S: the stored ones times `lr_multiplier`."""
        return self.diag_in * self.lr_multiplier, self.diag_mid * self.lr_multiplier, self.diag_out * self.lr_multiplier

    @property
    def permutation(self) -> Tensor:
        """P as indices `(blocks, m)`, a copy: coefficient i of the result is number `permutation[i]`."""
        return self._permutation.on(self.diag_mid.device).clone()

    def to_dense(self) -> Tensor:
        """Return the matrix `(out_features, in_features)` that the layer applies before the bias, without dropout."""
        dtype, device = self.diag_out.dtype, self.diag_out.device
        eye = torch.eye(self.in_features, device=device, dtype=compute_dtype(dtype))
        operands = self._operands(eye, self.diag_in, self.diag_mid, self.diag_out, None, self._transform(eye))
        return kernels.sandwich(eye, operands).T.to(dtype)

    def _read(self) -> tuple[Any, Any, Any, Any]:
        """Return B, G and S under dropout, one mask a call for the whole batch as published, and the bias."""
        own: Any = self._parameters
        try:  # `nn.Module` finds parameters last, and a call for one row takes 15 us
            diag_in, diag_mid, diag_out, bias = own["diag_in"], own["diag_mid"], own["diag_out"], own["bias"]
        except KeyError:  # pruned, parametrised, or a replica of DataParallel
            diag_in, diag_mid, diag_out = self.diag_in, self.diag_mid, self.diag_out
            bias = self.bias
        if self.training and self.dropout:
            diag_in, diag_mid, diag_out = (dropout(d, self.dropout) for d in (diag_in, diag_mid, diag_out))
        return diag_in, diag_mid, diag_out, bias

    def _operands(
        self, like: Tensor, diag_in: Any, diag_mid: Any, diag_out: Any, bias: Any, transform: Transform
    ) -> Sandwich:
        """Collect the operands of `kernels.sandwich` for data like a tensor."""
        if diag_out.dtype.itemsize < 4:
            diag_in, diag_mid, diag_out = diag_in.float(), diag_mid.float(), diag_out.float()
            bias = None if bias is None else bias.float()
        permutation = self._permutation.on(like.device)
        if type(diag_out) is not nn.Parameter and is_distributed(diag_out):
            permutation = replicate_like(permutation, diag_out)
            bank = tuple(None if f is None else replicate_like(f, diag_out) for f in transform.bank)
            transform = transform._replace(bank=bank)
        return Sandwich(diag_in, permutation, diag_mid, diag_out, bias, transform, self._layout, self._scale)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._permutation.prepare(self.diag_mid.device)
        return self

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._permutation.prepare(self.diag_mid.device)  # `assign` may have taken it off meta

    def extra_repr(self) -> str:
        text = f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        shown = {"dropout": 0.0, "seed": 0, "lr_multiplier": LR_MULTIPLIER}
        changed = {name: getattr(self, name) for name, default in shown.items() if getattr(self, name) != default}
        return text + "".join(f", {name}={value}" for name, value in changed.items())


def random_signs_(tensor: Tensor) -> Tensor:
    return tensor.bernoulli_(0.5).mul_(2).sub_(1)


def _row_lengths(gaussian: Tensor, layout: Layout) -> Tensor:
    """Return Fastfood's S: chi-distributed row lengths divided by the norm of the shared Gaussian diagonal."""
    dtype = compute_dtype(gaussian.dtype)
    freedom = torch.full((layout.out_features,), gaussian.shape[-1], device=gaussian.device, dtype=dtype)
    lengths: Tensor = torch.distributions.Chi2(freedom).sample().sqrt()
    shared = gaussian.to(dtype).norm(dim=-1)
    several = layout.wrap_outputs or layout.sum_blocks  # outputs of several blocks add up
    shared = shared.square().mean().sqrt() if several else shared.repeat_interleave(layout.n)[: layout.out_features]
    return lengths.div(shared).to(gaussian.dtype)
