"""Ends trainings by signals at random moments: python benchmarks/fault/signals.py [--runs 70].

Trainings of tests/fault/matrix.py send themselves SIGTERM, SIGINT or SIGUSR1 behind a random
iteration, or within a validation behind a random batch, on a random rank, and are restarted with
``resume=True`` until they end. The end is compared with that of the same training left alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "fault"))

from matrix import RANKS
from trainings import Trainings, logged_values

COMPARED = ("weights", "optimizer", "averages", "schedulers", "generators", "last")
SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")
ITERATIONS = 15
MOST_SIGNALS_OF_A_TRAINING = 6
VALIDATIONS = {
    "best_checkpoints": (3, 3),
    "plateau": (3, 3),
    "validation_that_is_counted": (3, 3),
    "two_ranks_validated": (3, 5),
    "two_ranks_validated_by_iteration": (3, 5),
    "two_ranks_with_averaged_buffers": (3, 5),
    "three_ranks": (1, 0),
    "three_ranks_with_accumulation": (1, 0),
}
"""Variants, with the iterations between two validations and the batches of one, on each rank."""


def moment(variant: str, generator: random.Random) -> tuple[str, int, int, int]:
    """Signal, iteration, batch of the validation (-1 for none) and rank."""
    interval, batches = VALIDATIONS[variant]
    iteration = generator.randrange(1, ITERATIONS + 1)
    batch = generator.randrange(-1, batches)
    if batch >= 0:
        iteration = max(interval, iteration // interval * interval)
    return generator.choice(SIGNALS), iteration, batch, generator.randrange(RANKS[variant])


def train(trainings: Trainings, variant: str, place: Path, generator: random.Random) -> Any:
    """Train with signals; gives the report and how many signals ended a start."""
    for number in range(MOST_SIGNALS_OF_A_TRAINING):
        signal_at = moment(variant, generator)
        report = trainings.run(variant, place, signal_at=signal_at, resume=number > 0)
        if report is not None:
            return report, number
    return trainings.run(variant, place, resume=True), MOST_SIGNALS_OF_A_TRAINING


def main() -> int:
    """Interrupt, resume, compare and print; 1 if a run differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=70)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    references: dict[str, Any] = {}
    ended, differing = 0, []
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Trainings() as trainings:
        for number in range(options.runs):
            variant = generator.choice(list(VALIDATIONS))
            whole, place = Path(folder, variant), Path(folder, str(number))
            if variant not in references:
                references[variant] = trainings.run(variant, whole)
            report, signals = train(trainings, variant, place, generator)
            ended += signals
            expected = references[variant]
            same = all(report[name] == expected[name] for name in COMPARED)
            if not same or logged_values(place) != logged_values(whole):
                differing.append(variant)
    print(f"runs                    {options.runs:4}   in {time.perf_counter() - begin:.0f} s")
    print(f"ended by a signal       {ended:4}   times")
    print(f"differing runs          {len(differing):4}   (to reach: 0)  {' '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
