"""Tables and pictures of finished runs."""

from ._comparison import draw_comparison
from ._folder import draw_filters, error_over_parameters, table, write_all
from ._summary import METRICS, SEEDS_TO_COMPARE, ahead, markdown, paired, screen_tables, show, summarise
from ._tensorboard import check_tensorboard, event_files

__all__ = [
    "METRICS", "SEEDS_TO_COMPARE", "ahead", "check_tensorboard", "draw_comparison", "draw_filters",
    "error_over_parameters", "event_files", "markdown", "paired", "screen_tables", "show", "summarise", "table",
    "write_all",
]  # fmt: skip
