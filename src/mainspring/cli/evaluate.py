"""`mainspring val CONFIG CHECKPOINT` and `mainspring test`: evaluate a checkpoint."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import add_config_verb, load_config, require_checkpoint, telling_result
from mainspring.dist import is_main_process

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add both verbs to the command."""
    for mode, data in (("val", "validation"), ("test", "test")):
        parser = add_config_verb(
            verbs,
            mode,
            run,
            short=f"evaluate a checkpoint on the {data} data of a config",
            long=f"Evaluate a checkpoint on the {data} data of a config.",
            changes=f"changes, such as {mode}_dataloader.batch_size=8",
            checkpoint={"metavar": "CHECKPOINT", "help": "checkpoint to evaluate"},
        )
        add = parser.add_argument
        add("--out", metavar="FILE.pkl", help="also write the predictions to this file")
        parser.set_defaults(mode=mode, tta=False)
        if mode == "test":
            add("--tta", action="store_true", help="test with the config's augmentations")


def run(options: argparse.Namespace) -> None:
    """Evaluate; the metrics are said by the log, or are an object of JSON.

    Raises:
        ConfigError: The options contradict the config.
    """
    with telling_result(options) as told:
        metrics = _evaluate(options)
        if is_main_process():
            told.append(metrics)


def _evaluate(options: argparse.Namespace) -> Any:
    cfg = load_config(options, options.overrides)
    require_checkpoint("CHECKPOINT", options.checkpoint, cfg)
    cfg.load_from = options.checkpoint
    cfg.resume = False

    from mainspring.tools.trial import build_runner

    if options.tta:
        from mainspring.hooks import build_runner_with_tta

        runner = build_runner_with_tta(cfg)
    else:
        runner = build_runner(cfg)
    evaluate = getattr(runner, options.mode)
    if options.out:
        from mainspring.evaluator import DumpResults

        evaluator = getattr(runner, f"{options.mode}_evaluator")
        evaluator.metrics.append(DumpResults(out_file_path=options.out))
    return evaluate()  # the log tells the metrics
