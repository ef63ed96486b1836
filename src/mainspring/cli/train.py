"""`mainspring train CONFIG`: train what a config describes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mainspring.cli.common import (
    add_config_verb,
    load_config,
    looks_like_override,
    require_checkpoint,
    telling_result,
)
from mainspring.cli.trial_options import use_device
from mainspring.dist import is_main_process, names_peers
from mainspring.errors import ConfigError

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_config_verb(
        verbs,
        "train",
        run,
        short="train what a config describes",
        long="Train what a config describes; validate, log and save on the way.",
        changes="changes, such as train_cfg.max_epochs=5",
    )
    add = parser.add_argument
    text = "continue the newest checkpoint of the work directory, or the one at PATH"
    add("--resume", nargs="?", const="auto", metavar="PATH", help=text)
    text = "with --resume: settings that count as they are now, not as in the checkpoint: lr, "
    text += "weight_decay, ..., schedule, optimizer"
    add("--anew", nargs="+", metavar="NAME", help=text)
    add("--amp", action="store_true", help="train with automatic mixed precision")
    add("--auto-scale-lr", action="store_true", help="scale the learning rate by the batch size")
    add("--device", metavar="DEVICE", help="cpu, cuda or cuda:1 (default: the best there is)")
    text = "leave no curves.png and report.html in the work directory"
    add("--no-report", action="store_true", help=text)


def run(options: argparse.Namespace) -> None:
    """Train; the log says how it goes, and an object of JSON, if asked for, how it went.

    Raises:
        ConfigError: The options contradict the config.
    """
    with telling_result(options) as told:
        runner = _runner(options)
        try:
            runner.train()
        finally:
            if is_main_process() and options.format == "json":
                from mainspring.tools.runs import summarize

                told.append(summarize(Path(runner.work_dir)).as_json())


def _runner(options: argparse.Namespace) -> Any:
    use_device(options.device)
    overrides = list(options.overrides)
    if options.resume and options.resume != "auto" and looks_like_override(options.resume):
        overrides.append(options.resume)
        options.resume = "auto"
    overrides += [word for word in options.anew or [] if looks_like_override(word)]
    cfg = load_config(options, overrides)
    if options.amp:
        _use_mixed_precision(cfg)
    if options.auto_scale_lr:
        section = cfg.get("auto_scale_lr")
        if section is None or "base_batch_size" not in section:
            raise ConfigError(
                "--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config",
                config_path="auto_scale_lr",
            )
        section["enable"] = True
    weights = cfg.get("load_from") if options.resume == "auto" and not cfg.get("resume") else None
    if options.resume:
        require_checkpoint("--resume", options.resume, cfg)
        cfg.resume = True
        cfg.load_from = None if options.resume == "auto" else options.resume
    if options.anew:
        if not (options.resume or cfg.get("resume")):
            raise ConfigError(
                "--anew is for runs that go on from a checkpoint", help="add --resume"
            )
        cfg.anew = [word for word in options.anew if not looks_like_override(word)]

    from mainspring.tools.trial import build_runner

    runner = build_runner(cfg)
    runner.weights_to_begin_with = weights
    if not options.no_report:
        from mainspring.hooks import ReportHook

        hooks = getattr(runner, "hooks", None)
        if hooks is not None and not any(isinstance(hook, ReportHook) for hook in hooks):
            runner.register_hook(ReportHook())
    runner.invocation = _invocation(options)
    return runner


def _invocation(options: argparse.Namespace) -> Any:
    """The command, from which others that concern this run are made."""
    from mainspring.runner.console.ending import Invocation

    if names_peers():  # the words of their launcher are not known here
        return None
    words: list[str] = []
    for name in ("work_dir", "launcher", "device", "amp", "auto_scale_lr", "cfg_options", "allow"):
        if given := getattr(options, name):
            words.append(f"--{name.replace('_', '-')}")
            words += given if isinstance(given, list) else [] if given is True else [given]
    return Invocation(options.config, options.overrides, words)


def _use_mixed_precision(cfg: Any) -> None:
    from torch.optim import Optimizer

    from mainspring.optim import AmpOptimWrapper, OptimWrapper

    if cfg.get("optim_wrapper") is None:
        raise ConfigError("--amp needs an optim_wrapper in the config")
    wrapper = cfg.optim_wrapper
    several = not {"type", "optimizer"} & set(wrapper)
    for path, part in wrapper.items() if several else [("", wrapper)]:
        kind = part.get("type", OptimWrapper)
        if isinstance(kind, type) and issubclass(kind, Optimizer):
            cfg.optim_wrapper = dict(type=AmpOptimWrapper, optimizer=part)
        elif kind in (OptimWrapper, AmpOptimWrapper, "OptimWrapper", "AmpOptimWrapper"):
            part["type"] = AmpOptimWrapper
        else:
            name = getattr(kind, "__name__", kind)
            raise ConfigError(
                f"--amp replaces OptimWrapper, but the config uses {name}",
                config_path=".".join(filter(None, ("optim_wrapper", path, "type"))),
                help="set up mixed precision in the config instead",
            )
