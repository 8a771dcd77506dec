"""`learnable-wavelets reproduce transformer`: a small character GPT."""

import torch
from torch import nn

from ..models import LAYERS, Transformer, describe, make_tiled
from ..spec import Experiment, Options, PaperWavelet, Recipe, Task, hidden_units, length
from ..tasks import Characters, load_text

WIDTH, DEPTH, HEADS = 192, 2, 6
CONTEXT, BATCH = 128, 16
STEPS, INTERVAL = 500, 100
EVALUATED = 4  # batches of 128 windows, 65,536 characters
QUICK_STEPS, QUICK_CONTEXT = 100, 64
LR_MULTIPLIER = 4.0  # that of the library
RATES = dict.fromkeys(LAYERS, 3e-3)


def load(options: Options, device: torch.device) -> Task:
    """Load the text, in windows of 128 characters; every prediction counts.

    The start of the validation text, not all of it, chooses the rate: it would take as long as the training.
    """
    text = load_text(options.data, options.text)
    quick = options.preset == "quick"
    if quick:
        text = text._replace(name=f"{text.name}-{QUICK_CONTEXT}")
    limits = {"validation": EVALUATED} | ({"test": EVALUATED} if quick else {})
    task = Characters(text, BATCH, QUICK_CONTEXT if quick else CONTEXT, 0, device, limits)
    task.interval = INTERVAL
    return task


def build(layer: str, options: Options, task: Task) -> nn.Module:
    """Build the network; the chosen matrices are the layer, the others dense. Without the layer there is none."""
    assert isinstance(task, Characters)
    dense, chosen = (make_tiled(name, options) for name in ("dense", layer))
    inner = None if layer == "removed" else chosen
    return Transformer(
        task.symbols,
        CONTEXT,
        width=WIDTH,
        depth=DEPTH,
        heads=HEADS,
        hidden=hidden_units(layer, options, options.expansion * WIDTH),
        attention=dense if options.place == "feed-forward" else chosen,
        feed_forward=dense if options.place == "attention" else inner,
    )


def recipe(layer: str, options: Options, task: Task) -> Recipe:
    """Choose the recipe: the same for all layers but the learning rate, which `--tune` chooses for each."""
    epochs, interval = length(options, task, STEPS // INTERVAL, QUICK_STEPS, 2)
    return Recipe(epochs, interval, BATCH, "adamw", RATES[layer], "one-cycle", weight_decay=0.01, clip=1.0)


def settings(layer: str, options: Options) -> tuple[str, ...]:
    """Describe the layer, where it is, and the width of the feed-forwards where the option decides it."""
    if layer == "narrow" and options.place != "feed-forward":
        raise ValueError(f"the layer narrow is for the place feed-forward, which has hidden units, got {options.place}")
    if options.own_filters and options.place == "attention":
        raise ValueError(
            "`own_filters` is for the places feed-forward and both: the layers of the attention are square"
        )
    no_feed_forward = layer == "removed" and options.place != "attention"
    usual = options.expansion == Options.expansion or layer == "narrow" or no_feed_forward
    return (*describe(layer, WIDTH, options), options.place, *(() if usual else (f"expansion {options.expansion}",)))


EXPERIMENT = Experiment(
    name="transformer",
    help="Train a small GPT to predict the next character, its feed-forward compressed; report bits per character.",
    layers=tuple(LAYERS),
    load=load,
    build=build,
    recipe=recipe,
    settings=settings,
    paper=PaperWavelet("haar", 6, 6),
    default_layers=("dense", "wavelet", "fastfood", "circulant", "monarch", "low-rank", "diagonal", "removed"),
    options=("place", "expansion", "own_filters", "data", "text", "blocks", "combine", "groups", "rank", "tune"),
    quick=f"windows of {QUICK_CONTEXT}, {QUICK_STEPS} steps",
    full=f"{STEPS} steps",
    lr_multiplier=LR_MULTIPLIER,
    protocols=("equal",),
    grid=(1e-3, 3e-3, 1e-2),
)
