"""The vocabulary of the experiments: options, recipe, task, experiment, case, run."""

from ._experiment import STACKED, Case, Experiment, Run, cases, parse
from ._options import CONSTRAINTS, EVERY, GATES, Options, PaperWavelet
from ._task import Batch, Recipe, Task, length

__all__ = [
    "CONSTRAINTS", "EVERY", "GATES", "STACKED", "Batch", "Case", "Experiment", "Options", "PaperWavelet", "Recipe",
    "Run", "Task", "cases", "length", "parse",
]  # fmt: skip
