"""The command `learnable-wavelets compress`: models on the disk, without a line of Python."""

from ._command import add_command as add_command

__all__ = ["add_command"]
