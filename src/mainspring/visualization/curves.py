"""Draw the curves of a run from its file of scalars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["plot_curves"]

_NOT_CURVES = frozenset({"iter", "epoch", "step", "time", "data_time", "memory", "eta"})
_COLUMNS = 3


def plot_curves(scalars_json: str, out_png: str, keys: Sequence[str] | None = None) -> str:
    """Draw what a run logged, a small panel for each scalar.

    Args:
        scalars_json: File of scalars, one JSON object a line.
        out_png: Picture to write.
        keys: Scalars to draw; all by default.

    Returns:
        `out_png`.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: None of the scalars was logged.
    """
    curves = _read(scalars_json, keys)
    if not curves:
        raise ValueError(f"{scalars_json} holds no scalar to draw")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        error.add_note("drawing curves needs: pip install mainspring[draw]")
        raise
    columns = min(_COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, ((name, axis), points) in enumerate(curves.items(), 1):
        panel = figure.add_subplot(rows, columns, place)
        marker = "o" if len(points) < 40 else ""
        panel.plot(*zip(*points, strict=True), marker=marker, markersize=3, linewidth=1.4)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel(axis, fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(out_png, dpi=120)
    return out_png


def _read(path: str, keys: Sequence[str] | None) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Points by name and axis: training over iterations, metrics over the step that they carry."""
    curves: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        training = "iter" in row
        for name, value in row.items():
            wanted = name in keys if keys is not None else name not in _NOT_CURVES
            if not wanted or not isinstance(value, int | float):
                continue
            key = (f"train {name}" if training else name, "iteration" if training else "step")
            curves.setdefault(key, []).append((row["iter"] if training else row["step"], value))
    return curves
