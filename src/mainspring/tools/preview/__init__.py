"""Look at a run before it trains: its schedules, its model, its batches."""

from mainspring.tools.preview.batches import Batches, first_batches, write_grid, write_page
from mainspring.tools.preview.schedules import (
    plot_schedules,
    schedules_as_text,
    schedules_of,
)
from mainspring.tools.preview.summary import Summary, summary_as_text, summary_of

__all__ = [
    "Batches",
    "Summary",
    "first_batches",
    "plot_schedules",
    "schedules_as_text",
    "schedules_of",
    "summary_as_text",
    "summary_of",
    "write_grid",
    "write_page",
]
