"""The vocabulary of the experiments: options, recipe, task, experiment, case, run."""

from ._experiment import DENSE, OWNERS, REPEATED, STACKED, Case, Experiment, Run, cases, count, hidden_units, parse
from ._options import (
    ALTERNATIVES,
    CONSTRAINTS,
    EVERY,
    GATES,
    PLACES,
    SANDWICHES,
    WAVELET_LAYERS,
    Options,
    PaperWavelet,
)
from ._task import Batch, Recipe, Task, length

__all__ = [
    "ALTERNATIVES", "CONSTRAINTS", "DENSE", "EVERY", "GATES", "OWNERS", "PLACES", "REPEATED", "SANDWICHES", "STACKED",
    "WAVELET_LAYERS", "Batch", "Case", "Experiment", "Options", "PaperWavelet", "Recipe", "Run", "Task", "cases",
    "count", "hidden_units", "length", "parse",
]  # fmt: skip
