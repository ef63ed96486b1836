"""The page: one file that needs no network, with tables as HTML and curves as data for uPlot."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from mainspring.logging.scalar_lines import Curve
from mainspring.replacing import replacing
from mainspring.report.html import escaped, table, tag
from mainspring.report.record import Shown
from mainspring.report.run import RunFiles
from mainspring.report.sections import details_of, gallery, overview
from mainspring.version import __version__

__all__ = ["gallery_page", "page_of", "write_report"]

_ASSETS = ("uPlot.min.css", "uPlot.iife.min.js", "page.js")
_MOST_POINTS = 3000
_TIMES = ("time", "data_time", "memory")


def write_report(folders: Sequence[str | Path], out: str | Path) -> Path:
    """Write the page about some runs into a file.

    Args:
        folders: Their work directories.
        out: The file; its directory is created.

    Returns:
        `out`.

    Raises:
        VisualizationError: A folder holds no run.
    """
    page = page_of([RunFiles.read(folder) for folder in folders])
    path = Path(out)
    with replacing(path) as file:
        file.write(page.encode(errors="backslashreplace"))
    return path


def page_of(runs: Sequence[RunFiles], *, reload: bool = False) -> str:
    """The page as HTML.

    Args:
        runs: The runs, at least one; of several, curves share their panels.
        reload: Whether the page asks the server that it came from for a newer one.
    """
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
    chart_styles, charts, script = map(_asset, _ASSETS)
    # "<" would let a name in the data end the element.
    data = json.dumps(_data(runs)).replace("<", "\\u003c")
    written = time.strftime("%Y-%m-%d %H:%M:%S")
    curves = tag("h2", "Curves") + _CONTROLS + '<div class="panels" id="curves"></div>'
    made = f"mainspring {__version__}, written {written}. Charts by uPlot (MIT licence)."
    parts = [
        _head(title, chart_styles),
        f'<body data-reload="{"yes" if reload else ""}">',
        overview(runs, title),
        tag("section", curves, id="curves-section"),
        *(details_of(run, index, is_only=len(runs) == 1) for index, run in enumerate(runs)),
        tag("footer", made),
        f'<script type="application/json" id="data">{data}</script>',
        f"<script>{charts}</script>\n<script>{script}</script>",
        "</body></html>\n",
    ]
    return "".join(parts)


def gallery_page(samples: Sequence[Shown], contents: Sequence[Sequence[object]], title: str) -> str:
    """A page with samples, and what their batch holds.

    Args:
        samples: The samples.
        contents: Name, type, shape and values of each tensor in the batch.
        title: What stands above them.
    """
    batch = table(["batch", "type", "shape", "values"], contents)
    header = tag("header", tag("h1", escaped(title)))
    body = header + tag("section", gallery(samples)) + tag("section", batch)
    return f"{_head(title)}<body>{body}</body></html>\n"


def _head(title: str, styles: str = "") -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)} - mainspring</title>"
        f"<style>{styles}\n{_asset('page.css')}</style></head>"
    )


_CONTROLS = """<div class="controls">
<label>smooth <input type="range" id="smooth" min="0" max="0.99" step="0.01" value="0"></label>
<label><input type="checkbox" id="log"> logarithmic</label>
<label id="by-epoch-label"><input type="checkbox" id="by-epoch"> epochs</label>
<span class="hint">drag to zoom, double-click to see all</span></div>"""


def _asset(name: str) -> str:
    return (files("mainspring.report") / "assets" / name).read_text(encoding="utf-8")


def _data(runs: Sequence[RunFiles]) -> dict[str, Any]:
    """What the script draws: names of the runs, and panels with the curves of each."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for index, run in enumerate(runs):
        for kind, curves in (("train", run.curves.train), ("val", run.curves.val)):
            for name, curve in curves.items():
                own = name.removeprefix("val_")
                shared = own if own in run.curves.train else name
                panels.setdefault(shared, []).append(
                    {"run": index, "kind": kind, **_thinned(curve)}
                )
    order = sorted(panels, key=_group_of)
    shown = [{"name": name, "group": _group_of(name), "curves": panels[name]} for name in order]
    named = [{"name": run.name, "epochLength": run.epoch_length} for run in runs]
    return {"runs": named, "panels": shown}


def _group_of(name: str) -> int:
    """Losses and metrics first, then schedules, then times and memory."""
    last = name.rpartition("/")[2]
    if last in _TIMES:
        return 2
    return int(last.endswith(("lr", "momentum", "weight_decay")))


def _thinned(curve: Curve) -> dict[str, list[float]]:
    """A curve with at most some thousand points: of each stretch, the lowest and the highest."""
    x, y = curve.iterations, curve.values
    if len(x) > _MOST_POINTS:
        kept = sorted(set(_extremes(y, 2 * len(x) // _MOST_POINTS + 1)))
        x, y = [x[place] for place in kept], [y[place] for place in kept]
    return {"x": x, "y": [float(f"{value:.6g}") for value in y]}


def _extremes(values: Sequence[float], stretch: int) -> Iterable[int]:
    yield 0
    for begin in range(0, len(values), stretch):
        places = range(begin, min(begin + stretch, len(values)))
        yield min(places, key=values.__getitem__)
        yield max(places, key=values.__getitem__)
    yield len(values) - 1
