"""Both trainings side by side: how many losses and weights are equal in every bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mainspring.checkpoint.apply import unwrap
from mainspring.errors import MainspringError
from mainspring.hooks.run import Run
from mainspring.tools.eject.parts import Parts
from mainspring.tools.trial import EnoughError, Watch, build_runner, train_watched

__all__ = ["Comparison", "compare", "run_script"]


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        equal_losses: Losses that are equal in every bit.
        losses: All losses.
        equal_weights: Tensors of the model's state, after the last iteration, that are.
        weights: All of them.
        first_difference: The first iteration, counted from 1, whose loss differs.
    """

    equal_losses: int
    losses: int
    equal_weights: int
    weights: int
    first_difference: int | None

    @property
    def is_equal(self) -> bool:
        """Whether everything is."""
        return self.equal_losses == self.losses and self.equal_weights == self.weights

    def __str__(self) -> str:
        said = (
            f"{self.equal_losses} of {self.losses} losses and {self.equal_weights} of "
            f"{self.weights} weights are equal in every bit"
        )
        where = self.first_difference
        return said if where is None else f"{said}; the first that differs is iteration {where}"


class _Recorder(Watch):
    def __init__(self, iterations: int, *, of_all: bool) -> None:
        self.iterations = iterations
        self.of_all = of_all
        self.losses: list[list[float]] = []
        self.weights: dict[str, Any] = {}

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        losses = outputs.values() if self.of_all else [outputs["loss"]]
        self.losses.append([float(loss) for loss in losses])
        if len(self.losses) == self.iterations:
            state = unwrap(runner.model).state_dict()
            self.weights = {name: tensor.detach().clone() for name, tensor in state.items()}
            raise EnoughError


def run_script(script: Path, iterations: int, folder: Path) -> dict[str, Any]:
    """Run an ejected script in a process of its own.

    Args:
        script: The script.
        iterations: How many iterations.
        folder: For what is found.

    Raises:
        MainspringError: It failed.
    """
    out = folder / "script.pt"
    driver = Path(__file__).with_name("drive.py")
    # The order of sums depends on the threads, which this process may have set for itself.
    numbers = [str(iterations), str(torch.get_num_threads())]
    words = [sys.executable, "-P", str(driver), str(script.resolve()), str(out), *numbers]
    paths = [path for path in sys.path if path and "site-packages" not in path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MainspringError(f"the script failed:\n{done.stderr}")
    found: dict[str, Any] = torch.load(out, weights_only=True)
    return found


def compare(
    parts: Parts, script: Path, iterations: int, run: Callable[[Path, int], dict[str, Any]]
) -> Comparison:
    """Train with the engine and with the script.

    Args:
        parts: The run, which is trained.
        script: The script.
        iterations: How many iterations.
        run: Runs the script.
    """
    recorder = _Recorder(iterations, of_all=parts.has_own_step)
    runner = build_runner(parts.cfg)  # anew: looking at items may have changed the data set
    train_watched(runner, recorder)
    theirs = run(script, iterations)
    if not recorder.weights:  # the run is shorter
        recorder.weights = unwrap(runner.model).state_dict()
    prefix = "net." if parts.is_supervised else ""
    ours = {
        name.removeprefix(prefix): tensor
        for name, tensor in recorder.weights.items()
        if name.startswith(prefix)  # the script has the buffers of the loss elsewhere
    }
    pairs = list(zip(recorder.losses, theirs["losses"], strict=False))
    equal = [repr(left) == repr(right) for left, right in pairs]  # NaN is NaN, 0 is not -0
    same = sum(
        name in theirs["weights"] and torch.equal(tensor.cpu(), theirs["weights"][name].cpu())
        for name, tensor in ours.items()
    )
    longest = max(len(recorder.losses), len(theirs["losses"]))
    equal += [False] * (longest - len(pairs))  # one of them ended before the other
    first = equal.index(False) + 1 if False in equal else None
    return Comparison(sum(equal), longest, same, len(ours), first)
