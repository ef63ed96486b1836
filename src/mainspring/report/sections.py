"""The sections of the page; one without data is left out."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from mainspring.columns import as_bytes, as_duration, as_number
from mainspring.report.changes import changes_between
from mainspring.report.html import Html, as_date, escaped, facts, section, table, tag
from mainspring.report.record import Shown, StartRecord, Table
from mainspring.report.run import RunFiles

__all__ = ["details_of", "gallery", "overview"]

_PARTS = (("step", "training step"), ("data", "waiting for data"), ("validation", "validation"),
          ("saving", "saving"), ("other", "other"))  # fmt: skip
_MOST_CHANGES = 60
_LARGE = 160
_STATES = ("running", "finished", "stopped", "crashed")


def overview(runs: Sequence[RunFiles], title: str) -> str:
    """The head of the page: one run in its facts, or a table of several."""
    theme = '<button id="theme" type="button" title="light or dark">&#9680;</button>'
    if len(runs) > 1:
        head = tag("header", tag("h1", escaped(title)) + theme)
        return head + tag("section", _table_of(runs))
    run = runs[0]
    head = tag("h1", escaped(title) + _badge(run.newest.state)) + theme
    newest, ending = run.newest, ""
    if newest.state in ("stopped", "crashed") and newest.reason:
        ending = tag("p", escaped(newest.reason), class_=f"ending {newest.state}")
    return tag("header", head) + tag("section", facts(_facts(run)) + ending)


def details_of(run: RunFiles, index: int, *, is_only: bool) -> str:
    """Everything about one run but its curves.

    Args:
        run: The run.
        index: Its number on the page.
        is_only: Whether it is the only one; others can be folded away.
    """
    noted = run.noted or StartRecord()
    content = [
        section("Checkpoints", _checkpoints(run), id=f"checkpoints-{index}"),
        *map(_table, noted.tables),
        section("Predictions", gallery(noted.samples), class_="wide"),
        section("Highest losses", gallery(noted.top_losses), class_="wide"),
        section("Time", _time_budget(run), id=f"time-{index}"),
        section("Warnings", _warnings(run)),
        section(f"Changes to {noted.base}", _changes(noted)),
        section("Starts", _starts(run)),
        section("Environment", facts(run.newest.environment.items())),
    ]
    grid = tag("div", "".join(content), class_="cards")
    if is_only:
        return grid
    summary = tag("summary", _swatch(index) + escaped(run.name) + _badge(run.newest.state))
    return tag("details", summary + grid, open="" if index == 0 else None)


def _table_of(runs: Sequence[RunFiles]) -> str:
    scores = [dict(_best_scores(run)) for run in runs]
    metrics = list(dict.fromkeys(name for own in scores for name in own))
    rows = []
    for index, (run, own) in enumerate(zip(runs, scores, strict=True)):
        name = tag("label", f'<input type="checkbox" checked data-run="{index}">' + _swatch(index))
        changed = "" if index == 0 else _difference(runs[0], run)
        seconds = _total_seconds(run)
        rows.append(
            [
                Html(name + escaped(run.name) + _badge(run.newest.state)),
                *(own.get(metric) for metric in metrics),
                "" if seconds is None else as_duration(seconds),
                Html(changed),
            ]
        )
    return table(["run", *metrics, "time", f"other than {runs[0].name}"], rows, class_="wrap")


def _difference(first: RunFiles, run: RunFiles) -> str:
    if not first.config or not run.config:
        return ""
    found = changes_between(first.config, run.config)
    lines = [
        tag("code", f"{escaped(path)}: {escaped(left or '-')} &rarr; {escaped(right or '-')}")
        for path, left, right in found[:8]
    ]
    more = f"and {len(found) - 8} more" if len(found) > 8 else ""
    return "<br>".join([*lines, *([more] if more else [])])


def _facts(run: RunFiles) -> Iterable[tuple[str, object]]:
    newest, noted = run.newest, run.newest.noted
    record: Any = newest.record
    yield from _best_scores(run)
    last = max((c.iterations[-1] for c in run.curves.train.values() if c.iterations), default=0)
    done = max(int(last), record.get("iter") or 0, noted.iteration if noted else 0)
    length = run.epoch_length
    yield "iterations", _of(done, record.get("max_iters"))
    if length:
        yield "epochs", _of(round(done / length, 1), record.get("max_epochs"))
    seconds = _total_seconds(run)
    yield "time", "" if seconds is None else as_duration(seconds)
    yield "device", noted.device if noted else ""
    if noted is not None and noted.world_size > 1:
        yield "processes", noted.world_size
    if noted is not None and noted.batch_size:
        yield "batch size", noted.batch_size * noted.world_size
    yield "parameters", f"{noted.parameters:,}" if noted and noted.parameters else ""
    yield "began", as_date(run.starts[0].began)
    if noted is not None:
        for kind, amount in noted.memory.items():
            yield f"memory, {kind}", as_bytes(amount * 1e6)


def _of(done: float, total: Any) -> str:
    whole = f"{done:g}"
    return f"{whole} of {total}" if isinstance(total, int) and total > 0 else whole


def _best_scores(run: RunFiles) -> list[tuple[str, float]]:
    """The best scores that the run kept; else the last of each metric."""
    best = [
        (f"best {item['metric']}", float(item["score"]))
        for item in run.best
        if isinstance(item.get("score"), int | float)
    ]
    if best:
        return best
    times = ("time", "data_time", "val_time", "val_data_time")
    return [
        (f"last {name}", curve.values[-1])
        for name, curve in run.curves.val.items()
        if name not in times
    ][:4]


def _total_seconds(run: RunFiles) -> float | None:
    known = [start.seconds for start in run.starts if start.seconds is not None]
    return sum(known) if known else None


def _badge(state: str) -> str:
    return tag("span", state, class_=f"badge {state}") if state in _STATES else ""


def _swatch(index: int) -> str:
    return f'<span class="swatch" data-swatch="{index}"></span>'


def _checkpoints(run: RunFiles) -> str:
    if not run.checkpoints:
        return ""
    best = {str(item.get("file") or "").rpartition("/")[2] for item in run.best}
    values = {file.name: run.values_at(file) for file in run.checkpoints}
    metrics = [
        name
        for name in dict.fromkeys(name for found in values.values() for name in found)
        if not name.endswith("time")
    ]
    badge = tag("span", "best", class_="badge")
    rows = [
        [
            Html(escaped(file.name) + badge * (file.name in best)),
            *(values[file.name].get(name) for name in metrics),
            as_bytes(file.size),
            as_date(file.saved),
        ]
        for file in run.checkpoints
    ]
    return table(["file", *metrics, "size", "saved"], rows)


def _table(found: Table) -> str:
    rows = ([name, *row] for name, row in zip(found.rows, found.values, strict=True))
    content = _matrix(found) if found.is_confusion else table(["", *found.columns], rows)
    return section(found.title, content, class_="wide" if len(found.columns) > 12 else None)


def _matrix(found: Table) -> str:
    """Rows are the right classes, columns what they were taken for; shade is the share of a row."""
    lines = []
    for name, row in zip(found.rows, found.values, strict=True):
        total = sum(value or 0 for value in row) or 1
        cells = [
            tag(
                "td",
                as_number(value) if value else "",
                style=f"--share: {(value or 0) / total:.3f}",
                class_="right" if column == name else "wrong" if value else None,
                title=f"{name} taken for {column}: {as_number(value or 0)}",
            )
            for column, value in zip(found.columns, row, strict=True)
        ]
        lines.append(tag("tr", tag("th", escaped(name)) + "".join(cells)))
    heads = "".join(tag("th", escaped(name)) for name in found.columns)
    kind = "matrix many" if max(map(len, found.columns)) > 2 else "matrix"
    head = tag("tr", tag("th", "right class &#8595; taken for &#8594;", class_="corner") + heads)
    whole = tag("table", tag("thead", head) + tag("tbody", "".join(lines)), class_=kind)
    return tag("div", whole, class_="scroll")


def gallery(samples: Sequence[Shown]) -> str:
    """Samples side by side; empty for none."""
    if not samples:
        return ""
    is_large = any(sample.image and _width(sample.image) >= _LARGE for sample in samples)
    kind = "gallery large" if is_large else "gallery"
    return tag("div", "".join(map(_figure, samples)), class_=kind)


def _width(image: str) -> int:
    """Pixels of a line of a PNG file in base64, which stand behind its signature."""
    return int.from_bytes(base64.b64decode(image[:32])[16:20], "big")


def _figure(sample: Shown) -> str:
    parts = []
    if sample.image:
        kind = ' class="tiny"' if _width(sample.image) < _LARGE else ""
        data = escaped(sample.image)
        parts.append(f'<img alt=""{kind} src="data:image/png;base64,{data}">')
    if sample.text:
        parts.append(tag("pre", escaped(sample.text)))
    if sample.row:
        parts.append(table(["", ""], sample.row.items()))
    mark = {True: "good", False: "bad", None: ""}[sample.is_right]
    lines = []
    if sample.predicted:
        lines.append(tag("span", escaped(sample.predicted), class_=f"predicted {mark}"))
    if sample.target and sample.is_right is not True:
        lines.append(tag("span", f"right: {escaped(sample.target)}"))
    if sample.loss is not None:
        lines.append(tag("span", f"loss {as_number(sample.loss)}", class_="hint"))
    return tag("figure", "".join(parts) + tag("figcaption", "".join(lines)))


def _time_budget(run: RunFiles) -> str:
    """Where the time of all starts went, as a bar and its parts."""
    noted = [start.noted.seconds for start in run.starts if start.noted is not None]
    names = ("total", *dict(_PARTS))
    totals = {name: sum(each.get(name, 0.0) for each in noted) for name in names}
    total = totals.pop("total")
    if total <= 0:
        return ""
    totals["other"] = max(total - sum(totals.values()), 0.0)
    bars, rows = [], []
    for name, shown in _PARTS:
        seconds = totals.get(name, 0.0)
        bars.append(f'<i class="{name}" style="flex-grow: {max(seconds / total, 0.001):.4f}"></i>')
        key = f'<span class="key {name}"></span>'
        took = as_duration(seconds) if total >= 60 else f"{seconds:.1f} s"
        rows.append([Html(key + shown), took, f"{seconds / total:.0%}"])
    return tag("div", "".join(bars), class_="budget") + table(["", "time", "share"], rows)


def _warnings(run: RunFiles) -> str:
    counts: Counter[str] = Counter()
    for start in run.starts:
        counts.update(start.warnings)
    rows = [[count, text] for text, count in counts.most_common()]
    return table(["times", "warning"], rows, class_="wrap") if rows else ""


def _changes(noted: StartRecord) -> str:
    if not noted.changes:
        return ""
    shown = [
        [Html(tag("code", escaped(each))) for each in change]
        for change in noted.changes[:_MOST_CHANGES]
    ]
    more = len(noted.changes) - _MOST_CHANGES
    note = tag("p", f"and {more} more", class_="hint") if more > 0 else ""
    return table(["setting", noted.base, "this run"], shown, class_="wrap") + note


def _starts(run: RunFiles) -> str:
    rows = []
    for start in run.starts:
        noted = start.noted
        seconds = start.seconds
        rows.append(
            [
                as_date(start.began) or start.log_dir.name,
                Html(_badge(start.state)),
                noted.begins_at if noted else None,
                noted.iteration if noted else None,
                "" if seconds is None else as_duration(seconds),
                start.resumed_from.rpartition("/")[2],
                start.reason,
            ]
        )
    head = ["began", "", "from iteration", "to iteration", "time", "resumed from", "ended by"]
    kept = [
        place for place in range(len(head)) if any(row[place] not in ("", None) for row in rows)
    ]
    chosen = [[row[place] for place in kept] for row in rows]
    return table([head[place] for place in kept], chosen, class_="wrap")
