"""The options of `learnable-wavelets reproduce NAME`: one record; each experiment takes the fields that it names."""

# ruff: noqa: RUF009  (`option` declares a field)
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..._checks import check_mode, check_multiplier
from ..._command_line import at_least, flag, one_of, option, parse_counts, parse_names, parse_seeds

GATES = ("reset", "update", "state")
PLACES = ("feed-forward", "attention", "both")
CONSTRAINTS = ("soft", "orthogonal", "biorthogonal")


class PaperWavelet(NamedTuple):
    """The wavelet of a published experiment: with more taps than it needs, and deeper than `pywt.dwt_max_level`."""

    wavelet: str
    taps: int
    level: int


def _mode(name: str, text: str) -> str:
    return check_mode(text)


def _gates(name: str, text: str) -> tuple[str, ...]:
    chosen = parse_names(name, [text], GATES)
    return tuple(gate for gate in GATES if gate in chosen)


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, got {value}")
    return value


def _multiplier(name: str, value: float | str) -> float:
    return check_multiplier(name, float(value))


@dataclass(frozen=True)
class Options:
    """The parsed options of a command; those that an experiment does not take keep their defaults."""

    layer: tuple[str, ...] = option((), "Of {layers}, or all; repeated or with commas. [{default}]", action="append")
    wavelet: str | None = option(None, "For wavelet layers: their start, a pywt name.")
    taps: int | None = option(None, "For wavelet layers: pad their start to so many taps.{taps}", type=at_least(int, 2))
    mode: str = option("periodization", "For wavelet layers: their padding, a pywt mode.", parse=_mode)
    level: int | None = option(None, "For wavelet layers: their depth.", type=int)
    constraint: str = option("soft", f"For wavelet layers: {', '.join(CONSTRAINTS)}.", parse=one_of(*CONSTRAINTS))
    regularizer: float = option(
        1.0,
        "For wavelet layers whose filters are soft: the weight of `wavelet_regularizer` in the loss.",
        type=at_least(float, 0),
        parse=_finite,
    )
    lr_multiplier: float | None = option(
        None,
        "For compressed layers: how much faster than the rest of the network they learn. [{multiplier}]",
        type=at_least(float, 0),
        parse=_multiplier,
    )
    own_filters: bool = flag("For wavelet layers that are not square: a filter bank for each of their square blocks.")
    published_slicing: bool = flag("For the layer wavelet-paper: repeat the published slicing.")
    blocks: tuple[int, ...] = option((1,), "Sandwiches in place of one, with commas.", parse=parse_counts)
    combine: str = option("product", "Combine several blocks: product or sum.", parse=one_of("product", "sum"))
    groups: int | None = option(None, "For the layer monarch: blocks of each factor.", type=at_least(int, 1))
    rank: int | None = option(
        None, "For low-rank, toeplitz-like, btt and stack: instead of their own.", type=at_least(int, 1)
    )
    units: int | None = option(
        None,
        "For the layer narrow: its hidden units. [as few as have the parameters of the layer wavelet]",
        type=at_least(int, 1),
    )
    variant: str = option("bg-rot", "bg-rot: rotated digits over pictures; noise: digits in correlated noise.")
    hidden_dropout: float = option(0.0, "Dropout of the hidden units, for every layer.", type=at_least(float, 0))
    place: str = option("feed-forward", f"The matrices to replace: {', '.join(PLACES)}.", parse=one_of(*PLACES))
    expansion: int = option(4, "Hidden units of each feed-forward over its width.", type=at_least(int, 1))
    depth: tuple[int, ...] = option((1,), "Hidden layers, with commas.", parse=parse_counts)
    gates: tuple[str, ...] = option(GATES, "The matrices to replace, with commas, or all.", parse=_gates)
    seeds: tuple[int, ...] = option((0,), "A count (3) or a list (0,1,2; `7,` for one).", parse=parse_seeds)
    preset: str = option("quick", "quick: {quick}; paper: {paper}.", parse=one_of("quick", "paper"))
    protocol: str = option("paper", "paper: the published recipe; ours: another.")
    epochs: int | None = option(None, "Instead of the preset's epochs.", type=at_least(int, 1))
    learning_rate: float | None = option(None, "Instead of the recipe's.", type=at_least(float, 0), parse=_finite)
    validation: int | None = option(None, "Training images held out to choose the epoch.", type=at_least(int, 0))
    data: str = option("auto", "full; sample; auto: full from $LEARNABLE_WAVELETS_DATA or the cache, else sample.")
    text: Path | None = option(None, "Your own folder with ptb.train.txt (or train.txt), valid and test.", type=Path)
    tune: bool = flag("Try the grid of learning rates first, choose on the validation split, keep it.")
    out: Path = option(Path(), "Folder for results; commands may share it.", type=Path)
    resume: bool = flag("Go on from checkpoints.")
    overwrite: bool = flag("Train again where --out has a finished or an unfinished run.")
    checkpoint_seconds: float = option(30.0, "Time between checkpoints.", type=at_least(float, 0))
    tensorboard: bool = flag("Write curves and pictures of the filters for TensorBoard below --out.")
    device: str = option("cpu", "Where to train: cpu, cuda, ...")
    threads: int | None = option(None, "CPU threads, torch's own number if not given.", type=at_least(int, 1))
    paper: PaperWavelet = PaperWavelet("haar", 6, 6)
    """Not an option: the wavelet of the layer wavelet-paper, which the experiment fixes."""
    tile: int = 0
    """Not an option: the place of a square layer among those of one layer; its permutation follows from it."""


WAVELET_OPTIONS = ("wavelet", "taps", "mode", "level", "constraint")
WAVELET_LAYERS = ("wavelet", "stack", "frozen", "fixed")
"""The layers that take them."""
SANDWICHES = (*WAVELET_LAYERS, "wavelet-paper", "fastfood")
ALTERNATIVES = ("low-rank", "circulant", "toeplitz-like", "butterfly", "monarch", "btt", "diagonal")
EVERY = (
    "layer", "seeds", "preset", "protocol", "epochs", "out", "resume", "overwrite", "checkpoint_seconds",
    "tensorboard", "device", "threads",
)  # fmt: skip
"""The options of `reproduce all`."""
COMMON = (*WAVELET_OPTIONS, "regularizer", "lr_multiplier", "published_slicing", "units", "learning_rate", *EVERY)
