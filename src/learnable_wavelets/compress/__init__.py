"""Whole models: plan a conversion, convert, fit, distil, adapt, merge back, save and load."""

from ._adapt import Adaptation as Adaptation
from ._adapt import adapt_ as adapt_
from ._adapt import disable_adapters as disable_adapters
from ._adapter_files import load_adapter as load_adapter
from ._adapter_files import save_adapter as save_adapter
from ._config import Compression as Compression
from ._convert import compress_ as compress_
from ._distill import distill_ as distill_
from ._files import load as load
from ._files import save as save
from ._merge import merge_ as merge_
from ._optimizers import parameter_groups as parameter_groups
from ._plan import plan as plan
from ._report import Report as Report

__all__ = [
    "Adaptation", "Compression", "Report", "adapt_", "compress_", "disable_adapters", "distill_", "load",
    "load_adapter", "merge_", "parameter_groups", "plan", "save", "save_adapter",
]  # fmt: skip
