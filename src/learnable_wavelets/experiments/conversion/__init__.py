"""A trained perceptron converted at several budgets: without training, and after one epoch."""

from ._command import add_command
from ._methods import METHODS, Split, split
from ._run import Settings, run, run_name

__all__ = ["METHODS", "Settings", "Split", "add_command", "run", "run_name", "split"]
