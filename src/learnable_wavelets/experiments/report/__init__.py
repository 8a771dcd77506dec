"""Tables and pictures of finished runs."""

from ._folder import draw_filters, error_over_parameters, table, write_all
from ._summary import METRICS, markdown, screen_tables, show, summarise

__all__ = [
    "METRICS",
    "draw_filters",
    "error_over_parameters",
    "markdown",
    "screen_tables",
    "show",
    "summarise",
    "table",
    "write_all",
]
