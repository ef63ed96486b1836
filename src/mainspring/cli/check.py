"""`mainspring check CONFIG`: everything that is wrong with a config, before anything runs."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from mainspring.cli.common import add_config_verb, aside, load_config
from mainspring.errors import is_user_mistake
from mainspring.output import uses_colour

__all__ = ["add_parser", "run"]

_MISTAKE = 2


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_config_verb(
        verbs,
        "check",
        run,
        short="say everything that is wrong with a config",
        long="Import what a config names, compare each call with its signature, and say "
        "everything that is wrong, with its place. Nothing is trained.",
    )
    text = "also build the model and one batch, and run one training step on the CPU"
    parser.add_argument("--build", action="store_true", help=text)


def run(options: argparse.Namespace) -> None:
    """Check, and print what was found.

    Raises:
        ConfigError: The config cannot be read.
        SystemExit: Something is wrong; the code is 2.
    """
    from mainspring.check import examine, report_as_json, report_as_text, unreadable_as_json

    try:
        cfg = load_config(options, options.overrides)
    except Exception as error:
        if options.format != "json" or not (
            is_user_mistake(error) or isinstance(error, FileNotFoundError)
        ):
            raise
        print(unreadable_as_json(error, options.config))
        raise SystemExit(_MISTAKE) from None
    with aside(options):
        findings = examine(cfg)
    if options.format == "json":
        print(report_as_json(findings, options.config))
    else:
        print(report_as_text(findings, options.config, colour=uses_colour()))
    if findings.errors:
        raise SystemExit(_MISTAKE)
    if options.build:
        with aside(options):
            said = build_and_step(cfg)
        print(said, file=sys.stderr if options.format == "json" else sys.stdout)


def build_and_step(cfg: Any) -> str:
    """Build the model and one batch, and run one training step on the CPU.

    Everything is written to a folder that is removed again; weights are not loaded, and nothing is
    sent to visualization services.

    Args:
        cfg: The config.

    Returns:
        What was built, in a few lines.

    Raises:
        Exception: Whatever building or the step raises, with notes on what was being built.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

    from mainspring.tools.trial import as_trial, with_workers

    with tempfile.TemporaryDirectory(prefix="mainspring-check-") as folder:
        cfg = as_trial(cfg, folder, load_from=None, visualizer=None, log_level="ERROR")
        for name in ("train_dataloader", "val_dataloader"):
            cfg[name] = with_workers(cfg.get(name), 0)
        return "\n".join(_trial(cfg))


def _trial(cfg: Any) -> Iterator[str]:
    from mainspring.runner import Runner
    from mainspring.structures.in_words import in_words

    runner = Runner.from_cfg(cfg)
    model: Any = runner.model.to("cpu")
    count = sum(parameter.numel() for parameter in model.parameters())
    yield f"model: {type(model).__name__} with {count:,} parameters"
    if cfg.get("train_dataloader") is None:
        yield "no training is described, so no step was tried"
        return
    batch = next(iter(runner.train_loop.dataloader))
    yield f"batch: {in_words(batch)}"
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.optim_wrapper.initialize_count_status(model, 0, 1)
    model.train()
    start = time.perf_counter()
    values = model.train_step(batch, optim_wrapper=runner.optim_wrapper)
    seconds = time.perf_counter() - start
    losses = ", ".join(f"{name} {_number(value):.4g}" for name, value in values.items())
    yield f"one training step on the CPU: {losses} ({seconds:.2f} s)"
    if runner.val_loop is not None:
        yield _validated(runner)


def _validated(runner: Any) -> str:
    """Take the first batch of each validation set through the metrics, whose names hooks watch.

    Raises:
        ConfigError: A hook or scheduler watches a metric that is not among them.
    """
    from mainspring.runner.building.misfits import say_misfits
    from mainspring.runner.failures.error_places import building

    runner.model.eval()
    for one in runner.val_loop.sets:
        one.dataloader = _FirstBatch(one.dataloader)
    runner.val_loop._enter(runner.val_loop.sets[0])
    hooks, runner._dispatch.hooks = runner.hooks, []  # no run has begun for them
    metrics = runner.val_loop.run()
    runner._dispatch.hooks = hooks
    with building(runner.cfg, "val_evaluator"):
        say_misfits(runner, set(metrics))
    return f"one validation batch: {', '.join(metrics) or 'no metric'}"


class _FirstBatch(list[Any]):
    """The first batch of a loader, as a loader."""

    def __init__(self, loader: Any) -> None:
        super().__init__([next(iter(loader))])
        self.dataset = loader.dataset


def _number(value: Any) -> float:
    return float(value.detach() if hasattr(value, "detach") else value)
