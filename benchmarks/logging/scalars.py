"""How long one log line of ten scalars takes: python benchmarks/logging/scalars.py."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mainspring.visualization import LocalVisBackend

SCALARS = {f"scalar_{index}": 0.1 * index for index in range(10)}
LINES = 2000


def microseconds(write: Callable[[int], object]) -> float:
    """The median time of one line."""
    times = []
    for step in range(LINES):
        start = time.perf_counter()
        write(step)
        times.append(1e6 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        backend = LocalVisBackend(folder)
        with (Path(folder) / "plain.json").open("w", encoding="utf-8") as file:
            plain = microseconds(lambda step: file.write(json.dumps({**SCALARS, "step": step})))
        ours = microseconds(lambda step: backend.add_scalars(SCALARS, step))
        backend.close()
    print(f"plain JSON lines   {plain:6.1f} us")
    print(f"LocalVisBackend    {ours:6.1f} us   ratio {ours / plain:.2f}   (to reach: 100 us)")


if __name__ == "__main__":
    main()
