"""The operators on a GPU, by Triton; imported when the first tensor for it comes."""

from ._sandwich import sandwich as sandwich
from ._sandwich import sandwich_backward as sandwich_backward
from ._transforms import fwht as fwht
from ._transforms import wavedec as wavedec
from ._transforms import wavedec_backward as wavedec_backward
from ._transforms import waverec as waverec
from ._transforms import waverec_backward as waverec_backward

__all__ = [
    "fwht", "sandwich", "sandwich_backward", "wavedec", "wavedec_backward", "waverec", "waverec_backward",
]  # fmt: skip
