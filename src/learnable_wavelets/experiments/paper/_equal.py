"""One protocol for every layer of a perceptron: all but the learning rate, which `--tune` chooses for each."""

from collections.abc import Callable

from ..models import LAYERS
from ..spec import Options, Recipe, Task, length

QUICK_STEPS = 300
RATES = dict.fromkeys(LAYERS, 3e-3) | {"dense": 1e-3, "narrow": 1e-3, "low-rank": 1e-3, "monarch": 1e-3, "btt": 1e-3}


def equal_recipe(batch: int, epochs: int) -> Callable[[str, Options, Task], Recipe]:
    """Return the recipe for batches of `batch` images and so many epochs."""

    def recipe(layer: str, options: Options, task: Task) -> Recipe:
        count, interval = length(options, task, epochs, QUICK_STEPS, 1)
        return Recipe(count, interval, batch, "adamw", RATES[layer], "one-cycle", weight_decay=0.01)

    return recipe
