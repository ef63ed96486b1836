"""`Config`: a config file as an object."""

from __future__ import annotations

import argparse
import copy
import difflib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mainspring.config.argparser import add_args
from mainspring.config.config_dict import ConfigDict
from mainspring.config.custom_imports import import_modules_of
from mainspring.config.load import load_source
from mainspring.config.merge import leaf_paths, merge, nest
from mainspring.config.override import (
    DictAction,
    Override,
    apply_overrides,
    check_not_resolved,
    parse_override,
    say_replaced,
)
from mainspring.config.printing.dump import dump_data, format_config
from mainspring.config.printing.sharing import with_sharing_said
from mainspring.config.provenance.marks import Spot
from mainspring.config.provenance.places import Places, keys_of, locate, note_change
from mainspring.config.source import LoadedConfig, ReadOptions, Source, check_format
from mainspring.config.words import read_base
from mainspring.errors import ConfigKeyError, ConfigTypeError, Location
from mainspring.output import is_terminal
from mainspring.replacing import replacing

__all__ = ["RESERVED_KEYS", "Config", "ConfigDict", "DictAction", "add_args", "read_base"]

RESERVED_KEYS = ("filename", "text", "pretty_text", "env_variables")
"""Names that a config cannot have as keys, because they are attributes of `Config`."""

_STATE = (
    *("_cfg_dict", "_filename", "_text", "_env_variables", "_format_python_code"),
    "_imported_names",
)
"""The attributes of a config that MMEngine pickles, in its order."""

_OURS = ("_changed", "_overrides", "_sources", "__dict__", "__weakref__")
_SLOTS = frozenset((*_STATE, *_OURS))


class Config:
    """The description of a run: a nested dict with the file that it comes from.

    Items are attributes, too: ``cfg.model.depth`` is ``cfg["model"]["depth"]``. Everything that a
    dict can do is forwarded to the `ConfigDict` inside.

    Args:
        cfg_dict: The values; ``None`` for none.
        cfg_text: Text of the file; read from ``filename`` when that is given and this is not.
        filename: The file that it comes from.
        env_variables: Environment variables that the file asked for.
        format_python_code: Kept for compatibility; printing is always formatted.

    Raises:
        TypeError: If ``cfg_dict`` is no dict.
        KeyError: If it has one of `RESERVED_KEYS`.

    Example:
        >>> cfg = Config(dict(epochs=3, model=dict(type="Net", depth=50)))
        >>> cfg.override(["model.depth=101"])
        >>> print(cfg.pretty_text, end="")
        epochs = 3
        model = dict(type='Net', depth=101)
    """

    __slots__ = _OURS  # the rest, `vars`, is what MMEngine has and pickles

    _cfg_dict: ConfigDict
    _filename: str | None
    _text: str
    _env_variables: dict[str, Any]
    _format_python_code: bool
    _imported_names: set[str]
    _sources: tuple[Source, ...]
    _changed: tuple[str, ...]
    _overrides: tuple[Override, ...]

    def __init__(
        self,
        cfg_dict: Mapping[str, Any] | None = None,
        cfg_text: str | None = None,
        filename: str | Path | None = None,
        env_variables: dict[str, Any] | None = None,
        format_python_code: bool = True,
    ) -> None:
        values = {} if cfg_dict is None else cfg_dict
        if not isinstance(values, dict):
            raise ConfigTypeError(f"cfg_dict must be a dict, but got {type(values)}: {values!r}")
        for key in RESERVED_KEYS:
            if dict.__contains__(values, key):
                raise ConfigKeyError(
                    f"{key} is reserved for config file",
                    config_path=key,
                    help="give the key another name",
                )
        if cfg_text is None:
            cfg_text = Path(filename).read_text(encoding="utf-8") if filename else ""
        held = values if isinstance(values, ConfigDict) else ConfigDict(values)
        name = str(filename) if filename is not None else None
        variables = {} if env_variables is None else env_variables
        self.__setstate__((held, name, cfg_text, variables, format_python_code, set()))

    @staticmethod
    def fromfile(
        filename: str | Path,
        use_predefined_variables: bool = True,
        import_custom_modules: bool = True,
        use_environment_variables: bool = True,
        lazy_import: bool | None = None,
        format_python_code: bool = True,
        *,
        overrides: Sequence[str] = (),
    ) -> Config:
        """Read a config file and its bases.

        Args:
            filename: A ``.py``, ``.json``, ``.yaml``, ``.yml`` or ``.toml`` file; for a recorded
                one perhaps with ``:function``, the function of the file that describes the run.
            use_predefined_variables: Whether ``{{ fileDirname }}``, ``{{ fileBasename }}``,
                ``{{ fileBasenameNoExtension }}`` and ``{{ fileExtname }}`` are replaced.
            import_custom_modules: Whether the modules of ``custom_imports`` are imported.
            use_environment_variables: Whether ``{{$NAME:default}}`` is replaced.
            lazy_import: Whether a Python file imports its bases and classes (new style) rather than
                naming them; ``None`` to look.
            format_python_code: Kept for compatibility; printing is always formatted.
            overrides: Changes as words of a command line, such as ``"epochs=24"``,
                ``"model.depth=50"``, ``"custom_hooks+=@zoo.MyHook()"`` or ``"~val_cfg"``. A
                variable takes effect where a file assigns it, so what is computed from it follows.

        Raises:
            ConfigError: If the file cannot be read, with the line at fault. It is also a
                `FileNotFoundError` for a missing file, an `OSError` for an unknown extension, a
                `SyntaxError`, a `KeyError` for keys that are missing or twice there, a `TypeError`
                for a dict in the place of something else, an `ImportError` for a failed import.
            Exception: Whatever the code of the file raises, with a note on the line.
        """
        path, function = str(filename), None
        file, _, named = path.rpartition(":")
        if file.endswith(".py") and named.isidentifier() and not os.path.exists(path):
            path, function = file, named
        source = Source.read(path)
        changes = [parse_override(word) for word in overrides]
        options = ReadOptions(
            use_predefined_variables,
            use_environment_variables,
            {change.path: change.value for change in changes if change.sets_variable},
            function,
            path,
        )
        loaded = load_source(source, options, lazy_import=lazy_import)
        cfg = _from_loaded(loaded, source.path, format_python_code)
        check_not_resolved(cfg._cfg_dict, changes, source.text)
        cfg._apply(changes, options.used)
        if import_custom_modules:
            import_modules_of(cfg)
        return cfg

    @staticmethod
    def fromstring(cfg_str: str, file_format: str) -> Config:
        """Read a config from a string.

        Args:
            cfg_str: The text of a config file.
            file_format: The extension that the file would have: ``.py``, ``.json``, ``.yaml``,
                ``.yml`` or ``.toml``.

        Raises:
            OSError: If the format is another one.
            ConfigError: As for `fromfile`.
        """
        check_format(file_format, "a config string")
        if file_format != ".py" and "dict(" in cfg_str:
            warnings.warn(
                f'the string has "dict(", so its format may be ".py" instead of "{file_format}"',
                stacklevel=2,
            )
        loaded = load_source(Source("<string>", cfg_str, file_format), ReadOptions())
        cfg = _from_loaded(loaded, None, True)
        import_modules_of(cfg)
        return cfg

    @staticmethod
    def auto_argparser(description: str | None = None) -> tuple[argparse.ArgumentParser, Config]:
        """A parser with an option for each leaf of the config that the command line names first.

        Args:
            description: Description of the parser.
        """
        first = argparse.ArgumentParser(description=description, add_help=False)
        first.add_argument("config", help="config file path")
        known, _ = first.parse_known_args()
        cfg = Config.fromfile(known.config)
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("config", help="config file path")
        add_args(parser, cfg)
        return parser, cfg

    @staticmethod
    def diff(cfg1: str | Path | Config, cfg2: str | Path | Config) -> str:
        """How two configs differ.

        Args:
            cfg1: A config or the path of one.
            cfg2: The other one.

        Returns:
            A unified diff of their `pretty_text`; in colours when the output is a terminal.
        """
        one, other = (
            cfg if isinstance(cfg, Config) else Config.fromfile(cfg) for cfg in (cfg1, cfg2)
        )
        lines = difflib.unified_diff(one.pretty_text.split("\n"), other.pretty_text.split("\n"))
        colours = {"+": "\x1b[32m", "-": "\x1b[31m"} if is_terminal() else {}
        return "".join(
            f"{colours[line[0]]}{line}\x1b[0m\n" if line[:1] in colours else f"{line}\n"
            for line in (line.rstrip("\n") for line in lines)
        )

    # What it is

    @property
    def filename(self) -> str | None:
        """The file that it comes from; ``None`` if it comes from none."""
        return self._filename

    @property
    def text(self) -> str:
        """The texts of the bases and of the file itself, each after a line with its path."""
        return self._text

    @property
    def env_variables(self) -> dict[str, Any]:
        """Environment variables that the file asked for, and the values that it got."""
        return self._env_variables

    @property
    def pretty_text(self) -> str:
        """The config as Python assignments with sorted keys; it reads back as an equal config."""
        return format_config(self._own_values())

    def locate(self, path: str) -> Location | None:
        """Where a value was written.

        Args:
            path: Dotted path, such as ``model.backbone.depth``.

        Returns:
            File, line and column of the key; ``None`` when it was changed with `merge_from_dict`,
            or when no file writes it literally.
        """
        return locate(self._cfg_dict, path)

    def nearest_place(self, path: str) -> Location | None:
        """Where a value, or the nearest part of the config around it, was written.

        Args:
            path: Dotted path.

        Returns:
            File, line and column; of what was changed after the files were read, a place that
            names the word of the command line.
        """
        return Places(self, self._cfg_dict).of(keys_of(self._cfg_dict, path))

    def dump(self, file: str | Path | None = None) -> str | None:
        """Write the config to a file, whole or not at all, or return its text.

        Args:
            file: A ``.py``, ``.json``, ``.yaml`` or ``.yml`` file; ``None`` to return the text, in
                the format of the config's own file, Python if it has none.

        Raises:
            TypeError: If the file has another extension.
        """
        extension = os.path.splitext(str(file) if file is not None else self.filename or ".py")[1]
        if extension in (".json", ".yaml", ".yml"):
            text = dump_data(self._own_values(), extension)
        elif file is None or extension == ".py":
            text = self.pretty_text
        else:
            raise ConfigTypeError(
                f"a config cannot be written to {str(file)!r}",
                help="use the extension .py, .json, .yaml or .yml",
            )
        if file is None:
            return text
        with replacing(Path(os.path.realpath(file))) as written:
            written.write(text.encode())
        return None

    def to_dict(self, keep_imported: bool = False) -> dict[str, Any]:
        """Plain dicts all the way down; names that are not imported become dotted paths.

        Args:
            keep_imported: Whether names that the file merely imports are kept.
        """
        return self._own(self._cfg_dict.to_dict(), keep_imported)

    def _to_lazy_dict(self, keep_imported: bool = False) -> dict[str, Any]:
        """Plain dicts all the way down; names that are not imported stay as they are."""
        return self._own(self._cfg_dict._to_lazy_dict(), keep_imported)

    def _own_values(self) -> dict[Any, Any]:
        return self._own(self._cfg_dict)

    def _own(self, values: dict[Any, Any], keep_imported: bool = False) -> dict[Any, Any]:
        imported = () if keep_imported else self._imported_names
        return {key: value for key, value in dict.items(values) if key not in imported}

    # Changing it

    def merge_from_dict(self, options: dict[str, Any], allow_list_keys: bool = True) -> None:
        """Change values by dotted keys.

        Args:
            options: New values by key, such as ``{"model.backbone.depth": 101}``. Dicts are merged
                as a child config's are; ``_delete_=True`` replaces.
            allow_list_keys: Whether a number changes an item of a list, as in ``hooks.0.interval``.

        Raises:
            TypeError: If a dict would take the place of something that is no dict.
            KeyError: If a list has no item of a given number.
        """
        changes = nest(options)
        merged = merge(self._cfg_dict, changes, allow_list_keys=allow_list_keys)
        self._cfg_dict = merged
        paths = list(leaf_paths(changes))
        for path in paths:
            spot = Spot(None, word="Config.merge_from_dict", is_change=True)
            note_change(merged, path.split("."), spot, "set")
        self._changed += with_sharing_said(merged, paths)

    def override(self, words: Sequence[str]) -> None:
        """Change values as the command line does.

        Unlike with `merge_from_dict`, a path that does not exist is an error.

        Args:
            words: ``"a.b.0.c=value"`` sets, ``"a.b+=value"`` appends to a list, ``"~a.b"`` removes,
                ``"+a.b=value"`` adds what is not there. A value is a number, ``true``, ``false``,
                ``None``, a list or tuple of such, ``@package.Class(argument=1)`` for a call, or
                else a string.

        Raises:
            ConfigError: A word cannot be understood, or its path does not exist; with the nearest
                one that does.
        """
        self._apply([parse_override(word) for word in words], set())

    def _apply(self, changes: Sequence[Override], used: set[str]) -> None:
        apply_overrides(self._cfg_dict, changes, used)
        say_replaced(changes)
        self._overrides = (*self._overrides, *changes)
        paths = [change.path for change in changes if change.path not in used]
        self._changed += with_sharing_said(self._cfg_dict, paths)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files that it was read from, bases before those that build on them."""
        return self._sources

    @property
    def overrides(self) -> tuple[str, ...]:
        """The changes that the command line made, as they were written."""
        return tuple(change.written for change in self._overrides)

    # A dict in all but name

    def __len__(self) -> int:
        return len(self._cfg_dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._cfg_dict)

    def __contains__(self, key: object) -> bool:
        return key in self._cfg_dict

    def __getitem__(self, name: str) -> Any:
        return self._cfg_dict[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._cfg_dict[name] = value

    def __delitem__(self, name: str) -> None:
        del self._cfg_dict[name]

    def __getattr__(self, name: str) -> Any:
        if name in _SLOTS or (name.startswith("__") and name.endswith("__")):
            # While it is copied or unpickled it has no values yet.
            raise AttributeError(name)
        return getattr(self._cfg_dict, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _SLOTS:
            super().__setattr__(name, value)
        else:
            self._cfg_dict[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._cfg_dict:
            raise AttributeError(f"'Config' object has no attribute {name!r}")
        del self._cfg_dict[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._cfg_dict)})

    def __repr__(self) -> str:
        return f"Config (path: {self.filename}): {self._cfg_dict!r}"

    # Copies

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in _STATE)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for name, value in zip(_STATE, state, strict=True):
            setattr(self, name, value)
        self._sources, self._changed, self._overrides = (), (), ()

    def __copy__(self) -> Self:
        return self._copied(self._cfg_dict.copy())

    copy = __copy__

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._copied(copy.deepcopy(self._cfg_dict, memo))

    def _copied(self, values: ConfigDict) -> Self:
        other = type(self).__new__(type(self))
        other.__setstate__((values, *self.__getstate__()[1:]))
        other._env_variables = dict(self._env_variables)
        other._imported_names = set(self._imported_names)
        other._sources, other._changed = self._sources, self._changed
        other._overrides = self._overrides
        return other


def _from_loaded(loaded: LoadedConfig, filename: str | None, format_code: bool) -> Config:
    try:
        cfg = Config(loaded.values, loaded.text, None, loaded.env_variables, format_code)
    except ConfigKeyError as error:
        error.location = locate(loaded.values, error.config_path or "")
        raise
    cfg._filename = filename
    cfg._imported_names = loaded.imported_names
    cfg._sources = loaded.sources
    return cfg
