"""`python -m learnable_wavelets`: versions, back ends and threads, for a report or a check of an installation."""

import platform
import sys

import torch

from . import __version__
from .kernels import available_backends
from .kernels._backend import BACKENDS, REMEDY
from .kernels.cpu import instruction_set


def report() -> str:
    """Return one line for each fact; for a missing back end its reason, for the kernels of the CPU the remedy too."""
    lines = {
        "learnable-wavelets": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "back ends": ", ".join(available_backends()),
        "instruction set": instruction_set() or "-",
        "threads": str(torch.get_num_threads()),
    }
    for name, backend in BACKENDS.items():
        if reason := backend.missing():
            lines[f"no {name}"] = f"{reason}; {REMEDY}" if name == "cpu" else reason
    width = max(map(len, lines))
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines.items())


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
