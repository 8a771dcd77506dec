"""`learnable-wavelets` on a little of the sample, as a program: `python -m torch.distributed.run few.py WORDS`."""

import atexit
from pathlib import Path

from learnable_wavelets import cli
from learnable_wavelets.experiments.paper import mnist
from learnable_wavelets.experiments.tasks import Mnist, load_mnist


def little() -> Mnist:
    """Four batches for training, the last with an odd number of images."""
    sample = load_mnist("sample")
    return sample._replace(
        train_images=sample.train_images[:231],
        train_labels=sample.train_labels[:231],
        test_images=sample.test_images[:100],
        test_labels=sample.test_labels[:100],
    )


def threads_of_gloo() -> int:
    """How many there are in this process; 0 as well where the system does not tell."""
    return sum("gloo" in path.read_text() for path in Path("/proc/self/task").glob("*/comm"))


if __name__ == "__main__":
    atexit.register(lambda: print("threads of gloo at the end:", threads_of_gloo(), flush=True))
    data = little()
    mnist.load_mnist = lambda _: data
    cli.main()
