"""Random numbers as pure functions of (purpose, seed, number): nothing to save, nothing to restore.

Whatever is random after the start of a run, the order of the images, the sequences of the synthetic tasks, dropout, is
drawn from a generator that is seeded anew for the purpose and the step. So a run that was killed repeats no stream.
"""

import hashlib

import torch


def number(purpose: str, seed: int, index: int) -> int:
    """A 63-bit number that differs for every purpose, seed and index."""
    digest = hashlib.blake2b(f"{purpose}/{seed}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(purpose: str, seed: int, index: int) -> torch.Generator:
    """A CPU generator for one use; what is drawn is the same on every device."""
    return torch.Generator().manual_seed(number(purpose, seed, index))


def seed_global(purpose: str, seed: int, index: int, device: torch.device) -> None:
    """Seed the generators that dropout draws from.

    `torch.manual_seed` would do it, but it notes the call stack for CUDA on machines without CUDA: 0.1 ms a step.
    """
    value = number(purpose, seed, index)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
