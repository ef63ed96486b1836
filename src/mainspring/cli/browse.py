"""`mainspring browse CONFIG`: training samples as the model gets them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mainspring.cli.common import tell
from mainspring.cli.trial_options import add_trial_parser, count, require_writable, trial_config
from mainspring.errors import ConfigError

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "browse",
        run,
        short="show training samples as the model gets them",
        long="Show the first training samples after augmentation, collating and the data "
        "preprocessor: images in a picture or page, texts and values as a table. Nothing is "
        "trained, and nothing is written to the work directory.",
    )
    add = parser.add_argument
    add("--samples", type=count, default=16, metavar="N", help="how many to show (16)")
    text = "where images go: .png or .html (default: browse.png); texts and values are printed, "
    add("-o", "--out", metavar="FILE", help=f"{text}and go to an .html as well")


def run(options: argparse.Namespace) -> None:
    """Show the samples.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    out = options.out
    require_writable("--out", out, ends=[".png", ".html"])
    cfg = trial_config(options)

    from mainspring.tools.preview import first_batches, write_grid, write_page

    found = first_batches(cfg, options.samples)
    tell(options, found, "\n".join(found.lines()))
    if out is None and found.has_images and options.format == "text":
        out = "browse.png"
    if out is None:
        return
    if out.endswith(".html"):
        write_page(found, out, f"Samples of {Path(options.config).name}")
    elif found.has_images:
        write_grid(found, out)
    else:
        raise ConfigError(
            f"--out is {out!r}, but the samples are no images",
            help="give an .html, or leave it out",
        )
    if options.format == "text":
        print(f"\n{len(found.samples)} samples in {out}")
