"""A search through what a config sweeps: Optuna proposes each run from the earlier results."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError
from mainspring.tools.sweeps.choices import Axis, Choice, folder_names, run_names
from mainspring.tools.sweeps.expand import Loader, grow
from mainspring.tools.sweeps.grid import Followed, Report
from mainspring.tools.sweeps.metrics import Direction, Metric
from mainspring.tools.sweeps.record import Record, Run, Status

__all__ = ["STUDY_FILE", "Search", "check_optuna"]

STUDY_FILE = "study.log"
"""Name of Optuna's journal in the directory of the sweep."""


def check_optuna() -> None:
    """Refuse a search without Optuna.

    Raises:
        ConfigError: It is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(
            "--trials searches with Optuna, which is not installed",
            help="pip install 'mainspring[search]'",
        )


class Search(Followed):
    """Proposes runs, stops those that fall behind, and keeps the results in a study.

    The study is Optuna's journal in the directory of the sweep; what was interrupted is proposed
    again when the search goes on.

    Args:
        load: Reads the config with changes of a command line.
        overrides: Changes for all runs.
        given: What the command line sweeps.
        folder: The directory of the sweep.
        metric: What runs are compared by; its name is not ``None``.
        trials: Runs in all, those of earlier parts of the search included.
        prune: Whether runs are stopped whose validation falls behind that of the others.
        seed: Makes the proposals repeatable, with one run at a time.
        report: Prints a line.

    Raises:
        ConfigError: Optuna is not installed, the study there is one of another direction, or there
            is nothing to search.
    """

    def __init__(
        self,
        load: Loader,
        overrides: Sequence[str],
        given: Sequence[Axis],
        folder: Path,
        metric: Metric,
        *,
        trials: int,
        prune: bool,
        seed: int | None,
        report: Report,
    ) -> None:
        check_optuna()
        super().__init__((), metric, report, trials)
        self._load = load
        self._overrides = tuple(overrides)
        self._given = list(given)
        self._folder = folder
        self._prune = prune
        self._trials: dict[int, Any] = {}
        self._reported: dict[int, int] = {}
        self._states: Any = importlib.import_module("optuna.trial").TrialState
        self._study = self._open(seed)
        self._put_back()

    def _open(self, seed: int | None) -> Any:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._folder.mkdir(parents=True, exist_ok=True)
        direction: Direction = "maximize" if self.metric.maximize else "minimize"
        # The first runs set the standard by which later ones are stopped.
        first = max(1, min(5, self._total // 4))
        pruners = optuna.pruners
        pruner = pruners.MedianPruner(n_startup_trials=first) if self._prune else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(self._folder / STUDY_FILE))),
                pruner=pruner or pruners.NopPruner(),
                study_name="sweep",
                direction=direction,
                load_if_exists=True,
            )
            if seed is not None:  # a search that goes on draws what it has not drawn before
                seed = (seed + len(study.get_trials(deepcopy=False))) % 2**32
            study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        about = {"metric": self.metric.name, "direction": direction}
        before = study.user_attrs.get("about", about)
        if before != about:
            raise ConfigError(
                f"the search in {self._folder} has the aim to {before['direction']} "
                f"{before['metric']}, not to {direction} {self.metric.name}",
                help="give another --work-dir for another aim",
            )
        study.set_user_attr("about", about)
        return study

    def _put_back(self) -> None:
        """Propose again what was interrupted, and remember the results of what was not."""
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state == self._states.RUNNING:
                self._study.tell(trial.number, state=self._states.FAIL)
                if trial.params:
                    self._study.enqueue_trial(trial.params)
            elif trial.state.is_finished():
                record = Record.read(self._folder / trial.user_attrs.get("folder", ""))
                if record is not None and record.status in ("finished", "failed", "pruned"):
                    self.runs.append(_earlier(self._folder, trial, record))

    def waiting(self) -> Iterator[Run]:
        """Proposals, until there are as many runs as were asked for."""
        while len(self.runs) < self._total:
            trial = self._study.ask()
            run = self._proposal(trial)
            self._trials[id(run)] = trial
            self._reported[id(run)] = 0
            self.runs.append(run)
            yield run

    def _proposal(self, trial: Any) -> Run:
        """A run whose values Optuna chooses, one after another."""

        def suggest(axis: Axis) -> list[Choice]:
            if (it := axis.range) is not None:
                return [axis.at(trial.suggest_float(axis.name, it.low, it.high, log=it.log))]
            # Optuna keeps the labels: parts of a config are nothing that it could store.
            by_label = {choice.label: choice for choice in axis.choices}
            return [by_label[trial.suggest_categorical(axis.name, list(by_label))]]

        (found,) = grow(self._load, self._overrides, self._given, suggest)
        if not found.choices:
            self._study.tell(trial, state=self._states.FAIL)
            raise ConfigError(
                "there is nothing to search: the config describes one run",
                help="write lr = loguniform(1e-5, 1e-2) in the config, or say "
                "--sweep 'lr=loguniform(1e-5,1e-2)'",
            )
        (name,), (own,) = run_names([found.choices]), folder_names([found.choices])
        folder = self._folder / f"{trial.number:04d},{own}"
        trial.set_user_attr("folder", folder.name)
        return Run(name, folder, found.words, found.choices, found.digest)

    def should_stop(self, run: Run) -> bool:
        """Whether its validation falls behind that of the other runs."""
        return self._prune and self._tell_new_values(run)

    def _tell_new_values(self, run: Run) -> bool:
        """Tell the study what a run has measured since the last time; whether it falls behind."""
        trial = self._trials[id(run)]
        run.scalars.update()
        measured = run.scalars.of(str(self.metric.name))
        # One value after another, so that the same runs are stopped however often somebody looks.
        for value in measured[self._reported[id(run)] :]:
            self._reported[id(run)] += 1
            trial.report(value.value, value.step)
            if self._prune and trial.should_prune():
                return True
        return False

    def ended(self, run: Run, status: Status, exit_code: int | None) -> None:
        """Note, say and tell the study how a run ended."""
        super().ended(run, status, exit_code)
        trial = self._trials[id(run)]
        if status == "finished" and run.record.best is not None:
            self._tell_new_values(run)
            self._study.tell(trial, run.record.best)
        elif status == "pruned":
            self._study.tell(trial, state=self._states.PRUNED)
        else:
            self._study.tell(trial, state=self._states.FAIL)
            if status == "interrupted" and trial.params:
                self._study.enqueue_trial(trial.params)
        if status == "finished":
            self._check_measured(run)


def _earlier(folder: Path, trial: Any, record: Record) -> Run:
    """A run of an earlier part of the search."""
    chosen = {
        name: Choice("", f"{value:.4g}" if isinstance(value, float) else str(value), value)
        for name, value in trial.params.items()
    }
    (name,) = run_names([chosen])
    run = Run(name, folder / trial.user_attrs["folder"], (), chosen, record.digest)
    run.record, run.words = record, tuple(record.words)
    return run
