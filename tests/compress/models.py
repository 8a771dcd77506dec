"""Models to convert."""

import torch
from torch import nn

import learnable_wavelets as lw

SHORT = {"wavelet": "db2", "taps": None, "level": None}
CONFIGS = {
    "wavelet": lw.Compression(**SHORT),
    "orthogonal": lw.Compression(filter="orthogonal", taps=8),
    "biorthogonal": lw.Compression(wavelet="bior2.2", filter="biorthogonal", mode="zero", level=2),
    "shared": lw.Compression(**SHORT, shared_filter=True),
    "stack": lw.Compression(**SHORT, depth=2, rank=1),
    "shared stack": lw.Compression(**SHORT, depth=2, shared_filter=True),
    "low rank": lw.Compression(depth=0, rank=2),
    "fastfood": lw.Compression(layer="fastfood", lr_multiplier=2, seed=3),
    "fastfood stack": lw.Compression(layer="fastfood", depth=2, dropout=0.25),
}


def perceptron():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48, bias=False), nn.ReLU(), nn.Linear(48, 2))


class Tied(nn.Module):
    """A language model: the head has the weight of the embedding."""

    def __init__(self):
        super().__init__()
        self.embed, self.body, self.head = nn.Embedding(100, 32), nn.Linear(32, 32), nn.Linear(32, 100, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, input):
        return self.head(torch.relu(self.body(self.embed(input))))


class RootTied(nn.Module):
    """The weight of the head is a parameter of the model itself."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(100, 32))
        self.body, self.head = nn.Linear(32, 32), nn.Linear(32, 100, bias=False)
        self.head.weight = self.embedding

    def forward(self, input):
        return self.head(self.body(nn.functional.embedding(input, self.embedding)))


class Shared(nn.Module):
    """One module in two places."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(32, 32)
        self.second = nn.Sequential(self.first, nn.Linear(32, 32))

    def forward(self, input):
        return self.second(self.first(input))


class Reader(nn.Module):
    """Reads the dtype of a weight, as T5 does."""

    def __init__(self):
        super().__init__()
        self.fc, self.wo = nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, input):
        return self.wo(self.fc(input).to(self.wo.weight.dtype))


class OtherReader(nn.Module):
    """Reads the dtype of a weight, as T5 does."""

    def __init__(module):
        super().__init__()
        module.fc, module.wo = nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(module, input):
        return module.wo(module.fc(input).to(module.wo.weight.dtype))


class IndexReader(nn.Module):
    """Reads weights by index and by key; not that of `net[1]`, nor of the other `parts`."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32))
        self.parts = nn.ModuleDict({"a": nn.Linear(32, 32), "b": nn.Linear(32, 32)})

    def forward(self, input):
        dtype = self.net[0].weight.dtype, self.net[-1].weight.dtype, self.parts["a"].weight.dtype
        return self.parts["b"](self.parts["a"](self.net(input.to(dtype[0]))))


class Initialised(nn.Module):
    """Reads weights before the model runs only."""

    def __init__(self):
        super().__init__()
        self.fc, self.body, self.wo, self.up = (nn.Linear(32, 32) for _ in range(4))
        nn.init.xavier_uniform_(self.fc.weight)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.zeros_(self.body.weight)
        self._init_weights()

    def _init_weights(self):
        self.wo.weight.data.normal_()

    @property
    def dtype(self):
        return self.wo.weight.dtype

    def _mixed(self, input):
        return nn.functional.linear(input, self.fc.weight)

    def forward(self, input):
        return self.up(self.wo(self.body(self.fc(input))))


class HelperReader(Initialised):
    """Reads weights in what its `forward` calls: a method, a property, the `forward` above."""

    def forward(self, input):
        return super().forward(self._mixed(input.to(self.dtype)))


class Conv1D(nn.Module):
    """As `transformers.pytorch_utils.Conv1D`."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight, self.bias = nn.Parameter(0.02 * torch.randn(nx, nf)), nn.Parameter(torch.zeros(nf))

    def forward(self, x):
        return x @ self.weight + self.bias
