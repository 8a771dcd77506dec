"""The experiments in the order of the paper."""

from . import mnist, shootout

EXPERIMENTS = (mnist.EXPERIMENT, shootout.EXPERIMENT)
