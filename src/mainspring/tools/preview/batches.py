"""Samples as the model gets them: loaded, augmented, collated and preprocessed."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from torch import Tensor

from mainspring.checkpoint.apply import unwrap
from mainspring.columns import in_columns
from mainspring.dataset.any_loader import length_of
from mainspring.hooks.run import Run
from mainspring.names.packages import import_optional
from mainspring.report.page import gallery_page
from mainspring.report.record import Shown
from mainspring.report.samples import Display, inputs_and_targets
from mainspring.structures.nested_digest import named_leaves
from mainspring.tools.profiling.planned_run import PlannedTrial, run_trial
from mainspring.tools.trial import EnoughError
from mainspring.visualization.figure import new_figure

__all__ = ["Batches", "first_batches", "write_grid", "write_page"]

_ITEMS = 3


@dataclass
class Batches:
    """The first samples of a training.

    Attributes:
        samples: The samples.
        contents: What a batch holds: name, type, shape and range of each tensor.
    """

    samples: list[Shown] = field(default_factory=list)
    contents: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def has_images(self) -> bool:
        """Whether the samples are images."""
        return any(sample.image for sample in self.samples)

    def lines(self) -> Iterator[str]:
        """What the batch holds, and the samples that are no images, as text."""
        yield from in_columns([("batch", "type", "shape", "values"), *self.contents])
        shown = [sample for sample in self.samples if not sample.image]
        if not shown:
            return
        yield ""
        values = [{"sample": sample.text, **sample.row} for sample in shown]
        names = list(dict.fromkeys(name for row in values for name in row))
        names = names if any(sample.text for sample in shown) else names[1:]
        cells = [[row.get(name, "") for name in names] for row in values]
        rows = [[*row, sample.target] for row, sample in zip(cells, shown, strict=True)]
        yield from in_columns([[*names, "target"], *rows])


def first_batches(cfg: Any, count: int = 16) -> Batches:
    """Load the first training samples of a config, and let its data preprocessor prepare them.

    Args:
        cfg: The config; not changed, as its work directory is not.
        count: How many samples to take, of as many batches as that needs.

    Raises:
        ConfigError: The config has a mistake.
        Exception: Whatever loading raises.
    """
    watch = _Look(count)
    run_trial(cfg, watch, count)  # batches of one sample need as many
    return watch.found


class _Look(PlannedTrial):
    """Takes the batches, and ends the run."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.found = Batches()

    def batch_came(self, runner: Run, data_batch: Any) -> None:
        preprocessor: Any = getattr(unwrap(runner.model), "data_preprocessor", None)
        batch = data_batch if preprocessor is None else preprocessor(data_batch, training=True)
        loader = runner.train_dataloader
        display = Display.of_dataset(getattr(loader, "dataset", None))
        if not self.found.contents:
            self.found.contents = _contents(batch)
        for inputs, target in inputs_and_targets(batch):
            if len(self.found.samples) < self.count:
                self.found.samples.append(display.show(inputs, target=target))
        enough = min(self.count, length_of(getattr(loader, "dataset", None)) or self.count)
        if len(self.found.samples) >= enough:
            raise EnoughError


def _contents(batch: Any) -> list[tuple[str, str, str, str]]:
    """A row for each tensor; of the items of a list in it, for the first ones."""
    leaves = list(named_leaves(batch))
    shown = [
        _content(name, leaf)
        for name, leaf in leaves
        if not any(int(index) >= _ITEMS for index in re.findall(r"(?<=.)\[(\d+)\]", name))
    ]
    left_out = len(leaves) - len(shown)
    return [*shown, (f"and {left_out} more", "", "", "")] if left_out else shown


def _content(name: str, value: Any) -> tuple[str, str, str, str]:
    if not isinstance(value, Tensor):
        return name, type(value).__name__, "", str(value)[:40]
    shape = " x ".join(map(str, value.shape))
    kind = str(value.dtype).removeprefix("torch.")
    if not value.numel():
        return name, kind, shape, ""
    numbers = value.double() if not value.is_complex() else value.abs().double()
    spread = f", mean {numbers.mean():.3g}, deviation {numbers.std(correction=0):.3g}"
    limits = f"{numbers.min():.4g} to {numbers.max():.4g}"
    return name, kind, shape, limits + (spread if value.is_floating_point() else "")


def write_grid(found: Batches, path: str | Path) -> None:
    """Draw the images, with their targets, into one picture.

    Args:
        found: The samples.
        path: The file.

    Raises:
        ImportError: matplotlib is not installed.
    """
    image = import_optional("matplotlib.image", "browse", "mainspring[draw]")
    shown = [sample for sample in found.samples if sample.image]
    columns = min(math.ceil(math.sqrt(len(shown))), 8)
    rows = math.ceil(len(shown) / columns)
    size = (1.6 * columns, 1.8 * rows)
    figure = new_figure({"figsize": size, "dpi": 120, "layout": "constrained"})
    for place, sample in enumerate(shown, start=1):
        axes = figure.add_subplot(rows, columns, place)
        pixels = image.imread(BytesIO(base64.b64decode(sample.image)))
        axes.imshow(pixels, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(sample.target[:24], fontsize=8, pad=3)
    figure.savefig(path)


def write_page(found: Batches, path: str | Path, title: str) -> None:
    """Write the samples as a page that needs no network.

    Args:
        found: The samples.
        path: The file.
        title: What stands above them.
    """
    Path(path).write_text(gallery_page(found.samples, found.contents, title), encoding="utf-8")
