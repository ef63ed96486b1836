"""`mainspring eject CONFIG --out train.py`: the training as one script of plain PyTorch."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mainspring.cli.common import add_config_verb, load_config
from mainspring.cli.trial_options import count, require_writable
from mainspring.errors import ConfigError
from mainspring.json_text import json_text
from mainspring.replacing import replacing

__all__ = ["add_parser", "run"]

_DIFFERENT = 1


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_config_verb(
        verbs,
        "eject",
        run,
        short="write the training as one script of plain PyTorch",
        long="Write the training as one script of plain PyTorch, whose losses and weights "
        "are equal in every bit: to read, to debug, to leave. Model and data are imported from "
        "their own modules. What cannot be ejected is named and refused.",
    )
    add = parser.add_argument
    add("-o", "--out", metavar="FILE.py", help="the script (default: printed)")
    add("--force", action="store_true", help="replace FILE.py if it is there")
    add("--partial", action="store_true", help="leave out what cannot be ejected, and say so in it")
    text = "run N iterations of both and compare; the exit code is 1 if anything differs"
    add("--verify", type=count, metavar="N", help=text)


def run(options: argparse.Namespace) -> None:
    """Write the script.

    Raises:
        ConfigError: The config has a mistake, or a part that cannot be ejected.
        SystemExit: Something differs; the code is 1.
    """
    require_writable("--out", options.out, inputs=[options.config])
    if options.out and not options.force and os.path.lexists(options.out):
        raise ConfigError(f"{options.out} is there already", help="--force replaces it")
    cfg = load_config(options, options.overrides)

    from mainspring.tools.eject import compare
    from mainspring.tools.eject.comparison import run_script
    from mainspring.tools.eject.eject import eject

    notes = sys.stdout if options.out else sys.stderr
    with tempfile.TemporaryDirectory(prefix="mainspring-eject-") as scratch:
        folder = Path(scratch)
        target = Path(options.out) if options.out else Path("train.py")
        with redirect_stdout(sys.stderr):
            parts, text = eject(
                cfg, options.config, target, str(folder / "run"), partial=options.partial
            )
        if options.out:
            with replacing(target) as file:
                file.write(text.encode())
        elif options.format == "text":
            print(text, end="")
        left_out = [parts.in_words(part) for part in (*parts.left_out, *parts.unused)]
        if options.format == "text":
            for words in left_out:
                print(f"not in the script: {words}", file=notes)
        found = None
        if options.verify:
            script = target if options.out else folder / "train.py"
            if not options.out:
                script.write_text(text, encoding="utf-8")
            # How a run went that was ended on purpose is nothing to tell.
            with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
                found = compare(
                    parts, script, options.verify, lambda path, n: run_script(path, n, folder)
                )
    if options.format == "json":
        told = {"file": options.out, "script": text, "left_out": left_out, "verified": found}
        print(json_text(told))
    elif found is not None:
        print(found, file=notes)
    if found is not None and not found.is_equal:
        raise SystemExit(_DIFFERENT)
