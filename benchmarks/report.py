"""The table of the comparison, and the check that all engines did the same work."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-3
NAMES = {
    "bare": "bare loop",
    "bare_jsonl": "JSON lines by hand",
    "bare_tensorboard": "TensorBoard by hand",
    "bare_compiled": "bare, compiled",
    "ours": "mainspring",
    "ours_async": "mainspring, async",
    "ours_compiled": "mainspring, compiled",
    "mmengine": "MMEngine",
    "ignite": "Ignite",
    "lightning": "Lightning",
    "accelerate": "Accelerate",
    "trainer": "HF Trainer",
}


@dataclass
class Sample:
    """The figures of one sample, or ``failed`` or ``unsupported`` with the reason."""

    workload: str
    engine: str
    mode: str
    round: int
    figures: dict[str, Any]


def table(samples: Sequence[Sample], modules: dict[str, Any], engines: Sequence[str]) -> str:
    """A Markdown table: a row for each figure, a column for each engine; reasons below it."""
    rows = [["", *(NAMES[engine] for engine in engines)]]
    for workload, module in modules.items():
        for mode in module.MODES:
            chosen = [each for each in samples if (each.workload, each.mode) == (workload, mode)]
            if not chosen:
                continue
            for key, (label, kind) in module.FIGURES.items():
                title = f"{module.TITLE}{', ' + label if label else ''}"
                if len(module.MODES) > 1:
                    title += f", {mode}"
                rows.append([title, *(_cell(chosen, engine, key, kind) for engine in engines)])
    return "\n".join([*_aligned(rows), "", *_reasons(samples)])


def values_of(samples: Sequence[Sample], engine: str, key: str) -> dict[int, float]:
    """A figure of an engine by round."""
    return {
        sample.round: sample.figures[key]
        for sample in samples
        if sample.engine == engine and key in sample.figures
    }


def summary(samples: Sequence[Sample], engine: str, key: str) -> tuple[float, float, float]:
    """Median, the bare loop's median, and the median ratio to the bare loop of the same round."""
    values = values_of(samples, engine, key)
    bare = values_of(samples, "bare", key)
    ratios = [value / bare[number] for number, value in values.items() if bare.get(number)]
    median = statistics.median(values.values())
    base = statistics.median(bare.values()) if bare else float("nan")
    return median, base, statistics.median(ratios) if ratios else float("nan")


def _cell(samples: Sequence[Sample], engine: str, key: str, kind: str) -> str:
    if not values_of(samples, engine, key):
        return "-"
    median, base, ratio = summary(samples, engine, key)
    if kind == "cost":
        return (
            f"0 ({base:.0f} us)" if engine == "bare" else f"{median - base:+.0f} us ({ratio:.2f})"
        )
    if kind == "ratio":
        return f"{ratio:.2f} ({median:.2f} s)"
    if kind == "yes":
        return "yes" if median == 1 else "no"
    units = {"seconds": f"{median:.2f} s", "MB": f"{median:.0f} MB", "count": f"{median:.0f}"}
    return units[kind]


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"


def _reasons(samples: Sequence[Sample]) -> Iterator[str]:
    said = set()
    for sample in samples:
        for key in ("failed", "unsupported"):
            line = f"{sample.workload}, {NAMES[sample.engine]}: {key}: {sample.figures.get(key)}"
            if key in sample.figures and line not in said:
                said.add(line)
                yield line


def warnings_about_losses(samples: Sequence[Sample], modules: dict[str, Any]) -> Iterator[str]:
    """A line for each engine whose final loss differs from the bare loop's: other work was done."""
    bare = {
        (each.workload, each.mode): each.figures["loss"]
        for each in samples
        if each.engine == "bare" and "loss" in each.figures
    }
    said = set()
    for sample in samples:
        expected = bare.get((sample.workload, sample.mode))
        loss = sample.figures.get("loss")
        if expected is None or loss is None:
            continue
        tolerance = getattr(modules[sample.workload], "TOLERANCE", TOLERANCE)
        key = (sample.workload, sample.mode, sample.engine)
        if abs(loss - expected) > tolerance * abs(expected) and key not in said:
            said.add(key)
            yield (
                f"not the same work: {NAMES[sample.engine]} ended {sample.workload}"
                f" ({sample.mode}) with a loss of {loss:.6g}, the bare loop with {expected:.6g}"
            )
