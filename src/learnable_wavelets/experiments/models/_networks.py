"""The networks of the experiments, each with `layers`: those that are dense, compressed or a control."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

import learnable_wavelets as lw

from ._published import Materialised


class LeNet5(nn.Module):
    """Two convolutions with pooling, `layer` in place of the big linear one, and a classifier: scores of 10 digits.

    As published: no ReLU after the convolutions. The published code applies `Dropout2d` to the hidden *vector*, which
    is ordinary dropout, and written so here.
    """

    def __init__(
        self, layer: nn.Module, hidden: int, dropout: tuple[float, float] = (0.0, 0.0), relu: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.dropout1 = nn.Dropout2d(dropout[0])
        self.layer = layer
        self.dropout2 = nn.Dropout(dropout[1])
        self.classifier = nn.Linear(hidden, 10)
        self._relu = relu
        # With the channels last, convolution and pooling take half the time on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def layers(self) -> list[nn.Module]:
        return [self.layer]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(self.conv1(images), 2)
        x = F.max_pool2d(self.conv2(torch.relu(x) if self._relu else x), 2)
        x = self.dropout1(torch.relu(x) if self._relu else x)
        scores: torch.Tensor = self.classifier(self.dropout2(torch.relu(self.layer(x.flatten(1)))))
        return scores


class Perceptron(nn.Module):
    """Hidden layers of one width, each with a ReLU and dropout, and a classifier."""

    def __init__(self, layers: list[nn.Module], width: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, outputs)

    @property
    def layers(self) -> list[nn.Module]:
        return list(self.hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.hidden:
            x = self.dropout(torch.relu(layer(x)))
        scores: torch.Tensor = self.classifier(x)
        return scores


class Recurrent(nn.Module):
    """A GRU in the form of the paper and a projection: `(N, T, inputs)` to `(N, T, outputs)`, or to the `last` alone.

    Input matrices have a bias, recurrent ones have none; the reset gate acts before the product with the state.
    With `memory` the update gates start so that the units forget over 2 to `memory` steps.
    """

    def __init__(
        self,
        sizes: tuple[int, int, int],
        factory: Callable[[int], nn.Module] | None,
        gates: tuple[str, ...],
        *,
        last: bool = False,
        memory: int | None = None,
    ) -> None:
        super().__init__()
        inputs, hidden, outputs = sizes
        self.last = last
        self.gru = lw.nn.GRU(
            inputs,
            hidden,
            batch_first=True,
            recurrent_layer=lambda n, _, **options: factory(n) if factory else nn.Linear(n, n, **options),
            gates=() if factory is None else gates,
            reset_after=False,
        )
        self.projection = nn.Linear(hidden, outputs)
        if memory is not None:
            start_memory(self.gru, memory)

    @property
    def layers(self) -> list[nn.Module]:
        return [self.gru.get_submodule(f"{gate}_l0") for gate in self.gru.gates]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            if isinstance(layer, Materialised):
                layer.refresh()
        states, _ = self.gru(x)
        outputs: torch.Tensor = self.projection(states[:, -1] if self.last else states)
        return outputs


@torch.no_grad()
def start_memory(gru: lw.nn.GRU, steps: int) -> None:
    r"""Set the biases of the update gates to $-\log u$, $u$ uniform in 1 to `steps` - 1.

    Units then forget over 2 to `steps` steps. Tallec and Ollivier, 2018,
    [arXiv 1804.11188](https://arxiv.org/abs/1804.11188), with the sign of the paper's form, in which an update gate of
    0 keeps the state.
    """
    for name, bias in gru.named_parameters(recurse=False):
        if name.startswith("bias_ih"):
            bias.chunk(len(gru.GATES))[gru.GATES.index("update")].uniform_(1, max(2, steps - 1)).log_().neg_()


class CharacterModel(nn.Module):
    """Symbols as indices, embedded, through a `Recurrent`: `(N, T)` to scores `(N, T, symbols)`."""

    def __init__(
        self,
        symbols: int,
        embedded: int,
        hidden: int,
        factory: Callable[[int], nn.Module] | None,
        gates: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, embedded)
        self.recurrent = Recurrent((embedded, hidden, symbols), factory, gates)

    @property
    def layers(self) -> list[nn.Module]:
        return self.recurrent.layers

    def forward(self, index: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.recurrent(self.embedding(index))
        return scores
