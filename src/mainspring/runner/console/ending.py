"""What a person is told when a training is over, however it ended, and what is noted of it."""

from __future__ import annotations

import os
import shlex
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.columns import as_duration, as_number
from mainspring.defaults import DEFAULTS
from mainspring.dist import is_main_process
from mainspring.hooks import CheckpointHook, LoggerHook
from mainspring.hooks.run_table import console_width
from mainspring.logging import ON_TERMINAL, warn
from mainspring.logging.run_record import write_record
from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.output import near_path
from mainspring.runner.console.opening import opening_lines
from mainspring.runner.failures.rank_failure import failed_before
from mainspring.runner.interruption import CHECKPOINT, Terminated

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["Invocation", "telling"]

_PICTURES = ("curves.png", "report.html")
_PLACES = (("epoch", "epoch"), ("iteration", "iter"))
_RESUME = "start it again with resume=True"
_INDENT = 12


@dataclass(frozen=True, slots=True)
class Invocation:
    """The command that started a run, from which others follow.

    Attributes:
        config: The config as it was named.
        changes: Changes to it, such as ``epochs=3``.
        options: Options of ``mainspring train``, without those that continue a run.
    """

    config: str
    changes: Sequence[str] = ()
    options: Sequence[str] = ()

    def resuming(self) -> str:
        """The command that goes on with the run."""
        words = [self.config, *self.changes, *self.options, "--resume"]
        return shlex.join(["mainspring", "train", *words])

    def evaluating(self, verb: str, checkpoint: str) -> str:
        """The command that tests or validates a checkpoint of the run."""
        return shlex.join(["mainspring", verb, self.config, checkpoint, *self.changes])


def _steps_of(runner: Runner) -> dict[str, int]:
    """How often each optimizer was used, by name."""
    return {
        name: wrapper.micro_steps + wrapper.optimizer_steps
        for name, wrapper in by_optimizer(runner.optim_wrapper).items()
        if type(wrapper) in (OptimWrapper, AmpOptimWrapper)  # others may not count
    }


@contextmanager
def telling(runner: Runner, rates: dict[str, list[float]]) -> Iterator[None]:
    """A block in which a run trains: what it is about to do is said before, how it went after.

    Args:
        runner: The run, ready to train.
        rates: Learning rates to come, for the opening.
    """
    if not is_main_process():
        yield
        return
    invocation, began = runner.invocation, time.monotonic()  # the clock on the wall may be set
    record: dict[str, Any] = {
        "state": "running",
        "began": time.time(),
        "experiment": runner.experiment_name,
        "start": runner.begun_from,
        "command": None if invocation is None else invocation.resuming(),
        "by_epoch": bool(getattr(runner.train_loop, "by_epoch", True)),
        "max_epochs": runner.max_epochs,
        "max_iters": runner.max_iters,
        "first_iter": runner.iter,
    }
    _tell(runner, record, lambda: opening_lines(runner, rates))
    state, reason, steps = "finished", "", _steps_of(runner)
    try:
        yield
        _warn_of_unused(runner, steps, runner.iter - record["first_iter"])
    except BaseException as error:
        state, reason = _reason(error)
        raise
    finally:
        record |= {"state": state, "reason": reason, "ended": time.time()}
        record |= {"seconds": time.monotonic() - began, **_results(runner, state)}
        _tell(runner, record, lambda: _ending_lines(runner, record))


def _tell(runner: Runner, record: Mapping[str, Any], lines: Callable[[], Sequence[str]]) -> None:
    """Note how a run is, and say so in a few lines."""
    with suppress(OSError):  # what is noted for later must not end the run of today
        write_record(runner.log_dir, record)
    for line in lines() if DEFAULTS.short_lines else ():
        runner.logger.info(line, extra=ON_TERMINAL)


def _reason(error: BaseException) -> tuple[str, str]:
    """How a run ended by an exception: ``"stopped"`` or ``"crashed"``, and by what."""
    if isinstance(error, Terminated):
        return "stopped", "by SIGTERM"
    if isinstance(error, KeyboardInterrupt):
        return "stopped", "by SIGINT (Ctrl-C)"
    first = failed_before(error)
    if first is not None:
        return "crashed", first.partition("\n")[0]
    said = str(error).strip().partition("\n")[0]
    return "crashed", f"{type(error).__name__}: {said}" if said else type(error).__name__


def _warn_of_unused(runner: Runner, before: Mapping[str, int], iterations: int) -> None:
    """Warn of optimizers that the model's training step has left out."""
    for name, steps in _steps_of(runner).items():
        if iterations and steps == before[name]:
            warn(
                f"the optimizer {name + ' ' if name else ''}was not used in {iterations} "
                "iterations: train_step has called neither update_params() nor backward() and "
                "step() of its wrapper, so its settings had no effect (clipping, accumulation)"
            )


def _results(runner: Runner, state: str) -> dict[str, Any]:
    """What a training has come to: where it is, its best and last numbers, its checkpoint."""
    loop = runner.train_loop
    table = next((h.table for h in runner.hooks if isinstance(h, LoggerHook)), None)
    saving = next((h for h in runner.hooks if isinstance(h, CheckpointHook)), None)
    best = None if table is None else table.watched.best
    if saving is not None and saving.best is not None:
        for entry in saving.best.entries[:1]:
            if entry.file is not None and (best is None or best["metric"] == entry.metric):
                where = best if best and best["score"] == entry.score else {}
                best = {"metric": entry.metric, "rule": entry.rule, "score": entry.score}
                best |= {**where, "file": saving.path_of(entry.file)}
    stopped = Path(runner.work_dir) / CHECKPOINT
    newest = None if saving is None else saving.last_ckpt
    return {
        "epoch": getattr(loop, "completed_epochs", runner.epoch),
        "iter": getattr(loop, "completed_iters", runner.iter),
        "best": best,
        "last": {} if table is None else table.last(),
        "checkpoint": str(stopped) if state == "stopped" and stopped.is_file() else newest,
    }


def _ending_lines(runner: Runner, record: Mapping[str, Any]) -> list[str]:
    """How a training went, where what it made is, and how to go on from there."""
    best = record["best"] or {}
    values = [f"{name}\xa0{as_number(value)}" for name, value in record["last"].items()]
    pictures = [str(Path(runner.work_dir, name)) for name in _PICTURES]
    files = [record["checkpoint"], best.get("file"), *filter(os.path.isfile, pictures)]
    title, command = _next_step(runner, record)
    rows = {
        "reason": [record["reason"]] if record["reason"] else [],
        "best": [f"{best['metric']} {as_number(best['score'])}{_place_of(best)}"] if best else [],
        "last": textwrap.wrap("  ".join(values), max(console_width() - _INDENT, 20)),
        "files": [near_path(file) for file in dict.fromkeys(filter(None, files))],
        title: [command] if command else [],
    }
    lines = [
        f"{'' if number else f'  {name}':<{_INDENT}}{text}".replace("\xa0", " ")
        for name, texts in rows.items()
        for number, text in enumerate(texts)
    ]
    return ["", _headline(record), *lines]


def _headline(record: Mapping[str, Any]) -> str:
    state, seconds = record["state"], record["seconds"]
    where = f"iteration {record['iter']:,}"
    if record["max_iters"]:
        where += f" of {record['max_iters']:,}"
    if record["by_epoch"]:
        where = f"epoch {record['epoch']} of {record['max_epochs']}, {where}"
    return f"{state} in {as_duration(seconds)}, after {where}"


def _place_of(best: Mapping[str, Any]) -> str:
    known = [f"{name} {best[key]}" for name, key in _PLACES if best.get(key) is not None]
    return f" at {', '.join(known)}" if known else ""


def _next_step(runner: Runner, record: Mapping[str, Any]) -> tuple[str, str]:
    """What to do with a run, and the command that does it."""
    invocation = runner.invocation
    if record["state"] != "finished":
        if record["checkpoint"] is None:
            return "go on", "no checkpoint was written yet"
        return "go on", _RESUME if invocation is None else invocation.resuming()
    chosen = (record["best"] or {}).get("file") or record["checkpoint"]
    if invocation is None or chosen is None:
        return "try it", ""
    for verb, loop in (("test", runner._test_loop), ("val", runner._val_loop)):
        if loop is not None:
            return "try it", invocation.evaluating(verb, near_path(chosen))
    unit = "max_epochs" if record["by_epoch"] else "max_iters"
    return "go on", f"{invocation.resuming()} train_cfg.{unit}={2 * record[unit]}"
