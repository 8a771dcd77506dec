"""Fuzz: random combinations of compile, vmap, autocast, checkpoints, copies and derivatives, in every layer.

Legal is what `nn.Linear` can do in the same combination. Values and derivatives are compared with plain calls of the
reference in float64; the error allowed is that of plain calls of the reference in the same dtype.
`HYPOTHESIS_PROFILE=explore` tries hundreds of examples that no other run has tried.
"""

import copy
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from learnable_wavelets.kernels import available_backends, use_backend

from ..layers import scramble
from . import combinations as c

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of torch's transforms about one another
EPS = {torch.float64: 1e-11, torch.float32: 1e-5, torch.bfloat16: 0.02, torch.float16: 0.005}
BACKENDS = [None, *(name for name in available_backends() if name != "triton")]


@dataclass(frozen=True)
class Combination:
    module: str
    features: tuple[int, int]
    batch: int
    dtype: torch.dtype
    backend: str | None
    preparation: str
    by_function: bool
    ways: tuple[str, ...]
    derivative: str
    seed: int


@st.composite
def combinations(draw: st.DrawFn) -> Combination:
    ways = tuple(draw(st.lists(st.sampled_from(list(c.WAYS)), max_size=3, unique=True)))
    derivative = draw(st.sampled_from(list(c.DERIVATIVES)))
    needs = derivative in c.OF_FUNCTIONS or any(way in c.ON_PARAMETERS for way in ways)
    return Combination(
        draw(st.sampled_from(list(c.MODULES))),
        (draw(st.integers(1, 40)), draw(st.integers(1, 40))),
        draw(st.sampled_from([1, 2, 3, 17])),
        draw(st.sampled_from(list(EPS))),
        draw(st.sampled_from(BACKENDS)),
        draw(st.sampled_from(list(c.PREPARATIONS))),
        needs or draw(st.booleans()),
        tuple(sorted(ways, key=lambda way: way not in c.INSIDE)),
        derivative,
        draw(st.integers(0, 999)),
    )


def run(made: Combination, module: nn.Module, x: Tensor, plain: bool = False) -> list[Tensor]:
    """Call in the combination, or plainly with the same derivative."""
    subject = c.Subject(module, 1 if made.module in c.SEQUENCES else 0)
    f = (c.by_function if made.by_function else c.by_module)(subject)
    for way in made.ways:
        if not plain or way == "autocast":
            f = c.WAYS[way](f, subject)
    x = x.clone().requires_grad_()
    return [t.detach() for t in c.DERIVATIVES[made.derivative](f, dict(module.named_parameters()), x)]


def without_autocast(made: Combination) -> Combination:
    return replace(made, ways=tuple(way for way in made.ways if way != "autocast"))


def in_reference(made: Combination, module: nn.Module, x: Tensor) -> list[Tensor]:
    with use_backend("reference"):
        return run(made, module, x, plain=True)


def outcome(made: Combination, module: nn.Module, x: Tensor) -> list[Tensor] | Exception:
    torch._dynamo.reset()
    try:
        return run(made, module, x)
    except Exception as error:
        return error


def check(made: Combination) -> str:
    """Compare, or return why there is nothing to compare."""
    torch.manual_seed(made.seed)
    module = scramble(c.MODULES[made.module](*made.features, dtype=made.dtype))
    x = c.input_for(made.module, made.features[0], made.batch, made.dtype)
    twin = nn.Linear(*made.features, dtype=made.dtype)
    if isinstance(error := outcome(made, twin, x), Exception):
        return f"nn.Linear: {type(error).__name__}"
    exact = in_reference(without_autocast(made), copy.deepcopy(module).double(), x.double())
    usual = in_reference(made, copy.deepcopy(module), x)
    with use_backend(made.backend) if made.backend else nullcontext():
        try:
            found = run(made, c.PREPARATIONS[made.preparation](module, x), x)
        except RuntimeError as error:
            if made.backend is None or "does not serve this call" not in str(error):
                raise
            return "the forced back end refuses"
    eps = EPS[torch.bfloat16 if "autocast" in made.ways and made.dtype != torch.float64 else made.dtype]
    eps *= 5 if made.derivative in c.SECOND else 1
    for place, (ours, theirs, true) in enumerate(zip(found, usual, exact, strict=True)):
        assert ours.shape == true.shape, place
        allowed = 3 * (theirs.double() - true).abs().max() + eps * true.abs().max() + 1e-12
        error = (ours.double() - true).abs().max()
        assert error <= allowed, (place, error, allowed)
    return "compared"


@settings(max_examples=settings().max_examples * 2 // 3)  # 40 in the suite, which take ten seconds
@given(combinations())
def test_combinations(made):
    event(check(made))
