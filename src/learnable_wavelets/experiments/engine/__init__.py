"""Training runs of any experiment: reproducible, resumable, on one process or several."""

from ._checkpoint import Checkpoint
from ._random import generator
from ._ranks import SINGLE, Ranks, local_device, process_group
from ._records import GROUP, Record, read_record, read_runs
from ._run import Callbacks, execute
from ._trainer import Trainer, evaluate
from ._tuning import stored_rate, tuned

__all__ = [
    "GROUP", "SINGLE", "Callbacks", "Checkpoint", "Ranks", "Record", "Trainer", "evaluate",
    "execute", "generator", "local_device", "process_group", "read_record", "read_runs", "stored_rate", "tuned",
]  # fmt: skip
