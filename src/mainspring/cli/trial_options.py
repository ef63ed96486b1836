"""What the verbs share that try a config out: how long, where, and for whom they print."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mainspring.cli.common import Run, add_config_verb, load_config
from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.names.packages import import_optional

__all__ = [
    "add_partial_option",
    "add_trial_parser",
    "count",
    "port",
    "require_folder",
    "require_picture",
    "require_writable",
    "trial_config",
    "use_device",
]

_PICTURES = (".png", ".svg", ".pdf", ".jpg")
"""How the names of drawn files may end."""
_HIGHEST_PORT = 65535


def add_trial_parser(
    verbs: Any, name: str, run: Run, *, short: str, long: str
) -> argparse.ArgumentParser:
    """Add a verb with the words and options of all these verbs; returns its parser.

    Args:
        verbs: What it is added to.
        name: Name of the verb.
        run: What it does.
        short: What it does, for the list of verbs.
        long: What it does, for its own help.
    """
    parser = add_config_verb(verbs, name, run, short=short, long=long)
    parser.add_argument(
        "--device", metavar="DEVICE", help="cpu, cuda or cuda:1 (default: the best there is)"
    )
    return parser


def add_partial_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that lets weights differ from the model to a verb's parser."""
    text = "take the weights that fit, where the checkpoint holds others than the model"
    parser.add_argument("--partial", action="store_true", help=text)


def trial_config(options: argparse.Namespace) -> Config:
    """The config that is tried, once the device is chosen.

    Args:
        options: The words of the command line.

    Raises:
        ConfigError: The config or the device has a mistake.
    """
    use_device(options.device)
    return load_config(options, options.overrides)


def count(word: str) -> int:
    """A whole number of at least one.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no whole number of at least 1")
    return int(word)


def port(word: str) -> int:
    """The number of a port.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    number = count(word)
    if number > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{word!r} is no port: they end at {_HIGHEST_PORT}")
    return number


def use_device(device: str | None) -> None:
    """Let this process see one device only.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``; ``None`` leaves everything visible.

    Raises:
        ConfigError: There is no such device.
    """
    if device is None:
        return
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if found is None:
        raise ConfigError(f"--device is {device!r}", help="give cpu, cuda or cuda:1")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return
    if found.group(1) is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = found.group(1)
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(f"--device is {device!r}, but there is no such CUDA device here")


def require_writable(
    option: str, path: str | None, *, ends: Sequence[str] = (), inputs: Sequence[str] = ()
) -> None:
    """See, before anything runs, that a file can be written in the end.

    Args:
        option: The option that names it.
        path: The file; ``None`` for none.
        ends: How its name may end; anyhow by default.
        inputs: Files that are read, which it must not replace.

    Raises:
        ConfigError: It cannot.
    """
    if path is None:
        return
    file = Path(path).absolute()
    if file.is_dir():
        raise ConfigError(f"{option} is {path!r}, which is a directory", help="give a file in it")
    if ends and not file.name.endswith(tuple(ends)):
        raise ConfigError(f"{option} is {path!r}", help=f"end it in {' or '.join(ends)}")
    if any(os.path.exists(given) and file.exists() and file.samefile(given) for given in inputs):
        raise ConfigError(f"{option} is {path!r}, which is read", help="give another file")
    if not file.parent.is_dir():
        raise ConfigError(
            f"{option} is {path!r}, but its directory does not exist",
            help="create it, or give another file",
        )
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ConfigError(f"{option} is {path!r}, where nothing can be written")


def require_picture(option: str, path: str | None) -> None:
    """See, before anything runs, that matplotlib can write a picture in the end.

    Args:
        option: The option that names it.
        path: The file; ``None`` for none.

    Raises:
        ConfigError: It cannot, or is not installed.
    """
    require_writable(option, path, ends=_PICTURES)
    if path is not None:
        import_optional("matplotlib", option, "mainspring[draw]")


def require_folder(option: str, path: str | None) -> None:
    """See, before anything runs, that a folder is there or can be made.

    Args:
        option: The option that names it.
        path: The folder; ``None`` for none.

    Raises:
        ConfigError: It cannot.
    """
    if path is None:
        return
    if not path:
        raise ConfigError(f"{option} is empty", help="give a folder")
    folder = Path(path).absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        raise ConfigError(
            f"{option} is {path!r}, but {os.path.relpath(there)!r} is a file", help="give a folder"
        )
    if not os.access(there, os.W_OK):
        raise ConfigError(f"{option} is {path!r}, where nothing can be written")
