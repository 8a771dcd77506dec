"""Tables and pictures of finished runs."""

from ._comparison import draw_comparison
from ._folder import draw_filters, table, write_all
from ._summary import METRICS, SEEDS_TO_COMPARE, ahead, markdown, paired, screen_tables, show, summarise

__all__ = [
    "METRICS", "SEEDS_TO_COMPARE", "ahead", "draw_comparison", "draw_filters", "markdown", "paired", "screen_tables",
    "show", "summarise", "table", "write_all",
]  # fmt: skip
