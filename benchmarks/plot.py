"""Draw a comparison: python benchmarks/plot.py FIGURES.json IMAGE.svg."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from report import NAMES, Sample, summary

ROWS = (
    ("iteration", "defaults", "us", "iteration, defaults"),
    ("iteration", "lean", "us", "iteration, lean"),
    ("logging_scalars", "lean", "us", "10 scalars logged"),
    ("digits", "defaults", "s", "CNN on digits"),
    ("evaluation", "defaults", "us", "evaluation batch"),
)
ENGINES = ("ours", "mmengine", "ignite", "lightning", "accelerate", "trainer")


def main() -> None:
    """Draw one group of bars for each row: time as a multiple of the bare loop's."""
    source, target = sys.argv[1:]
    record = json.loads(Path(source).read_text())
    samples = [Sample(**each) for each in record["samples"]]
    plt.rcParams["svg.hashsalt"] = "mainspring"
    figure, axes = plt.subplots(figsize=(9, 4))
    width = 0.8 / len(ENGINES)
    for number, engine in enumerate(ENGINES):
        heights = []
        for workload, mode, key, _ in ROWS:
            chosen = [s for s in samples if (s.workload, s.mode) == (workload, mode)]
            measured = any(s.engine == engine and key in s.figures for s in chosen)
            heights.append(summary(chosen, engine, key)[2] if measured else 0.0)
        places = [row + (number - len(ENGINES) / 2 + 0.5) * width for row in range(len(ROWS))]
        axes.bar(places, heights, width, label=NAMES[engine])
    axes.axhline(1, color="black", linewidth=0.8, label="bare loop")
    axes.set_yscale("log")
    axes.set_ylabel("time / bare loop's time")
    axes.set_xticks(range(len(ROWS)), [title for *_, title in ROWS])
    axes.legend(ncols=4, fontsize="small", loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
