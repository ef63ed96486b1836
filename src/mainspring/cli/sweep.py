"""`mainspring sweep CONFIG`: a run for each combination of values that a config sweeps."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import (
    CONFIG,
    add_allow_option,
    add_verb,
    default_work_dir,
    read_config,
    telling_result,
)
from mainspring.errors import ConfigError
from mainspring.fileio.local_folder import local_folder

if TYPE_CHECKING:
    from mainspring.config import Config
    from mainspring.tools.sweeps import Axis, Grid, Search

    Load = Callable[[Sequence[str]], Config]
    Prepared = tuple[dict[str, Any], Grid | Search | None]

__all__ = ["add_parser", "run"]

_FAILED_RUN = 1
_report = partial(print, flush=True)
_DESCRIPTION = """\
Make a run for each combination of the values that the config sweeps (`lr = sweep(1e-3, 1e-4)`), or
that --sweep gives, and print a table of their results. With --trials, Optuna chooses the values."""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "sweep",
        run,
        short="train with each combination of several values, and compare the results",
        long=_DESCRIPTION,
        changes="changes for all runs, such as epochs=5",
        config=CONFIG,
    )
    add = parser.add_argument
    text = "values to try, such as lr=1e-3,1e-4 or 'lr=loguniform(1e-5,1e-2)'"
    add("--sweep", nargs="+", action="extend", default=[], metavar="KEY=V1,V2", help=text)
    add("--work-dir", metavar="DIR", help="where the runs' work directories go")
    add("--jobs", type=int, metavar="N", help="runs at a time (default: 1)")
    add("--devices", metavar="IDS", help="GPUs to hand out, one to a run, such as 0,1,2,3")
    add("--metric", metavar="NAME", help="what to compare the runs by")
    add("--direction", choices=["maximize", "minimize"], help="what is better (default: by name)")
    add("--dry-run", action="store_true", help="only print the runs")
    add("--resume", action="store_true", help="leave out what is finished, continue what is not")
    add("--trials", type=int, metavar="N", help="search with so many runs")
    add("--prune", action="store_true", help="stop runs of a search that fall behind")
    add("--seed", type=int, help="makes a search repeatable")
    add_allow_option(parser)


def run(options: argparse.Namespace) -> None:
    """Sweep.

    Raises:
        ConfigError: The options or the config make no sense.
        SystemExit: A run failed; the code is 1.
    """
    devices = [device.strip() for device in (options.devices or "").split(",") if device.strip()]
    _check(options)

    def load(words: Sequence[str]) -> Config:
        return read_config(options.config, words)

    from mainspring.tools.sweeps import (
        Processes,
        format_table,
        ranked,
        train_command,
        write_results,
    )

    prepare = _grid if options.trials is None else _search
    with telling_result(options) as told:
        plan, followed = prepare(options, load, *_changes(options))
        if followed is None:
            told.append(plan)
            return
        jobs = options.jobs if options.jobs is not None else max(1, len(devices))
        processes = Processes(train_command(options.config, options.allow), jobs, devices)
        folder, metric = Path(plan["folder"]), followed.metric
        try:
            processes.run(followed.waiting(), followed)
        except KeyboardInterrupt:
            _report("interrupted: the runs were stopped; --resume continues")
            raise
        finally:  # the table, however it ended
            runs = ranked(followed.runs, metric)
            if runs and folder.is_dir():
                told.append(write_results(folder, runs, metric))
                print(f"\n{format_table(runs, metric)}\n")
                print(f"results: {folder / 'sweep.json'}, {folder / 'sweep.csv'}")
                if runs[0].record.status == "finished" and runs[0].record.best is not None:
                    print(f"best: {runs[0].name} in {runs[0].folder}", flush=True)
        if any(each.record.status == "failed" for each in runs):
            raise SystemExit(_FAILED_RUN)


def _check(options: argparse.Namespace) -> None:
    for name in ("jobs", "trials"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} is {value}", help="give a whole number > 0")
    if options.trials is None and (options.prune or options.seed is not None):
        word = "--prune" if options.prune else "--seed"
        raise ConfigError(
            f"{word} is for searches, but this tries all combinations",
            help="say how many runs the search makes: --trials 20",
        )
    if options.trials is not None:
        from mainspring.tools.sweeps import check_optuna

        check_optuna()


def _changes(options: argparse.Namespace) -> tuple[list[str], list[Axis]]:
    """The changes for all runs, and what the command line sweeps."""
    from mainspring.tools.sweeps import axis_of_word

    overrides, axes = list(options.overrides), dict[str, "Axis"]()
    for word in options.sweep:
        axis = axis_of_word(word)
        if axis is None:
            overrides.append(word)
        elif axis.name in axes:
            raise ConfigError(f"--sweep names {axis.name} twice", help="give all values at once")
        else:
            axes[axis.name] = axis
    for word in overrides:
        name = word.partition("=")[0]
        if name in axes:
            raise ConfigError(
                f"{word!r} sets what --sweep sweeps", help=f"leave out one: {name} is both"
            )
    return overrides, list(axes.values())


def _grid(
    options: argparse.Namespace, load: Load, overrides: list[str], given: list[Axis]
) -> Prepared:
    from mainspring.tools.sweeps import Grid, combinations, grid_runs, metric_for

    found = combinations(load, overrides, given)
    folder = _folder(options, found[0].config)
    runs = grid_runs(found, folder)
    print(f"{len(runs)} runs in {folder}")
    planned = []
    for number, each in enumerate(runs, 1):
        words = [*each.words, "--work-dir", str(each.folder)]
        command = shlex.join(["mainspring", "train", options.config, *words])
        print(f"  [{number}] {each.name}\n      {command}")
        planned.append({"name": each.name, "command": command, "work_dir": str(each.folder)})
    plan = {"folder": str(folder), "runs": planned}
    if options.dry_run:
        return plan, None
    metric = metric_for(found[0].config, options.metric, options.direction)
    grid = Grid(runs, metric, _report)
    if options.resume:
        grid.take_up()
    return plan, grid


def _search(
    options: argparse.Namespace, load: Load, overrides: list[str], given: list[Axis]
) -> Prepared:
    from mainspring.config.sweep import finding_sweeps
    from mainspring.tools.sweeps import Search, metric_for
    from mainspring.tools.sweeps.search import STUDY_FILE

    with finding_sweeps():
        cfg = load(overrides)
    folder = _folder(options, cfg)
    metric = metric_for(cfg, options.metric, options.direction)
    if metric.name is None:
        raise ConfigError("--trials needs --metric", help="name what validation measures")
    if (folder / STUDY_FILE).exists() and not (options.resume or options.dry_run):
        raise ConfigError(
            f"there is a search in {folder} already",
            help="continue it with --resume, or give another --work-dir",
        )
    aim = "greatest" if metric.maximize else "least"
    print(f"{options.trials} runs in {folder}, in search of the {aim} {metric.name}")
    plan = {"folder": str(folder), "trials": options.trials, "metric": metric.name, "aim": aim}
    if options.dry_run:
        return plan, None
    settings = {name: getattr(options, name) for name in ("trials", "prune", "seed")}
    return plan, Search(load, overrides, given, folder, metric, report=_report, **settings)


def _folder(options: argparse.Namespace, cfg: Config) -> Path:
    if options.work_dir is not None:
        return Path(local_folder(options.work_dir, "--work-dir"))
    if cfg.get("work_dir") is not None:
        return Path(local_folder(cfg.work_dir, "work_dir")) / "sweep"
    return default_work_dir(options.config) / "sweep"
