"""The vocabulary of the experiments: options, recipe, task, experiment, case, run."""

from ._experiment import DENSE, REPEATED, STACKED, Case, Experiment, Run, cases, count, hidden_units, parse
from ._options import CONSTRAINTS, EVERY, GATES, PLACES, WAVELET_LAYERS, Options, PaperWavelet
from ._task import Batch, Recipe, Task, length

__all__ = [
    "CONSTRAINTS", "DENSE", "EVERY", "GATES", "PLACES", "REPEATED", "STACKED", "WAVELET_LAYERS", "Batch", "Case",
    "Experiment", "Options", "PaperWavelet", "Recipe", "Run", "Task", "cases", "count", "hidden_units", "length",
    "parse",
]  # fmt: skip
