"""`mainspring test CONFIG CHECKPOINT`: evaluate a checkpoint on the test data."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import add_config_options, load_config

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "test",
        help="evaluate a checkpoint on the test data of a config",
        description="Evaluate a checkpoint on the test data of a config.",
    )
    parser.add_argument("config", metavar="CONFIG", help="config file: .py, .yaml or .json")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="checkpoint to evaluate")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="changes, such as test_dataloader.batch_size=8",
    )
    add_config_options(parser)
    parser.add_argument("--out", metavar="FILE.pkl", help="also write the predictions to this file")
    parser.add_argument("--tta", action="store_true", help="test with the config's augmentations")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Test.

    Raises:
        ConfigError: The options contradict the config.
    """
    cfg = load_config(options, options.overrides)
    cfg.load_from = options.checkpoint
    cfg.resume = False

    from mainspring.registry import RUNNERS
    from mainspring.runner import Runner

    if options.tta:
        from mainspring.hooks import build_runner_with_tta

        runner = build_runner_with_tta(cfg)
    else:
        runner = RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)
    if options.out:
        from mainspring.evaluator import DumpResults

        runner.test_evaluator.metrics.append(DumpResults(out_file_path=options.out))
    metrics = runner.test()
    for name, value in metrics.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
