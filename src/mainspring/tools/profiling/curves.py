"""Curves and tables of the short tests: loss over learning rate, throughput over batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mainspring.columns import in_columns
from mainspring.tools.profiling.batch_size import BatchSizeSearch
from mainspring.tools.profiling.learning_rate import FEWEST_LOSSES, RangeTest
from mainspring.tools.profiling.report import bar, bytes_as_text
from mainspring.visualization.figure import new_figure

__all__ = [
    "batch_sizes_as_text",
    "plot_range_test",
    "range_test_as_text",
]

_ROWS = 12
_COLUMNS = 64


def range_test_as_text(test: RangeTest, line: str | None = None) -> str:
    """Curve and suggestions for people.

    Args:
        test: The outcome of a range test.
        line: The change that the suggestion makes to the config; by default that of a config that
            has a learning rate already.
    """
    return "\n".join([*_curve(test.learning_rates, test.smoothed), *_suggestions(test, line)])


def plot_range_test(test: RangeTest, path: str) -> None:
    """Draw the curve into a file, with matplotlib.

    Args:
        test: The outcome of a range test.
        path: File to write; its ending says the format.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure = new_figure({"figsize": (6, 4), "layout": "constrained"})
    axes = figure.add_subplot(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.plot(test.learning_rates, test.losses, alpha=0.3, label="loss")
    axes.plot(test.learning_rates, test.smoothed, label="smoothed")
    if test.steepest is not None:
        axes.axvline(test.steepest, linestyle="--", label=f"steepest: {test.steepest:.2g}")
    axes.set_ylim(*_limits(test.smoothed))
    axes.legend()
    figure.savefig(path)


def batch_sizes_as_text(search: BatchSizeSearch) -> str:
    """Table and suggestion for people.

    Args:
        search: The outcome of a search.
    """
    fastest = max((item.samples_per_second for item in search.tried), default=0.0) or 1.0
    rows = [("batch size", "samples/s", "peak memory", "")]
    for item in search.tried:
        memory = bytes_as_text(item.memory) if item.memory else "-"
        speed, shown = "-", "does not fit" if item.was_run else "would not fit"
        shown = item.refused or shown
        if item.fits:
            speed = f"{item.samples_per_second:.1f}"
            shown = bar(item.samples_per_second / fastest)
        rows.append((str(item.size), speed, memory, shown))
    lines = [*in_columns(rows, right=(0, 1, 2)), ""]
    if search.limit is not None:
        kind = (
            f" of this machine's memory, on the {search.device}: a size is run only if what "
            "smaller ones took says that it fits (--memory sets the limit)"
        )
        on_machine = search.device != "cuda"
        lines.append(f"limit: {bytes_as_text(search.limit)}{kind if on_machine else ''}")
    if search.suggested is None:
        return "\n".join([*lines, "not even a batch of one sample fits"])
    ends = {
        "memory": "larger ones do not fit into memory",
        "samples": "the data set has no more samples",
        "max": "no larger one was to be tried",
    }
    lines += [
        f"largest that was tried and fits: {search.largest} ({ends[search.ended_by]})",
        "smallest within a tenth of the highest throughput:",
        f"  train_dataloader.batch_size={search.suggested}",
    ]
    return "\n".join(lines)


def _suggestions(test: RangeTest, line: str | None) -> Iterator[str]:
    yield ""
    if len(test.losses) < FEWEST_LOSSES and not test.diverged:
        yield f"{len(test.losses)} learning rates are too few for a suggestion"
        yield f"  try more --iterations: {FEWEST_LOSSES} at least, 100 by default"
        return
    if test.steepest is None or test.below_minimum is None:
        yield "the loss never falls: there is no suggestion"
        yield "  try other learning rates with --from and --to, or more --iterations"
        return
    yield f"the loss falls fastest at {test.steepest:.2g} and is smallest at {test.at_minimum:.2g}"
    if not test.diverged:
        yield "it did not diverge, so that its minimum may lie beyond (--to)"
    yield f"  {line or test.line}"
    if test.below_minimum < test.steepest:
        yield f"or, more carefully, a tenth of that at the minimum: {test.below_minimum:.2g}"


def _curve(rates: Sequence[float], losses: Sequence[float]) -> Iterator[str]:
    """Losses over the logarithm of the learning rate, in characters."""
    if len(losses) < 2:
        return
    low, high = _limits(losses)
    columns = min(_COLUMNS, len(losses))
    picked = [round(index * (len(losses) - 1) / (columns - 1)) for index in range(columns)]
    heights = [
        min(max(round((losses[index] - low) / ((high - low) or 1.0) * (_ROWS - 1)), 0), _ROWS - 1)
        for index in picked
    ]
    for row in reversed(range(_ROWS)):
        label = low + (high - low) * row / (_ROWS - 1)
        shown = f"{label:>10.4g}" if row in (0, _ROWS // 2, _ROWS - 1) else " " * 10
        yield f"{shown} | {''.join('*' if height == row else ' ' for height in heights)}".rstrip()
    yield " " * 11 + "+" + "-" * (columns + 1)
    first, last = f"{rates[0]:.1e}", f"{rates[-1]:.1e}"
    middle = f"{math.sqrt(rates[0] * rates[-1]):.1e}"
    gap = max(columns - len(first) - len(middle) - len(last), 2)
    yield " " * 13 + first + " " * (gap // 2) + middle + " " * (gap - gap // 2) + last


def _limits(losses: Sequence[float]) -> tuple[float, float]:
    """The losses worth showing: the rise beyond where the curve began is cut off."""
    low = min(losses)
    high = max(losses[: losses.index(low) + 1])
    return low, high + 0.2 * (high - low) if high > low else max(losses)
