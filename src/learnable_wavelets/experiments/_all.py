"""The experiments in the order of the paper."""

from . import adding, char_lm, memory, mnist, sequential_mnist, shootout

EXPERIMENTS = (
    mnist.EXPERIMENT,
    shootout.EXPERIMENT,
    adding.EXPERIMENT,
    memory.EXPERIMENT,
    sequential_mnist.EXPERIMENT,
    char_lm.EXPERIMENT,
)
