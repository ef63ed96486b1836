"""`mainspring verify CONFIG`: prove on this config what holds, in a scratch folder."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import aside, load_config, looks_like_override
from mainspring.cli.trial_options import add_trial_parser, count, use_device
from mainspring.errors import ConfigError, LoopError
from mainspring.json_text import json_text

if TYPE_CHECKING:
    from mainspring.tools.verify import Finding

__all__ = ["add_parser", "run"]

_BROKEN = 1
_PASSED_ON = ("config", "overrides", "cfg_options", "allow")


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "verify",
        run,
        short="prove what holds for a config: repeatable, resumable, and so on",
        long="Train a few iterations several times, in processes of their own, and compare: the "
        "same seed twice, killed and resumed, saved and loaded, with and without workers, with "
        "accumulated gradients, on two ranks. Nothing is written to the work directory. The exit "
        "code is 1 if something is broken.",
    )
    add = parser.add_argument
    add("--iterations", type=count, default=12, metavar="N", help="length of the trainings (12)")
    text = "same-seed, kill-and-resume, save-and-load, workers, accumulation, ranks"
    add("--only", nargs="+", action="extend", default=[], metavar="CHECK", help=text)
    text = "after which a trial counts as hanging and the check as broken (1800)"
    add("--timeout", type=count, default=1800, metavar="SECONDS", help=text)
    add("--keep", metavar="DIR", help="keep what the trials write in this folder")


def run(options: argparse.Namespace) -> None:
    """Verify, and print what holds.

    Raises:
        ConfigError: The config or an option has a mistake, or the training fails by itself.
        SystemExit: Something is broken; the code is 1.
    """
    options.overrides = [*options.overrides, *filter(looks_like_override, options.only)]
    only = [word for word in options.only if not looks_like_override(word)]
    folder = None if options.keep is None else Path(options.keep).absolute()
    if folder is not None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                f"--keep is {options.keep!r}, which is not empty", help="give a new folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
    use_device(options.device)
    cfg = load_config(options, options.overrides)
    if cfg.get("train_cfg") is None:
        raise LoopError.of("train")
    request = {name: getattr(options, name) for name in _PASSED_ON}

    from mainspring.tools.verify import Trials, chosen_checks, finding_details, finding_line, verify

    def report(finding: Finding) -> None:
        print(finding_line(finding), flush=True)

    chosen_checks(only)
    with ExitStack() as stack:
        if folder is None:
            scratch = tempfile.TemporaryDirectory(
                prefix="mainspring-verify-", ignore_cleanup_errors=True
            )
            folder = Path(stack.enter_context(scratch))
        trials = stack.enter_context(
            Trials([sys.executable, "-m", "mainspring.cli.verify"], options.timeout)
        )
        with aside(options):  # the trials' processes start meanwhile
            from mainspring.runner.building.quick_check import refuse_mistakes

            refuse_mistakes(cfg)
        findings = verify(
            trials,
            folder,
            request,
            iterations=options.iterations,
            only=only,
            report=report if options.format == "text" else None,
        )
    broken = [finding for finding in findings if finding.outcome == "broken"]
    if options.format == "json":
        told = {"config": options.config, "holds": not broken, "checks": findings}
        print(json_text(told, indent=2))
    else:
        for finding in broken:
            print(f"\n{finding_details(finding)}")
    if broken:
        raise SystemExit(_BROKEN)


def _read(request: Mapping[str, Any]) -> Any:
    """The config of a trial, read anew with the changes of the command line."""
    options = argparse.Namespace(**request, work_dir=None, launcher=None, local_rank=None)
    return load_config(options, options.overrides)


if __name__ == "__main__":
    from mainspring.tools.verify.host import serve

    serve(_read)
