"""Kills trainings at random moments: python benchmarks/fault/soak.py [--kills 200] [--seed 0].

Trainings of tests/fault/matrix.py are killed with SIGKILL at moments that are uniform in their
time, so in the middle of starting, training, validating and writing as well, and are restarted with
``resume=True`` until they end. Half of them have checkpoints so large that most of the time goes
into writing. The end is compared with that of the same training left alone.
"""

from __future__ import annotations

import argparse
import fnmatch
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "fault"))

from matrix import VARIANTS
from trainings import Trainings, logged_values

from mainspring.checkpoint import LAST_CHECKPOINT, verify_file

COMPARED = ("weights", "optimizer", "averages", "schedulers", "generators", "last")
MOST_KILLS_OF_A_TRAINING = 5
BALLAST = 16


@dataclass
class Tally:
    """What happened."""

    kills: int = 0
    while_writing: int = 0
    differing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    manual: list[str] = field(default_factory=list)
    left_over: int = 0


@dataclass
class Reference:
    """A training that was left alone."""

    report: dict[str, Any]
    values: dict[str, dict[str, str]]
    seconds: float


def main() -> int:
    """Kill, resume, compare and print; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", default="*", help="pattern of names")
    options = parser.parse_args()
    generator = random.Random(options.seed)
    names = fnmatch.filter(VARIANTS, options.variants)
    tally, trained = Tally(), []
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Trainings(wait_for_disk=True) as trainings:
        queue: list[str] = []
        while tally.kills < options.kills:
            queue = queue or generator.sample(names, len(names))
            trained.append(queue.pop())
            place = Path(folder, str(len(trained)))
            soak(trainings, trained[-1], place, generator, tally, options.kills)
    print(f"kills                     {tally.kills:4}   in {time.perf_counter() - begin:.0f} s")
    print(f"  in the middle of a write{tally.while_writing:4}")
    print(f"trainings                 {len(trained):4}   of {len(set(trained))} variants")
    for title, found in (
        ("differing runs", tally.differing),
        ("unreadable checkpoints", tally.unreadable),
        ("manual steps", tally.manual),
    ):
        print(f"{title:26}{len(found):4}   (to reach: 0)")
        for line in found:
            print(f"    {line}")
    print(f"left-over temporary files {tally.left_over:4}")
    return 1 if tally.differing or tally.unreadable or tally.manual else 0


def soak(
    trainings: Trainings,
    variant: str,
    place: Path,
    generator: random.Random,
    tally: Tally,
    most_kills: int,
) -> None:
    """Train once without and once with interruptions, and compare."""
    ballast = generator.choice((0, BALLAST))
    try:
        whole = reference(trainings, variant, place / "whole", ballast)
        report, kills = None, 0
        while report is None:
            wanted = kills < generator.randint(1, MOST_KILLS_OF_A_TRAINING)
            wanted = wanted and tally.kills < most_kills
            report = trainings.run(
                variant,
                place / "cut",
                resume=True,
                ballast=ballast,
                kill_after=generator.uniform(0, whole.seconds) if wanted else None,
            )
            if report is None:
                kills += 1
                tally.kills += 1
                look_at_files(variant, place / "cut", tally)
    except RuntimeError as error:
        tally.manual.append(f"{variant}: {error}")
        return
    tally.left_over += len(temporary_files(place / "cut"))
    parts = [name for name in COMPARED if report[name] != whole.report[name]]
    if logged_values(place / "cut") != whole.values:
        parts.append("logged values")
    if parts:
        tally.differing.append(f"{variant} after {kills} kills: {', '.join(parts)}")


def reference(trainings: Trainings, variant: str, place: Path, ballast: int) -> Reference:
    """The training without interruption, and how long it takes."""
    begin = time.perf_counter()
    report = trainings.run(variant, place, ballast=ballast)
    assert report is not None
    return Reference(report, logged_values(place), time.perf_counter() - begin)


def look_at_files(variant: str, place: Path, tally: Tally) -> None:
    """Every checkpoint under its final name must be whole."""
    tally.while_writing += bool(temporary_files(place))
    for path in place.glob("*.pth"):
        verdict = verify_file(path)
        if not verdict.is_valid:
            tally.unreadable.append(f"{variant}: {path.name}: {verdict.reason}")
    record = place / LAST_CHECKPOINT
    if record.exists() and not (place / record.read_text()).is_file():
        tally.unreadable.append(f"{variant}: {LAST_CHECKPOINT} names {record.read_text()!r}")


def temporary_files(place: Path) -> list[Path]:
    """What writing leaves when it is killed."""
    return list(place.glob(".*.tmp"))


if __name__ == "__main__":
    sys.exit(main())
