"""What verbs share: their words and options, the config that these give, and how they answer."""

from __future__ import annotations

import argparse
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stdout,
    suppress,
)
from functools import partial
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.dist import names_peers
from mainspring.errors import ConfigError, did_you_mean
from mainspring.json_text import json_text

if TYPE_CHECKING:
    from mainspring.config import Config

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "add_allow_option",
    "add_config_options",
    "add_config_verb",
    "add_format_option",
    "add_import_option",
    "add_verb",
    "aside",
    "import_registering",
    "load_config",
    "looks_like_override",
    "make_importable",
    "default_work_dir",
    "read_config",
    "refuse_missing_packages",
    "set_by_option",
    "tell",
    "telling_result",
]

CONFIG: Mapping[str, Any] = {"metavar": "CONFIG", "help": "config file: .py, .yaml or .json"}
CHECKPOINT: Mapping[str, Any] = {"metavar": "CHECKPOINT", "help": "the weights"}

Run = Callable[[argparse.Namespace], None]
"""Does what a verb does, with its options."""

_WEIGHTS = (".pth", ".pt", ".safetensors")
_PATH = r"[^\W\d]\w*(\.\w+)*"
_OVERRIDE = re.compile(rf"~{_PATH}|\+?{_PATH}\+?=.*", re.DOTALL)


def add_verb(
    verbs: Any,
    name: str,
    run: Run,
    *,
    short: str,
    long: str,
    changes: str | None = None,
    refusal: tuple[str, str | None] | None = None,
    has_format: bool = True,
    **words: Any,
) -> argparse.ArgumentParser:
    """Add a verb to the command.

    Args:
        verbs: What it is added to.
        name: Its name.
        run: What it does.
        short: The same in words, for the list of verbs.
        long: The same, for its own help.
        changes: What the help says of words that change the config; without it there are none.
        refusal: For a verb that takes no such words, the error of one, and what to do instead.
        has_format: Whether it prints JSON for programs, if asked for.
        **words: Its other words by name, each as `argparse` takes it.

    Returns:
        Its parser.
    """
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=short, description=long)
    parser.set_defaults(run=run if refusal is None else partial(_refusing, run, *refusal))
    for word, settings in words.items():
        parser.add_argument(word, **settings)
    if changes is None:
        parser.set_defaults(overrides=[])
    else:
        parser.add_argument("overrides", nargs="*", default=None, metavar="key=value", help=changes)
    if has_format:
        add_format_option(parser)
    return parser


def _refusing(run: Run, message: str, advice: str | None, options: argparse.Namespace) -> None:
    if options.overrides:
        raise ConfigError(message.format(options.overrides[0]), help=advice)
    run(options)


def add_config_verb(
    verbs: Any,
    name: str,
    run: Run,
    *,
    short: str,
    long: str,
    changes: str = "changes of the config",
    **words: Any,
) -> argparse.ArgumentParser:
    """Add a verb that runs a config.

    Args:
        verbs: As for `add_verb`, as all others.
        name: The same.
        run: The same.
        short: The same.
        long: The same.
        changes: The same.
        **words: The same, after the config.

    Returns:
        Its parser.
    """
    parser = add_verb(
        verbs, name, run, short=short, long=long, changes=changes, config=CONFIG, **words
    )
    add_config_options(parser)
    return parser


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
    text = "how the processes of this run are started (default: as the config says)"
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], help=text)
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


def tell(options: argparse.Namespace, found: Any, text: str, indent: int | None = 2) -> None:
    """Print what was found: as JSON, or as text.

    Args:
        options: The options of the verb.
        found: What was found, as `json_text` takes it.
        text: The same for people.
        indent: Spaces for each level of the JSON; ``None`` for one line.
    """
    print(json_text(found, indent) if options.format == "json" else text)


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


def refuse_missing_packages(allowed: Sequence[str], words: Sequence[str]) -> None:
    """Refuse packages of ``--allow`` that are not there, neither installed nor beside a config.

    Args:
        allowed: The packages.
        words: All words of the command line, configs among them.

    Raises:
        ConfigError: There is no such package.
    """
    folders = [os.getcwd(), *(os.path.dirname(word) for word in words)]
    for root in (name.partition(".")[0] for name in allowed):
        with suppress(ImportError, ValueError):
            if find_spec(root) or PathFinder.find_spec(root, folders):
                continue
        raise ConfigError(
            f"--allow {root}: there is no package of this name",
            help=did_you_mean(root, (module.name for module in pkgutil.iter_modules())),
        )


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
        set_by_option(cfg, "work_dir", options.work_dir, f"--work-dir {options.work_dir}")
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(default_work_dir(options.config))
    refuse_unchosen(cfg)
    return cfg


def set_by_option(cfg: Config, name: str, value: str, words: str) -> None:
    """Give a section what an option says, whose words are then its place.

    Args:
        cfg: The config.
        name: The section.
        value: What it gets.
        words: The option, as it was typed.
    """
    from mainspring.config.provenance.marks import Spot
    from mainspring.config.provenance.places import note_change

    cfg[name] = value
    spot = Spot(None, is_change=True, word=f"command line: {words}", value=value)
    note_change(cfg._cfg_dict, [name], spot, "set")


def default_work_dir(config: str) -> Path:
    """Where a run goes whose config does not say it.

    Args:
        config: The config file, perhaps with ``:function``.
    """
    name = Path(config).name.replace(":", "_").replace(".py", "")
    return Path("work_dirs") / Path(name).stem


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
    from mainspring.config.override import DictAction, Override, say_replaced

    changes: list[Override] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is no change of the config", help="write key=value")
        changes.append(Override(word, "set", key, DictAction.parse_value(value)))
    say_replaced(changes)
    if changes:
        cfg.merge_from_dict({change.path: change.value for change in changes})


def make_importable(path: str) -> None:
    """Let a config name modules of the working directory, and a program those that lie beside it.

    Args:
        path: The config file, perhaps with ``:function``. What lies beside a file of data may have
            come with it, so it is not imported.
    """
    from mainspring.config.printing.parse import is_dump

    file = path.rpartition(":")[0] if ":" in path and not os.path.exists(path) else path
    is_program = file.endswith(".py")
    if is_program:
        with suppress(OSError), open(file, encoding="utf-8", errors="replace") as opened:
            is_program = not is_dump(opened.readline())
    folders = [Path.cwd(), Path(file).resolve().parent] if is_program else [Path.cwd()]
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)
