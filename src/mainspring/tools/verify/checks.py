"""The checks: each compares two trials of the same config."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mainspring.columns import counted
from mainspring.dist.process_group import free_port
from mainspring.errors import ConfigError, did_you_mean, mark_user_mistake
from mainspring.structures.tensor_difference import relative_difference
from mainspring.tools.verify import hints
from mainspring.tools.verify.findings import Finding
from mainspring.tools.verify.first_difference import Difference, compare
from mainspring.tools.verify.job import Job, NotApplicableError
from mainspring.tools.verify.observation import Observation
from mainspring.tools.verify.training import FINAL, checkpoint_name
from mainspring.tools.verify.trials import TrialFailedError, Trials

__all__ = ["CHECKS", "DEFAULT_ITERATIONS", "chosen_checks", "verify"]

DEFAULT_ITERATIONS = 12
_RANK_ITERATIONS = 4
_SHOWN_LINES = 12

GRADIENT_TOLERANCE = 1e-4
"""Largest norm of the difference of two gradients over the norm of one of them."""

LOW_PRECISION_TOLERANCE = 5e-2
"""The same where half precision is used."""

WEIGHT_TOLERANCE = 1e-2
"""The same for weights after a few iterations, in which rounding errors grow."""

_ROUNDING = 1e-3
"""A gradient smaller than the largest one by this factor is measured by the largest one."""


_Outcome = tuple[str, Sequence[object], Callable[[], str]]
"""What a check compares, what differs, and a hint if something does."""


@dataclass
class _Verification:
    """What the checks share: the trials, and the training that several of them compare with."""

    trials: Trials
    folder: Path
    request: Mapping[str, Any]
    iterations: int
    whole: Observation = field(default_factory=Observation)
    seed_is_broken: bool = False

    def job(self, kind: Any, name: str, work_dir: str | None = None, **settings: Any) -> Job:
        folder, run = self.folder / name, self.folder / (work_dir or name) / "work_dir"
        iterations = settings.pop("iterations", self.iterations)
        return Job(kind, str(folder), str(run), iterations, self.request, **settings)

    @cached_property
    def again(self) -> Observation:
        """The second training, killed at its end."""
        self.trials.run(self.job("train", "again", kill=True), second=True)
        return self.seen(f"again/{FINAL}")

    def seen(self, name: str) -> Observation:
        return Observation.read(self.folder / name)


def chosen_checks(names: Sequence[str]) -> list[str]:
    """The names of the checks to make, in their order.

    Args:
        names: Those that are asked for; none for all.

    Raises:
        ConfigError: There is no such check.
    """
    for name in names:
        if name not in CHECKS:
            raise ConfigError(
                f"there is no check {name!r}",
                help=did_you_mean(name, CHECKS) or f"the checks are {', '.join(CHECKS)}",
            )
    return [name for name in CHECKS if not names or name in names]


def verify(
    trials: Trials,
    folder: Path,
    request: Mapping[str, Any],
    *,
    iterations: int = DEFAULT_ITERATIONS,
    only: Sequence[str] = (),
    report: Callable[[Finding], None] | None = None,
) -> list[Finding]:
    """Try out what holds for a config.

    Args:
        trials: Carries out the trials.
        folder: Where they write.
        request: What names the config, for the trials.
        iterations: Iterations of the trainings.
        only: Names of the checks; all by default.
        report: Called with each finding when it is made.

    Raises:
        ConfigError: There is no such check, or the training fails by itself.
    """
    names = chosen_checks(only)
    shared = _Verification(trials, folder, request, iterations)
    if _TRAINED & set(names):
        whole = shared.job("train", "whole", save_and_load="save-and-load" in names)
        try:
            trials.run(whole)
        except TrialFailedError as error:
            said = f"the training fails by itself, so there is nothing to verify\n{error}"
            raise mark_user_mistake(ConfigError(said)) from None
        shared.whole = shared.seen(f"whole/{FINAL}")
    findings = []
    for name in names:
        try:
            reason, found, hint = CHECKS[name](shared)
            finding = Finding(name, "holds", reason)
            if found:
                finding = Finding(name, "broken", reason, tuple(map(str, found)), hint())
        except NotApplicableError as error:
            finding = Finding(name, "not applicable", str(error))
        except TrialFailedError as error:
            lines = str(error).rstrip().splitlines()[-_SHOWN_LINES:]
            finding = Finding(name, "broken", f"a trial failed: {error.headline}", tuple(lines))
        findings.append(finding)
        if report is not None:
            report(finding)
    return findings


def _same_seed(shared: _Verification) -> _Outcome:
    found, facts = compare(shared.whole, shared.again), shared.whole.facts
    shared.seed_is_broken = bool(found)
    reason = f"{counted(facts['iterations'], 'iteration')}, twice"
    return reason, found, lambda: hints.on_seed(found, facts["device"])


def _kill_and_resume(shared: _Verification) -> _Outcome:
    facts = shared.whole.facts
    # A hook may have ended the training before its time.
    again = shared.again.facts["iterations"] if facts["positions"] else 0
    places = [place for place in facts["positions"] if place[0] < again]
    if not places:
        length = counted(facts["iterations"], "iteration")
        raise NotApplicableError(f"the training ends after {length}, which is too early")
    found: list[Difference] = []
    said = []
    saved = shared.folder / "again" / "work_dir"
    for iteration, ends_epoch in places:
        said.append(f"{iteration} ({'end' if ends_epoch else 'middle'} of an epoch)")
        name = f"resumed_{iteration}"
        checkpoint = str(saved / checkpoint_name(iteration))
        settings = {"resume": checkpoint, "kill": iteration != places[-1][0]}
        shared.trials.run(shared.job("train", name, "again", **settings))
        found = compare(shared.whole, shared.seen(f"{name}/{FINAL}"), after=iteration)
        if found:
            said = said[-1:]
            break
    verb = "differs when it goes on" if found else "went on"
    reason = f"killed, {verb} after iteration {' and '.join(said)}"
    return reason, found, lambda: hints.on_resuming(found, shared.seed_is_broken)


def _save_and_load(shared: _Verification) -> _Outcome:
    loaded = shared.seen("whole/loaded")
    if (problem := loaded.facts.get("problem")) is not None:
        reason = "a new model cannot take the weights over"
        hint = "build the same modules in __init__, whatever the training has done"
        return reason, str(problem).splitlines()[:6], lambda: hint
    saved = shared.seen("whole/saved")
    found = compare(saved, loaded)
    no_outputs = saved.facts.get("no_outputs")
    what = "weights and outputs" if no_outputs is None else f"weights ({no_outputs})"
    reason = f"{what} of a new model with the weights of a file"
    return reason, found, lambda: hints.on_loading(found)


def _workers(shared: _Verification) -> _Outcome:
    shared.trials.run(shared.job("workers", "workers"))
    none, some = shared.seen("workers/none"), shared.seen("workers/workers")
    found = compare(none, some)
    reason = f"{shared.iterations} batches from 0 and {some.facts['workers']} workers"
    return reason, found, lambda: hints.on_workers(none, some)


def _accumulation(shared: _Verification) -> _Outcome:
    shared.trials.run(shared.job("accumulation", "accumulation"))
    whole, halves = shared.seen("accumulation/whole"), shared.seen("accumulation/halves")
    tolerance = _gradient_tolerance(whole)
    found, ratio = _compare_gradients(whole, halves, tolerance)
    _refuse_random(found, halves)
    size = whole.facts["batch_size"]
    reason = f"gradients of {size} samples, and of 2 x {size // 2} (tolerance {tolerance:g})"
    return reason, found, lambda: hints.on_accumulation(whole.facts, ratio)


def _ranks(shared: _Verification) -> _Outcome:
    settings: dict[str, Any] = {"iterations": _RANK_ITERATIONS, "device": ""}
    try:
        shared.trials.run(shared.job("ranks", "one_rank", **settings))
    except TrialFailedError as error:
        raise NotApplicableError(f"training fails on the CPU: {error.headline}") from None
    of_two = {**settings, "world_size": 2, "port": free_port()}
    shared.trials.run(
        *(shared.job("ranks", f"rank_{rank}", rank=rank, **of_two) for rank in range(2))
    )
    one = shared.seen("one_rank/end")
    two = [shared.seen(f"rank_{rank}/end") for rank in range(2)]
    done = one.facts["iterations"]
    reason = f"{counted(done, 'iteration')} on 1 and on 2 ranks (gloo, CPU)"
    found = _compare_items(one, two)
    is_batch = bool(found)
    if not found:
        found = _compare_ranks(one, two[0])
        _refuse_random(found, one)
    seed_is_broken = shared.seed_is_broken
    return reason, found, lambda: hints.on_ranks(one.facts, is_batch, seed_is_broken)


def _compare_items(one: Observation, two: Sequence[Observation]) -> list[Difference]:
    alone, together = (
        Counter((entry.iteration, str(entry.value)) for seen in side for entry in seen.log)
        for side in ([one], two)
    )
    missing = alone - together
    if not missing:
        return []
    first = min(iteration for iteration, _ in missing)
    lacking, count = (
        sum(number for (iteration, _), number in items.items() if iteration == first)
        for items in (missing, alone)
    )
    what = f"{lacking} of {count} samples are not those of 2 ranks"
    return [Difference("batch", what, iteration=first)]


def _compare_ranks(one: Observation, two: Observation) -> list[Difference]:
    found, _ = _compare_gradients(one, two, _gradient_tolerance(one), later=WEIGHT_TOLERANCE)
    if found:
        return found
    # What has no gradient but rounding errors may go anywhere with an adaptive optimizer.
    norms = {name: float(it.norm()) for name, it in _gradients_by_step(one).get(1, {}).items()}
    largest = max(norms.values(), default=0.0)
    noise = {f"weight {name}" for name, norm in norms.items() if norm <= 1e-5 * largest}
    distances = {
        name: relative_difference(tensor, two.tensors[name])
        for name, tensor in one.tensors.items()
        if name.startswith("weight ") and name not in noise
    }
    return _too_far(distances, WEIGHT_TOLERANCE)


def _compare_gradients(
    left: Observation, right: Observation, tolerance: float, later: float | None = None
) -> tuple[list[Difference], float]:
    """The first gradient that differs, and the ratio of the norms of all of that step.

    Args:
        left: What is expected.
        right: What is compared with it.
        tolerance: Largest difference in the first step.
        later: The same for the steps after it, which start from weights that are not quite equal.
    """
    theirs = _gradients_by_step(right)
    for step, ours in _gradients_by_step(left).items():
        others = theirs.get(step, {})
        if absent := [f"gradient {name}" for name in ours if name not in others]:
            return [Difference(absent[0], "only in the first", len(absent) - 1, step)], 0.0
        norms = {name: float(tensor.double().norm()) for name, tensor in ours.items()}
        floor = _ROUNDING * max(norms.values())
        distances = {
            f"gradient {name}": relative_difference(tensor, others[name], floor)
            for name, tensor in ours.items()
        }
        allowed = tolerance if step == 1 or later is None else max(later, tolerance)
        if found := _too_far(distances, allowed, step):
            total = math.hypot(*norms.values())
            other = math.hypot(*(float(others[name].double().norm()) for name in ours))
            return found, other / total if total else 0.0
    return [], 1.0


def _gradients_by_step(seen: Observation) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for name, tensor in seen.tensors.items():
        if name.startswith("gradient "):
            _, step, owner = name.split(" ", 2)
            found.setdefault(int(step), {})[owner] = tensor
    return found


def _gradient_tolerance(seen: Observation) -> float:
    return LOW_PRECISION_TOLERANCE if seen.facts["low_precision"] else GRADIENT_TOLERANCE


def _too_far(
    distances: Mapping[str, float], tolerance: float, iteration: int | None = None
) -> list[Difference]:
    beyond = [name for name, distance in distances.items() if not distance <= tolerance]
    if not beyond:
        return []
    worst = max(beyond, key=lambda name: distances[name])
    what = f"differs by {distances[beyond[0]]:.2%} of its norm"
    if worst != beyond[0]:
        what += f", {worst} by {distances[worst]:.2%}"
    return [Difference(beyond[0], what, len(beyond) - 1, iteration)]


def _refuse_random(found: Sequence[Difference], seen: Observation) -> None:
    if found and seen.facts["draws"]:
        raise NotApplicableError(
            "the model draws random numbers in training, besides torch.nn.Dropout, so that other "
            "batches are other numbers"
        )


CHECKS: dict[str, Callable[[_Verification], _Outcome]] = {
    "same-seed": _same_seed,
    "kill-and-resume": _kill_and_resume,
    "save-and-load": _save_and_load,
    "workers": _workers,
    "accumulation": _accumulation,
    "ranks": _ranks,
}
_TRAINED = {"same-seed", "kill-and-resume", "save-and-load"}
