"""Random numbers as pure functions of (purpose, seed, number): nothing to save, nothing to restore.

All random choices after the start of a run (the order of the images, the sequences of the synthetic tasks, dropout) are
drawn from a generator that is seeded anew for the purpose and the step. So a run that was killed repeats no stream.
"""

import hashlib

import torch


def number(purpose: str, seed: int, index: int) -> int:
    """Hash to a 63-bit number that differs for every purpose, seed and index."""
    digest = hashlib.blake2b(f"{purpose}/{seed}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(purpose: str, seed: int, index: int) -> torch.Generator:
    """Make a CPU generator for one use, so that all devices get the same numbers."""
    return torch.Generator().manual_seed(number(purpose, seed, index))
