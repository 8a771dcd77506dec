"""The experiments: the order of the results page."""

from . import char_lm, mnist, sequential_mnist, shl, shootout, synthetic, transformer

EXPERIMENTS = (
    mnist.EXPERIMENT,
    shootout.EXPERIMENT,
    shl.EXPERIMENT,
    synthetic.ADDING,
    synthetic.MEMORY,
    sequential_mnist.EXPERIMENT,
    char_lm.EXPERIMENT,
    transformer.EXPERIMENT,
)
