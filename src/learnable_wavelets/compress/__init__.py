"""Whole models: plan a conversion, convert, merge back, save and load."""

from ._config import Compression as Compression
from ._convert import compress_ as compress_
from ._files import load as load
from ._files import save as save
from ._merge import merge_ as merge_
from ._optimizers import parameter_groups as parameter_groups
from ._plan import plan as plan
from ._report import Report as Report

__all__ = ["Compression", "Report", "compress_", "load", "merge_", "parameter_groups", "plan", "save"]
