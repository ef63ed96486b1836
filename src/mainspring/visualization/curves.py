"""Curves of a run as one picture, from its file of scalars."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.errors import did_you_mean
from mainspring.visualization.errors import VisualizationError, missing_package

__all__ = ["plot_curves"]

_NOT_DRAWN = {"step", "iter", "epoch", "time", "data_time", "memory", "eta"}
_TRAIN_COLOR, _VAL_COLOR = "#3b6fb6", "#d1662b"

Curve = tuple[list[float], list[float]]


def plot_curves(
    scalars_json: str | Path, out_png: str | Path, keys: Sequence[str] | None = None
) -> Path:
    """Draw what a run logged, a panel for each scalar.

    A scalar of training and one of validation with the same name share a panel. The x axis is the
    iteration; a validation stands where it took place.

    Args:
        scalars_json: The ``scalars.json`` that `LocalVisBackend` wrote.
        out_png: The picture; its directory is created.
        keys: Names of the scalars to draw; by default all but times and memory.

    Returns:
        `out_png`.

    Raises:
        VisualizationError: The file holds no scalar, or not the one that is asked for.
        ImportError: matplotlib is not installed.
    """
    train, val = _read(Path(scalars_json))
    known = list(dict.fromkeys([*train, *val]))
    chosen = [name for name in known if name not in _NOT_DRAWN] if keys is None else list(keys)
    if not chosen:
        raise VisualizationError(f"{scalars_json} holds no scalars")
    for name in chosen:
        if name not in known:
            raise VisualizationError(
                f"{scalars_json} has no scalar {name!r}; it has {', '.join(known)}",
                help=did_you_mean(name, known),
            )
    path = Path(out_png)
    path.parent.mkdir(parents=True, exist_ok=True)
    _draw({name: (train.get(name), val.get(name)) for name in chosen}, path)
    return path


def _read(path: Path) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Curves of training and of validation by name, over iterations.

    Lines of training have an ``iter``. A line without one belongs to a validation, whose ``step``
    may count epochs; the training line before it tells where it took place.
    """
    train: dict[str, Curve] = {}
    val: dict[str, Curve] = {}
    last_iter: float | None = None
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            raise VisualizationError(f"{path}:{number} is no line of JSON: {error}") from error
        is_train = "iter" in row
        if is_train:
            last_iter = float(row["iter"])
        here = float(row.get("step", 0)) if last_iter is None else last_iter
        for name, value in row.items():
            if isinstance(value, int | float) and math.isfinite(value):
                curve = (train if is_train else val).setdefault(
                    name.removeprefix("train/" if is_train else "val/"), ([], [])
                )
                curve[0].append(here)
                curve[1].append(value)
    return train, val


def _draw(panels: Mapping[str, tuple[Curve | None, Curve | None]], path: Path) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_package(error, "plot_curves", "mainspring[draw]") from error
    columns = min(math.ceil(math.sqrt(len(panels))), 3)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(4.2 * columns, 3.0 * rows), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    end = max(max(curve[0]) for both in panels.values() for curve in both if curve is not None)
    for place, (name, (train, val)) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        _draw_panel(axes, name, train, val)
        axes.set_xlim(-0.02 * end, 1.02 * end)
    figure.savefig(path)


def _draw_panel(axes: Any, name: str, train: Curve | None, val: Curve | None) -> None:
    if train is not None:
        axes.plot(*train, color=_TRAIN_COLOR, linewidth=1.4, label="train")
    if val is not None:
        axes.plot(*val, color=_VAL_COLOR, linewidth=1.6, marker="o", markersize=4, label="val")
    axes.set_title(name, fontsize=10, loc="left")
    axes.set_xlabel("iteration", fontsize=8)
    axes.tick_params(labelsize=8, length=3)
    axes.grid(color="#e3e3e3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if train is not None and val is not None:
        axes.legend(frameon=False, fontsize=8)
