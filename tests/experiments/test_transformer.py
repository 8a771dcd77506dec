"""The character GPT, and which of its matrices are replaced."""

import pytest
import torch
from torch import nn

import learnable_wavelets as lw
from learnable_wavelets.experiments.models._transformer import Attention, Transformer
from learnable_wavelets.experiments.paper import transformer
from learnable_wavelets.experiments.spec import Options, count
from learnable_wavelets.experiments.tasks import Characters, Text

from .conftest import CPU

SMALL = {"width": 16, "depth": 2, "heads": 4, "hidden": 32}
TASK = Characters(Text("abcab" * 60, "cab" * 30, "bca" * 40, "toy", "a toy"), 4, 20, 0, CPU)


def small(attention=nn.Linear, feed_forward=nn.Linear) -> Transformer:
    return Transformer(3, 20, attention=attention, feed_forward=feed_forward, **SMALL).eval()


def test_the_future_is_not_seen() -> None:
    model = small()
    index = torch.randint(3, (2, 20))
    other = index.clone()
    other[:, 12:] = (other[:, 12:] + 1) % 3
    before, after = model(index), model(other)
    assert before.shape == (2, 20, 3)
    torch.testing.assert_close(before[:, :12], after[:, :12])
    assert (before[:, 12:] - after[:, 12:]).abs().max() > 1e-3


def test_places_tell_symbols_apart() -> None:
    model = small()
    scores = model(torch.zeros(1, 20, dtype=torch.int64))
    assert (scores[0, 3] - scores[0, 9]).abs().max() > 1e-4


def test_attention_is_that_of_torch() -> None:
    ours = Attention(16, 4, nn.Linear)
    theirs = nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        parts = (ours.query, ours.key, ours.value)
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    x = torch.randn(2, 7, 16)
    mask = torch.ones(7, 7, dtype=torch.bool).triu(1)
    expected, _ = theirs(x, x, x, attn_mask=mask, need_weights=False)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("place", "replaced"), [("feed-forward", 2), ("attention", 4), ("both", 6)])
def test_places(place: str, replaced: int) -> None:
    model = transformer.build("wavelet", Options(place=place), TASK)
    block = model.blocks[0]
    found = [module for module in block.modules() if isinstance(module, lw.nn.SandwichLayer)]
    assert len(found) == replaced
    inside = {"feed-forward": block.feed_forward, "attention": block.attention, "both": block}[place]
    assert set(found) <= set(inside.modules())
    assert not any(isinstance(module, nn.Linear) for module in inside.modules())


@pytest.mark.parametrize(
    ("layer", "expected"),
    [("dense", 2 * (2 * 192 * 768 + 960)), ("removed", 0), ("diagonal", 2 * (2 * 768 + 768 + 192))],
)
def test_parameters_of_the_feed_forwards(layer: str, expected: int) -> None:
    model = transformer.build(layer, Options(), TASK)
    blocks = [block.feed_forward for block in model.blocks if block.feed_forward is not None]
    assert sum(map(count, blocks)) == expected
    assert (layer == "removed") == (not blocks)
