"""`mainspring train CONFIG`: train what a config describes."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import add_config_options, load_config, looks_like_override
from mainspring.errors import ConfigError

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "train",
        help="train what a config describes",
        description="Train what a config describes; validate, log and save on the way.",
    )
    parser.add_argument("config", metavar="CONFIG", help="config file: .py, .yaml or .json")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="key=value",
        help="changes, such as train_cfg.max_epochs=5",
    )
    add_config_options(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH",
        help="continue the newest checkpoint of the work directory, or the one at PATH",
    )
    parser.add_argument("--amp", action="store_true", help="train with automatic mixed precision")
    parser.add_argument(
        "--auto-scale-lr", action="store_true", help="scale the learning rate by the batch size"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Train.

    Raises:
        ConfigError: The options contradict the config.
    """
    overrides = list(options.overrides)
    if options.resume and options.resume != "auto" and looks_like_override(options.resume):
        overrides.append(options.resume)
        options.resume = "auto"
    cfg = load_config(options, overrides)
    if options.amp:
        _use_mixed_precision(cfg)
    if options.auto_scale_lr:
        _enable_lr_scaling(cfg)
    if options.resume:
        cfg.resume = True
        cfg.load_from = None if options.resume == "auto" else options.resume

    from mainspring.registry import RUNNERS
    from mainspring.runner import Runner

    runner = RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)
    runner.train()


def _use_mixed_precision(cfg: Any) -> None:
    wrapper = cfg.get("optim_wrapper")
    if wrapper is None:
        raise ConfigError("--amp needs an optim_wrapper in the config")
    kind = wrapper.get("type", "OptimWrapper")
    if kind not in ("OptimWrapper", "AmpOptimWrapper"):
        raise ConfigError(
            f"--amp replaces OptimWrapper, but the config uses {kind!r}",
            config_path="optim_wrapper.type",
            help="set up mixed precision in the config instead",
        )
    wrapper["type"] = "AmpOptimWrapper"
    wrapper.setdefault("loss_scale", "dynamic")


def _enable_lr_scaling(cfg: Any) -> None:
    section = cfg.get("auto_scale_lr")
    if section is None or "base_batch_size" not in section:
        raise ConfigError(
            "--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config",
            config_path="auto_scale_lr",
        )
    section["enable"] = True
