"""What the verbs that run a config share: their options and how they change the config."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.dist import names_peers
from mainspring.errors import ConfigError
from mainspring.json_text import json_text

if TYPE_CHECKING:
    from mainspring.config import Config

__all__ = [
    "add_allow_option",
    "add_config_options",
    "add_format_option",
    "add_import_option",
    "aside",
    "import_registering",
    "load_config",
    "looks_like_override",
    "make_importable",
    "read_config",
    "refuse_overrides",
    "telling_result",
]

_WEIGHTS = (".pth", ".pt", ".safetensors")
_PATH = r"[^\W\d]\w*(\.\w+)*"
_OVERRIDE = re.compile(rf"~{_PATH}|\+?{_PATH}\+?=.*", re.DOTALL)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every verb that runs a config."""
    parser.add_argument("--work-dir", metavar="DIR", help="where checkpoints and logs go")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="changes to the config, as MMEngine's tools take them",
    )
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        help="how the processes of this run are started (default: as the config says)",
    )
    add_allow_option(parser)
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)


def add_format_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of every verb that prints what it found: JSON for programs."""
    parser.add_argument(
        "--format", choices=["text", "json"], default="text", help="for people or for programs"
    )


def aside(options: argparse.Namespace) -> AbstractContextManager[Any]:
    """A block in which, with ``--format json``, what the user's code prints goes to standard error.

    Args:
        options: The options of the verb.
    """
    is_json = getattr(options, "format", None) == "json"
    return redirect_stdout(sys.stderr) if is_json else nullcontext()


@contextmanager
def telling_result(options: argparse.Namespace) -> Iterator[list[Any]]:
    """With ``--format json``, what the block prints is for people, and goes to standard error.

    Args:
        options: The options of the verb.

    Yields:
        A list; what the block appends is printed as JSON in the end, however that comes about.
    """
    told: list[Any] = []
    try:
        with aside(options):
            yield told
    finally:
        for each in told if options.format == "json" else ():
            print(json_text(each, indent=2))


def add_allow_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of every verb that reads a config: packages that data may name and import."""
    parser.add_argument(
        "--allow",
        nargs="+",
        action=_Allow,
        default=[],
        metavar="PACKAGE",
        help="packages whose functions and classes YAML, JSON, TOML, dumps and changes may name, "
        "which custom_imports in them may import, and which pickled annotations may hold",
    )


class _Allow(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        from mainspring.names import allow_packages

        allow_packages(*values)
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), *values])


def looks_like_override(word: str) -> bool:
    """Whether a word of the command line changes the config, rather than naming a file."""
    return _OVERRIDE.fullmatch(word) is not None


def load_config(options: argparse.Namespace, overrides: Sequence[str]) -> Config:
    """Read the config and apply what the command line says.

    Args:
        options: The options of `add_config_options`, and ``config``.
        overrides: Changes, see `mainspring.config.Config.override`.

    Raises:
        ConfigError: The config cannot be read, or a change cannot be applied.
    """
    from mainspring.config.sweep import refuse_unchosen
    from mainspring.names import allow_packages

    allow_packages(*options.allow)
    if options.local_rank is not None:
        os.environ.setdefault("LOCAL_RANK", str(options.local_rank))
    if options.config.endswith(_WEIGHTS) and getattr(options, "checkpoint", None):
        raise ConfigError(
            f"{options.config!r} is no config",
            help=f"the config comes first: {options.checkpoint} {options.config}",
        )
    with aside(options):
        cfg = read_config(options.config, overrides)
    _merge_cfg_options(cfg, options.cfg_options)
    if options.launcher is not None:
        cfg.launcher = options.launcher
    elif names_peers() and cfg.get("launcher") in (None, "none"):
        cfg.launcher = "pytorch"
    if options.work_dir is not None:
        cfg.work_dir = options.work_dir
    elif cfg.get("work_dir") is None:
        name = Path(options.config).name.replace(":", "_").replace(".py", "")
        cfg.work_dir = str(Path("work_dirs") / Path(name).stem)
    refuse_unchosen(cfg)
    return cfg


def read_config(path: str, overrides: Sequence[str] = (), *, running: bool = True) -> Config:
    """Read a config whose modules lie in the working directory, beside it, or are installed.

    Args:
        path: The config file, perhaps with ``:function``.
        overrides: Changes, see `mainspring.config.Config.override`.
        running: False to look at it only: the modules of ``custom_imports`` are not imported.

    Raises:
        ConfigError: The config cannot be read, or a change cannot be applied.
    """
    from mainspring.config import Config

    make_importable(path)
    return Config.fromfile(path, import_custom_modules=running, overrides=overrides)


def refuse_overrides(options: argparse.Namespace, verb: str, help: str) -> None:  # noqa: A002
    """Refuse words that change a config, where a verb takes none.

    Args:
        options: The options of the verb.
        verb: What it is and takes.
        help: What to do instead.

    Raises:
        ConfigError: There are such words.
    """
    if options.overrides:
        raise ConfigError(f"{verb}, but got {options.overrides[0]!r}", help=help)


def import_registering(modules: Sequence[str]) -> None:
    """Import the modules of ``--import``, which register names.

    Raises:
        ConfigError: One cannot be imported.
    """
    from mainspring.names.imports import import_modules_from_strings

    for module in modules:
        try:
            import_modules_from_strings(module)
        except ImportError as error:
            raise ConfigError(f"--import {module}: {error}") from error


def add_import_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of verbs that look names up: modules that register them."""
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of yours that registers names; may be given several times",
    )


def _merge_cfg_options(cfg: Config, words: Sequence[str]) -> None:
    """``--cfg-options``, as MMEngine's tools take them: new keys are allowed."""
    from mainspring.config import DictAction

    changes: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is no change of the config", help="write key=value")
        changes[key] = DictAction.parse_value(value)
    if changes:
        cfg.merge_from_dict(changes)


def make_importable(path: str) -> None:
    """Let a config name modules of the working directory, and a program those that lie beside it.

    Args:
        path: The config file, perhaps with ``:function``. What lies beside a file of data may have
            come with it, so it is not imported.
    """
    file = path.rpartition(":")[0] if ":" in path and not os.path.exists(path) else path
    folders = [Path.cwd()]
    if file.endswith(".py") and not _is_dump(file):
        folders.append(Path(file).resolve().parent)
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)


def _is_dump(file: str) -> bool:
    from mainspring.config.parse import is_dump

    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return is_dump(opened.readline())
    except OSError:
        return False
