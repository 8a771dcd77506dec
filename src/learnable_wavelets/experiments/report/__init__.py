"""Tables and pictures of finished runs."""

from ._comparison import draw_comparison
from ._folder import draw_filters, table, write_all
from ._summary import METRICS, markdown, screen_tables, show, summarise

__all__ = [
    "METRICS",
    "draw_comparison",
    "draw_filters",
    "markdown",
    "screen_tables",
    "show",
    "summarise",
    "table",
    "write_all",
]
