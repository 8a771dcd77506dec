"""The experiments in the order of the paper."""

from . import char_lm, mnist, sequential_mnist, shootout, synthetic

EXPERIMENTS = (
    mnist.EXPERIMENT,
    shootout.EXPERIMENT,
    synthetic.ADDING,
    synthetic.MEMORY,
    sequential_mnist.EXPERIMENT,
    char_lm.EXPERIMENT,
)
