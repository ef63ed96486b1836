"""`mainspring predict CONFIG CHECKPOINT INPUT ...`: what the model makes of inputs."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from typing import Any

from mainspring.cli.common import (
    CHECKPOINT,
    CONFIG,
    add_config_options,
    add_verb,
    load_config,
    looks_like_override,
)
from mainspring.cli.trial_options import add_partial_option, count, require_folder, use_device
from mainspring.errors import ConfigError
from mainspring.json_text import json_text

__all__ = ["add_parser", "run"]

_SOME_FAILED = 1


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "predict",
        run,
        short="predict for files, folders, or lines of text",
        long="Predict for files, folders, patterns, and lines of text or JSON. What cannot "
        "be read is said and left out; the exit code is then 1.",
        has_format=False,
        config=CONFIG,
        checkpoint=CHECKPOINT,
    )
    add = parser.add_argument
    text = "files, folders, patterns in quotes; - for lines of standard input; key=value changes "
    add("inputs", nargs="+", metavar="INPUT", help=f"{text}the config")
    add_config_options(parser)
    add("-o", "--out", metavar="DIR", help="write tables, arrays and drawn images into this folder")
    add_partial_option(parser)
    add("--batch-size", type=count, default=1, metavar="N", help="inputs at a time (1)")
    add("--format", choices=["text", "json", "csv"], default="text", help="what is printed")
    add("--device", metavar="DEVICE", help="cpu, cuda or cuda:1")


def run(options: argparse.Namespace) -> None:
    """Predict, and print a row for each input.

    Raises:
        ConfigError: The config or an option has a mistake.
        SystemExit: An input could not be read; the code is 1.
    """
    words = [word for word in options.inputs if not looks_like_override(word)]
    changes = [*options.overrides, *filter(looks_like_override, options.inputs)]
    require_folder("--out", options.out)
    use_device(options.device)
    printed = sys.stdout
    failed = 0
    with redirect_stdout(sys.stderr):  # what else is said must not stand between the rows
        cfg = load_config(options, changes)

        from mainspring.tools.predict import Output, Predictor, Unreadable, inputs_of
        from mainspring.tools.predict.output import write_csv

        inputs = inputs_of(words, sys.stdin)
        predictor = Predictor(cfg, options.checkpoint, partial=options.partial)
        output = Output(predictor, options.out)
        given_any = False
        for given, _, prediction in predictor.predict(inputs, options.batch_size):
            given_any = True
            if isinstance(prediction, Unreadable):
                failed += 1
                error = prediction.error
                print(f"{given.name}: cannot be read: {type(error).__name__}: {error}")
                continue
            row = output.add(given, prediction)
            if options.format != "csv":
                cells = [f"{name}={_short(it)}" for name, it in row.items() if name != "input"]
                text = "  ".join([row["input"], *cells])
                print(
                    json_text(row) if options.format == "json" else text, file=printed, flush=True
                )
        if not given_any:
            raise ConfigError(
                f"there is nothing to predict for: no line is in {', '.join(words)}",
                help="- reads the lines of standard input",
            )
        if options.format == "csv":
            write_csv(output.rows, printed)
        for path in output.write():
            print(path)
        if failed:
            print(f"{len(output.rows)} predicted, {failed} could not be read")
    if failed:
        raise SystemExit(_SOME_FAILED)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return str(value)
