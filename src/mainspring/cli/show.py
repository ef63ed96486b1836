"""`mainspring show CONFIG [KEY]`: the resolved config, and where its values come from."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import (
    add_allow_option,
    add_verb,
    aside,
    looks_like_override,
    read_config,
)
from mainspring.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from mainspring.config import Config

__all__ = ["add_parser", "config_of_checkpoint", "is_checkpoint", "run"]

_CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin")
_DESCRIPTION = """\
Print a config as it is after its bases and the changes of the command line, or explain one KEY of
it: its value, the lines that set it, and what its class says about it. Of a checkpoint, print the
config that it was made with."""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "show",
        run,
        short="print a config, and where its values come from",
        long=_DESCRIPTION,
        has_format=False,
        config={"metavar": "CONFIG", "help": "config file, or a checkpoint: .pth"},
    )
    add = parser.add_argument
    text = "the part to explain, such as model.backbone; changes, such as epochs=5"
    add("overrides", nargs="*", default=[], metavar="KEY or key=value", help=text)
    add("--origin", action="store_true", help="print the lines that set each value")
    add("--format", choices=["py", "json", "yaml"], help="the format to print (default: py)")
    add_allow_option(parser)


def run(options: argparse.Namespace) -> None:
    """Print a config, or a part of it.

    Raises:
        ConfigError: The config cannot be read, the key does not exist, or the options contradict
            each other.
    """
    keys = [word for word in options.overrides if not looks_like_override(word)]
    changes = [word for word in options.overrides if looks_like_override(word)]
    if len(keys) > 1:
        raise ConfigError(
            f"show explains one key, but got {len(keys)}: {', '.join(keys)}",
            help="changes are written key=value",
        )
    key = keys[0] if keys else None
    if options.format is not None and (key is not None or options.origin):
        what = "KEY" if key is not None else "--origin"
        raise ConfigError("--format is for the whole config", help=f"leave out {what}, or --format")
    if is_checkpoint(options.config):
        if keys or changes or options.origin or options.format not in (None, "py"):
            raise ConfigError(
                "the config of a checkpoint is only printed, as it was saved",
                help=f"mainspring show {options.config} > config.py, then show config.py",
            )
        _print_code(config_of_checkpoint(options.config))
        return
    from mainspring.config.config_dict import keeping_lazy

    with aside(options):
        cfg = read_config(options.config, changes, running=False)
    if options.origin:
        _print_origins(cfg, key)
    elif key is not None:
        from mainspring.cli.explain import explain_key

        print(explain_key(cfg, key))
    elif options.format in ("json", "yaml"):
        from mainspring.config.printing.dump import dump_data

        with keeping_lazy():
            text = dump_data(cfg._own_values(), f".{options.format}")
        print(text.rstrip("\n"))
    else:
        with keeping_lazy():
            text = cfg.pretty_text
        _print_code(text)


def is_checkpoint(path: str) -> bool:
    """Whether a path is that of a checkpoint, by its extension."""
    return os.path.splitext(path)[1] in _CHECKPOINTS


def config_of_checkpoint(path: str) -> str:
    """The text of the config that a checkpoint was made with. Nothing of the file is executed.

    Args:
        path: The checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is no checkpoint, or has no config.
    """
    from mainspring.checkpoint import load_file

    checkpoint = load_file(path, map_location="cpu")
    meta = checkpoint.get("meta") if isinstance(checkpoint, dict) else None
    text = meta.get("cfg") if isinstance(meta, dict) else None
    if not isinstance(text, str):
        raise CheckpointError(
            f"{path} has no config: there is no meta['cfg'] in it",
            help="checkpoints that the runner saves have one",
        )
    return text


def _print_code(text: str) -> None:
    from mainspring.cli.printing import highlight

    print(highlight(text if text.endswith("\n") else f"{text}\n"), end="")


def _print_origins(cfg: Config, key: str | None) -> None:
    from mainspring.cli.explain import part_of
    from mainspring.cli.printing import in_one_line, origin_lines, paint
    from mainspring.config.provenance.history import leaves, origins

    if key is not None:
        part_of(cfg, key)
    for path, value in leaves(cfg):
        if key is None or path == key or path.startswith(f"{key}."):
            print(f"{paint(path, 'key')} = {in_one_line(value, 200)}")
            for line in origin_lines(origins(cfg, path), value):
                print(f"    {line}")
