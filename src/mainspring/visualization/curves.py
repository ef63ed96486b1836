"""Curves of a run as one picture, from its file of scalars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.errors import VisualizationError, did_you_mean
from mainspring.logging.scalar_lines import Curve, read_curves, scalar_files
from mainspring.visualization.figure import new_figure

__all__ = ["Line", "draw_panels", "plot_curves"]

Line = tuple[Sequence[float], Sequence[float], Mapping[str, Any]]
"""Iterations, the values there, and how matplotlib draws them."""

_NOT_DRAWN = {"time", "data_time", "memory", "eta", "val_time", "val_data_time"}
_TRAIN_STYLE = {"color": "#3b6fb6", "linewidth": 1.4, "label": "train"}
_VAL_STYLE = {"color": "#d1662b", "linewidth": 1.6, "label": "val", "marker": "o", "markersize": 4}


def plot_curves(
    scalars_json: str | Path, out_png: str | Path, keys: Sequence[str] | None = None
) -> Path:
    """Draw what a run logged, a panel for each scalar.

    A scalar of training and one of validation with the same name share a panel. The x axis is the
    iteration; a validation stands where it took place.

    Args:
        scalars_json: The ``scalars.json`` that `LocalVisBackend` wrote, or the work directory of a
            run, whose starts follow each other.
        out_png: The picture; its directory is created.
        keys: Names of the scalars to draw; by default all but times and memory.

    Returns:
        `out_png`.

    Raises:
        VisualizationError: The file holds no scalar, or not the one that is asked for.
        ImportError: matplotlib is not installed.
    """
    given = Path(scalars_json)
    curves = read_curves(scalar_files(given) if given.is_dir() else [given])
    known = curves.names
    drawn = [name for name in known if name not in _NOT_DRAWN]
    # What is planned stands behind what is found.
    chosen = sorted(drawn, key=lambda name: name.endswith("lr")) if keys is None else list(keys)
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
    panels: dict[str, list[Curve | None]] = {}
    for name in chosen:
        # A loss of a validation is named val_loss where one of training is there.
        own = name.removeprefix("val_")
        panel = panels.setdefault(own if own in chosen else name, [None, None])
        panel[0] = curves.train.get(name, panel[0])
        panel[1] = curves.val.get(name, panel[1])
    styles = (_TRAIN_STYLE, _VAL_STYLE)
    lines = {
        name: [
            (it.iterations, it.values, style) for it, style in zip(both, styles, strict=True) if it
        ]
        for name, both in panels.items()
    }
    columns = min(math.ceil(math.sqrt(len(lines))), 3)
    draw_panels(lines, path, columns=columns, size=(4.2, 3.0))
    return path


def draw_panels(
    panels: Mapping[str, Sequence[Line]],
    path: str | Path,
    *,
    columns: int,
    size: tuple[float, float],
    from_zero: bool = False,
) -> None:
    """Draw lines over the iterations of a run into a file.

    Args:
        panels: The lines of each panel, by its title.
        path: The file; its ending says the format.
        columns: How many panels stand side by side.
        size: Width and height of a panel, in inches.
        from_zero: Whether what is positive begins at zero.
    """
    rows = max(1, math.ceil(len(panels) / columns))
    whole = (size[0] * columns, size[1] * rows)
    figure = new_figure({"figsize": whole, "dpi": 150, "layout": "constrained"})
    end = max([1, *(iterations[-1] for lines in panels.values() for iterations, _, _ in lines)])
    for place, (title, lines) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        for iterations, values, style in lines:
            axes.plot(iterations, values, **style)
        if len(lines) > 1:
            axes.legend(frameon=False, fontsize=8)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("iteration", fontsize=8)
        axes.tick_params(labelsize=8, length=3)
        axes.grid(color="#e3e3e3", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(-0.02 * end, 1.02 * end)
        if from_zero:
            axes.set_ylim(bottom=min(0.0, *axes.get_ylim()))
    figure.savefig(path)
