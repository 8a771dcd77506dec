"""Drop-in layers and their base, wavelet transforms with trainable filters, and losses."""

from ._adapter import Adapter as Adapter
from ._dwt import DWT as DWT
from ._dwt import IDWT as IDWT
from ._dwt import Coefficients as Coefficients
from ._fastfood import Fastfood as Fastfood
from ._gru import GRU as GRU
from ._gru import GRUCell as GRUCell
from ._layer import SandwichLayer as SandwichLayer
from ._linear import WaveletLinear as WaveletLinear
from ._loss import WaveletLoss as WaveletLoss
from ._lstm import LSTM as LSTM
from ._lstm import LSTMCell as LSTMCell
from ._stack import Stack as Stack
from ._swt import ISWT as ISWT
from ._swt import SWT as SWT
from ._threshold import SoftThreshold as SoftThreshold

__all__ = [
    "DWT",
    "GRU",
    "IDWT",
    "ISWT",
    "LSTM",
    "SWT",
    "Adapter",
    "Coefficients",
    "Fastfood",
    "GRUCell",
    "LSTMCell",
    "SandwichLayer",
    "SoftThreshold",
    "Stack",
    "WaveletLinear",
    "WaveletLoss",
]
