"""Run the examples and draw their pictures, a few minutes: `python -m docs.gallery`, with names for some of them."""

import sys
from importlib import import_module
from pathlib import Path

import torch

from ..figures._style import write

NAMES = ("photograph", "ecg", "wavelet_loss", "chirp", "learned_wavelet")

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or NAMES:
        module = import_module(f"docs.gallery.{name}")
        found = module.example()
        write(name, lambda colours, module=module, found=found: module.draw(colours, found), Path(__file__).parent)
        print(name)
